"""The tracker's answers over HTTP (BEP 3, 7, 23, 24, 31, 48), without a socket."""

from __future__ import annotations

from wildbach.base.errors import FormatError
from wildbach.net.tinyhttp import Answer
from wildbach.protocol.tracker import http
from wildbach.services.tracker.access import Access, Refused
from wildbach.services.tracker.pace import Pace
from wildbach.services.tracker.proof import Rates
from wildbach.services.tracker.store import STARTED, STOPPED, Full, Store

MIN_INTERVAL = 30
_RETRY_MINUTES = 5
_FULL_MINUTES = 60


class HttpTracker:
    """Answers requests from the store. The address a request names (`ip=`) is ignored."""

    def __init__(self, store: Store, rates: Rates, access: Access, pace: Pace) -> None:
        self._store = store
        self._rates = rates
        self._access = access
        self._pace = pace
        self.announces = 0
        self.scrapes = 0
        self.refused = 0
        "Not well-formed."
        self.forbidden = 0
        self.slowed = 0

    def answer(self, target: bytes, host: bytes) -> Answer:
        """`target` is the path and query as sent, `host` the packed address it came from."""
        path, _, query = target.decode("latin-1").partition("?")
        word = path.rpartition("/")[2]
        if word == "announce" or word == "scrape":
            # Without users there is no key in the path: anything else there is somebody else's URL.
            if path.count("/") == 1 or (self._access.private and path.count("/") == 2):
                return self._asked(word, path, query, host)
        elif path == "/":
            return Answer(b"a BitTorrent tracker: announce at /announce\n")
        return Answer(b"not here: announce at /announce\n", 404)

    def _asked(self, word: str, path: str, query: str, host: bytes) -> Answer:
        if not self._rates.take(host):
            self.slowed += 1
            return Answer(http.failure_body("too many requests from your address", 1))
        try:
            return Answer(self._announce(path, query, host) if word == "announce" else self._scrape(path, query))
        except FormatError as error:
            self.refused += 1
            return Answer(http.failure_body(str(error), 0))
        except Refused as error:
            self.forbidden += 1
            return Answer(http.failure_body(str(error), _RETRY_MINUTES))
        except Full as error:
            self.forbidden += 1
            return Answer(http.failure_body(str(error), _FULL_MINUTES))

    def _announce(self, path: str, query: str, host: bytes) -> bytes:
        asked = http.parse_announce_query(query)
        self.announces += 1
        if self._access.restricted:
            self._access.admit(asked.info_hash, path)
        key = host + asked.port.to_bytes(2, "big")
        store = self._store
        swarm = store.announce(asked.info_hash, key, seed=not asked.left, event=asked.event)
        peers4 = peers6 = b""
        if asked.event != STOPPED:
            giving = not asked.left and asked.event != STARTED
            peers4 = bytes(store.pick(swarm, key, giving=giving, want=asked.numwant, v6=False))
            peers6 = bytes(store.pick(swarm, key, giving=giving, want=asked.numwant, v6=True))
        interval = self._pace.interval()
        return http.announce_body(
            interval=interval, min_interval=min(MIN_INTERVAL, interval), seeds=swarm.seeds, leeches=swarm.leeches,
            downloaded=swarm.completed, peers4=peers4, peers6=peers6, external=host, compact=asked.compact,
        )

    def _scrape(self, path: str, query: str) -> bytes:
        hashes = http.parse_scrape_query(query)
        self.scrapes += 1
        if not self._access.known(path):
            raise Refused("this tracker is private: the URL has no valid key")
        found = {info_hash: stats for info_hash in hashes if (stats := self._store.scrape(info_hash)) is not None}
        return http.scrape_body(found)
