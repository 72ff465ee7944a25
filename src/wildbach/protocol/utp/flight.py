"""The packets of a stream that are sent and not yet acknowledged, as trains.

A train is what left in one go: packets of one size (the last may be shorter) in one buffer, ready to be sent again. In
the usual case whole trains leave the window at one acknowledgement. Which single packets arrived or are lost is told by
the bits of three integers, relative to the oldest packet; only lost packets are looked at one by one. Numbers here do
not wrap; `& 0xFFFF` makes them those of the wire.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from wildbach.protocol.utp.packet import HEADER_BYTES

_REORDER: Final = 3
"Packets behind a missing one that say it is lost."
_REORDER_MOST: Final = 300


class Train:
    __slots__ = ("buffer", "first", "probe", "segment", "sent", "stop")

    def __init__(self, first: int, count: int, buffer: bytearray, segment: int, sent: float, probe: bool) -> None:
        self.first = first
        self.stop = first + count
        self.buffer = buffer
        self.segment = segment
        self.sent = sent
        self.probe = probe
        "It is one packet larger than what the path is known to carry."

    def size(self, number: int) -> int:
        """Bytes of one packet, with its header."""
        at = (number - self.first) * self.segment
        return min(self.segment, len(self.buffer) - at)

    def packet(self, number: int) -> memoryview:
        at = (number - self.first) * self.segment
        return memoryview(self.buffer)[at : at + self.segment]

    def payload_up_to(self, number: int) -> int:
        """Payload bytes of its packets below `number`."""
        count = number - self.first
        return min(count * self.segment, len(self.buffer)) - count * HEADER_BYTES


@dataclass(slots=True)
class Again:
    """A packet that was sent again, when, and which one was to be the next new one then."""

    at: float
    behind: int


@dataclass(slots=True)
class Acked:
    """What one acknowledgement told."""

    bytes: int = 0
    packets: int = 0
    sent: float | None = None
    "When the newest of the packets left, where that is sure."
    lost: int = 0
    "Packets that are lost by now."
    lost_probe: int = 0
    "Bytes of a probe that is lost: the path, not the link, was too small for it."
    got_probe: int = 0
    "Bytes of a probe that arrived."
    spurious: bool = False
    "A packet that had been sent again was there before that could arrive."


class Flight:
    __slots__ = ("_again", "_again_mask", "_lost", "_sacked", "_trains", "bytes", "next", "oldest", "reorder", "size")

    def __init__(self, first: int, size: int) -> None:
        self.oldest = first
        "The oldest packet that is not acknowledged; equal to `next` where there is none."
        self.next = first
        self.size = size
        "Payload of a full packet, for what is counted in packets."
        self.bytes = 0
        "Payload bytes between `oldest` and `next`."
        self.reorder = _REORDER
        self._trains: deque[Train] = deque()
        self._sacked = 0
        self._lost = 0
        self._again_mask = 0
        self._again: dict[int, Again] = {}

    @property
    def count(self) -> int:
        return self.next - self.oldest

    @property
    def outside(self) -> int:
        """Payload bytes that are on their way, as far as is known."""
        gone = self._sacked | self._lost
        return max(0, self.bytes - gone.bit_count() * self.size) if gone else self.bytes

    @property
    def losses(self) -> bool:
        """Something has to be sent again."""
        return self._lost != 0

    def add(self, train: Train) -> None:
        self._trains.append(train)
        self.next = train.stop
        self.bytes += train.payload_up_to(train.stop)

    # -- what arrived

    def acknowledged(self, upto: int, sack: int, now: float, least: float, most: float) -> Acked:
        """All below `upto` is there, and what the bits of `sack` say: bit i stands for upto + 1 + i.

        `least` and `most`: seconds in which no answer, and in which nearly every answer comes.
        """
        told = Acked()
        if upto > self.oldest:
            self._advance(upto, told, now, least)
        if sack:
            shift = upto + 1 - self.oldest
            mask = sack << shift if shift >= 0 else sack >> -shift
            self._select(mask & ((1 << self.count) - 1), told, now, least)
        if self._sacked:
            self._find_lost(told, now - most)
        return told

    def _advance(self, upto: int, told: Acked, now: float, least: float) -> None:
        oldest = self.oldest
        count = upto - oldest
        before = self.bytes
        known = (self._sacked & ((1 << count) - 1)).bit_count() if self._sacked else 0
        if self._sacked:
            self._overtaken(((1 << count) - 1) & ~(self._sacked | self._again_mask))
        if self._again:
            self._arrived_again((1 << count) - 1, told, now, least)
        trains = self._trains
        while trains and trains[0].stop <= upto:
            train = trains.popleft()
            self.bytes -= train.payload_up_to(train.stop) - train.payload_up_to(max(oldest, train.first))
            told.sent = train.sent
            if train.probe:
                told.got_probe = train.segment
        if trains and trains[0].first < upto:
            train = trains[0]
            self.bytes -= train.payload_up_to(upto) - train.payload_up_to(max(oldest, train.first))
            told.sent = train.sent
        if self._again_mask >> (count - 1) & 1 or self._sacked >> (count - 1) & 1:
            told.sent = None  # which of its copies arrived, and when, is not known
        self._sacked >>= count
        self._lost >>= count
        self._again_mask >>= count
        self.oldest = upto
        told.packets += count - known
        told.bytes += max(0, before - self.bytes - known * self.size)

    def _select(self, mask: int, told: Acked, now: float, least: float) -> None:
        fresh = mask & ~self._sacked
        if not fresh:
            return
        top = self._sacked.bit_length()
        if self._again:
            self._arrived_again(fresh, told, now, least)
        self._overtaken(fresh & ~self._again_mask)
        newest = fresh.bit_length() - 1
        if newest >= top and not self._again_mask >> newest & 1:
            train = self._train(self.oldest + newest)
            told.sent = train.sent
            if train.probe:
                told.got_probe = train.segment
        self._sacked |= fresh
        self._lost &= ~fresh
        self._again_mask &= ~fresh
        count = fresh.bit_count()
        told.packets += count
        told.bytes += count * self.size

    def _overtaken(self, fresh: int) -> None:
        """Some that have come only now were overtaken, not lost: packets so far apart change places on this path."""
        top = self._sacked.bit_length()
        late = fresh & ((1 << top) - 1)
        if late:
            self.reorder = min(_REORDER_MOST, max(self.reorder, top - (late & -late).bit_length() + 2))

    def _arrived_again(self, mask: int, told: Acked, now: float, least: float) -> None:
        """Of the packets that were sent again those of the mask are there."""
        for number in list(self._again):
            place = number - self.oldest
            if place >= 0 and mask >> place & 1:
                again = self._again.pop(number)
                if now - again.at < least / 2:
                    told.spurious = True
                    self.reorder = min(_REORDER_MOST, self.reorder * 2)

    # -- what is lost

    def _find_lost(self, told: Acked, long_ago: float) -> None:
        """Packets that others have overtaken far enough are lost, and so are those sent again before them or long ago.
        """
        reach = self._sacked.bit_length() - self.reorder
        if reach <= 0:
            reach = 0
        lost = ~(self._sacked | self._lost | self._again_mask) & ((1 << reach) - 1)
        if self._again:
            for number, again in list(self._again.items()):
                if again.behind <= self.oldest + reach or again.at < long_ago:
                    place = number - self.oldest
                    lost |= 1 << place
                    del self._again[number]
                    self._again_mask &= ~(1 << place)
        if lost:
            self._count_lost(lost, told)

    def _count_lost(self, lost: int, told: Acked) -> None:
        self._lost |= lost
        told.lost += lost.bit_count()
        if lost.bit_count() == 1:
            train = self._train(self.oldest + lost.bit_length() - 1)
            if train.probe:
                told.lost_probe = train.segment
                told.lost = 0

    def first_is_lost(self, told: Acked) -> None:
        """Acknowledgements without bits come again and again for the packet before the oldest."""
        if self.count and not (self._sacked | self._lost | self._again_mask) & 1:
            self._count_lost(1, told)

    def all_lost(self) -> None:
        """Nothing was heard for too long: what is not known to be there is to be sent again, slowly."""
        self._again.clear()
        self._again_mask = 0
        self._lost = ~self._sacked & ((1 << self.count) - 1)

    # -- sending again

    def again(self, now: float) -> tuple[Train, int] | None:
        """The first lost packet; it counts as on its way from now on."""
        if not self._lost:
            return None
        bit = self._lost & -self._lost
        return self._send(bit, now)

    def last(self, now: float) -> tuple[Train, int] | None:
        """The newest packet that is not known to be there, to find out what happened to those before it."""
        missing = ~self._sacked & ((1 << self.count) - 1)
        if not missing:
            return None
        return self._send(1 << missing.bit_length() - 1, now)

    def _send(self, bit: int, now: float) -> tuple[Train, int]:
        number = self.oldest + bit.bit_length() - 1
        self._lost &= ~bit
        self._again_mask |= bit
        self._again[number] = Again(now, self.next)
        return self._train(number), number

    def _train(self, number: int) -> Train:
        for train in self._trains:
            if number < train.stop:
                return train
        raise IndexError(number)

    def clear(self) -> None:
        self._trains.clear()
        self._again.clear()
        self._sacked = self._lost = self._again_mask = 0
        self.oldest = self.next
        self.bytes = 0
