"""Local discovery with sockets that only remember."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import pytest

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.lan import LocalDiscovery
from wildbach.protocol import lan
from wildbach.protocol.sync.tags import keyed_tag, tag_key
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.neighbours import Neighbours
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


# -- folders


class Air:
    """A network that all who speak on it hear."""

    def __init__(self) -> None:
        self.found: list[tuple[str, LocalDiscovery]] = []
        self.packets: list[bytes] = []

    def join(self, host: str, port: int, clock: Callable[[], float]) -> tuple[LocalDiscovery, Neighbours]:
        found = LocalDiscovery(lambda key: None, lambda swarm: None, lambda family: port, clock, Random(1))
        neighbours = Neighbours(clock)
        found.use(_Speaker(self, host))
        found.use_folders(neighbours)
        self.found.append((host, found))
        return found, neighbours


class _Speaker(Sockets):
    families = (4,)

    def __init__(self, air: Air, host: str) -> None:
        super().__init__()
        self.air = air
        self.host = host

    def send(self, family: int, data: bytes) -> int:
        self.air.packets.append(data)
        for _, found in self.air.found:
            found.receive(self.host, data)  # ourselves too, as multicast does
        return 1


SECRETS = [bytes([number]) * 32 for number in range(40)]


def test_devices_of_a_folder_know_each_others_packets_and_others_do_not() -> None:
    air = Air()
    heard: list[tuple[str, Endpoint]] = []
    one, mine = air.join("192.168.1.2", 6881, lambda: 5.0)
    _, theirs = air.join("192.168.1.3", 7000, lambda: 5.0)
    _, stranger = air.join("192.168.1.4", 7001, lambda: 5.0)
    mine.add("a", SECRETS[:1], lambda at: heard.append(("mine", at)))
    # The other side has taken on another epoch, and still looks for who is on the old one.
    theirs.add("b", [SECRETS[1], SECRETS[0]], lambda at: heard.append(("theirs", at)))
    stranger.add("a", SECRETS[2:4], lambda at: heard.append(("stranger", at)))
    one.announce_folder("a")
    one.send(6.5)
    assert heard == [("theirs", Endpoint("192.168.1.2", 6881))]
    one.forget_folder("a")
    one.send(1000.0)
    assert len(air.packets) == 1


def test_nothing_recurs_from_packet_to_packet() -> None:
    """Beside the words of BEP 14 and the port, which every client says."""
    air = Air()
    now = [0.0]
    one, mine = air.join("192.168.1.2", 6881, lambda: now[0])
    for number in range(3):
        mine.add(f"folder {number}", SECRETS[number : number + 1], lambda at: None)
        one.announce_folder(f"folder {number}")
    for _ in range(6):
        now[0] += 310.0
        one.send(now[0])
    announces = [lan.decode(packet) for packet in air.packets]
    assert len(announces) == 6 and {len(announce.hashes) for announce in announces} == {4}
    pieces = [
        part[at : at + 5] for announce in announces
        for part in (bytes.fromhex(announce.cookie), *announce.hashes) for at in range(len(part) - 4)
    ]
    assert len(set(pieces)) == len(pieces)


def test_folders_and_torrents_share_the_budget_and_no_packet() -> None:
    now = [0.0]
    torrents = [Torrent(f"t{number}", bytes([number]) * 20) for number in range(40)]
    bed = Bed(*torrents)
    bed.sockets.families = (4,)
    folders = Neighbours(lambda: now[0])
    bed.found.use_folders(folders)
    for number in range(40):
        bed.found.announce(f"t{number}")
        folders.add(f"f{number}", SECRETS[number : number + 1], lambda at: None)
        bed.found.announce_folder(f"f{number}")
    for _ in range(3600):
        now[0] += 1.0
        bed.now = now[0]
        bed.found.send(now[0])
    assert len(bed.sockets.sent) <= 60 + 5
    known = {torrent.announced_nearby[0] for torrent in torrents}
    for _, announce in bed.sockets.sent:
        assert not known & set(announce.hashes) or known >= set(announce.hashes)
    cookies = [announce.cookie for _, announce in bed.sockets.sent if not known & set(announce.hashes)]
    assert len(cookies) > 10 and len(set(cookies)) == len(cookies)


def test_a_full_packet_of_tags_fits() -> None:
    bed = Bed()
    folders = Neighbours(lambda: 0.0)
    bed.found.use_folders(folders)
    folders.add("all", SECRETS[: lan.FITTING], lambda at: None)
    bed.found.announce_folder("all")
    bed.found.send(2.0)
    assert len(bed.sockets.sent[0][1].hashes) == 24


def test_repeated_packets_lead_to_few_calls() -> None:
    now = [0.0]
    heard: list[Endpoint] = []
    folders = Neighbours(lambda: now[0])
    folders.add("a", SECRETS[:1], heard.append)
    tags = folders.tags("a", b"0123456789abcdef")
    for number in range(1000):
        assert folders.heard(b"0123456789abcdef", tags, Endpoint("192.168.1.9", 1024 + number))
    assert len(heard) == 4 and folders.dropped == 996
    now[0] = 61.0
    assert folders.heard(b"0123456789abcdef", tags, Endpoint("192.168.1.9", 1)) and len(heard) == 4
    assert not folders.heard(b"another cookie!!", tags, Endpoint("192.168.1.9", 1))
    folders.remove("a")
    assert not folders.heard(b"0123456789abcdef", tags, Endpoint("192.168.1.9", 1))
    with pytest.raises(UsageError):
        folders.add("b", [bytes(32)] * (limits.SYNC_TAGS + 1), heard.append)


def test_a_cookie_that_is_too_short_for_tags_is_passed_over() -> None:
    heard: list[Endpoint] = []
    bed = Bed()
    folders = Neighbours(lambda: 0.0)
    folders.add("a", SECRETS[:1], heard.append)
    bed.found.use_folders(folders)
    for cookie in ("", "short", "0123456789abcdef", "ü" * 16):
        announce = lan.LanAnnounce(7000, (keyed_tag(tag_key(SECRETS[0]), cookie.encode()),))
        data = lan.encode(announce, 4)
        bed.found.receive("192.168.1.9", data[:-4] + b"cookie: " + cookie.encode() + b"\r\n\r\n\r\n")
    assert heard == [Endpoint("192.168.1.9", 7000)]
