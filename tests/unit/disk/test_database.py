from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.disk import database as module
from wildbach.disk.database import Database
from wildbach.disk.datadir import DataDir
from wildbach.disk.resume import MemoryResume, Note, Progress, ResumeRecord, ResumeStore


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ResumeStore:
    made: ResumeStore = Database(tmp_path / "state.db") if request.param == "file" else MemoryResume()
    request.addfinalizer(made.close)
    return made


def record(key: str, **more: object) -> ResumeRecord:
    out = ResumeRecord(key, name=f"name of {key} ü", save_path="/dl", renames={3: ("a", "ß")}, options={"paused": True})
    for name, value in more.items():
        setattr(out, name, value)
    return out


@pytest.mark.parametrize("fields", [
    {}, {"save_path": "/a\udc80b"}, {"renames": {2: ("x", "y")}}, {"moving": {"root": "/"}, "added_at": 1.5},
])
def test_a_list_has_the_same_of_a_torrent_as_its_record(tmp_path: Path, fields: dict[str, Any]) -> None:
    with contextlib.closing(Database(tmp_path / "s.db")) as store:
        store.save(ResumeRecord("k", name="n", options={"engine": {"size": 1}}, **fields))
        (summary,) = store.summaries()
        loaded = store.load("k")
    assert loaded is not None
    assert summary.record == loaded


def test_a_state_file_of_before_opens_and_loses_the_totals_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    gone = {"uploaded": 1 << 60, "downloaded": 5, "wasted": 0, "active_seconds": 1.5, "seeding_seconds": 7}

    def written() -> dict[str, Any]:
        with contextlib.closing(sqlite3.connect(path)) as raw:
            ((text,),) = raw.execute("SELECT record FROM torrents").fetchall()
        found: dict[str, Any] = json.loads(text)
        return found

    with contextlib.closing(Database(path)) as store:
        store.save(record("k", progress=Progress(8, bitfield.full(8)), unknown={"new_field": [1], **gone}))
    assert set(gone) <= set(written()), "as older versions wrote it"
    with contextlib.closing(Database(path)) as store:
        (summary,) = store.summaries()
        loaded = store.load("k")
        assert loaded is not None and loaded.unknown == {"new_field": [1]} and loaded.name == summary.record.name
        assert summary.complete and loaded.renames == {3: ("a", "ß")}
        store.save(loaded)
    assert not set(written()) & set(gone) and written()["new_field"] == [1]


def test_a_record_comes_back_as_it_was(store: ResumeStore) -> None:
    assert store.load("k") is None
    progress = Progress(20, bitfield.of([1, 2], 24), bitfield.of([5], 24), {7: 0b1011})
    kept = record("k", progress=progress, unknown={"new_field": [1]}, added_at=1.5)
    store.save(kept, b"metainfo")
    assert store.load("k") == kept
    assert store.metainfo("k") == b"metainfo"
    kept.options["paused"] = False
    kept.progress = Progress()
    store.save(kept)
    loaded = store.load("k")
    assert loaded is not None
    assert loaded.options == {"paused": False}
    assert loaded.progress == progress
    assert loaded.unknown == {"new_field": [1]}
    assert store.metainfo("k") == b"metainfo"


def test_notes_are_applied_in_order_and_a_commit_replaces_them(store: ResumeStore) -> None:
    store.save(record("k"))
    store.note("k", Note(20, [1, 2], {9: 1, 4: 7}))
    store.note("k", Note(20, [4], {9: 0}))
    store.note("other", Note(20, [3], {}))
    loaded = store.load("k")
    assert loaded is not None
    assert loaded.progress == Progress(20, 0, bitfield.of([1, 2, 4], 24), {})
    store.commit("k", Progress(20, bitfield.of([1], 24), bitfield.of([2], 24), {5: 3}))
    loaded = store.load("k")
    assert loaded is not None
    assert loaded.progress == Progress(20, bitfield.of([1], 24), bitfield.of([2], 24), {5: 3})


def test_the_list_keeps_its_order_and_knows_what_is_complete(store: ResumeStore) -> None:
    for key in ("b", "a", "c"):
        store.save(record(key))
    store.commit("a", Progress(9, bitfield.full(9)))
    store.commit("b", Progress(9, 1 << 10))
    store.save(record("b"))
    store.remove("c")
    found = list(store.summaries())
    assert [(s.record.key, s.complete, s.record.progress.piece_count) for s in found] == [
        ("b", False, 9), ("a", True, 9)
    ]
    assert found[1].record.progress.durable == bitfield.full(9)
    assert store.load("c") is None


