"""The receiving half of a stream: what came in order is ready, what came too early is kept behind its gap.

Numbers are 16 bits on the wire and compared around the last one in order, so a packet is at most half a circle away.
What is kept is bounded by the window that was told, whatever the remote sends.
"""

from __future__ import annotations

from collections.abc import Sequence

from wildbach.base import limits
from wildbach.protocol.utp.packet import ahead


class Receiver:
    __slots__ = ("_held", "_mask", "ack", "capacity", "duplicates", "fin", "held_bytes", "ready", "ready_bytes")

    def __init__(self, ack: int) -> None:
        self.ack = ack & 0xFFFF
        "The last packet in order."
        self.capacity = limits.UTP_RECEIVE_BYTES
        self.ready: list[memoryview | bytes] = []
        "Payloads in order that nobody took so far. Views are borrowed: `keep` before their buffer is used again."
        self.ready_bytes = 0
        self.held_bytes = 0
        self.duplicates = 0
        self.fin: int | None = None
        "The number of their FIN, once it has been seen."
        self._mask = 0
        "Bit i: packet ack + 1 + i is held."
        self._held: dict[int, bytes] = {}

    @property
    def window(self) -> int:
        """Bytes that there is room for."""
        return max(0, self.capacity - self.ready_bytes - self.held_bytes)

    @property
    def gaps(self) -> bool:
        return self._mask != 0

    @property
    def ended(self) -> bool:
        """All up to their FIN is here."""
        return self.fin is not None and self.ack == self.fin

    def sack(self) -> int:
        """Bit i: packet ack + 2 + i is here."""
        return self._mask >> 1

    def row(self, seq: int, payloads: Sequence[memoryview], size: int) -> bool:
        """Take packets that follow each other; False where they are not simply the next ones."""
        if ahead(seq, self.ack) != 1 or self._mask or self.fin is not None or size > self.window:
            return False
        self.ready += payloads
        self.ready_bytes += size
        self.ack = (self.ack + len(payloads)) & 0xFFFF
        return True

    def packet(self, seq: int, payload: memoryview, *, fin: bool = False) -> bool:
        """Take one packet. False where it was of no use: known, too far ahead, or no room for it."""
        place = ahead(seq, self.ack) - 1
        if place < 0 or self._mask >> place & 1:
            self.duplicates += 1
            return False
        if place >= limits.UTP_REORDER_PACKETS:
            return False
        if self.fin is not None and (seq != self.fin if fin else ahead(seq, self.fin) >= 0):
            return False
        size = len(payload)
        if fin:
            if self._mask >> place:
                return False  # what is held lies behind it
            self.fin = seq
            payload = payload[:0]
        elif not size or size > self.window:
            return False
        if place:
            self._mask |= 1 << place
            self._held[seq] = bytes(payload)
            self.held_bytes += len(payload)
            return True
        if not fin:
            self.ready.append(payload)
            self.ready_bytes += size
        self.ack = seq
        self._mask >>= 1
        if self._mask & 1:
            self._close_gap()
        return True

    def _close_gap(self) -> None:
        while self._mask & 1:
            self._mask >>= 1
            self.ack = (self.ack + 1) & 0xFFFF
            payload = self._held.pop(self.ack)
            self.held_bytes -= len(payload)
            if payload:
                self.ready.append(payload)
                self.ready_bytes += len(payload)

    def take(self) -> list[memoryview | bytes]:
        """All that is ready. It counts as unread until `used`."""
        ready, self.ready = self.ready, []
        return ready

    def used(self, size: int) -> None:
        """So many bytes of what was ready are read."""
        self.ready_bytes -= size

    def keep(self) -> None:
        """Own what is ready: the buffer it lies in is used for something else from now on."""
        if self.ready:
            self.ready = [b"".join(self.ready)]

    def clear(self) -> None:
        """Drop everything; nobody will read it."""
        self.ready.clear()
        self._held.clear()
        self._mask = 0
        self.ready_bytes = self.held_bytes = 0
