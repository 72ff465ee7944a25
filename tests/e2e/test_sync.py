"""Folders that real daemons keep the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from syncdaemons import Daemon, Group, saved, tree, until
from wildbach.interfaces.api import syncmodels as sy

MIB = 1 << 20


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def moved_bytes(pid: int) -> int:
    """That a process wrote to files and sockets."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["wchar"])


def test_what_is_done_in_a_folder_is_done_on_the_other_device(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    put(a.files / "equal", "the same")
    put(b.files / "equal", "the same")
    put(a.files / "differs", "a's")
    time.sleep(0.02)
    put(b.files / "differs", "b's")
    put(b.files / "only b", "b")
    a.create()
    b.join(a.share())
    there = group.same()
    copies = [path for path in there if path.startswith("differs (conflict ")]
    assert len(copies) == 1
    assert {there["differs"][1], there[copies[0]][1]} == {b"a's", b"b's"}  # type: ignore[index]  # files
    assert there["equal"][1] == b"the same" and there["only b"][1] == b"b"  # type: ignore[index]  # files
    assert len([path for path in there if "conflict" in path]) == 1

    # Kinds of things.
    put(a.files / "empty", "")
    put(a.files / "tool", "#!/bin/sh\n").chmod(0o755)
    (a.files / "link").symlink_to("nowhere/at all")
    (a.files / "void").mkdir()
    put(a.files / "deep/er/and/deeper", os.urandom(300_000))
    there = group.same()
    assert there["empty"] == ("file", b"", False) and there["link"] == ("link", "nowhere/at all")
    assert there["void"] == "dir" and there["tool"] == ("file", b"#!/bin/sh\n", True)

    # Renames and edits, from the other side.
    (b.files / "deep").rename(b.files / "shallow")
    (b.files / "tool").chmod(0o644)
    (b.files / "empty").unlink()
    put(b.files / "only b", "b, edited")
    there = group.same()
    assert "deep" not in there and "shallow/er/and/deeper" in there and "empty" not in there
    assert there["tool"] == ("file", b"#!/bin/sh\n", False)

    # A file becomes a directory and the other way round.
    (a.files / "only b").unlink()
    put(a.files / "only b/within", "now a directory")
    shutil.rmtree(a.files / "void")
    put(a.files / "void", "now a file")
    (a.files / "link").unlink()
    put(a.files / "link", "no link any more")
    there = group.same()
    assert there["void"] == ("file", b"now a file", False) and there["link"] == ("file", b"no link any more", False)

    # What a remote change replaced is a version, and comes back.
    until(lambda: any(each.path == "only b" for each in b.ask("sync_versions", "f", sy.SyncQuery()).versions),
          "the old file is a version")
    version = next(each for each in b.ask("sync_versions", "f", sy.SyncQuery()).versions if each.path == "only b")
    assert version.why == "deleted" and version.by
    b.ask("restore_synced", "f", sy.SyncRestoring(version.id, "back"))
    assert group.same()["back"] == ("file", b"b, edited", False)


@pytest.mark.slow
def test_what_changed_while_a_device_was_off_is_made_when_it_is_back(group: Group) -> None:
    a, b = group.pair()
    put(a.files / "both", "before")
    put(a.files / "gone", "x")
    put(a.files / "kept", "x")
    group.same()
    b.stop()
    put(b.files / "both", "b's words")
    put(b.files / "new of b", "b")
    (b.files / "gone").unlink()
    time.sleep(0.02)
    put(a.files / "both", "a's words")
    put(a.files / "new of a", "a")
    (a.files / "kept").rename(a.files / "renamed")
    until(lambda: a.folder.files == 4, "a has seen it")
    b.start()
    there = group.same()
    assert {"new of a", "new of b", "renamed"} <= set(there) and not {"gone", "kept"} & set(there)
    # Also a device that hears of both at once with what settles it: the copy says of what it is.
    until(lambda: all(each.ask("sync_conflicts", "f").conflicts for each in (a, b)), "both know of the conflict")
    holder = a
    conflict, = holder.ask("sync_conflicts", "f").conflicts
    assert {there["both"][1], there[conflict.copy][1]} == {b"a's words", b"b's words"}  # type: ignore[index]  # files
    lines = holder.ask("sync_difference", "f", sy.SyncCopy(conflict.copy)).lines
    assert [(line.what, line.text) for line in lines] == [
        ("place", there["both"][1].decode()), ("copy", there[conflict.copy][1].decode())]  # type: ignore[index]  # files
    holder.ask("resolve_sync_conflict", "f", sy.SyncResolving(conflict.copy, "copy"))
    until(lambda: not holder.ask("sync_conflicts", "f").conflicts, "it is resolved")
    until(lambda: not (a.files / conflict.copy).exists(), "the copy is gone everywhere")
    there = group.same()
    assert conflict.copy not in there

    # Both may stay: the copy gets a name that says so on all devices.
    b.stop()
    put(b.files / "both", "b's again")
    time.sleep(0.02)
    put(a.files / "both", "a's again")
    b.start()
    until(lambda: all(each.ask("sync_conflicts", "f").conflicts for each in (a, b)), "there is another conflict")
    conflict, = b.ask("sync_conflicts", "f").conflicts
    b.ask("resolve_sync_conflict", "f", sy.SyncResolving(conflict.copy, "both"))
    until(lambda: not any(each.ask("sync_conflicts", "f").conflicts for each in (a, b)), "it is over on both")
    there = group.same()
    kept, = (path for path in there if path.startswith("both ("))
    assert "conflict" not in kept
    assert {there["both"][1], there[kept][1]} == {b"a's again", b"b's again"}  # type: ignore[index]  # files

    # Killed, it begins anew as well.
    b.kill()
    put(a.files / "after the kill", "x" * 100)
    b.start()
    assert "after the kill" in group.same()


@pytest.mark.slow
def test_a_folder_that_vanishes_deletes_nothing_and_goes_on_when_it_is_back(group: Group) -> None:
    a, b = group.pair()
    for number in range(30):
        put(a.files / f"d{number % 3}" / f"f{number}", f"{number}")
    group.same()
    before = tree(a.files)
    away = b.home / "unplugged"
    b.files.rename(away)
    b.ask("scan_synced", "f")
    until(lambda: b.folder.state == "stopped", "b says that it is not there", 20)
    assert "not there" in b.folder.reason
    put(a.files / "meanwhile", "x")
    b.files.mkdir()
    b.ask("scan_synced", "f")
    time.sleep(1)
    assert {path: each for path, each in tree(a.files).items() if path != "meanwhile"} == before
    assert not tree(b.files)
    b.files.rmdir()
    away.rename(b.files)
    assert "meanwhile" in group.same(seconds=40)
    assert {path: each for path, each in tree(a.files).items() if path != "meanwhile"} == before


@pytest.mark.slow
def test_many_deletions_are_asked_about(group: Group) -> None:
    a, b = group.pair()
    for number in range(120):
        put(a.files / f"f{number}", f"{number}")
    there = group.same()
    # What is seen in one scan is counted together: all of it, where the daemon was off.
    a.stop()
    for number in range(120):
        (a.files / f"f{number}").unlink()
    a.start()
    until(lambda: a.folder.state == "asking", "a asks")
    assert "at once: 120 of 120." in a.folder.question
    assert tree(b.files) == there
    a.ask("answer_synced", "f", sy.SyncAnswer(False))
    assert group.same() == there
    for number in range(120):
        (a.files / f"f{number}").unlink()
    # A busy machine finds them in several looks; who answers before the last is asked about the rest.
    until(lambda: a.folder.state == "asking" and not a.folder.files, "a asks again, of all")
    a.ask("answer_synced", "f", sy.SyncAnswer(True))
    until(lambda: not list(b.files.glob("f*")) or b.folder.state == "asking", "b follows or asks")
    if b.folder.state == "asking":
        b.ask("answer_synced", "f", sy.SyncAnswer(True))
    assert not group.same()


@pytest.mark.slow
def test_a_slow_rm_is_asked_about_although_many_scans_see_it(group: Group) -> None:
    a, b = group.pair()
    for number in range(120):
        put(a.files / f"f{number:03}", f"{number}")
    group.same()
    for number in range(30):
        (a.files / f"f{number:03}").unlink()
    until(lambda: len(list(b.files.glob("f*"))) == 90, "what is no mass is deleted there")
    a.stop()
    a.start()
    for number in range(30, 120):
        if a.folder.state == "asking":
            break
        (a.files / f"f{number:03}").unlink()
        time.sleep(0.05)
    until(lambda: a.folder.state == "asking", "a asks")
    assert "told of" in a.folder.question
    left = len(list(b.files.glob("f*")))
    assert 70 <= left <= 90
    for path in a.files.glob("f*"):
        path.unlink()
    a.ask("scan_synced", "f")
    a.stop()
    a.start()
    until(lambda: a.folder.state == "asking", "a asks still", 20)
    until(b.connected, "they met again")
    assert len(list(b.files.glob("f*"))) == left
    a.ask("answer_synced", "f", sy.SyncAnswer(False))
    assert len(group.same()) == left


@pytest.mark.slow
def test_how_a_folder_is_kept_is_changed(group: Group) -> None:
    a, b = group.pair()
    put(a.files / "photos" / "p1", "p1")
    put(a.files / "text", "1")
    group.same()
    b.set(paused=True)
    put(a.files / "text", "2")
    put(a.files / "more", "2")
    time.sleep(1)
    assert (b.files / "text").read_text() == "1" and b.folder.state == "paused"
    b.set(paused=False)
    group.same()
    b.set(excluded=("photos",))
    put(a.files / "photos" / "p2", "p2")
    put(a.files / "after", "x")
    until((b.files / "after").exists, "b gets what it wants")
    assert not (b.files / "photos" / "p2").exists() and (a.files / "photos" / "p1").exists()
    b.set(excluded=())
    group.same()
    b.set(mode="send")
    put(a.files / "not for b", "x")
    put(b.files / "from b", "x")
    until((a.files / "from b").exists, "a gets what b has")
    time.sleep(0.5)
    assert not (b.files / "not for b").exists()
    b.set(mode="both")
    group.same()
    new = b.home / "elsewhere"
    b.set(path=str(new))
    assert not b.files.exists() and b.folder.path == str(new)
    put(a.files / "moved on", "x")
    until((new / "moved on").exists, "the moved folder goes on")
    put(new / "from the new place", "x")
    until((a.files / "from the new place").exists, "and what is done in it comes to the other device")
    b.ask("leave_synced", "f", sy.SyncLeaving())
    put(a.files / "left", "x")
    until(lambda: a.connected() == 0, "a sees that b left")
    assert (new / "moved on").exists() and not (new / "left").exists()
    assert not b.ask("synced_folders").folders


@pytest.mark.slow
def test_a_device_that_only_reads_keeps_its_edits_to_itself(group: Group) -> None:
    put_a = group.add("a"), group.add("b")
    put(put_a[0].files / "text", "a")
    a, b = group.pair("ro")
    until((b.files / "text").exists, "b has it")
    until(b.idle, "b idle")
    put(b.files / "text", "b's own")
    put(b.files / "extra", "b's own")
    until(lambda: b.folder.local == 2, "b shows two changes of its own")
    time.sleep(0.5)
    assert tree(a.files) == {"text": ("file", b"a", False)}
    b.ask("revert_synced", "f", sy.SyncReverting())
    until(lambda: (b.files / "text").read_text() == "a" and b.folder.local == 0, "it is taken back")
    assert b"b's own" in {path.read_bytes() for path in b.files.rglob("*") if path.is_file()}
    a.ask("set_sync_role", "f", sy.SyncRoleChange(next(each.id for each in a.folder.devices if not each.me), "rw"))
    until(lambda: b.folder.role == "rw", "b may write")
    put(b.files / "now", "written")
    until((a.files / "now").exists, "what b writes comes to a")


@pytest.mark.slow
def test_three_devices_one_of_which_is_taken_out(group: Group) -> None:
    a, b = group.pair()
    c = group.add("c")
    put(b.files / "by b", "written by b")
    put(a.files / "large", os.urandom(4 * MIB))
    group.same(a, b)
    link = a.share()
    c.join(link)
    group.same()
    put(a.files / "for two", os.urandom(16 * MIB))
    group.same()
    a.ask("revoke_synced", "f", sy.SyncRevoking(b.ask("synced_folders").device))
    put(a.files / "secret", "not for b")
    put(c.files / "by c", "x")
    group.same(a, c)
    assert (c.files / "secret").exists() and (c.files / "by b").exists()
    time.sleep(1)
    assert not (b.files / "secret").exists() and not (b.files / "by c").exists()
    put(b.files / "too late", "b")
    time.sleep(1)
    assert not (a.files / "too late").exists() and not (c.files / "too late").exists()


def test_a_device_that_was_off_while_another_was_taken_out_gets_the_new_keys(group: Group) -> None:
    a, b = group.pair()
    c = group.add("c")
    c.join(a.share())
    put(b.files / "by b", "written by b")
    group.same()
    c.stop()
    a.ask("revoke_synced", "f", sy.SyncRevoking(b.ask("synced_folders").device))
    put(a.files / "new", "x")
    c.start()
    put(c.files / "by c", "x")
    group.same(a, c)
    assert (c.files / "new").exists() and (a.files / "by c").exists() and not (b.files / "new").exists()
    a.kill()
    until(lambda: c.connected() == 0, "c sees that a is away")
    assert next(each.seen_at for each in c.folder.devices if each.role == "owner")
    a.start()
    put(c.files / "by c", "again")
    group.same(a, c)


@pytest.mark.slow
def test_after_two_owners_took_out_different_devices_new_keys_come_by_themselves(group: Group) -> None:
    a, b = group.pair()
    c, d = group.add("c"), group.add("d")
    for each in (c, d):
        each.join(a.share())
    group.same()
    names = {each.name: each.ask("synced_folders").device for each in (a, b, c, d)}
    a.ask("set_sync_role", "f", sy.SyncRoleChange(names["b"], "owner"))
    until(lambda: b.folder.role == "owner", "b is an owner")
    for each in (b, c, d):
        each.stop()
    a.ask("revoke_synced", "f", sy.SyncRevoking(names["c"]))
    a.stop()
    b.start()
    b.ask("revoke_synced", "f", sy.SyncRevoking(names["d"]))
    a.start()
    until(lambda: any(each.what == "rekeyed" for each in a.ask("sync_history", "f").events), "a makes new keys")
    put(a.files / "after", "x")
    assert set(group.same(a, b)) == {"after"}
    assert {each.id for each in b.folder.devices} == {names["a"], names["b"]}
    assert a.connected() == b.connected() == 1


@pytest.mark.slow
def test_the_recovery_key_makes_another_device_the_owner(group: Group) -> None:
    a, b = group.pair()
    words = a.ask("sync_recovery_key", "f").words
    a.kill()
    group.daemons.remove(a)
    b.ask("recover_synced", "f", sy.SyncRecovering(words))
    until(lambda: b.folder.role == "owner", "b owns it")
    c = group.add("c")
    put(b.files / "x", "x")
    c.join(b.share())
    group.same()


@pytest.mark.slow
def test_an_edit_of_a_large_file_moves_what_changed(group: Group) -> None:
    a, _b = group.pair()
    data = bytearray(os.urandom(200 * MIB))
    put(a.files / "image", bytes(data))
    group.same(seconds=90)
    assert a.process is not None
    time.sleep(1)
    before = moved_bytes(a.process.pid)
    block = 16 << 10
    with (a.files / "image").open("r+b") as file:
        for number in range(128):
            file.seek(number * 100 * block)
            file.write(os.urandom(block))
    changed = 128 * block
    group.same(seconds=60)
    assert moved_bytes(a.process.pid) - before < 1.2 * changed + 2 * MIB


@pytest.mark.slow
def test_a_file_that_changes_while_it_is_sent_holds_up_nothing(group: Group) -> None:
    a, _b = group.pair()
    for _ in range(3):
        for number in range(5):
            put(a.files / f"large{number}", os.urandom(12 * MIB))
        time.sleep(0.7)
    put(a.files / "last", "x")
    group.same(seconds=90)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_where_a_daemon_is_killed_again_and_again(group: Group, seed: int) -> None:
    chance = Random(seed)
    a, b = group.pair()
    written: set[bytes] = set()
    pairs = (a, b)

    def work(device: Daemon, count: int) -> None:
        for _ in range(count):
            names = sorted(path for path in device.files.rglob("*")
                           if path.is_file() and ".wildbach" not in path.parts)
            act = chance.random()
            try:
                if act < 0.6 or not names:
                    content = chance.randbytes(chance.choice((10, 1000, 300_000, 2_000_000)))
                    target = device.files / f"d{chance.randrange(3)}" / f"f{chance.randrange(12)}"
                    beside = device.home / "beside"
                    # As editors do: the old content is there, or the new one.
                    put(beside, content)
                    target.parent.mkdir(exist_ok=True)
                    if target.exists():
                        written.discard(target.read_bytes())
                    beside.rename(target)
                    written.add(content)
                elif act < 0.85:
                    chance.choice(names).rename(device.files / f"d{chance.randrange(3)}" / f"r{chance.random()}")
                else:
                    gone = chance.choice(names)
                    written.discard(gone.read_bytes())
                    gone.unlink()
            except FileNotFoundError:
                continue

    for _ in range(20):
        for each in pairs:
            work(each, 4)
        time.sleep(chance.random() * 0.8)
        victim = chance.choice(pairs)
        victim.kill()
        work(victim, 2)
        victim.start()
    group.same(seconds=120)
    kept = saved(a.files) | saved(b.files)
    assert not [content[:8] for content in written if content not in kept]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_full_disk_is_said_and_it_goes_on_when_there_is_room(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    b.files.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(b.files)], check=True)
    try:
        group.pair()
        put(a.files / "small", "x")
        group.same()
        put(a.files / "too large", os.urandom(12 * MIB))
        put(a.files / "many" / "1", os.urandom(200_000))
        until((b.files / "many" / "1").exists, "what has room comes", 60)
        until(lambda: any(each.path == "too large" and each.what in ("no_room", "missing", "failed")
                          for each in b.ask("sync_troubles", "f", sy.SyncQuery()).troubles), "it is shown")
        assert b.folder.need_files == 1 and b.folder.state != "idle"
        subprocess.run(["mount", "-o", "remount,size=64m", str(b.files)], check=True)
        group.same(seconds=60)
        b.ask("leave_synced", "f", sy.SyncLeaving())
    finally:
        b.stop()
        subprocess.run(["umount", str(b.files)], check=True)


