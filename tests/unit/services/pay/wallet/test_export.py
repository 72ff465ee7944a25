"""The table of what was sent: exact, and no formula for programs that calculate."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import RawTransaction, Transfer
from wildbach.services.pay.wallet.export import COLUMNS, harmless, table
from wildbach.services.pay.wallet.sending import Send

A, B = Address(b"a" * 20), Address(b"b" * 20)
RAW = RawTransaction(b"ab", b"12345678", 5, Transfer(A, B, 1_234_567))


def send(note: str = "") -> Send:
    return Send(
        1, "key", "cold", "transfer", 1_800_000_000, 5, RAW.txid, RAW, RAW.encode(), bytes(65), 0, "confirmed", note,
        77, 1_100_000, 1, 0, 0)


def test_one_line_says_all_of_a_transaction() -> None:
    rows = list(csv.reader(io.StringIO(table([send("fine, \"thanks\"")], {B: "Bob"}))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == [
        "2027-01-15T08:00:00+00:00", "transfer", "cold", "confirmed", str(B), "Bob", "1.234567", "1234567", "1.100000",
        "1100000", "77", RAW.txid.hex(), 'fine, "thanks"']


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "=cmd|'/C calc'!A0"])
def test_a_formula_is_made_text(cell: str) -> None:
    assert harmless(cell) == "'" + cell
    (_, row) = csv.reader(io.StringIO(table([send(cell)], {B: cell})))
    assert row[5] == row[-1] == "'" + cell


@given(st.text())
def test_no_cell_begins_as_a_formula(cell: str) -> None:
    assert harmless(cell).lstrip(" ")[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
    assert harmless(cell).endswith(cell)
