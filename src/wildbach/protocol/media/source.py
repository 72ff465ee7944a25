"""A file of which only asked-for ranges are known: parsers are generators that yield what they want to read.

Every parser of this package draws on one budget of reads and bytes, so none of them can be led around for ever.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, NamedTuple, TypeVar

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

WINDOW: Final = 64 * limits.KIB
"Read around a small thing that is looked at: what follows it is often wanted too."
PEEK: Final = 16 * limits.KIB
"The same in places far from each other: one block of a swarm."


class Want(NamedTuple):
    """A range that has to be read. It lies within the file."""

    offset: int
    length: int


T = TypeVar("T")
Pull = Generator[Want, bytes, T]
"A parser: yields ranges, is sent the bytes of each, and returns what it found."


class Source:
    """The file as far as it was read. Two windows are kept: the beginning, and the last."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._reads = 0
        self._bytes = 0
        self._looks = 0
        self._held: list[tuple[int, bytes]] = []

    def get(self, offset: int, length: int, ahead: int = WINDOW) -> Pull[bytes]:
        """Exactly that range. One that is not in the file is a FormatError."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise FormatError(f"{length} bytes at {offset} of a file of {self.size}", where="range")
        for start, data in self._held:
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        begun = b""
        for start, data in self._held:
            if start <= offset < start + len(data):
                begun = data[offset - start :]
        want = Want(offset + len(begun), min(max(length, ahead), self.size - offset) - len(begun))
        self._spend(want.length)
        data = begun + (yield want)
        self._held = [*self._held[:1], (offset, data)]
        return data[:length]

    def look(self) -> None:
        """One more box or element is looked at; LimitError where that were too many."""
        self._looks += 1
        if self._looks > limits.MEDIA_BOXES:
            raise LimitError(f"more than {limits.MEDIA_BOXES} boxes", where="boxes")

    def _spend(self, length: int) -> None:
        self._reads += 1
        self._bytes += length
        if self._reads > limits.MEDIA_READS:
            raise LimitError(f"the index takes more than {limits.MEDIA_READS} reads", where="index")
        if self._bytes > limits.MEDIA_SCAN_BYTES:
            raise LimitError(f"the index takes more than {limits.MEDIA_SCAN_BYTES} bytes", where="index")
