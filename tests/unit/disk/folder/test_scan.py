"""What a scan finds, what it leaves alone, and what it never calls gone."""

from __future__ import annotations

import errno
import os
import random
import socket

import pytest

from folderbed import START, Bed, root_of
from wildbach.base.errors import StorageError
from wildbach.disk.folder.fs import RealFs
from wildbach.disk.folder.ignore import Ignores
from wildbach.disk.folder.local import LocalFile
from wildbach.disk.folder.scan import PAUSES, Change, Scanner, Skipped
from wildbach.protocol.sync.entries import EntryKind
from wildbach.testing.fakefs import Crash
from wildbach.testing.foldertable import MemoryTable


def bed(**kinds) -> Bed:
    made = Bed(**kinds)
    made.fs.put("a", b"a")
    made.fs.put("d/b", b"bb")
    made.fs.put("d/e/c", b"ccc")
    made.fs.symlink("../a", "d/l")
    made.scan()
    return made


def brief(found: list[Change | Skipped]) -> list[str]:
    """Each finding as a word: `+new`, `-gone`, `*changed`, `~touched`, `old>new`, `path:reason`."""
    out = []
    for each in found:
        if isinstance(each, Skipped):
            out.append(f"{each.path}:{each.why.value}")
        elif each.renamed:
            out.append(f"{each.old.path}>{each.path}")
        elif each.new is None:
            out.append(f"-{each.path}")
        elif each.old is None:
            out.append(f"+{each.path}")
        else:
            out.append(f"{'~' if each.touched else '*'}{each.path}")
    return out


def test_the_first_scan_finds_all_with_directories_before_what_they_hold():
    made = Bed()
    made.fs.put("a", b"a" * 40_000)
    made.fs.put("d/e/c", b"")
    made.fs.symlink("../a", "d/l")
    found = made.scan()
    assert brief(found) == ["+a", "+d", "+d/l", "+d/e", "+d/e/c"]
    stat = made.fs.lstat("a")
    assert made.known("a") == LocalFile(
        "a", EntryKind.FILE, 40_000, stat.mtime_ns, stat.ctime_ns, 1, stat.ino, False, root_of(b"a" * 40_000),
    )
    assert (made.known("d/l").target, made.known("d/e/c").root, made.known("d").kind) == ("../a", b"", EntryKind.DIR)


def test_a_second_scan_reads_no_file():
    made = bed()
    scanner = made.scanner()
    assert list(scanner.scan()) == []
    assert (scanner.tally.files, scanner.tally.folders, scanner.tally.hashed) == (4, 3, 0)


def test_edits_and_deletions_are_found():
    made = bed()
    made.fs.put("a", b"new")
    made.fs.put("d/new", b"")
    with made.fs.quietly():
        made.fs.unlink("d/e/c")
        made.fs.rmdir("d/e")
    assert brief(made.scan()) == ["*a", "+d/new", "-d/e", "-d/e/c"]
    assert made.scan() == []
    assert made.known("a").root == root_of(b"new")


def test_an_edit_that_keeps_size_and_time_is_found():
    made = bed()
    made.fs.put("a", b"z", mtime_ns=made.known("a").mtime_ns)
    assert brief(made.scan()) == ["*a"]


def test_a_new_time_and_a_new_bit_are_told_apart_from_content():
    made = bed()
    made.fs.put("a", b"a", mtime_ns=5)
    with made.fs.quietly():
        handle = made.fs.open_write("d/b")
        made.fs.set_mode(handle, 0o755)
        made.fs.close(handle)
    assert brief(made.scan()) == ["~a", "*d/b"]
    assert made.known("a").mtime_ns == 5 and made.known("d/b").executable


def test_where_the_disk_keeps_no_bit_what_is_known_of_it_stays():
    made = bed()
    with made.fs.quietly():
        handle = made.fs.open_write("a")
        made.fs.set_mode(handle, 0o755)
        made.fs.close(handle)
    assert brief(made.scan(executable=False)) == ["~a"]
    assert not made.known("a").executable


def test_a_renamed_file_is_one_finding():
    made = bed()
    with made.fs.quietly():
        made.fs.rename("d/b", "z")
        made.fs.rename("a", "d/e/a")
    assert sorted(brief(made.scan())) == ["a>d/e/a", "d/b>z"]
    assert made.scan() == []


