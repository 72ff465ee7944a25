from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disk_content import content, fill, read
from wildbach.disk.files import FileStorage
from wildbach.disk.parts import Slots, data_ranges

THREE = content(("a", 20_000), ("b", 50_000), ("c", 20_000))


def part_files(root: Path) -> list[Path]:
    return list(root.glob(".*.wbparts"))


def test_bytes_of_unwanted_files_go_to_the_part_file(tmp_path: Path) -> None:
    storage = FileStorage(THREE, tmp_path)
    storage.select([0, 2])
    pieces = [0, 1, 4, 5]  # those that hold bytes of a or c
    fill(storage, THREE, pieces)
    storage.sync()
    assert {p.name for p in (tmp_path / "thing").iterdir()} == {"a", "c"}
    assert len(part_files(tmp_path)) == 1
    for piece in pieces:
        offset, data = THREE.piece(piece)
        assert read(storage, offset, len(data)) == data
    storage.close()
    later = FileStorage(THREE, tmp_path)
    later.select([0, 2])
    assert read(later, *[16384, 16384]) == THREE.piece(1)[1]
    later.close()


def test_a_file_that_becomes_wanted_takes_its_bytes_along(tmp_path: Path) -> None:
    storage = FileStorage(THREE, tmp_path)
    storage.select([0, 2])
    fill(storage, THREE, [0, 1, 4, 5])
    storage.select([0, 1, 2])
    assert not part_files(tmp_path)
    assert read(storage, 16384, 16384) == THREE.piece(1)[1]
    fill(storage, THREE, [2, 3])
    assert (tmp_path / "thing" / "b").read_bytes() == THREE.data[1]
    storage.close()


def test_promotion_is_made_up_for_after_a_crash(tmp_path: Path) -> None:
    storage = FileStorage(THREE, tmp_path)
    storage.select([0])
    fill(storage, THREE, [0, 1])
    storage.sync()
    storage.close()
    (tmp_path / "thing" / "b.~wb").write_bytes(b"left by a crash")
    later = FileStorage(THREE, tmp_path)
    later.select([0, 1])
    assert read(later, 16384, 16384) == THREE.piece(1)[1]
    assert not (tmp_path / "thing" / "b.~wb").exists()
    later.close()


def test_a_file_given_up_late_stays_where_it_is(tmp_path: Path) -> None:
    storage = FileStorage(THREE, tmp_path)
    fill(storage, THREE, [1, 2])
    storage.select([0])
    fill(storage, THREE, [3])
    assert read(storage, 16384, 3 * 16384) == THREE.linear(16384, 3 * 16384)
    assert not part_files(tmp_path)
    storage.close()


def test_a_late_piece_inside_an_unwanted_file_makes_the_file(tmp_path: Path) -> None:
    storage = FileStorage(THREE, tmp_path)
    storage.select([0])
    fill(storage, THREE, [1, 3])
    assert read(storage, 16384, 16384) == THREE.piece(1)[1]
    assert read(storage, 3 * 16384, 16384) == THREE.piece(3)[1]
    assert (tmp_path / "thing" / "b").exists()
    storage.close()


def test_v2_never_needs_a_part_file(tmp_path: Path) -> None:
    what = content(("a", 20_000), ("b", 50_000), v2=True)
    assert len(Slots(what.geometry)) == 0
    storage = FileStorage(what, tmp_path)
    storage.select([0])
    fill(storage, what, [0, 1])
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a"]
    storage.close()


def test_other_processes_are_not_sent_to_the_part_file(tmp_path: Path) -> None:
    storage = FileStorage(THREE, tmp_path)
    storage.select([0])
    assert storage.targets(16384, 16384) is None
    lent = storage.targets(0, 16384)
    assert lent is not None
    storage.release(lent)
    storage.close()


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 40_000), min_size=2, max_size=7),
    rounds=st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=4), again=st.booleans(),
)
def test_no_change_of_wishes_loses_a_byte(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], rounds: list[set[int]], again: bool
) -> None:
    what = content(*((f"f{i}", n) for i, n in enumerate(lengths)))
    root = tmp_path_factory.mktemp("s")
    storage = FileStorage(what, root)
    held: set[int] = set()
    for wanted in [*rounds, set(range(len(lengths)))]:
        chosen = sorted(i for i in wanted if i < len(lengths))
        if again:
            storage.sync()
            storage.close()
            storage = FileStorage(what, root)
        storage.select(chosen)
        pieces = {p for f in chosen for p in what.geometry.file_pieces(f)} - held
        fill(storage, what, sorted(pieces))
        held |= pieces
        for piece in sorted(held):
            offset, data = what.piece(piece)
            assert read(storage, offset, len(data)) == data
    assert not part_files(root)
    storage.close()


def test_holes_are_skipped_where_the_file_system_tells(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with open(path, "wb") as file:
        file.truncate(8 << 20)
        file.seek(4 << 20)
        file.write(b"x" * 4096)
    fd = os.open(path, os.O_RDONLY)
    ranges = list(data_ranges(fd, 0, 8 << 20))
    assert sum(n for _, n in ranges) < 1 << 20
    assert any(at <= 4 << 20 < at + n for at, n in ranges)
    assert list(data_ranges(fd, 0, 1 << 20)) == []
    os.close(fd)
