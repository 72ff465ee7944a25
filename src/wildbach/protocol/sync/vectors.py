"""Version vectors: which change of a path knew of which other change.

A vector has a counter for each device that ever changed the path. One that has no smaller counter anywhere knew of the
other; two of which neither did are concurrent: nobody saw both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId

_COUNTER_BYTES: Final = 8
_WIDTH: Final = DeviceId.SIZE + _COUNTER_BYTES


class Order(Enum):
    """How one vector stands to another."""

    EQUAL = "equal"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


class VersionVector:
    """Counters by device, none of them 0. A value: it never changes, and equal ones have the same hash."""

    __slots__ = ("_counters",)

    def __init__(self, counters: Mapping[DeviceId, int] | Iterable[tuple[DeviceId, int]] = ()) -> None:
        found = dict(counters)
        if any(not 0 < count <= limits.SYNC_COUNTER for count in found.values()):
            raise LimitError(f"a counter is not from 1 to SYNC_COUNTER = {limits.SYNC_COUNTER}")
        if len(found) > limits.SYNC_DEVICES:
            raise LimitError(f"a vector names more than SYNC_DEVICES = {limits.SYNC_DEVICES} devices")
        self._counters = tuple(sorted(found.items()))

    @property
    def counters(self) -> tuple[tuple[DeviceId, int], ...]:
        """In the order of the devices."""
        return self._counters

    def counter(self, device: DeviceId) -> int:
        """0 where the device never changed the path."""
        return next((count for each, count in self._counters if each == device), 0)

    def order(self, other: VersionVector) -> Order:
        """How this stands to `other`: AFTER where it knew of it and of more."""
        if self._counters == other._counters:
            return Order.EQUAL
        mine, others = dict(self._counters), dict(other._counters)
        more = any(count > others.get(device, 0) for device, count in self._counters)
        less = any(count > mine.get(device, 0) for device, count in other._counters)
        if more and less:
            return Order.CONCURRENT
        return Order.AFTER if more else Order.BEFORE

    def knew(self, other: VersionVector) -> bool:
        """True where no counter of `other` is greater: equal, or after it."""
        mine = dict(self._counters)
        return all(count <= mine.get(device, 0) for device, count in other._counters)

    def union(self, *others: VersionVector) -> VersionVector:
        """The smallest vector that knew of all of them."""
        found = dict(self._counters)
        for other in others:
            for device, count in other._counters:
                if count > found.get(device, 0):
                    found[device] = count
        return VersionVector(found)

    def bumped(self, device: DeviceId, wall: float) -> VersionVector:
        """The vector of a change by `device` that knew of this one, at `wall` seconds.

        Its counter is the time where that is more: a device whose data base was restored from a back-up still counts
        forward. Raises LimitError where there is no greater counter.
        """
        found = dict(self._counters)
        at = min(max(int(wall), 0), limits.SYNC_COUNTER)
        found[device] = max(found.get(device, 0) + 1, at)
        return VersionVector(found)

    def pack(self) -> bytes:
        """24 bytes a device: its id, and the counter as a big-endian number."""
        return b"".join(device + count.to_bytes(_COUNTER_BYTES, "big") for device, count in self._counters)

    @classmethod
    def unpack(cls, raw: bytes, where: str = "vector") -> VersionVector:
        """What `pack` made, spelt in the one way there is. Raises FormatError for anything else."""
        if len(raw) % _WIDTH:
            raise FormatError(f"{len(raw)} bytes are not whole counters", where=where)
        if len(raw) // _WIDTH > limits.SYNC_DEVICES:
            raise LimitError(f"names more than SYNC_DEVICES = {limits.SYNC_DEVICES} devices", where=where)
        pairs: list[tuple[DeviceId, int]] = []
        for at in range(0, len(raw), _WIDTH):
            device = DeviceId(raw[at : at + DeviceId.SIZE])
            count = int.from_bytes(raw[at + DeviceId.SIZE : at + _WIDTH], "big")
            if not 0 < count <= limits.SYNC_COUNTER:
                raise FormatError("a counter is out of range", where=where)
            if pairs and device <= pairs[-1][0]:
                raise FormatError("devices are out of order", where=where)
            pairs.append((device, count))
        made = cls.__new__(cls)
        made._counters = tuple(pairs)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionVector) and self._counters == other._counters

    def __hash__(self) -> int:
        return hash(self._counters)

    def __bool__(self) -> bool:
        return bool(self._counters)

    def __repr__(self) -> str:
        return "<" + " ".join(f"{device.hex()[:6]}:{count}" for device, count in self._counters) + ">"


NOTHING: Final = VersionVector()
"The vector of a path that nobody ever changed."
