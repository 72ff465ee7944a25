import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.ids import Endpoint
from wildbach.protocol import compact
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceRequest, Event, ScrapeStats, TrackerFailure
from wildbach.services.tracker.access import Access, Files
from wildbach.services.tracker.datagrams import UdpTracker
from wildbach.services.tracker.pace import Pace
from wildbach.services.tracker.proof import ConnectionIds, Rates
from wildbach.services.tracker.store import Store

PEER = Endpoint("10.0.0.1", 5000)
REQUEST = AnnounceRequest("udp://t:1/announce", b"h" * 20, b"-WB0100-abcdefghijkl", 6881, left=1)


class Tracker:
    def __init__(self, *, rate: int = 0, files: Files | None = None, torrents: int = 100) -> None:
        rng = random.Random(1)
        self.store = Store(rng, torrents=torrents)
        self.ids = ConnectionIds(b"k" * 32)
        self.rates = Rates(rate)
        self.udp = UdpTracker(self.store, self.ids, self.rates, Access(files), Pace(rng, interval=900, spread=0.0))

    def answer(self, remote: Endpoint, data: bytes, now: float) -> bytes | None:
        for part in (self.store, self.ids, self.rates):
            part.tick(now)
        return self.udp.answer(compact.pack_host(remote.host), data)


def tracker() -> Tracker:
    return Tracker()


def connect(t: Tracker, peer: Endpoint = PEER, now: float = 0.0) -> int:
    reply = t.answer(peer, udp.connect_request(1), now)
    assert reply is not None
    return udp.parse_connect_reply(reply)


def test_peers_find_each_other() -> None:
    t = tracker()
    t.answer(PEER, udp.announce_request(connect(t), 2, REQUEST), 0.0)
    other = Endpoint("10.0.0.2", 1)
    reply = t.answer(other, udp.announce_request(connect(t, other), 2, REQUEST), 0.0)
    assert reply is not None
    got = udp.parse_announce_reply(reply, 4)
    assert got.peers == (Endpoint("10.0.0.1", 6881),)
    assert (got.leeches, got.interval) == (2, 900.0)
    scrape = t.answer(other, udp.scrape_request(connect(t, other), 3, (b"h" * 20, b"?" * 20)), 0.0)
    assert scrape is not None
    assert udp.parse_scrape_reply(scrape, (b"h" * 20, b"?" * 20))[b"h" * 20] == ScrapeStats(0, 2, 0)


def test_ipv6_peers_are_told_to_ipv6_peers() -> None:
    t = tracker()
    one, two = Endpoint("fd00::1", 1), Endpoint("fd00::2", 1)
    t.answer(one, udp.announce_request(connect(t, one), 2, REQUEST), 0.0)
    reply = t.answer(two, udp.announce_request(connect(t, two), 2, REQUEST), 0.0)
    assert reply is not None
    assert udp.parse_announce_reply(reply, 6).peers == (Endpoint("fd00::1", 6881),)


def test_a_connection_id_is_good_for_its_address_and_two_minutes() -> None:
    t = tracker()
    connection = connect(t, now=59.0)
    for peer, now, good in (
        (PEER, 60.0, True), (Endpoint("10.0.0.1", 9), 60.0, True), (Endpoint("10.0.0.2", 5000), 60.0, False),
        (PEER, 119.9, True), (PEER, 120.0, False), (PEER, -1.0, False),
    ):
        reply = t.answer(peer, udp.announce_request(connection, 2, REQUEST), now)
        assert reply is not None
        head = udp.parse_head(reply)
        assert head is not None
        assert (head[0] == udp.Action.ANNOUNCE) is good, (peer, now)


def announce(t: Tracker, peer: Endpoint = PEER, request: AnnounceRequest = REQUEST) -> udp.AnnounceReply:
    reply = t.answer(peer, udp.announce_request(connect(t, peer), 2, request), 0.0)
    assert reply is not None
    return udp.parse_announce_reply(reply, 6 if ":" in peer.host else 4)


def test_a_connection_id_from_another_address_is_refused_even_where_it_is_remembered() -> None:
    t = tracker()
    announce(t)
    thief = Endpoint("10.0.0.2", 5000)
    announce(t, thief)
    reply = t.answer(thief, udp.announce_request(connect(t), 2, REQUEST), 0.0)
    assert reply is not None
    with pytest.raises(TrackerFailure, match="connection id"):
        udp.parse_announce_reply(reply, 4)
    assert t.udp.refused == 1


def test_the_address_in_the_datagram_is_ignored() -> None:
    t = tracker()
    data = bytearray(udp.announce_request(connect(t), 2, REQUEST))
    data[84:88] = bytes((8, 8, 8, 8))
    t.answer(PEER, bytes(data), 0.0)
    assert announce(t, Endpoint("10.0.0.2", 1)).peers == (Endpoint("10.0.0.1", 6881),)


