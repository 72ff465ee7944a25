"""A network in memory: hosts with links of some speed, streams between them, datagrams, and everything that breaks.

Everything is drawn from the seed of the loop, and each delivery is noted in its trace. How streams flow stands in
`testing.streams`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable
from itertools import count

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection
from wildbach.net.udp import Handler
from wildbach.testing.loop import simloop
from wildbach.testing.nat import Nat, NatKind
from wildbach.testing.streams import Access, Flow, Medium, MemoryConnection


class MemoryListener:
    __slots__ = ("_host", "accept", "endpoint")

    def __init__(self, host: Host, endpoint: Endpoint, accept: Callable[[Connection], None]) -> None:
        self._host = host
        self.endpoint = endpoint
        self.accept = accept

    def close(self) -> None:
        self._host.unlisten(self)


class MemoryDatagrams:
    """UDP of one host, with the interface of `net.udp.Datagrams`. Loss, delay and doubles are the network's."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._bound: dict[int, Endpoint] = {}
        self._handlers: list[Handler] = []
        self.received = 0
        self.unclaimed = 0
        self.sent = 0
        self.lost = 0

    def open(self, at: Iterable[Endpoint]) -> None:
        for endpoint in at:
            version = 6 if ":" in endpoint.host else 4
            if version in self._bound:
                raise NetworkError(f"there is an IPv{version} socket already", endpoint=str(endpoint))
            self._bound[version] = self._host.bind(endpoint, self)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(self._bound.values())

    @property
    def families(self) -> tuple[int, ...]:
        return tuple(sorted(self._bound))

    def attach(self, handler: Handler) -> None:
        self._handlers.append(handler)

    def detach(self, handler: Handler) -> None:
        if handler in self._handlers:
            self._handlers.remove(handler)

    def send(self, remote: Endpoint, data: bytes | bytearray | memoryview) -> bool:
        source = self._bound.get(6 if ":" in remote.host else 4)
        if source is None:
            self.lost += 1
            return False
        try:
            source = Endpoint(self._host.own_address(remote), source.port)
        except NetworkError:
            self.lost += 1
            return False
        self.sent += 1
        self._host.network.datagram(self._host, source, remote, bytes(data))
        return True

    def deliver(self, remote: Endpoint, data: bytes) -> None:
        self.received += 1
        for handler in self._handlers:
            if handler(remote, data):
                return
        self.unclaimed += 1

    def close(self) -> None:
        for endpoint in self._bound.values():
            self._host.unbind(endpoint)
        self._bound.clear()


class Link:
    """The way out of a machine for datagrams: so many bytes a second, and a queue whose end is dropped."""

    HEADERS = 28

    def __init__(self, rate: float, queue: float) -> None:
        """`queue` is how long a packet waits at most, in seconds."""
        self.rate = rate
        self.queue = queue
        self.dropped = 0
        self.carried = 0
        self.waits: list[tuple[float, float]] = []
        "When a packet came, and how long it waited."
        self._free = 0.0

    def take(self, size: int, now: float) -> float | None:
        """Seconds until a packet of `size` bytes is through; None where it is dropped."""
        wait = max(0.0, self._free - now)
        if wait > self.queue:
            self.dropped += 1
            return None
        self.waits.append((now, wait))
        self.carried += size + self.HEADERS
        self._free = max(self._free, now) + (size + self.HEADERS) / self.rate
        return self._free - now


