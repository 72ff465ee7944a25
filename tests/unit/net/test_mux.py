"""Channels between two devices: over real TCP, over a simulated network that fails, and with who keeps no rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wildbach.base import limits
from wildbach.base.errors import LimitError, NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.mux import Channel, Mux
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Transport
from wildbach.protocol import mux as wire
from wildbach.testing.loop import sim, simloop
from wildbach.testing.meeting import NoiseTransport
from wildbach.testing.network import Network
from wildbach.testing.streams import MemoryConnection
from wildbach.testing.wire import Wire


class Owner:
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.wanted: Callable[[Channel, bytes], bool] = lambda channel, request: True
        self.channels: dict[bytes, Channel] = {}
        self.ends: list[Exception | None] = []
        self.drains = 0
        self.heard: Callable[[bytes], None] = self.messages.append

    def message(self, payload: bytes) -> None:
        self.heard(payload)

    def opened(self, channel: Channel, request: bytes) -> bool:
        if not self.wanted(channel, request):
            return False
        self.channels[request] = channel
        return True

    def drained(self) -> None:
        self.drains += 1

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)


class Pair:
    """Two devices with a mux each, `one` has called."""

    def __init__(self, one: Mux, other: Mux, owner: Owner, others: Owner, transports: list[NoiseTransport]) -> None:
        self.one, self.other = one, other
        self.owner, self.others = owner, others
        self._transports = transports

    async def channel(self, request: bytes) -> tuple[Channel, Channel]:
        near = self.one.open(request)
        await until(lambda: request in self.others.channels)
        return near, self.others.channels[request]

    async def close(self) -> None:
        self.one.close()
        self.other.close()
        for transport in self._transports:
            await transport.close()
        await asyncio.sleep(0.01)


async def join(near: Transport, far: Transport, at: Endpoint) -> Pair:
    transports = [NoiseTransport(near, Random(1)), NoiseTransport(far, Random(2))]
    found = asyncio.get_running_loop().create_future()
    listener = await transports[1].listen_for(at, found.set_result)
    met = await transports[0].meet(listener.endpoint)
    back = await found
    listener.close()
    owner, others = Owner(), Owner()
    return Pair(Mux(met.connection, True, owner), Mux(back.connection, False, others), owner, others, transports)


async def until(ready: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():
            await asyncio.sleep(0.01)


def simulated(network: Network, **links: float) -> tuple[Transport, Transport, Endpoint]:
    one, other = network.host(**links), network.host(**links)
    return one.transport, other.transport, Endpoint(other.address, 0)


async def exchange(pair: Pair, sizes: list[int]) -> None:
    """Fill a channel for each size in both directions at once, and messages meanwhile; all must come whole."""
    channels = [await pair.channel(b"%d" % number) for number in range(len(sizes))]
    data = [Random(number).randbytes(size) for number, size in enumerate(sizes)]
    wires = [(Wire(near, 32 << 20), Wire(far, 32 << 20)) for near, far in channels]
    for (near, far), part in zip(wires, data, strict=True):
        for at in range(0, len(part), 70_001):
            near.write(part[at : at + 70_001])
            far.write(part[at : at + 70_001])
    for number in range(100):
        pair.one.send(b"there %d" % number)
        pair.other.send(b"back %d" % number)
    for (near, far), part in zip(wires, data, strict=True):
        assert await far.read(len(part)) == part
        assert await near.read(len(part)) == part
    await until(lambda: len(pair.owner.messages) == len(pair.others.messages) == 100)
    assert pair.others.messages == [b"there %d" % number for number in range(100)]
    assert pair.owner.messages == [b"back %d" % number for number in range(100)]
    for near, far in wires:
        near.close()
        await far.wait_closed()
        assert isinstance(far.error, NetworkError)
    await until(lambda: not pair.one.channels and not pair.other.channels)


def test_many_channels_over_tcp() -> None:
    async def main() -> None:
        tcp = TcpTransport()
        pair = await join(tcp, tcp, Endpoint("127.0.0.1", 0))
        await exchange(pair, [5_000_000, 1, 300_000, 70_000, 2_000_000])
        await pair.close()
        assert len(pair.owner.ends) == len(pair.others.ends) == 1

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_a_way_that_is_cut_for_a_while_loses_nothing(seed: int) -> None:
    async def main() -> None:
        network = Network()
        one, other = network.host(up=2e6, down=3e6), network.host(up=2e6, down=3e6)
        pair = await join(one.transport, other.transport, Endpoint(other.address, 0))
        loop = simloop()
        for number in range(5):
            loop.call_later(0.3 + number, network.cut, one, other)
            loop.call_later(0.7 + number, network.heal, one, other)
        await exchange(pair, [1_500_000, 20, 300_000])
        await pair.close()

    sim(seed, until=600).run(main())


def test_a_reset_ends_everything_once_and_frees_all_buffers() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network, up=1e6, down=1e6))
        near, far = await pair.channel(b"one")
        waiting = pair.one.open(b"never answered")
        sinks = [Wire(channel) for channel in (near, far, waiting)]
        freed: list[int] = []
        for number in range(40):
            near.send(bytearray(200_000), lambda number=number: freed.append(number))  # type: ignore[misc]  # bound early
        await asyncio.sleep(1.0)
        network.reset(network.connections[0])
        await asyncio.sleep(1.0)
        assert freed == list(range(40))
        assert [sink.ended for sink in sinks] == [True, True, True]
        assert all(isinstance(sink.error, NetworkError) for sink in sinks)
        assert len(pair.owner.ends) == len(pair.others.ends) == 1
        assert pair.one.closing
        pair.one.send(b"nothing happens")
        with pytest.raises(NetworkError):
            pair.one.open()
        await pair.close()
        assert len(pair.owner.ends) == len(pair.others.ends) == 1

    sim(1, until=600).run(main())


def test_an_idle_connection_lives_and_a_dead_one_is_noticed() -> None:
    async def main() -> None:
        network = Network()
        one, other = network.host(), network.host()
        pair = await join(one.transport, other.transport, Endpoint(other.address, 0))
        await asyncio.sleep(3600)
        assert not pair.one.closing and not pair.other.closing
        pair.one.send(b"still there")
        await until(lambda: pair.others.messages == [b"still there"])
        began = simloop().time()
        network.cut(one, other)
        await until(lambda: bool(pair.owner.ends and pair.others.ends), 1000)
        assert limits.MUX_SILENT_SECONDS - 61 < simloop().time() - began < limits.MUX_SILENT_SECONDS + 20
        assert "silent" in str(pair.owner.ends[0])
        await pair.close()

    sim(2, until=6000).run(main())


def test_who_never_reads_is_dropped() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        near, _ = await pair.channel(b"one")
        Wire(near).write(bytes(4 << 20))
        # It goes on sending, and reads nothing.
        pair.other.connection.pause()
        while not pair.owner.ends:
            pair.other.send(b"I am here")
            await asyncio.sleep(5.0)
        assert "does not read" in str(pair.owner.ends[0])
        assert limits.MUX_SILENT_SECONDS <= simloop().time() < limits.MUX_SILENT_SECONDS + 60
        await pair.close()

    sim(3, until=6000).run(main())


def test_messages_that_nobody_takes_are_bounded() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        pair.other.hold()
        sent = 0
        while not pair.owner.ends:
            pair.one.send(bytes(500_000))
            sent += 500_000
            await asyncio.sleep(0.1)
        assert limits.MUX_QUEUE_BYTES < sent < limits.MUX_QUEUE_BYTES + 2 * limits.MUX_CONTROL_BYTES
        assert not pair.others.messages
        await pair.close()

    sim(4, until=600).run(main())


def test_messages_are_held_while_channels_go_on() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        sent = [bytes([number]) * 400_000 for number in range(15)]

        def heard(payload: bytes) -> None:
            pair.others.messages.append(payload)
            pair.other.hold()

        pair.others.heard = heard
        for payload in sent:
            pair.one.send(payload)
        near, far = await pair.channel(b"beside it")
        Wire(near).write(b"on its way")
        assert await Wire(far).read(10) == b"on its way"
        await asyncio.sleep(1.0)
        assert pair.others.messages == sent[:1]
        assert pair.one.queued > 3_000_000
        for count in range(2, 16):
            pair.other.go_on()
            await until(lambda count=count: len(pair.others.messages) == count)  # type: ignore[misc]  # bound early
        assert pair.others.messages == sent
        await until(lambda: pair.owner.drains > 0 and pair.one.queued == 0)
        await pair.close()

    sim(5, until=600).run(main())


def test_a_channel_that_is_not_read_holds_up_itself_alone() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        near, far = await pair.channel(b"stuck")
        stuck = Wire(near)
        stuck.write(bytes(30 << 20))
        fine, other_end = await pair.channel(b"fine")
        data = Random(1).randbytes(10 << 20)
        Wire(fine).write(data)
        assert await Wire(other_end, 32 << 20).read(len(data)) == data
        assert len(far._held) == limits.MUX_WINDOW_BYTES
        assert near.queued == (30 << 20) - limits.MUX_WINDOW_BYTES
        reader = Wire(far, 64 << 20)
        assert await reader.read(30 << 20) == bytes(30 << 20)
        await stuck.drain(0)
        await pair.close()

    sim(6, until=600).run(main())


def test_a_message_overtakes_what_is_queued_on_channels() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network, up=1e6, down=1e6))
        for number in range(4):
            near, far = await pair.channel(b"%d" % number)
            Wire(near).write(bytes(4 << 20))
            Wire(far)
        await asyncio.sleep(2.0)
        began = simloop().time()
        pair.one.send(b"urgent")
        await until(lambda: bool(pair.others.messages))
        # What stands before it: a batch in our hands, and what the system below has taken already.
        assert simloop().time() - began < 0.5
        assert sum(channel.queued for channel in pair.one.channels) > 10 << 20
        await pair.close()

    sim(7, until=600).run(main())


def test_what_came_before_the_end_is_read_after_it() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        near, far = await pair.channel(b"paused")
        sender, reader = Wire(near), Wire(far)
        far.pause()
        sender.write(b"last words")
        await sender.drain(0)
        near.close()
        await asyncio.sleep(1.0)
        pair.one.close()
        await asyncio.sleep(1.0)
        assert len(pair.others.ends) == 1 and not reader.ended
        far.resume()
        assert await reader.read_all() == b"last words"
        await pair.close()

    sim(8, until=600).run(main())


def test_a_refused_channel_says_so() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        pair.others.wanted = lambda channel, request: request == b"good"
        bad = pair.one.open(b"bad")
        freed: list[int] = []
        bad.send(b"for nothing", lambda: freed.append(1))
        refused = Wire(bad)
        await refused.wait_closed()
        assert isinstance(refused.error, NetworkError) and refused.error.code == "refused"
        assert freed == [1]
        await pair.channel(b"good")
        assert [channel.number for channel in pair.one.channels] == [3]
        for _ in range(limits.MUX_CHANNELS - 1):
            pair.one.open(b"good")
        with pytest.raises(LimitError):
            pair.one.open(b"good")
        await pair.close()

    sim(9, until=600).run(main())


def test_an_owner_that_objects_to_a_message_ends_it() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))

        def heard(payload: bytes) -> None:
            raise RemoteError("not like this")

        pair.others.heard = heard
        pair.one.send(b"one")
        pair.one.send(b"another")
        await until(lambda: bool(pair.others.ends))
        assert str(pair.others.ends[0]) == "not like this"
        await pair.close()

    sim(10, until=600).run(main())


class Ear:
    """Hears a channel, and takes some of what comes at a time."""

    missing = 0

    def __init__(self, channel: Channel, rng: Random) -> None:
        self.channel = channel
        self.heard = bytearray()
        self.sent = bytearray()
        self.ends = 0
        self._rng = rng
        channel.start(self)

    def say(self, data: bytes) -> None:
        if not self.channel.closing:
            self.channel.send(data)
            self.sent += data

    def received(self, data: memoryview) -> int:
        used = len(data) if len(data) < 3000 or self._rng.random() < 0.6 else self._rng.randrange(len(data))
        self.heard += data[:used]
        return used

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.ends += 1


@pytest.mark.parametrize("seed", range(4))
def test_random_play_keeps_streams_whole_and_in_order(seed: int) -> None:
    async def main() -> None:
        network = Network()
        hosts = network.host(up=3e6, down=5e6), network.host(up=3e6, down=5e6)
        pair = await join(hosts[0].transport, hosts[1].transport, Endpoint(hosts[1].address, 0))
        rng = Random(seed)
        muxes = pair.one, pair.other
        owners = pair.owner, pair.others
        ears: dict[int, list[Ear | None]] = {}
        for side in (0, 1):
            def opened(channel: Channel, request: bytes, side: int = side) -> bool:
                if request == b"no":
                    return False
                ears[channel.number][side] = Ear(channel, rng)
                return True

            owners[side].wanted = opened
        said: tuple[list[bytes], list[bytes]] = ([], [])
        for step in range(250):
            side = rng.randrange(2)
            alive = [both for both in ears.values() if both[side] is not None]
            ear = rng.choice(alive)[side] if alive else None
            act = rng.randrange(10)
            if act < 2 and len(muxes[side].channels) < 12:
                channel = muxes[side].open(b"no" if rng.random() < 0.2 else b"yes")
                ears[channel.number] = [None, None]
                ears[channel.number][side] = Ear(channel, rng)
            elif act < 5 and ear is not None:
                ear.say(rng.randbytes(rng.randrange(1, 200_000)))
            elif act == 5 and ear is not None:
                rng.choice((ear.channel.pause, ear.channel.resume))()
            elif act == 6 and ear is not None and rng.random() < 0.3:
                ear.channel.close()
            elif act == 7:
                said[side].append(b"%d" % step + bytes(rng.randrange(30_000)))
                muxes[side].send(said[side][-1])
            elif act == 8:
                rng.choice((muxes[side].hold, muxes[side].go_on))()
            else:
                network.cut(*hosts) if rng.random() < 0.3 else network.heal(*hosts)
                await asyncio.sleep(rng.random())
        network.heal(*hosts)
        for side in (0, 1):
            muxes[side].go_on()
        for both in ears.values():
            for one in both:
                if one is not None:
                    one.channel.resume()
        await asyncio.sleep(60.0)
        # What is left of a sink's bytes comes again with what follows.
        for both in ears.values():
            for one in both:
                if one is not None:
                    one.say(b"the end")
        await asyncio.sleep(30.0)
        assert (owners[1].messages, owners[0].messages) == said
        whole = 0
        for one, other in ears.values():
            for sender, receiver in ((one, other), (other, one)):
                if sender is None or receiver is None:
                    continue
                assert sender.sent.startswith(receiver.heard)
                if not sender.channel.closing and not receiver.channel.closing:
                    left = len(sender.sent) - len(receiver.heard)
                    assert left == len(receiver.channel._rest)
                    whole += 1
        assert whole > 5
        await pair.close()
        assert all(one is None or one.ends == 1 for both in ears.values() for one in both)
        assert pair.owner.ends == [None] and len(pair.others.ends) == 1

    sim(seed, until=2000).run(main())


def test_a_bug_in_an_owner_ends_the_connection_and_is_not_hidden() -> None:
    async def main() -> list[str]:
        network = Network()
        pair = await join(*simulated(network))
        near, far = await pair.channel(b"one")

        class Broken(Wire):
            def received(self, data: memoryview) -> int:
                raise KeyError("planted")

        Broken(far)
        Wire(near).write(b"x")
        await until(lambda: bool(pair.others.ends and pair.owner.ends))
        await pair.close()
        return simloop().errors

    errors = sim(14, until=600, strict=False).run(main())
    assert any("planted" in error for error in errors)


@pytest.mark.parametrize("said", [
    b"garbage",
    bytes(100_000),
    wire._HEAD.pack(0, wire.DATA << 24 | 5) + b"\0\0\0\0x",
    wire._HEAD.pack(2, wire.OPEN << 24 | 4) + bytes(4),
    wire._HEAD.pack(77, wire.DATA << 24 | 1) + b"x",
])
def test_whoever_says_something_else_is_dropped(said: bytes) -> None:
    async def main() -> None:
        network = Network()
        one, other = network.host(), network.host()
        transport, hostile = NoiseTransport(one.transport, Random(1)), NoiseTransport(other.transport, Random(2))
        accepted: asyncio.Future[Wire] = simloop().create_future()
        listener = await hostile.listen(Endpoint(other.address, 0), lambda near: accepted.set_result(Wire(near)))
        met = await transport.meet(listener.endpoint)
        owner = Owner()
        mux = Mux(met.connection, True, owner)
        attacker = await accepted
        attacker.write(said + bytes(20))
        await until(lambda: bool(owner.ends))
        assert isinstance(owner.ends[0], RemoteError) and not owner.messages
        mux.close()
        attacker.close()
        listener.close()
        await transport.close()
        await hostile.close()

    sim(11, until=600).run(main())


def test_a_changed_byte_on_the_way_ends_it_and_nothing_false_is_read() -> None:
    async def main() -> None:
        network = Network()
        pair = await join(*simulated(network))
        near, far = await pair.channel(b"one")
        reader = Wire(far)
        Wire(near).write(bytes(300_000))
        await reader.read(300_000)
        # A byte from somebody who has got into the stream below.
        raw = next(end for end in network.connections if isinstance(end, MemoryConnection))
        raw.send(b"\x00\x30" + bytes(48))
        near.send(bytes(100))
        await until(lambda: bool(pair.others.ends))
        assert isinstance(pair.others.ends[0], RemoteError) and pair.others.ends[0].code == "noise"
        assert await reader.read_all() == b""
        await pair.close()

    sim(12, until=600).run(main())


def test_keys_of_both_devices_are_those_of_their_transports() -> None:
    async def main() -> None:
        network = Network()
        one, other = network.host(), network.host()
        near, far = NoiseTransport(one.transport, Random(1)), NoiseTransport(other.transport, Random(2))
        found = asyncio.get_running_loop().create_future()
        listener = await far.listen_for(Endpoint(other.address, 0), found.set_result)
        met, back = await near.meet(listener.endpoint), await found

        def public(key: X25519PrivateKey) -> bytes:
            return key.public_key().public_bytes_raw()

        assert met.opened.device == public(far.static) and back.opened.device == public(near.callers)
        assert met.opened.initiator and not back.opened.initiator
        for one_end in (met, back):
            one_end.connection.close()
        listener.close()
        await near.close()
        await far.close()

    sim(13, until=600).run(main())
