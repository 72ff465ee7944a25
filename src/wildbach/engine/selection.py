"""Which files of a torrent are wanted, and which of them first. Pad files are never wanted for themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Final

from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.engine.options import Select
from wildbach.protocol.metainfo.info import Info

HIGHEST: Final = 7
_YES: Final = ord("1")


class Selection:
    """A priority for each file: 0 is not wanted, 7 comes first."""

    __slots__ = ("_info", "_pieces", "priorities")

    def __init__(
        self, info: Info, select: Select | None, remembered: Sequence[int] = (), *, excluded: Collection[int] = (),
    ) -> None:
        """What was remembered counts where it fits; else `select` chooses, None for all but the excluded files."""
        self._info = info
        self._pieces: int | None = None
        if len(remembered) == len(info.files):
            self.priorities = list(remembered)
            return
        self.priorities = [
            0 if file.pad or index in excluded or (select is not None and not select(index, file)) else 1
            for index, file in enumerate(info.files)
        ]

    @property
    def chosen(self) -> bool:
        """It is not simply all files, alike."""
        files = zip(self.priorities, self._info.files, strict=True)
        return any(priority != (0 if file.pad else 1) for priority, file in files)

    @property
    def wanted(self) -> list[int]:
        """The files to keep."""
        return [index for index, priority in enumerate(self.priorities) if priority > 0]

    def change(self, priorities: Mapping[int, int]) -> None:
        """Files left out keep theirs. Raises UsageError, and changes nothing then."""
        for index, priority in priorities.items():
            if not 0 <= index < len(self.priorities) or not 0 <= priority <= HIGHEST:
                raise UsageError(f"no file {index} or no priority {priority}")
        for index, priority in priorities.items():
            self.priorities[index] = priority
        self._pieces = None

    @property
    def pieces(self) -> int:
        """The pieces of all wanted files."""
        if self._pieces is None:
            self._pieces = sum(self.levels())  # they are disjoint
        return self._pieces

    def levels(self, *, ends_first: bool = False) -> list[int]:
        """Disjoint sets of pieces by priority, the highest first. A piece of two files gets the higher one. With
        `ends_first` the first and the last piece of each wanted file come before all others.
        """
        geometry = self._info.geometry
        count, length, files = geometry.piece_count, geometry.piece_length, geometry.files
        levels, seen = [], 0
        if ends_first:
            ends = bytearray(b"0") * count
            for index in self.wanted:
                pieces = geometry.file_pieces(index)
                if pieces:
                    ends[pieces.start] = ends[pieces.stop - 1] = _YES
            seen = bitfield.of_flags(bytes(ends))
            levels.append(seen)
        flags: dict[int, bytearray] = {}
        at = 0
        # Files that follow each other and are wanted alike are one row of pieces.
        for priority, row in groupby(self.priorities):
            first, at = at, at + sum(1 for _ in row)
            begin, end = files[first].offset, files[at - 1].offset + files[at - 1].length
            if priority > 0 and end > begin:
                mine = flags.setdefault(priority, bytearray(b"0") * count)
                start, stop = begin // length, -(-end // length)
                mine[start:stop] = b"1" * (stop - start)
        for priority in sorted({p for p in self.priorities if p > 0}, reverse=True):
            mask = bitfield.of_flags(bytes(flags.get(priority, b"")))
            levels.append(mask & ~seen)
            seen |= mask
        return levels