def test_an_option_of_many_changes_in_one_step(store: ResumeStore) -> None:
    for key in ("a", "b", "c"):
        store.save(record(key, unknown={"new_field": key}), b"metainfo")
    store.note("a", Note(20, [1], {}))
    before = store.load("a")
    assert before is not None
    store.change("engine", {"a": {"size": 1}, "c": {"size": 2}, "gone": {"size": 3}})
    before.options["engine"] = {"size": 1}
    assert store.load("a") == before
    assert [s.record.options.get("engine") for s in store.summaries()] == [{"size": 1}, None, {"size": 2}]
    assert store.load("gone") is None and store.metainfo("c") == b"metainfo"


def test_many_are_forgotten_in_one_step(store: ResumeStore) -> None:
    for key in ("a", "b", "c"):
        store.save(record(key), b"metainfo")
    store.remove("a", "gone", "c")
    assert [s.record.key for s in store.summaries()] == ["b"]
    assert store.metainfo("a") is None and store.metainfo("b") == b"metainfo"
    store.remove()
    store.save(record("d"))
    if isinstance(store, Database):
        with contextlib.closing(Database(store.path)) as again:  # the count of torrents is looked at
            assert not again.damaged


def test_files_on_disk_are_found_by_their_root(store: ResumeStore) -> None:
    for key in ("a", "b"):
        store.save(record(key))
    store.offer("b", {0: b"1" * 32, 4: b"2" * 32})
    store.offer("a", {7: b"1" * 32})
    assert store.holders(b"1" * 32) == [("a", 7), ("b", 0)]
    store.offer("b", {4: b"2" * 32})
    assert store.holders(b"1" * 32) == [("a", 7)]
    store.remove("b")
    assert store.holders(b"2" * 32) == []


def test_totals_and_settings(store: ResumeStore) -> None:
    store.count(uploaded=5, downloaded=1)
    store.count(uploaded=2)
    assert store.statistics() == {"uploaded": 7, "downloaded": 1}
    assert store.setting("x") is None
    store.set_setting("x", '{"a": 1}')
    assert store.setting("x") == '{"a": 1}'
    store.set_setting("x", None)
    assert store.setting("x") is None


def test_parts_of_the_engine_keep_values_by_name(store: ResumeStore) -> None:
    assert store.kept("dht") == {}
    store.keep("dht", {"b": b"\0\xff", "a": b""})
    store.keep("other", {"b": b"x"}, durable=True)
    assert list(store.kept("dht").items()) == [("a", b""), ("b", b"\0\xff")]
    store.keep("dht", {"a": None, "b": b"new", "c": None})
    assert store.kept("dht") == {"b": b"new"}
    assert store.kept("other") == {"b": b"x"}


def test_what_was_kept_without_a_sync_is_lost_with_the_power() -> None:
    store = MemoryResume()
    store.keep("dht", {"a": b"1"}, durable=True)
    store.keep("dht", {"a": b"2", "b": b"3"})
    store.lose_unsynced()
    assert store.kept("dht") == {"a": b"1"}


def test_a_file_of_the_first_version_gets_the_table_of_kept_values(tmp_path: Path) -> None:
    old = Database(tmp_path / "state.db")
    old.save(record("k"))
    old.close()
    with sqlite3.connect(tmp_path / "state.db", isolation_level=None) as past:
        past.execute("DROP TABLE kept")
        past.execute("PRAGMA user_version=1")
        past.execute("INSERT OR REPLACE INTO statistics VALUES (?,?,?)", ("version", 1, module._sum("version", 1)))
    past.close()
    new = Database(tmp_path / "state.db")
    new.keep("dht", {"a": b"1"})
    assert (new.load("k"), new.kept("dht"), new.damaged) == (record("k"), {"a": b"1"}, [])
    new.close()


def test_a_kept_value_that_is_damaged_is_dropped_and_the_rest_stays(tmp_path: Path) -> None:
    store = Database(tmp_path / "state.db")
    store.keep("dht", {"a": b"1", "b": b"2"})
    with sqlite3.connect(tmp_path / "state.db") as vandal:
        vandal.execute("UPDATE kept SET data = x'ff' WHERE name = 'a'")
    vandal.close()
    assert store.kept("dht") == {"b": b"2"}
    assert len(store.damaged) == 1
    store.close()


