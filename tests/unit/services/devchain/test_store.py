"""A chain in a file: what is there after processes were killed, and what is no chain at all."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import SEED
from tests.devbed import TRX, A, B, Bed, C, returning

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.services.devchain.blocks import merkle, with_result
from wildbach.services.devchain.chain import TREASURE, DevChain, Options
from wildbach.services.devchain.executing import read
from wildbach.services.devchain.state import Account, State
from wildbach.services.devchain.store import Store

ROOT = Path(__file__).parents[4]


def opened(path: Path, options: Options) -> DevChain:
    return DevChain(Store(path), options, wall=time.time, steady=time.monotonic)


def check_whole(chain: DevChain) -> int:
    """Every block follows from the one before, and money is where transactions put it; how many transactions."""
    before = chain.header(0)
    burnt = count = 0
    counters: dict[bytes, int] = {}
    for number in range(1, chain.head.number + 1):
        header = chain.header(number)
        assert header is not None and before is not None
        assert header.parent == before.id and header.time > before.time
        kept = chain.transactions(number)
        assert header.trie == merkle([with_result(read(one.data), one.receipt) for one in kept])
        for one in kept:
            burnt += one.receipt.fee
            if one.receipt.contract and one.receipt.word == "SUCCESS":
                counters[one.receipt.contract] = counters.get(one.receipt.contract, -1) + 1
        count += len(kept)
        before = header
    state = chain.state()
    for there, calls in counters.items():
        assert state.slot(there, 0) == calls
    assert sum(state.balance(who.raw) for who in (A, B, C, chain.faucet_address)) == TREASURE - burnt
    return count


@pytest.mark.parametrize(("how", "kills"), [("instant", 3), ("ahead", 2)])
def test_a_chain_that_is_killed_has_whole_blocks_and_all_that_it_said(tmp_path: Path, how: str, kills: int) -> None:
    path = tmp_path / "dev.sqlite"
    options = Options(instant=True, lag=0) if how == "instant" else Options(period=20, lag=5)
    rng = random.Random(SEED)
    said: set[str] = set()
    first = b""
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.devchain_child", str(path), how], cwd=ROOT, stdout=subprocess.PIPE,
            text=True)
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(rng.randrange(1, 60))]
        time.sleep(rng.random() / 50)  # the kill is to hit any step, and no step can say that it is there
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        said |= {line.strip() for line in lines if line.endswith("\n") and len(line) == 65}
        store = Store(path)
        chain = DevChain(store, options, wall=time.time, steady=time.monotonic)
        first = first or chain.genesis.id
        assert chain.genesis.id == first
        count = check_whole(chain)
        assert count and said
        # Where blocks are undone meanwhile, what was in one may be gone.
        if how == "instant":
            assert count > len(said)
            assert all(chain.transaction(bytes.fromhex(one)) is not None for one in said)
        if chain.head.number > chain.solid_number:
            chain.undo(chain.head.number - chain.solid_number)
            check_whole(chain)
        store.close()


def test_what_is_asked_is_answered_alike_after_opening_anew(tmp_path: Path) -> None:
    bed = Bed(Options(lag=4), tmp_path / "dev.sqlite")
    there = bed.contract(returning("6007") + b"")
    bed.pay(3 * TRX, C)
    bed.call(there, value=5)
    bed.next(2)

    def seen() -> object:
        chain = bed.chain
        return (
            chain.head, chain.genesis, chain.solid_number, chain.now, chain.faucet_address,
            [(chain.header(number), chain.transactions(number)) for number in range(chain.head.number + 1)],
            [(chain.account(who), chain.account(who, solid=True)) for who in (A, B, C, there)],
            chain.state().code(there.raw), chain.attempt(A, there, b""), chain.logged(there))

    bed.chain.shift(100)
    before = seen()
    bed.reopen()
    assert seen() == before
    bed.chain.undo(2)
    bed.reopen()
    bed.pay(TRX)
    assert bed.balance(C) == 3 * TRX


def test_fewer_blocks_may_be_undone_where_what_they_replaced_is_gone(tmp_path: Path) -> None:
    bed = Bed(Options(lag=2), tmp_path / "dev.sqlite")
    bed.next(5)
    solid = bed.chain.solid_number
    bed.options = Options(lag=10)
    bed.reopen()
    assert bed.chain.solid_number == solid
    with pytest.raises(UsageError, match="solid"):
        bed.chain.undo(3)
    bed.next(9)
    assert bed.chain.solid_number >= solid


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dev.sqlite"
    Bed(path=path).store.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_chain_is_left_alone(tmp_path: Path) -> None:
    garbage, other = tmp_path / "garbage", tmp_path / "other"
    garbage.write_bytes(b"this is no database, but it is long enough to be read as the head of one" * 20)
    with pytest.raises(StorageError):
        Store(garbage)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (what TEXT)")
    db.close()
    with pytest.raises(StorageError, match="no chain"):
        Store(other)
    assert garbage.read_bytes().startswith(b"this is")


def test_one_process_has_a_chain(tmp_path: Path) -> None:
    path = tmp_path / "dev.sqlite"
    bed = Bed(path=path)
    with pytest.raises(UsageError, match="another process"):
        Store(path)
    bed.store.close()
    opened(path, Options())._store.close()


def test_what_is_held_in_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DEVCHAIN_CACHE", 8)
    bed = Bed()
    for _ in range(20):
        bed.pay(1)
        assert len(bed.store._cache) <= 8
    assert bed.balance(B) == TRX + 20


def test_changes_are_taken_back_one_by_one() -> None:
    base = {b"sxx": b"1"}
    state = State(base.get)
    first = state.mark()
    state.put_account(bytes(20), Account(5))
    second = state.mark()
    state.put_slot(bytes(20), 1, 7)
    state.put_slot(bytes(20), 1, 0)
    state.put_account(bytes(20), Account(6))
    assert state.has_slot(bytes(20), 1) and state.balance(bytes(20)) == 6
    state.back(second)
    assert not state.has_slot(bytes(20), 1) and state.balance(bytes(20)) == 5
    state.back(first)
    assert state.changes == {}
    state.put_slot(bytes(20), 1, 7)
    state.put_slot(bytes(20), 1, 0)
    state.settle()
    assert not state.has_slot(bytes(20), 1)
