from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from disk_content import Content, File, content, fill, read
from disk_content import Path as Names
from wildbach.base.errors import FormatError, StorageError
from wildbach.disk import moving
from wildbach.disk.files import FileOptions, FileStorage
from wildbach.disk.layout import Layout
from wildbach.disk.moving import adopt, delete, layout_from_json, layout_to_json, move, resume_move, take_up
from wildbach.disk.registry import PathRegistry
from wildbach.disk.resume import MemoryResume, ResumeRecord

WHAT = content(
    ("a", 20_000), ("sub/b", 90_000), ("empty", 0), ("sub/deep/c", 30_000),
    File(Names(("run",)), 100, executable=True), File(Names(("link",)), 0, symlink=Names(("sub", "b"))),
)
SIZE = 140_100


class Steps:
    """Runs calls at once; `before` may stop the move, or write, at any of them."""

    def __init__(self, before: Callable[[int], None] = lambda step: None) -> None:
        self.step = 0
        self.before = before

    async def run(self, fn: Callable[..., Any], *args: object) -> Any:
        self.before(self.step)
        self.step += 1
        return fn(*args)


class Stop(Exception):
    pass


@pytest.fixture(params=["rename", "copy", "clone"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As within a file system, and as between two (with and without shared blocks)."""
    if request.param != "rename":
        real = FileStorage.rename

        def rename(self: FileStorage, old: Any, new: Any) -> None:
            if old[0] != new[0]:
                raise OSError(18, "Invalid cross-device link")
            real(self, old, new)

        monkeypatch.setattr(FileStorage, "rename", rename)
        monkeypatch.setattr(moving, "STEP_BYTES", 16384)
    if request.param == "copy":
        monkeypatch.setattr(moving, "_clone", lambda source, target: False)
    return str(request.param)


def start(root: Path, what: Content = WHAT, **options: Any) -> tuple[FileStorage, ResumeRecord, MemoryResume]:
    storage = FileStorage(what, root, options=FileOptions(key="k", **options))
    record = ResumeRecord("k", save_path=str(root))
    store = MemoryResume()
    store.save(record)
    return storage, record, store


def whole(storage: FileStorage) -> None:
    assert read(storage, 0, SIZE) == WHAT.linear(0, SIZE)


def files_below(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_symlink() or not p.is_dir())


def test_a_torrent_moves_with_all_it_has(tmp_path: Path, way: str) -> None:
    storage, record, store = start(tmp_path / "old")
    storage.prepare()
    fill(storage, WHAT)
    storage.finish(range(6))
    storage.sync()
    seen: list[tuple[int, int]] = []
    (tmp_path / "old" / "thing" / "mine.txt").write_bytes(b"not the torrent's")
    asyncio.run(move(storage, Layout(str(tmp_path / "new")), record, store, Steps(lambda _: whole(storage)),
                     progress=lambda *a: seen.append(a)))
    whole(storage)
    assert files_below(tmp_path / "new") == [
        "thing/a", "thing/empty", "thing/link", "thing/run", "thing/sub/b", "thing/sub/deep/c"
    ]
    assert files_below(tmp_path / "old") == ["thing/mine.txt"]
    assert not (tmp_path / "old" / "thing" / "sub").exists()
    assert (tmp_path / "new" / "thing" / "link").read_bytes() == WHAT.data[1]
    assert (tmp_path / "new" / "thing" / "run").stat().st_mode & 0o100
    assert seen[-1] == (SIZE, SIZE)
    saved = store.load("k")
    assert saved is not None
    assert (saved.save_path, saved.moving) == (str(tmp_path / "new"), {})
    storage.close()


def test_a_move_that_was_cut_off_anywhere_goes_on_in_the_next_run(tmp_path: Path, way: str) -> None:
    class Cut(Exception):
        pass

    for stop in range(100):
        root = tmp_path / str(stop)
        storage, record, store = start(root / "old")
        fill(storage, WHAT)

        def before(step: int, stop: int = stop) -> None:
            if step == stop:
                raise Cut

        target = Layout(str(root / "new"), renames={0: ("other", "name")})
        finished = False
        with contextlib.suppress(Cut):
            asyncio.run(move(storage, target, record, store, Steps(before)))
            finished = True
        whole(storage)
        storage.close()
        saved = store.load("k")
        assert saved is not None
        later = FileStorage(
            WHAT, Layout(saved.save_path, saved.layout, saved.renames, saved.suffix), options=FileOptions(key="k")
        )
        unfinished = take_up(later, saved)
        assert unfinished == bool(saved.moving)
        whole(later)
        if unfinished:
            asyncio.run(resume_move(later, saved, store, Steps()))
            whole(later)
            assert files_below(root / "new") == ["other/name", "thing/link", "thing/run", "thing/sub/b",
                                                 "thing/sub/deep/c"]
            assert files_below(root / "old") == []
        later.close()
        if finished:
            assert stop > 5
            return
    pytest.fail("the move never ended")


def test_what_is_written_while_a_file_is_copied_is_not_lost(tmp_path: Path, way: str) -> None:
    storage, record, store = start(tmp_path / "old")
    fill(storage, WHAT, [0])
    order = list(range(1, WHAT.geometry.piece_count))

    def before(step: int) -> None:
        if order:
            fill(storage, WHAT, [order.pop()])

    asyncio.run(move(storage, Layout(str(tmp_path / "new")), record, store, Steps(before)))
    fill(storage, WHAT, order)
    whole(storage)
    assert not any(p.is_file() for p in (tmp_path / "old").rglob("*"))
    storage.close()


def test_nothing_is_touched_where_something_is_in_the_way(tmp_path: Path) -> None:
    storage, record, store = start(tmp_path / "old")
    fill(storage, WHAT)
    (tmp_path / "new" / "thing" / "sub").mkdir(parents=True)
    (tmp_path / "new" / "thing" / "sub" / "b").write_bytes(b"mine")
    for target in (Layout(str(tmp_path / "new")), Layout(str(tmp_path / "old"), renames={0: ("x",), 1: ("x",)})):
        with pytest.raises(StorageError) as caught:
            asyncio.run(move(storage, target, record, store, Steps()))
        assert caught.value.code == "target_exists"
    whole(storage)
    assert (tmp_path / "new" / "thing" / "sub" / "b").read_bytes() == b"mine"
    assert record.moving == {}
    storage.close()


def test_renaming_one_file_and_changing_the_suffix_stay_in_the_folder(tmp_path: Path) -> None:
    storage, record, store = start(tmp_path, suffix=".!wb")
    fill(storage, WHAT)
    storage.finish([1])
    asyncio.run(move(storage, Layout(str(tmp_path), renames={1: ("thing", "sub", "B")}, suffix=".part"), record, store,
                     Steps()))
    whole(storage)
    assert files_below(tmp_path) == [
        "thing/a.part", "thing/link", "thing/run.part", "thing/sub/B", "thing/sub/deep/c.part"
    ]
    storage.close()


def test_the_part_file_moves_along(tmp_path: Path, way: str) -> None:
    storage, record, store = start(tmp_path / "old")
    storage.select([0])
    fill(storage, WHAT, [0, 1])
    asyncio.run(move(storage, Layout(str(tmp_path / "new")), record, store, Steps()))
    assert read(storage, 16384, 16384) == WHAT.piece(1)[1]
    storage.select(range(6))
    assert read(storage, 16384, 16384) == WHAT.piece(1)[1]
    storage.close()


def test_numbers_stay_with_a_rename_and_go_with_a_copy(tmp_path: Path, way: str) -> None:
    retired: list[int] = []
    storage, record, store = start(tmp_path / "old", retired=retired.append)
    lent = storage.targets(0, 10)
    assert lent is not None
    storage.release(lent)
    asyncio.run(move(storage, Layout(str(tmp_path / "new")), record, store, Steps()))
    again = storage.targets(0, 10)
    assert again is not None
    storage.release(again)
    assert (again[0].file == lent[0].file) == (way == "rename")
    assert retired == ([] if way == "rename" else [lent[0].file])
    storage.close()


def test_layouts_are_kept_as_json() -> None:
    layout = Layout("/x", "none", {3: ("a", "b")}, ".part")
    assert layout_from_json(layout_to_json(layout)) == layout
    for raw in ({}, {"root": "/x", "kind": "none", "suffix": "", "renames": 3}):
        with pytest.raises(FormatError):
            layout_from_json(raw)  # type: ignore[arg-type]


def test_deleting_takes_what_the_torrent_made_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "dl"
    storage = FileStorage(WHAT, root, options=FileOptions(key="k", suffix=".!wb"))
    storage.prepare()
    fill(storage, WHAT)
    storage.finish([0, 5])
    (root / "thing" / "sub" / "mine.txt").write_bytes(b"mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c").write_bytes(b"not ours")
    (root / "thing" / "sub" / "deep" / "c.!wb").unlink()
    (root / "thing" / "sub" / "deep").rmdir()
    (root / "thing" / "sub" / "deep").symlink_to(outside)
    layout = storage.layout
    storage.close()
    assert delete(WHAT, [layout]) >= 4
    assert files_below(root) == ["thing/sub/deep", "thing/sub/mine.txt"]
    assert (outside / "c").read_bytes() == b"not ours"
    (root / "thing" / "sub" / "mine.txt").unlink()
    (root / "thing" / "sub" / "deep").unlink()
    delete(WHAT, [layout])
    assert list(root.iterdir()) == []
    assert delete(WHAT, [Layout(str(tmp_path / "never"))]) == 0


def test_deleting_one_of_two_torrents_spares_what_they_share(tmp_path: Path) -> None:
    bigger = content(("a", 20_000), ("sub/b", 90_000), ("extra", 5))
    layout = Layout(str(tmp_path))
    for what in (WHAT, bigger):
        storage = FileStorage(what, layout)
        fill(storage, what)
        storage.close()
    registry = PathRegistry()
    registry.register("one", layout.tops(WHAT))
    registry.register("two", layout.tops(bigger))
    registry.register("other", [str(tmp_path / "elsewhere")])
    assert registry.neighbours("one") == ("two",)
    delete(WHAT, [layout], [(bigger, layout)])
    assert files_below(tmp_path) == ["thing/a", "thing/extra", "thing/sub/b"]
    registry.unregister("one")
    assert registry.neighbours("two") == ()
    delete(bigger, [layout])
    assert files_below(tmp_path) == []


def test_one_torrent_at_a_time_writes_to_a_path(tmp_path: Path) -> None:
    registry = PathRegistry()
    one, two = (
        FileStorage(WHAT, tmp_path, options=FileOptions(key=key, claims=registry)) for key in ("one", "two")
    )
    fill(one, WHAT)
    assert read(two, 0, 10) == WHAT.linear(0, 10)
    with pytest.raises(StorageError) as caught:
        fill(two, WHAT, [0])
    assert caught.value.code == "in_use"
    assert "one" in caught.value.message
    one.finish([0])
    fill(two, WHAT, [0])
    one.close()
    fill(two, WHAT)
    two.close()
    with contextlib.closing(FileStorage(WHAT, tmp_path, options=FileOptions(key="one", claims=registry))) as one:
        fill(one, WHAT)


@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_is_on_disk_already_is_adopted(tmp_path: Path, link: bool) -> None:
    source = tmp_path / "have"
    source.write_bytes(WHAT.data[1])
    storage = FileStorage(WHAT, tmp_path / "dl", options=FileOptions(suffix=".!wb"))
    assert adopt(storage, 1, str(source), link=link)
    assert read(storage, 20_000, 90_000) == WHAT.data[1]
    storage.finish([1])
    assert (tmp_path / "dl" / "thing" / "sub" / "b").stat().st_nlink == (2 if link else 1)
    assert not adopt(storage, 1, str(source))
    assert not adopt(storage, 0, str(source))
    assert not adopt(storage, 3, str(tmp_path / "nothing"))
    os.mkfifo(tmp_path / "fifo")
    assert not adopt(storage, 3, str(tmp_path / "fifo"))
    storage.sync()
    storage.close()
