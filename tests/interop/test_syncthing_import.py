"""Folders that a real Syncthing keeps the same on two machines are taken over by wildbach, without being sent again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.peers import syncthing

from syncdaemons import Daemon, Group, until
from wildbach.interfaces.api import syncmodels as sy
from wildbach.protocol.sync.links import SCHEME

pytestmark = [
    pytest.mark.slow, pytest.mark.foreign("syncthing"),
    pytest.mark.skipif(not syncthing.version(), reason="syncthing is not installed (Debian: syncthing)"),
]
MIB = 1 << 20
OWN = {".stfolder", ".stignore", ".stversions", ".wildbach", ".wbignore"}
IGNORES = ["// what stays here", "*.tmp", "!/cache/keep", "/cache/*", "(?i)*.BAK", "{one,two}.log", "(?d).DS_Store"]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    found = Group(tmp_path)
    try:
        yield found
    finally:
        found.end()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and not OWN & {*path.relative_to(folder).parts}}


def listed(of: Daemon) -> set[str]:
    """Files that the folder has, on all devices."""
    items = [each for under in ("", "photos", "cache")
             for each in of.ask("synced_items", "bench", sy.SyncQuery(under)).items]
    assert {each.path for each in items if each.kind == "dir"} == {"photos", "cache"}
    return {each.path for each in items if each.kind == "file"}


def test_what_two_syncthings_kept_the_same_two_wildbachs_go_on_with(group: Group, tmp_path: Path) -> None:
    a, b = group.add("a"), group.add("b")
    left, right, other = a.files, b.files, tmp_path / "only sent"
    for each in (left, right, other):
        each.mkdir()
    (left / "photos").mkdir()
    for number in range(8):
        (left / "photos" / f"{number}.jpg").write_bytes(os.urandom(MIB))
    (left / "words.txt").write_text("the same on both")
    with syncthing.pair(tmp_path / "syncthings", left, right, delay=1) as (one, two):
        one.ask("db/ignores?folder=bench", {"ignore": IGNORES})
        one.ask("config/folders", {"id": "sent", "label": "Only sent", "path": str(other), "type": "sendonly"})
        one.ask("config/folders", {"id": "rest", "path": str(tmp_path / "rest"), "paused": True})
        one.ask("db/scan?folder=bench", {})
        for path in ("x.tmp", "X.bak", "cache/gone", "cache/keep", "one.log", ".DS_Store"):
            (left / path).parent.mkdir(exist_ok=True)
            (left / path).write_text(path)
        syncthing.until(lambda: one.idle() and two.idle() and (right / "cache" / "keep").exists())
        # An old version, as Syncthing keeps them.
        (right / ".stversions").mkdir()
        (right / ".stversions" / "words~20260101-000000.txt").write_text("older")
        homes = one.home, two.home
    assert files(right).keys() == {"words.txt", "cache/keep", *(f"photos/{number}.jpg" for number in range(8))}
    before = files(left)

    looked = json.loads(a.command.run("sync", "import-syncthing", homes[0], "--dry-run", "--json").stdout)
    found = {each["label"]: each for each in looked["folders"]}
    assert {label: (each["path"], each["mode"], each["paused"]) for label, each in found.items()} == {
        "bench": (str(left), "both", False), "Only sent": (str(other), "send", False),
        "rest": (str(tmp_path / "rest"), "both", True)}
    # The other one alone; both have the name of the machine.
    assert len(found["bench"]["devices"]) == 1 and found["Only sent"]["devices"] == []
    assert not a.ask("synced_folders").folders
    taken = a.command.run("sync", "import-syncthing", homes[0])
    assert taken.returncode == 0 and "3 folders" in taken.stdout, taken.stdout + taken.stderr
    kept = {each.name: each for each in a.ask("synced_folders").folders}
    assert {name: (each.path, each.mode, each.state == "paused") for name, each in kept.items()} == {
        "bench": (str(left), "both", False), "Only sent": (str(other), "send", False),
        "rest": (str(tmp_path / "rest"), "both", True)}
    # What Syncthing left out stays here, and what is its own is nothing of the folder.
    until(lambda: a.ask("synced_folder", "bench").files == len(files(right)), "it was looked at")
    assert listed(a) == files(right).keys()

    shared = a.command.run("sync", "share", "bench").stdout.split()
    link = next(each for each in shared if each.startswith(SCHEME))
    joined = b.command.run("sync", "join", right, stdin=link.encode() + b"\n")
    assert joined.returncode == 0, joined.stdout + joined.stderr
    until(lambda: all(each.ask("synced_folder", "bench").state == "idle" for each in (a, b)), "both rest")
    (left / "after").write_text("x")
    until((right / "after").exists, "and they go on")
    device, = (each for each in b.ask("synced_folder", "bench").devices if not each.me)
    assert device.received < 256 << 10 and device.sent < 256 << 10, "files were sent again"
    assert files(left) == before | {"after": b"x"}
    assert files(right) == {path: raw for path, raw in files(left).items() if path in files(right)}
    assert not list(left.rglob("*conflict*"))
    assert (right / ".stversions").is_dir() and not (left / ".stversions").exists()
    assert listed(a) == listed(b) == files(right).keys() | {"after"}