class Host(Access):
    """A machine: addresses, two links, and a transport to dial and to listen with."""

    def __init__(
        self, network: Network, addresses: tuple[str, ...], up: float, down: float, latency: float,
        nat: Nat | None = None,
    ) -> None:
        super().__init__(network.loop, up, down)
        self.nat = nat
        "The router before it; then its address is a private one that nobody outside can reach."
        self.network = network
        self.addresses = addresses
        self.latency = latency
        self.link: Link | None = None
        "What its datagrams have to go through; None for a way without a bottleneck."
        self.inbound = "open"
        "`open`, or `drop` as a firewall does: dials to it time out."
        self.transport = MemoryTransport(self)
        self._listeners: dict[tuple[str, int], MemoryListener] = {}
        self._sockets: dict[tuple[str, int], MemoryDatagrams] = {}
        self._ports = count(49152)

    @property
    def address(self) -> str:
        return self.addresses[0]

    def own_address(self, remote: Endpoint) -> str:
        """Where a dial to `remote` comes from. Raises NetworkError without an address of its family."""
        for address in self.addresses:
            if (":" in address) == (":" in remote.host):
                return address
        raise NetworkError("network is unreachable")

    def port(self) -> int:
        return next(self._ports)

    def listener(self, at: Endpoint) -> MemoryListener | None:
        return self._listeners.get((at.host, at.port)) or self._listeners.get((_any(at.host), at.port))

    def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> MemoryListener:
        if at.host not in self.addresses and at.host != _any(at.host):
            raise NetworkError(f"cannot listen on {at}: cannot assign requested address")
        at = Endpoint(at.host, at.port or self.port())
        if (at.host, at.port) in self._listeners:
            raise NetworkError(f"cannot listen on {at}: address already in use")
        listener = MemoryListener(self, at, accept)
        self._listeners[at.host, at.port] = listener
        return listener

    def unlisten(self, listener: MemoryListener) -> None:
        if self._listeners.get((listener.endpoint.host, listener.endpoint.port)) is listener:
            del self._listeners[listener.endpoint.host, listener.endpoint.port]

    def bind(self, at: Endpoint, owner: MemoryDatagrams) -> Endpoint:
        """Hand the datagrams for an endpoint to `owner`. Port 0 picks a free one."""
        at = Endpoint(at.host, at.port or self.port())
        if (at.host, at.port) in self._sockets:
            raise NetworkError(f"cannot listen on {at} (UDP): address already in use")
        self._sockets[at.host, at.port] = owner
        return at

    def unbind(self, at: Endpoint) -> None:
        self._sockets.pop((at.host, at.port), None)

    def socket(self, at: Endpoint) -> MemoryDatagrams | None:
        return self._sockets.get((at.host, at.port)) or self._sockets.get((_any(at.host), at.port))

    def crash(self) -> None:
        """Lose every connection and listener at once, as a machine without power; nobody is told."""
        self._listeners.clear()
        self._sockets.clear()
        self.lose_connections(NetworkError("the host crashed"))

    def lose_connections(self, error: NetworkError) -> None:
        """As where the network goes away; nobody is told."""
        for connection in self.network.connections_of(self):
            connection.abort(error)

    def move(self, address: str) -> None:
        """Be at another address from now on."""
        self.network.move(self, address)
        self.addresses = (address,)


class MemoryTransport:
    """`net.transport.Transport` for one host. With a `port` its streams are like those of uTP: all of them leave from
    one UDP port, the one peers call, so a router before the host has one mapping for them.
    """

    def __init__(self, host: Host, port: int = 0) -> None:
        self._host = host
        self._port = port

    async def dial(self, remote: Endpoint) -> Connection:
        if not self._port:
            return await self._host.network.dial(self._host, remote)
        return await self._host.network.dial(self._host, remote, port=self._port)

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> MemoryListener:
        return self._host.listen(at, accept)