@pytest.mark.slow
def test_many_small_files(group: Group) -> None:
    a, b = group.pair()
    for number in range(20_000):
        put(a.files / f"d{number % 200}" / f"{number}", f"content {number}")
    until(lambda: b.folder.files == 20_000 and b.idle(), "all are there", 180)
    group.same(seconds=30)
    assert b.process is not None
    status = Path(f"/proc/{b.process.pid}/status").read_text()
    assert int(status.split("VmRSS:")[1].split()[0]) < 300_000


@pytest.mark.slow
def test_what_may_not_be_read_is_shown_and_comes_later(group: Group) -> None:
    a, b = group.pair()
    put(a.files / "x", "x")
    (a.files / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(a.files / "pipe")
    os.mknod(a.files / "bad\udcff")
    put(a.files / "y", "y")
    until((b.files / "y").exists, "the others come")
    until(lambda: len(a.ask("sync_troubles", "f", sy.SyncQuery()).troubles) == 2, "both are shown", 10)
    troubles = a.ask("sync_troubles", "f", sy.SyncQuery()).troubles
    assert "pipe" in {each.path for each in troubles}
    assert len(troubles) == 2
    (a.files / "pipe").unlink()
    os.unlink(a.files / "bad\udcff")
    until(lambda: not a.ask("sync_troubles", "f", sy.SyncQuery()).troubles, "nothing is wrong any more", 10)
    group.same()