def test_one_address_has_its_share_of_a_minute_and_one_ipv6_network_too() -> None:
    t = Tracker(rate=2)
    for peers in ([PEER] * 3, [Endpoint(f"fd00::{n}", 1) for n in range(1, 4)]):
        announce(t, peers[0])
        announce(t, peers[1])
        with pytest.raises(TrackerFailure, match="too many"):
            announce(t, peers[2])
    assert t.udp.slowed == 2
    later = t.answer(PEER, udp.announce_request(connect(t, now=60.0), 2, REQUEST), 60.0)
    assert later is not None and udp.parse_announce_reply(later, 4).leeches


def test_the_path_of_the_url_shows_who_is_a_user(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("alice-12345678\n")
    t = Tracker(files=Files(users=users))
    good = AnnounceRequest("udp://t:1/alice-12345678/announce?a=b", b"h" * 20, REQUEST.peer_id, 6881, left=1)
    assert announce(t, request=good).leeches == 1
    for url in ("udp://t:1/announce", "udp://t:1/mallory-12345678/announce", "udp://t:1"):
        with pytest.raises(TrackerFailure, match="private"):
            announce(t, request=AnnounceRequest(url, b"h" * 20, REQUEST.peer_id, 6882, left=1))
    with pytest.raises(TrackerFailure, match="no scrapes"):
        reply = t.answer(PEER, udp.scrape_request(connect(t), 3, (b"h" * 20,)), 0.0)
        assert reply is not None
        udp.parse_scrape_reply(reply, (b"h" * 20,))
    cut = udp.announce_request(connect(t), 2, good)[:110]
    reply = t.answer(PEER, cut, 0.0)
    assert reply is not None and udp.parse_head(reply) == (udp.Action.ERROR, 2)
    assert t.store.peers == 1


def test_only_listed_torrents_are_served(tmp_path: Path) -> None:
    listed = tmp_path / "allowed"
    listed.write_text((b"h" * 20).hex())
    t = Tracker(files=Files(allow=listed))
    announce(t)
    with pytest.raises(TrackerFailure, match="does not serve this torrent"):
        announce(t, request=AnnounceRequest("udp://t:1", b"x" * 20, REQUEST.peer_id, 1, left=1))


def test_a_full_tracker_says_so() -> None:
    t = Tracker(torrents=0)
    with pytest.raises(TrackerFailure, match="full"):
        announce(t)


def test_no_answer_travels_in_pieces() -> None:
    t = tracker()
    for number in range(300):
        announce(t, Endpoint(f"fd00::{number + 1:x}", 1))
        announce(t, Endpoint(f"10.0.1.{number % 250}", 1), AnnounceRequest(
            "udp://t", b"h" * 20, REQUEST.peer_id, number + 1, left=1, numwant=10**6))
    for numwant, six in ((10**6, 76), (-1, 50), (3, 3), (0, 0)):
        request = AnnounceRequest("udp://t", b"h" * 20, REQUEST.peer_id, 6881, left=1, numwant=numwant)
        data = udp.announce_request(connect(t, Endpoint("fd00::1", 1)), 2, request)
        reply = t.answer(Endpoint("fd00::1", 1), data, 0.0)
        assert reply is not None and len(reply) == 20 + 18 * six
        reply = t.answer(PEER, udp.announce_request(connect(t), 2, request), 0.0)
        assert reply is not None and len(reply) <= 1400


def test_who_stops_is_told_of_nobody() -> None:
    t = tracker()
    announce(t, Endpoint("10.0.0.2", 1))
    gone = AnnounceRequest("udp://t", b"h" * 20, REQUEST.peer_id, 6881, left=1, event=Event.STOPPED)
    assert announce(t, request=gone).peers == ()


def test_events_and_actions_that_are_none_are_refused() -> None:
    t = tracker()
    connection = connect(t)
    for at, value in ((80, 4), (80, 2**32 - 1), (8, 7)):
        data = bytearray(udp.announce_request(connection, 2, REQUEST))
        struct.pack_into(">I", data, at, value)
        assert t.answer(PEER, bytes(data), 0.0) is None
    assert t.udp.refused == 3


def test_forged_senders_get_no_more_bytes_than_were_sent_in_their_name() -> None:
    t = tracker()
    rng = random.Random(5)
    for number in range(50):
        peer = Endpoint(f"10.0.0.{number}", 1)
        t.answer(peer, udp.announce_request(connect(t, peer), 2, REQUEST), 0.0)
    sent = answered = 0
    for _ in range(10_000):
        victim = Endpoint(f"8.8.{rng.randrange(256)}.{rng.randrange(256)}", rng.randrange(1, 65536))
        kind = rng.randrange(4)
        guess = rng.getrandbits(64)
        data = (
            udp.connect_request(7), udp.announce_request(guess, 7, REQUEST), udp.scrape_request(guess, 7, (b"h" * 20,)),
            rng.randbytes(rng.randrange(120)),
        )[kind]
        reply = t.answer(victim, data, 0.0) or b""
        assert len(reply) <= len(data)
        sent += len(data)
        answered += len(reply)
    assert answered <= sent


@given(st.binary(max_size=200))
def test_any_datagram_is_answered_or_not(data: bytes) -> None:
    tracker().answer(PEER, data, 0.0)
