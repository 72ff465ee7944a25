"""What a transaction costs, as java-tron counts it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import RawTransaction, Transfer, TriggerContract
from wildbach.services.pay.wallet.fees import estimate, size_of
from wildbach.services.pay.wallet.seams import ChainAccount, ChainPrices, ChainResources

A, B = Address(b"a" * 20), Address(b"b" * 20)
TRANSFER = RawTransaction(b"ab", b"12345678", 1_800_000_000_000, Transfer(A, B, 1_000_000), 1_800_000_000_000)
CALL = replace(TRANSFER, contract=TriggerContract(A, B, bytes(100), 5))
PRICES = ChainPrices()
KNOWN, NEW = ChainAccount(True, 5), ChainAccount(False, 0)


def test_bytes_are_those_of_the_whole_transaction_and_a_result() -> None:
    assert size_of(TRANSFER, 0) == len(transaction.signed(TRANSFER.encode(), bytes(65))) + 64
    # A plain transfer on the main chain takes 268 bytes or so.
    assert 260 <= size_of(TRANSFER, 0) <= 275


@pytest.mark.parametrize(("free", "staked", "burns"), [
    (600, 0, False), (0, 600, False), (200, 200, True), (0, 0, True)])
def test_bytes_burn_all_or_nothing(free: int, staked: int, burns: bool) -> None:
    costs = estimate(TRANSFER, 0, ChainResources(free, staked, 0), PRICES, KNOWN)
    assert costs.bandwidth == (costs.bytes * 1000 if burns else 0)
    assert costs.total == costs.bandwidth and costs.most == 1_000_000 + costs.bandwidth
    assert costs.fee_limit == 0


@pytest.mark.parametrize(("free", "staked", "burnt"), [(600, 0, 1_100_000), (0, 0, 1_100_000), (0, 600, 1_000_000)])
def test_a_new_account_is_paid_for_instead_of_bytes(free: int, staked: int, burnt: int) -> None:
    costs = estimate(TRANSFER, 0, ChainResources(free, staked, 0), PRICES, NEW)
    assert (costs.activation, costs.bandwidth, costs.total) == (burnt, 0, burnt)


def test_a_memo_costs_more() -> None:
    costs = estimate(replace(TRANSFER, memo=b"hello"), 0, ChainResources(600, 0, 0), PRICES, KNOWN)
    assert costs.memo == costs.total == 1_000_000


@pytest.mark.parametrize(("staked", "burnt"), [(0, 2_200_000), (12_000, 1_000_000), (30_000, 0)])
def test_energy_burns_above_what_is_staked_and_the_limit_is_a_fifth_more(staked: int, burnt: int) -> None:
    costs = estimate(CALL, 22_000, ChainResources(600, 0, staked), PRICES, None)
    assert costs.energy == burnt and costs.fee_limit == 2_640_000
    assert costs.amount == 5 and costs.most == 5 + 2_640_000


def test_no_node_makes_us_burn_more_than_the_hard_cap() -> None:
    enough = limits.WALLET_FEE_LIMIT // 120
    assert estimate(CALL, enough, ChainResources(600, 0, 0), PRICES, None).fee_limit <= limits.WALLET_FEE_LIMIT
    with pytest.raises(UsageError, match="WALLET_FEE_LIMIT"):
        estimate(CALL, enough + 1, ChainResources(600, 0, 0), PRICES, None)