def test_the_memory_model_loses_its_unsynced_tail_in_order() -> None:
    store = MemoryResume()
    store.save(record("k"))
    for piece in range(5):
        store.note("k", Note(8, [piece], {}))
    assert store.unsynced == 5
    store.lose_unsynced(keep=2)
    loaded = store.load("k")
    assert loaded is not None
    assert loaded.progress.written == bitfield.of([0, 1], 8)
    store.commit("k", Progress(8, 255))
    store.lose_unsynced()
    loaded = store.load("k")
    assert loaded is not None
    assert loaded.progress.complete


def test_the_memory_model_keeps_what_was_synced_apart_from_what_it_hands_out() -> None:
    store = MemoryResume()
    kept = record("k", progress=Progress(8, 0, 0, {3: 1}))
    store.save(kept)
    store.save(record("other"))
    kept.options["paused"] = False
    kept.progress.partial[3] = 9
    loaded = store.load("k")
    assert loaded is not None
    assert (loaded.options, loaded.progress.partial) == ({"paused": True}, {3: 1})
    loaded.progress.partial.clear()
    store.note("k", Note(8, [3], {}))
    store.note("other", Note(8, [1], {}))
    store.count(uploaded=1)
    store.lose_unsynced(keep=1)
    assert store.unsynced == 1
    store.lose_unsynced()
    loaded = store.load("k")
    assert loaded is not None
    assert loaded.progress == Progress(8, 0, 0, {3: 1})
    assert store.statistics() == {}


def test_state_survives_reopening(tmp_path: Path) -> None:
    first = Database(tmp_path / "state.db")
    first.save(record("k"), b"m")
    first.note("k", Note(8, [1], {}))
    first.close()
    second = Database(tmp_path / "state.db")
    loaded = second.load("k")
    assert loaded is not None
    assert loaded.progress.written == bitfield.of([1], 8)
    assert second.damaged == []
    second.close()
    with pytest.raises(StorageError):
        second.load("k")


def test_two_processes_share_the_file(tmp_path: Path) -> None:
    one, two = Database(tmp_path / "state.db"), Database(tmp_path / "state.db")
    for i in range(20):
        one.save(record(f"a{i}"))
        two.save(record(f"b{i}"))
        one.commit(f"b{i}", Progress(8, 255))
    assert len(list(one.summaries())) == 40
    one.close()
    two.close()


WRITER = """
import sys
from wildbach.disk.database import Database
from wildbach.disk.resume import Note, Progress, ResumeRecord
me = sys.argv[1]
print("up", flush=True)
for line in sys.stdin:
    path, times = line.split()
    try:
        for turn in range(int(times)):
            store = Database(path)
            store.save(ResumeRecord(f"{me}-{turn}"), b"metainfo")
            store.note(f"{me}-{turn}", Note(8, [turn % 8]))
            store.count(saved=1)
            store.commit(f"{me}-{turn}", Progress(8, 255))
            damaged = len(store.damaged)
            store.close()
        print("done", damaged, flush=True)
    except Exception as error:
        print(repr(error), flush=True)
"""


class Writers:
    """Processes that open one database after the other at the same time, write, and close it."""

    def __init__(self, count: int) -> None:
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            for number in range(count)
        ]
        for process in self.processes:
            assert self.line(process) == "up"

    @staticmethod
    def line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def write(self, path: Path, times: int) -> list[str]:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{path} {times}\n")
            process.stdin.flush()
        return [self.line(process) for process in self.processes]


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    made = Writers(4)
    yield made
    for process in made.processes:
        process.communicate()


def test_processes_that_make_the_file_at_once_wait_for_each_other(tmp_path: Path, writers: Writers) -> None:
    for turn in range(100):
        assert writers.write(tmp_path / f"{turn}.db", 1) == ["done 0"] * 4
    store = Database(tmp_path / "99.db")
    assert len([s for s in store.summaries() if s.complete]) == 4
    assert store.statistics() == {"saved": 4}
    store.close()


def test_who_comes_while_another_makes_the_file_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    maker.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def made_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        maker.execute("ROLLBACK")

    monkeypatch.setattr(module.time, "sleep", made_meanwhile)
    Database(tmp_path / "state.db").close()
    assert len(waits) == 1
    maker.close()


def test_processes_that_open_write_and_close_again_and_again_lose_nothing(tmp_path: Path, writers: Writers) -> None:
    assert writers.write(tmp_path / "state.db", 30) == ["done 0"] * 4
    store = Database(tmp_path / "state.db")
    assert len([s for s in store.summaries() if s.complete]) == 120
    assert store.statistics() == {"saved": 120}
    store.close()


