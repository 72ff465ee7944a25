"""Local discovery with sockets that only remember."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.lan import LocalDiscovery
from wildbach.protocol import lan
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim

HASH = bytes(range(20))


class Torrent:
    def __init__(self, key: str, *hashes: bytes) -> None:
        self.key = key
        self.announced_nearby = hashes
        self.peers: list[tuple[Endpoint, str]] = []

    def add_peers(self, endpoints: Sequence[Endpoint], source: str) -> None:
        self.peers += [(endpoint, source) for endpoint in endpoints]


class Sockets:
    families: tuple[int, ...] = (4, 6)
    places = ("eth0 192.168.1.2",)

    def __init__(self) -> None:
        self.sent: list[tuple[int, lan.LanAnnounce]] = []

    def near(self, host: str) -> bool:
        return host.startswith("192.168.")

    def refresh(self) -> bool:
        return False

    def send(self, family: int, data: bytes) -> int:
        self.sent.append((family, lan.decode(data)))
        return 1

    def close(self) -> None:
        pass


class Bed:
    def __init__(self, *torrents: Torrent) -> None:
        self.torrents = {torrent.key: torrent for torrent in torrents}
        self.now = 0.0
        self.sockets = Sockets()
        self.found = LocalDiscovery(
            self.torrents.get, self.by_swarm, lambda family: 6881 if family == 4 else 0, lambda: self.now, Random(1))
        self.found.use(self.sockets)

    def by_swarm(self, swarm: bytes) -> Torrent | None:
        return next((t for t in self.torrents.values() if swarm in t.announced_nearby), None)


def heard(port: int = 7000, swarm: bytes = HASH, cookie: str = "theirs") -> bytes:
    return lan.encode(lan.LanAnnounce(port, (swarm,), cookie), 4)


@pytest.fixture
def bed() -> Bed:
    return Bed(Torrent("a", HASH), Torrent("private"))


def test_torrents_are_announced_where_peers_can_call(bed: Bed) -> None:
    for key in bed.torrents:
        bed.found.heard(events.TorrentAdded(key, "title"))
    bed.now = 2.0
    bed.found.send(bed.now)
    ((family, announce),) = bed.sockets.sent  # no port by IPv6
    assert (family, announce.port, announce.hashes) == (4, 6881, (HASH,))
    # Our own comes back and is not heard.
    bed.found.receive("192.168.1.2", heard(6881, cookie=announce.cookie))
    assert bed.torrents["a"].peers == []


def test_neighbours_are_called_where_they_say_they_listen(bed: Bed) -> None:
    bed.found.receive("192.168.1.9", heard())
    assert bed.torrents["a"].peers == [(Endpoint("192.168.1.9", 7000), "lsd")]
    assert (bed.found.view().received, bed.found.view().found) == (1, 1)


@pytest.mark.parametrize(("host", "data"), [
    ("8.8.8.8", heard()), ("192.168.1.9", b"nonsense"), ("192.168.1.9", heard(swarm=bytes(20))),
])
def test_strangers_nonsense_and_other_torrents_are_passed_over(bed: Bed, host: str, data: bytes) -> None:
    bed.found.receive(host, data)
    assert bed.torrents["a"].peers == []


def test_what_is_removed_or_paused_is_not_announced(bed: Bed) -> None:
    bed.found.heard(events.TorrentAdded("a", ""))
    bed.found.heard(events.TorrentRemoved("a"))
    bed.found.heard(events.StateChanged("private", "paused", ""))
    bed.now = 5.0
    bed.found.send(bed.now)
    assert bed.sockets.sent == []


def test_the_loop_sends_what_is_due_and_sleeps_meanwhile() -> None:
    async def story() -> list[float]:
        loop = asyncio.get_running_loop()
        bed = Bed(Torrent("a", HASH))
        times: list[float] = []
        found = LocalDiscovery(bed.torrents.get, bed.by_swarm, lambda family: 1, loop.time, Random(1))
        sockets = Sockets()
        sockets.families = (4,)
        found.use(sockets)
        async with Scope("test") as scope:
            scope.spawn("run", found.run())
            start = loop.time()
            await asyncio.sleep(10)
            found.announce("a")
            for _ in range(3):
                before = len(sockets.sent)
                while len(sockets.sent) == before:
                    await asyncio.sleep(0.5)
                times.append(loop.time() - start)
        return times

    first, second, third = sim(1).run(story())
    assert 10.9 <= first <= 12 and 300 <= second - first <= 301 and 300 <= third - second <= 301
