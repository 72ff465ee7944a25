"""What one peer was asked for, in the order it was asked.

A run is a row of blocks in one chunk of one piece. Peers nearly always answer in order, so a block is matched against
the head of the first run: two comparisons. Anything else takes the slow road, which splits runs.
"""

from __future__ import annotations

from collections import deque

from wildbach.base.geometry import BLOCK
from wildbach.engine.openpiece import OpenPiece


class Run:
    """Blocks from `block` to `stop` of `piece`, still to come; `first` to `block` have come and are not noted yet."""

    __slots__ = ("asked", "block", "first", "index", "offset", "piece", "stop", "view")

    def __init__(self, piece: OpenPiece, first: int, stop: int, asked: float) -> None:
        self.piece = piece
        self.index = piece.index
        self.first = first
        self.block = first
        self.stop = stop
        self.asked = asked
        self.offset = first * BLOCK
        "Where the next block begins in the piece."
        self.view = piece.memory(first)
        "The memory of the chunk the run lies in."


class Outstanding:
    """The runs one peer owes us."""

    __slots__ = ("blocks", "runs")

    def __init__(self) -> None:
        self.runs: deque[Run] = deque()
        self.blocks = 0
        "Blocks asked and not come."

    @property
    def oldest(self) -> float:
        """When the oldest of them was asked; there must be one."""
        return self.runs[0].asked

    def add(self, run: Run) -> None:
        self.runs.append(run)
        self.blocks += run.stop - run.block

    def take(self, index: int, offset: int) -> tuple[OpenPiece, int] | None:
        """Take one block out, wherever it stands: its piece and number, or None where it was not asked.

        Every run's progress is noted before this is called, so `first` equals `block`.
        """
        block, odd = divmod(offset, BLOCK)
        if odd:
            return None
        for at, run in enumerate(self.runs):
            if run.index == index and run.block <= block < run.stop:
                self.blocks -= 1
                if block == run.block:
                    run.block += 1
                    run.first = run.block
                    run.offset += BLOCK
                    if run.block == run.stop:
                        del self.runs[at]
                elif block + 1 == run.stop:
                    run.stop = block
                else:
                    self.runs.insert(at + 1, Run(run.piece, block + 1, run.stop, run.asked))
                    run.stop = block
                return run.piece, block
        return None

    def mask(self, index: int) -> int:
        """The blocks of a piece that are owed, as bits."""
        out = 0
        for run in self.runs:
            if run.index == index:
                out |= (1 << run.stop) - (1 << run.block)
        return out

    def drop_piece(self, index: int) -> int:
        """Forget what was asked of one piece; returns how many blocks that were."""
        kept = [run for run in self.runs if run.index != index]
        if len(kept) == len(self.runs):
            return 0
        count = sum(run.stop - run.block for run in self.runs if run.index == index)
        # In place: somebody may be walking along the row.
        self.runs.clear()
        self.runs.extend(kept)
        self.blocks -= count
        return count

    def cut(self, run: Run, stop: int) -> None:
        """Forget the end of a run from block `stop` on, or all of it."""
        self.blocks -= run.stop - stop
        run.stop = stop
        if run.stop == run.block:
            self.runs.remove(run)

    def clear(self) -> list[Run]:
        """Forget all of it; returns the runs so that their blocks can be asked elsewhere."""
        runs = list(self.runs)
        self.runs.clear()
        self.blocks = 0
        return runs
