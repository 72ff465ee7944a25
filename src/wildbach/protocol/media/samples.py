"""The sample tables of one mp4 track: when each keyframe is shown, and where it stands.

Tables are kept as runs, as the file has them: a claim of four thousand million samples takes no memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import mul

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.media.boxes import columns, first, number, numbers

_KEYFRAMES_APART = 0.5
"Seconds, where each sample is one."


class _Runs:
    """Numbers of samples, and a value that all samples of such a run have."""

    def __init__(self, counts: array[int], values: array[int], *, negative: bool = False) -> None:
        self._starts = array("Q", accumulate(counts, initial=0))
        self.values = values
        self._negative = negative

    @property
    def samples(self) -> int:
        return self._starts[-1]

    def at(self, sample: int) -> int:
        """The value of a sample, counted from 0; 0 beyond the last."""
        if sample >= self.samples:
            return 0
        value = self.values[bisect_right(self._starts, sample) - 1]
        return value - (1 << 32) if self._negative and value >> 31 else value

    def start(self, run: int) -> int:
        return self._starts[run]

    def run(self, sample: int) -> int:
        return min(bisect_right(self._starts, sample), len(self.values)) - 1


class Samples:
    """FormatError where a table is missing or does not fit the others."""

    def __init__(self, table: memoryview, scale: int) -> None:
        self._scale = scale
        stts = first(table, b"stts")
        counts, deltas = columns(stts, 8, number(stts, 4, 4), 2)
        self._times = _Runs(counts, deltas)
        try:
            self._clock = array("Q", accumulate(map(mul, counts, deltas), initial=0))
        except OverflowError:
            raise FormatError("the samples take longer than can be", where="stts") from None
        ctts = first(table, b"ctts")
        # Times of display may lie before those of decoding in version 1; writers of version 0 do it too.
        self._later = _Runs(*columns(ctts, 8, number(ctts, 4, 4), 2), negative=True) if ctts else None
        stss = first(table, b"stss")
        self._sync = numbers(stss, 8, number(stss, 4, 4)) if stss else None
        wide = first(table, b"co64")
        narrow = first(table, b"stco")
        self._chunks = numbers(wide, 8, number(wide, 4, 4), 8) if wide else numbers(narrow, 8, number(narrow, 4, 4))
        self._layout(first(table, b"stsc"))
        self._read_sizes(table)

    def _layout(self, stsc: memoryview) -> None:
        begins, self._per_chunk, _ = columns(stsc, 8, number(stsc, 4, 4), 3)
        self._run_chunk = begins
        if begins and (begins[0] != 1 or any(b <= a for a, b in pairwise(begins))):
            raise FormatError("runs of chunks do not rise", where="stsc")
        if 0 in self._per_chunk:
            raise FormatError("a chunk without samples", where="stsc")
        lengths = (b - a for a, b in pairwise(begins))
        try:
            self._run_sample = array("Q", accumulate(map(mul, lengths, self._per_chunk), initial=0))
        except OverflowError:
            raise FormatError("more samples than can be", where="stsc") from None

    def _read_sizes(self, table: memoryview) -> None:
        self._same_size = 0
        self._sizes: Sequence[int] = ()
        stsz = first(table, b"stsz")
        if not stsz:
            stz2 = first(table, b"stz2")
            width = number(stz2, 7, 1) // 8
            if width not in (1, 2):
                raise FormatError("sizes of samples in half bytes", where="stz2")
            raw = bytes(stz2[12 : 12 + number(stz2, 8, 4) * width])
            pairs = zip(raw[::2], raw[1::2], strict=False)
            self._sizes = raw if width == 1 else array("H", (a << 8 | b for a, b in pairs))
            return
        self._same_size = number(stsz, 4, 4)
        if not self._same_size:
            self._sizes = numbers(stsz, 12, number(stsz, 8, 4))

    def keyframes(self) -> Iterator[tuple[float, int]]:
        """When and where, in the order of the samples. Where each sample is one: some that are half a second apart."""
        chunk, sample, offset = -1, 0, 0
        for wanted in self._starts():
            found = self._chunk_of(wanted)
            if found is None:
                continue
            if found[0] != chunk or wanted < sample:
                chunk, sample = found
                offset = self._chunks[chunk]
            offset += self._bytes(sample, wanted)
            sample = wanted
            yield self._shown(wanted), offset

    def _starts(self) -> Iterable[int]:
        """The samples, counted from 0, of which keyframes are told."""
        if self._sync is not None:
            return (counted - 1 for counted in self._sync[:: 1 + len(self._sync) // (limits.MEDIA_KEYFRAMES * 4)])
        seconds = self._clock[-1] / self._scale
        count = self._times.samples
        return range(0, count, max(1, count // max(1, min(limits.MEDIA_KEYFRAMES, int(seconds / _KEYFRAMES_APART)))))

    def chunks(self, most: int) -> Iterator[tuple[float, int]]:
        """When they are decoded and where chunks begin; evenly taken where there are more than `most`."""
        run = 0
        for chunk in range(0, len(self._chunks), 1 + len(self._chunks) // most):
            while run + 1 < len(self._run_chunk) and self._run_chunk[run + 1] <= chunk + 1:
                run += 1
            if run >= len(self._run_chunk):
                return
            sample = self._run_sample[run] + (chunk + 1 - self._run_chunk[run]) * self._per_chunk[run]
            yield self._decoded(sample) / self._scale, self._chunks[chunk]

    def _chunk_of(self, sample: int) -> tuple[int, int] | None:
        """The chunk of a sample, counted from 0, and its first sample; None where there is none."""
        run = min(bisect_right(self._run_sample, sample), len(self._run_chunk)) - 1
        if sample < 0 or run < 0:
            return None
        into = (sample - self._run_sample[run]) // self._per_chunk[run]
        chunk = self._run_chunk[run] - 1 + into
        if chunk >= len(self._chunks):
            return None
        return chunk, self._run_sample[run] + into * self._per_chunk[run]

    def _bytes(self, start: int, end: int) -> int:
        """Of the samples from `start` up to `end`."""
        if self._same_size:
            return self._same_size * (end - start)
        return sum(self._sizes[start:end])

    def _shown(self, sample: int) -> float:
        """When a sample is shown, in seconds."""
        return (self._decoded(sample) + (self._later.at(sample) if self._later else 0)) / self._scale

    def _decoded(self, sample: int) -> int:
        """When a sample is decoded, in ticks."""
        run = self._times.run(sample)
        if run < 0:
            return 0
        into = min(sample, self._times.samples) - self._times.start(run)
        ticks: int = self._clock[run] + into * self._times.values[run]
        return ticks
