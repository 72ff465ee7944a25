"""Addresses by name, and warnings before money goes to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from walletbed import START, Clock
from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.services.pay.wallet import book as module
from wildbach.services.pay.wallet.book import Book, Known
from wildbach.services.pay.wallet.store import WalletStore

A, B = Address(b"a" * 20), Address(b"b" * 20)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    store = WalletStore(tmp_path / "wallet.db")
    yield Book(store, Clock())
    store.close()


def twin(of: Address, *, first: int) -> Address:
    """Another address that shares so many characters behind the T; found by trying few of them."""
    text = str(of)
    for number in range(1 << 20):
        middle = number.to_bytes(4, "big")
        candidate = Address(of.raw[:8] + middle + of.raw[12:])
        other = str(candidate)
        if other != text and other[: 1 + first] == text[: 1 + first]:
            return candidate
    raise AssertionError("none was found")


def codes(book: Book, address: Address, paid: list[Address], own: list[Address]) -> list[str]:
    return [one.code for one in book.warnings(address, paid, own)]


def test_names_are_kept_and_changed(book: Book) -> None:
    assert book.put(A, "  Ann \t Other ") == Known(A, "Ann Other", int(START))
    book.put(B, "Bob")
    book.put(A, "Anne")
    assert [(one.address, one.label) for one in book.entries()] == [(A, "Anne"), (B, "Bob")]
    assert book.label(A) == "Anne" and book.label(NOBODY) == ""
    assert book.remove(A) and not book.remove(A)


@pytest.mark.parametrize("label", ["", "  ", "x" * 300, "a\x1b[31m", "a\u202eb"])
def test_names_that_cannot_be_shown_are_refused(book: Book, label: str) -> None:
    with pytest.raises(UsageError):
        book.put(A, label)


def test_the_book_is_bounded(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WALLET_BOOK", 1)
    book.put(A, "a")
    book.put(A, "again")
    with pytest.raises(UsageError):
        book.put(B, "b")


def test_the_first_time_is_said_and_the_second_is_not(book: Book) -> None:
    assert codes(book, A, [], []) == ["first_time"]
    assert codes(book, A, [A], []) == []
    book.put(B, "Bob")
    assert codes(book, B, [], []) == []
    assert codes(book, A, [], [A]) == ["own_address"]
    assert codes(book, NOBODY, [], []) == ["nobody", "first_time"]


def test_an_address_with_the_same_ends_is_told_with_the_one_it_looks_like(book: Book) -> None:
    like = twin(A, first=5)
    assert str(like)[:6] == str(A)[:6]
    for where in ("book", "paid", "own"):
        if where == "book":
            book.put(A, "Ann")
        found = book.warnings(like, [A] if where == "paid" else [], [A] if where == "own" else [])
        assert [(one.code, one.like) for one in found] == [("first_time", None), ("look_alike", A)]
        book.remove(A)


def test_characters_of_both_ends_count_together() -> None:
    one = "TXabcdefghijkmnopqrstuvwxyzABCDEFG"
    assert len(one) == 34
    for other, alike in (
        ("TXab" + "1" * 28 + "FG", True), ("T" + "2" * 28 + "CDEFG", True), ("TXabcd" + "1" * 28, True),
        ("TXab" + "1" * 29 + "G", False), ("T" + "2" * 29 + "DEFG", False), ("TxABCD" + "1" * 28, True), (one, False),
    ):
        assert len(other) == 34
        assert module._alike(one, other) == alike


def test_others_are_not_confused(book: Book) -> None:
    for number in range(50):
        book.put(Address(number.to_bytes(20, "little")), str(number))
    assert codes(book, Address(b"z" * 20), [], []) == ["first_time"]
