"""TRON's machine: what it costs, and where it is not Ethereum's."""

from __future__ import annotations

import hashlib
import sys

import pytest
from tests.devbed import A, B, Bed, C, creation, returning

from wildbach.base import limits
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import keccak
from wildbach.services.chain import vault
from wildbach.services.devchain.executing import Refused

WORD = 32


def word(number: int) -> bytes:
    return number.to_bytes(WORD, "big")


def push(data: bytes) -> str:
    return f"{0x5f + len(data):02x}" + data.hex()


def calling(there: Address, *, value: int = 0, op: str = "f1", energy: str = "5a") -> str:
    """Calls with all energy; leaves the outcome on the stack."""
    head = "6000600060006000" + (push(word(value)) if op in ("f1", "f2") else "")
    return head + "73" + there.raw.hex() + energy + op


def test_python_nests_no_deeper_than_before() -> None:
    assert sys.getrecursionlimit() == 1000


def test_a_contract_lies_where_its_transaction_and_owner_say() -> None:
    bed = Bed()
    receipt = bed.deploy(creation(b"\0"))
    assert receipt.contract == keccak(receipt.txid + A.full)[12:]
    assert bed.chain.state().code(receipt.contract) == b"\0"


@pytest.mark.parametrize(("code", "value"), [
    ("46", None),
    ("44", 0), ("45", 0), ("3a", 0), ("48", 100), ("d2", 0), ("d3", 0),
    ("73" + "11" * 20 + "d4", 0), ("30d4", 1), ("30", "here"), ("33", "anna"), ("32", "anna"), ("34", 7), ("47", 7),
    ("73" + "11" * 20 + "3f", 0),
], ids=lambda one: str(one)[:8])
def test_what_a_contract_sees(code: str, value: int | str | None) -> None:
    bed = Bed()
    there = bed.contract(returning(code))
    expected = {None: bed.chain.chain_id, "here": int.from_bytes(there.raw), "anna": int.from_bytes(A.raw)}
    receipt = bed.call(there, value=7)
    assert receipt.word == "SUCCESS", receipt
    assert int.from_bytes(receipt.output, "big") == expected.get(value, value)  # type: ignore[call-overload]  # what is no name is itself


@pytest.mark.parametrize(("code", "energy"), [
    ("600054", 50), ("60016000556001", 20_000), ("6000600055", 5_000), ("3031", 20), ("303b", 20), ("303f", 400),
    ("61010060020a", 30), ("60005150", 4), ("6001600052", 4), ("6001600053", 4), ("602060003750", None),
    ("6001600055600060005560016000556001", 20_000 + 5_000 + 5_000),
], ids=lambda one: str(one)[:20])
def test_energy_is_that_of_java_tron(code: str, energy: int | None) -> None:
    bed = Bed()
    pushes = 0
    at = 0
    raw = bytes.fromhex(code)
    while at < len(raw):
        if 0x60 <= raw[at] <= 0x7F:
            pushes += 3
            at += raw[at] - 0x5F
        elif raw[at] in (0x30, 0x50):
            pushes += 2
        at += 1
    receipt = bed.call(bed.contract(bytes.fromhex(code) + b"\0"))
    if energy is None:
        assert receipt.word == "STACK_TOO_SMALL"
        return
    # Memory of one word is 3.
    memory = code in ("60005150", "6001600052", "6001600053")
    assert receipt.energy == pushes + energy, receipt
    assert not memory or energy == 1 + 3