def test_a_renamed_directory_takes_what_is_in_it_along():
    made = bed()
    with made.fs.quietly():
        made.fs.rename("d", "x")
    assert sorted(brief(made.scan())) == ["d/b>x/b", "d/e/c>x/e/c", "d/e>x/e", "d/l>x/l", "d>x"]


@pytest.mark.parametrize("upward", [True, False])
def test_a_rename_up_or_down_the_tree_is_found(upward):
    made = bed()
    with made.fs.quietly():
        if upward:
            made.fs.rename("d/e", "0")
        else:
            made.fs.mkdir("z")
            made.fs.rename("d/e", "z/e")
    found = brief(made.scan())
    assert {"d/e>0", "d/e/c>0/c"} <= set(found) if upward else {"d/e>z/e", "d/e/c>z/e/c"} <= set(found)
    assert not any(each.startswith("-") for each in found)


def test_a_renamed_and_edited_file_is_a_new_one():
    made = bed()
    with made.fs.quietly():
        made.fs.rename("a", "z")
    made.fs.put("z", b"edited")
    assert brief(made.scan()) == ["+z", "-a"]


def test_an_inode_that_came_again_is_no_rename():
    made = bed(reuse_inodes=True)
    with made.fs.quietly():
        made.fs.unlink("a")
    made.fs.put("z", b"z", mtime_ns=made.known("a").mtime_ns)
    assert made.fs.lstat("z").ino == made.known("a").ino
    assert brief(made.scan()) == ["+z", "-a"]


def test_a_second_hard_link_is_a_copy():
    made = bed()
    with made.fs.quietly():
        made.fs.link("a", "z")
    assert brief(made.scan()) == ["~a", "+z"]


def test_two_files_that_changed_places_are_two_edits():
    made = bed()
    with made.fs.quietly():
        made.fs.exchange("a", "d/b")
    assert brief(made.scan()) == ["*a", "*d/b"]


def test_a_file_becomes_a_directory_and_the_other_way_round():
    made = bed()
    with made.fs.quietly():
        made.fs.unlink("a")
        made.fs.mkdir("a")
        made.fs.rename("d/e", "keep")
        made.fs.unlink("d/b")
        made.fs.unlink("d/l")
        made.fs.rmdir("d")
        made.fs.symlink("a", "d")
    found = brief(made.scan())
    assert sorted(found) == ["*a", "*d", "-d/b", "-d/l", "d/e/c>keep/c", "d/e>keep"]
    assert made.scan() == []


def test_a_case_only_rename_on_a_disk_that_folds_case_is_a_rename():
    made = bed(folds=True)
    with made.fs.quietly():
        made.fs.rename("d/b", "d/B")
    assert brief(made.scan()) == ["d/b>d/B"]
    assert made.scan() == []


def test_ignored_paths_are_not_found_and_when_known_are_forgotten_not_gone():
    made = bed()
    made.fs.put("x.o", b"")
    ignores = Ignores.parse("*.o\nd/e\n")
    assert brief(made.scan(ignores=ignores)) == ["d/e:ignored"]
    assert made.table.get("d/e/c") is None
    with made.fs.quietly():
        made.fs.unlink("d/e/c")
    assert made.scan(ignores=ignores) == []


def test_an_ignored_file_that_is_gone_is_no_deletion():
    made = bed()
    with made.fs.quietly():
        made.fs.unlink("a")
    assert made.scan(ignores=Ignores.parse("a")) == []


