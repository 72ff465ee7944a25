"""Changes done on the disk, and a crash or an error in each of their calls."""

from __future__ import annotations

import errno
import random

import pytest

from folderbed import START, Bed, root_of
from wildbach.base.errors import StorageError
from wildbach.disk.folder import names
from wildbach.disk.folder.local import (
    BadName,
    Blocked,
    FolderError,
    NoRoom,
    Shadowed,
    Stale,
    WrongContent,
)
from wildbach.disk.folder.names import Traits
from wildbach.disk.folder.staging import Range
from wildbach.protocol.sync.entries import EntryKind
from wildbach.testing.fakefs import Crash

OLD, NEW = b"old content", b"the new content"
KINDS = {
    "links": {},
    "exchange": {"hard_links": False},
    "copies": {"hard_links": False, "exchanges": False},
}
TRAITS = {
    "links": Traits(),
    "exchange": Traits(hard_links=False),
    "copies": Traits(hard_links=False, exchanges=False, no_replace=False),
}


def bed(kind: str = "links", **options) -> Bed:
    made = Bed(traits=TRAITS[kind], **KINDS[kind], **options)
    made.fs.put("a.txt", OLD)
    made.fs.put("d/b.txt", b"other")
    made.fs.put("d/sub/c", b"deep")
    made.fs.symlink("d/b.txt", "l")
    made.scan()
    made.fs.sync_all()
    return made


def replace(bed: Bed) -> None:
    bed.install("a.txt", NEW, bed.known("a.txt"), executable=True)


def create(bed: Bed) -> None:
    bed.install("d/new", NEW)


def aside(bed: Bed) -> None:
    bed.install("a.txt", NEW, bed.known("a.txt"), aside="a (conflict).txt")


def delete(bed: Bed) -> None:
    bed.installer.delete(bed.known("a.txt"))


def delete_link(bed: Bed) -> None:
    bed.installer.delete(bed.known("l"))


def relink(bed: Bed) -> None:
    with bed.installer.staging.link("elsewhere") as staged:
        bed.installer.install(staged, "l", bed.known("l"))


def move(bed: Bed) -> None:
    bed.installer.move(bed.known("a.txt"), "d/moved")


def move_folder(bed: Bed) -> None:
    bed.installer.move(bed.known("d"), "e")


def make_dir(bed: Bed) -> None:
    bed.installer.make_dir("d/n")


def remove_dir(bed: Bed) -> None:
    bed.installer.delete(bed.known("d/sub/c"))
    bed.installer.remove_dir("d/sub")


def meta(bed: Bed) -> None:
    bed.installer.set_meta(bed.known("a.txt"), mtime_ns=START - 5, executable=True)


def batch(bed: Bed) -> None:
    with bed.installer.batch():
        bed.installer.make_dir("p")
        bed.installer.make_dir("p/q")
        bed.install("p/q/new", NEW)
        bed.install("a.txt", b"again", bed.known("a.txt"))


def from_old_blocks(bed: Bed) -> None:
    with bed.installer.staging.file() as staged:
        staged.copy(bed.known("a.txt"), [Range(0, 4, 3)])
        staged.write(0, b"the ")
        data = b"the old"
        bed.installer.install(staged, "a.txt", bed.known("a.txt"), root=root_of(data), size=len(data))


def restore(bed: Bed) -> None:
    bed.installer.delete(bed.known("a.txt"))
    [version] = bed.versions.history("a.txt")
    bed.installer.restore(version, "a.txt", None)


OPERATIONS = [
    replace, create, aside, delete, delete_link, relink, move, move_folder, make_dir, remove_dir, meta, batch,
    from_old_blocks, restore,
]


def after(operation, kind: str) -> tuple[dict, int]:
    """What is to be seen when an operation went well, and how many calls it takes."""
    made = bed(kind)
    before = made.fs.calls
    operation(made)
    assert made.left() == []
    return made.visible(), made.fs.calls - before


