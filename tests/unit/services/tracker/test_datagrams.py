import random

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.ids import Endpoint
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceRequest, ScrapeStats
from wildbach.services.tracker.datagrams import ConnectionIds, UdpTracker
from wildbach.services.tracker.store import Store

PEER = Endpoint("10.0.0.1", 5000)
REQUEST = AnnounceRequest("udp://t:1/announce", b"h" * 20, b"-WB0100-abcdefghijkl", 6881, left=1)


def tracker() -> UdpTracker:
    return UdpTracker(Store(random.Random(1)), ConnectionIds(b"k" * 32), interval=900)


def connect(t: UdpTracker, peer: Endpoint = PEER, now: float = 0.0) -> int:
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


def test_ids_of_two_trackers_differ() -> None:
    assert ConnectionIds(b"a" * 32).issue(b"1234", 0.0) != ConnectionIds(b"b" * 32).issue(b"1234", 0.0)


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
