"""What readers have fetched first: what is due at once, what is due soon, and what they come to after that."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from wildbach.base import bitfield
from wildbach.base.geometry import BLOCK
from wildbach.engine.hashes import Fetched, FileTree
from wildbach.engine.picker import NO_FOCUS, Focus, Picker
from wildbach.engine.reader import Reader
from wildbach.engine.reading import Readers
from wildbach.engine.state import State
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.runtime.workers import Threads
from wildbach.testing.content import content

PIECE = 1 << 20
PIECES = 200
RATE = 1e6


class FakeFetcher:
    peers = 1

    def want_leaves(self, tree: FileTree, piece: int, piece_hash: bytes, *, twice: bool = False) -> None:
        pass

    def forget_leaves(self, root: bytes, piece: int) -> None:
        pass


class FakeDownloads:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.watched: dict[int, None] = {}
        self.on_watched: Any = None

    def take_back(self, now: float) -> None:
        self.calls.append("take back")

    def hurry(self, now: float) -> None:
        self.calls.append("hurry")


class Bed:
    """A torrent whose readers play 1 MB a second, so a piece is about one second."""

    state = State.DOWNLOADING
    reason = code = ""

    def __init__(self, kind: str) -> None:
        made = Metainfo.parse(_made(kind))
        self.now = 100.0
        self.downloads = FakeDownloads()
        self.picker = Picker(made.info.geometry, 0, Random(1))
        self.content: Any = SimpleNamespace(picker=self.picker, downloads=self.downloads)
        self.holdings: Any = None
        root = made.info.files[0].root
        layer = made.piece_layers[root] if root is not None else b""
        hashes: Any = {n: layer[n * 32 : n * 32 + 32] for n in range(PIECES)} if layer else None
        self.root = root
        self.threads = Threads(1)
        self.readers = Readers(self, made.info, hashes, FakeFetcher(), lambda: self.now, self.threads)  # type: ignore[arg-type]  # as much of a torrent as is needed

    def ask_for_hashes(self) -> None:
        self.downloads.calls.append("hashes")

    def focused(self) -> None:
        self.downloads.calls.append("focused")

    def reader(self, position: int, *, waits: bool = True) -> Reader:
        reader = self.readers.open(0)
        reader.playing(position, RATE)
        if waits:
            reader._waiting[object()] = position
        self.readers.plan(self.now, jumped=True)
        return reader

    @property
    def focus(self) -> Focus:
        return self.picker.focus

    @property
    def warm(self) -> list[int]:
        return list(bitfield.indices(self.focus.warm, self.picker.width))

    def leaves(self, piece: int) -> None:
        assert self.root is not None
        self.readers.leaves_found(Fetched(FileTree(self.root, PIECES * PIECE, PIECE), piece, bytes(64 * 32)))
        self.readers.plan(self.now)


_kept: dict[str, bytes] = {}


def _made(kind: str) -> bytes:
    if kind not in _kept:
        _kept[kind] = content(PIECE * PIECES, PIECE, kind=kind, data=bytes(PIECE * PIECES)).torrent  # type: ignore[arg-type]  # `v1` or `v2`
    return _kept[kind]


@pytest.fixture(params=["v1", "v2"])
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    yield Bed(request.param)


def test_twenty_seconds_have_deadlines_and_the_next_two_minutes_are_warm(bed: Bed) -> None:
    bed.reader(10 * PIECE)
    assert list(bed.focus.deadlines) == list(range(10, 30))
    assert bed.focus.deadlines[10] == pytest.approx(bed.now) and bed.focus.deadlines[15] == pytest.approx(
        bed.now + 5 * PIECE / RATE)
    assert bed.warm[0] == 30 and len(bed.warm) in range(90, 101)
    assert bed.focus.rate == pytest.approx(RATE)


def test_only_what_is_due_within_two_seconds_presses(bed: Bed) -> None:
    bed.reader(10 * PIECE)
    every = (1 << PIECE // BLOCK) - 1
    assert bed.focus.pressing[10] == every and bed.focus.pressing[11] and bed.focus.pressing[12] == 0


def test_of_v2_the_blocks_before_the_reader_are_left_out(bed: Bed) -> None:
    bed.reader(10 * PIECE + 5 * BLOCK + 7)
    if bed.root is None:
        assert not bed.focus.first, "the whole piece is needed"
        assert bed.focus.pressing[10] == (1 << PIECE // BLOCK) - 1
    else:
        assert bed.focus.first[10] == (1 << PIECE // BLOCK) - (1 << 5)
        assert bed.focus.pressing[10] & 0b11111 == 0 and bed.focus.pressing[10] >> 5 & 1
        bed.leaves(10)
        assert list(bed.downloads.watched) == [10], "news of it wake the reader"


def test_what_is_had_is_not_planned(bed: Bed) -> None:
    bed.picker.have = bitfield.span(10, 14, bed.picker.width)
    bed.reader(10 * PIECE)
    assert next(iter(bed.focus.deadlines)) == 14
    assert bed.focus.pressing[14] == 0, "it is due in four seconds"


def test_a_jump_takes_back_what_was_asked_then_asks_for_hashes_then_for_blocks(bed: Bed) -> None:
    bed.reader(10 * PIECE)
    assert bed.downloads.calls[:4] == ["take back", "hashes", "hurry", "focused"]
    bed.downloads.calls.clear()
    bed.readers.plan(bed.now + 0.2)
    assert bed.downloads.calls == ["hashes"], "nothing else is wanted than before"


def test_several_readers_are_planned_together(bed: Bed) -> None:
    one, _ = bed.reader(10 * PIECE), bed.reader(100 * PIECE)
    assert {10, 29, 100, 119} <= bed.focus.deadlines.keys() and 60 not in bed.focus.deadlines
    one.close()
    assert 10 not in bed.focus.deadlines and 100 in bed.focus.deadlines


def test_without_readers_nothing_comes_first(bed: Bed) -> None:
    reader = bed.reader(10 * PIECE)
    reader.close()
    assert bed.focus == NO_FOCUS and not bed.picker.has_deadlines


def test_at_the_end_of_the_file_there_is_nothing_more(bed: Bed) -> None:
    bed.reader((PIECES - 3) * PIECE)
    assert list(bed.focus.deadlines) == [PIECES - 3, PIECES - 2, PIECES - 1] and not bed.warm
