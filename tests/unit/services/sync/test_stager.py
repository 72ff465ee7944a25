"""Small files are on the disk before they get their names, written by several threads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.syncsim.made import entry

from wildbach.base.errors import StorageError
from wildbach.base.ids import FolderId
from wildbach.disk.folder.staging import Staged
from wildbach.protocol import layers
from wildbach.services.sync import stager
from wildbach.services.sync.hands import failed
from wildbach.services.sync.place import Place
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.stager import Stager, Written
from wildbach.services.sync.store import FolderStore


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "folder").mkdir()
    store = FolderStore(tmp_path / "x.db")
    made = Place(tmp_path / "folder", FolderId(b"\1" * 32), store)
    made.begin(new=True)
    yield made
    made.close()
    store.close()


def op(path: str, content: bytes, **different: object) -> Op:
    root = layers.file_root(layers.leaf_hashes(content))
    made = replace(entry(path, "x"), root=root, size=len(content), mtime_ns=1_000_000_000, executable=path == "run")
    return Op(Act.INSTALL, path, made, **different)  # type: ignore[arg-type]  # fields by name


def write(place: Place, ops: list[Op], content: dict[bytes, bytes]) -> Written:
    made = Stager()
    try:
        return asyncio.run(made.write(ops, content, place.installer))
    finally:
        made.close()


def left(place: Place, tmp_path: Path) -> list[str]:
    return [each.name for each in (tmp_path / "folder" / ".wildbach" / "tmp").iterdir()]


def test_files_are_written_by_threads_and_get_their_names_in_turn(place: Place, tmp_path: Path) -> None:
    data = {f"f{number}": b"%d" % number * 100 for number in range(70)} | {"run": b"#!"}
    ops = [op(path, content) for path, content in data.items()]
    written = write(place, ops, {each.entry.root: data[each.path] for each in ops if each.entry is not None})
    assert written.keys() == data.keys()
    assert all(isinstance(each, Staged) and each.sealed for each in written.values())
    with place.hands.batch():
        for each in ops:
            staged = written[each.path]
            assert isinstance(staged, Staged)
            assert place.hands.do(each, staged).why is None
    folder = tmp_path / "folder"
    assert {path: (folder / path).read_bytes() for path in data} == data
    assert (folder / "run").stat().st_mode & 0o100 and not (folder / "f1").stat().st_mode & 0o100
    assert (folder / "f1").stat().st_mtime_ns == 1_000_000_000 and left(place, tmp_path) == []


def test_what_is_replaced_keeps_its_mode_and_what_is_not_here_is_left_to_others(place: Place) -> None:
    here, other = op("here", b"abc"), op("other", b"def")
    (place.path / "old").write_bytes(b"old")
    (place.path / "old").chmod(0o600)
    seen = place.look([""], lambda: False).changes["old"]
    old = op("old", b"abc", expect=seen)
    assert here.entry is not None
    written = write(place, [here, other, old], {here.entry.root: b"abc"})
    assert list(written) == ["here", "old"]
    staged = written.pop("old")
    assert isinstance(staged, Staged)
    assert place.hands.do(old, staged).why is None
    assert (place.path / "old").read_bytes() == b"abc" and (place.path / "old").stat().st_mode & 0o777 == 0o600
    stager.discard(written)


def test_what_is_not_used_goes_and_an_error_is_that_of_its_file(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    good, bad = op("good", b"abc"), op("bad", b"def")
    assert good.entry is not None and bad.entry is not None
    whole = Staged.write

    def full(self: Staged, offset: int, data: bytes | memoryview) -> None:
        if data == b"def":
            raise StorageError("no room", code="disk_full")
        whole(self, offset, data)

    monkeypatch.setattr(Staged, "write", full)
    written = write(place, [good, bad], {good.entry.root: b"abc", bad.entry.root: b"def"})
    error = written["bad"]
    assert isinstance(error, StorageError)
    assert failed(bad, error).why is Why.NO_ROOM
    assert len(left(place, tmp_path)) == 1
    stager.discard(written)
    assert left(place, tmp_path) == []
