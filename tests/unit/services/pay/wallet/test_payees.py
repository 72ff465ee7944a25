"""Addresses that are paid for one torrent each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wildbach.base.errors import StorageError, UsageError
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.wallet.derivation import cold_key, payee_key
from wildbach.services.pay.wallet.payees import Payees
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.store import WalletStore

JUNK = Phrase.parse("test test test test test test test test test test test junk")
ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))


@pytest.fixture
def payees(tmp_path: Path) -> Iterator[Payees]:
    store = WalletStore(tmp_path / "wallet.db")
    yield Payees(store, cold_key(JUNK.seed(), 2).address)
    store.close()


def test_each_torrent_gets_one_that_nobody_else_has(payees: Payees) -> None:
    made = payees.add(JUNK, 2, 2)
    assert made == [payee_key(JUNK.seed(), 2, number).address for number in (0, 1)]
    assert [payees.of(ONE), payees.of(TWO), payees.of(ONE)] == [made[0], made[1], made[0]]
    with pytest.raises(UsageError) as caught:
        payees.of(THREE)
    assert caught.value.code == "no_payee"
    (third,) = payees.add(JUNK, 2, 1)
    assert payees.of(THREE) == third == payee_key(JUNK.seed(), 2, 2).address
    assert [one.torrent for one in payees.all()] == [ONE, TWO, THREE]


def test_their_keys_come_from_the_words(payees: Payees) -> None:
    (made,) = payees.add(JUNK, 2, 1)
    assert payees.key(JUNK, 2, made).address == made
    with pytest.raises(UsageError):
        payees.key(JUNK, 2, Address(b"x" * 20))


def test_other_words_and_other_accounts_are_refused(payees: Payees) -> None:
    for phrase, device in ((JUNK, 0), (Phrase.random(), 2)):
        with pytest.raises(StorageError):
            payees.add(phrase, device, 1)
    with pytest.raises(UsageError):
        payees.of(b"short")
    assert payees.all() == []
