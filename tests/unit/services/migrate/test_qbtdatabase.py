"""qBittorrent's database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.migrate_states import fastresume, torrent, without_layers

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.services.migrate import Found, Start, find, torrents
from wildbach.services.migrate.qbtdatabase import count_rows, rows

MADE = torrent()
KEY = MADE.info.hashes.key
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
