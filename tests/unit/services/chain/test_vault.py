"""How the vault is called and what its answers are read as, beside eth-abi; and which contracts are no vault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi import decode as their_decode
from eth_abi import encode as their_encode
from hypothesis import given
from hypothesis import strategies as st
from tests.evms import CHAIN, PyEvm
from tests.vaultbed import DELAY, TRX, A, Bed, C, N, S
from tronpy.keys import keccak256

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.transaction import RawTransaction, decode
from wildbach.protocol.tron.typed import MOST, Voucher
from wildbach.services.chain import vault

ARTEFACT = json.loads(Path(vault.__file__).with_name("payvault.json").read_text())
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
SOMEBODY = ADDRESSES.filter(lambda one: one != NOBODY)
AMOUNTS = st.integers(0, MOST)
TIMES = st.integers(0, (1 << 64) - 1)
SIGNED = st.builds(
    vault.SignedVoucher, st.builds(Voucher, ADDRESSES, ADDRESSES, TIMES, AMOUNTS), st.binary(min_size=65, max_size=65))


def of_the_abi(name: str) -> tuple[bytes, list[str]]:
    """The selector of a function, and its types, as the compiler tells them."""
    entry = next(one for one in ARTEFACT["abi"] if one.get("name") == name)

    def of(one: dict[str, Any]) -> str:
        inner = f"({','.join(map(of, one.get('components', [])))})" if one["type"].startswith("tuple") else ""
        return str(one["type"]).replace("tuple", inner)

    types = [of(one) for one in entry["inputs"]]
    return keccak256(f"{name}({','.join(types)})".encode())[:4], types


def theirs(name: str, *values: Any) -> bytes:
    wanted, types = of_the_abi(name)
    return wanted + their_encode(types, [plain(one) for one in values])


def plain(value: Any) -> Any:
    match value:
        case Address():
            return value.raw
        case vault.SignedVoucher():
            return tuple(plain(one) for one in value.values)
        case list():
            return [plain(one) for one in value]
        case _:
            return value


@given(SOMEBODY, ADDRESSES, AMOUNTS, TIMES, st.integers(1, (1 << 63) - 1), st.lists(SIGNED, min_size=1, max_size=4))
def test_calls_are_written_as_eth_abi_does(
    one: Address, other: Address, amount: int, at: int, money: int, signed: list[vault.SignedVoucher],
) -> None:
    assert vault.deposit(money) == vault.Call(theirs("deposit"), money)
    for made, name, values in (
        (vault.add_signer(one), "addSigner", [one]), (vault.remove_signer(other), "removeSigner", [other]),
        (vault.reserve(one, amount, at), "reserve", [one, amount, at]), (vault.release(other), "release", [other]),
        (vault.waive(other), "waive", [other]), (vault.request_withdraw(amount), "requestWithdraw", [amount]),
        (vault.withdraw(), "withdraw", []), (vault.redeem(signed[0]), "redeem", signed[0].values),
        (vault.redeem_many(signed), "redeemMany", [signed]), (vault.claim(other), "claim", [other]),
    ):
        assert made == vault.Call(theirs(name, *values), 0)
        read = tuple(tuple(signed.values for signed in value) if isinstance(value, list) else value for value in values)
        assert vault.method(made.data) == (name, read)
    lane = vault.lane_id(one, other, at)
    assert lane == keccak256(their_encode(["address", "address", "uint64"], [one.raw, other.raw, at]))
    for question, name, values in (
        (vault.payer(one), "payers", [one]), (vault.signer(one, other), "signers", [one, other]),
        (vault.signer_at(one, at), "signerList", [one, at]),
        (vault.reservation(one, other), "reservations", [one, other]), (vault.paid(lane), "paid", [lane]),
        (vault.credit(one), "credit", [one]), (vault.delay(), "delay", []),
        (vault.digest(signed[0].voucher), "digest", signed[0].values[:4]),
    ):
        assert question.data == theirs(name, *values)


@given(st.binary(max_size=300), st.sampled_from(["claim", "redeemMany", "withdraw", "redeem"]), st.booleans())
def test_any_call_is_read_in_one_way_or_refused(data: bytes, name: str, known: bool) -> None:
    data = of_the_abi(name)[0] + data if known else data
    try:
        read, values = vault.method(data)
    except FormatError:
        return
    assert theirs(read, *(list(value) if isinstance(value, tuple) else value for value in values)) == data


def test_calls_that_the_vault_has_not_are_refused() -> None:
    transfer = bytes.fromhex("a9059cbb") + bytes(64)
    good = vault.claim(S).data
    odd = good[:4] + b"\1" + good[5:]
    for data in (b"", transfer, good + b"\0", good[:-1], odd, vault.credit(S).data, vault.withdraw().data[:3]):
        with pytest.raises(FormatError):
            vault.method(data)


def test_what_no_vault_takes_is_not_written() -> None:
    signed = vault.SignedVoucher(Voucher(A, S, 1, 1), bytes(65))
    for make in (
        lambda: vault.deposit(0), lambda: vault.deposit(-1), lambda: vault.deposit(1 << 63),
        lambda: vault.add_signer(NOBODY), lambda: vault.reserve(NOBODY, 1, 1), lambda: vault.reserve(S, MOST + 1, 1),
        lambda: vault.reserve(S, 1, 1 << 64), lambda: vault.request_withdraw(-1), lambda: vault.redeem_many([]),
        lambda: vault.redeem_many([signed] * (limits.VAULT_VOUCHERS + 1)), lambda: vault.paid(b"short"),
        lambda: vault.SignedVoucher(Voucher(A, S, 1, 1), bytes(64)), lambda: vault.deployment(A, 0),
        lambda: vault.deployment(A, vault.LONGEST_DELAY + 1),
    ):
        with pytest.raises(ValueError, match="a"):
            make()


@given(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, TIMES, TIMES), st.tuples(AMOUNTS, TIMES, TIMES), ADDRESSES)
def test_answers_are_read_as_eth_abi_does(payer: tuple[int, ...], held: tuple[int, ...], key: Address) -> None:
    balance, reserved, *rest = payer
    state = (max(balance, reserved), min(balance, reserved), *rest)
    types = ["uint128", "uint128", "uint128", "uint64", "uint64"]
    assert vault.payer(A).read(their_encode(types, state)) == vault.Payer(*state)
    assert vault.reservation(A, S).read(their_encode(["uint128", "uint64", "uint64"], held)) == vault.Reservation(*held)
    assert vault.signer(A, S).read(their_encode(["uint64"], [held[1]])) == vault.Signer(held[1])
    assert vault.signer_at(A, 0).read(their_encode(["address"], [key.raw])) == key
    for question in (vault.credit(S), vault.paid(bytes(32))):
        assert question.read(their_encode(["uint128"], [balance])) == balance
    assert vault.delay().read(their_encode(["uint64"], [held[2]])) == held[2]


QUESTIONS: list[tuple[vault.Question[Any], list[str]]] = [
    (vault.payer(A), ["uint128", "uint128", "uint128", "uint64", "uint64"]), (vault.signer(A, S), ["uint64"]),
    (vault.signer_at(A, 0), ["address"]), (vault.reservation(A, S), ["uint128", "uint64", "uint64"]),
    (vault.paid(bytes(32)), ["uint128"]), (vault.credit(S), ["uint128"]), (vault.delay(), ["uint64"]),
    (vault.digest(Voucher(A, S, 1, 1)), ["bytes32"]),
]


@given(st.sampled_from(QUESTIONS), st.one_of(
    st.binary(max_size=200), st.binary(max_size=5).map(lambda some: bytes(32 - len(some)) + some)))
def test_any_answer_is_read_or_refused(asked: tuple[vault.Question[Any], list[str]], answer: bytes) -> None:
    question, types = asked
    try:
        value = question.read(answer)
    except FormatError:
        return
    assert len(answer) == 32 * len(types)
    assert their_decode(types, answer)
    assert value is not None


def test_what_a_vault_cannot_say_is_refused() -> None:
    payer = ["uint128", "uint128", "uint128", "uint64", "uint64"]
    for question, answer in (
        (vault.payer(A), their_encode(payer, [5, 6, 0, 0, 0])),
        (vault.payer(A), their_encode(payer, [6, 5, 0, 0, 0])[1:]),
        (vault.credit(S), (MOST + 1).to_bytes(32, "big")), (vault.delay(), (1 << 64).to_bytes(32, "big")),
        (vault.credit(S), bytes(64)), (vault.delay(), b""), (vault.digest(Voucher(A, S, 1, 1)), bytes(33)),
        (vault.signer_at(A, 0), b"\1" * 32),
    ):
        with pytest.raises(FormatError):
            question.read(answer)


def test_a_request_counts_until_it_lapses() -> None:
    state = vault.Payer(balance=50, reserved=20, asked=40, asked_at=1000, bounced_at=0)
    assert state.free == 30
    assert [state.leaving(now, 100) for now in (1000, 1100, 1199, 1200)] == [30, 30, 30, 0]
    assert vault.Payer(50, 20, 0, 1000, 0).leaving(1000, 100) == 0


def test_who_signs_and_what_covers_him() -> None:
    active, ended, never = vault.Signer(vault.ACTIVE), vault.Signer(500), vault.Signer(0)
    assert (active.active, ended.active, never.active) == (True, False, False)
    assert (active.signs(10**12), ended.signs(499), ended.signs(500), never.signs(0)) == (True, True, False, False)
    held = vault.Reservation(amount=7, until=900, since=100)
    assert [held.covers(one, 600) for one in (active, ended, never)] == [7, 7, 0]
    assert [held.covers(one, 900) for one in (active, ended)] == [7, 0]
    assert vault.Reservation(7, 900, 500).covers(ended, 600) == 0


# -- which vault


def test_a_vault_that_was_deployed_is_known() -> None:
    bed = Bed(PyEvm())
    code = bed.evm.code(bed.domain.vault)
    vault.check(code, bed.ask(vault.delay()), DELAY)
    vault.check(code, DELAY, 1)
    with pytest.raises(vault.NotTheVault, match="604800 seconds"):
        vault.check(code, DELAY, DELAY + 1)
    # No vault that was made by its own constructor says so.
    with pytest.raises(vault.NotTheVault):
        vault.check(code, vault.LONGEST_DELAY + 1, 1)


@given(st.integers(0, len(vault.committed().runtime) - 1), st.integers(1, 255))
def test_a_vault_that_differs_in_one_byte_is_another(place: int, change: int) -> None:
    code = bytearray(vault.committed().runtime)
    code[place] ^= change
    with pytest.raises(vault.NotTheVault, match="code is another one"):
        vault.check(bytes(code), DELAY, DELAY)


@pytest.mark.parametrize("code", [b"", vault.committed().creation, vault.committed().runtime + b"\0"])
def test_what_is_no_vault_is_refused(code: bytes) -> None:
    with pytest.raises(vault.NotTheVault):
        vault.check(code, DELAY, DELAY)


def test_a_deployment_is_a_transaction_that_reads_back() -> None:
    made = vault.deployment(A, DELAY)
    raw = RawTransaction(b"ab", b"12345678", 5, made, 6, 10**9)
    assert decode(raw.encode()) == raw
    evm = PyEvm(CHAIN)
    assert evm.create(A, C, made.bytecode).ok and evm.code(C) == vault.committed().runtime
    assert (made.percent, made.value, made.name) == (100, 0, "PayVault")


# -- failures


def test_failures_say_why() -> None:
    bed = Bed(PyEvm())
    for who, call, why in (
        (A, vault.withdraw(), "too early"), (N, vault.claim(S), "nothing"),
        (A, vault.reserve(S, 51 * TRX, bed.now + 1), "over-reserved"), (A, vault.reserve(S, 1, bed.now), "until"),
    ):
        done = bed.evm.call(who, bed.domain.vault, call.data)
        assert not done.ok and vault.reason(done.output) == why
    done = bed.evm.call(N, bed.domain.vault, vault.signer_at(A, 9).data)
    assert not done.ok and vault.reason(done.output) == ""


@given(st.binary(max_size=300), st.booleans())
def test_any_failure_gives_a_short_text_that_can_be_shown(output: bytes, error: bool) -> None:
    text = vault.reason(b"\x08\xc3\x79\xa0" + output if error else output)
    assert len(text) <= 200 and (not text or text.isprintable())


def test_a_text_of_a_stranger_is_cut_and_cleaned() -> None:
    long = their_encode(["string"], ["\x1b[31mred\n\u202e" + "x" * 1000])
    text = vault.reason(b"\x08\xc3\x79\xa0" + long)
    assert text.startswith("[31mred") and "\u202e" not in text and len(text) <= 200
    assert vault.reason(b"\x4eH{q" + (0x11).to_bytes(32, "big")).startswith("a number is too large")
