"""`wildbach sync`: folders of a daemon are made, shared and steered by words; what is shown is shown for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from daemons import Shell
from sync_fakes import FakeSyncing, sync_device, sync_folder
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.remote import sync, synced
from wildbach.interfaces.cli.table import Cell


class Client(FakeSyncing):
    """What the functions ask beside folders."""

    def __init__(self) -> None:
        super().__init__()
        self.works: dict[str, m.Job] = {}

    async def job(self, id: str) -> m.Job:
        return self.works[id]


@pytest.fixture
def api() -> Client:
    made = Client()
    one = sync_folder("photos")
    made.synced[one.id] = one
    return made


def run(work: Callable[[Api], Awaitable[Exit]], api: Client) -> Exit:
    async def main() -> Exit:
        return await work(api)  # type: ignore[arg-type]  # the part of the Api that is asked
    return asyncio.run(main())


def words_of(row: tuple[str | Cell, ...]) -> list[str]:
    return [each.text if isinstance(each, Cell) else each for each in row]


# -- on a daemon

def test_a_folder_is_made_shared_steered_and_left(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one")
    assert "Begin with wildbach sync create DIR" in shell.good("sync")
    out = shell.good("sync", "create", "things", "--name", "My things")
    assert f"{folder} is kept the same from now on, as 'My things'" in out
    shell.house.until(lambda api: api.sync.folders[0].folder.standing.files == 1)
    (one,) = shell.json("sync", "status")
    assert (one["name"], one["path"], one["role"], one["recovery"]) == ("My things", str(folder), "owner", "unsaved")
    assert "if this device is lost, nobody can let devices in or out" in shell.good("sync") + shell.err
    assert "this device:       an owner" in shell.good("sync", "status", one["id"][:8])
    (link,) = shell.json("sync", "share", "My things", "--read-only", "--hours", 2)
    assert link["text"].startswith("wildbach-sync:") and link["role"] == "ro"
    assert link["text"] not in shell.good("sync", "links", "My things") and link["id"] in shell.good(
        "sync", "links", "My things")
    assert "lets nobody in" in shell.good("sync", "unshare", "My things", link["id"])
    assert shell.good("sync", "links", "My things").strip() == "No link is open."
    (item,) = shell.json("sync", "ls", "My things")
    assert (item["path"], item["state"], item["size"]) == ("a.txt", "here", 3)
    assert "Nothing is missing." in shell.good("sync", "missing", "My things")
    assert "There are no conflicts." in shell.good("sync", "conflicts", "My things")
    assert "No old version is kept here." in shell.good("sync", "versions", "My things")
    assert len(shell.good("sync", "recovery", "My things").split()) == 24
    assert "has forgotten it" in shell.good("sync", "recovery", "My things", "--saved")
    code, _ = shell.run("sync", "recovery", "My things")
    assert code != Exit.OK and "no recovery key" in shell.err
    assert "paused" in shell.good("sync", "set", "My things", "--pause", "--name", "Things")
    moved = shell.good("sync", "move", "Things", "elsewhere")
    assert str(tmp_path / "elsewhere") in moved and (tmp_path / "elsewhere" / "a.txt").read_bytes() == b"one"
    assert shell.good("sync", "device", "desk").startswith("desk  ")
    assert "left; the files stay" in shell.good("sync", "leave", "Things")
    assert shell.json("sync") == [] and (tmp_path / "elsewhere" / "a.txt").exists()


@pytest.mark.parametrize("words", [
    ("status", "nothing"), ("share", "nothing"), ("links", "nothing"), ("leave", "nothing"), ("scan", "nothing"),
    ("ls", "nothing"), ("missing", "nothing"), ("history", "nothing"), ("conflicts", "nothing", "copy"),
    ("revoke", "nothing", "pc"), ("role", "nothing", "pc", "king"), ("answer", "nothing", "maybe"),
    ("set", "nothing", "--leave-out", "a", "--keep-all"), ("move", "nothing", "x"), ("restore", "nothing", "a@1"),
    ("import-syncthing",), ("join", "x", "--qr", "none.png"),
])
def test_what_cannot_be_is_said(shell: Shell, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shell.house.folder))
    code, _ = shell.run("sync", *words)
    assert code != Exit.OK and shell.err and "Traceback" not in shell.err


# -- functions

def test_folders_are_listed_with_what_they_ask(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    one = next(iter(api.synced.values()))
    api._put(one, state="asking", question="many files are missing here at once", need_files=2, need_bytes=2_000_000)
    assert run(lambda api: sync.status(api, "", as_json=False), api) is Exit.OK
    out, err = capsys.readouterr()
    assert "photos" in out and "asking" in out and "1/1" in out
    assert "many files are missing here at once" in err and "wildbach sync answer 'photos' yes, or no" in err


def test_a_terminal_is_told_no_escapes_that_others_wrote(capsys: pytest.CaptureFixture[str], api: Client) -> None:
    bad = "\x1b]0;owned\x07\u202e"
    one = next(iter(api.synced.values()))
    api._put(one, name=bad, reason=bad, devices=(sync_device(bad, reason=bad),))
    api.things = (sy.SyncItem(bad, "file", 1, 1, bad, False, "waiting", bad),)
    api.troubles = (sy.SyncTrouble(bad, "missing", bad, 1, 1),)
    api.clashes = {bad: sy.SyncConflict(bad, bad, bad, 1, 1, 1, True)}
    api.happened = (sy.SyncEvent(1, "received", bad, bad),)
    api.old = (sy.SyncVersion("v@1", bad, 1, 1, bad, "changed"),)
    for work in (
        lambda api: sync.status(api, "", as_json=False), lambda api: sync.status(api, one.id, as_json=False),
        lambda api: synced.ls(api, one.id, "", as_json=False), lambda api: synced.missing(api, one.id, as_json=False),
        lambda api: synced.conflicts(api, one.id, as_json=False),
        lambda api: synced.history(api, one.id, as_json=False),
        lambda api: synced.versions(api, one.id, "", as_json=False),
    ):
        run(work, api)
    out, err = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err)


def test_long_lists_are_fetched_in_parts(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.things = tuple(
        sy.SyncItem(f"{number:05}", "file", 1, 1, "phone", True, "here", "") for number in range(1201))
    run(lambda api: synced.ls(api, "photos", "", as_json=True), api)
    assert len(capsys.readouterr().out.splitlines()) == 1201


def test_a_link_is_shown_once_with_who_may_use_it(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    run(lambda api: sync.shared(api, "photos", sy.SyncLinkMaking(reusable=True), qr=True, as_json=False), api)
    out, err = capsys.readouterr()
    assert out.startswith("wildbach-sync:") and len(out.splitlines()) > 10
    assert "any number of devices" in err


def test_the_link_to_join_with_comes_by_stdin_and_is_no_word_of_the_command(
    api: Client, capsys: pytest.CaptureFixture[str],
) -> None:
    joining = sy.SyncJoining("wildbach-sync:1", "/y")
    assert run(lambda api: sync.joined(api, joining, as_json=False), api) is Exit.OK
    assert "joined 'photos' as /y" in capsys.readouterr().out
    assert "wildbach-sync:1" not in repr(joining)


def test_a_device_is_what_it_says_of_itself() -> None:
    away = sync_device("phone", connected=False, way="", endpoint="", state="", reason="it was not found", seen_at=0)
    assert words_of(sync.device_line(away))[:5] == ["phone", "rw", "away it was not found", "", "never"]
    near = sync_device("phone", state="syncing", need_files=1, need_bytes=1_000_000)
    assert words_of(sync.device_line(near))[2] == "syncing" and "1 file" in words_of(sync.device_line(near))[3]


def test_conflicts_are_resolved_by_name(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.clashes = {"a (copy)": sy.SyncConflict("a", "a (copy)", "phone", 1, 1, 2, True)}
    run(lambda api: synced.resolved(api, "photos", sy.SyncResolving("a (copy)", "copy")), api)
    assert api.clashes == {} and "resolved: a (copy)" in capsys.readouterr().out
    with pytest.raises(UsageError):
        run(lambda api: synced.resolved(api, "photos", sy.SyncResolving("a (copy)", "copy")), api)


def test_where_two_contents_differ_is_shown_and_no_octet_of_them_reaches_the_terminal(
    api: Client, capsys: pytest.CaptureFixture[str],
) -> None:
    api.clashes = {"a (copy)": sy.SyncConflict("a", "a (copy)", "phone", 1, 1, 2, True)}
    run(lambda api: synced.difference(api, "photos", "a (copy)", as_json=False), api)
    out = capsys.readouterr().out
    assert "- under its name, + a (copy)" in out and "… 7 equal lines" in out and "- ü" in out and "more" in out
    assert "\x1b" not in out
    with pytest.raises(UsageError):
        run(lambda api: synced.difference(api, "photos", "other", as_json=False), api)


def test_folders_of_syncthing_are_looked_at_first(api: Client, capsys: pytest.CaptureFixture[str]) -> None:
    api.syncthing = (sy.SyncthingFolder("Music", "/m", "both", False, ("phone",), 2, ("versions stay",), False),)
    run(lambda api: synced.take_over(api, "", (), dry_run=True, as_json=False), api)
    out, err = capsys.readouterr()
    assert "Music" in out and "Music: versions stay" in err and len(api.synced) == 1
    run(lambda api: synced.take_over(api, "", ("/m",), dry_run=False, as_json=False), api)
    assert [each.name for each in api.synced.values()] == ["photos", "Music"]
