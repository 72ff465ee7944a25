"""Devices of one folder on simulated machines, as far as they find each other: real uTP and relays, a DHT of words."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import DeviceId, Endpoint
from wildbach.engine.devices import DeviceRoads
from wildbach.engine.dht import Answer, ItemRefused, Stored
from wildbach.engine.roads import Roads
from wildbach.engine.settings import Settings
from wildbach.net.transport import Connection, Landing
from wildbach.net.utp import UtpTransport
from wildbach.protocol.dht.items import Item, signed, target
from wildbach.protocol.sync import rendezvous
from wildbach.runtime.rng import seeded
from wildbach.runtime.tasks import Scope
from wildbach.services.sync import sought
from wildbach.services.sync.finding import Finder, Found
from wildbach.testing.nat import NatKind
from wildbach.testing.network import Host, MemoryDatagrams, Network

PORT = 6881
WALL = 1_800_000_000.0
SECRET = bytes(range(32))
TOKEN = bytes(range(100, 132))
"Of a link."
LINK = b"the other side of the link"
NODES = tuple(Endpoint(f"150.{n}.0.7", 6881) for n in range(5))


class Board:
    """What stands in the DHT. `mood`: `fine`, `silent` (nobody replies), `eclipsed` (nobody has anything)."""

    def __init__(self) -> None:
        self.items: dict[bytes, Item] = {}
        self.mood = "fine"
        self.asked = 0
        self.puts = 0

    def blank(self, places: list[rendezvous.Place]) -> None:
        """A member writes over what stands there."""
        for place in places:
            there = self.items.get(place.target)
            self.items[place.target] = signed(
                place._seed, b"blank", (there.seq if there is not None else 0) + 1000, place.salt)


class Words:
    """`services.sync.beacons.Records` for one machine. Nodes see where its datagrams come from, as in BEP 42."""

    def __init__(self, board: Board, host: Host) -> None:
        self._board = board
        self._host = host

    async def _speak(self) -> None:
        await asyncio.sleep(self._host.network.loop.rng.uniform(0.5, 5.0))
        for node in NODES:
            self.seen_by(node)
        if self._board.mood == "silent":
            raise NetworkError("no node of the DHT replied")

    def seen_by(self, node: Endpoint) -> int:
        host = self._host
        if host.nat is None:
            return PORT
        return host.nat.outward("udp", Endpoint(host.address, PORT), node, host.network.loop.time()).port

    async def put(self, item: Item) -> Stored:
        await self._speak()
        self._board.puts += 1
        there = self._board.items.get(item.target)
        if there is not None and (item.seq < there.seq or (item.seq == there.seq and item.raw != there.raw)):
            raise ItemRefused("the DHT has another item")
        self._board.items[item.target] = item
        return Stored(item.target, 8)

    async def ask(self, public_key: bytes, salt: bytes = b"") -> Answer:
        await self._speak()
        self._board.asked += 1
        if self._board.mood == "eclipsed":
            return Answer(None, 8, 0)
        item = self._board.items.get(target(public_key, salt))
        return Answer(item, 8, 8 if item is not None else 0)


class _Greeter:
    """Says who we are, and hears who they are: what a handshake will do."""

    missing = 0

    def __init__(self, own: bytes) -> None:
        self.own = own
        self.theirs: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.landing: Landing | None = None

    def begin(self, connection: Connection) -> None:
        connection.start(self)
        connection.send(self.own)

    def received(self, data: memoryview) -> int:
        if len(data) < DeviceId.SIZE:
            return 0
        if not self.theirs.done():
            self.theirs.set_result(bytes(data[: DeviceId.SIZE]))
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        if not self.theirs.done():
            self.theirs.set_exception(NetworkError("the connection ended"))
            self.theirs.exception()


@dataclass
class Device:
    """One machine with a finder. `meetings`: whom it met, over what kind of connection, and when."""

    name: DeviceId
    host: Host
    finder: Finder
    roads: DeviceRoads
    utp: UtpTransport
    key: Ed25519PrivateKey
    meetings: list[tuple[bytes, str, float]] = field(default_factory=list)
    open: list[Connection] = field(default_factory=list)
    dialled: list[Endpoint] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def direct(self) -> bool:
        return any(kind != "relay" for _, kind, _ in self.meetings)

    def met(self, name: bytes, connection: Connection) -> None:
        self.meetings.append((name, connection.kind, self.host.network.loop.time()))
        self.open.append(connection)
        self.changed.set()

    def lose(self) -> None:
        """All sessions are over."""
        for connection in self.open:
            connection.close()
        self.open.clear()
        for name, _, _ in self.meetings:
            self.finder.lost(name)
        self.meetings.clear()


class Bed:
    """A network with a DHT. Use it in a scope of its own: `close` ends everything."""

    def __init__(self, scope: Scope, seed: int = 1, network: Network | None = None) -> None:
        self.network = network if network is not None else Network()
        self.board = Board()
        self.scope = scope
        self.seed = seed
        self.devices: list[Device] = []
        self.errors: list[Exception] = []

    async def device(
        self, number: int, behind: NatKind | None = None, *, clock_off: float = 0.0, dht: bool = True,
        relays: Callable[[], tuple[Endpoint, ...]] = tuple, host: Host | None = None, link: str = "",
    ) -> Device:
        """`link`: the device is one side of a link, the `inviter` or the `joiner`, and not yet a member."""
        if host is None:
            host = self.network.home(behind) if behind is not None else self.network.host()
        loop = self.network.loop
        datagrams = MemoryDatagrams(host)
        datagrams.open([Endpoint("0.0.0.0", PORT)])
        rng = Random(hashlib.sha256(f"{self.seed} {number}".encode()).digest())
        utp = UtpTransport(datagrams, rng=rng)
        words = Words(self.board, host)
        settings = Settings()

        def places() -> tuple[Endpoint, ...]:
            if host.nat is None:
                return (Endpoint(host.address, PORT),)
            seen = {words.seen_by(node) for node in NODES}
            return (Endpoint(host.nat.address, seen.pop() if len(seen) == 1 else PORT), Endpoint(host.address, PORT))

        roads = DeviceRoads(
            Roads({"tcp": host.transport, "utp": utp}, lambda: settings, rng), utp=utp, tcp=host.transport,
            refuses=lambda endpoint: False, places=places)
        key = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        name = DeviceId(hashlib.sha256(b"%d" % number).digest()[:16])
        public = key.public_key().public_bytes_raw()
        owner = _Owner()
        beacon = sought.of_member(public, key.sign, [SECRET], name)
        if link:
            beacon = (sought.of_inviter if link == "inviter" else sought.of_joiner)(public, key.sign, TOKEN)
        finder = Finder(
            self.scope, owner, roads, words if dht else None, beacon,
            clock=loop.time, wall=lambda: WALL + clock_off + loop.time(), rng=seeded(rng.getrandbits(64)),
            chance=rng.randbytes, relays=relays, report=self.errors.append)
        device = Device(name, host, finder, roads, utp, key)
        owner.device = device

        def accepted(connection: Connection) -> None:
            self.scope.spawn("accept", _accept(device, connection), contain=self.errors.append)

        await utp.listen(Endpoint("0.0.0.0", 0), accepted)
        await host.transport.listen(Endpoint("0.0.0.0", PORT), accepted)
        self.devices.append(device)
        return device

    def introduce(self, one: Device, other: Device, *known: Endpoint) -> None:
        """`one` looks for `other`, of which it knows these endpoints."""
        one.finder.seek(sought.member([SECRET], one.name, other.name, other.public), known)

    async def until_met(self, *devices: Device, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                for device in devices:
                    while not device.meetings:
                        device.changed.clear()
                        await device.changed.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        for device in self.devices:
            await device.finder.close()
            for connection in device.open:
                connection.close()
            device.utp.close()
        if self.errors:
            raise ExceptionGroup("met on the way", self.errors)


class _Owner:
    """Shakes hands on what the finder found."""

    device: Device

    async def take(self, found: Found) -> bool:
        device = self.device
        if found.endpoint is not None:
            device.dialled.append(found.endpoint)
        theirs = await _greet(device, found.connection)
        if theirs == device.name or (found.name not in (None, LINK, theirs)):
            found.connection.close()
            raise RemoteError("somebody else")
        device.met(theirs, found.connection)
        if found.name in (None, LINK):
            device.finder.met(theirs, found.endpoint)
        return True


async def _greet(device: Device, connection: Connection) -> bytes:
    greeter = _Greeter(device.name)
    greeter.begin(connection)
    try:
        async with asyncio.timeout(10):
            return await greeter.theirs
    except BaseException:
        connection.close()
        raise


async def _accept(device: Device, connection: Connection) -> None:
    try:
        theirs = await _greet(device, connection)
    except (NetworkError, TimeoutError):
        return
    device.met(theirs, connection)
    device.finder.met(theirs)
    device.finder.met(LINK)
