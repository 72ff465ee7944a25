"""The encrypted handshake of both sides: whole ones, and what becomes of them."""

from __future__ import annotations

from random import Random

from wildbach.base.errors import RemoteError
from wildbach.protocol.mse import Answerer, Caller, Handshake, Method, find_by

_SKEY = bytes(range(20))
_BOTH = (Method.RC4, Method.PLAIN)
ALLOWED = (RemoteError,)


def _caller() -> Caller:
    return Caller(_SKEY, b"hello", _BOTH, Random(1))


def _answerer() -> Answerer:
    return Answerer({find_by(_SKEY): _SKEY}.get, _BOTH, Random(2))


def _whole() -> tuple[bytes, bytes]:
    """All that each side says."""
    caller, answerer = _caller(), _answerer()
    there = caller.take()
    used = answerer.received(there)
    back = answerer.take()
    rest = caller.received(back)
    more = caller.take()
    answerer.received(there[used:] + more)
    last = answerer.take()
    caller.received(back[rest:] + last)
    return there + more, back + last


SEEDS: list[bytes] = [b"A" + _whole()[0], b"C" + _whole()[1], b"A" + bytes(700), b"C" + bytes([2]) * 700]
TOKENS: list[bytes] = []


def one_input(data: bytes) -> None:
    side: Handshake = _answerer() if data[:1] == b"A" else _caller()
    side.take()
    kept = b""
    rest = data[1:]
    while rest:
        kept += rest[:300]
        rest = rest[300:]
        kept = kept[side.received(kept) :]
        side.take()
