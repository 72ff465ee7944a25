"""What is to be sent: which function of the vault it is, and what it takes from what is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron.abi import encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.chain import vault
from wildbach.services.pay.wallet import orders
from wildbach.services.pay.wallet.signer import ATTENDED, UNATTENDED

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


def test_the_functions_are_those_of_the_committed_vault() -> None:
    changing = {
        f"{entry.name}({','.join(one.type for one in entry.inputs)})" for entry in vault.committed().entries
        if entry.kind == "Function" and entry.mutability not in ("View", "Pure")}
    written = {one.replace("(address,address,uint64,uint256,bytes)[]", "tuple[]") for one in ATTENDED}
    assert written == changing
    assert {selector(one) for one in UNATTENDED} <= {selector(one) for one in ATTENDED}


def test_calls_as_the_vault_makes_them_are_read() -> None:
    one = vault.SignedVoucher(Voucher(OWNER, PAYEE, 1, 2), bytes(64) + bytes([27]))
    for call, name in (
        (vault.deposit(5), "deposit"), (vault.add_signer(PAYEE), "addSigner"), (vault.claim(PAYEE), "claim"),
        (vault.remove_signer(PAYEE), "removeSigner"), (vault.reserve(PAYEE, 5, 6), "reserve"),
        (vault.release(PAYEE), "release"), (vault.waive(PAYEE), "waive"), (vault.redeem(one), "redeem"),
        (vault.request_withdraw(5), "requestWithdraw"), (vault.withdraw(), "withdraw"),
        (vault.redeem_many([one]), "redeemMany"),
    ):
        assert orders.asked(call.data)[0] == name
        held = 5 if name in ("reserve", "requestWithdraw") else 0
        assert orders.call(OWNER, VAULT, call.data, call.value).hold == held
