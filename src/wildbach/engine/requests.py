"""What one peer was asked for, in the order it was asked.

A run is a row of blocks in one chunk of one piece. Peers nearly always answer in order, so a block is matched against
the head of the first run: two comparisons. Anything else takes the slow road, which splits runs.
"""

from __future__ import annotations

from collections import deque

from wildbach.base.geometry import BLOCK
from wildbach.engine.openpiece import OpenPiece


class Run:
    """Blocks `block` <= b < `stop` of `piece`, still to come; `first` to `block` have come and are not noted yet."""

    __slots__ = ("asked", "block", "first", "piece", "stop")

    def __init__(self, piece: OpenPiece, first: int, stop: int, asked: float) -> None:
        self.piece = piece
        self.first = first
        self.block = first
        self.stop = stop
        self.asked = asked


class Outstanding:
    """The runs one peer owes us."""

    __slots__ = ("blocks", "runs")

    def __init__(self) -> None:
        self.runs: deque[Run] = deque()
        self.blocks = 0
        "Blocks asked and not come."

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
            if run.piece.index == index and run.block <= block < run.stop:
                self.blocks -= 1
                if block == run.block:
                    run.block += 1
                    run.first = run.block
                    if run.block == run.stop:
                        del self.runs[at]
                elif block + 1 == run.stop:
                    run.stop = block
                else:
                    self.runs.insert(at + 1, Run(run.piece, block + 1, run.stop, run.asked))
                    run.stop = block
                return run.piece, block
        return None

    def drop_piece(self, index: int) -> list[Run]:
        """Forget what was asked of one piece."""
        gone = [run for run in self.runs if run.piece.index == index]
        if gone:
            self.runs = deque(run for run in self.runs if run.piece.index != index)
            self.blocks -= sum(run.stop - run.block for run in gone)
        return gone

    def clear(self) -> list[Run]:
        """Forget all of it; returns the runs so that their blocks can be asked elsewhere."""
        runs = list(self.runs)
        self.runs.clear()
        self.blocks = 0
        return runs
