"""Binding UDP and Unix sockets, and taking over bound ones; and why an address cannot be listened at, in words and as
a code that a user interface can say more about.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.outlet import Claim, anywhere

_LISTEN_CODES: Final = {
    errno.EADDRINUSE: "port_in_use", errno.EADDRNOTAVAIL: "not_our_address", errno.EACCES: "port_forbidden",
}


def datagram_socket(
    at: Endpoint, buffer: int, *, shared: bool = False, claim: Claim = anywhere,
) -> socket.socket:
    """A non-blocking UDP socket bound to `at`; port 0 for any. `shared`: other processes may bind the same port.
    `buffer`: bytes each way, as far as the system allows. `claim` ties it to an interface. Raises NetworkError.
    """
    six = ":" in at.host
    sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, buffer)
        claim(sock, 6 if six else 4)
        sock.bind(at)
    except OSError as error:
        sock.close()
        raise cannot_listen(at, error, " (UDP)") from None
    except NetworkError:
        sock.close()
        raise
    return sock


def cannot_listen(at: object, error: OSError, what: str = "") -> NetworkError:
    """The NetworkError for an address that cannot be listened at. A name instead of an address is not ours either."""
    code = "not_our_address" if isinstance(error, socket.gaierror) else _LISTEN_CODES.get(error.errno or 0)
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return NetworkError(f"cannot listen on {at}{what}: {reason}", code=code, errno=error.errno)


_FIRST_INHERITED = 3


def inherited_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Listening sockets that a service manager handed to this process (sd_listen_fds). They are taken once: the
    variables that tell of them are removed.
    """
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isascii() or not count.isdigit() or len(count) > 3:
        return []
    found = []
    for number in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count)):
        try:
            sock = socket.socket(fileno=number)
        except OSError:
            continue  # something else than a socket
        os.set_inheritable(number, False)
        if sock.type == socket.SOCK_STREAM:
            found.append(sock)
        else:
            sock.detach()
    return found


@dataclass(frozen=True, slots=True)
class UnixDoor:
    """A Unix socket that only its owner can call; its file goes when it is closed."""

    sock: socket.socket
    path: str
    inode: int

    @classmethod
    def open(cls, path: str) -> UnixDoor:
        """Bound beside its place, closed to others, and only then given its name; what a dead process left there is
        replaced. Raises NetworkError, code `port_in_use` where somebody listens.
        """
        # As short as the name it gets: the system takes no long ones.
        beside = os.path.join(os.path.dirname(path), f".{secrets.token_hex(3)}")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if _answers(path):
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            sock.bind(beside)
            os.chmod(beside, 0o600)
            sock.listen(100)
            inode = os.stat(beside).st_ino
            os.replace(beside, path)
        except OSError as error:
            sock.close()
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise cannot_listen(path, error) from None
        return cls(sock, path, inode)

    def close(self) -> None:
        """The listener closes the socket; here its file goes, unless it is another's by now."""
        with contextlib.suppress(OSError):
            if os.stat(self.path).st_ino == self.inode:
                os.unlink(self.path)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
