"""Transactions as nodes give them, answers of contracts, signatures: what is read can be written."""

import json

from wildbach.base.errors import FormatError
from wildbach.protocol.tron import abi, transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import recover

_A, _B = Address(bytes(20)), Address(bytes(range(20)))
_TYPES = ("address", "uint64", "(address,uint256,bytes)[]", "string", "bool")
_RAWS = [
    transaction.RawTransaction(b"ab", b"12345678", 5, contract, 6, 7, b"memo")
    for contract in (
        transaction.Transfer(_A, _B, 1), transaction.TriggerContract(_A, _B, b"call", 2),
        transaction.CreateContract(_A, b"code", "Name", (transaction.Entry(
            "Function", "f", (transaction.Parameter("x", "uint256"),), (), "View"),)),
    )
]
SEEDS: list[bytes] = [
    *(raw.encode() for raw in _RAWS), *(json.dumps(transaction.to_json(raw)).encode() for raw in _RAWS),
    *(transaction.signed(raw.encode(), b"1" * 65) for raw in _RAWS),
    abi.encode(_TYPES, (_A, 5, ((_B, 6, b"signature"),), "text", True)), b"1" * 65,
]
TOKENS = [
    b"\x0a\x15\x41", b'"TransferContract"', b'"owner_address"', b"\x5a", b"\xff" * 9 + b"\x01", b"type.googleapis.com",
]


def one_input(data: bytes) -> None:
    accepted = 0
    for read in (_bytes, _json, _signed, _answer, _signature):
        try:
            read(data)
            accepted += 1
        except (FormatError, json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            pass
    if not accepted:
        raise FormatError("nothing")


def _bytes(data: bytes) -> None:
    if transaction.decode(data).encode() != data:
        raise AssertionError("a transaction is written in another way")


def _json(data: bytes) -> None:
    made = transaction.from_json(json.loads(data))
    if transaction.from_json(transaction.to_json(made)) != made or transaction.decode(made.encode()) != made:
        raise AssertionError("a transaction does not read back")


def _signed(data: bytes) -> None:
    raw, signatures = transaction.unsigned(data)
    if transaction.unsigned(transaction.signed(raw, *signatures)) != (raw, signatures):
        raise AssertionError("signatures do not read back")


def _answer(data: bytes) -> None:
    values = abi.decode(_TYPES, data)
    if abi.decode(_TYPES, abi.encode(_TYPES, values)) != values:
        raise AssertionError("values do not read back")


def _signature(data: bytes) -> None:
    recover(bytes(32), data, strict=False)
