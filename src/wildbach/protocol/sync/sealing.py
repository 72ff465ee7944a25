"""Boxes that one device alone can open: an ephemeral X25519 key, HKDF-SHA256, ChaCha20-Poly1305.

A box says nothing of who made it; the signature of the roster around it does. It is bound to its context and to both
keys, so it is no box for anybody else or elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wildbach.base.errors import FormatError
from wildbach.protocol.sync.devices import Device, DeviceKeys

Chance = Callable[[int], bytes]
"Gives so many random bytes that nobody can guess."
OVERHEAD: Final = 32 + 16
_CONTEXT: Final = b"wildbach sync box 1\0"
_NONCE: Final = bytes(12)
"The key is new for each box."


def seal(to: Device, plain: bytes, context: bytes, chance: Chance) -> bytes:
    """OVERHEAD bytes longer than `plain`."""
    ephemeral = X25519PrivateKey.from_private_bytes(chance(32))
    shown = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(to.exchange))
    return shown + ChaCha20Poly1305(_key(shared, shown, to, context)).encrypt(_NONCE, plain, None)


def unseal(keys: DeviceKeys, box: bytes, context: bytes) -> bytes:
    """What was sealed to this device. Raises FormatError for all else."""
    if len(box) < OVERHEAD:
        raise FormatError("a sealed box is too short")
    shown = box[:32]
    try:
        shared = keys.static.exchange(X25519PublicKey.from_public_bytes(shown))
        return ChaCha20Poly1305(_key(shared, shown, keys.public, context)).decrypt(_NONCE, box[32:], None)
    except (InvalidTag, ValueError):
        raise FormatError("a sealed box is not for this device, or was changed") from None


def _key(shared: bytes, shown: bytes, to: Device, context: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=_CONTEXT + shown + to.pack() + context).derive(shared)
