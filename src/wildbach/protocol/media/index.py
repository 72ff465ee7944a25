"""What is known of a film or song: its tracks, its keyframes, and which second stands at which byte.

An index never changes and answers for every number: seconds lie within 0 … `duration`, offsets within 0 … `size`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

_LONGEST_GAP: Final = 60.0
"Seconds between two marks that belong together; with more the later one is of something else."


class Keyframe(NamedTuple):
    """A place where decoding can start."""

    seconds: float
    offset: int
    "Of the picture, or of the fragment or cluster that has to be read for it."
    length: int
    "Bytes from here to the next keyframe, or to the end."


class Mark(NamedTuple):
    """At this byte it is that time."""

    offset: int
    seconds: float


@dataclass(frozen=True, slots=True)
class MediaTrack:
    number: int
    "As the file numbers it."
    kind: str
    "`video`, `audio`, `subtitle` or `other`."
    codec: str
    "A usual short name (`h264`, `aac`, `ass`), or what the file calls it."
    language: str = ""
    "As the file says it (`eng`, `de-CH`); empty where it does not."
    title: str = ""


@dataclass(frozen=True, slots=True)
class MediaIndex:
    """Of one file of `size` bytes. Make it with `made`."""

    container: str
    "`mp4`, `matroska`, `webm`, `mp3`, `flac`, `ogg`, `wav`, `avi` or `mpegts`."
    size: int
    duration: float
    tracks: tuple[MediaTrack, ...]
    title: str
    times: tuple[float, ...]
    "Of the keyframes, rising; empty where the file does not tell them."
    places: tuple[int, ...]
    "The offset of each."
    mark_offsets: tuple[int, ...]
    "Rising; at least one."
    mark_seconds: tuple[float, ...]

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        return tuple(
            Keyframe(at, place, self._end(n) - place)
            for n, (at, place) in enumerate(zip(self.times, self.places, strict=True))
        )

    def keyframe(self, seconds: float) -> float:
        """The time of the keyframe at or before; without known keyframes the time itself."""
        if not self.times:
            return min(max(0.0, seconds), self.duration)
        return self.times[max(0, bisect_right(self.times, seconds) - 1)]

    def offset(self, seconds: float) -> int:
        """Where that time stands; exact at a keyframe, estimated between two."""
        if not self.times:
            return self._linear(seconds)
        n = max(0, bisect_right(self.times, seconds) - 1)
        start, place = self.times[n], self.places[n]
        end = self.times[n + 1] if n + 1 < len(self.times) else self.duration
        if seconds <= start or end <= start:
            return place
        share = min(1.0, (seconds - start) / (end - start))
        return place + int(share * (self._end(n) - place))

    def seconds(self, offset: int) -> float:
        """What time it is at that byte."""
        n = bisect_right(self.mark_offsets, offset) - 1
        if n < 0:
            return self.mark_seconds[0]
        place, start = self.mark_offsets[n], self.mark_seconds[n]
        last = n + 1 == len(self.mark_offsets)
        next_place, end = (self.size, self.duration) if last else (self.mark_offsets[n + 1], self.mark_seconds[n + 1])
        if next_place <= place or end <= start or (end > start + _LONGEST_GAP and not last):
            return start
        # The sum may be more than the end by the last digit.
        return min(start + min(1.0, (offset - place) / (next_place - place)) * (end - start), end)

    def _end(self, n: int) -> int:
        """Where what begins with that keyframe ends. Keyframes may stand in any order; most stand in that of time."""
        place = self.places[n]
        if n + 1 < len(self.places) and self.places[n + 1] > place:
            return self.places[n + 1]
        m = bisect_right(self.mark_offsets, place)
        return self.size if m == len(self.mark_offsets) or n + 1 == len(self.places) else self.mark_offsets[m]

    def _linear(self, seconds: float) -> int:
        start = self.mark_offsets[0]
        if self.duration <= 0:
            return start
        return start + int(min(1.0, max(0.0, seconds / self.duration)) * (self.size - start))


def made(
    container: str,
    size: int,
    duration: float,
    tracks: Iterable[MediaTrack] = (),
    *,
    title: str = "",
    keyframes: Iterable[tuple[float, int]] = (),
    marks: Iterable[Mark] = (),
    start: int = 0,
) -> MediaIndex | None:
    """An index of what was found, None where it says nothing of times.

    `keyframes` (seconds, offset) and `marks` may come in any order; those that do not lie in the file are left out.
    `start` is where the first byte of the content stands, where no mark says so. A length that cannot be is a
    FormatError.
    """
    keys = _thinned(sorted({(max(0.0, at), place) for at, place in keyframes if 0 <= place < size}))
    known = sorted({Mark(place, max(0.0, at)) for place, at in marks if 0 <= place < size})
    if not known:
        known = sorted(Mark(place, at) for at, place in keys)
    if not 0 <= duration <= limits.MEDIA_SECONDS or (keys and keys[-1][0] > limits.MEDIA_SECONDS):
        raise FormatError(f"a length of {duration:.3g} seconds", where="duration")
    if keys:
        duration = max(duration, keys[-1][0])
    if duration <= 0:
        return None
    if not known:
        known = [Mark(min(max(0, start), size), 0.0)]
    known = _first_of_each(known)
    return MediaIndex(
        container, size, duration, tuple(tracks), title[: limits.MEDIA_TEXT_CHARS],
        tuple(at for at, _ in keys), tuple(place for _, place in keys),
        tuple(mark.offset for mark in known), tuple(min(mark.seconds, duration) for mark in known),
    )


def _thinned(keys: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """At most so many as the limit permits, and one for each time."""
    out: list[tuple[float, int]] = []
    step = keys[-1][0] / limits.MEDIA_KEYFRAMES if len(keys) > limits.MEDIA_KEYFRAMES else 0.0
    for key in keys:
        if not out or (key[0] > out[-1][0] and key[0] >= out[-1][0] + step):
            out.append(key)
    return out[: limits.MEDIA_KEYFRAMES]


def _first_of_each(marks: Sequence[Mark]) -> list[Mark]:
    out: list[Mark] = []
    for mark in marks:
        if not out or mark.offset > out[-1].offset:
            out.append(mark)
    return out


def text(raw: bytes) -> str:
    """A text of a file, bounded and printable."""
    decoded = raw[: limits.MEDIA_TEXT_CHARS * 4].split(b"\0")[0].decode("utf-8", "replace")
    return "".join(char for char in decoded if char.isprintable())[: limits.MEDIA_TEXT_CHARS]


def within(count: int, limit: int, what: str) -> None:
    """LimitError where there is more than may be."""
    if count > limit:
        raise LimitError(f"{count} where {limit} are allowed", where=what)
