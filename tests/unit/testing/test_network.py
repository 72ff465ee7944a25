import asyncio

import pytest
from tests import pace

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import MemoryDatagrams, Network
from wildbach.testing.wire import Wire


class Meter:
    """A sink that counts and notes when the last byte came."""

    missing = 0

    def __init__(self):
        self.count = 0
        self.first = self.last = 0.0
        self.error = None
        self.ended = False

    def received(self, data):
        self.first = self.first or simloop().time()
        self.last = simloop().time()
        self.count += len(data)
        return len(data)

    def drained(self):
        pass

    def closed(self, error):
        self.ended, self.error = True, error


async def stream(near, far, port=1):
    accepted = simloop().create_future()
    listener = await far.transport.listen(Endpoint(far.address, port), accepted.set_result)
    connection = await near.transport.dial(listener.endpoint)
    other = await accepted
    listener.close()
    return connection, other


async def transfer(near, far, size, port=1):
    """Seconds from the first byte sent to the last received."""
    out, back = await stream(near, far, port)
    meter = Meter()
    back.start(meter)
    out.start(Meter())
    start = simloop().time()
    out.send(bytes(size))
    await asyncio.sleep(1000)
    assert meter.count == size
    return meter.last - start


@pytest.mark.parametrize("slow", [{"up": 1_000_000}, {"down": 1_000_000}])
def test_a_long_transfer_fills_the_slowest_link(slow):
    async def main():
        network = Network(latency=0.05)
        near = network.host(up=slow.get("up", 0))
        far = network.host(down=slow.get("down", 20_000_000))
        return await transfer(near, far, 20_000_000)

    assert 20 < sim().run(main()) < 20 * 1.05


def test_a_short_transfer_waits_for_slow_start():
    async def main():
        network = Network(latency=0.1)
        return await transfer(network.host(up=100e6), network.host(down=100e6), 200_000)

    # 14.6 KB, 29 KB, 58 KB, 117 KB: three round trips of 0.2 s until the fourth flight leaves, and 0.1 s to arrive.
    assert sim().run(main()) == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("streams", [3, 20])
@pytest.mark.parametrize("bottleneck", ["up", "down"])
def test_streams_share_a_bottleneck_fairly(bottleneck, streams):
    async def main():
        network = Network(latency=0.02)
        hub = network.host(**{bottleneck: 2e6})
        meters = []
        for number in range(streams):
            other = network.host(latency=0.005 * (number % 4 + 1))
            near, far = (hub, other) if bottleneck == "up" else (other, hub)
            out, back = await stream(near, far, number + 1)
            meters.append(Meter())
            back.start(meters[-1])
            out.start(Meter())
            out.send(bytes(100_000_000))
        await asyncio.sleep(5)
        before = [meter.count for meter in meters]
        await asyncio.sleep(60)
        for connection in network.connections:
            connection.close()
        await asyncio.sleep(5)
        return [meter.count - count for meter, count in zip(meters, before, strict=True)]

    counts = sim().run(main())
    assert sum(counts) == pytest.approx(120e6, rel=0.05)
    assert max(counts) < 1.4 * min(counts)


def test_a_small_message_does_not_wait_behind_long_streams():
    async def main():
        network = Network(latency=0.01)
        hub = network.host(up=1e6)
        for number in range(10):
            out, back = await stream(hub, network.host(), number + 1)
            out.start(Meter())
            back.start(Meter())
            out.send(bytes(50_000_000))
        out, back = await stream(hub, network.host(), 99)
        wire = Wire(back)
        await asyncio.sleep(5)
        start = simloop().time()
        out.send(b"have!")
        await wire.read(5)
        took = simloop().time() - start
        for connection in network.connections:
            connection.close()
        return took

    assert sim().run(main()) < 0.05


