"""The ways out that the settings leave: which interface, which proxy, who looks names up, who fetches.

Made once for a session, and by whoever fetches something before there is one, so that nothing goes another way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final

from wildbach.base import addresses
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.base.settings import SettingError
from wildbach.engine.settings import Settings
from wildbach.net.dns import DnsResolver, TxtResolver, reachable_servers, system_servers
from wildbach.net.http import HttpClient
from wildbach.net.outlet import Outlet
from wildbach.net.proxy import Proxy
from wildbach.net.resolve import Guard, Resolver, SystemResolver
from wildbach.protocol import proxy

_DNS_PORT: Final = 53


class Ways:
    """Use with `async with`, or `close` it. `blocks`: the IP filter. Raises UsageError for wrong settings."""

    def __init__(
        self, settings: Settings, *, user_agent: str = "wildbach", blocks: Callable[[str], bool] = lambda host: False,
    ) -> None:
        check(settings)
        wanted = settings.network
        self.outlet = Outlet(wanted.interface, ports=parse_ports("network.call_ports", wanted.call_ports))
        servers = name_servers(wanted.dns)
        self._names: Resolver
        self._system: SystemResolver | None = None
        if self.outlet.bound:
            # The system's resolver asks by whatever interface it likes.
            servers = servers or reachable_servers()
            self._names = DnsResolver(servers, claim=self.outlet.depart)
        else:
            self._names = self._system = SystemResolver()
            servers = system_servers()
        self.name_servers: tuple[Endpoint, ...] = tuple(servers)
        self.proxy = Proxy(parse_proxy(wanted.proxy), self.outlet, self._names) if wanted.proxy else None
        self.resolver = self._names if self.proxy is None else None
        "None where the proxy looks names up."
        self.guard = Guard(self.resolver, allow_idna=settings.trackers.idna, blocks=blocks)
        self.http = HttpClient(self.guard, user_agent=user_agent, outlet=self.outlet, proxy=self.proxy)

    @property
    def datagrams(self) -> bool:
        """Datagrams can leave at all."""
        return self.proxy is None or self.proxy.address.kind == "socks5"

    @property
    def obstacle(self) -> str:
        """Why nothing leaves, in plain words; empty where something does, as far as is known."""
        return self.outlet.reason or (self.proxy.failure if self.proxy is not None else "")

    def texts(self) -> TxtResolver | None:
        """Who knows the TXT records of names; None behind a proxy, which knows none."""
        return TxtResolver(self.name_servers, claim=self.outlet.depart) if self.proxy is None else None

    async def close(self) -> None:
        await self.http.close()
        if self._system is not None:
            self._system.close()
        self.outlet.close()

    async def __aenter__(self) -> Ways:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def check(settings: Settings) -> None:
    """What can be told of the ways out before any is taken. Raises SettingError that names the key."""
    wanted = settings.network
    if wanted.interface != wanted.interface.strip() or any(c <= " " or c == "/" for c in wanted.interface):
        raise SettingError("network.interface", f"{wanted.interface!r} is no name of an interface, nor an address")
    if wanted.proxy:
        parse_proxy(wanted.proxy)
    parse_ports("network.call_ports", wanted.call_ports)
    name_servers(wanted.dns)
    if wanted.dns and not wanted.interface:
        raise SettingError("network.dns", "these servers are asked through network.interface: set that too")
    for text in settings.connections.listen:
        parse_listen(text)


def parse_proxy(url: str) -> proxy.ProxyAddress:
    """Raises SettingError."""
    try:
        return proxy.parse(url)
    except UsageError as error:
        raise SettingError("network.proxy", error.message) from None


def name_servers(texts: Sequence[str]) -> tuple[Endpoint, ...]:
    """Addresses, with a port where it is not 53: `9.9.9.9`, `10.8.0.1:5353`, `[fd00::1]:53`. Raises SettingError."""
    return tuple(_name_server(text) for text in texts)


def _name_server(text: str) -> Endpoint:
    if addresses.parse(text) is not None:
        return Endpoint(text, _DNS_PORT)
    host, _, tail = text.rpartition(":")
    host, ports = host.strip("[]"), _ports(tail)
    if addresses.parse(host) is None or ports is None or len(ports) != 1 or not ports[0]:
        raise SettingError("network.dns", f"{text!r} is no address of a name server, as 9.9.9.9 or [fd00::1]:53")
    return Endpoint(host, ports[0])


def parse_listen(text: str, key: str = "connections.listen") -> tuple[str, range]:
    """Where to listen: `HOST:PORT`, or `HOST:FIRST-LAST` for the first of these ports that is free; an IPv6 address is
    in brackets. Raises SettingError.
    """
    host, colon, tail = text.rpartition(":")
    ports = _ports(tail) if colon else None
    if ports is None:
        raise SettingError(
            key, f"{text!r} is neither HOST:PORT nor HOST:FIRST-LAST, as in 0.0.0.0:6881 or [::]:50000-50010")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise SettingError(key, f"{text!r}: put an IPv6 address in brackets, as in [2001:db8::1]:6881")
    return host or "0.0.0.0", ports


def parse_ports(key: str, text: str) -> tuple[int, int] | None:
    """`FIRST-LAST` or one port; None for nothing. Raises SettingError."""
    if not text:
        return None
    ports = _ports(text)
    if ports is None or not ports[0]:
        raise SettingError(key, f"{text!r} is not FIRST-LAST, as in 50000-50999")
    return ports[0], ports[-1]


def _ports(text: str) -> range | None:
    first, dash, last = text.partition("-")
    last = last if dash else first
    if not all(word.isascii() and word.isdigit() and len(word) <= 5 and int(word) < 65536 for word in (first, last)):
        return None
    found = range(int(first), int(last) + 1)
    return found if found and not (dash and not int(first)) else None
