"""uTP on a link of a home, in virtual time: how much of it is used, how long packets wait, and what is left to TCP."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable

import pytest

from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection
from wildbach.net.utp import UtpTransport
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Host, Link, MemoryDatagrams, Network

pytestmark = pytest.mark.goal

MSS = 1400


class Source:
    """Keeps a connection busy for ever."""

    missing = 0

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        self._connection.start(self)
        self.drained()

    def drained(self) -> None:
        for _ in range(4):
            self._connection.send(bytes(1 << 18))

    def received(self, data: memoryview) -> int:
        return len(data)

    def closed(self, error: Exception | None) -> None:
        pass


class Counter:
    missing = 0

    def __init__(self) -> None:
        self.got = 0

    def received(self, data: memoryview) -> int:
        self.got += len(data)
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        pass


class Tcp:
    """TCP as far as it matters to a queue: slow start, a packet more each round trip, half of it after a loss (Reno),
    every packet acknowledged. Over the same datagrams, told from uTP by its first byte.
    """

    def __init__(self, datagrams: MemoryDatagrams, to: Endpoint) -> None:
        self._datagrams = datagrams
        self._to = to
        self._window = 10.0
        self._limit = float("inf")
        self._next = 0
        self._acked = -1
        self._lost: dict[int, None] = {}
        self._open: dict[int, float] = {}
        self._recover = -1
        self.delivered = 0
        datagrams.attach(self._received)

    def begin(self) -> None:
        self._send()
        simloop().call_later(0.1, self._check)

    def _send(self) -> None:
        while len(self._open) < int(self._window):
            if self._lost:
                number = next(iter(self._lost))
                del self._lost[number]
            else:
                number, self._next = self._next, self._next + 1
            self._open[number] = simloop().time()
            self._datagrams.send(self._to, b"\xee" + number.to_bytes(8, "big") + bytes(MSS - 9))

    def _received(self, remote: Endpoint, data: bytes) -> bool:
        if data[:1] != b"\xef":
            return False
        number = int.from_bytes(data[1:9], "big")
        if self._open.pop(number, None) is not None:
            self.delivered += MSS
            self._window += 1.0 if self._window < self._limit else 1.0 / self._window
        # Three later ones have come: what is open before them is lost.
        gone = [one for one in self._open if one < number - 3]
        if gone:
            for one in gone:
                del self._open[one]
                self._lost[one] = None
            if number > self._recover:
                self._limit = self._window = max(2.0, self._window / 2)
                self._recover = self._next
        self._send()
        return True

    def _check(self) -> None:
        """Everything was lost, or the tail was."""
        now = simloop().time()
        late = [number for number, at in self._open.items() if now - at > 1.0]
        if late:
            for number in late:
                del self._open[number]
                self._lost[number] = None
            self._limit, self._window = max(2.0, self._window / 2), 2.0
            self._send()
        simloop().call_later(0.1, self._check)


def acknowledger(datagrams: MemoryDatagrams) -> Callable[[Endpoint, bytes], bool]:
    def received(remote: Endpoint, data: bytes) -> bool:
        if data[:1] != b"\xee":
            return False
        datagrams.send(remote, b"\xef" + data[1:9])
        return True

    return received


async def connected(network: Network, link: Link) -> tuple[Host, MemoryDatagrams, Host, MemoryDatagrams]:
    near, far = network.host(latency=0.02), network.host(latency=0.02)
    near.link = link
    sides = []
    for host in (near, far):
        datagrams = MemoryDatagrams(host)
        datagrams.open([Endpoint(host.address, 6881)])
        sides.append(datagrams)
    sides[1].attach(acknowledger(sides[1]))
    return near, sides[0], far, sides[1]


async def stream(near: MemoryDatagrams, far: MemoryDatagrams, to: Endpoint) -> tuple[Source, Counter]:
    sink = Counter()
    await UtpTransport(far).listen(Endpoint(to.host, 0), lambda connection: connection.start(sink))
    return Source(await UtpTransport(near).dial(to)), sink


@pytest.mark.parametrize("rate", [125_000.0, 1_250_000.0, 5_000_000.0])
def test_alone_it_fills_the_link_and_keeps_the_queue_short(rate: float, capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> tuple[float, float, float]:
        network = Network()
        link = Link(rate, 1.0)
        _, near, there, far = await connected(network, link)
        source, _ = await stream(near, far, Endpoint(there.address, 6881))
        source.begin()
        await asyncio.sleep(20)
        before, began = link.carried, simloop().time()
        await asyncio.sleep(40)
        used = (link.carried - before) / rate / 40
        waits = sorted(wait for at, wait in link.waits if at >= began)
        return used, statistics.median(waits), waits[int(0.99 * len(waits))]

    ran = sim(1, until=120, strict=False)
    used, median, most = ran.run(main())
    with capsys.disabled():
        print(
            f"\nG7: uTP alone on {rate * 8 / 1e6:g} Mbit/s, 40 ms: {used:.1%} of the link, the queue "
            f"{median * 1000:.0f} ms in the middle, 99 % below {most * 1000:.0f} ms"
        )
    assert used >= 0.95 and most <= 0.125


@pytest.mark.parametrize(("queue", "least"), [(0.6, 0.95), (0.3, 0.90)])
def test_beside_tcp_it_gives_way(queue: float, least: float, capsys: pytest.CaptureFixture[str]) -> None:
    """In a queue that a single TCP empties after each loss, uTP takes what is free then (alone TCP has 98.8 %)."""
    rate = 1_250_000.0

    async def main() -> tuple[float, float]:
        network = Network()
        link = Link(rate, queue)
        _, near, there, far = await connected(network, link)
        to = Endpoint(there.address, 6881)
        source, sink = await stream(near, far, to)
        source.begin()
        await asyncio.sleep(10)
        tcp = Tcp(near, to)
        tcp.begin()
        await asyncio.sleep(30)
        sent, got = tcp.delivered, sink.got
        await asyncio.sleep(60)
        whole = rate * MSS / (MSS + Link.HEADERS) * 60
        return (tcp.delivered - sent) / whole, (sink.got - got) / whole

    tcp, utp = sim(1, until=200, strict=False).run(main())
    with capsys.disabled():
        print(f"\nG7: uTP beside one TCP (Reno) on {rate * 8 / 1e6:g} Mbit/s, a queue of {queue:g} s: TCP gets "
              f"{tcp:.1%} of the link, uTP {utp:.1%}")
    assert tcp >= least
