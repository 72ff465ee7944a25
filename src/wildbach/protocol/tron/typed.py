"""What payers sign (TIP-712, with addresses of 20 bytes byte for byte EIP-712): vouchers, and accepts of offers.

A digest holds the chain and the vault, so a signature is good for one vault on one chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import keccak

NAME: Final = "WildbachVault"
VERSION: Final = "1"
MOST: Final = (1 << 128) - 1
"A total above this no vault can hold."
_DOMAIN: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_VOUCHER: Final = keccak(b"Voucher(address payer,address payee,uint64 epoch,uint256 cumulative)")
_ACCEPT: Final = keccak(b"Accept(address payer,address payee,bytes8 offerId,bytes32 infohash,uint64 expiry)")


@dataclass(frozen=True, slots=True)
class Domain:
    """One vault on one chain. `chain_id`: the last four bytes of the id of its first block (TIP-474)."""

    chain_id: int
    vault: Address
    separator: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.chain_id < 1 << 32:
            raise ValueError("the id of a chain has 32 bits")
        object.__setattr__(self, "separator", keccak(
            _DOMAIN + keccak(NAME.encode()) + keccak(VERSION.encode()) + _word(self.chain_id) + _padded(self.vault)))

    def digest(self, structure: bytes) -> bytes:
        return keccak(b"\x19\x01" + self.separator + structure)


@dataclass(frozen=True, slots=True)
class Voucher:
    """All that `payer` owes `payee` in this lane so far. `epoch`: ms since 1970 when the payer's books began.
    `cumulative`: SUN.
    """

    payer: Address
    payee: Address
    epoch: int
    cumulative: int

    def __post_init__(self) -> None:
        if not (0 <= self.epoch < 1 << 64 and 0 <= self.cumulative <= MOST):
            raise ValueError("a voucher's epoch has 64 bits, its total 128")

    def digest(self, domain: Domain) -> bytes:
        """32 bytes, to be signed by a key that the payer registered."""
        return domain.digest(keccak(
            _VOUCHER + _padded(self.payer) + _padded(self.payee) + _word(self.epoch) + _word(self.cumulative)))


@dataclass(frozen=True, slots=True)
class Accept:
    """A buyer takes an offer. `offer_id`: 8 bytes. `infohash`: 32 bytes; one of v1 has 12 zeros behind it.
    `expiry`: seconds since 1970, by the seller's clock.
    """

    payer: Address
    payee: Address
    offer_id: bytes
    infohash: bytes
    expiry: int

    def __post_init__(self) -> None:
        if len(self.offer_id) != 8 or len(self.infohash) != 32 or not 0 <= self.expiry < 1 << 64:
            raise ValueError("an accept has 8 bytes of an offer, 32 of a torrent, and an expiry of 64 bits")

    def digest(self, domain: Domain) -> bytes:
        """32 bytes, to be signed by a key that the payer registered."""
        return domain.digest(keccak(
            _ACCEPT + _padded(self.payer) + _padded(self.payee) + self.offer_id.ljust(32, b"\0") + self.infohash
            + _word(self.expiry)))


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _padded(address: Address) -> bytes:
    return bytes(12) + address.raw