@pytest.mark.parametrize(("code", "result"), [
    ("fe", "ILLEGAL_OPERATION"), ("0c", "ILLEGAL_OPERATION"), ("600056", "BAD_JUMP_DESTINATION"),
    ("01", "STACK_TOO_SMALL"),
    ("5b6001600056", "STACK_TOO_LARGE"), ("5b600056", "OUT_OF_ENERGY"), ("630fffffff51", "OUT_OF_MEMORY"),
    ("60006000fd", "REVERT"), ("d0", "ILLEGAL_OPERATION"), ("6000d1", "ILLEGAL_OPERATION"), ("d5", "ILLEGAL_OPERATION"),
    (calling(Address(word(9)[12:])), "PRECOMPILED_CONTRACT"), (calling(Address(word(10)[12:])), "PRECOMPILED_CONTRACT"),
    (calling(Address(word(0x1000005)[12:])), "PRECOMPILED_CONTRACT"),
], ids=lambda one: str(one)[:12])
def test_a_call_that_fails_pays_and_changes_nothing(code: str, result: str) -> None:
    bed = Bed()
    there = bed.contract(bytes.fromhex("6001600055" + code if code != "5b600056" and code[:2] != "5b" else code))
    before = bed.balance(A)
    receipt = bed.call(there, value=5, fee_limit=10_000_000)
    assert receipt.word == result and receipt.error
    assert (receipt.energy == 100_000) is (result != "REVERT")
    assert receipt.fee == receipt.energy * 100 + receipt.net_fee
    assert bed.balance(there) == 0 and bed.balance(A) == before - receipt.fee
    assert not receipt.logs and bed.chain.state().slot(there.raw, 0) == 0


def test_code_that_begins_with_ef_is_no_contract() -> None:
    bed = Bed()
    receipt = bed.deploy(creation(b"\xef\0"), fee_limit=50_000_000)
    assert receipt.word == "INVALID_CODE"
    assert bed.chain.account(Address(receipt.contract)) is None


def test_code_that_cannot_be_paid_for_is_no_contract() -> None:
    bed = Bed()
    assert bed.deploy(creation(bytes(1000)), fee_limit=100 * 200 * 1000).word == "OUT_OF_ENERGY"
    assert bed.deploy(creation(bytes(1000)), fee_limit=100 * 200 * 1000 + 100_000).word == "SUCCESS"


def test_money_that_a_contract_sends_makes_an_account() -> None:
    bed = Bed()
    there = bed.contract(returning(calling(C, value=3)))
    receipt = bed.call(there, value=5)
    assert int.from_bytes(receipt.output, "big") == 1
    assert (bed.balance(C), bed.balance(there)) == (3, 2)
    again = bed.call(there, value=5)
    assert receipt.energy - again.energy == 25_000


def test_a_contract_cannot_send_what_it_has_not_got() -> None:
    bed = Bed()
    there = bed.contract(returning(calling(B, value=3)))
    assert int.from_bytes(bed.call(there).output, "big") == 0


def test_more_than_there_can_be_of_sun_ends_the_call() -> None:
    bed = Bed()
    receipt = bed.call(bed.contract(bytes.fromhex(calling(B, value=1 << 64))))
    assert receipt.word == "TRANSFER_FAILED" and receipt.energy < 20_000


def test_an_inner_failure_is_only_that_of_the_inner_call() -> None:
    bed = Bed()
    inner = bed.contract(bytes.fromhex("600160005560006000fd"))
    outer = bed.contract(returning(calling(inner) + "600755" + "6007"))
    receipt = bed.call(outer)
    assert receipt.word == "SUCCESS"
    assert bed.chain.state().slot(inner.raw, 0) == 0


def test_a_static_call_changes_nothing() -> None:
    bed = Bed()
    inner = bed.contract(bytes.fromhex("600160005500"))
    assert int.from_bytes(bed.call(bed.contract(returning(calling(inner, op="fa")))).output, "big") == 0
    assert int.from_bytes(bed.call(bed.contract(returning(calling(inner)))).output, "big") == 1


def test_foreign_code_runs_on_ones_own_storage() -> None:
    bed = Bed()
    inner = bed.contract(bytes.fromhex("600960005500"))
    for op in ("f4", "f2"):
        outer = bed.contract(returning(calling(inner, op=op)))
        assert int.from_bytes(bed.call(outer).output, "big") == 1
        assert (bed.chain.state().slot(outer.raw, 0), bed.chain.state().slot(inner.raw, 0)) == (9, 0)


def test_calls_nest_sixty_four_deep() -> None:
    bed = Bed()
    # Counts itself in slot 0, and calls itself with all that is left.
    there = bed.contract(bytes.fromhex("60005460010160005560006000600060006000305af100"))
    receipt = bed.call(there)
    assert receipt.word == "SUCCESS"
    assert bed.chain.state().slot(there.raw, 0) == 65


