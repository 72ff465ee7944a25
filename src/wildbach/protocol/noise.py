"""`Noise_XXpsk0_25519_ChaChaPoly_SHA256` (noiseprotocol.org, revision 34): both sides, bytes in and bytes out.

    initiator -> psk, e
    responder -> e, ee, s, es
    initiator -> s, se

Who does not know the pre-shared key cannot even write the first message, and learns no static key of anybody. After
three messages both sides know each other's static key and share two ciphers, one for each direction:

    one = Handshake(True, psk, static)          other = Handshake(False, psk, static)
    message = one.write()                       other.read(message)     ... until `done` on both sides
    one.split(), one.remote_static, one.hash    the same hash on both sides

What follows is a stream of records: two bytes of length, and so many bytes of ciphertext with its tag (`RecordSealer`,
`RecordOpener`). Both directions take a new key every `REKEY_RECORDS` records, by the function that Noise defines.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wildbach.base.errors import RemoteError, UsageError

NAME: Final = b"Noise_XXpsk0_25519_ChaChaPoly_SHA256"
KEY: Final = 32
"Bytes of a key: pre-shared, static or ephemeral, and of a handshake hash."
TAG: Final = 16
MESSAGE: Final = 65535
"Bytes of a message of Noise, and of the ciphertext of a record."
HEADER: Final = 2
"Bytes before each record."
PLAIN: Final = MESSAGE - TAG
"Bytes that one record carries at most."
REKEY_RECORDS: Final = 1 << 16
"After so many records of a direction its key is replaced: at most 4 GiB under one key."
_LAST: Final = (1 << 64) - 1
"The nonce that Noise keeps for making new keys."
_NONCE: Final = Struct("<4xQ")
_LENGTH: Final = Struct(">H")

Buffer = bytes | bytearray | memoryview


class NoiseError(RemoteError):
    """The other side does not know the key, or what came was changed on its way."""

    code = "noise"


class CipherState:
    """A key and the number of the next message under it. Its key is never shown."""

    __slots__ = ("_aead", "_key", "count")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = ChaCha20Poly1305(key)
        self.count = 0

    def __repr__(self) -> str:
        return f"CipherState(count={self.count})"

    def _next(self) -> bytes:
        if self.count >= _LAST:
            raise NoiseError("as many messages as one key may have")
        nonce = _NONCE.pack(self.count)
        self.count += 1
        return nonce

    def encrypt(self, plain: Buffer, ad: bytes | None = None) -> bytes:
        return self._aead.encrypt(self._next(), plain, ad)

    def decrypt(self, sealed: Buffer, ad: bytes | None = None) -> bytes:
        """Raises NoiseError; the count has not moved then."""
        if len(sealed) < TAG:
            raise NoiseError("shorter than its tag")
        try:
            return self._aead.decrypt(self._next(), sealed, ad)
        except InvalidTag as error:
            self.count -= 1
            raise NoiseError("does not decrypt") from error

    def encrypt_into(self, plain: memoryview, out: memoryview) -> None:
        """`out` has `TAG` bytes more than `plain`; the two may begin at the same byte."""
        self._aead.encrypt_into(self._next(), plain, None, out)

    def decrypt_into(self, sealed: memoryview, out: memoryview) -> None:
        """`out` has `TAG` bytes less than `sealed`. Raises NoiseError."""
        try:
            self._aead.decrypt_into(self._next(), sealed, None, out)
        except InvalidTag as error:
            self.count -= 1
            raise NoiseError("does not decrypt") from error

    def rekey(self) -> None:
        """Another key, which does not lead back to this one; the count goes on (REKEY of the specification)."""
        self._key = self._aead.encrypt(_NONCE.pack(_LAST), bytes(KEY), None)[:KEY]
        self._aead = ChaCha20Poly1305(self._key)


class Ciphers(NamedTuple):
    """What a handshake ends with (Split)."""

    send: CipherState
    receive: CipherState


def _hkdf(chaining: bytes, material: bytes, outputs: int) -> list[bytes]:
    """HKDF as Noise defines it: two or three outputs of 32 bytes."""
    temporary = hmac.digest(chaining, material, "sha256")
    out: list[bytes] = []
    last = b""
    for number in range(1, outputs + 1):
        last = hmac.digest(temporary, last + bytes((number,)), "sha256")
        out.append(last)
    return out


class _Symmetric:
    """SymmetricState: the chaining key, the hash of all that was said, and the key of the moment."""

    __slots__ = ("_chaining", "_cipher", "hash")

    def __init__(self, name: bytes) -> None:
        self.hash = name.ljust(KEY, b"\0") if len(name) <= KEY else hashlib.sha256(name).digest()
        self._chaining = self.hash
        self._cipher: CipherState | None = None

    def mix_hash(self, data: Buffer) -> None:
        mixed = hashlib.sha256(self.hash)
        mixed.update(data)
        self.hash = mixed.digest()

    def mix_key(self, material: bytes) -> None:
        self._chaining, key = _hkdf(self._chaining, material, 2)
        self._cipher = CipherState(key)

    def mix_key_and_hash(self, material: bytes) -> None:
        self._chaining, mixed, key = _hkdf(self._chaining, material, 3)
        self.mix_hash(mixed)
        self._cipher = CipherState(key)

    def encrypt(self, plain: bytes) -> bytes:
        sealed = plain if self._cipher is None else self._cipher.encrypt(plain, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed: bytes) -> bytes:
        plain = sealed if self._cipher is None else self._cipher.decrypt(sealed, self.hash)
        self.mix_hash(sealed)
        return plain

    def split(self) -> tuple[CipherState, CipherState]:
        first, second = _hkdf(self._chaining, b"", 2)
        return CipherState(first), CipherState(second)


_MESSAGES: Final[Sequence[Sequence[str]]] = (("psk", "e"), ("e", "ee", "s", "es"), ("s", "se"))


class Handshake:
    """One side of a handshake. Write and read in turns, the initiator first, until `done`.

    Once something was refused it is over: every later call raises.
    """

    __slots__ = (
        "_broken", "_ephemeral", "_initiator", "_psk", "_remote_ephemeral", "_remote_static", "_split", "_state",
        "_static", "_turn",
    )

    def __init__(
        self, initiator: bool, psk: bytes, static: X25519PrivateKey, prologue: bytes = b"", *,
        ephemeral: X25519PrivateKey | None = None,
    ) -> None:
        """`psk` has 32 bytes. `prologue`: what both sides must have seen alike. `ephemeral`: for published vectors.

        Raises UsageError.
        """
        if len(psk) != KEY:
            raise UsageError("a pre-shared key has 32 bytes")
        self._initiator = initiator
        self._psk = psk
        self._static = static
        self._ephemeral = ephemeral if ephemeral is not None else X25519PrivateKey.generate()
        self._remote_ephemeral = b""
        self._remote_static = b""
        self._state = _Symmetric(NAME)
        self._state.mix_hash(prologue)
        self._turn = 0
        "Number of the next message."
        self._broken = False
        self._split = False

    @property
    def done(self) -> bool:
        return self._turn == len(_MESSAGES)

    @property
    def writes(self) -> bool:
        """The next message is ours."""
        return not self.done and self._initiator == (self._turn % 2 == 0)

    @property
    def remote_static(self) -> bytes:
        """The other side's static public key, 32 bytes, empty before it came. Proven once the handshake is `done`."""
        return self._remote_static

    @property
    def hash(self) -> bytes:
        """32 bytes that only this handshake has, the same on both sides; to bind what follows to it. Once `done`."""
        if not self.done:
            raise UsageError("the handshake is not over")
        return self._state.hash

    def write(self, payload: bytes = b"") -> bytes:
        """The next message. The first one's payload is read by everybody who has the pre-shared key."""
        if not self.writes or self._broken:
            raise UsageError("it is not this side's turn in the handshake")
        out = []
        for token in _MESSAGES[self._turn]:
            if token == "e":
                public = self._ephemeral.public_key().public_bytes_raw()
                out.append(public)
                self._state.mix_hash(public)
                self._state.mix_key(public)
            elif token == "s":
                out.append(self._state.encrypt(self._static.public_key().public_bytes_raw()))
            else:
                self._mix(token)
        out.append(self._state.encrypt(payload))
        message = b"".join(out)
        if len(message) > MESSAGE:
            raise UsageError("too much for one message of a handshake")
        self._turn += 1
        return message

    def read(self, message: Buffer) -> bytes:
        """Take the other side's next message; returns its payload. Raises NoiseError."""
        if self.writes or self.done or self._broken:
            raise NoiseError("a message that is out of turn")
        self._broken = True  # until it is read to its end
        data = bytes(message)
        if len(data) > MESSAGE:
            raise NoiseError("a message that is too long")
        at = 0
        for token in _MESSAGES[self._turn]:
            if token == "e":
                if len(data) < KEY:
                    raise NoiseError("a message that is too short")
                self._remote_ephemeral = data[:KEY]
                at = KEY
                self._state.mix_hash(self._remote_ephemeral)
                self._state.mix_key(self._remote_ephemeral)
            elif token == "s":
                if len(data) < at + KEY + TAG:
                    raise NoiseError("a message that is too short")
                self._remote_static = self._state.decrypt(data[at : at + KEY + TAG])
                at += KEY + TAG
            else:
                self._mix(token)
        payload = self._state.decrypt(data[at:])
        self._turn += 1
        self._broken = False
        return payload

    def split(self) -> Ciphers:
        """The ciphers of both directions. Once, when the handshake is done."""
        if not self.done or self._split:
            raise UsageError("a handshake is split once, when it is over")
        self._split = True
        first, second = self._state.split()
        return Ciphers(first, second) if self._initiator else Ciphers(second, first)

    def _mix(self, token: str) -> None:
        if token == "psk":
            self._state.mix_key_and_hash(self._psk)
            return
        # The first letter is whose key the initiator takes, the second the responder's.
        mine = 0 if self._initiator else 1
        private = self._ephemeral if token[mine] == "e" else self._static
        public = self._remote_ephemeral if token[1 - mine] == "e" else self._remote_static
        try:
            shared = private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            # Some points lead to a secret of zeros whatever the private key is.
            raise NoiseError("a public key that no honest side has") from error
        self._state.mix_key(shared)


