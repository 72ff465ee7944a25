from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_torrents import CONTENT, torrent_of, write_content
from wildbach.base.errors import StorageError
from wildbach.disk.inplace import InPlaceFiles
from wildbach.disk.layout import Layout

OLD = 1_000_000_000
"Seconds: long ago."


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[InPlaceFiles]:
    write_content(tmp_path / "things", CONTENT)
    for path in tmp_path.rglob("*"):
        os.utime(path, (OLD, OLD))
    made = again(tmp_path)
    yield made
    made.close()


def again(folder: Path) -> InPlaceFiles:
    return InPlaceFiles(torrent_of().info, Layout(str(folder)))


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*") if path.is_file()
    }


def read(storage: InPlaceFiles, length: int = 100) -> bytes:
    data = bytearray(length)
    storage.read_into(0, [memoryview(data)])
    return bytes(data)


def test_what_is_there_is_read_and_looks_the_same_in_another_run(storage: InPlaceFiles, tmp_path: Path) -> None:
    mark = storage.mark()
    assert mark and storage.altered() == ""
    assert read(storage) == CONTENT["a.bin",][:100]
    assert storage.try_read(0, [memoryview(bytearray(100))]) in (True, False)
    assert again(tmp_path).mark() == mark


def test_nothing_writes_makes_renames_or_removes_anything(storage: InPlaceFiles, tmp_path: Path) -> None:
    (tmp_path / "things" / "zero").unlink()
    before = everything(tmp_path)
    for refused in (
        lambda: storage.write(0, [memoryview(b"x")]), lambda: storage.targets(0, 1), lambda: storage.drop(0),
        lambda: storage.create(str(tmp_path), ("new",)),
        lambda: storage.rename((str(tmp_path), ("things",)), (str(tmp_path), ("thongs",))),
    ):
        with pytest.raises(StorageError) as error:
            refused()
        assert error.value.code == "in_place"
    storage.prepare()
    storage.select([1])
    storage.finish(range(len(storage.content.files)))
    storage.found(0, 40_000)
    storage.sync()
    storage.rest()
    storage.close()
    assert everything(tmp_path) == before


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("way", ["written", "replaced", "shorter", "gone"])
def test_what_is_not_what_it_was_is_never_given_away(
    storage: InPlaceFiles, tmp_path: Path, way: str, opened: bool,
) -> None:
    mark = storage.mark()
    path = tmp_path / "things" / "a.bin"
    if opened:
        read(storage)
    match way:
        case "written":
            with path.open("r+b") as file:
                file.write(b"other")
        case "replaced":
            (tmp_path / "other").write_bytes(path.read_bytes()[::-1])
            os.replace(tmp_path / "other", path)
        case "shorter":
            os.truncate(path, 50)
        case _:
            path.unlink()
    assert storage.altered() == str(path)
    assert storage.altered([1]) == ""
    if opened and way in ("replaced", "gone"):
        assert read(storage) == CONTENT["a.bin",][:100], "it is the old file that is open"
        storage.rest()
    assert not storage.try_read(0, [memoryview(bytearray(100))])
    with pytest.raises(StorageError) as error:
        read(storage)
    assert error.value.code in ("changed", "short_file", "missing")
    assert again(tmp_path).mark() != mark


def test_files_that_were_written_just_now_are_looked_at_again_in_the_next_run(
    storage: InPlaceFiles, tmp_path: Path,
) -> None:
    (tmp_path / "things" / "a.bin").write_bytes(CONTENT["a.bin",])
    assert storage.mark() == ""
