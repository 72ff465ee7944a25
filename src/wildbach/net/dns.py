"""Names asked of name servers over sockets of our own: TXT records, which the standard library cannot ask for, and
addresses where the questions must not leave by another way than everything else does.

Each question leaves from a socket of its own that takes datagrams of the server it asked only, so whoever wants to
forge a reply has to guess its port and its number. Whoever made the resolver says of each socket which way it goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from wildbach.base import addresses, hostnames, limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError, NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.outlet import NO_SUCH_ADDRESS, Claim, anywhere, claimed_socket
from wildbach.protocol import dns
from wildbach.protocol.dns import Kind, Outcome, Question
from wildbach.runtime.tasks import Scope

_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_RESOLVED_CONF: Final = Path("/run/systemd/resolve/resolv.conf")
_HOSTS_FILE: Final = Path("/etc/hosts")
_SERVERS: Final = 2
_SENDS: Final = 2
"How often a question is sent to a server: a busy line loses datagrams."
_KINDS: Final = {4: Kind.A, 6: Kind.AAAA}
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_LOOPBACK: Final = ("127.0.0.1", "::1")


def system_servers(conf: Path = _RESOLV_CONF) -> tuple[Endpoint, ...]:
    """The name servers of this machine; none where it does not say."""
    return tuple(_named_servers(conf)[:_SERVERS])


def reachable_servers(conf: Path = _RESOLV_CONF, upstream: Path = _RESOLVED_CONF) -> tuple[Endpoint, ...]:
    """The name servers of this machine that can be asked through an interface other than loopback.

    Where the machine asks only itself, its own resolver may have noted in `upstream` whom that one asks.
    """
    for path in (conf, upstream):
        found = [server for server in _named_servers(path) if not _here(server.host)]
        if found:
            return tuple(found[:_SERVERS])
    return ()


def _named_servers(conf: Path) -> list[Endpoint]:
    lines = _lines(conf, limits.RESOLV_CONF_BYTES)
    hosts = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return [Endpoint(host, 53) for host in hosts if addresses.parse(host) is not None]


def _here(host: str) -> bool:
    """Whether an address leads to this machine; the unspecified one does too."""
    address = addresses.parse(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _lines(path: Path, bound: int) -> list[list[str]]:
    """The words of each line of a file of the system, without comments; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(bound)
    except OSError:
        return []
    if len(data) == bound:
        # The last line may be there in part only, and say something else then.
        data = data[: data.rfind(b"\n") + 1]
    return [line.partition("#")[0].split() for line in data.decode("ascii", "replace").splitlines()]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Seconds that are remembered: an answer (at least, at most), that there is none, that no server could tell."""

    least: float
    most: float
    none: float
    failure: float


_TEXTS_KEPT: Final = _Kept(60.0, 24 * 3600.0, 3600.0, 900.0)
_ADDRESSES_KEPT: Final = _Kept(10.0, 3600.0, 60.0, 15.0)


class _Servers:
    """What name servers say: the same question is asked once, and its answer remembered as long as it may be."""

    def __init__(
        self, servers: Sequence[Endpoint], seconds: float, claim: Claim, kept: _Kept,
        clock: Callable[[], float] | None,
    ) -> None:
        self._servers = tuple(servers)
        self._seconds = seconds
        self._claim = claim
        self._kept = kept
        self._clock = clock
        self._room = asyncio.Semaphore(limits.DNS_UNDER_WAY)
        self._known: dict[Question, tuple[float, dns.Reply | str]] = {}
        self._asked: dict[Question, asyncio.Future[None]] = {}

    async def ask(self, question: Question) -> dns.Reply | str:
        """The answer, or why there is none. Raises NetworkError where no socket may be used; that is not remembered."""
        loop = asyncio.get_running_loop()
        clock = self._clock or loop.time
        while True:
            known = self._known.get(question)
            if known is not None and known[0] > clock():
                return known[1]
            asked = self._asked.get(question)
            if asked is None:
                break
            # Then look again: where the one who asked gave up, the next one asks.
            await asyncio.shield(asked)
        mine = self._asked[question] = loop.create_future()
        try:
            async with self._room:
                found = await self._tell(question)
            if len(self._known) >= limits.DNS_NAMES:
                self._known.clear()
            self._known[question] = (clock() + self._keep(found), found)
        finally:
            del self._asked[question]
            mine.set_result(None)
        return found

    def _keep(self, found: dns.Reply | str) -> float:
        if isinstance(found, str):
            return self._kept.failure
        if found.outcome is not Outcome.FOUND:
            return self._kept.none
        return min(max(found.seconds, self._kept.least), self._kept.most)

    async def _tell(self, question: Question) -> dns.Reply | str:
        """What the first server that can tell says."""
        why = "no name server answers" if self._servers else "there is no name server to ask"
        for server in self._servers:
            try:
                found = await self._by_datagram(server, question)
                if found.outcome is Outcome.CUT:
                    found = await self._by_stream(server, question)
            except OSError:
                continue
            except NetworkError as error:
                if error.code != NO_SUCH_ADDRESS:
                    raise
                continue  # a server of an IP version that the interface does not have
            except FormatError:
                why = "a name server's reply is broken"
                continue
            if found.outcome not in (Outcome.FAILED, Outcome.CUT):
                return found
            why = "the name servers cannot tell"
        return why

    async def _by_datagram(self, server: Endpoint, question: Question) -> dns.Reply:
        """Raises OSError, or FormatError for a broken reply."""
        number = secrets.randbits(16)
        with claimed_socket(_version(server), socket.SOCK_DGRAM, self._claim) as sock:
            sock.connect(server)
            for _ in range(_SENDS):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds / _SENDS):
                        await asyncio.get_running_loop().sock_sendall(sock, dns.query(question, number))
                        return await _heard(sock, question, number)
        raise TimeoutError(f"{server} does not answer")

    async def _by_stream(self, server: Endpoint, question: Question) -> dns.Reply:
        """Raises OSError, or FormatError for a broken reply."""
        loop = asyncio.get_running_loop()
        number = secrets.randbits(16)
        with claimed_socket(_version(server), socket.SOCK_STREAM, self._claim) as sock:
            async with asyncio.timeout(self._seconds):
                await loop.sock_connect(sock, server)
                await loop.sock_sendall(sock, dns.framed(dns.query(question, number)))
                received = bytearray()
                while (message := dns.unframed(received)) is None:
                    data = await loop.sock_recv(sock, limits.DATAGRAM_BYTES)
                    if not data:
                        raise ConnectionError(f"{server} closed the connection")
                    received += data
        reply = dns.reply(message, question, number)
        if reply is None:
            raise FormatError("the reply is to another question", where="dns")
        return reply


def _version(server: Endpoint) -> int:
    return 6 if ":" in server.host else 4


async def _heard(sock: socket.socket, question: Question, number: int) -> dns.Reply:
    """The reply among the datagrams that come. They are counted: a flood of them would leave nobody else a turn."""
    for _ in range(limits.DNS_STRAYS):
        data = await asyncio.get_running_loop().sock_recv(sock, limits.DATAGRAM_BYTES)
        reply = dns.reply(data, question, number)
        if reply is not None:
            return reply
    raise FormatError("many replies to other questions", where="dns")


class TxtResolver:
    """TXT records by name. A lookup never fails: where nobody answers, a name has no records."""

    def __init__(
        self, servers: Sequence[Endpoint] | None = None, *, seconds: float = limits.DNS_SECONDS,
        claim: Claim = anywhere,
    ) -> None:
        servers = system_servers() if servers is None else servers
        self._servers = _Servers(servers, seconds, claim, _TEXTS_KEPT, None)

    async def texts(self, name: str) -> tuple[bytes, ...]:
        """The TXT records of a name."""
        try:
            found = await self._servers.ask(Question.of(name, Kind.TXT))
        except (FormatError, NetworkError):
            return ()
        return () if isinstance(found, str) else found.records


class DnsResolver:
    """Addresses by name, of the name servers given and of /etc/hosts; the operating system's resolver is not used.

    Names are whole: no search domain is put behind them, and one without a dot is looked for in /etc/hosts only.
    """

    def __init__(
        self, servers: Sequence[Endpoint], *, seconds: float = limits.DNS_SECONDS, claim: Claim = anywhere,
        hosts: Path = _HOSTS_FILE, clock: Callable[[], float] | None = None,
    ) -> None:
        self._servers = _Servers(servers, seconds, claim, _ADDRESSES_KEPT, clock)
        self._hosts = _HostsFile(hosts)

    async def resolve(self, host: str, family: int) -> list[str]:
        """Addresses of a name, those of IPv4 first. `family` is 4, 6 or 0 for both.

        Raises NetworkError: the name has no address, no server can tell, or `claim` said so.
        """
        literal = addresses.parse(host)
        versions = (family,) if family else (4, 6)
        if literal is not None:
            if literal.version not in versions:
                raise NetworkError(f"{host} is no IPv{family} address", host=host)
            return [str(literal)]
        name = host.lower().removesuffix(".")
        here = self._local(name)
        if here is not None:
            found = [text for version in versions for text in here if ip_address(text).version == version]
            why = _nothing(family)
        elif "." not in name:
            found, why = [], "a name without a dot is looked for in /etc/hosts only"
        else:
            found, why = await self._remote(name, family)
        if not found:
            raise NetworkError(f"cannot find {host}: {why}", host=host)
        return found

    def _local(self, name: str) -> tuple[str, ...] | None:
        """What this machine itself says; None where it says nothing."""
        if hostnames.reach(name) is Reach.LOCAL:
            return _LOOPBACK  # whatever else says so: RFC 6761
        return self._hosts.find(name)

    async def _remote(self, name: str, family: int) -> tuple[list[str], str]:
        """The addresses that name servers tell of, or why there are none."""
        try:
            questions = {version: Question.of(name, _KINDS[version]) for version in ((family,) if family else (4, 6))}
        except FormatError:
            return [], "it is no name"
        replies: dict[int, dns.Reply | str] = {}
        errors: list[Exception] = []

        async def ask(version: int) -> None:
            replies[version] = await self._servers.ask(questions[version])

        async with Scope("dns") as scope:
            rest = {scope.spawn(f"IPv{version}", ask(version), contain=errors.append) for version in questions}
            while rest and not errors:
                _, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
        if errors:
            raise errors[0]
        found = [text for version, reply in sorted(replies.items()) for text in _texts(version, reply)]
        return found, _why(family, list(replies.values()))


def _texts(version: int, reply: dns.Reply | str) -> list[str]:
    """The addresses of a reply. One of IPv4 that is wrapped in IPv6 is none of the version asked for."""
    packed = () if isinstance(reply, str) else reply.records
    texts = dict.fromkeys(socket.inet_ntop(_FAMILIES[version], record) for record in packed)
    return [text for text in texts if (address := addresses.parse(text)) is not None and address.version == version]


def _why(family: int, replies: Sequence[dns.Reply | str]) -> str:
    """Why no reply has an address. What is not known goes first: the name may have one then."""
    for reply in replies:
        if isinstance(reply, str):
            return reply
    if any(not isinstance(reply, str) and reply.outcome is Outcome.NO_NAME for reply in replies):
        return "there is no such name"
    return _nothing(family)


def _nothing(family: int) -> str:
    return f"it has no IPv{family} address" if family else "it has no address"


class _HostsFile:
    """Names that the machine's owner wrote down. The file is read again where it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._names: dict[str, tuple[str, ...]] = {}

    def find(self, name: str) -> tuple[str, ...] | None:
        """The addresses of a name in small letters; None where it is not there."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._stamp = stamp
            self._names = self._read()
        return self._names.get(name)

    def _read(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for words in _lines(self._path, limits.HOSTS_FILE_BYTES):
            address = addresses.parse(words[0]) if len(words) > 1 else None
            if address is not None:
                for name in words[1:]:
                    found.setdefault(name.lower(), []).append(str(address))
        return {name: tuple(dict.fromkeys(texts)) for name, texts in found.items()}
