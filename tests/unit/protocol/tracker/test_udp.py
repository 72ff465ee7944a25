import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol import compact
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import AnnounceRequest, Event, ScrapeStats, TrackerFailure

ID = b"-WB0100-abcdefghijkl"


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary(min_size=20, max_size=20),
       st.integers(0, 2**64 - 1), st.sampled_from(list(Event)), st.integers(-1, 1000), st.integers(0, 65535))
def test_an_announce_is_read_as_it_was_written(
    transaction: int, connection: int, info_hash: bytes, count: int, event: Event, numwant: int, port: int
) -> None:
    request = AnnounceRequest("udp://t:1", info_hash, ID, port, count, count, count, event, 77, numwant)
    read = udp.parse_request(udp.announce_request(connection, transaction, request))
    assert isinstance(read, udp.UdpAnnounce)
    assert (read.connection, read.transaction, read.info_hash, read.peer_id) == (connection, transaction, info_hash, ID)
    assert (read.uploaded, read.downloaded, read.left, read.port, read.key) == (count, count, count, port, 77)
    assert (read.event, read.numwant) == (Event.NONE if event is Event.PAUSED else event, numwant)


def test_an_announce_has_the_published_layout() -> None:
    request = AnnounceRequest("udp://t:1", b"h" * 20, ID, 6881, 3, 1, 2)
    raw = udp.announce_request(0x0102030405060708, 0x11223344, request)
    assert len(raw) == 98
    assert raw[:16] == bytes.fromhex("0102030405060708 00000001 11223344")
    assert raw[56:80] == (1).to_bytes(8, "big") + (2).to_bytes(8, "big") + (3).to_bytes(8, "big")
    assert raw[96:] == (6881).to_bytes(2, "big")


@pytest.mark.parametrize(("url", "data"), [
    ("udp://t:80", b""), ("udp://t:80/", b""), ("udp://t:80/announce", b"/announce"),
    ("udp://t:80/dir?a=b&c=d", b"/dir?a=b&c=d"), ("udp://t:80/" + "x" * 700, b"/" + b"x" * 700), ("udp://[bad/x", b""),
])
def test_url_data_survives_its_options(url: str, data: bytes) -> None:
    assert udp.parse_options(udp.url_options(url)) == data


def test_other_options_are_stepped_over() -> None:
    assert udp.parse_options(b"\x01\x01\x07\x02zz\x02\x02/a\x00\x02\x02/b") == b"/a"


@pytest.mark.parametrize("raw", [b"\x02", b"\x02\x05/a", b"\x07\xff"])
def test_an_option_beyond_the_datagram_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        udp.parse_options(raw)


def test_replies_read_back() -> None:
    peers = [Endpoint("1.2.3.4", 5), Endpoint("6.7.8.9", 10)]
    four, _ = compact.encode_all(peers)
    got = udp.parse_announce_reply(udp.announce_reply(9, 1800, 2, 3, four), 4)
    assert (got.peers, got.interval, got.leeches, got.seeds) == (tuple(peers), 1800.0, 2, 3)
    six = [Endpoint("2001:db8::1", 5)]
    assert udp.parse_announce_reply(udp.announce_reply(9, 1, 2, 3, compact.encode_all(six)[1]), 6).peers == tuple(six)
    assert udp.parse_connect_reply(udp.connect_reply(1, 2**64 - 1)) == 2**64 - 1
    stats = [ScrapeStats(1, 2, 3), ScrapeStats(4, 5, 6)]
    assert udp.parse_scrape_reply(udp.scrape_reply(1, stats), (b"a" * 20, b"b" * 20)) == {
        b"a" * 20: stats[0], b"b" * 20: stats[1]}
    with pytest.raises(TrackerFailure, match="not here"):
        udp.parse_announce_reply(udp.error_reply(1, "not here"), 4)


def test_an_announce_reply_without_a_body_is_a_refusal() -> None:
    with pytest.raises(TrackerFailure, match="does not serve"):
        udp.parse_announce_reply(udp.announce_reply(9, 1, 2, 3, b"")[:8], 4)


def test_a_short_scrape_reply_is_refused() -> None:
    with pytest.raises(FormatError):
        udp.parse_scrape_reply(udp.scrape_reply(1, [ScrapeStats()]), (b"a" * 20, b"b" * 20))


@given(st.binary(max_size=200) | st.builds(
    lambda action, rest: bytes(8) + action.to_bytes(4, "big") + rest, st.integers(0, 4), st.binary(max_size=150)))
def test_any_datagram_is_read_or_refused(data: bytes) -> None:
    readers = (
        udp.parse_request, udp.parse_connect_reply, lambda d: udp.parse_announce_reply(d, 4),
        lambda d: udp.parse_announce_reply(d, 6), lambda d: udp.parse_scrape_reply(d, (bytes(20),)), udp.parse_options,
    )
    for read in readers:
        with contextlib.suppress(FormatError, TrackerFailure):
            read(data)  # type: ignore[operator]