def test_dialling_what_does_not_answer_fails_in_its_own_way():
    async def main():
        network = Network(latency=0.05, dial_timeout=20)
        one, two = network.host(), network.host()
        at = Endpoint(two.address, 80)
        with pytest.raises(NetworkError, match="no route"):
            await one.transport.dial(Endpoint("9.9.9.9", 80))
        with pytest.raises(NetworkError, match="refused"):
            await one.transport.dial(at)
        with pytest.raises(NetworkError, match="unreachable"):
            await one.transport.dial(Endpoint("2001:db8::1", 80))
        two.inbound = "drop"
        start = simloop().time()
        with pytest.raises(NetworkError, match="timed out"):
            await one.transport.dial(at)
        assert simloop().time() - start == pytest.approx(20, abs=0.1)

    sim().run(main())


def test_a_cut_holds_the_bytes_until_it_heals():
    async def main():
        network = Network()
        one, two = network.host(up=1e6), network.host()
        out, back = await stream(one, two)
        meter = Meter()
        out.start(Meter())
        back.start(meter)
        out.send(bytes(5_000_000))
        await asyncio.sleep(1)
        network.cut(one, two)
        await asyncio.sleep(1)
        held = meter.count
        assert 0 < held < 5_000_000
        await asyncio.sleep(100)
        assert meter.count == held
        out.close()
        network.heal(one, two)
        await asyncio.sleep(100)
        # What the sending system had taken is still delivered after its owner closed.
        assert held < meter.count <= held + network.send_buffer + network.window
        assert str(meter.error) == "the peer closed the connection"

    sim().run(main())


def test_a_crashed_host_says_nothing():
    async def main():
        network = Network()
        one, two = network.host(), network.host()
        out, back = await stream(one, two)
        meter, gone = Meter(), Meter()
        out.start(meter)
        back.start(gone)
        two.crash()
        out.send(bytes(5_000_000))
        await asyncio.sleep(100)
        assert gone.ended
        assert not meter.ended
        assert out.queued > 0
        out.close()

    sim().run(main())


def test_a_broken_stream_ends_on_both_sides():
    async def main():
        network = Network()
        out, back = await stream(network.host(), network.host())
        meters = [Meter(), Meter()]
        out.start(meters[0])
        back.start(meters[1])
        network.reset(out)
        await asyncio.sleep(1)
        assert [str(meter.error) for meter in meters] == ["connection reset by peer"] * 2
        assert network.connections == ()

    sim().run(main())


def test_datagrams_get_lost_doubled_and_late():
    async def main():
        network = Network(loss=0.2, duplicate=0.1, jitter=0.1)
        one, two = MemoryDatagrams(network.host("2.2.2.1")), MemoryDatagrams(network.host("2.2.2.2"))
        got = []
        two.attach(lambda source, data: got.append((source, data)) is None)
        one.open([Endpoint("0.0.0.0", 0)])
        two.open([Endpoint("2.2.2.2", 53)])
        for number in range(1000):
            assert one.send(Endpoint("2.2.2.2", 53), b"%d" % number)
        assert not one.send(Endpoint("2001:db8::1", 53), b"no way")
        await asyncio.sleep(1)
        two.close()
        one.send(Endpoint("2.2.2.2", 53), b"nobody is here")
        await asyncio.sleep(1)
        assert two.received == len(got)
        return got, one.endpoints[0].port

    got, port = sim(1).run(main())
    numbers = [int(data) for _, data in got]
    assert {source for source, _ in got} == {Endpoint("2.2.2.1", port)}
    assert 750 < len(set(numbers)) < 850
    assert len(numbers) > len(set(numbers))
    assert numbers != sorted(numbers)


def test_thirty_hosts_move_a_gigabyte_in_seconds():
    async def main():
        network = Network()
        rng = simloop().rng
        hosts = [network.host(up=rng.randrange(1, 5) * 1_000_000, down=8e6) for _ in range(30)]
        meters = []
        for near in hosts:
            for far in rng.sample(hosts, 5):
                if near is far:
                    continue
                out, back = await stream(near, far, len(meters) + 1)
                meters.append(Meter())
                back.start(meters[-1])
                out.start(Meter())
                for _ in range(500):
                    out.send(bytes(16397))
        await asyncio.sleep(100)
        return sum(meter.count for meter in meters)

    def play() -> None:
        assert sim().run(main()) > 1e9

    pace.takes_at_most(15, play)
