"""Bodies and queries of HTTP trackers."""

from __future__ import annotations

import contextlib

from wildbach.base.errors import FormatError
from wildbach.protocol.tracker import http
from wildbach.protocol.tracker.announce import ScrapeStats, TrackerFailure

SEEDS: list[bytes] = [
    http.announce_body(interval=1800, min_interval=60, seeds=1, leeches=2, downloaded=3,
                       peers4=bytes(range(1, 13)), peers6=bytes(range(18)), external=b"\x01\x02\x03\x04"),
    http.failure_body("go away", 5),
    http.failure_body("go away", 0),
    http.scrape_body({b"h" * 20: ScrapeStats(1, 2, 3)}),
    b"d5:peersld2:ip7:1.2.3.44:porti6881eed2:ip3:::14:porti1eeee",
    b"d8:intervali-1e12:min intervali99999999999e5:peers0:15:warning message3:\xff\x00ae",
    b"info_hash=%01%02aaaaaaaaaaaaaaaaaa&peer_id=-WB0100-abcdefghijkl&port=6881&left=0&event=started&numwant=50",
    b"info_hash=" + b"%ff" * 20 + b"&info_hash=" + b"a" * 20,
]


def one_input(data: bytes) -> None:
    for read in (http.parse_announce, http.parse_scrape):
        with contextlib.suppress(FormatError, TrackerFailure):
            read(data)
    query = data.decode("latin-1")
    for parse in (http.parse_announce_query, http.parse_scrape_query):
        with contextlib.suppress(FormatError):
            parse(query)
