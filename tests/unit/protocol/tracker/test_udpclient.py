from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceReply, AnnounceRequest, ScrapeReply, ScrapeRequest, ScrapeStats
from wildbach.protocol.tracker.udpclient import Exchange, UdpClient

TRACKER = Endpoint("9.9.9.9", 80)
REQUEST = AnnounceRequest("udp://t:80/announce", b"h" * 20, b"-WB0100-abcdefghijkl", 6881)


def client() -> UdpClient:
    numbers = count(1)
    return UdpClient(lambda: next(numbers))


def sent(c: UdpClient) -> list[udp.Request]:
    out = [udp.parse_request(data) for _, data in c.outgoing]
    c.outgoing.clear()
    return out


def connect(c: UdpClient, now: float, connection: int = 7) -> list[udp.Request]:
    (request,) = sent(c)
    assert isinstance(request, udp.ConnectRequest)
    assert c.received(TRACKER, udp.connect_reply(request.transaction, connection), now) == (True, [])
    return sent(c)


def test_an_announce_connects_first() -> None:
    c = client()
    exchange = c.begin(TRACKER, REQUEST, 0.0)
    (announce,) = connect(c, 0.1)
    assert isinstance(announce, udp.UdpAnnounce)
    assert announce.connection == 7
    assert announce.url_data == b"/announce"
    reply = udp.announce_reply(announce.transaction, 900, 1, 2, bytes([1, 2, 3, 4, 0, 5]))
    mine, over = c.received(TRACKER, reply, 0.2)
    assert mine
    assert over == [exchange]
    assert isinstance(exchange.reply, AnnounceReply)
    assert exchange.reply.peers == (Endpoint("1.2.3.4", 5),)
    assert c.pending == 0


def test_many_requests_share_one_connect() -> None:
    c = client()
    for _ in range(50):
        c.begin(TRACKER, REQUEST, 0.0)
    assert len(connect(c, 0.1)) == 50


def test_a_connection_id_is_used_for_a_minute() -> None:
    c = client()
    c.begin(TRACKER, REQUEST, 0.0)
    connect(c, 0.0)
    c.begin(TRACKER, REQUEST, 59.0)
    assert isinstance(sent(c)[0], udp.UdpAnnounce)
    c.begin(TRACKER, REQUEST, 60.0)
    assert isinstance(sent(c)[0], udp.ConnectRequest)


def test_a_silent_tracker_is_asked_three_times_then_given_up() -> None:
    c = client()
    exchange = c.begin(TRACKER, REQUEST, 0.0)
    times = []
    while not exchange.done:
        assert c.next_tick is not None
        now = c.next_tick
        times.append(now)
        over = c.tick(now)
    assert over == [exchange]
    assert times == [15.0, 45.0, 105.0]
    assert isinstance(exchange.error, NetworkError)
    assert len(c.outgoing) == 3


def test_a_lost_announce_is_sent_again_and_an_expired_connection_renewed() -> None:
    numbers = count(1)
    c = UdpClient(lambda: next(numbers), tries=4)
    c.begin(TRACKER, REQUEST, 0.0)
    connect(c, 0.0)
    for now in (15.0, 45.0):
        assert c.tick(now) == []
        assert isinstance(sent(c)[0], udp.UdpAnnounce)
    assert c.tick(105.0) == []
    (again,) = connect(c, 105.0, 8)
    assert isinstance(again, udp.UdpAnnounce)
    assert again.connection == 8


def test_a_tracker_that_forgot_the_connection_costs_one_more_connect() -> None:
    c = client()
    exchanges = [c.begin(TRACKER, REQUEST, 0.0) for _ in range(3)]
    for request in connect(c, 0.0):
        assert c.received(TRACKER, udp.error_reply(request.transaction, "Connection ID mismatch."), 1.0) == (True, [])
    again = connect(c, 1.0, 8)
    assert [r.connection for r in again if isinstance(r, udp.UdpAnnounce)] == [8, 8, 8]
    over: list[Exchange] = []
    for request in again:
        over += c.received(TRACKER, udp.error_reply(request.transaction, "Connection ID mismatch."), 2.0)[1]
    assert over == exchanges