def check_nothing_lost(made: Bed, start: list[bytes], finished: dict) -> None:
    """Each content is there, at a path or among the versions, and each path has its old or its new content."""
    contents = made.contents()
    for data in start:
        assert data in contents, f"{data!r} is lost"
    for path, data in made.visible().items():
        if isinstance(data, bytes) and path in finished:
            assert data in (*start, finished[path]), f"{path} holds {data!r}"


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_a_crash_in_any_call_loses_nothing(operation, kind):
    finished, calls = after(operation, kind)
    assert calls > 3
    for call in range(calls + 1):
        for way in ("kill", "power", call, -call):
            made = bed(kind)
            start, seen = made.contents(), made.visible()
            made.fs.fail_at(call)
            if call == calls:
                operation(made)
            else:
                with pytest.raises(Crash):
                    operation(made)
            if way == "kill":
                made.fs.kill()
            else:
                made.fs.power_cut(None if way == "power" else random.Random(way))
            made.start()
            assert made.left() == []
            check_nothing_lost(made, start, finished)
            if call == calls:
                assert made.visible() == finished
            if operation in (replace, from_old_blocks, meta):
                assert made.visible()["a.txt"] in (seen["a.txt"], finished["a.txt"])
            # A scan explains what is there, and the same operation can be done, or was.
            made.scan()
            assert set(made.table.files) == set(made.visible())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_an_error_in_any_call_is_said_and_loses_nothing(operation, kind, number):
    finished, calls = after(operation, kind)
    said = 0
    for call in range(calls):
        made = bed(kind)
        start, seen = made.contents(), made.visible()
        made.fs.fail_at(call, number)
        try:
            operation(made)
        except StorageError as error:
            said += 1
            if number == errno.ENOSPC:
                assert isinstance(error, NoRoom)
            if isinstance(error, FolderError) and operation in (replace, create, move, meta, from_old_blocks):
                assert made.visible() in (seen, finished)
        else:
            assert made.visible() == finished, "nothing was said"
        made.fs.fault = None
        check_nothing_lost(made, start, finished)
        made.start()
        assert made.left() == []
        check_nothing_lost(made, start, finished)
    assert said > 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_old_content_is_a_version_or_a_conflict_copy(kind):
    made = bed(kind)
    replace(made)
    assert made.fs.read("a.txt") == NEW and made.kept() == [("a.txt", OLD)]
    made.scan()
    made.install("a.txt", b"third", made.known("a.txt"), aside="copy")
    assert made.fs.read("copy") == NEW and made.kept() == [("a.txt", OLD)]
    assert made.versions.total == len(OLD)
    delete_link(made)
    assert made.kept() == [("a.txt", OLD), ("l", "d/b.txt")]


def test_what_is_returned_is_what_a_scan_would_find():
    made = bed()
    for file in (
        made.install("a.txt", NEW, made.known("a.txt"), executable=True),
        made.install("d/new", b""),
        made.installer.make_dir("n"),
        made.installer.move(made.known("d/b.txt"), "n/b"),
        made.installer.set_meta(made.known("d/sub/c"), mtime_ns=-5, executable=True),
    ):
        made.table.put(file)
    made.table.remove("d/b.txt")
    assert made.scan() == []
    assert made.known("a.txt").executable and made.known("a.txt").mtime_ns == START


@pytest.mark.parametrize("operation", [replace, aside, delete, move, meta, from_old_blocks])
def test_a_file_that_the_user_changed_is_left_alone(operation):
    made = bed()
    made.fs.put("a.txt", b"the user's", mtime_ns=made.known("a.txt").mtime_ns)
    with pytest.raises(Stale):
        operation(made)
    assert made.fs.read("a.txt") == b"the user's"
    assert made.left() == [] and made.kept() == []


