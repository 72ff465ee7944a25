"""What is to be sent: which function of the vault it is, and what it takes from what is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron.abi import encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.wallet import orders

OWNER, PAYEE, VAULT = (Address(bytes([number]) * 20) for number in (1, 2, 3))
AMOUNTS = st.integers(0, limits.WALLET_AMOUNT)


@given(AMOUNTS, AMOUNTS)
def test_what_a_call_takes_from_the_free_balance_is_read_from_it(amount: int, until: int) -> None:
    reserve = selector("reserve(address,uint128,uint64)") + encode(
        ["address", "uint128", "uint64"], [PAYEE, amount, until])
    assert orders.asked(reserve) == ("reserve", (PAYEE, amount, until))
    assert orders.call(OWNER, VAULT, reserve).hold == amount
    ask = selector("requestWithdraw(uint128)") + encode(["uint128"], [amount])
    assert orders.call(OWNER, VAULT, ask).hold == amount
    deposit = orders.call(OWNER, VAULT, selector("deposit()"), amount)
    assert deposit.hold == 0 and orders.asked(selector("deposit()")) == ("deposit", ())


def test_many_vouchers_are_one_call() -> None:
    vouchers = (((OWNER, PAYEE, 1, 2, b"signature"),),)
    data = selector("redeemMany((address,address,uint64,uint256,bytes)[])") + encode(
        ["(address,address,uint64,uint256,bytes)[]"], vouchers)
    name, values = orders.asked(data)
    assert name == "redeemMany" and orders.call(OWNER, VAULT, data).hold == 0
    assert encode(["(address,address,uint64,uint256,bytes)[]"], values) == data[4:]


@given(st.binary(max_size=200))
def test_other_calls_are_none(data: bytes) -> None:
    with pytest.raises(UsageError):
        orders.asked(data)


def test_nothing_hides_behind_the_arguments() -> None:
    ask = selector("requestWithdraw(uint128)") + encode(["uint128"], [5])
    for data in (ask + b"\0", ask + bytes(32), ask[:-1], selector("deposit()") + b"x", ask[:4] + b"\1" + ask[5:]):
        with pytest.raises(UsageError):
            orders.call(OWNER, VAULT, data)
    too_much = selector("requestWithdraw(uint128)") + encode(["uint128"], [limits.WALLET_AMOUNT + 1])
    with pytest.raises(UsageError):
        orders.call(OWNER, VAULT, too_much)
