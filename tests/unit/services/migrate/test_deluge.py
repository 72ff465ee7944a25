"""Deluge's state folder."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from tests.migrate_states import deluge_entry, fastresume, pickled, torrent
from tests.unit.services.migrate.test_pickles import Runs

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.services.migrate import Category, Client, Found, PathMap, Start, Unreadable, find, general, torrents
from wildbach.services.migrate.deluge import read_state

MADE = torrent()
KEY = MADE.info.hashes.key


def config(root: Path, *, protocol: int = 2, resume: dict[str, Value] | None = None, **changes: object) -> Path:
    state = root / "state"
    state.mkdir(parents=True, exist_ok=True)
    (state / "torrents.state").write_bytes(pickled(deluge_entry(MADE, **changes), protocol=protocol))
    (state / "torrents.fastresume").write_bytes(bencode.encode({KEY.encode(): fastresume(MADE, **(resume or {}))}))
    (state / f"{KEY}.torrent").write_bytes(MADE.to_bytes())
    return root


def one(root: Path, paths: PathMap | None = None) -> Found:
    (state,) = find(root)
    (item,) = torrents(state, paths)
    assert isinstance(item, Found), item.reason
    return item


@pytest.mark.parametrize("protocol", range(6))
def test_a_torrent_is_what_its_files_say(tmp_path: Path, protocol: int) -> None:
    root = config(
        tmp_path, protocol=protocol, resume={"mapped_files": [b"", b"thing/n.bin"]}, name="Mine", queue=3,
        trackers=({"url": "http://t/b", "tier": 1}, {"url": "http://t/a", "tier": 0}), file_priorities=[0, 4, 7],
        max_download_speed=5.5, stop_at_ratio=True, stop_ratio=1.5, sequential_download=True, super_seeding=True)
    labels = {"torrent_labels": {KEY: "films"}, "labels": {}}
    (root / "label.conf").write_text(json.dumps({"file": 1}) + json.dumps(labels))
    item = one(root)
    assert (item.client, item.hashes, item.name, item.category) == (Client.DELUGE, MADE.info.hashes, "Mine", "films")
    assert item.trackers == (("http://t/a",), ("http://t/b",)) and item.metainfo is not None
    assert item.metainfo.trackers == item.trackers
    assert item.priorities == (0, 4, 7) and item.renames == {1: ("thing", "n.bin")} and item.queue == 3
    assert (item.limits.down, item.limits.up, item.limits.ratio) == (5632, 0, 1.5)
    assert (item.save_path, item.incomplete_path) == (Path("/data"), None)
    assert item.sequential and item.super_seed and item.complete and item.start is Start.QUEUED
    assert (item.added_at, item.uploaded, item.downloaded) == (1_700_000_000, 1000, 2000) and item.lost == ()


@pytest.mark.parametrize(("changes", "start"), [
    ({"paused": True}, Start.STOPPED), ({"auto_managed": False}, Start.FORCED), ({}, Start.QUEUED),
])
def test_how_it_runs(tmp_path: Path, changes: dict[str, object], start: Start) -> None:
    assert one(config(tmp_path, **changes)).start is start


def test_what_moves_when_it_is_complete(tmp_path: Path) -> None:
    item = one(config(tmp_path, resume={"pieces": b"\0" * 5}, move_completed=True))
    assert (item.save_path, item.incomplete_path, item.complete) == (Path("/done"), Path("/data"), False)
    item = one(config(tmp_path, move_completed=True))
    assert (item.save_path, item.incomplete_path, item.complete) == (Path("/data"), None, True)
    item = one(config(tmp_path, save_path="D:\\x", resume={"mapped_files": [b"thing\\y"]}), PathMap([("D:", "/d")]))
    assert item.save_path == Path("/d/x") and item.renames == {0: ("thing", "y")}


def test_what_is_not_taken_over_is_told(tmp_path: Path) -> None:
    item = one(config(tmp_path, prioritize_first_last=True, stop_at_ratio=True, remove_at_ratio=True, save_path=""))
    assert len(item.lost) == 2 and item.save_path == Path("/data")
    root = config(tmp_path)
    (root / "state" / "torrents.fastresume").unlink()
    item = one(root)
    assert not item.complete and item.added_at is None and len(item.lost) == 1


def test_labels_and_folders(tmp_path: Path) -> None:
    root = config(tmp_path)
    version = json.dumps({"file": 1, "format": 1})
    (root / "label.conf").write_text(version + json.dumps({"labels": {
        "films": {"apply_move_completed": True, "move_completed": True, "move_completed_path": "/films"},
        "off": {"apply_move_completed": False, "move_completed": True, "move_completed_path": "/off"}, "odd": 7,
    }}))
    (root / "core.conf").write_text(version + json.dumps({
        "download_location": "/d", "move_completed": True, "move_completed_path": "/m"}))
    found = general(find(root)[0])
    assert found.categories == (Category("films", Path("/films")), Category("odd"), Category("off"))
    assert (found.save_path, found.incomplete_path, found.notes) == (Path("/m"), Path("/d"), ())
    (root / "core.conf").write_text("{")
    (root / "label.conf").write_text("[]")
    assert len(general(find(root)[0]).notes) == 2


def test_a_link_without_metadata(tmp_path: Path) -> None:
    link = f"magnet:?xt=urn:btih:{KEY}&dn=x&tr=http://t/a"
    root = config(tmp_path, magnet=link)
    (root / "state" / f"{KEY}.torrent").unlink()
    item = one(root)
    assert item.magnet is not None and item.magnet.trackers == ("http://t/a",) and item.magnet.name == "x"
    item = one(config(tmp_path, magnet=None, trackers=[{"url": "http://t/b", "tier": 0}]) and root)
    assert item.trackers == (("http://t/b",),)


def test_a_pickle_that_runs_something_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = config(tmp_path)
    monkeypatch.chdir(tmp_path)
    for data in (
        pickle.dumps(Runs(os.system, "touch ran"), 2), pickled(deluge_entry(MADE, name=Runs(os.system, "touch ran"))),
        pickled(deluge_entry(MADE))[:-1] + b"cos\nsystem\n(S'touch ran'\ntR.",
    ):
        (root / "state" / "torrents.state").write_bytes(data)
        (item,) = torrents(find(root)[0])
        assert isinstance(item, Unreadable) and item.name == "torrents.state"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]


@pytest.mark.parametrize("data", [b"", b"N.", b"].", b"}.", b"rubbish", pickle.dumps({"torrents": []}, 2)])
def test_another_value_is_no_state(data: bytes) -> None:
    with pytest.raises(FormatError):
        read_state(data)


@pytest.mark.parametrize("changes", [
    {"torrent_id": "x"}, {"torrent_id": None}, {"torrent_id": "ab" * 20}, {"torrent_id": 7},
])
def test_an_entry_without_its_hash_is_unreadable(tmp_path: Path, changes: dict[str, object]) -> None:
    root = config(tmp_path, **changes)
    (root / "state" / f"{'ab' * 20}.torrent").write_bytes(MADE.to_bytes())
    (item,) = torrents(find(root)[0])
    assert isinstance(item, Unreadable)


def test_values_of_a_wrong_kind_count_as_absent(tmp_path: Path) -> None:
    item = one(config(
        tmp_path, trackers=7, file_priorities={"a": 1}, queue="x", max_download_speed="fast", save_path=5, name=[1],
        stop_ratio="x", stop_at_ratio=True, move_completed=1, magnet=3, paused="yes"))
    assert item.trackers == () and item.priorities == () and item.queue is None and item.limits.down == 0
    assert item.name == "thing" and item.start is Start.QUEUED and item.limits.ratio == 0


@pytest.mark.parametrize("data", [
    b"rubbish", b"le", b"d40:" + KEY.encode() + b"i1ee", b"d40:" + KEY.encode() + b"2:lee",
])
def test_broken_resume_data_costs_no_more_than_itself(tmp_path: Path, data: bytes) -> None:
    root = config(tmp_path)
    (root / "state" / "torrents.fastresume").write_bytes(data)
    items = list(torrents(find(root)[0]))
    assert items and all(isinstance(item, Found) or item.reason for item in items)
    assert sum(isinstance(item, Found) for item in items) == (0 if data.endswith(b"2:lee") else 1)


def test_a_process_id_says_whether_it_runs(tmp_path: Path) -> None:
    root = config(tmp_path)
    (root / "deluged.pid").write_text(f"{os.getpid()};58846")
    assert find(root)[0].running.startswith("Deluge runs now")
    for text in ("999999999;1", "0;1", "1;1", "x", "", "-5;1", "99999999999999999;1"):
        (root / "deluged.pid").write_text(text)
        assert find(root)[0].running == ""
