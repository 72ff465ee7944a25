"""Keys that follow from the words of a wallet (BIP-32 and BIP-44, coin 195).

Each device of a wallet takes an account of its own, so that what one device knows of its money stays true. The cold key
of account d is m/44'/195'/d'/0/0, as other wallets have it. No extended public key is ever made.
"""

from __future__ import annotations

import hmac
from typing import Final

from coincurve import PublicKey

from wildbach.base.errors import UsageError
from wildbach.protocol.tron.keys import ORDER, SecretKey

HARDENED: Final = 1 << 31
_COIN: Final = 195
_PURPOSE: Final = 44


class Node:
    """A key and the code its children are made with. `chain`: 32 bytes."""

    __slots__ = ("_chain", "key")

    def __init__(self, key: SecretKey, chain: bytes) -> None:
        self.key = key
        self._chain = chain

    @classmethod
    def root(cls, seed: bytes) -> Node:
        """Of a seed of 16 to 64 bytes. Raises BadKey for one of 2^127 seeds that give none."""
        made = hmac.digest(b"Bitcoin seed", seed, "sha512")
        return cls(SecretKey(made[:32]), made[32:])

    def child(self, index: int) -> Node:
        """`index`: from HARDENED on hardened. Raises BadKey for one of 2^127 that do not exist; the next one does."""
        if not 0 <= index < 1 << 32:
            raise ValueError("an index has 32 bits")
        own = b"\0" + self.key.secret if index >= HARDENED else _compressed(self.key)
        made = hmac.digest(self._chain, own + index.to_bytes(4, "big"), "sha512")
        tweak = int.from_bytes(made[:32], "big")
        # Not below the order of the curve, or zero: `SecretKey` refuses both.
        secret = (tweak + int.from_bytes(self.key.secret, "big")) % ORDER if tweak < ORDER else 0
        return Node(SecretKey(secret.to_bytes(32, "big")), made[32:])

    def at(self, *path: int) -> Node:
        node = self
        for index in path:
            node = node.child(index)
        return node

    def __repr__(self) -> str:
        return f"Node(of {self.key.address})"

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")


def cold_key(seed: bytes, device: int = 0) -> SecretKey:
    """The key that holds the money of a device's account."""
    if not 0 <= device < HARDENED:
        raise UsageError("accounts of a wallet are numbered from 0 to 2147483647", code="bad_index")
    return Node.root(seed).at(_PURPOSE | HARDENED, _COIN | HARDENED, device | HARDENED, 0, 0).key


def _compressed(key: SecretKey) -> bytes:
    return PublicKey(b"\4" + key.public).format(compressed=True)
