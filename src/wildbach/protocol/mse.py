"""Message Stream Encryption, also called protocol encryption: the handshake of both sides, bytes in, bytes out.

    caller   -> Ya, padding
    answerer -> Yb, padding
    caller   -> HASH(req1, S), HASH(req2, SKEY) xor HASH(req3, S), RC4(VC, provide, padding, initial payload)
    answerer -> RC4(VC, select, padding), and the stream of the chosen kind

S is the shared secret of a Diffie-Hellman exchange of 768 bits, SKEY the info hash, which both sides know beforehand.
Where the paddings end is found by looking for what must come next; how far is looked is bounded. It hides what is
said from those who only listen, and proves nothing about who the other side is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from hashlib import sha1
from random import Random
from typing import Final, NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from wildbach.base import limits
from wildbach.base.errors import RemoteError

PRIME: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563", 16,
)
GENERATOR: Final = 2
KEY: Final = 96
"Bytes of a public key, and of the secret."
_PRIVATE_BITS: Final = 160
_HASH: Final = 20
_VC: Final = bytes(8)
"The verification constant: it shows that both sides have the same keys."
_DROPPED: Final = bytes(1024)
"The first bytes of an RC4 stream tell of its key, so they are not used."


class Method(IntEnum):
    """What the stream behind the handshake is; the bits of `crypto_provide` and `crypto_select`."""

    PLAIN = 1
    RC4 = 2


class Rc4:
    """One direction of a stream. Encrypting and decrypting are the same."""

    __slots__ = ("_into", "of")

    def __init__(self, key: bytes) -> None:
        context = Cipher(ARC4(key), mode=None).encryptor()
        context.update(_DROPPED)
        self.of: Callable[[bytes | bytearray | memoryview], bytes] = context.update
        "The next bytes of the stream, as a copy."
        self._into = context.update_into

    def over(self, view: memoryview) -> None:
        """The next bytes of the stream, in place."""
        self._into(view, view)


class Agreed(NamedTuple):
    """How the stream goes on; the ciphers stand right behind the handshake, None where the stream is plain."""

    method: Method
    send: Rc4 | None
    receive: Rc4 | None
    initial: bytes
    "What the caller said in its handshake already, in the clear; empty for the caller itself."


def find_by(skey: bytes) -> bytes:
    """What an answerer finds a torrent by: HASH(req2, SKEY)."""
    return sha1(b"req2" + skey, usedforsecurity=False).digest()


class Handshake:
    """One side. Feed it with `received`, send what `take` gives, until `agreed` is set."""

    __slots__ = ("_out", "_private", "_rng", "_secret", "_step", "agreed")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._private = rng.getrandbits(_PRIVATE_BITS) | 1 << (_PRIVATE_BITS - 1)
        self._secret = b""
        self._out = bytearray()
        self._step: Callable[[memoryview], int] = self._key
        self.agreed: Agreed | None = None

    def take(self) -> bytes:
        """What is to be sent now."""
        out, self._out = self._out, bytearray()
        return bytes(out)

    def received(self, data: bytes | bytearray | memoryview) -> int:
        """Take what is whole and return how many bytes were used; the rest comes again with what follows.

        Raises RemoteError where the other side speaks something else. Nothing behind the handshake is used.
        """
        view = memoryview(data)
        used = 0
        while self.agreed is None:
            taken = self._step(view[used:])
            if taken < 0:
                break
            used += taken
        return used

    def _greet(self) -> None:
        self._out += pow(GENERATOR, self._private, PRIME).to_bytes(KEY, "big") + self._padding()

    def _padding(self) -> bytes:
        return self._rng.randbytes(self._rng.randrange(limits.MSE_PADDING_BYTES + 1))

    def _key(self, data: memoryview) -> int:
        """-1 here and in every step: more bytes are needed."""
        if len(data) < KEY:
            return -1
        theirs = int.from_bytes(data[:KEY], "big")
        if not 1 < theirs < PRIME - 1:
            raise RemoteError("no public key that an encrypted handshake may have")
        self._secret = pow(theirs, self._private, PRIME).to_bytes(KEY, "big")
        self._shared()
        return KEY

    def _shared(self) -> None:
        """The secret is known."""
        raise NotImplementedError

    def _hash(self, name: bytes, *more: bytes) -> bytes:
        return sha1(b"".join((name, self._secret, *more)), usedforsecurity=False).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _seek(data: memoryview, mark: bytes) -> int:
    """Bytes up to the end of a mark that a padding of theirs stands before."""
    most = limits.MSE_PADDING_BYTES + len(mark)
    at = bytes(data[:most]).find(mark)
    if at >= 0:
        return at + len(mark)
    if len(data) >= most:
        raise RemoteError("not an encrypted handshake")
    return -1


class Caller(Handshake):
    """The side that called, and knows which torrent it wants."""

    __slots__ = ("_initial", "_mark", "_padding_left", "_provide", "_receive", "_selected", "_send", "_skey")

    def __init__(self, skey: bytes, initial: bytes, provide: Sequence[Method], rng: Random) -> None:
        """`initial` goes along with the handshake, which saves a round trip."""
        super().__init__(rng)
        self._skey = skey
        self._initial = initial
        self._provide = tuple(provide)
        self._greet()

    def _shared(self) -> None:
        self._send = Rc4(self._hash(b"keyA", self._skey))
        self._receive = Rc4(self._hash(b"keyB", self._skey))
        self._out += self._hash(b"req1") + _xor(find_by(self._skey), self._hash(b"req3"))
        padding = self._padding()
        self._out += self._send.of(b"".join((
            _VC, sum(self._provide).to_bytes(4, "big"), len(padding).to_bytes(2, "big"), padding,
            len(self._initial).to_bytes(2, "big"), self._initial,
        )))
        # The constant is zeros: encrypted it is the key stream itself, which is used up to there by this.
        self._mark = self._receive.of(_VC)
        self._step = self._synchronise

    def _synchronise(self, data: memoryview) -> int:
        end = _seek(data, self._mark)
        if end >= 0:
            self._step = self._selection
        return end

    def _selection(self, data: memoryview) -> int:
        if len(data) < 6:
            return -1
        said = self._receive.of(data[:6])
        selected, self._padding_left = int.from_bytes(said[:4], "big"), int.from_bytes(said[4:], "big")
        if selected not in self._provide:
            raise RemoteError("chose an encryption that was not offered", selected=selected)
        if self._padding_left > limits.MSE_PADDING_BYTES:
            raise RemoteError("too much padding in an encrypted handshake")
        self._selected = Method(selected)
        self._step = self._end
        return 6

    def _end(self, data: memoryview) -> int:
        if len(data) < self._padding_left:
            return -1
        self._receive.of(data[: self._padding_left])
        rc4 = self._selected is Method.RC4
        self.agreed = Agreed(self._selected, self._send if rc4 else None, self._receive if rc4 else None, b"")
        return self._padding_left


class Answerer(Handshake):
    """The side that was called. Nothing is computed, and nothing said, before a whole public key is here."""

    __slots__ = ("_accept", "_find", "_offered", "_padding_left", "_receive", "_send", "_size")

    def __init__(self, find: Callable[[bytes], bytes | None], accept: Sequence[Method], rng: Random) -> None:
        """`find` gives the info hash for a `find_by`; `accept` is in order of preference."""
        super().__init__(rng)
        self._find = find
        self._accept = tuple(accept)

    def _shared(self) -> None:
        self._greet()
        self._step = self._synchronise

    def _synchronise(self, data: memoryview) -> int:
        end = _seek(data, self._hash(b"req1"))
        if end >= 0:
            self._step = self._torrent
        return end

    def _torrent(self, data: memoryview) -> int:
        if len(data) < _HASH:
            return -1
        skey = self._find(_xor(bytes(data[:_HASH]), self._hash(b"req3")))
        if skey is None:
            raise RemoteError("wants a torrent that is not here")
        self._send = Rc4(self._hash(b"keyB", skey))
        self._receive = Rc4(self._hash(b"keyA", skey))
        self._step = self._offer
        return _HASH

    def _offer(self, data: memoryview) -> int:
        if len(data) < 14:
            return -1
        said = self._receive.of(data[:14])
        self._offered, self._padding_left = int.from_bytes(said[8:12], "big"), int.from_bytes(said[12:], "big")
        if said[:8] != _VC:
            raise RemoteError("an encrypted handshake with other keys")
        if self._padding_left > limits.MSE_PADDING_BYTES:
            raise RemoteError("too much padding in an encrypted handshake")
        self._step = self._length
        return 14

    def _length(self, data: memoryview) -> int:
        end = self._padding_left + 2
        if len(data) < end:
            return -1
        self._size = int.from_bytes(self._receive.of(data[:end])[-2:], "big")
        if self._size > limits.MSE_INITIAL_BYTES:
            raise RemoteError("says too much within an encrypted handshake", size=self._size)
        self._step = self._end
        return end

    def _end(self, data: memoryview) -> int:
        if len(data) < self._size:
            return -1
        method = next((method for method in self._accept if method & self._offered), None)
        if method is None:
            raise RemoteError("offers no encryption that is wanted here", offered=self._offered)
        initial = self._receive.of(data[: self._size])
        padding = self._padding()
        self._out += self._send.of(b"".join((
            _VC, method.to_bytes(4, "big"), len(padding).to_bytes(2, "big"), padding,
        )))
        rc4 = method is Method.RC4
        self.agreed = Agreed(method, self._send if rc4 else None, self._receive if rc4 else None, initial)
        return self._size
