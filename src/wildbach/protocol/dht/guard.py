"""What keeps a node from being flooded, written to by strangers, or used against others.

Write tokens prove an address (a hash of it under a secret key, never kept), floods make us deaf for a while, and the
credit of unproven queries bounds how much more leaves than came.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from hashlib import blake2b
from random import Random

from wildbach.base import limits
from wildbach.base.rate import TokenBucket
from wildbach.protocol.dht.places import place

_SLOT = limits.DHT_TOKEN_SECONDS / 2
_WINDOW = 10.0
_CREDIT_MOST = 20_000
HEADERS = {4: 28, 6: 48}
"Bytes of the IP and UDP headers."


class Tokens:
    """Tokens last between five and ten minutes and work from the address they were given to, on no other."""

    def __init__(self, rng: Random) -> None:
        self._key = rng.randbytes(32)

    def make(self, host: str, now: float, *, age: int = 0) -> bytes:
        slot = int(now // _SLOT) - age
        return blake2b(b"%d %b" % (slot, host.encode()), key=self._key, digest_size=8).digest()

    def check(self, token: bytes, host: str, now: float) -> bool:
        return any(hmac.compare_digest(token, self.make(host, now, age=age)) for age in (0, 1))


class FloodGuard:
    """Who sends more than the limit over ten seconds is not heard for five minutes. Bounded; class local is exempt."""

    def __init__(self) -> None:
        self._counts: OrderedDict[bytes, tuple[float, int]] = OrderedDict()
        self._blocked: OrderedDict[bytes, float] = OrderedDict()

    def admit(self, host: str, now: float) -> bool:
        at = place(host)
        if at is None:
            return False
        if at.exempt:
            return True
        key = at.packed if at.version == 4 else at.packed[:8]
        until = self._blocked.get(key)
        if until is not None:
            if now < until:
                return False
            del self._blocked[key]
        start, count = self._counts.pop(key, (now, 0))
        if now - start >= _WINDOW:
            start, count = now, 0
        if count >= limits.DHT_MESSAGES_PER_SECOND * _WINDOW:
            self._blocked[key] = now + limits.DHT_BLOCK_SECONDS
            if len(self._blocked) > limits.DHT_WATCHED_ADDRESSES:
                self._blocked.popitem(last=False)
            return False
        self._counts[key] = (start, count + 1)
        if len(self._counts) > limits.DHT_WATCHED_ADDRESSES:
            self._counts.popitem(last=False)
        return True

    def is_blocked(self, host: str, now: float) -> bool:
        at = place(host)
        if at is None or not self._blocked:
            return False
        return now < self._blocked.get(at.packed if at.version == 4 else at.packed[:8], now)

    @property
    def blocked(self) -> int:
        return len(self._blocked)


class Credit:
    """Bytes that may be answered to addresses that are not proven: five for each byte they sent, in all.

    What BEP 5 defines fits into five times its own query. An item (BEP 44) or the filters of a scrape (BEP 33) may be
    more: they use what the small answers of others left.
    """

    def __init__(self) -> None:
        self._left = 0

    def earn(self, size: int) -> int:
        """A query came. Returns how much may be answered to it at most."""
        self._left = min(self._left + limits.DHT_AMPLIFICATION * size, _CREDIT_MOST)
        return min(self._left, limits.DHT_ITEM_REPLY_BYTES)

    def spend(self, size: int) -> None:
        self._left -= size


class Budget(TokenBucket):
    """Outgoing bytes a second; two seconds may be saved up."""

    BURST_SECONDS = 2.0
    __slots__ = ()

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.tokens = limit * self.BURST_SECONDS

    def wait(self) -> float:
        """Seconds until something may be sent again."""
        return 0.0 if self.open else 0.001 - self.tokens / self.limit

    def spare(self) -> bool:
        """Whether there is enough for answers to others beside our own queries."""
        return self.limit == 0 or self.tokens > self.limit * self.BURST_SECONDS / 4
