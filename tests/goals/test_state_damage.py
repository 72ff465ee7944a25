"""G14: a state file with a flipped bit or a missing end is put aside; nothing it says wrongly is believed."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from wildbach.base import bitfield
from wildbach.disk import database as module
from wildbach.disk.database import Database
from wildbach.disk.resume import Note, Progress, ResumeRecord

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
STRIDE = int(os.environ.get("WILDBACH_G14_STRIDE", "9"))
"One byte in so many is damaged; 1 for all of them."

CLAIMS = {"a" * 8: bitfield.of([0, 3], 16), "b" * 8: bitfield.full(11)}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "PAGE_BYTES", 512)
    # The tests write thousands of files: what a sync is for is tested elsewhere.
    monkeypatch.setattr(module.system, "sync_path", lambda path: None)
    store = Database(tmp_path / "state.db")
    for key, mask in CLAIMS.items():
        store.save(ResumeRecord(key, name=f"torrent {key}", save_path="/downloads", options={"n": 1}), b"d4:infodee")
        store.commit(key, Progress(11, mask))
    store.note("a" * 8, Note(11, [5], {6: 3}))
    store.set_setting("upload", "5")
    store.count(uploaded=77)
    store.close()
    return tmp_path


def believed(folder: Path) -> tuple[dict[str, int], bool]:
    """Open the damaged state, use it as a session does, and return what it claims."""
    store = Database(folder / "state.db")
    try:
        claims = {}
        for summary in store.summaries():
            key = summary.record.key
            loaded = store.load(key)
            assert loaded is not None
            assert store.metainfo(key) in (b"d4:infodee", None)
            claims[key] = loaded.progress.durable
            assert summary.record.save_path == "/downloads"
        assert store.setting("upload") in ("5", None)
        assert store.statistics() in ({"uploaded": 77}, {})
        store.save(ResumeRecord("new"))
        store.note("new", Note(3, [1], {}))
        store.commit("new", Progress(3, 0))
        assert store.load("new") is not None
        store.remove("new")
        return claims, bool(store.damaged)
    finally:
        store.close()


def survey(state: Path, damaged: bytes, case: Path) -> bool:
    case.mkdir()
    (case / "state.db").write_bytes(damaged)
    claims, aside = believed(case)
    for key, mask in claims.items():
        assert mask & ~CLAIMS.get(key, 0) == 0, "a claim that was never made"
    if not aside:
        assert claims == CLAIMS, "state was lost without a word"
    _, again = believed(case)
    assert not again, "the repaired state is damaged again"
    shutil.rmtree(case)
    return aside


def test_any_flipped_bit_is_noticed_or_harmless(state: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    whole = (state / "state.db").read_bytes()
    places = sorted({*range(100), *range(rng.randrange(STRIDE), len(whole), STRIDE)})
    noticed = 0
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.randrange(8)
        noticed += survey(state, bytes(damaged), state / f"case-{at}")
    print(f"{len(places)} of {len(whole)} bytes flipped, {noticed} noticed, 0 believed wrongly")


def test_any_missing_end_is_noticed(state: Path) -> None:
    whole = (state / "state.db").read_bytes()
    for size in range(1, len(whole), 97 * STRIDE // 9):
        assert survey(state, whole[:size], state / f"case-{size}")


def test_a_damaged_log_never_makes_a_claim(state: Path) -> None:
    """The write-ahead log of a killed process, each part of it damaged."""
    case = state / "wal"
    case.mkdir()
    shutil.copy(state / "state.db", case / "state.db")
    store = Database(case / "state.db")
    store.commit("a" * 8, Progress(11, bitfield.of([0, 3, 4], 16)))
    store.note("b" * 8, Note(11, [1], {}))
    base, log = (case / "state.db").read_bytes(), (case / "state.db-wal").read_bytes()
    store.close()
    rng = random.Random(SEED)
    for at in range(0, len(log), 41 * STRIDE // 9):
        broken = bytearray(log)
        broken[at] ^= 1 << rng.randrange(8)
        for data in (bytes(broken), log[:at]):
            shutil.rmtree(case)
            case.mkdir()
            (case / "state.db").write_bytes(base)
            (case / "state.db-wal").write_bytes(data)
            claims, _ = believed(case)
            for key, mask in claims.items():
                assert mask & ~(CLAIMS.get(key, 0) | bitfield.bit(4, 16)) == 0