@pytest.mark.parametrize("operation", [replace, aside, delete, move])
@pytest.mark.parametrize("kind", ["links", "exchange"])
def test_a_file_that_is_replaced_in_the_last_moment_is_not_lost(operation, kind):
    """The user's editor renames over the file before each call in turn."""
    _, calls = after(operation, kind)
    caught = 0
    for call in range(calls):
        made = bed(kind)
        wanted = made.fs.calls + call

        def race(at: int, name: str, path: str, made: Bed = made, wanted: int = wanted) -> None:
            if at == wanted:
                made.fs.put("edit", b"the user's")
                with made.fs.quietly():
                    made.fs.rename("edit", "a.txt")

        made.fs.fault = race
        try:
            operation(made)
        except Stale:
            caught += 1
        made.start()
        assert b"the user's" in [made.visible().get("a.txt"), *made.contents()], f"lost before call {call}"
    assert caught >= 2


@pytest.mark.parametrize("kind", ["links", "exchange"])
def test_a_replaced_file_that_cannot_be_looked_at_has_its_name_again_and_nothing_is_left(kind):
    made = bed(kind)
    start, seen = made.contents(), made.visible()
    calls: list[str] = []

    def fault(_at: int, name: str, path: str) -> None:
        if name == "lstat" and calls[-1:] == ["exchange"]:
            raise OSError(errno.EIO, "broken", path)
        calls.append(name)

    made.fs.fault = fault
    with pytest.raises(StorageError):
        replace(made)
    assert "exchange" in calls
    made.fs.fault = None
    assert made.visible() == seen and made.left() == []
    check_nothing_lost(made, start, seen)


def test_nothing_is_put_over_what_appeared():
    made = bed()
    made.fs.put("d/new", b"the user's")
    with pytest.raises(Stale):
        create(made)
    with pytest.raises(Stale):
        made.installer.move(made.known("a.txt"), "d/new")
    made.fs.put("a (conflict).txt", b"the user's")
    with pytest.raises(Stale):
        aside(made)
    assert made.fs.read("a.txt") == OLD and made.fs.read("d/new") == b"the user's"
    assert made.left() == []


def test_content_that_is_not_what_it_should_be_is_not_installed():
    made = bed()
    for size in (len(NEW), len(NEW) + 1):
        with made.staged(b"x" * len(NEW)) as staged, pytest.raises(WrongContent):
            made.installer.install(staged, "a.txt", made.known("a.txt"), root=root_of(NEW), size=size)
    assert made.visible()["a.txt"] == OLD and made.left() == []


def test_without_room_for_the_version_the_change_waits():
    made = bed(capacity=1000, share=0.02)
    made.fs.put("large", b"x" * 30)
    made.scan()
    with pytest.raises(NoRoom):
        made.install("large", b"b", made.known("large"))
    replace(made)
    made.scan()
    with pytest.raises(NoRoom) as error:
        made.install("a.txt", b"third", made.known("a.txt"))
    assert "a.txt" in str(error.value)
    assert made.fs.read("a.txt") == NEW and made.left() == []
    # A delete needs no room.
    delete(made)
    assert made.kept() == [("a.txt", OLD), ("a.txt", NEW)]


def test_what_should_hold_it_must_be_a_directory():
    made = bed()
    for path in ("none/x", "a.txt/x", "l/x"):
        with pytest.raises(Blocked):
            made.install(path, NEW)
        with pytest.raises(Blocked):
            made.installer.make_dir(path)
    assert made.left() == []


@pytest.mark.parametrize("path", [".wildbach/id", ".WildBach/x", "n" * 256, "a/" * 200 + "x"])
def test_names_that_cannot_be_are_refused(path):
    made = bed()
    with pytest.raises(BadName):
        made.install(path, NEW)


def test_a_directory_with_something_in_it_stays():
    made = bed()
    assert not made.installer.remove_dir("d/sub")
    remove_dir(made)
    assert "d/sub" not in made.visible()
    assert made.installer.remove_dir("d/sub")
    with pytest.raises(Stale):
        made.installer.remove_dir("a.txt")
    with pytest.raises(Stale):
        made.installer.make_dir("a.txt")


def test_on_a_disk_that_folds_case_a_clashing_name_is_shadowed():
    made = Bed(traits=Traits(folds=True), folds=True)
    made.fs.put("Docs/File", OLD)
    made.scan()
    for path in ("docs/other", "Docs/file"):
        with pytest.raises((Shadowed, Stale)):
            made.install(path, NEW)
    with pytest.raises(Shadowed):
        made.install("docs/new", NEW)
    moved = made.installer.move(made.known("Docs/File"), "Docs/FILE")
    assert moved.path == "Docs/FILE" and "Docs/FILE" in made.visible()
    assert made.visible()["Docs/FILE"] == OLD


