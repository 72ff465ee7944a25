import contextlib
import math
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.published import published

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import Endpoint
from wildbach.protocol import bencode
from wildbach.protocol.tracker import http
from wildbach.protocol.tracker.announce import AnnounceRequest, Event, ScrapeStats, TrackerFailure

HASH = bytes(range(240, 256)) + b" %+&"
ID = b"-WB0100-abcdefghijkl"
REQUEST = AnnounceRequest("http://t.example/announce", HASH, ID, 6881, 1, 2, 3, Event.STARTED, 0xBEEF)


def reply(**entries: object) -> bytes:
    return bencode.encode({k.replace("_", " ").encode(): v for k, v in entries.items()})  # type: ignore[misc]


def test_an_announce_is_read_as_it_was_written() -> None:
    read = http.parse_announce_query(urlsplit(http.announce_url(REQUEST)).query)
    assert (read.info_hash, read.peer_id, read.port) == (HASH, REQUEST.peer_id, 6881)
    assert (read.uploaded, read.downloaded, read.left, read.event) == (1, 2, 3, Event.STARTED)
    assert read.numwant == 200


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20), st.integers(0, 65535),
       st.integers(0, 2**63), st.sampled_from(list(Event)))
def test_any_announce_is_read_as_it_was_written(
    info_hash: bytes, peer_id: bytes, port: int, count: int, event: Event
) -> None:
    request = AnnounceRequest("http://t/a", info_hash, peer_id, port, count, count, count, event)
    read = http.parse_announce_query(http.announce_url(request).partition("?")[2])
    assert (read.info_hash, read.peer_id, read.port, read.left, read.event) == (info_hash, peer_id, port, count, event)


@pytest.mark.parametrize(("url", "start"), [
    ("http://t/announce", "http://t/announce?info_hash="),
    ("http://t/announce?passkey=1", "http://t/announce?passkey=1&info_hash="),
    ("http://t/announce?passkey=1&", "http://t/announce?passkey=1&info_hash="),
    ("http://t/announce?", "http://t/announce?info_hash="),
    ("http://t/announce?a=b#frag", "http://t/announce?a=b&info_hash="),
])
def test_a_query_of_the_tracker_is_kept(url: str, start: str) -> None:
    assert http.announce_url(AnnounceRequest(url, HASH, bytes(20), 1)).startswith(start)


def test_the_tracker_id_and_key_are_told_again() -> None:
    request = AnnounceRequest("http://t/a", HASH, ID, 1, key=10, tracker_id=b"x y")
    query = urlsplit(http.announce_url(request)).query
    assert parse_qs(query)["trackerid"] == ["x y"]
    assert parse_qs(query)["key"] == ["0000000A"]
    assert "event" not in parse_qs(query)


@pytest.mark.parametrize(("url", "scrape"), [
    ("http://example.com/announce", "http://example.com/scrape"),
    ("http://example.com/x/announce", "http://example.com/x/scrape"),
    ("http://example.com/announce.php", "http://example.com/scrape.php"),
    ("http://example.com/a", None),
    ("http://example.com/announce?x2%0644", "http://example.com/scrape?x2%0644"),
    ("http://example.com/announce?x=2/4", "http://example.com/scrape?x=2/4"),
    ("http://example.com/x%064announce", None),
    ("http://announce", None),
])
def test_scrape_urls_follow_the_convention(url: str, scrape: str | None) -> None:
    assert http.scrape_base(url) == scrape


def test_a_full_reply_is_read() -> None:
    got = http.parse_announce(reply(
        interval=900, min_interval=60, complete=5, incomplete=7, downloaded=9, tracker_id=b"tid",
        warning_message=b"slow\x00 \xe2\x80\xaedown", peers=bytes([1, 2, 3, 4, 0x1A, 0xE1]),
        peers6=bytes(15) + b"\x01\x00\x50", external_ip=b"\x05\x06\x07\x08",
    ))
    assert got.peers == (Endpoint("1.2.3.4", 6881), Endpoint("::1", 80))
    assert (got.interval, got.min_interval, got.seeds, got.leeches, got.downloaded) == (900, 60, 5, 7, 9)
    assert (got.warning, got.tracker_id, got.external_ip) == ("slow down", b"tid", "5.6.7.8")


def test_peers_as_dictionaries_are_read_and_names_are_left_out() -> None:
    peers = [
        {b"ip": b"1.2.3.4", b"port": 1, b"peer id": bytes(20)}, {b"ip": b"::1", b"port": 2},
        {b"ip": b"tracker.example", b"port": 3}, {b"ip": b"1.1.1.1", b"port": 0}, {b"ip": b"1.1.1.1", b"port": 65536},
        {b"ip": 5, b"port": 5}, b"junk", {b"ip": b"1.2.3.4", b"port": 1}, {b"ip": b"fe80::1%lo", b"port": 4},
    ]
    assert http.parse_announce(reply(peers=peers)).peers == (Endpoint("1.2.3.4", 1), Endpoint("::1", 2))


@pytest.mark.parametrize(("given_", "kept"), [
    (None, 1800), (-5, 1800), (0, 1800), (1, limits.TRACKER_INTERVAL_MIN), (900, 900),
    (10**12, limits.TRACKER_INTERVAL_MAX),
    (b"600", 600), (b"junk", 1800),
])
def test_the_interval_is_clamped(given_: object, kept: float) -> None:
    body = reply(peers=b"") if given_ is None else reply(peers=b"", interval=given_)
    assert http.parse_announce(body).interval == kept


