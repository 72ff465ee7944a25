"""How a session reaches peers and is reached: its transports, its sockets, and the interface or proxy they keep to.

The sockets live as long as the interface they are tied to. When it goes, all of them are closed at once and nothing
leaves; when it is back, they are opened again where they were.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Protocol
from urllib.parse import urlsplit

from wildbach.base import addresses, limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import NetworkError, UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine.settings import Settings
from wildbach.engine.ways import Ways, parse_listen
from wildbach.net.outlet import AWAY, NO_SUCH_ADDRESS
from wildbach.net.proxy import ProxiedDatagrams, ProxiedTransport, ProxyView
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection, Listener, Transport
from wildbach.net.udp import Datagrams, DatagramService
from wildbach.net.utp import UtpTransport
from wildbach.runtime.tasks import Scope

_AGAIN_SECONDS: Final = 5.0
"Where the ports cannot be taken at once when the interface is back."
_LATE_SECONDS: Final = 1.0
"How long packets may still be on their way to us when the interface has gone."
_PATIENCE_SECONDS: Final = 2.0
"For a proxy to say that it passes on datagrams, before all begins without them."


@dataclass(frozen=True, slots=True)
class NamesView:
    """What came of one question to the name servers."""

    name: str
    failure: str
    "In plain words; empty where there was an answer."


@dataclass(frozen=True, slots=True)
class NetworkView:
    """By which ways a session speaks with the world."""

    interface: str
    "The interface that everything keeps to; empty: any."
    addresses: tuple[str, ...]
    "Ours on it; none where it is away."
    obstacle: str
    "Why nothing leaves, in plain words; empty where something does."
    proxy: ProxyView | None
    listening: tuple[Endpoint, ...]
    name_servers: tuple[Endpoint, ...]
    "Asked through the interface; none where the system, or a proxy, looks names up."
    names: NamesView | None = None
    "Of an examination; None where nobody was asked."


def _names(settings: Settings) -> Iterator[str]:
    """Host names that are asked for anyway: those of the DHT's first nodes, and of lists of the IP filter."""
    texts = [f"//{text}" for text in settings.dht.bootstrap] if settings.dht.enabled else []
    for text in (*texts, *(name for name in settings.filter.sources if "://" in name)):
        with contextlib.suppress(ValueError):
            host = urlsplit(text).hostname
            if host and addresses.parse(host) is None:
                yield host


class NetworkOwner(Protocol):
    """The session."""

    def accept(self, connection: Connection) -> None:
        """Somebody called."""
        ...

    def network_went(self, error: NetworkError) -> None:
        """All sockets are closed; what went over them is over."""
        ...

    async def network_came(self, gained: Sequence[int]) -> None:
        """The sockets are open again, perhaps at another address. With `gained` they were all the time, and there are
        more for these IP versions.
        """
        ...