def test_what_the_disk_does_is_found_out():
    for kinds, expected in (
        ({}, Traits()),
        ({"folds": True}, Traits(folds=True)),
        ({"decomposes": True}, Traits(decomposes=True)),
        (KINDS["exchange"], TRAITS["exchange"]),
        (KINDS["copies"], TRAITS["copies"]),
    ):
        made = Bed(**kinds)
        assert names.probe(made.fs) == expected
        assert made.left() == []


def test_a_restored_version_stands_where_it_stood():
    made = bed()
    replace(made)
    made.scan()
    [version] = made.versions.history("a.txt")
    back = made.installer.restore(version, "a.txt", made.known("a.txt"))
    assert made.fs.read("a.txt") == OLD and back.root == root_of(OLD)
    assert made.kept() == [("a.txt", OLD), ("a.txt", NEW)]
    made.installer.delete(made.known("l"))
    [link] = made.versions.history("l")
    assert made.installer.restore(link, "l2", None).target == "d/b.txt"
    assert made.known("l").kind is EntryKind.LINK


def test_who_could_not_read_the_old_file_cannot_read_the_new_one():
    made = bed()
    with made.fs.quietly():
        handle = made.fs.open_write("a.txt")
        made.fs.set_mode(handle, 0o600)
        made.fs.close(handle)
    made.scan()
    replace(made)
    assert made.fs.lstat("a.txt").mode == 0o700
    [version] = made.versions.history("a.txt")
    assert made.fs.lstat(version.place).mode == 0o600
    assert made.fs.lstat(".wildbach").mode == 0o700


def test_what_could_not_be_synced_is_not_tried_again():
    made = bed()

    def fault(at: int, name: str, path: str) -> None:
        if name == "fsync":
            raise OSError(errno.EIO, "no", path)

    with made.staged(NEW) as staged:
        made.fs.fault = fault
        with pytest.raises(StorageError) as error:
            made.installer.install(staged, "d/new", None, root=root_of(NEW), size=len(NEW))
        assert error.value.code == "io_error"
        made.fs.fault = None
        assert made.left() == []
        with pytest.raises(StorageError):
            made.installer.install(staged, "d/new", None, root=root_of(NEW), size=len(NEW))


def test_after_a_lack_of_room_the_same_file_can_be_tried_again():
    made = bed(share=0.0)
    with made.staged(NEW) as staged:
        with pytest.raises(NoRoom):
            made.installer.install(staged, "a.txt", made.known("a.txt"), root=root_of(NEW), size=len(NEW))
        made.versions.share = 0.5
        made.installer.install(staged, "a.txt", made.known("a.txt"), root=root_of(NEW), size=len(NEW))
    assert made.fs.read("a.txt") == NEW and made.left() == []


def test_a_version_is_never_written_through_a_link():
    """Someone puts a symbolic link where the versions of a path would stand."""
    made = bed()
    made.fs.mkdir("outside")
    made.fs.mkdir(".wildbach/versions")
    made.fs.symlink("../../outside", ".wildbach/versions/a.txt")
    with pytest.raises(Blocked):
        replace(made)
    with pytest.raises(Blocked):
        delete(made)
    assert made.fs.tree("outside") == {} and made.fs.read("a.txt") == OLD and made.left() == []


def test_a_download_that_goes_on_is_kept_at_a_start():
    made = bed()
    made.installer.staging.file("part").keep()
    made.installer.staging.file("other").keep()
    assert made.installer.staging.recover(keep={"part"}) == 1
    assert made.left() == [".wildbach/tmp/part"]
    staged = made.installer.staging.existing("part")
    staged.write(0, NEW)
    made.installer.install(staged, "d/new", None, root=root_of(NEW), size=len(NEW))
    assert made.fs.read("d/new") == NEW and made.left() == []
