"""The keys of a device that keeps folders: one to sign with (Ed25519) and one to agree on secrets with (X25519).

Both follow from one seed of 32 bytes, which is all that is kept. The id of a device is a hash of both public keys, so
nobody can be listed under an id with keys that are not the id's.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.secrets import derive

KEY_BYTES: Final = 32
_PROBE: Final = X25519PrivateKey.from_private_bytes(sha256(b"wildbach sync probe").digest())


@dataclass(frozen=True, slots=True)
class Device:
    """What others know a device by. Raises FormatError for keys with which nobody can be reached."""

    signing: bytes
    "Ed25519, 32 bytes."
    exchange: bytes
    "X25519, 32 bytes."

    def __post_init__(self) -> None:
        if len(self.signing) != KEY_BYTES or len(self.exchange) != KEY_BYTES:
            raise FormatError("a public key has 32 bytes", where="device")
        if not _usable(self.exchange):
            raise FormatError("an X25519 key with which every secret is the same", where="device")

    @property
    def id(self) -> DeviceId:
        return _id(self.signing, self.exchange)

    def verify(self, signature: bytes, data: bytes) -> bool:
        return signed_by(self.signing, signature, data)

    def pack(self) -> bytes:
        """64 bytes."""
        return self.signing + self.exchange

    @classmethod
    def unpack(cls, raw: bytes) -> Device:
        if len(raw) != 2 * KEY_BYTES:
            raise FormatError("a device has two keys of 32 bytes", where="device")
        return cls(raw[:KEY_BYTES], raw[KEY_BYTES:])


class DeviceKeys:
    """A device's own secrets. `seed`: 32 random bytes, which are what is kept in a file of its own."""

    __slots__ = ("_exchange", "_seed", "_signing", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise UsageError("the seed of a device has 32 bytes")
        self._seed = seed
        self._signing = Ed25519PrivateKey.from_private_bytes(derive(seed, "device sign"))
        self._exchange = X25519PrivateKey.from_private_bytes(derive(seed, "device exchange"))
        self.public = Device(
            self._signing.public_key().public_bytes_raw(), self._exchange.public_key().public_bytes_raw())

    @property
    def id(self) -> DeviceId:
        return self.public.id

    @property
    def seed(self) -> bytes:
        """For whoever keeps it where nobody else can read it."""
        return self._seed

    @property
    def signing(self) -> Ed25519PrivateKey:
        """What signs entries."""
        return self._signing

    @property
    def static(self) -> X25519PrivateKey:
        """The key of the Noise handshake."""
        return self._exchange

    def sign(self, data: bytes) -> bytes:
        """64 bytes. Whoever calls puts in front of `data` what it is."""
        return self._signing.sign(data)

    def __repr__(self) -> str:
        return f"DeviceKeys(of {self.id.hex()})"

    def __reduce__(self) -> str:
        raise TypeError("the keys of a device are not pickled")


def signed_by(public: bytes, signature: bytes, data: bytes) -> bool:
    """Did the owner of an Ed25519 key (32 bytes) sign it?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def check_name(name: str) -> str:
    """What a device or a folder may be called. Raises FormatError or LimitError."""
    if len(name) > limits.SYNC_NAME_CHARS:
        raise LimitError(f"a name is longer than SYNC_NAME_CHARS = {limits.SYNC_NAME_CHARS}")
    if not name.isprintable() or any(0xD800 <= ord(char) < 0xE000 for char in name):
        raise FormatError("a name has characters that are not printed")
    return name


@functools.lru_cache(maxsize=4096)
def _id(signing: bytes, exchange: bytes) -> DeviceId:
    return DeviceId(sha256(signing + exchange).digest()[: DeviceId.SIZE])


@functools.lru_cache(maxsize=4096)
def _usable(exchange: bytes) -> bool:
    """False for the few points of a small order, with which an agreed secret is all zeros."""
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(exchange))
    except ValueError:
        return False
    return True
