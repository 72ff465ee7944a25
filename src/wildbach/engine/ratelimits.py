"""Speed limits: the session's and the torrent's buckets, taken from together, refilled every 50 ms while in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wildbach.base.geometry import BLOCK
from wildbach.base.rate import TokenBucket
from wildbach.engine.peer import Peer

TICK_SECONDS: Final = 0.05
_SPARE_SECONDS: Final = 0.02


class Gate:
    """One direction of one torrent: open while every bucket above it is."""

    __slots__ = ("_shared", "own")

    def __init__(self, shared: TokenBucket) -> None:
        self.own = TokenBucket()
        self._shared = shared

    @property
    def limited(self) -> bool:
        return bool(self.own.limit or self._shared.limit)

    @property
    def open(self) -> bool:
        return self.own.open and self._shared.open

    def take(self, amount: int) -> None:
        self.own.take(amount)
        self._shared.take(amount)

    @property
    def reason(self) -> str:
        """Which limit is reached, in plain words; empty where none is."""
        return "of this torrent" if self.own.tight else "of all torrents" if self._shared.tight else ""

    @property
    def lowest(self) -> int:
        """The lower of the limits in bytes a second, 0 for none."""
        both = [limit for limit in (self.own.limit, self._shared.limit) if limit]
        return min(both) if both else 0

    @property
    def row(self) -> int:
        """Blocks that may be sent at once: what the tokens allow, and one."""
        if not self.limited:
            return 1 << 16
        least = min(bucket.tokens for bucket in (self.own, self._shared) if bucket.limit)
        return max(1, int(least) // BLOCK + 1)

    def window(self, rtt: float) -> int:
        """Blocks to keep asked under the limit, at least two: what comes in a round trip and a little.

        More would only wait in the network. `rtt` in seconds, 0 while it is not known.
        """
        if not self.limited:
            return 1 << 16
        return max(2, int(self.lowest * (_SPARE_SECONDS + rtt)) // BLOCK)


class Gates:
    """Both directions of one torrent. `exempt` peers, as a rule those of the local network, pass freely."""

    __slots__ = ("_exempt", "down", "up")

    def __init__(self, down: Gate, up: Gate, exempt: Callable[[Peer], bool]) -> None:
        self.down = down
        self.up = up
        self._exempt = exempt

    def down_of(self, peer: Peer) -> Gate | None:
        """What blocks from this peer have to pass; None where nothing limits them."""
        return self.down if self.down.limited and not self._exempt(peer) else None

    def up_of(self, peer: Peer) -> Gate | None:
        return self.up if self.up.limited and not self._exempt(peer) else None