def test_what_is_wildbachs_own_is_not_found():
    made = Bed()
    made.fs.put(".wildbach/id", b"x")
    made.fs.put(".wbignore", b"x")
    made.fs.put(".wbignore.shared", b"x")
    made.fs.put("d/.wbignore", b"x")
    assert brief(made.scan()) == ["+.wbignore.shared", "+d", "+d/.wbignore"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_cannot_be_read_is_not_gone(number):
    made = bed()

    def fault(at: int, name: str, path: str) -> None:
        if name in ("scandir", "open_read") and path in ("d/e", "a"):
            raise OSError(number, "no", path)

    made.fs.put("a", b"edited")
    made.fs.fault = fault
    why = "no_permission" if number == errno.EACCES else "io_error"
    assert brief(made.scan()) == [f"a:{why}", f"d/e:{why}"]
    made.fs.fault = None
    assert brief(made.scan()) == ["*a"]


def test_an_error_in_any_call_makes_nothing_gone():
    calls = 0
    made = bed()
    before = made.fs.calls
    made.scan()
    calls = made.fs.calls - before
    for call in range(calls):
        for number in (errno.EIO, errno.EACCES):
            made = bed()
            made.fs.fail_at(call, number)
            try:
                found = made.scan()
            except StorageError:
                continue
            assert all(isinstance(each, Skipped) for each in found)
            made.fs.fault = None
            assert made.scan() == []
    for call in range(calls):
        made = bed()
        made.fs.fail_at(call)
        with pytest.raises(Crash):
            made.scan()


def test_before_anything_is_gone_the_folder_must_prove_to_be_there():
    made = bed()
    made.fs.unmount()

    def verify() -> None:
        raise StorageError("the folder is not there", code="missing")

    with pytest.raises(StorageError):
        made.verify = verify
        made.scan()
    assert len(made.table.files) == 6
    del made.verify
    made.fs.mount()
    assert made.scan() == []


def test_a_scan_that_is_stopped_says_nothing_is_gone():
    made = bed()
    with made.fs.quietly():
        made.fs.unlink("a")
    scanner = made.scanner(stop=lambda: True)
    assert list(scanner.scan()) == [] and scanner.tally.stopped


def test_a_file_that_changes_while_it_is_read_is_tried_again():
    made = bed()
    made.fs.put("a", b"edited")
    edits = [b"edited again", b"and again"]

    def fault(at: int, name: str, path: str) -> None:
        if name == "read" and edits:
            made.fs.put("a", edits.pop())

    made.fs.fault = fault
    assert brief(made.scan()) == ["*a"]
    assert made.known("a").root == root_of(b"edited again")
    assert made.pauses == list(PAUSES[:2])


def test_a_file_that_never_stands_still_is_left_for_later():
    made = bed()
    made.fs.put("a", b"0")
    count = 0

    def fault(at: int, name: str, path: str) -> None:
        nonlocal count
        if name == "read":
            count += 1
            made.fs.put("a", b"%d" % count)

    made.fs.fault = fault
    assert brief(made.scan()) == ["a:changing"]
    assert made.pauses == list(PAUSES) and count == len(PAUSES) + 1


def test_a_file_that_changed_this_very_moment_is_looked_at_again():
    made = bed()
    made.now = made.fs.lstat("d/l").ctime_ns + 1_000_000_000
    made.fs.put("a", b"new")
    assert brief(made.scan(young_ns=20_000_000)) == ["*a"]
    assert made.pauses == [PAUSES[0]]


def test_only_what_is_asked_for_is_looked_at():
    made = bed()
    made.fs.put("a", b"edited")
    made.fs.put("d/e/c", b"edited")
    made.fs.put("d/e/new/x", b"new")
    assert brief(made.scan("d/e/new/x")) == ["+d/e/new", "+d/e/new/x"]
    assert brief(made.scan("d/e/c", "d/e/c", "d/nothing")) == ["*d/e/c"]
    with made.fs.quietly():
        made.fs.rename("d/e", "f")
    assert sorted(brief(made.scan("d/e", "f"))) == ["d/e/c>f/c", "d/e/new/x>f/new/x", "d/e/new>f/new", "d/e>f"]
    assert brief(made.scan("a/below", "d", ".wildbach/x")) == []
    assert brief(made.scan()) == ["*a"]


def test_a_directory_that_was_replaced_by_a_link_holds_nothing():
    made = bed()
    with made.fs.quietly():
        made.fs.rename("d", "elsewhere")
        made.fs.symlink("elsewhere", "d")
    assert sorted(brief(made.scan("d/b"))) == ["-d/b"]
    assert "d>elsewhere" not in brief(made.scan())
    assert made.scan() == []


def test_other_kinds_names_and_file_systems_are_left_with_a_reason():
    made = bed()
    made.fs.special("pipe")
    made.fs.put(os.fsdecode(b"bad\xff"), b"")
    made.fs.put("/".join(["d"] * 101), b"")
    found = brief(made.scan())
    assert "pipe:special" in found and "bad\ufffd:bad_name" in found
    assert f"{'/'.join(['d'] * 101)}:bad_name" in found


def test_names_that_are_not_in_nfc_get_it():
    made = Bed()
    made.fs.put("e\u0301", b"1")
    made.fs.put("o\u0308/u\u0308", b"2")
    made.fs.put("\u00e4", b"3")
    made.fs.put("a\u0308", b"4")
    assert sorted(brief(made.scan())) == sorted(["a\u0308:clash", "+\u00e4", "+\u00e9", "+\u00f6", "+\u00f6/\u00fc"])
    assert made.fs.read("\u00e9") == b"1" and made.fs.read("a\u0308") == b"4"
    assert brief(made.scan()) == ["a\u0308:clash"]
    apart = Bed(decomposes=True)
    apart.fs.put("\u00e9", b"1")
    assert brief(apart.scan()) == ["+\u00e9"] and apart.scan() == []


def test_any_play_ends_with_a_table_that_is_the_disk():
    """Random edits, renames and deletions; after each a scan, sometimes of the touched paths alone."""
    for seed in range(60):
        rng = random.Random(seed)
        made = Bed(reuse_inodes=rng.random() < 0.5, folds=rng.random() < 0.2)
        for _ in range(25):
            for _ in range(rng.randrange(1, 4)):
                play(made, rng)
            made.scan()
            seen = made.visible()
            assert set(seen) == set(made.table.files), f"seed {seed}"
            for path, data in seen.items():
                file = made.known(path)
                if isinstance(data, bytes):
                    assert (file.kind, file.root) == (EntryKind.FILE, root_of(data)), f"seed {seed}: {path}"
                assert file.matches(made.fs.lstat(path)), f"seed {seed}: {path}"


def play(made: Bed, rng: random.Random) -> None:
    names = ["a", "b", "c", "d", "D"]
    path = "/".join(rng.choice(names) for _ in range(rng.randrange(1, 4)))
    other = "/".join(rng.choice(names) for _ in range(rng.randrange(1, 4)))
    with made.fs.quietly():
        try:
            match rng.randrange(6):
                case 0 | 1:
                    made.fs.put(path, rng.randbytes(rng.randrange(4)))
                case 2:
                    made.fs.rename(path, other)
                case 3:
                    made.fs.unlink(path)
                case 4:
                    made.fs.rmdir(path)
                case 5:
                    made.fs.symlink(other, path)
        except OSError:
            return


@pytest.fixture
def real(tmp_path):
    fs = RealFs(str(tmp_path))
    yield fs
    fs.close_root()


def scan(fs: RealFs, table: MemoryTable, clock: int = START) -> list[Change | Skipped]:
    scanner = Scanner(fs, table, now_ns=lambda: clock, pause=lambda seconds: None, verify=lambda: None)
    found = []
    for each in scanner.scan():
        found.append(each)
        table.take(each)
    return found


def test_on_a_real_disk_all_kinds_are_told_apart(real, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"f" * 100_000)
    (tmp_path / "l").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "sock"))
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "x").chmod(0o755)
    table = MemoryTable()
    assert sorted(brief(scan(real, table))) == ["+d", "+d/f", "+l", "+x", "pipe:special", "sock:special"]
    assert table.files["d/f"].root == root_of(b"f" * 100_000)
    assert table.files["l"].target == "/etc" and table.files["x"].executable
    os.rename(tmp_path / "d", tmp_path / "e")
    assert [each for each in sorted(brief(scan(real, table))) if ":" not in each] == ["d/f>e/f", "d>e"]


def test_what_is_known_below_a_directory_that_is_unknown_and_gone_is_found_to_be_gone():
    bed = Bed()
    bed.fs.put("d/f", b"x")
    bed.scan()
    bed.table.remove("d")
    bed.fs.unlink("d/f")
    bed.fs.rmdir("d")
    found = bed.scan("d/f")
    assert [(each.path, each.new) for each in found] == [("d/f", None)]