class Network:
    """`ways`: None in a simulated network, whose `transport` and `datagrams` are given. `speaks_udp`: others than uTP
    need datagrams.
    """

    def __init__(
        self, owner: NetworkOwner, settings: Settings, scope: Scope, rng: Random,
        report: Callable[[Exception], None], *,
        ways: Ways | None, transport: Transport | None, datagrams: DatagramService | None, speaks_udp: bool,
    ) -> None:
        self._owner = owner
        self._settings = settings
        self._scope = scope.child("network")
        self._report = report
        self.ways = ways
        self._simulated = transport is not None
        self.transports: dict[str, Transport] = {}
        "The roads to peers by the kind of their connections."
        self.utp: UtpTransport | None = None
        proxy = ways.proxy if ways is not None else None
        self.proxied = proxy is not None
        "Nobody can call us, and nothing may leave another way."
        self.speaks_udp = speaks_udp and (ways is None or ways.datagrams)
        if transport is None:
            tcp = TcpTransport(ways.outlet if ways is not None else None)
            transport = ProxiedTransport(proxy, tcp) if proxy is not None else tcp
        self._transport = transport
        self._relayed: ProxiedDatagrams | None = None
        if datagrams is None:
            if proxy is not None and self.speaks_udp:
                datagrams = self._relayed = ProxiedDatagrams(proxy, self._scope, report)
            else:
                datagrams = Datagrams(outlet=ways.outlet if ways is not None else None)
        self.datagrams = datagrams
        wanted = settings.connections
        if wanted.tcp or self._simulated:
            self.transports["tcp"] = transport
        if wanted.utp and not self._simulated and (ways is None or ways.datagrams):
            self.transports["utp"] = self.utp = UtpTransport(self.datagrams, rng=rng)
        if not self.transports:
            raise UsageError(
                "there is no road to peers: switch on connections.tcp" if self.proxied
                else "there is no road to peers: switch on connections.tcp or connections.utp"
            )
        self._listeners: list[Listener] = []
        self._ports: dict[str, int] = {}
        "Those that were taken, by what the settings say."
        self._listens: dict[str, None] = {}
        "What of the settings is listened at."
        self._utp_at: dict[Endpoint, None] = {}
        "Where uTP is listened at."
        self._opened = False
        self._more: tuple[int, ...] = ()
        "IP versions that came while the sockets were open, and are not looked at so far."
        self._trouble = ""
        "Why the sockets could not be opened when the interface came."
        self._moved = asyncio.Event()

    @property
    def listening(self) -> tuple[Endpoint, ...]:
        """Where peers can reach this session; the ports are the real ones."""
        return tuple(listener.endpoint for listener in self._listeners)

    @property
    def port(self) -> int:
        """Where peers call us; 0: nowhere."""
        return self._listeners[0].endpoint.port if self._listeners else 0

    @property
    def families(self) -> tuple[int, ...]:
        """The IP versions peers can call us by: trackers are to know each of these addresses (BEP 7)."""
        return tuple(sorted({6 if ":" in endpoint.host else 4 for endpoint in self.listening})) or (0,)

    @property
    def obstacle(self) -> str:
        """Why nothing leaves, in plain words; empty where something does, as far as is known."""
        return (self.ways.obstacle if self.ways is not None else "") or self._trouble

    @property
    def bound(self) -> bool:
        """Everything keeps to one interface."""
        return self.ways is not None and self.ways.outlet.bound

    @property
    def shut(self) -> bool:
        """Nothing can leave: to try is of no use."""
        return self.ways is not None and not self.ways.outlet.open

    @property
    def no_datagrams(self) -> str:
        """Why datagrams do not leave, in plain words; empty where they do."""
        if self.ways is not None and not self.ways.datagrams:
            return "an HTTP proxy passes on no datagrams"
        return self._relayed.failure if self._relayed is not None else ""

    def view(self) -> NetworkView:
        ways = self.ways
        way = ways.outlet.way if ways is not None else None
        proxy = None
        if ways is not None and ways.proxy is not None:
            datagrams = self._relayed.state if self._relayed is not None else self.no_datagrams
            behind = ways.proxy
            proxy = ProxyView(
                str(behind.address), behind.failure, behind.cause, behind.doubt,
                ways.outlet.reason or datagrams if datagrams else "")
        return NetworkView(
            ways.outlet.wanted if ways is not None else "", tuple(way.own.values()) if way is not None else (),
            self.obstacle, proxy, self.listening,
            ways.name_servers if ways is not None and ways.outlet.bound and not self.proxied else (),
        )

    async def examine(self, seconds: float) -> NetworkView:
        """The same after the proxy was asked to connect, and whether it passes on datagrams; or, without one, after
        name servers were asked, for `seconds` at most, for a name that the settings have.
        """
        names = await self._ask_for_a_name(seconds)
        if self.ways is not None and self.ways.proxy is not None:
            await self.ways.proxy.check()
            if self._relayed is not None and self._opened and not self.ways.proxy.failure:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(limits.PROXY_SECONDS):
                        await self._relayed.wait()
        return replace(self.view(), names=names)

    async def _ask_for_a_name(self, seconds: float) -> NamesView | None:
        name = next(_names(self._settings), None)
        if name is None or self.shut or self.ways is None or self.ways.resolver is None:
            return None
        try:
            async with asyncio.timeout(seconds):
                await self.ways.resolver.resolve(name, 0)
        except TimeoutError:
            return NamesView(name, f"no answer in {seconds:g} seconds")
        except NetworkError as error:
            return NamesView(name, error.message)
        return NamesView(name, "")

    # -- sockets

    async def open(self) -> None:
        """Take the ports. Raises NetworkError; that the interface is away is none: then it is waited for."""
        if self.ways is not None and (self.bound or self._for_the_world):
            self.ways.outlet.watch()
            self.ways.outlet.subscribe(self._outlet_changed)
            self._scope.spawn("interface", self._follow(), contain=self._report)
        if not self.shut:
            await self._open()

    @property
    def _for_the_world(self) -> bool:
        """Others than this machine may call, so it matters which addresses it gets."""
        hosts = [parse_listen(text)[0] for text in self._settings.connections.listen]
        return not self.proxied and any(classify(host) is not Reach.LOCAL for host in hosts)

    async def close(self) -> None:
        await self._scope.close()
        self._close()
        if self.utp is not None:
            self.utp.close()

    def stop_listening(self) -> None:
        """Nobody is let in any more."""
        for listener in self._listeners:
            listener.close()

    async def _open(self) -> None:
        """Open what is not open, as far as there are addresses for it."""
        self._opened = True
        if not self.proxied:
            for text in self._settings.connections.listen:
                if text not in self._listens:
                    await self._listen(text)
        if self.speaks_udp or (self.utp is not None and self._settings.connections.listen):
            self._open_datagrams()
        if self.utp is not None and self._settings.connections.listen:
            for endpoint in self.datagrams.endpoints:
                if endpoint in self._utp_at:
                    continue
                self._utp_at[endpoint] = None
                listener = await self.utp.listen(endpoint, self._owner.accept)
                if not self._settings.connections.tcp and not self.proxied:
                    self._listeners.append(listener)
        if self._relayed is not None:
            # What is sent before would be lost, and be sent again only seconds later.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._relayed.wait()

    def _close(self) -> None:
        self.stop_listening()
        self._listeners.clear()
        self._listens.clear()
        self._utp_at.clear()
        if self.utp is not None:
            self.utp.cut()
        self.datagrams.close()

    async def _listen(self, text: str) -> None:
        host, ports = parse_listen(text)
        last: NetworkError | None = None
        for port in (self._ports[text],) if self._ports.get(text) else ports:
            try:
                at = await self._listen_at(Endpoint(host, port))
            except NetworkError as error:
                last = error
                if error.code != "port_in_use":
                    break
            else:
                self._ports[text] = at.port
                self._listens[text] = None
                return
        # A machine without IPv6 is no reason to stop, and neither is an interface that has one IP version only.
        if last is not None and host != "::" and not (host == "0.0.0.0" and last.code == NO_SUCH_ADDRESS):
            raise last

    async def _listen_at(self, at: Endpoint) -> Endpoint:
        if self._settings.connections.tcp or self._simulated:
            listener = await self._transport.listen(at, self._owner.accept)
            self._listeners.append(listener)
            return listener.endpoint
        self.datagrams.open([at])
        return self.datagrams.endpoints[-1]

    def _open_datagrams(self) -> None:
        """UDP beside the first TCP listener of each IP version, on the same port where that is free."""
        bound: dict[bool, None] = {}
        for endpoint in self.listening or (Endpoint("0.0.0.0", 0), Endpoint("::", 0))[: 2 if self.bound else 1]:
            six = ":" in endpoint.host
            if six in bound or (6 if six else 4) in self.datagrams.families:
                continue
            bound[six] = None
            try:
                self.datagrams.open([endpoint])
            except NetworkError as error:
                if error.code != NO_SUCH_ADDRESS:
                    self.datagrams.open([Endpoint(endpoint.host, 0)])

    # -- the interface comes and goes

    def _outlet_changed(self) -> None:
        """Whatever is open was tied to the interface as it was, unless an IP version came and that is all."""
        gained = self.ways.outlet.gained if self.ways is not None else ()
        if self._opened and gained:
            self._more += gained
        elif self._opened:
            self._opened = False
            self._more = ()
            self._close()
            reason = self.ways.outlet.reason if self.ways is not None else ""
            self._owner.network_went(
                NetworkError(reason or "the network interface has another address now", code=AWAY))
        self._moved.set()

    async def _extend(self) -> None:
        """An IP version more: what can be opened for it is, and all else stays as it is."""
        more, self._more = self._more, ()
        # What cannot be opened now is tried again at the next change.
        with contextlib.suppress(NetworkError):
            await self._open()
        if self._is_open():
            await self._owner.network_came(more)

    def _is_open(self) -> bool:
        """It may change while somebody waits."""
        return self._opened

    async def _follow(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            if self._opened and self._more:
                await self._extend()
            if self._is_open():
                continue
            if self.shut:
                # Closed at once, sockets would have the kernel complain to whoever still sends, by another interface.
                await asyncio.sleep(_LATE_SECONDS)
            if self.ways is not None:
                self.ways.outlet.settle()
                await self.ways.http.cut()
            while not self.shut and not self._is_open():
                try:
                    await self._open()
                    self._trouble = ""
                    if self._is_open():
                        await self._owner.network_came(())
                    break
                except NetworkError as error:
                    # The address may not be ready yet, or somebody has our port.
                    self._trouble = error.message
                except (WildbachError, OSError) as error:
                    self._report(error)
                self._opened = False
                self._close()
                await asyncio.sleep(_AGAIN_SECONDS)
