"""The opening between two devices, the messages of Noise and its records: whole ones, and what becomes of them."""

from __future__ import annotations

from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wildbach.base.errors import RemoteError
from wildbach.protocol.noise import CipherState, Handshake, RecordOpener, RecordSealer
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.opening import Answerer, Caller, Found, MeetingKeys
from wildbach.protocol.wire.handshake import LENGTH, parse

_KEYS = MeetingKeys.of(bytes(range(32)))
_ONE, _OTHER = (X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
_KEY = bytes(range(1, 33))
ALLOWED = (RemoteError,)


def _caller() -> Caller[str]:
    return Caller("one", _KEYS, _ONE, new_peer_id(Random(1)))


def _answerer() -> Answerer[str]:
    return Answerer(Found("other", _KEYS), _OTHER, parse(_caller().take()), new_peer_id(Random(2)))


def _whole() -> tuple[bytes, bytes]:
    """All that each side says."""
    caller, answerer = _caller(), _answerer()
    there, back = caller.take()[LENGTH:], b""
    for _ in range(3):
        said = answerer.take()
        back += said
        caller.received(said)
        said = caller.take()
        there += said
        answerer.received(said)
    return there, back


def _records(*parts: bytes) -> bytes:
    sealer = RecordSealer(CipherState(_KEY))
    out = b""
    for part in parts:
        sealed = bytearray(sealer.size(len(part)))
        sealer.seal(memoryview(part), memoryview(sealed))
        out += sealed
    return out


SEEDS: list[bytes] = [
    b"C" + _whole()[1], b"A" + _whole()[0], b"R" + _records(b"one", bytes(300), b"x"), b"R" + _records(bytes(70_000)),
    b"M" + Handshake(True, _KEY, _ONE).write(b"payload"), b"A" + bytes(60),
    b"C\x13BitTorrent protocol" + bytes(48),
]
TOKENS = [b"d1:md8:wb_noisei1eee", b"\0\0\0\x32\x14\1", b"\x00\x11", b"\xff\xff"]


def one_input(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind == b"R":
        opener = RecordOpener(CipherState(_KEY))
        while rest:
            used, filled = opener.open(memoryview(rest), memoryview(bytearray(len(rest))))
            if not used:
                return
            if filled > used:
                raise AssertionError("more came out than went in")
            rest = rest[used:]
    elif kind == b"M":
        Handshake(False, _KEY, _OTHER).read(rest)
    else:
        side = _caller() if kind == b"C" else _answerer()
        kept = b""
        side.take()
        while rest:
            kept += rest[:100]
            rest = rest[100:]
            kept = kept[side.received(kept) :]
            side.take()
