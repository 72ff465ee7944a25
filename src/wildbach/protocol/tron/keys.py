"""Keys of TRON: secp256k1, with Keccak-256 for addresses and SHA-256 for transactions."""

from __future__ import annotations

import secrets
from typing import Final

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak as _keccak

from wildbach.base.errors import FormatError
from wildbach.protocol.tron.address import Address

SIGNATURE_BYTES: Final = 65
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_V: Final = 27


class BadSignature(FormatError):
    """Nobody signed this so."""

    code = "bad_signature"


class BadKey(FormatError):
    """No key of the curve."""

    code = "bad_key"


def keccak(data: bytes) -> bytes:
    """Keccak-256, as before it became SHA-3: 32 bytes."""
    return _keccak.new(data=data, digest_bits=256).digest()


class SecretKey:
    """A secret. It says nothing of itself where it is printed, logged or copied by pickle."""

    __slots__ = ("_key", "address", "public")

    def __init__(self, secret: bytes) -> None:
        """`secret`: 32 bytes. Raises BadKey."""
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise BadKey("a key is 32 bytes, neither zero nor above the order of the curve")
        self._key = PrivateKey(secret)
        self.public = self._key.public_key.format(compressed=False)[1:]
        "64 bytes."
        self.address = address_of(self.public)

    @classmethod
    def random(cls) -> SecretKey:
        while True:
            secret = secrets.token_bytes(32)
            if 0 < int.from_bytes(secret, "big") < ORDER:
                return cls(secret)

    @property
    def secret(self) -> bytes:
        """32 bytes, for whoever keeps them encrypted."""
        return self._key.secret

    def sign(self, digest: bytes) -> bytes:
        """r, s and v of 32 bytes: 65 bytes; the same ones each time (RFC 6979); s is low, v is 27 or 28."""
        if len(digest) != 32:
            raise ValueError("what is signed has 32 bytes")
        made = self._key.sign_recoverable(digest, hasher=None)
        return made[:64] + bytes([made[64] + _V])

    def __repr__(self) -> str:
        return f"SecretKey(of {self.address})"

    def __reduce__(self) -> str:
        raise TypeError("a secret key is not pickled")


def address_of(public: bytes) -> Address:
    """The address of a public key of 64 bytes."""
    return Address(keccak(public)[12:])


def recover(digest: bytes, signature: bytes, *, strict: bool = True) -> Address:
    """Who signed 32 bytes. `strict`: as the vault takes signatures, v 27 or 28 and a low s, so that of each there is
    one form; else as nodes take them, v 0 and 1 too. Raises BadSignature.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature("a signature has 65 bytes")
    v = signature[64]
    if v in (_V, _V + 1):
        v -= _V
    elif strict or v > 1:
        raise BadSignature("the last byte of a signature is 27 or 28")
    if strict and int.from_bytes(signature[32:64], "big") > ORDER // 2:
        raise BadSignature("the second half of a signature is above half the order of the curve")
    try:
        public = PublicKey.from_signature_and_message(signature[:64] + bytes([v]), digest, hasher=None)
    except ValueError as error:
        raise BadSignature(f"no key signs so: {error}") from None
    return address_of(public.format(compressed=False)[1:])
