"""Transactions, beside tronpy's, and those of the chain that others published."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tronpy.proto.transaction import calculate_txid_from_raw_data

from wildbach.protocol.tron import protobuf as pb
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import (
    BadTransaction,
    CreateContract,
    Entry,
    Parameter,
    RawTransaction,
    Transfer,
    TriggerContract,
    decode,
    from_json,
    signed,
    to_json,
    txid_of,
    unsigned,
)

ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
AMOUNTS = st.integers(0, (1 << 63) - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PARAMETERS = st.lists(st.builds(Parameter, NAMES, NAMES, st.booleans()), max_size=3).map(tuple)
ENTRIES = st.builds(
    Entry, st.sampled_from(["", "Function", "Event", "Constructor", "Error"]), NAMES, PARAMETERS, PARAMETERS,
    st.sampled_from(["", "View", "Payable", "Nonpayable", "Pure"]), st.booleans(), st.booleans(), st.booleans(),
)
TRANSFERS = st.builds(Transfer, ADDRESSES, ADDRESSES, AMOUNTS)
TRIGGERS = st.builds(TriggerContract, ADDRESSES, ADDRESSES, st.binary(max_size=99), AMOUNTS)
CREATIONS = st.builds(
    CreateContract, ADDRESSES, st.binary(max_size=99), NAMES, st.lists(ENTRIES, max_size=3).map(tuple), AMOUNTS,
    st.integers(0, 100), AMOUNTS,
)


def raws(contracts: st.SearchStrategy[Any]) -> st.SearchStrategy[RawTransaction]:
    return st.builds(
        RawTransaction, st.binary(min_size=2, max_size=2), st.binary(min_size=8, max_size=8), AMOUNTS, contracts,
        AMOUNTS, AMOUNTS, st.binary(max_size=9), st.integers(0, 3),
    )


ANY = raws(st.one_of(TRANSFERS, TRIGGERS, CREATIONS))


@given(raws(st.one_of(TRANSFERS, TRIGGERS)))
def test_ids_are_as_tronpys(raw: RawTransaction) -> None:
    plain = replace(raw, memo=b"", permission=0)
    assert plain.txid.hex() == calculate_txid_from_raw_data({"timestamp": 0, **to_json(plain)})


@given(ANY)
def test_what_is_written_is_read_back(raw: RawTransaction) -> None:
    assert decode(raw.encode()) == from_json(to_json(raw)) == raw
    body = raw.encode()
    assert unsigned(signed(body, b"1" * 65, b"2" * 65)) == (body, (b"1" * 65, b"2" * 65))


@given(ANY, st.integers(1, 40), st.booleans())
def test_a_field_that_is_unknown_or_there_twice_is_refused(raw: RawTransaction, field: int, first: bool) -> None:
    extra = pb.message(field, b"x") if field != 11 else pb.message(11, b"")
    body = raw.encode()
    with pytest.raises(BadTransaction):
        decode(extra + body if first else body + extra)


@given(ANY, st.data())
def test_a_changed_byte_is_refused_or_shows(raw: RawTransaction, data: st.DataObject) -> None:
    body = bytearray(raw.encode())
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(body))
    except BadTransaction:
        return
    assert other != raw and other.encode() == body


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    for read in (decode, unsigned):
        with contextlib.suppress(BadTransaction):
            read(data)


def test_a_number_in_a_longer_form_is_refused() -> None:
    raw = RawTransaction(b"ab", b"12345678", 5, Transfer(Address(bytes(20)), Address(bytes(20)), 1))
    body = raw.encode()
    longer = body.replace(b"\x40\x05", b"\x40\x85\x00")
    assert len(longer) == len(body) + 1
    with pytest.raises(BadTransaction):
        decode(longer)


def test_an_amount_that_has_no_64_bits_is_not_written() -> None:
    owner = Address(bytes(20))
    with pytest.raises(ValueError, match="64 bits"):
        RawTransaction(b"ab", b"12345678", 5, Transfer(owner, owner, 1 << 63)).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"contract": []}, {"contract": {}}, {"contract": [{}]}, {"expiration": -1}, {"expiration": True},
        {"expiration": 1 << 63}, {"ref_block_bytes": "zz"}, {"ref_block_bytes": "a b"}, {"data": 5},
        {"fee_limit": "1"},
    ],
)
def test_json_that_is_none_is_refused(change: dict[str, object]) -> None:
    raw = RawTransaction(b"ab", b"12345678", 5, Transfer(Address(bytes(20)), Address(bytes(20)), 1))
    with pytest.raises(BadTransaction):
        from_json({**to_json(raw), **change})


def test_an_id_is_the_hash_of_the_bytes() -> None:
    raw = RawTransaction(b"ab", b"12345678", 5, Transfer(Address(bytes(20)), Address(bytes(20)), 1))
    assert raw.txid == txid_of(raw.encode()) and len(raw.txid) == 32
