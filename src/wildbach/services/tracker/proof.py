"""Who has shown that it is where it says it is, and how much it asked for in this minute."""

from __future__ import annotations

from hashlib import blake2b

from wildbach.base import limits

_MINUTE = 60.0
_LOOPBACK6 = bytes(15) + b"\1"


class ConnectionIds:
    """Ids that are computed, not kept: a keyed hash of the address and the minute. Valid for one to two minutes.

    Trackers that share a key accept each other's. What a proven sender has shown is remembered for a minute.
    """

    def __init__(self, key: bytes, *, remembered: int = limits.TRACKER_SERVER_SENDERS) -> None:
        self._key = key
        self._minute = -1
        self._known: dict[bytes, tuple[bytes, bytes]] = {}
        self._remembered = remembered

    def tick(self, now: float) -> None:
        """Tell the time: seconds of a clock that all who share the key have."""
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self._minute = minute
            self._known = {}

    def rekey(self, key: bytes) -> None:
        self._key = key
        self._known = {}

    def issue(self, host: bytes) -> bytes:
        return self._id(host, self._minute)

    def valid(self, connection: bytes, host: bytes) -> bool:
        known = self._known.get(host)
        if known is not None:
            return connection in known
        pair = (self._id(host, self._minute), self._id(host, self._minute - 1))
        if connection not in pair:
            return False
        # Only for who has shown its address: forged ones cannot fill this.
        if len(self._known) < self._remembered:
            self._known[host] = pair
        return True

    def _id(self, host: bytes, minute: int) -> bytes:
        return blake2b(host + minute.to_bytes(8, "big", signed=True), key=self._key, digest_size=8).digest()


class Rates:
    """Requests a minute of one address (IPv6: of one /64). `limit` 0 counts nothing. This machine itself is exempt."""

    def __init__(self, limit: int, *, remembered: int = limits.TRACKER_SERVER_SENDERS) -> None:
        self.limit = limit
        self._minute = -1
        self._counts: dict[bytes, int] = {}
        self._remembered = remembered

    def tick(self, now: float) -> None:
        minute = int(now // _MINUTE)
        if minute != self._minute:
            self._minute = minute
            self._counts = {}

    def take(self, host: bytes) -> bool:
        """Count one request of a proven sender; false where it had its share."""
        if not self.limit:
            return True
        loopback = host[0] == 127 if len(host) == 4 else host == _LOOPBACK6
        if len(host) == 16:
            host = host[:8]
        count = self._counts.get(host, 0)
        if count >= self.limit:
            return loopback
        if count or len(self._counts) < self._remembered:
            self._counts[host] = count + 1
        return True
