"""The tracker's answers to datagrams (BEP 15), without a socket.

A datagram's sender can be forged, so nothing larger than the datagram goes out before the sender has shown that it
receives: it must send back a connection id, which only its own address was told and nobody can guess.
"""

from __future__ import annotations

import struct

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.tracker import udp
from wildbach.protocol.tracker.announce import ScrapeStats
from wildbach.services.tracker.access import Access, Refused
from wildbach.services.tracker.pace import Pace
from wildbach.services.tracker.proof import ConnectionIds, Rates
from wildbach.services.tracker.store import STARTED, STOPPED, Full, Store

_ANNOUNCE = struct.Struct(">8sII20s28xQ8xI8xi2s")
"Connection id, action, transaction, info hash, left, event, numwant, port; the rest of an announce is not needed."
_ANNOUNCED = struct.Struct(">IIIII")
_MAGIC = udp.MAGIC.to_bytes(8, "big")
_BAD_CONNECTION = "connection id is not valid"
_UDP_BYTES = 1400
"No answer is longer, so that none travels in pieces."
_WANT6 = (_UDP_BYTES - _ANNOUNCED.size) // 18
_HEAD = struct.Struct(">8sII")


class UdpTracker:
    """Answers datagrams from the store. `tick` of its parts is called by who owns them."""

    def __init__(self, store: Store, ids: ConnectionIds, rates: Rates, access: Access, pace: Pace) -> None:
        self._store = store
        self._ids = ids
        self._rates = rates
        self._access = access
        self._pace = pace
        self.connects = 0
        self.announces = 0
        self.scrapes = 0
        self.refused = 0
        "Not well-formed, or without proof of the sender."
        self.forbidden = 0
        "Torrents and users that are not allowed here, and no room."
        self.slowed = 0
        "Above the rate of one address."

    def answer(self, host: bytes, data: bytes) -> bytes | None:
        """The reply to one datagram of a packed address; None for what deserves none."""
        if len(data) < _ANNOUNCE.size:
            return self._short(host, data)
        connection, action, transaction, info_hash, left, event, want, port = _ANNOUNCE.unpack_from(data)
        if action != 1 or event > STOPPED:
            return self._short(host, data)
        if not self._ids.valid(connection, host):
            self.refused += 1
            return udp.error_reply(transaction, _BAD_CONNECTION)[: len(data)]
        if not self._rates.take(host):
            self.slowed += 1
            return udp.error_reply(transaction, "too many requests from your address, wait a minute")
        self.announces += 1
        store = self._store
        key = host + port
        try:
            if self._access.restricted:
                self._admit(data, info_hash)
            swarm = store.announce(info_hash, key, seed=not left, event=event)
        except (Full, Refused, FormatError) as error:
            self.forbidden += 1
            return udp.error_reply(transaction, str(error))
        v6 = len(host) == 16
        if v6 and not 0 <= want <= _WANT6:
            want = _WANT6 if want > 0 else min(_WANT6, 50)
        # Who starts from a magnet link does not know the size, and some clients (aria2) then say that nothing is left.
        giving = not left and event != STARTED
        head = _ANNOUNCED.pack(1, transaction, self._pace.interval(), swarm.leeches, swarm.seeds)
        return head if event == STOPPED else head + store.pick(swarm, key, giving=giving, want=want, v6=v6)

    def _admit(self, data: bytes, info_hash: bytes) -> None:
        path = udp.parse_options(data[_ANNOUNCE.size :]).partition(b"?")[0]
        self._access.admit(info_hash, path.decode("ascii", "replace"))

    def _short(self, host: bytes, data: bytes) -> bytes | None:
        """What is no announce."""
        if len(data) < _HEAD.size:
            self.refused += 1
            return None
        connection, action, transaction = _HEAD.unpack_from(data)
        if action == 0 and connection == _MAGIC:
            self.connects += 1
            return udp.connect_reply(transaction, int.from_bytes(self._ids.issue(host), "big"))
        try:
            request = udp.parse_request(data)
        except FormatError:
            self.refused += 1
            return None
        if not isinstance(request, udp.UdpScrape):
            self.refused += 1
            return None
        if not self._ids.valid(connection, host):
            self.refused += 1
            return udp.error_reply(transaction, _BAD_CONNECTION)[: len(data)]
        if not self._rates.take(host):
            self.slowed += 1
            return udp.error_reply(transaction, "too many requests from your address, wait a minute")
        self.scrapes += 1
        if self._access.private:
            self.forbidden += 1
            return udp.error_reply(transaction, "no scrapes over UDP here")
        hashes = request.info_hashes[: limits.TRACKER_SERVER_SCRAPE]
        return udp.scrape_reply(transaction, [self._store.scrape(h) or ScrapeStats() for h in hashes])


