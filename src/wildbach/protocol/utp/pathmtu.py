"""How large packets may be on a path: a size that is sure to pass, and probes that find the largest one.

A probe is one packet of data that is larger than the others and must not be cut on its way. Where its neighbours arrive
and it does not, it was too large, which says nothing of the link; it is sent again, this time to be cut where need be.
"""

from __future__ import annotations

from typing import Final

from wildbach.base import limits

_NEAR: Final = 32
"Nearer to the truth is not worth a probe."
_TRIES: Final = 2
"A probe may be lost by chance: it takes so many to believe it."
_NEIGHBOURS: Final = 4


class PathMtu:
    __slots__ = ("_high", "_lost", "_pending", "packet")

    def __init__(self, most: int, *, sure: bool) -> None:
        self.packet = most if sure else min(most, limits.UTP_PACKET_BYTES_SURE)
        "Bytes of a packet with its header: what the path is known to carry."
        self._high = most
        self._pending = 0
        self._lost = 0

    def probe(self, queued: int, others: int) -> int:
        """The size of a probe that may leave now; 0: none. `others`: packets on their way."""
        if self._pending or self._high - self.packet < _NEAR or others < _NEIGHBOURS:
            return 0
        size = self._high
        if queued < 2 * size:
            return 0
        self._pending = size
        return size

    def arrived(self, size: int) -> bool:
        """A probe arrived; true where packets may be larger from now on."""
        self._pending = self._lost = 0
        if size <= self.packet:
            return False
        self.packet = size
        return True

    def lost(self, size: int) -> None:
        if size != self._pending:
            return
        self._pending = 0
        self._lost += 1
        if self._lost >= _TRIES:
            self._lost = 0
            self._high = (self.packet + size) // 2

    def timed_out(self, times: int) -> None:
        """Everything was lost, so many times in a row."""
        if self._pending:
            self.lost(self._pending)
        if times >= 3:
            self.packet = self._high = min(self.packet, limits.UTP_PACKET_BYTES_LEAST)
