"""The ledger in its file: what is in it stays, adds up and is told where it was touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base.errors import StorageError
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.buying import Buying
from wildbach.services.pay.ledger.reconciling import Difference, Moved, Observed, reconcile
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.store import Account, Ledger, Part, Payer, Taken
from wildbach.services.pay.ledger.terms import FIRST_WINDOW, LARGEST_WINDOW, UNIT, LaneId

A, B, C = (Address(bytes([number]) * 20) for number in (1, 2, 3))
TORRENT = b"t" * 32
NOW = 1_800_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.db")
    yield made
    made.close()


def held(ledger: Ledger, total: int, epoch: int = 7, payer: Address = A, at: int = NOW) -> None:
    ledger.held([Taken(payer, LaneId(B, epoch), total, b"s" * 65, b"m" * 32, TORRENT, at)])


def test_what_was_written_is_there_after_a_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = Ledger(path)
    books = Selling(FIRST_WINDOW, FIRST_WINDOW, LARGEST_WINDOW, billed=1 << 90, bytes_billed=5)
    books.bill(70_000, 33_000, LaneId(B, 7))
    first.billed([(A, Payer(books, C))])
    held(first, 40)
    first.signed(NOW, LaneId(C, 9), Buying(9, 5 * UNIT, 100, 5), [Part(TORRENT, 3), Part(b"", 2)], b"d" * 32)
    first.close()
    again = Ledger(path)
    again.check()
    state = again.payer(A)
    assert state is not None and state.signer == C
    books.count(LaneId(B, 7), 40, b"s" * 65, 33_000)
    books.window, books.grown_at = state.books.window, state.books.grown_at
    assert state.books == books
    assert again.bought() == {LaneId(C, 9): (Buying(9, 5 * UNIT, 100, 5), 0)}
    assert again.balances() == dict.fromkeys(Account, 0) | {
        Account.HELD: 40, Account.EARNED: -40, Account.BOUGHT: 3, Account.GIVEN: 2, Account.PROMISED: -5}
    assert again.payers() == [A] and again.payer(B) is None
    again.close()


def test_a_lower_or_equal_voucher_changes_nothing(ledger: Ledger) -> None:
    held(ledger, 40)
    held(ledger, 40)
    held(ledger, 30)
    assert ledger.balances()[Account.EARNED] == -40 and len(ledger.rows()) == 1


def test_what_was_redeemed_can_be_undone_by_the_chain(ledger: Ledger) -> None:
    held(ledger, 40)
    lane = LaneId(B, 7)
    assert ledger.redeemed(NOW, A, lane, 30) == 30 and ledger.redeemed(NOW, A, lane, 30) == 0
    assert ledger.balances()[Account.CREDIT] == 30 and ledger.balances()[Account.HELD] == 10
    assert ledger.redeemed(NOW, A, lane, 0) == -30
    assert ledger.balances()[Account.CREDIT] == 0 and ledger.balances()[Account.HELD] == 40
    assert ledger.redeemed(NOW, C, lane, 5) == 0, "a lane that nobody knows"
    ledger.check()


def test_a_transaction_is_posted_once(ledger: Ledger) -> None:
    for _ in range(3):
        ledger.post(NOW, "fee", Account.BURNT, Account.WALLET, 7, mark=b"x" * 32)
        ledger.post(NOW, "deposit", Account.DEPOSIT, Account.WALLET, 50, mark=b"x" * 32)
    assert ledger.balances()[Account.BURNT] == 7 and ledger.balances()[Account.WALLET] == -57


@pytest.mark.parametrize("statement", [
    "UPDATE rows SET amount=amount+1", "DELETE FROM rows", "INSERT INTO rows SELECT number+1, at, what, debit, debit,"
    " amount, party, epoch, torrent, x'', seal FROM rows"])
def test_rows_are_neither_changed_nor_taken_away(tmp_path: Path, statement: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    held(ledger, 40)
    ledger.close()
    other = sqlite3.connect(tmp_path / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    other.close()


@pytest.mark.parametrize("statement", [
    "UPDATE rows SET amount=41, seal=seal", "UPDATE sums SET amount=41 WHERE account='held'",
    "UPDATE sold SET total=41", "DELETE FROM sold", "DELETE FROM rows WHERE number=1"])
def test_who_changes_it_all_the_same_is_found_out(tmp_path: Path, statement: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    held(ledger, 40)
    held(ledger, 50)
    ledger.close()
    other = sqlite3.connect(tmp_path / "ledger.db")
    other.execute("DROP TRIGGER rows_stay")
    other.execute("DROP TRIGGER rows_are_kept")
    other.execute(statement)
    other.commit()
    other.close()
    again = Ledger(tmp_path / "ledger.db")
    with pytest.raises(StorageError) as found:
        again.check()
    assert found.value.code == "ledger_damaged"
    again.close()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 1 << 40)), max_size=25))
def test_accounts_are_always_zero_together(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[int, int]],
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db")
    total = signed = 0
    for kind, amount in acts:
        match kind:
            case 0:
                total += amount
                held(ledger, total)
            case 1:
                ledger.redeemed(NOW, A, LaneId(B, 7), amount)
            case 2:
                signed += amount
                ledger.signed(NOW, LaneId(C, 9), Buying(9, 0, 0, signed), [Part(TORRENT, amount)], b"")
            case _:
                ledger.spent(NOW, LaneId(C, 9), min(amount, signed))
    ledger.check()
    assert sum(ledger.balances().values()) == 0
    ledger.close()


def test_the_table_has_all_rows_and_sums_are_told_by_time(ledger: Ledger) -> None:
    for number in range(1, 6):
        held(ledger, 10 * number, at=NOW + number)
    lines = "".join(ledger.table()).splitlines()
    assert len(lines) == 6 and lines[1].startswith("1,2027-01-15T08:00:01Z,voucher,held,earned,10,")
    assert ledger.since(NOW + 3) == {"earned": 30, "bought": 0, "given": 0, "burnt": 0}
    assert [row.number for row in ledger.newest(2)] == [5, 4]
    assert [row.number for row in ledger.newest(2, before=4)] == [3, 2]


def test_what_the_chain_knows_more_is_taken_over_and_what_it_lacks_is_told(ledger: Ledger) -> None:
    deposit = Moved("deposit", b"d" * 32, NOW, 100, 9, C, True)
    failed = Moved("redeemMany", b"f" * 32, NOW, 0, 4, C, False)
    assert reconcile(ledger, Observed(900, 100, 0, True), [deposit, failed], NOW) == []
    books = ledger.balances()
    assert (books[Account.WALLET], books[Account.DEPOSIT], books[Account.BURNT]) == (900, 100, 13)
    # Redeemed by us, then claimed by anybody.
    held(ledger, 40)
    ledger.redeemed(NOW, A, LaneId(B, 7), 40)
    assert reconcile(ledger, Observed(940, 100, 0, True), [deposit, failed], NOW) == []
    assert ledger.balances()[Account.CREDIT] == 0
    # Somebody took something that we did not send: that is no news but a difference.
    assert reconcile(ledger, Observed(900, 80, 0, True), [deposit, failed], NOW) == [
        Difference(Account.WALLET, 940, 900), Difference(Account.DEPOSIT, 100, 80)]
    # While something of ours is on its way nothing is taken for a gift.
    assert reconcile(ledger, Observed(1000, 100, 0, False), [deposit, failed], NOW) == [
        Difference(Account.WALLET, 940, 1000)]
    ledger.check()
