"""A kept folder on a real disk: the marker, patterns, scans; and what a plan's operations do there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.syncsim.made import entry

from wildbach.base import limits
from wildbach.base.errors import StorageError
from wildbach.base.ids import FolderId
from wildbach.disk.folder.marker import Finding
from wildbach.disk.folder.staging import partial
from wildbach.protocol.sync.entries import EntryKind
from wildbach.services.sync.hands import Known, file_of, seen_of
from wildbach.services.sync.place import DiskNames, Place, first_patterns, folder_at, make_directory, write_text
from wildbach.services.sync.planner import Act, Op, Why
from wildbach.services.sync.store import FolderStore

FOLDER, OTHER = FolderId(b"\1" * 32), FolderId(b"\2" * 32)


class Bed:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "folder"
        self.path.mkdir()
        self.store = FolderStore(root / "x.db")
        self.place = Place(self.path, FOLDER, self.store)
        self.finding = self.place.begin(new=True)

    def again(self, folder: FolderId = FOLDER) -> Finding:
        self.place.close()
        self.place = Place(self.path, folder, self.store)
        return self.place.begin(new=False)

    def write(self, name: str, content: bytes) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_bytes(content)

    def scan(self) -> set[str]:
        """Scan all, and remember what was found; the paths that changed."""
        found = self.place.look([""], lambda: False)
        for path, seen in found.changes.items():
            self.store.put_seen(path, seen)
        self.store.commit()
        return set(found.changes)

    def op(self, act: Act, path: str, content: str = "", source: str | None = None, **different: object) -> Op:
        made = replace(entry(path, content), **different)  # type: ignore[arg-type]  # fields by name
        return Op(
            act, path, made, expect=self.store.local.get(path), source=source,
            source_expect=self.store.local.get(source) if source is not None else None)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.place.close()
    made.store.close()


# -- the marker

def test_a_folder_is_marked_and_known_again(bed: Bed) -> None:
    assert bed.finding is Finding.SAME and (bed.path / ".wildbach" / "id").is_file()
    assert bed.again() is Finding.SAME
    bed.place.check()


def test_a_folder_without_its_mark_is_not_looked_at(bed: Bed) -> None:
    bed.write("a", b"1")
    assert bed.scan() == {"a"}
    (bed.path / ".wildbach" / "id").unlink()
    with pytest.raises(StorageError):
        bed.place.check()
    assert bed.again() is Finding.MISSING


def test_another_folder_at_the_path_and_an_unplugged_disk_are_noticed(bed: Bed, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "y.db")
    away = Place(bed.path, OTHER, store)
    assert away.begin(new=True) is Finding.SAME
    away.close()
    store.close()
    assert bed.again() is Finding.OTHER_FOLDER
    os.rename(bed.path, tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        bed.place.check()


def test_a_data_base_that_is_older_than_the_mark_is_noticed(bed: Bed) -> None:
    bed.place.reserve(1_800_000_000.0)
    bed.store.set_number("marker_most", 5)
    raw = bed.store.fact("marker")
    assert raw is not None
    bed.store.put_fact("marker", raw.replace(raw[raw.index(b'"sequence": ') + 12 : raw.index(b", \"device")], b"5"))
    bed.store.commit()
    assert bed.again() is Finding.DATABASE_IS_OLDER


# -- patterns

def test_patterns_are_written_read_and_taken_away(bed: Bed) -> None:
    write_text(bed.place, ".wbignore", "*.o\n")
    bed.place.read_ignores()
    bed.write("a.o", b"1")
    bed.write("a.c", b"1")
    assert "a.o" not in bed.scan() and bed.place.patterns(".wbignore") == b"*.o\n"
    write_text(bed.place, ".wbignore", "")
    write_text(bed.place, ".wbignore", "")
    bed.place.read_ignores()
    assert bed.scan() == {"a.o"} and not list((bed.path / ".wildbach" / "tmp").iterdir())


def test_patterns_that_another_device_made_a_link_are_not_read(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("*\n")
    write_text(bed.place, ".wbignore", "*.o\n")
    bed.place.read_ignores()
    (bed.path / ".wbignore.shared").symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError):
        bed.place.patterns(".wbignore.shared")
    bed.place.read_ignores()
    assert bed.place.ignore_problem and bed.place.ignores.rule("a.o", folder=False), "those of before hold"


def test_without_patterns_that_were_ever_read_nothing_is_looked_at(bed: Bed) -> None:
    (bed.path / ".wbignore").symlink_to("/dev/zero")
    bed.again()
    bed.write("a", b"1")
    with pytest.raises(StorageError):
        bed.place.look([""], lambda: False)
    (bed.path / ".wbignore").unlink()
    bed.place.read_ignores()
    assert bed.scan() == {"a"} and bed.place.ignore_problem == ""


def test_patterns_without_end_are_an_error_and_not_read_whole(bed: Bed) -> None:
    bed.write(".wbignore", b"a\n" * limits.SYNC_IGNORE_BYTES)
    assert len(bed.place.patterns(".wbignore")) == limits.SYNC_IGNORE_BYTES + 1
    bed.place.read_ignores()
    assert "SYNC_IGNORE_BYTES" in bed.place.ignore_problem


# -- small things

def test_a_small_file_is_read_whole_or_not_at_all(bed: Bed) -> None:
    bed.write("a", b"12345")
    assert [bed.place.read("a", size) for size in (5, 4, 6)] == [b"12345", b"", b""]


def test_where_no_directory_can_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        make_directory(tmp_path / "file" / "x")
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")


@pytest.mark.parametrize(("name", "good"), [("a", True), ("ä" * 100, True), ("x" * 255, True), ("x" * 256, False)])
def test_names_that_no_disk_takes_are_known(name: str, good: bool) -> None:
    assert DiskNames().storable(name) is good


# -- operations

def test_what_is_known_of_a_file_is_the_same_both_ways(bed: Bed) -> None:
    bed.write("a", b"1")
    bed.scan()
    seen = bed.store.local.get("a")
    assert seen is not None and seen_of(file_of("a", seen)) == seen


def test_a_file_is_copied_renamed_changed_and_deleted(bed: Bed) -> None:
    bed.write("a", b"one")
    bed.scan()
    done = bed.place.hands.do(bed.op(Act.COPY, "dir/b", "one", "a", mtime_ns=5_000_000_000))
    assert done.why is None and (bed.path / "dir" / "b").read_bytes() == b"one"
    assert (bed.path / "dir" / "b").stat().st_mtime == 5
    bed.scan()
    done = bed.place.hands.do(bed.op(Act.RENAME, "c", "one", "dir/b", executable=True))
    assert done.seen is not None and done.seen.executable and not (bed.path / "dir" / "b").exists()
    bed.scan()
    done = bed.place.hands.do(bed.op(Act.META, "c", "one", executable=False, mtime_ns=9_000_000_000))
    assert done.why is None and (bed.path / "c").stat().st_mtime == 9
    bed.scan()
    done = bed.place.hands.do(bed.op(Act.DELETE, "c", "one", deleted=True))
    assert done.why is None and not (bed.path / "c").exists()
    assert [each.path for each in bed.place.versions.history("c")] == ["c"]


def test_what_a_user_changed_meanwhile_stays_and_is_scanned_first(bed: Bed) -> None:
    bed.write("a", b"one")
    bed.scan()
    gone = bed.op(Act.DELETE, "a", "one", deleted=True)
    bed.write("a", b"by the user")
    done = bed.place.hands.do(gone)
    assert done.why is Why.NOT_SCANNED and done.error is not None
    assert (bed.path / "a").read_bytes() == b"by the user"


def test_a_directory_with_something_in_it_that_is_not_kept_stays(bed: Bed) -> None:
    bed.write("d/left out", b"1")
    bed.scan()
    assert bed.place.hands.do(bed.op(Act.RMDIR, "d", kind=EntryKind.DIR)).why is Why.NOT_EMPTY
    (bed.path / "d" / "left out").unlink()
    assert bed.place.hands.do(bed.op(Act.RMDIR, "d", kind=EntryKind.DIR)).why is None
    assert not (bed.path / "d").exists()


def test_a_link_is_made_and_nothing_is_written_through_it(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = Op(Act.INSTALL, "l", entry("l", str(tmp_path / "outside"), kind=EntryKind.LINK))
    assert bed.place.hands.do(link).why is None
    assert os.readlink(bed.path / "l") == str(tmp_path / "outside")
    bed.write("a", b"one")
    bed.scan()
    assert bed.place.hands.do(bed.op(Act.COPY, "l/x", "one", "a")).why is not None
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_name_that_the_disk_does_not_take_is_a_reason(bed: Bed) -> None:
    bed.write("a", b"one")
    bed.scan()
    done = bed.place.hands.do(bed.op(Act.COPY, "x" * 300, "one", "a"))
    assert done.why in (Why.UNSTORABLE, Why.DISK) and done.seen is None


def test_a_copy_of_what_is_not_here_any_more_is_not_made(bed: Bed) -> None:
    bed.write("a", b"one")
    bed.scan()
    op = bed.op(Act.COPY, "b", "one", "a")
    (bed.path / "a").unlink()
    assert bed.place.hands.do(op).why is not None and not (bed.path / "b").exists()


def test_a_content_with_another_hash_is_never_put_in_place(bed: Bed) -> None:
    bed.write("a", b"one")
    bed.scan()
    wrong = bed.op(Act.COPY, "b", "one", "a", root=hashlib.sha256(b"another").digest())
    assert bed.place.hands.do(wrong).why is not None and not (bed.path / "b").exists()


def test_what_changed_again_after_a_scan_is_taken_out_of_what_it_found(bed: Bed) -> None:
    bed.write("a", b"1")
    bed.write("b", b"1")
    found = bed.place.look([""], lambda: False)
    bed.write("a", b"22")
    assert bed.place.hands.confirmed(found) == ["a"] and set(found.changes) == {"b"}


def test_patterns_of_a_new_folder_do_not_take_the_place_of_others(tmp_path: Path) -> None:
    first_patterns(tmp_path, "*.o\n")
    first_patterns(tmp_path, "*.log\n")
    assert (tmp_path / ".wbignore").read_text() == "*.o\n"
    with pytest.raises(StorageError):
        first_patterns(tmp_path / "away", "*.o\n")


def test_a_directory_that_is_not_there_or_shut_is_said(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "f.db")
    (tmp_path / "file").write_text("x")
    try:
        for name in ("away", "file", "file/below"):
            with pytest.raises(StorageError) as caught:
                Place(tmp_path / name, FolderId(bytes(32)), store)
            assert caught.value.code == "folder_gone"
            assert folder_at(tmp_path / name) is None
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(StorageError):
            Place(tmp_path / "loop", FolderId(bytes(32)), store)
        with pytest.raises(StorageError):
            folder_at(tmp_path / "loop")
    finally:
        store.close()


def test_what_came_of_files_that_are_still_wanted_is_there_after_a_start(bed: Bed) -> None:
    other, gone = entry("film", "before" * 5000), entry("old", "y" * 5000)
    for path, why in (("film", Why.COMING), ("away", Why.NOWHERE)):
        bed.store.put_heads(path, (entry(path, path * 5000),))
        bed.store.hold(path, why)
    bed.store.commit()
    kept = {partial(head.root, head.size) for path in ("film", "away") for head in bed.store.world.get(path)}
    tmp = bed.path / ".wildbach" / "tmp"
    for name in (*kept, partial(other.root, other.size), partial(gone.root, gone.size), "0123456789abcdef"):
        (tmp / name).write_bytes(b"part")
    bed.write("mine", b"1")
    assert bed.again() is Finding.SAME
    assert {each.name for each in tmp.iterdir()} == kept and (bed.path / "mine").read_bytes() == b"1"
    # While it runs, what is at work stays, and what nobody wants any more goes.
    busy = partial(gone.root, gone.size)
    (tmp / busy).write_bytes(b"part")
    assert bed.place.sweep([busy]) == 0
    bed.store.hold("film", None)
    assert bed.place.sweep([]) == 2 and len(list(tmp.iterdir())) == 1


def test_of_a_name_that_is_not_unicode_nothing_is_known_and_that_it_goes_is_no_error(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "folder.db")
    known = Known(store)
    assert known.get("bad\udcff") is None and known.children("bad\udcff") == []
    store.close()