def test_of_processes_that_meet_the_same_damage_one_repairs_it(tmp_path: Path, writers: Writers) -> None:
    for turn in range(20):
        path = tmp_path / f"{turn}.db"
        path.write_bytes(b"junk" * 5000)
        assert sorted(writers.write(path, 1)) == ["done 0"] * 3 + ["done 1"]
        assert len(list(tmp_path.glob(f"{turn}.db.damaged-*"))) == 1


def test_a_process_killed_within_a_commit_takes_nothing_with_it_and_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Database(path)
    store.save(record("k"))
    code = (
        "import sys, sqlite3; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN IMMEDIATE');"
        " db.execute('DELETE FROM torrents'); print('up', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"up\n"
    other.kill()
    other.communicate()
    store.save(record("after"))
    assert [s.record.key for s in store.summaries()] == ["k", "after"]
    store.close()


def test_who_waits_too_long_for_a_process_that_sleeps_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    store = Database(tmp_path / "state.db")
    store.save(record("k"))
    sleeper = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    sleeper.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another process") as caught:
        store.save(record("late"))
    assert caught.value.code == "state_busy"
    assert store.load("k") == record("k")
    sleeper.execute("ROLLBACK")
    sleeper.close()
    store.save(record("late"))
    store.close()


def test_a_newer_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as future:
        future.setattr(module, "VERSION", module.VERSION + 1)
        future.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, ("CREATE TABLE future (x)",)))
        Database(tmp_path / "state.db").close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StorageError) as caught:
        Database(tmp_path / "state.db")
    assert caught.value.code == "newer_state"
    assert (tmp_path / "state.db").read_bytes() == before


def test_an_older_file_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Database(tmp_path / "state.db")
    old.save(record("k"))
    old.close()
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    monkeypatch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, ("CREATE TABLE future (x)",)))
    new = Database(tmp_path / "state.db")
    assert new.load("k") == record("k")
    assert new.damaged == []
    new.close()


@pytest.mark.parametrize("junk", [b"", b"x", b"not a database" * 1000, os.urandom(8192)])
def test_a_file_that_is_none_is_put_aside(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "state.db").write_bytes(junk)
    store = Database(tmp_path / "state.db")
    store.save(record("k"))
    assert len(store.damaged) == (1 if junk else 0)
    for path in store.damaged:
        assert Path(path).read_bytes() == junk
    store.close()


def test_someone_elses_database_is_put_aside_not_used(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "state.db")
    other.execute("CREATE TABLE diary (page)")
    other.commit()
    other.close()
    store = Database(tmp_path / "state.db")
    assert len(store.damaged) == 1
    store.close()


def test_damage_met_later_is_repaired_and_torrents_are_checked_again(tmp_path: Path) -> None:
    store = Database(tmp_path / "state.db")
    for key in ("a", "b"):
        store.save(record(key), f"metainfo of {key}".encode())
        store.commit(key, Progress(8, 255))
    store.count(uploaded=9)
    store.set_setting("s", "1")
    with sqlite3.connect(tmp_path / "state.db") as vandal:
        vandal.execute("UPDATE progress SET pieces = 9 WHERE key = 'a'")
    vandal.close()
    loaded = store.load("a")
    assert loaded is not None
    assert loaded.progress.check
    assert loaded.progress.durable == 0
    assert [s.complete for s in store.summaries()] == [False, False]
    assert store.metainfo("b") == b"metainfo of b"
    assert store.statistics() == {"uploaded": 9}
    assert store.setting("s") == "1"
    assert len(store.damaged) == 1
    store.close()
    again = Database(tmp_path / "state.db")
    assert again.damaged == []
    again.close()


def test_a_torrent_whose_row_is_damaged_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    store = Database(tmp_path / "state.db")
    for key in ("a", "b"):
        store.save(record(key))
    with sqlite3.connect(tmp_path / "state.db") as vandal:
        vandal.execute("UPDATE torrents SET record = '{}' WHERE key = 'a'")
    vandal.close()
    assert [s.record.key for s in store.summaries()] == ["b"]
    store.close()


def _many(path: Path, count: int = 200) -> list[str]:
    """Torrents over many pages, all of them in the file itself."""
    store = Database(path)
    keys = [f"{number:040}" for number in range(count)]
    for key in keys:
        store.save(record(key))
    store.keep("library", {key: key.encode() * 5 for key in keys})
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return keys


