"""The secrets of a folder, one pair for each epoch, and what is derived of them.

`ReadSecret` is random: who has it reads. `StoreSecret` follows from it: who has it finds the others, relays and
stores. No secret gives the right to write. All that is derived is HKDF-SHA256 (RFC 5869) without salt:

| of | label | for |
| --- | --- | --- |
| ReadSecret | `store` | the StoreSecret |
| ReadSecret | `older` | the key under which the ReadSecrets before it are sealed in a roster |
| ReadSecret | `cfg` | the proof of who reads |
| StoreSecret | `id` | the name of the epoch's secrets, in rosters |
| StoreSecret | `cfg` | the proof of having the folder |
| StoreSecret, or the token of a link | `hs`, `psk`, `mse` | meeting (`opening`) |
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wildbach.base.errors import FormatError, UsageError

SECRET_BYTES: Final = 32
COMMIT_BYTES: Final = 16
OLDER_BYTES: Final = SECRET_BYTES + 16
_NONCE: Final = bytes(12)
"Each key below seals one text."


def derive(secret: bytes, label: str, *, size: int = SECRET_BYTES) -> bytes:
    """Of a secret of 32 bytes, for one use."""
    if len(secret) != SECRET_BYTES:
        raise UsageError("a secret has 32 bytes")
    return HKDF(SHA256(), size, salt=None, info=label.encode()).derive(secret)


class Secret:
    """32 bytes that say nothing of themselves where they are printed, logged or copied by pickle."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != SECRET_BYTES:
            raise FormatError("a secret has 32 bytes")
        self._raw = raw

    @property
    def raw(self) -> bytes:
        """32 bytes, for whoever derives from them or keeps them."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        return hash((type(self), self._raw))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class StoreSecret(Secret):
    """Finds, relays, stores."""

    __slots__ = ()

    @property
    def commit(self) -> bytes:
        """16 bytes that name the secrets of an epoch, and give nothing of them away."""
        return derive(self._raw, "id", size=COMMIT_BYTES)

    @property
    def cfg(self) -> bytes:
        """The key of the proof of having the folder (`proofs`)."""
        return derive(self._raw, "cfg")


class ReadSecret(Secret):
    """Reads."""

    __slots__ = ()

    @property
    def store(self) -> StoreSecret:
        return StoreSecret(derive(self._raw, "store"))

    @property
    def commit(self) -> bytes:
        return self.store.commit

    @property
    def cfg(self) -> bytes:
        """The key of the proof of being one who reads."""
        return derive(self._raw, "cfg")

    def seal_older(self, older: ReadSecret) -> bytes:
        """Of an epoch before, for all who read now: 48 bytes."""
        return ChaCha20Poly1305(self._older(older.commit)).encrypt(_NONCE, older.raw, None)

    def open_older(self, commit: bytes, box: bytes) -> ReadSecret:
        """What `seal_older` sealed, of the epoch with that name. Raises FormatError."""
        try:
            found = ReadSecret(ChaCha20Poly1305(self._older(commit)).decrypt(_NONCE, box, None))
        except InvalidTag:
            raise FormatError("the secret of an older epoch was sealed otherwise") from None
        if found.commit != commit:
            raise FormatError("the secret of an older epoch is another one")
        return found

    def _older(self, commit: bytes) -> bytes:
        return derive(derive(self._raw, "older"), "older " + commit.hex())


class Token(Secret):
    """What a link carries. It opens a session with who gave the link, and nothing of the folder."""

    __slots__ = ()

    @property
    def hash(self) -> bytes:
        """32 bytes that stand in the roster, beside who came by the link."""
        return sha256(b"wildbach sync link 1\0" + self._raw).digest()
