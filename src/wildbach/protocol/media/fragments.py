"""mp4 files in fragments: each `moof` says what the `mdat` behind it holds (ISO/IEC 14496-12, 8.8).

Three things tell where the fragments are, looked for in this order: `sidx` behind `moov`, `mfra` at the end of the
file, and the fragments themselves, of which only the first are walked through, as each costs a read far away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.media.boxes import Box, boxes, first, number, read_head, signed
from wildbach.protocol.media.index import text, within
from wildbach.protocol.media.source import PEEK, Pull, Source

_NOT_SYNC: Final = 0x10000
_TAIL: Final = 16 * limits.KIB


class _Defaults(NamedTuple):
    """Of the samples of a track where a fragment does not say it."""

    duration: int
    size: int
    flags: int


class Movie:
    """What `moov` says of the whole film."""

    def __init__(self, moov: memoryview) -> None:
        mvhd = first(moov, b"mvhd")
        wide = number(mvhd, 0, 1) == 1
        self.timescale = number(mvhd, 20 if wide else 12, 4)
        length = number(mvhd, 24 if wide else 16, 8 if wide else 4)
        mvex = first(moov, b"mvex")
        self.fragmented = bool(mvex)
        if mehd := first(mvex, b"mehd"):
            length = number(mehd, 4, 8 if mehd[0] == 1 else 4)
            wide = mehd[0] == 1
        unknown = (1 << (64 if wide else 32)) - 1
        self.duration = length / self.timescale if self.timescale and length != unknown else 0.0
        self.defaults: dict[int, _Defaults] = {}
        for kind, content in boxes(mvex):
            if kind == b"trex" and len(self.defaults) < limits.MEDIA_TRACKS:
                values = [number(content, at, 4) for at in (4, 12, 16, 20)]
                self.defaults[values[0]] = _Defaults(*values[1:])
        self.title = _title(moov)


def _title(moov: memoryview) -> str:
    """As iTunes and ffmpeg write it: udta/meta/ilst/©nam/data."""
    meta = first(moov, b"udta", b"meta")
    return text(bytes(first(meta[4:], b"ilst", b"\xa9nam", b"data")[8:1000]))


@dataclass
class Found:
    keyframes: list[tuple[float, int]] = field(default_factory=list)
    "Seconds, and where the `moof` stands that has to be read for it."
    duration: float = 0.0
    "Seconds that the fragments take together, where all of them are known."


def scan(source: Source, at: int, movie: Movie, track: int, scale: int) -> Pull[Found]:
    """The keyframes of that track, in the fragments of the file from `at` on."""
    found = yield from _by_sidx(source, at, track)
    if not found.keyframes:
        found = yield from _by_mfra(source, track, scale)
    if not found.keyframes:
        found = yield from _walked(source, at, movie, track, scale)
    return found


def _by_sidx(source: Source, at: int, track: int) -> Pull[Found]:
    """Indexes that stand before the first fragment. Those of other tracks are for want of a better one."""
    other = Found()
    for _ in range(limits.MEDIA_TRACKS):
        box = yield from read_head(source, at)
        if box is None or box.kind in (b"moof", b"mdat"):
            break
        if box.kind == b"sidx":
            own, found = yield from _sidx(source, box, track, limits.MEDIA_DEPTH)
            if own:
                return found
            if not other.keyframes:
                other = found
        at = box.end
    return other


def _sidx(source: Source, box: Box, track: int, depth: int) -> Pull[tuple[bool, Found]]:
    """Whether it is about that track, and what it says. It may lead to further ones, which all cost a read."""
    within(box.end - box.start, limits.MEDIA_INDEX_BYTES, "sidx")
    data = memoryview((yield from source.get(box.start, box.end - box.start)))
    width = 8 if number(data, 0, 1) == 1 else 4
    own, scale = number(data, 4, 4) == track, number(data, 8, 4)
    if scale == 0:
        raise FormatError("an index counts in no time", where="sidx")
    ticks = number(data, 12, width)
    place = box.end + number(data, 12 + width, width)
    found = Found()
    for n in range(number(data, 14 + 2 * width, 2)):
        at = 16 + 2 * width + n * 12
        kind_and_size = number(data, at, 4)
        if kind_and_size >> 31:
            if depth <= 0:
                raise LimitError(f"indexes of indexes, {limits.MEDIA_DEPTH} deep", where="sidx")
            inner = yield from read_head(source, place)
            if inner is not None and inner.kind == b"sidx":
                _, deeper = yield from _sidx(source, inner, track, depth - 1)
                found.keyframes += deeper.keyframes
                within(len(found.keyframes), limits.MEDIA_CUES, "sidx")
        else:
            found.keyframes.append((ticks / scale, place))
        ticks += number(data, at + 4, 4)
        place += kind_and_size & 0x7FFFFFFF
    found.duration = ticks / scale
    return own, found


def _by_mfra(source: Source, track: int, scale: int) -> Pull[Found]:
    """The index at the end of the file, which names its own length in its last bytes."""
    length = min(source.size, _TAIL)
    tail = yield from source.get(source.size - length, length)
    found = Found()
    if length < 24 or tail[-12:-8] != b"mfro":
        return found
    whole = int.from_bytes(tail[-4:], "big")
    if not 24 <= whole <= min(source.size, limits.MEDIA_INDEX_BYTES):
        return found
    data = memoryview((yield from source.get(source.size - whole, whole)))
    if bytes(data[4:8]) != b"mfra":
        return found
    for kind, content in boxes(data, 8):
        if kind == b"tfra" and number(content, 4, 4) == track and not found.keyframes:
            found.keyframes = _tfra(content, scale)
    return found


def _tfra(content: memoryview, scale: int) -> list[tuple[float, int]]:
    width = 8 if number(content, 0, 1) == 1 else 4
    lengths = number(content, 8, 4)
    row = 2 * width + sum(1 + (lengths >> shift & 3) for shift in (0, 2, 4))
    count = number(content, 12, 4)
    within(count, limits.MEDIA_CUES, "tfra")
    return [
        (number(content, at, width) / scale, number(content, at + width, width))
        for at in range(16, 16 + count * row, row)
    ]


def _walked(source: Source, at: int, movie: Movie, track: int, scale: int) -> Pull[Found]:
    found = Found()
    clock = 0
    fragments = 0
    while fragments < limits.MEDIA_FRAGMENTS and (box := (yield from read_head(source, at))) is not None:
        if box.kind == b"moof":
            fragments += 1
            within(box.end - box.start, limits.MIB, "moof")
            data = yield from source.get(box.start, box.end - box.start, PEEK)
            keys, clock = _moof(memoryview(data), box.head, movie, track, clock)
            found.keyframes += ((ticks / scale, place) for ticks, place in keys)
        at = box.end
    if at == source.size:
        found.duration = clock / scale
    return found


def _moof(data: memoryview, head: int, movie: Movie, track: int, clock: int) -> tuple[list[tuple[int, int]], int]:
    """The keyframes of one fragment in ticks, each with where it stands, and the clock at its end.

    The first of a fragment stands where the fragment begins, as this has to be read for it.
    """
    keys: list[tuple[int, int]] = []
    for kind, traf in boxes(data):
        if kind != b"traf":
            continue
        tfhd = first(traf, b"tfhd")
        if number(tfhd, 4, 4) != track:
            continue
        base, defaults = _tfhd(tfhd, head, movie.defaults.get(track, _Defaults(0, 0, 0)))
        if tfdt := first(traf, b"tfdt"):
            clock = number(tfdt, 4, 8 if tfdt[0] == 1 else 4)
        place = base
        for name, content in boxes(traf):
            if name == b"trun":
                place, clock = _trun(content, base, place, defaults, clock, keys)
    if keys:
        keys[0] = (keys[0][0], head)
    return keys, clock


def _tfhd(tfhd: memoryview, head: int, defaults: _Defaults) -> tuple[int, _Defaults]:
    flags = number(tfhd, 1, 3)
    at = 8
    base = head
    if flags & 1:
        base = number(tfhd, at, 8)
        at += 8
    if flags & 2:
        at += 4
    values = list(defaults)
    for n, bit in enumerate((8, 16, 32)):
        if flags & bit:
            values[n] = number(tfhd, at, 4)
            at += 4
    return base, _Defaults(*values)


def _trun(
    data: memoryview, base: int, place: int, defaults: _Defaults, clock: int, keys: list[tuple[int, int]]
) -> tuple[int, int]:
    """Adds the keyframes of one run of samples; where it ends, and the clock there."""
    flags, count = number(data, 1, 3), number(data, 4, 4)
    at = 8
    if flags & 1:
        place = base + signed(data, at, 4)
        at += 4
    first_flags = None
    if flags & 4:
        first_flags = number(data, at, 4)
        at += 4
    fields = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
    if not any(fields):
        # All samples are alike, so there may be any number of them: only the first can be told from the others.
        if count and not (defaults.flags if first_flags is None else first_flags) & _NOT_SYNC:
            keys.append((clock, place))
        return place + count * defaults.size, clock + count * defaults.duration
    within(count, limits.MEDIA_RUNS // 100, "trun")
    for n in range(count):
        values = [defaults.duration, defaults.size, defaults.flags, 0]
        for m, there in enumerate(fields):
            if there:
                values[m] = number(data, at, 4)
                at += 4
        if n == 0 and first_flags is not None:
            values[2] = first_flags
        if not values[2] & _NOT_SYNC:
            later = values[3] - (1 << 32) if values[3] >> 31 else values[3]
            keys.append((clock + later, place))
        place += values[1]
        clock += values[0]
    return place, clock