def test_behind_a_damaged_page_the_rest_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = _many(tmp_path / "state.db")
    raw = bytearray((tmp_path / "state.db").read_bytes())
    for key in (keys[5], keys[100]):
        # The page with the record: of all pages that name it the one with its options.
        at = next(
            page for page in range(0, len(raw), module.PAGE_BYTES)
            if key.encode() in raw[page:page + module.PAGE_BYTES] and b"paused" in raw[page:page + module.PAGE_BYTES])
        raw[at:at + module.PAGE_BYTES] = bytes(module.PAGE_BYTES)
    (tmp_path / "state.db").write_bytes(raw)
    store = Database(tmp_path / "state.db")
    left = {summary.record.key for summary in store.summaries()}
    assert len(store.damaged) == 1 and 150 < len(left) < 200
    assert keys[5] not in left and {keys[50], keys[-1]} <= left and len(store.kept("library")) == 200
    assert f"{len(left)} torrents are whole" in caplog.text and store.damaged[0] in caplog.text
    store.close()


def test_of_a_file_that_was_cut_short_what_is_left_is_kept(tmp_path: Path) -> None:
    keys = _many(tmp_path / "state.db")
    raw = (tmp_path / "state.db").read_bytes()
    (tmp_path / "state.db").write_bytes(raw[:len(raw) // 2 + 77])
    store = Database(tmp_path / "state.db")
    left = [summary.record.key for summary in store.summaries()]
    assert len(store.damaged) == 1 and len(left) > 50 and set(left) <= set(keys)
    store.close()


def test_only_the_latest_damaged_files_are_kept(tmp_path: Path) -> None:
    for _ in range(6):
        (tmp_path / "state.db").write_bytes(b"junk" * 5000)
        Database(tmp_path / "state.db").close()
    left = {p.name for p in tmp_path.glob("state.db.damaged-*") if not p.name.endswith(("-wal", "-shm"))}
    assert left == {"state.db.damaged-4", "state.db.damaged-5", "state.db.damaged-6"}


def test_damage_is_not_repaired_under_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPAIR_SECONDS", 0.05)
    path = tmp_path / "state.db"
    code = (
        "import sys; from wildbach.disk.database import Database; d = Database(sys.argv[1]); print('up', flush=True);"
        " sys.stdin.read(); d.close()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"up\n"
        store = Database(path)
        with sqlite3.connect(path) as vandal:
            vandal.execute("UPDATE statistics SET value = 7")
        vandal.close()
        with pytest.raises(StorageError) as caught:
            store.save(record("k"))
        assert caught.value.code == "state_damaged"
        store.close()
    finally:
        other.communicate(b"")
    repaired = Database(path)
    assert len(repaired.damaged) == 1
    repaired.close()


def test_a_folder_that_cannot_be_written_is_an_error_not_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        Database(tmp_path / "file" / "state.db")


def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    store = Database(tmp_path / "state.db")
    store.save(record("k"))
    store._db.execute("PRAGMA max_page_count=20")
    with pytest.raises(StorageError) as caught:
        store.save(record("big"), random.Random(1).randbytes(1 << 20))
    assert caught.value.code == "disk_full"
    assert store.load("k") == record("k")
    assert store.load("big") is None
    assert store.damaged == []
    store.close()


def test_one_process_at_a_time_works_on_a_torrent(tmp_path: Path) -> None:
    one, two = DataDir(tmp_path / "d"), DataDir(tmp_path / "d")
    assert (tmp_path / "d").stat().st_mode & 0o77 == 0
    with one.claim("k"):
        with pytest.raises(StorageError) as caught:
            two.claim("k")
        assert caught.value.code == "in_use"
        two.claim("other").release()
    with two.claim("k"):
        pass
    assert list((tmp_path / "d" / "locks").iterdir()) == []
    database = one.open_database()
    database.close()


def test_a_claim_that_nobody_holds_any_more_is_let_go(tmp_path: Path) -> None:
    one, two = DataDir(tmp_path), DataDir(tmp_path)
    held = one.claim("k")
    with pytest.raises(StorageError):
        two.claim("k")
    del held  # as when whoever asked for it was cancelled meanwhile
    two.claim("k").release()


def test_a_torrent_lock_whose_folder_was_removed_is_released_all_the_same(tmp_path: Path) -> None:
    folder = DataDir(tmp_path / "d")
    lock = folder.claim("k")
    shutil.rmtree(tmp_path / "d")
    anew = DataDir(tmp_path / "d")
    with anew.claim("k"):
        lock.release()
        with pytest.raises(StorageError, match="another process"):
            anew.claim("k")
    lock = anew.claim("k")
    shutil.rmtree(tmp_path / "d")
    lock.release()
