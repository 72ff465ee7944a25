"""Which files of a torrent are wanted, and which of them first. Pad files are never wanted for themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.engine.options import Select
from wildbach.protocol.metainfo.info import Info

HIGHEST: Final = 7


class Selection:
    """A priority for each file: 0 is not wanted, 7 comes first."""

    __slots__ = ("_info", "_pieces", "priorities")

    def __init__(
        self, info: Info, select: Select | None, remembered: Sequence[int] = (), *, excluded: Collection[int] = (),
    ) -> None:
        """What was remembered counts where it fits; else `select` chooses, None for all but the excluded files."""
        self._info = info
        self._pieces: int | None = None
        "Of the wanted files, once somebody asked: with 100,000 files that takes a third of a second."
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
        width = bitfield.width_of(geometry.piece_count)
        levels, seen = [], 0
        if ends_first:
            for index in self.wanted:
                pieces = geometry.file_pieces(index)
                if pieces:
                    seen |= bitfield.span(pieces.start, pieces.start + 1, width)
                    seen |= bitfield.span(pieces.stop - 1, pieces.stop, width)
            levels.append(seen)
        for priority in sorted({p for p in self.priorities if p > 0}, reverse=True):
            mask = 0
            for index, own in enumerate(self.priorities):
                if own == priority:
                    pieces = geometry.file_pieces(index)
                    mask |= bitfield.span(pieces.start, pieces.stop, width)
            levels.append(mask & ~seen)
            seen |= mask
        return levels
