"""Binding UDP sockets; and why an address cannot be listened at, in words and as a code that a user interface can say
more about.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
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
