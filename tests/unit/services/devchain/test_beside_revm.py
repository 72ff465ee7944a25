"""TRON's machine beside Ethereum's as others wrote it (revm): where the two are to be the same, they are.

Programs of random statements, with calls to contracts that store, fail or answer. What differs by design is left out:
costs, addresses of what contracts make, built-in contracts.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests import encounters
from tests.devbed import START, TRX, A, Bed
from tests.evms import Revm

from wildbach.protocol.tron.address import Address
from wildbach.services.devchain import machine

Statement = tuple[str, tuple[int, ...]]

STORES = bytes.fromhex("3460005401600055" + "600154600101600155" + "60005460005260206000f3")
"Adds the money that comes to its first slot, counts in its second, answers with the first."
FAILS = bytes.fromhex("6001600055" + "60aa60005260206000fd")
BREAKS = bytes.fromhex("6001600055fe")
ECHOES = bytes.fromhex("3660006000373660006000a0" + "3360205236602001" + "6000f3")
"Writes what comes into an event, and answers with it and who called."
PLACES = [Address(bytes([number]) * 20) for number in range(0xA1, 0xA6)]
CODES = [STORES, FAILS, BREAKS, ECHOES]
FIRST = int.from_bytes(PLACES[0].raw)
HERE = Address(b"\xb0" * 20)
ENERGY = 200_000
"Of a call: without a limit one that breaks takes all there is here, and 63 of 64 parts there."
RESULTS = 10
SLOTS = 3

words = st.one_of(
    st.integers(0, 40), st.sampled_from((1 << 255, (1 << 256) - 1, (1 << 255) - 1)), st.integers(0, (1 << 256) - 1))
short = st.integers(0, 96)
slots = st.integers(0, SLOTS - 1)
places = st.sampled_from([int.from_bytes(one.raw) for one in (*PLACES, HERE, A)])


def of(op: str, *arguments: st.SearchStrategy[int]) -> st.SearchStrategy[Statement]:
    return st.tuples(st.just(op), st.tuples(*arguments))


OPS = {
    "add": "01", "mul": "02", "sub": "03", "div": "04", "sdiv": "05", "mod": "06", "smod": "07", "addmod": "08",
    "mulmod": "09", "exp": "0a", "signextend": "0b", "lt": "10", "slt": "12", "eq": "14", "iszero": "15", "xor": "18",
    "not": "19", "byte": "1a", "shl": "1b", "shr": "1c", "sar": "1d", "keccak": "20", "address": "30", "balance": "31",
    "origin": "32", "caller": "33", "callvalue": "34", "calldataload": "35", "calldatasize": "36", "codesize": "38",
    "extcodesize": "3b", "returndatasize": "3d", "extcodehash": "3f", "timestamp": "42", "selfbalance": "47",
    "mload": "51", "sload": "54", "msize": "59", "tload": "5c",
    # these leave nothing
    "calldatacopy": "37", "codecopy": "39", "extcodecopy": "3c", "returndatacopy": "3e", "mstore": "52",
    "mstore8": "53", "sstore": "55", "tstore": "5d", "mcopy": "5e", "log": "a1",
    # and these are calls
    "call": "f1", "callcode": "f2", "delegatecall": "f4", "staticcall": "fa",
}
SILENT = {"calldatacopy", "codecopy", "extcodecopy", "returndatacopy", "mstore", "mstore8", "sstore", "tstore", "mcopy",
          "log"}
CALLS = {"call", "callcode", "delegatecall", "staticcall"}
statements = st.one_of(
    *(of(op, words, words) for op in (
        "add", "mul", "sub", "div", "sdiv", "mod", "smod", "exp", "signextend", "lt", "slt", "eq", "xor", "byte", "shl",
        "shr", "sar")),
    *(of(op, words, words, words) for op in ("addmod", "mulmod")), *(of(op, words) for op in ("iszero", "not")),
    *(of(op) for op in (
        "address", "origin", "caller", "callvalue", "calldatasize", "codesize", "returndatasize", "timestamp",
        "selfbalance", "msize")),
    *(of(op, places) for op in ("balance", "extcodesize", "extcodehash")),
    of("calldataload", short), of("mload", short), of("sload", slots), of("tload", slots), of("keccak", short, short),
    *(of(op, short, short, short) for op in ("calldatacopy", "codecopy", "returndatacopy", "mcopy", "log")),
    of("extcodecopy", places, short, short, short), of("mstore", short, words), of("mstore8", short, words),
    of("sstore", slots, words), of("tstore", slots, words),
    *(of(op, places, st.integers(0, 3), short, short, short, short) for op in ("call", "callcode")),
    *(of(op, places, short, short, short, short) for op in ("delegatecall", "staticcall")))


def push(value: int) -> str:
    size = max(1, (value.bit_length() + 7) // 8)
    return f"{0x5f + size:02x}{value:0{2 * size}x}"


def program(body: list[Statement]) -> bytes:
    """Each result goes to its place in memory, behind what statements write to; all is answered, with the slots."""
    code, results = "", 0
    for op, arguments in body:
        code += "".join(push(one) for one in reversed(arguments))
        code += (push(ENERGY) if op in CALLS else "") + OPS[op]
        if op not in SILENT:
            code += push(0x100 + 32 * (results % RESULTS)) + "52"
            results += 1
    for slot in range(SLOTS):
        code += push(slot) + "54" + push(0x100 + 32 * (RESULTS + slot)) + "52"
    return bytes.fromhex(code + push(0x100 + 32 * (RESULTS + SLOTS)) + "6000f3")


@pytest.mark.foreign("pyrevm")
@settings(max_examples=40)
@example([("call", (FIRST, 3, 0, 0, 0, 32)), ("returndatasize", ())])
@example([("delegatecall", (FIRST, 0, 0, 0, 32)), ("sload", (1,))])
@example([("staticcall", (FIRST, 0, 0, 0, 32)), ("call", (FIRST, 0, 0, 0, 0, 32)), ("mload", (0,))])
@given(st.lists(statements, max_size=12))
def test_programs_run_alike(body: list[Statement]) -> None:
    bed, revm = Bed(), Revm()
    bed.clock.now = revm.now = START
    state = bed.chain.state()
    for place, code in zip((*PLACES, HERE), (*CODES, b"", program(body)), strict=False):
        if code:
            state.put_code(place.raw, code, START)
            state.put_about(place.raw, b"i" + A.raw)
            revm.put_code(place, code)
    for who in (HERE, A):
        amount = 10 * TRX
        state.pay(who.raw, amount - state.balance(who.raw), START)
        revm.fund(who, amount)
    data = bytes(range(1, 41))
    around = bed.chain._around(START * 1000, bytes(32))
    ours = machine.call(state, around, A, HERE, data, 7, 50_000_000)
    theirs = revm.call(A, HERE, data, 7)
    assert ours.ok == theirs.ok, ours
    assert ours.output == theirs.output
    assert [(one.contract, one.topics, one.data) for one in ours.logs] == [
        (one.address.raw, one.topics, one.data) for one in theirs.logs]
    for place in (*PLACES, HERE):
        assert state.balance(place.raw) == revm.balance(place)
    encounters.note("pyrevm")
