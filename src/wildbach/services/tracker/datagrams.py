"""The tracker's answers to datagrams (BEP 15), without a socket.

A datagram's sender can be forged, so nothing larger than the datagram goes out before the sender has shown that it
receives: it must send back a connection id, which only its own address was told and nobody can guess.
"""

from __future__ import annotations

from hashlib import blake2b

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol import compact
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import ScrapeStats
from wildbach.services.tracker.store import Full, Store

_MINUTE = 60.0
_BAD_CONNECTION = "connection id is not valid"


class ConnectionIds:
    """Ids that are computed, not kept: a keyed hash of the address and the minute. Valid for one to two minutes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, host: bytes, now: float) -> int:
        return self._id(host, int(now // _MINUTE))

    def valid(self, connection: int, host: bytes, now: float) -> bool:
        minute = int(now // _MINUTE)
        return connection in (self._id(host, minute), self._id(host, minute - 1))

    def _id(self, host: bytes, minute: int) -> int:
        digest = blake2b(host + minute.to_bytes(8, "big", signed=True), key=self._key, digest_size=8)
        return int.from_bytes(digest.digest(), "big")


class UdpTracker:
    """Answers datagrams from the store."""

    def __init__(self, store: Store, ids: ConnectionIds, *, interval: int) -> None:
        self._store = store
        self._ids = ids
        self._interval = interval
        self.announces = 0
        self.scrapes = 0
        self.refused = 0

    def answer(self, remote: Endpoint, data: bytes, now: float) -> bytes | None:
        """The reply to one datagram; None for what deserves none."""
        try:
            request = udp.parse_request(data)
        except FormatError:
            self.refused += 1
            return None
        host = compact.pack_host(remote.host)
        if isinstance(request, udp.ConnectRequest):
            return udp.connect_reply(request.transaction, self._ids.issue(host, now))
        if not self._ids.valid(request.connection, host, now):
            self.refused += 1
            return udp.error_reply(request.transaction, _BAD_CONNECTION)[: len(data)]
        if isinstance(request, udp.UdpScrape):
            self.scrapes += 1
            hashes = request.info_hashes[: limits.TRACKER_SERVER_SCRAPE]
            return udp.scrape_reply(request.transaction, [self._store.scrape(h) or ScrapeStats() for h in hashes])
        self.announces += 1
        try:
            found = self._store.announce(
                request.info_hash, host, request.port, left=request.left, event=request.event,
                numwant=request.numwant, now=now,
            )
        except Full:
            return udp.error_reply(request.transaction, "the tracker is full")
        peers = found.peers6 if len(host) == 16 else found.peers4
        return udp.announce_reply(request.transaction, self._interval, found.leeches, found.seeds, peers)