class RecordSealer:
    """Makes records of a stream that is sent."""

    __slots__ = ("_cipher", "_left")

    def __init__(self, cipher: CipherState) -> None:
        self._cipher = cipher
        self._left = REKEY_RECORDS

    @staticmethod
    def size(count: int) -> int:
        """Bytes that the records of so many bytes take."""
        return count + -(-count // PLAIN) * (HEADER + TAG)

    def seal(self, plain: memoryview, out: memoryview) -> int:
        """Write the records of `plain` to the beginning of `out`; returns their size."""
        at = 0
        for start in range(0, len(plain), PLAIN):
            part = plain[start : start + PLAIN]
            end = at + HEADER + len(part) + TAG
            _LENGTH.pack_into(out, at, end - at - HEADER)
            self._cipher.encrypt_into(part, out[at + HEADER : end])
            at = end
            self._left -= 1
            if not self._left:
                self._cipher.rekey()
                self._left = REKEY_RECORDS
        return at


class RecordOpener:
    """Reads records of a stream that is received."""

    __slots__ = ("_cipher", "_left", "missing")

    def __init__(self, cipher: CipherState) -> None:
        self._cipher = cipher
        self._left = REKEY_RECORDS
        self.missing = 0
        "Bytes that finish the record which `open` left behind; 0 where its length is not here."

    def open(self, data: memoryview, out: memoryview) -> tuple[int, int]:
        """Decrypt all whole records. Returns how many bytes of `data` they took, and how many are in `out` now, which
        has room for `len(data)`. Raises NoiseError.
        """
        at = filled = 0
        end = len(data)
        self.missing = 0
        while end - at >= HEADER:
            (length,) = _LENGTH.unpack_from(data, at)
            if length <= TAG:
                raise NoiseError("an empty record")
            stop = at + HEADER + length
            if stop > end:
                self.missing = stop - end
                break
            fill = filled + length - TAG
            self._cipher.decrypt_into(data[at + HEADER : stop], out[filled:fill])
            filled = fill
            at = stop
            self._left -= 1
            if not self._left:
                self._cipher.rekey()
                self._left = REKEY_RECORDS
        return at, filled
