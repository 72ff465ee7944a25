"""What people do first with a folder, as daemons take it; the rows of the guide that no other file of tests has."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from syncdaemons import Daemon, Group, tree, until
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import syncmodels as sy

MIB = 1 << 20


def received(of: Daemon) -> int:
    return sum(each.received for each in of.folder.devices)


def id_of(device: Daemon) -> str:
    return str(device.ask("synced_folders").device)


def test_a_folder_that_only_sends_shows_what_others_changed_and_makes_none_of_it(group: Group) -> None:
    a, b = group.add("a"), group.add("b")
    a.files.mkdir()
    (a.files / "old").write_text("a")
    a.create()
    b.join(a.share(), "send")
    (b.files / "sent").write_text("by b")
    until((a.files / "sent").exists, "what b has is sent")
    (a.files / "sent").write_text("changed by a")
    (a.files / "new").write_text("by a")

    def shown() -> dict[str, sy.SyncItem]:
        return {each.path: each for each in b.ask("synced_items", "f", sy.SyncQuery()).items}

    until(lambda: {"old", "sent", "new"} <= shown().keys()
          and all(shown()[path].state == "waiting" for path in ("old", "sent", "new")), f"they are shown: {shown()}")
    assert shown()["new"].reason == "this folder only sends"
    assert "only sends" in b.command.run("sync", "missing", "f").stdout
    assert tree(b.files) == {"sent": ("file", b"by b", False)}
    b.set(mode="both")
    assert group.same()["sent"] == ("file", b"changed by a", False)


@pytest.mark.slow
def test_a_folder_is_moved_by_hand_or_by_the_command_and_nothing_is_sent_again(group: Group, tmp_path: Path) -> None:
    a, b = group.add("a"), group.add("b")
    a.files.mkdir()
    (a.files / "large").write_bytes(os.urandom(8 * MIB))
    group.pair()
    before = group.same()
    # By hand, while it runs; then it is said where it is.
    new = b.home / "moved by hand"
    shutil.move(b.files, new)
    until(lambda: b.folder.state == "stopped", "it is missed", 20)
    # Another place is none of it: one with files, and one that is another folder.
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    other = tmp_path / "other"
    b.ask("create_synced", sy.SyncMaking(str(other), "other"))
    b.ask("leave_synced", "other", sy.SyncLeaving())
    foreign = tmp_path / "foreign"
    a.ask("create_synced", sy.SyncMaking(str(foreign), "foreign"))
    until((foreign / ".wildbach" / "id").exists, "another folder is there")
    for wrong, why in ((tmp_path / "full", "not the folder"), (foreign, "another folder")):
        with pytest.raises(UsageError, match=why):
            b.set(path=str(wrong))
    done = b.command.run("sync", "move", "f", new)
    assert done.returncode == 0, done.stderr
    (a.files / "after").write_text("x")
    until((new / "after").exists, "it goes on at the new place")
    assert tree(new) == before | {"after": ("file", b"x", False)}
    # By the command.
    last = b.home / "moved by it"
    done = b.command.run("sync", "move", "f", last)
    assert done.returncode == 0, done.stderr
    (last / "from there").write_text("x")
    until((a.files / "from there").exists, "and there")
    assert not new.exists() and tree(last) == tree(a.files)
    assert received(b) < MIB and received(a) < MIB
    # It is left: files stay, and nothing comes any more.
    done = b.command.run("sync", "leave", "f")
    assert done.returncode == 0, done.stderr
    until(lambda: a.connected() == 0, "a sees it")
    (a.files / "later").write_text("x")
    time.sleep(0.5)
    assert tree(last) == {path: each for path, each in tree(a.files).items() if path != "later"}


@pytest.mark.slow
def test_a_folder_whose_only_owner_is_lost_goes_on_and_a_new_one_on_its_files_costs_nothing(group: Group) -> None:
    a, b, c = (group.add(name) for name in "abc")
    a.files.mkdir()
    (a.files / "large").write_bytes(os.urandom(8 * MIB))
    group.pair()
    c.join(a.share())
    group.same()
    until(lambda: b.connected() == c.connected() == 2, "all know each other")
    said = a.command.run("sync", "status", "f")
    assert "if this device is lost" in said.stdout + said.stderr
    a.kill()
    group.daemons.remove(a)
    (b.files / "without a").write_text("x")
    (c.files / "also").write_text("x")
    group.same(b, c)
    with pytest.raises(UsageError, match="owner"):
        b.share()
    # The same directories begin anew.
    for each in (b, c):
        each.ask("leave_synced", "f", sy.SyncLeaving())
    b.create()
    c.join(b.share())
    there = group.same(b, c)
    assert {"large", "without a", "also"} == there.keys()
    assert received(c) < MIB and received(b) < MIB


@pytest.mark.slow
def test_a_second_owner_takes_over_and_then_nobody_is_reminded(group: Group) -> None:
    a, b = group.pair()
    a.ask("set_sync_role", "f", sy.SyncRoleChange(id_of(b), "owner"))
    until(lambda: b.folder.role == "owner" and b.folder.owners == 2, "b is an owner")
    said = a.command.run("sync", "status", "f")
    assert "if this device is lost" not in said.stdout + said.stderr
    lost = id_of(a)
    a.kill()
    group.daemons.remove(a)
    # It is said on b now, which is as alone as a was.
    c = group.add("c")
    c.join(b.share())
    (c.files / "by c").write_text("x")
    group.same(b, c)
    # Whoever made the folder stands above; only the recovery key could take it out.
    with pytest.raises(UsageError, match="stands above"):
        b.ask("revoke_synced", "f", sy.SyncRevoking(lost))
    b.ask("set_sync_role", "f", sy.SyncRoleChange(id_of(c), "ro"))
    until(lambda: c.folder.role == "ro", "b says who may do what")
    b.ask("revoke_synced", "f", sy.SyncRevoking(id_of(c)))
    until(lambda: {each.id for each in b.folder.devices} == {id_of(b), lost}, "and takes devices out")
