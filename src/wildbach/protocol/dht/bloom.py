"""Bloom filters of IP addresses (BEP 33): nodes count a swarm together without a list of it.

256 bytes, two bits an address. Filters of several nodes are merged; the estimate breaks down near 6,000 addresses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import sha1

BYTES = 256
_BITS = BYTES * 8


class Bloom:
    __slots__ = ("_bits",)

    def __init__(self, raw: bytes = b"") -> None:
        """From the 256 bytes of another node, or empty."""
        self._bits = int.from_bytes(raw, "little")

    def add(self, address: bytes) -> None:
        """Insert a packed address of 4 or 16 bytes."""
        digest = sha1(address, usedforsecurity=False).digest()
        self._bits |= 1 << (int.from_bytes(digest[:2], "little") % _BITS)
        self._bits |= 1 << (int.from_bytes(digest[2:4], "little") % _BITS)

    def merge(self, other: Bloom) -> None:
        self._bits |= other._bits

    def __contains__(self, address: bytes) -> bool:
        one = Bloom()
        one.add(address)
        return self._bits & one._bits == one._bits

    def estimate(self) -> float:
        """About how many different addresses were inserted."""
        zeros = min(_BITS - 1, _BITS - self._bits.bit_count())
        return math.log(max(zeros, 1) / _BITS) / (2 * math.log(1 - 1 / _BITS))

    def __bytes__(self) -> bytes:
        return self._bits.to_bytes(BYTES, "little")


def of(addresses: Iterable[bytes]) -> Bloom:
    out = Bloom()
    for address in addresses:
        out.add(address)
    return out
