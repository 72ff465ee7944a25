"""Blocks: their heads in bytes, ids and signatures, as java-tron makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from wildbach.protocol.tron import protobuf as pb
from wildbach.protocol.tron.keys import SecretKey
from wildbach.services.devchain.executing import Receipt, Signed

VERSION: Final = 34
_EMPTY: Final = bytes(32)
_RESULTS: Final = (
    "DEFAULT", "SUCCESS", "REVERT", "BAD_JUMP_DESTINATION", "OUT_OF_MEMORY", "PRECOMPILED_CONTRACT", "STACK_TOO_SMALL",
    "STACK_TOO_LARGE", "ILLEGAL_OPERATION", "STACK_OVERFLOW", "OUT_OF_ENERGY", "OUT_OF_TIME", "JVM_STACK_OVER_FLOW",
    "UNKNOWN", "TRANSFER_FAILED", "INVALID_CODE",
)
_WORDS: Final = b"what is paid here is worth nothing"
"In place of a witness in a first block, where mainnet has a sentence too."


class Header(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`time`: ms since 1970; `witness`: 21 bytes; `signature`: 65 bytes, none for a first block."""

    number: int
    id: bytes
    parent: bytes
    time: int
    trie: bytes
    witness: bytes
    version: int
    signature: bytes

    @property
    def chain_id(self) -> int:
        """Of the chain whose first block this is."""
        return int.from_bytes(self.id[-4:], "big")


def first(salt: bytes) -> Header:
    """The first block of a chain; `salt`: 32 bytes that make it another one than others."""
    return _made(0, salt, 0, _EMPTY, _WORDS, 0, None)


def after(parent: Header, time: int, trie: bytes, witness: SecretKey) -> Header:
    return _made(parent.number + 1, parent.id, time, trie, witness.address.full, VERSION, witness)


def _made(
    number: int, parent: bytes, time: int, trie: bytes, witness: bytes, version: int, key: SecretKey | None,
) -> Header:
    raw = (
        pb.number(1, time) + pb.data(2, trie) + pb.data(3, parent) + pb.number(7, number) + pb.data(9, witness)
        + pb.number(10, version))
    digest = hashlib.sha256(raw).digest()
    signature = b""
    if key is not None:
        made = key.sign(digest)
        signature = made[:64] + bytes([made[64] - 27])
    return Header(number, number.to_bytes(8, "big") + digest[8:], parent, time, trie, witness, version, signature)


def with_result(tx: Signed, receipt: Receipt) -> bytes:
    """A transaction as a block has it."""
    return tx.data + pb.message(5, pb.number(3, _RESULTS.index(receipt.result)))


def merkle(parts: Sequence[bytes]) -> bytes:
    """The hash over all transactions of a block."""
    row = [hashlib.sha256(part).digest() for part in parts]
    while len(row) > 1:
        row = [
            hashlib.sha256(row[at] + row[at + 1]).digest() if at + 1 < len(row) else row[at]
            for at in range(0, len(row), 2)]
    return row[0] if row else _EMPTY