class Network(Medium):
    """The whole of it. Rates are bytes a second, times are seconds.

    `chunk`: most bytes moved at once; a slower link moves what it carries in `quantum`. `window`: most bytes of one
    stream on their way or unread. `loss`, `duplicate` and `jitter` are those of datagrams.
    """

    def __init__(
        self,
        *,
        latency: float = 0.02,
        chunk: int = 65536,
        quantum: float = 0.016,
        window: int = 1 << 20,
        send_buffer: int = 128 << 10,
        queue_seconds: float = 0.1,
        dial_timeout: float = 60.0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        jitter: float = 0.0,
    ) -> None:
        super().__init__(
            simloop(), chunk=chunk, quantum=quantum, window=window, send_buffer=send_buffer,
            queue_seconds=queue_seconds)
        self.latency = latency
        self.dial_timeout = dial_timeout
        self.loss = loss
        self.duplicate = duplicate
        self.jitter = jitter
        self.hosts: list[Host] = []
        self._by_address: dict[str, Host] = {}
        self._nats: dict[str, tuple[Nat, Host]] = {}
        self._flows = count()

    def host(
        self, *addresses: str, up: float = 0.0, down: float = 0.0, latency: float | None = None,
    ) -> Host:
        """A new machine, with a public IPv4 address of its own where none is given. `latency` is one way."""
        named = addresses or (address(len(self.hosts)),)
        host = Host(self, named, up, down, self.latency / 2 if latency is None else latency)
        for name in named:
            if name in self._by_address:
                raise ValueError(f"{name} is taken")
            self._by_address[name] = host
        self.hosts.append(host)
        return host

    def move(self, host: Host, address: str) -> None:
        """A machine has this address from now on, and no other."""
        for name in host.addresses:
            del self._by_address[name]
        self._by_address[address] = host

    def home(self, kind: NatKind, *, up: float = 0.0, down: float = 0.0, udp_seconds: float = 30.0) -> Host:
        """A new machine behind a router of its own, which has a public address."""
        number = len(self.hosts)
        nat = Nat(address(number), kind, udp_seconds=udp_seconds)
        inside = f"10.{number // 250}.{number % 250}.2"
        host = Host(self, (inside,), up, down, self.latency / 2, nat)
        self._nats[nat.address] = (nat, host)
        self.hosts.append(host)
        return host

    def _seen(self, host: Host, protocol: str, local: Endpoint, remote: Endpoint) -> Endpoint:
        """Where something that leaves a host seems to come from."""
        return host.nat.outward(protocol, local, remote, self.loop.time()) if host.nat is not None else local

    def _arrives(self, protocol: str, source: Endpoint, to: Endpoint) -> tuple[Host, Endpoint] | None:
        """The machine that gets what is sent to an endpoint, and where there; None where a router drops it."""
        behind = self._nats.get(to.host)
        if behind is None:
            host = self._by_address.get(to.host)
            return (host, to) if host is not None else None
        nat, inside = behind
        inner = nat.inward(protocol, to.port, source, self.loop.time())
        return (inside, inner) if inner is not None else None

    def connections_of(self, host: Host) -> tuple[MemoryConnection, ...]:
        return tuple(end for end in self.connections if end.host is host)

    async def dial(self, host: Host, remote: Endpoint, *, port: int = 0) -> MemoryConnection:
        """Open a stream. With a `port` it is one of uTP: routers see datagrams that leave from this port."""
        local = Endpoint(host.own_address(remote), port or host.port())
        protocol = "udp" if port else "tcp"
        if remote.host not in self._by_address and remote.host not in self._nats:
            await asyncio.sleep(host.latency)
            raise NetworkError("no route to host")
        deadline = self.loop.time() + self.dial_timeout
        while True:
            seen = self._seen(host, protocol, local, remote)
            found = self._arrives(protocol, seen, remote)
            if found is not None and found[0].inbound != "drop" and not self.cut_between(host, found[0]):
                break
            # A lost opening segment is sent again after one second and then ever more rarely.
            left = deadline - self.loop.time()
            if left <= 0:
                raise NetworkError("timed out")
            await asyncio.sleep(min(left, 1.0))
        target, at = found
        trip = 0.0 if target is host else host.latency + target.latency
        await asyncio.sleep(2 * trip)
        if target.listener(at) is None:
            raise NetworkError("connection refused", code="refused")
        there, back = Flow(self, next(self._flows), trip), Flow(self, next(self._flows), trip)
        near = MemoryConnection(self, host, local, remote, there, back)
        far = MemoryConnection(self, target, at, seen, back, there)
        if port:
            near.kind = far.kind = "utp"
        self.remember(near)
        self.remember(far)
        self.loop.call_later(trip, self._accept, target, at, far)
        return near

    def _accept(self, target: Host, at: Endpoint, connection: MemoryConnection) -> None:
        listener = target.listener(at)
        if listener is None:
            connection.close()
        elif not connection.closing:
            listener.accept(connection)

    def reset(self, connection: MemoryConnection) -> None:
        """Break a stream for both ends, now."""
        other = connection.outward.receiver
        connection.abort(NetworkError("connection reset by peer"))
        other.abort(NetworkError("connection reset by peer"))

    def datagram(self, host: Host, source: Endpoint, to: Endpoint, data: bytes) -> None:
        behind = self._nats.get(to.host)
        far = behind[1] if behind is not None else self._by_address.get(to.host)
        source = self._seen(host, "udp", source, to)
        if far is None or self.cut_between(host, far):
            return
        rng = self.loop.rng
        copies = 2 if self.duplicate and rng.random() < self.duplicate else 1
        for _ in range(copies):
            if self.loss and rng.random() < self.loss:
                continue
            delay = host.latency + far.latency + (rng.uniform(0, self.jitter) if self.jitter else 0.0)
            if host.link is not None:
                waits = host.link.take(len(data), self.loop.time())
                if waits is None:
                    continue
                delay += waits
            self.loop.call_later(delay, self._datagram, source, to, bytes(data))

    def _datagram(self, source: Endpoint, to: Endpoint, data: bytes) -> None:
        found = self._arrives("udp", source, to)
        socket = found[0].socket(found[1]) if found is not None else None
        if socket is not None:
            self.loop.note(b"%s>%s:%d@%.6f" % (
                str(source).encode(), str(to).encode(), zlib.crc32(data), self.loop.time()))
            socket.deliver(source, data)


def address(number: int) -> str:
    """The public IPv4 address of host `number` of a simulation; no two lie in one /24."""
    return f"{20 + number // 60000}.{number // 250 % 240}.{number % 250}.7"


def _any(host: str) -> str:
    return "::" if ":" in host else "0.0.0.0"