def test_only_the_address_that_was_asked_may_answer() -> None:
    c = client()
    c.begin(TRACKER, REQUEST, 0.0)
    (request,) = sent(c)
    reply = udp.connect_reply(request.transaction, 7)
    assert c.received(Endpoint("6.6.6.6", 80), reply, 0.1) == (False, [])
    assert c.received(Endpoint("9.9.9.9", 81), reply, 0.1) == (False, [])
    assert c.received(TRACKER, udp.connect_reply(99999, 7), 0.1) == (False, [])
    assert c.outgoing == []


def test_a_scrape_reads_its_numbers() -> None:
    c = client()
    hashes = (b"a" * 20, b"b" * 20)
    exchange = c.begin(TRACKER, ScrapeRequest("udp://t:80", hashes), 0.0)
    (request,) = connect(c, 0.0)
    assert isinstance(request, udp.UdpScrape)
    assert request.info_hashes == hashes
    c.received(TRACKER, udp.scrape_reply(request.transaction, [ScrapeStats(1), ScrapeStats(2)]), 0.1)
    assert exchange.reply == ScrapeReply({hashes[0]: ScrapeStats(1), hashes[1]: ScrapeStats(2)})


def test_a_cancelled_exchange_is_forgotten() -> None:
    c = client()
    exchange = c.begin(TRACKER, REQUEST, 0.0)
    c.cancel(exchange)
    assert c.pending == 0
    assert connect(c, 0.1) == []
    assert c.tick(1000.0) == []


def test_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wildbach.base.limits.UDP_TRACKER_PENDING", 2)
    c = client()
    c.begin(TRACKER, REQUEST, 0.0)
    c.begin(TRACKER, REQUEST, 0.0)
    with pytest.raises(NetworkError, match="UDP_TRACKER_PENDING"):
        c.begin(TRACKER, REQUEST, 0.0)


@given(st.lists(st.tuples(
    st.sampled_from(["begin", "tick", "junk", "reply", "error"]), st.integers(0, 40), st.binary(max_size=120))))
def test_any_course_ends_every_exchange_once(steps: list[tuple[str, int, bytes]]) -> None:
    c = client()
    now = 0.0
    begun: list[Exchange] = []
    over: list[Exchange] = []
    for what, passed, raw in steps:
        now += passed
        if what == "begin":
            begun.append(c.begin(TRACKER, REQUEST, now))
        elif what == "tick":
            over += c.tick(now)
        elif what == "junk":
            over += c.received(TRACKER, raw, now)[1]
        else:
            for request in sent(c):
                reply = udp.error_reply(request.transaction, "connection?")
                if what == "reply":
                    kind = udp.connect_reply(request.transaction, 5)
                    reply = kind if isinstance(request, udp.ConnectRequest) else udp.announce_reply(
                        request.transaction, 1, 2, 3, raw)
                over += c.received(TRACKER, reply, now)[1]
    while c.next_tick is not None:
        over += c.tick(c.next_tick)
    assert sorted(map(id, over)) == sorted(map(id, begun))
    assert c.pending == 0


def test_a_tracker_that_only_a_proxy_can_look_up_answers_from_an_address_nobody_here_knew() -> None:
    """The number that was drawn counts alone then; the address tells how long a peer is."""
    c = client()
    exchange = c.begin(Endpoint("t.example", 80), REQUEST, 0.0)
    (connect_request,) = sent(c)
    assert isinstance(connect_request, udp.ConnectRequest)
    six = Endpoint("2001:db8::9", 80)
    assert c.received(six, udp.connect_reply(connect_request.transaction + 1, 7), 0.1) == (False, [])
    assert c.received(six, udp.connect_reply(connect_request.transaction, 7), 0.1) == (True, [])
    (announce,) = sent(c)
    assert isinstance(announce, udp.UdpAnnounce)
    reply = udp.announce_reply(announce.transaction, 900, 1, 2, bytes(15) + b"\1\0\5")
    assert c.received(six, reply, 0.2) == (True, [exchange])
    assert isinstance(exchange.reply, AnnounceReply) and exchange.reply.peers == (Endpoint("::1", 5),)