def test_contracts_that_contracts_make_have_trons_addresses() -> None:
    bed = Bed()
    inner = creation(b"\0")
    assert len(inner) <= 32
    memory = push(inner) + "600052" + "60" + f"{len(inner):02x}" + "60" + f"{32 - len(inner):02x}"
    made = bed.call(bed.contract(returning(memory + "6000f0")))
    assert made.output[12:] == keccak(made.txid + bytes(8))[12:]
    assert bed.chain.state().code(made.output[12:]) == b"\0"
    assert bed.chain.state().about(made.output[12:]) == b"i" + made.contract
    salted = bed.contract(returning("6005" + memory + "6000f5"))
    made = bed.call(salted)
    assert made.output[12:] == keccak(salted.full + word(5) + keccak(inner))[12:]
    # There is one already, and java-tron gives back none of the energy for it.
    assert bed.call(salted).word == "OUT_OF_ENERGY"


def test_a_contract_that_ends_itself_leaves_what_it_had() -> None:
    bed = Bed()
    there = bed.contract(bytes.fromhex("73" + B.raw.hex() + "ff"))
    before = bed.balance(B)
    assert bed.call(there, value=9).word == "SUCCESS"
    assert bed.balance(B) == before + 9 and bed.chain.account(there) is None
    with pytest.raises(Refused):
        bed.call(there)


def test_what_stands_for_ripemd_is_trons() -> None:
    bed = Bed()
    there = bed.contract(bytes.fromhex("602060006000600060006003" + "5af1" + "60206000f3"))
    expected = hashlib.sha256(hashlib.sha256(b"").digest()[:20]).digest()
    assert bed.call(there).output == expected


def test_a_call_that_takes_too_long_is_ended() -> None:
    bed = Bed()
    there = bed.contract(bytes.fromhex("5b600056"))
    bed.chain._steady = iter(range(10**9)).__next__  # type: ignore[method-assign,assignment]  # time flies
    assert bed.call(there, fee_limit=1_000_000_000).word == "OUT_OF_TIME"
    assert bed.chain.attempt(A, there, b"").word == "OUT_OF_TIME"


def test_pairings_are_few() -> None:
    bed = Bed()
    size = (limits.DEVCHAIN_PAIRS + 1) * 192
    there = bed.contract(bytes.fromhex(f"6000600061{size:04x}600060006008" + "5af1"))
    assert bed.call(there).word == "PRECOMPILED_CONTRACT"


def test_a_call_that_is_only_tried_leaves_nothing_behind() -> None:
    bed = Bed()
    there = bed.contract(bytes.fromhex("6001600055") + returning("6007"))
    before = bed.balance(A)
    ran = bed.chain.attempt(A, there, b"", 5)
    assert ran.ok and ran.output == word(7) and ran.energy > 20_000
    assert bed.balance(A) == before and bed.chain.state().slot(there.raw, 0) == 0
    made = bed.chain.attempt(A, None, creation(b"\0"))
    assert made.ok and made.output == b"\0"
    assert bed.chain.attempt(A, there, b"", energy=100).word == "OUT_OF_ENERGY"
    with pytest.raises(Refused, match="not exist"):
        bed.chain.attempt(A, B, b"")
    with pytest.raises(Refused, match="not sufficient"):
        bed.chain.attempt(C, there, b"", 1)


def test_the_vault_is_what_was_compiled() -> None:
    bed = Bed()
    receipt = bed.send(vault.deployment(A, 60))
    assert receipt.word == "SUCCESS"
    assert bed.chain.state().code(receipt.contract) == vault.committed().runtime
    assert 1_500_000 < receipt.energy < 1_700_000


def test_events_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    bed = Bed()
    there = bed.contract(bytes.fromhex("60006000a0" * 3))
    assert len(bed.call(there).logs) == 3
    monkeypatch.setattr(limits, "DEVCHAIN_LOGS", 2)
    receipt = bed.call(there)
    assert receipt.word == "OUT_OF_MEMORY" and not receipt.logs
