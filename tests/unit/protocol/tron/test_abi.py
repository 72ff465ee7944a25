"""Calls of contracts, beside eth-abi."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import decode as their_decode
from eth_abi import encode as their_encode
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.protocol.tron.abi import Value, decode, encode, selector, topic
from wildbach.protocol.tron.address import Address

ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
VOUCHERS = "(address,address,uint64,uint256,bytes)[]"
TYPES = ["address", "uint128", VOUCHERS, "bool", "bytes8", "string", "(bool,uint8)", "bytes"]
VOUCHER = st.tuples(
    ADDRESSES, ADDRESSES, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 256) - 1), st.binary(max_size=70))
VALUES = st.tuples(
    ADDRESSES, st.integers(0, (1 << 128) - 1), st.lists(VOUCHER, max_size=4).map(tuple), st.booleans(),
    st.binary(min_size=8, max_size=8), st.text(st.characters(exclude_categories=["Cs"])),
    st.tuples(st.booleans(), st.integers(0, 255)), st.binary(max_size=70),
)


def theirs(value: Value) -> Any:
    if isinstance(value, Address):
        return value.raw
    return tuple(theirs(one) for one in value) if isinstance(value, tuple) else value


@given(VALUES)
def test_values_are_written_and_read_as_eth_abi_does(values: tuple[Value, ...]) -> None:
    written = encode(TYPES, values)
    assert written == their_encode(TYPES, theirs(values))
    assert decode(TYPES, written) == values
    assert len(their_decode(TYPES, written)) == len(values)


@given(st.binary(max_size=400))
def test_any_answer_is_read_or_refused(data: bytes) -> None:
    try:
        values = decode(TYPES, data)
    except FormatError:
        return
    assert decode(TYPES, encode(TYPES, values)) == values


@given(VALUES, st.data())
def test_what_is_cut_off_is_refused(values: tuple[Value, ...], data: st.DataObject) -> None:
    written = encode(["bytes", "uint256"], (values[7], 5))
    end = data.draw(st.integers(0, 63))
    with pytest.raises(FormatError):
        decode(["bytes", "uint256"], written[:end])


@pytest.mark.parametrize("kind", ["bytes[]", "string[]"])
def test_strings_that_share_their_bytes_do_not_grow_the_answer(kind: str) -> None:
    count, size = 1000, 10_000
    shared = (32).to_bytes(32, "big") + count.to_bytes(32, "big") + (32 * count).to_bytes(32, "big") * count
    shared += size.to_bytes(32, "big") + b"x" * size
    with pytest.raises(FormatError):
        decode([kind], shared)
    one = b"x" * size
    written = encode([kind], [tuple((one if kind == "bytes[]" else one.decode()) for _ in range(20))])
    assert len(decode([kind], written)[0]) == 20


def test_lists_that_share_their_bytes_do_not_grow_the_answer() -> None:
    many = 2000
    head = (32).to_bytes(32, "big") + many.to_bytes(32, "big")
    rows = b"".join((many * 32).to_bytes(32, "big") for _ in range(many))
    tail = many.to_bytes(32, "big") + bytes(32 * many)
    with pytest.raises(FormatError):
        decode(["uint256[][]"], head + rows + tail)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("uint8", 256), ("uint8", -1), ("uint8", True), ("bool", 1), ("bytes8", b"1"), ("address", b"1"), ("(bool)", ())],
)
def test_a_value_of_another_type_is_not_written(kind: str, value: Value) -> None:
    with pytest.raises(ValueError, match="value"):
        encode([kind], [value])


@pytest.mark.parametrize("kind", ["uint7", "uint264", "bytes33", "int8", "fixed", "uint08", ""])
def test_a_type_that_is_unknown_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no type"):
        encode([kind], [0])


def test_names_of_functions_and_events_are_hashed() -> None:
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert topic("Transfer(address,address,uint256)").hex().startswith("ddf252ad1be2c89b")
