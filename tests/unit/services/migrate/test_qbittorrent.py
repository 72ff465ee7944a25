"""qBittorrent's folder and database."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.migrate_states import fastresume, torrent, without_layers

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol.bencode import Value
from wildbach.services.migrate import (
    Category,
    Client,
    Found,
    PathMap,
    Start,
    State,
    Unreadable,
    find,
    general,
    torrents,
)
from wildbach.services.migrate.qbtdatabase import count_rows, rows
from wildbach.services.migrate.qsettings import parse

MADE = torrent()
KEY = MADE.info.hashes.key


def profile(root: Path, **keys: Value) -> Path:
    """A profile with one torrent."""
    backup = root / "qBittorrent" / "data" / "BT_backup"
    backup.mkdir(parents=True)
    (root / "qBittorrent" / "config").mkdir()
    (backup / f"{KEY}.fastresume").write_bytes(fastresume(MADE, **keys))
    (backup / f"{KEY}.torrent").write_bytes(without_layers(MADE))
    return root


def settings(root: Path, text: str, categories: object = None) -> None:
    config = root / "qBittorrent" / "config"
    (config / "qBittorrent.conf").write_text(text)
    if categories is not None:
        (config / "categories.json").write_text(json.dumps(categories))


def one(root: Path, paths: PathMap | None = None) -> Found:
    (state,) = find(root)
    (item,) = torrents(state, paths)
    assert isinstance(item, Found), item.reason
    return item


def test_a_torrent_is_what_its_files_say(tmp_path: Path) -> None:
    item = one(profile(
        tmp_path, qBt_category=b"films", qBt_tags=[b"a", b" b ", b"a", b"", 7], qBt_name=b"Mine", qBt_savePath=b"/data",
        qBt_ratioLimit=1500, qBt_seedingTimeLimit=10, qBt_inactiveSeedingTimeLimit=-1, file_priority=[0, 1, 7],
        mapped_files=[b"", b"thing/n.bin"], trackers=[[b"http://t/a"], [b"http://t/b", b"http://t/c"]],
        sequential_download=1, super_seeding=1, download_rate_limit=5, upload_rate_limit=-1,
        **{"url-list": [b"http://w/"], "httpseeds": []},
    ))
    assert (item.client, item.hashes, item.name) == (Client.QBITTORRENT, MADE.info.hashes, "Mine")
    assert (item.save_path, item.incomplete_path, item.said_path) == (Path("/data"), None, "/data")
    assert (item.category, item.tags) == ("films", ("a", "b"))
    assert (item.limits.down, item.limits.up, item.limits.ratio) == (5, 0, 1.5)
    assert (item.limits.seeding_seconds, item.limits.idle_seconds) == (600, math.inf)
    assert item.priorities == (0, 1, 7) and item.renames == {1: ("thing", "n.bin")}
    assert item.trackers == (("http://t/a",), ("http://t/b", "http://t/c"))
    assert item.metainfo is not None and item.metainfo.trackers == item.trackers
    assert item.metainfo.web_seeds == ("http://w/",) and item.source is item.metainfo
    assert item.sequential and item.super_seed and item.complete and item.start is Start.QUEUED
    assert (item.added_at, item.completed_at) == (1_700_000_000, 1_700_000_100)
    assert (item.active_seconds, item.seeding_seconds, item.uploaded, item.downloaded) == (500, 400, 1000, 2000)
    assert item.lost == () and item.torrent == item.metainfo.to_bytes()


@pytest.mark.parametrize(("paused", "managed", "start"), [
    (1, 0, Start.STOPPED), (0, 0, Start.FORCED), (0, 1, Start.QUEUED), (1, 1, Start.QUEUED),
])
def test_paused_and_not_managed_is_stopped(tmp_path: Path, paused: int, managed: int, start: Start) -> None:
    assert one(profile(tmp_path, paused=paused, auto_managed=managed)).start is start


@pytest.mark.parametrize(("raw", "ratio"), [
    (-2000, None), (-1000, math.inf), (0, 0.0), (2500, 2.5), (b"1.25", 1.25), (b"-2", None), (b"-1", math.inf),
    (b"x", None), ([], None), (-5, None),
])
def test_limits_are_general_none_or_its_own(tmp_path: Path, raw: Value, ratio: float | None) -> None:
    assert one(profile(tmp_path, qBt_ratioLimit=raw)).limits.ratio == ratio


def test_what_is_not_taken_over_is_told(tmp_path: Path) -> None:
    item = one(profile(
        tmp_path, qBt_firstLastPiecePriority=1, qBt_stopCondition=b"FilesChecked", qBt_shareLimitAction=b"Remove",
        mapped_files=[b"../x"]))
    assert len(item.lost) == 4


@pytest.mark.parametrize(("keys", "category", "expected"), [
    ({"save_path": b"/now", "qBt_savePath": b"/final"}, "", ("/final", "/now")),
    ({"save_path": b"/now", "qBt_savePath": b"/now"}, "", ("/now", None)),
    ({"save_path": b"/now"}, "films", ("/films", "/now")),
    ({"save_path": b"/now"}, "films/old", ("/films/old", "/now")),
    ({"save_path": b"/now"}, "plain", ("/saves/plain", "/now")),
    ({"save_path": b"/now"}, "", ("/saves", "/now")),
    ({"save_path": b"/now"}, "unknown", ("/saves", "/now")),
    ({"save_path": b"", "qBt_savePath": b"/final"}, "", ("/final", None)),
    ({"save_path": b"D:\\x", "qBt_savePath": b"D:\\x"}, "", (None, None)),
    ({"save_path": b"D:\\x"}, "", (None, None)),
])
def test_folders_of_what_is_not_complete(
    tmp_path: Path, keys: dict[str, Value], category: str, expected: tuple[str | None, str | None],
) -> None:
    root = profile(tmp_path, pieces=b"\0" * 5, qBt_category=category.encode(), **keys)
    settings(root, "[BitTorrent]\nSession\\DefaultSavePath=/saves\n", {
        "films": {"save_path": "/films"}, "films/old": {"save_path": ""}, "plain": {"save_path": ""}})
    item = one(root)
    assert not item.complete
    assert (item.save_path, item.incomplete_path) == tuple(Path(text) if text else None for text in expected)
    assert item.save_path is not None or item.lost


def test_what_is_complete_stays_where_it_is(tmp_path: Path) -> None:
    root = profile(tmp_path, save_path=b"/now", qBt_savePath=b"/final")
    assert (one(root).save_path, one(root).incomplete_path) == (Path("/now"), None)


def test_paths_of_windows_need_a_mapping(tmp_path: Path) -> None:
    root = profile(tmp_path, save_path=b"D:\\Torrents\\x", qBt_savePath=b"D:/Torrents/x", mapped_files=[b"thing\\n\\a"])
    item = one(root)
    assert item.save_path is None and "path of Windows" in item.lost[0] and item.said_path == "D:/Torrents/x"
    item = one(root, PathMap([("d:\\torrents", "/srv")]))
    assert item.save_path == Path("/srv/x") and item.lost == () and item.renames == {0: ("thing", "n", "a")}


def test_settings_and_categories(tmp_path: Path) -> None:
    root = profile(tmp_path, mapped_files=[b"thing/a.bin.!qB"])
    settings(root, (
        "[BitTorrent]\nSession\\DefaultSavePath=\"/sa, ves\"\nSession\\TempPath=/temp\nSession\\TempPathEnabled=true\n"
        "Session\\AddExtensionToIncompleteFiles=true\n"), {
            "a": {"save_path": "/a", "download_path": "/b"}, "b": "/old",
            "c": {"save_path": "", "download_path": False}, "d/../..": {"save_path": ""}, "e": 7,
            "f": {"save_path": "D:\\x"}})
    (state,) = find(root)
    found = general(state)
    assert (found.save_path, found.incomplete_path, found.suffix) == (Path("/sa, ves"), Path("/temp"), ".!qB")
    assert found.categories[:3] == (
        Category("a", Path("/a"), Path("/b")), Category("b", Path("/old")), Category("c", Path("/sa, ves/c")))
    assert [item.save_path for item in found.categories[3:]] == [None, Path("/sa, ves/e"), None]
    assert len(found.notes) == 1 and "category f" in found.notes[0]
    assert one(root).suffix == ".!qB" and one(root).renames == {}


def test_broken_settings_are_a_note(tmp_path: Path) -> None:
    root = profile(tmp_path)
    settings(root, "")
    (root / "qBittorrent/config/categories.json").write_text("[")
    (state,) = find(root)
    (note,) = general(state).notes
    assert note.startswith("the categories could not be read")
    (root / "qBittorrent/config/categories.json").unlink()
    (root / "qBittorrent/config/categories.json").symlink_to("/etc/passwd")
    assert "symlink" in general(state).notes[0]


def test_a_broken_torrent_does_not_stop_the_others(tmp_path: Path) -> None:
    root = profile(tmp_path)
    backup = root / "qBittorrent/data/BT_backup"
    for number, data in enumerate([b"", b"x", b"le", b"d", fastresume(torrent(name="b"))[:-1]]):
        (backup / f"{number:040x}.fastresume").write_bytes(data)
    (backup / f"{9:040x}.fastresume").symlink_to("/etc/passwd")
    (backup / f"{10:040x}.fastresume").write_bytes(fastresume(torrent(name="c")))
    (backup / f"{10:040x}.torrent").write_bytes(b"d4:infodee")
    (backup / f"{11:040x}.torrent").write_bytes(MADE.to_bytes())
    (backup / "queue").write_text(f"{KEY}\nrubbish\n")
    (state,) = find(root)
    items = list(torrents(state))
    good = [item for item in items if isinstance(item, Found)]
    bad = [item for item in items if isinstance(item, Unreadable)]
    assert [item.hashes.key for item in good] == [KEY] and good[0].queue == 0
    assert len(bad) == 7 and all(item.reason and item.client is Client.QBITTORRENT for item in bad)


def test_without_metadata_it_is_a_magnet_link(tmp_path: Path) -> None:
    root = profile(tmp_path, trackers=[[b"http://t/a"]])
    (root / "qBittorrent/data/BT_backup" / f"{KEY}.torrent").unlink()
    item = one(root)
    assert item.metainfo is None and item.magnet is not None and item.source is item.magnet and item.torrent is None
    assert item.magnet.hashes == MADE.info.hashes and item.magnet.trackers == ("http://t/a",) and not item.complete


@pytest.mark.parametrize("layout", [
    ("home/.local/share/qBittorrent/BT_backup", "home/.config/qBittorrent"),
    ("config/qBittorrent/BT_backup", "config/qBittorrent"),
    ("p/qBittorrent/data/BT_backup", "p/qBittorrent/config"),
    ("app/data/qBittorrent/BT_backup", "app/config/qBittorrent"),
    ("AppData/Local/qBittorrent/BT_backup", "AppData/Roaming/qBittorrent"),
])
def test_settings_are_found_beside_the_torrents(tmp_path: Path, layout: tuple[str, str]) -> None:
    data, config = tmp_path / layout[0], tmp_path / layout[1]
    for folder in (data, config):
        folder.mkdir(parents=True, exist_ok=True)
    (data / f"{KEY}.fastresume").write_bytes(fastresume(MADE))
    (config / "qBittorrent.conf").write_text("[Preferences]\nDownloads\\SavePath=/s\n")
    for start in (tmp_path, data.parent, data, data / f"{KEY}.fastresume"):
        (state,) = find(start)
        assert (state.path, state.config) == (data, config)
        assert general(state).save_path == Path("/s")


def test_a_lock_file_says_that_it_may_run(tmp_path: Path) -> None:
    root = profile(tmp_path)
    settings(root, "")
    assert find(root)[0].running == ""
    (root / "qBittorrent/config/lockfile").touch()
    assert find(root)[0].running.startswith("qBittorrent runs now, or did not end")


# -- the database

SCHEMA = (
    "CREATE TABLE torrents (id INTEGER PRIMARY KEY, torrent_id BLOB, queue_position INTEGER, name TEXT, category TEXT,"
    " tags TEXT, target_save_path TEXT, download_path TEXT, ratio_limit INTEGER, seeding_time_limit INTEGER,"
    " has_outer_pieces_priority INTEGER, operating_mode TEXT, stopped INTEGER, stop_condition TEXT,"
    " libtorrent_resume_data BLOB, metadata BLOB{more})"
)


def database(path: Path, *changes: dict[str, object], more: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as base:
        base.execute(SCHEMA.format(more=more))
        for change in changes:
            row = {
                "torrent_id": KEY, "queue_position": -1, "name": None, "category": "films", "tags": "a, b",
                "target_save_path": "/data", "ratio_limit": -2000, "seeding_time_limit": -2, "operating_mode": "Forced",
                "has_outer_pieces_priority": 0, "stopped": 0, "stop_condition": "None",
                "libtorrent_resume_data": fastresume(MADE), "metadata": without_layers(MADE), **change,
            }
            base.execute(
                f"INSERT INTO torrents ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        base.commit()
    return path


def test_rows_are_torrents(tmp_path: Path) -> None:
    database(tmp_path / "torrents.db", {"queue_position": 3}, {"stopped": 1, "torrent_id": KEY.encode()}, {
        "share_limit_action": "Remove", "inactive_seeding_time_limit": 5, "operating_mode": "AutoManaged",
        "name": "Mine", "metadata": None,
    }, more=", share_limit_action TEXT, inactive_seeding_time_limit INTEGER")
    (state,) = find(tmp_path)
    assert (state.path, state.count) == (tmp_path / "torrents.db", 3)
    first, second, third = torrents(state)
    assert isinstance(first, Found) and isinstance(second, Found) and isinstance(third, Found)
    assert (first.queue, first.start, first.category, first.tags) == (3, Start.FORCED, "films", ("a", "b"))
    assert (first.save_path, first.complete, first.name) == (Path("/data"), True, "thing")
    assert second.start is Start.STOPPED and second.queue is None
    assert (third.start, third.name, third.limits.idle_seconds) == (Start.QUEUED, "Mine", 300)
    assert third.magnet is not None and third.lost == ("it was to be removed at its limit",)
    assert [path.name for path in tmp_path.iterdir()] == ["torrents.db"], "no lock and no index beside it"


def test_broken_rows_do_not_stop_the_others(tmp_path: Path) -> None:
    database(
        tmp_path / "torrents.db", {"libtorrent_resume_data": None}, {"libtorrent_resume_data": b"x"},
        {"libtorrent_resume_data": 7}, {"metadata": b"rubbish"}, {"metadata": "text", "tags": 7, "category": b"\xff"},
        {"torrent_id": None, "libtorrent_resume_data": b"de", "metadata": None}, {},
    )
    items = list(torrents(find(tmp_path)[0]))
    assert [isinstance(item, Found) for item in items] == [False, False, False, False, True, False, True]


def test_a_database_in_use_is_read_from_a_copy(tmp_path: Path) -> None:
    path = database(tmp_path / "torrents.db", {})
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE torrents SET name = 'in the log'")
        writer.commit()
        before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
        assert "torrents.db-wal" in before
        assert [row["name"] for row in rows(path)] == ["in the log"]
        assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    assert [row["name"] for row in rows(path, busy=True)] == ["in the log"]


def test_a_copy_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = database(tmp_path / "torrents.db", {})
    monkeypatch.setattr(limits, "IMPORT_DATABASE_BYTES", 100)
    with pytest.raises(LimitError, match="end qBittorrent first"):
        count_rows(path, busy=True)


@pytest.mark.parametrize("sql", [
    "CREATE VIRTUAL TABLE torrents USING fts5 (torrent_id, libtorrent_resume_data)",
    "CREATE TABLE other (x)", "CREATE TABLE torrents (x)", "CREATE VIEW torrents AS SELECT 1 AS torrent_id",
    "CREATE VIEW torrents AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    "SELECT x AS torrent_id, x AS libtorrent_resume_data FROM n",
])
def test_other_databases_are_refused(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "torrents.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute(sql)
    with pytest.raises(FormatError):
        list(rows(path))
    assert find(tmp_path) == []


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "torrents.db", {})
    good = path.read_bytes()
    for data in (b"", b"rubbish" * 1000, good[:3000], good[:200] + b"\xff" * 5000):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            list(rows(path))
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(FormatError):
        list(rows(path))
    assert find(tmp_path) == []


# -- the settings file

def test_settings_of_qt() -> None:
    assert parse(
        b"; a remark\n[General]\nx=1\n"
        b"[A]\nSession\\B=\"a, \\\"b\\\"\"\ny=C:\\\\d\\xe9\\n\nno value\n=\n[broken\nz = 5 \n"
    ) == {"General/x": "1", "A/Session\\B": 'a, "b"', "A/y": "C:\\dé\n", "A/": "", "A/z": "5"}
    assert parse(b"\xff\xfe=\xff") == {"/\ufffd\ufffd": "\ufffd"}


def test_a_place_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find(tmp_path / "nothing")
    assert find(tmp_path) == []
    assert list(torrents(State(Client.QBITTORRENT, tmp_path / "gone", None, 1))) == []