@pytest.mark.parametrize(("given_", "kept"), [
    (None, None), (5, 300.0), (b"never", math.inf), (b"10", 600.0), (-1, None), (0, None), (b"soon", None),
    (10**15, 7 * 86400.0),
])
def test_a_refusal_says_when_to_come_again(given_: object, kept: float | None) -> None:
    body = reply(failure_reason=b"no") if given_ is None else reply(failure_reason=b"no", retry_in=given_)
    with pytest.raises(TrackerFailure, match="no") as caught:
        http.parse_announce(body)
    assert caught.value.retry_in == kept


@pytest.mark.vector(31)
def test_the_refusals_of_bep_31_are_read() -> None:
    kept = []
    for example in published(31):
        with pytest.raises(TrackerFailure) as caught:
            http.parse_announce(bencode.encode({key.encode(): text.encode() for key, text in example.items()}))
        kept.append((caught.value.message, caught.value.retry_in))
    assert kept == [("Overloaded", 300.0), ("Not a tracker", math.inf)]


def test_more_peers_than_the_limit_are_left_out() -> None:
    raw = b"".join(i.to_bytes(4, "big") + b"\x00\x01" for i in range(1, limits.TRACKER_PEERS + 100))
    assert len(http.parse_announce(reply(peers=raw)).peers) == limits.TRACKER_PEERS


@pytest.mark.parametrize("body", [
    b"", b"<html>", b"le", b"i5e", b"d5:peersi5ee", b"d8:intervali5e", b"d5:peers9999999:", b"l" * 1000,
])
def test_what_is_no_reply_is_a_format_error(body: bytes) -> None:
    with pytest.raises(FormatError):
        http.parse_announce(body)


def test_a_reply_over_the_limit_is_refused() -> None:
    with pytest.raises(LimitError, match="TRACKER_BODY_BYTES"):
        http.parse_announce(b"d5:peers2000000:" + bytes(2_000_000) + b"e")


def test_a_line_end_behind_the_reply_does_no_harm() -> None:
    assert http.parse_announce(reply(peers=b"") + b"\r\n").peers == ()


@given(st.binary(max_size=300) | st.recursive(
    st.integers(-2**60, 2**60) | st.binary(max_size=30),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([
        b"peers", b"peers6", b"interval", b"min interval", b"complete", b"files", b"ip", b"port", b"external ip",
        b"failure reason", b"retry in", b"tracker id", b"warning message", b"x" * 20]), inner)).map(bencode.encode))
def test_any_body_gives_a_clean_reply_or_a_documented_error(body: bytes) -> None:
    try:
        got = http.parse_announce(body)
    except (FormatError, TrackerFailure):
        pass
    else:
        assert limits.TRACKER_INTERVAL_MIN <= got.interval <= limits.TRACKER_INTERVAL_MAX
        assert got.warning.isprintable()
    with contextlib.suppress(FormatError, TrackerFailure):
        http.parse_scrape(body)


@given(st.text(max_size=200))
def test_any_query_is_read_or_refused(query: str) -> None:
    for read in (http.parse_announce_query, http.parse_scrape_query):
        with contextlib.suppress(FormatError):
            read(query)


@pytest.mark.parametrize("query", [
    "", "info_hash=abc", "info_hash=" + "a" * 20, "info_hash=%zz" + "a" * 17 + "&peer_id=" + "b" * 20 + "&port=99999",
    "info_hash=" + "a" * 20 + "&peer_id=" + "b" * 20 + "&port=1&event=party",
    "info_hash=" + "a" * 20 + "&peer_id=" + "b" * 20 + "&port=1&left=-1", "x" * 9000,
])
def test_a_bad_announce_query_is_refused(query: str) -> None:
    with pytest.raises(FormatError):
        http.parse_announce_query(query)


def test_the_servers_reply_is_canonical_and_reads_back() -> None:
    body = http.announce_body(
        interval=1800, min_interval=60, seeds=1, leeches=2, downloaded=3, peers4=bytes([1, 2, 3, 4, 0, 5]),
        peers6=bytes(15) + b"\x01\x00\x06", external=b"\x01\x02\x03\x04",
    )
    bencode.decode(body)
    got = http.parse_announce(body)
    assert got.peers == (Endpoint("1.2.3.4", 5), Endpoint("::1", 6))
    assert (got.seeds, got.leeches, got.downloaded, got.external_ip) == (1, 2, 3, "1.2.3.4")


def test_a_scrape_reads_back() -> None:
    stats = {HASH: ScrapeStats(1, 2, 3), bytes(20): ScrapeStats()}
    assert http.parse_scrape(http.scrape_body(stats)).stats == stats
    url = http.scrape_url("http://t/announce?k=1", [HASH, bytes(20)])
    assert url is not None
    assert http.parse_scrape_query(urlsplit(url).query) == (HASH, bytes(20))


@pytest.mark.vector(48)
def test_the_scrape_of_bep_48_is_asked_and_read() -> None:
    example = published(48)
    hashes = [letter * 20 for letter in (b"x", b"y")]
    assert http.scrape_url("http://tracker/announce", hashes) == example["request"]
    assert http.parse_scrape(example["response"].encode()).stats == {
        hashes[0]: ScrapeStats(11, 19, 13772), hashes[1]: ScrapeStats(21, 20, 206),
    }


def test_a_refusal_reads_back() -> None:
    with pytest.raises(TrackerFailure, match="full") as caught:
        http.parse_announce(http.failure_body("full", 0))
    assert caught.value.retry_in == math.inf
