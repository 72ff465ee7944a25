import random
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.ids import Endpoint
from wildbach.protocol import compact
from wildbach.protocol.tracker import http
from wildbach.protocol.tracker.announce import AnnounceReply, AnnounceRequest, Event, ScrapeStats, TrackerFailure
from wildbach.services.tracker.access import Access, Files
from wildbach.services.tracker.pace import Pace
from wildbach.services.tracker.proof import Rates
from wildbach.services.tracker.requests import HttpTracker
from wildbach.services.tracker.store import Store

ONE, TWO = compact.pack_host("10.0.0.1"), compact.pack_host("10.0.0.2")
SIX = compact.pack_host("fd00::1")
HASH = b"\x00%&h" * 5
KEY = "alice-key-1"


def tracker(*, rate: int = 0, files: Files | None = None, torrents: int = 10) -> HttpTracker:
    rng = random.Random(1)
    store = Store(rng, torrents=torrents)
    store.tick(0.0)
    rates = Rates(rate)
    rates.tick(0.0)
    return HttpTracker(store, rates, Access(files), Pace(rng, interval=900, spread=0.0))


def target(port: int = 6881, *, path: str = "/announce", left: int = 1, event: Event = Event.NONE, more: str = "",
           info_hash: bytes = HASH) -> bytes:
    request = AnnounceRequest(f"http://t{path}", info_hash, b"-WB0100-abcdefghijkl", port, left=left, event=event)
    return (http.announce_url(request).removeprefix("http://t") + more).encode()


def announce(t: HttpTracker, host: bytes = ONE, **words: object) -> AnnounceReply:
    answer = t.answer(target(**words), host)  # type: ignore[arg-type]
    assert answer.status == 200
    return http.parse_announce(answer.body)


def test_peers_of_both_ip_versions_find_each_other_and_their_own_address() -> None:
    t = tracker()
    announce(t)
    announce(t, SIX)
    got = announce(t, TWO)
    assert set(got.peers) == {Endpoint("10.0.0.1", 6881), Endpoint("fd00::1", 6881)}
    assert (got.external_ip, got.interval, got.leeches) == ("10.0.0.2", 900.0, 3)


def test_a_client_that_wants_no_compact_list_gets_dictionaries() -> None:
    t = tracker()
    announce(t)
    announce(t, SIX)
    body = t.answer(target().replace(b"compact=1", b"compact=0"), TWO).body
    assert b"d2:ip8:10.0.0.14:porti6881ee" in body and b"6:peers6" not in body
    assert set(http.parse_announce(body).peers) == {Endpoint("10.0.0.1", 6881), Endpoint("fd00::1", 6881)}


def test_the_address_in_the_query_is_ignored() -> None:
    t = tracker()
    announce(t, more="&ip=8.8.8.8&ipv4=8.8.8.8&ipv6=2600::1")
    assert announce(t, TWO).peers == (Endpoint("10.0.0.1", 6881),)


def test_who_stops_is_told_of_nobody_and_gone() -> None:
    t = tracker()
    announce(t)
    assert announce(t, TWO, event=Event.STOPPED).peers == ()
    assert announce(t, ONE, event=Event.STOPPED).leeches == 0


def test_several_swarms_are_scraped_at_once_and_all_of_them_never() -> None:
    t = tracker()
    announce(t)
    url = http.scrape_url("http://t/announce", [HASH, b"x" * 20])
    assert url is not None
    answer = t.answer(url.removeprefix("http://t").encode(), ONE)
    assert http.parse_scrape(answer.body).stats == {HASH: ScrapeStats(0, 1, 0)}
    many = "&".join(f"info_hash={quote_from_bytes(bytes([n]) * 20, safe='')}" for n in range(100))
    assert t.answer(f"/scrape?{many}".encode(), ONE).status == 200
    for bare in (b"/scrape", b"/scrape?"):
        with pytest.raises(TrackerFailure, match="lists no swarms"):
            http.parse_scrape(t.answer(bare, ONE).body)


@pytest.mark.parametrize(("asked", "words"), [
    (b"/announce", "info_hash"), (b"/announce?info_hash=short&peer_id=" + b"x" * 20, "info_hash"),
    (target() + b"&event=odd&x", "event"), (b"/announce?" + b"x" * 9000, "TRACKER_SERVER_QUERY_BYTES"),
])
def test_what_is_wrong_is_named_and_not_to_be_tried_again(asked: bytes, words: str) -> None:
    t = tracker()
    with pytest.raises(TrackerFailure, match=words) as caught:
        http.parse_announce(t.answer(asked, ONE).body)
    assert caught.value.retry_in == float("inf")
    assert t.refused == 1


def test_other_paths_are_not_here() -> None:
    t = tracker()
    for path in (b"/x", b"/a/announce", b"/a/b/announce", b"/announce/x", b"/\xff"):
        assert t.answer(path, ONE).status == 404
    assert t.answer(b"/", ONE).status == 200


def test_a_private_tracker_wants_a_key_in_the_path(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(KEY)
    t = tracker(files=Files(users=users))
    assert announce(t, path=f"/{KEY}/announce").leeches == 1
    for path in ("/announce", "/mallory-key-1/announce"):
        with pytest.raises(TrackerFailure, match="private") as caught:
            announce(t, path=path)
        assert caught.value.retry_in == 300.0
    scrape = f"?info_hash={quote_from_bytes(HASH, safe='')}"
    assert http.parse_scrape(t.answer(f"/{KEY}/scrape{scrape}".encode(), ONE).body).stats
    with pytest.raises(TrackerFailure, match="private"):
        http.parse_scrape(t.answer(f"/scrape{scrape}".encode(), ONE).body)
    assert t.forbidden == 3


def test_who_asks_too_much_or_finds_no_room_is_told_when_to_come_back() -> None:
    t = tracker(rate=1)
    announce(t)
    with pytest.raises(TrackerFailure, match="too many") as caught:
        announce(t)
    assert caught.value.retry_in == 60.0
    with pytest.raises(TrackerFailure, match="full") as caught:
        announce(tracker(torrents=0))
    assert caught.value.retry_in == 3600.0


@given(st.binary(max_size=300))
def test_any_target_gets_an_answer(data: bytes) -> None:
    for asked in (data, b"/announce?" + data, target() + data):
        assert tracker().answer(asked, ONE).status in (200, 404)
