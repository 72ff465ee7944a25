"""Boxes that are sealed to one device, and secrets that are sealed under a newer one."""

from __future__ import annotations

from random import Random

from tests.rosterbed import keys_of

from wildbach.base.errors import FormatError
from wildbach.protocol.sync.sealing import seal, unseal
from wildbach.protocol.sync.secrets import ReadSecret

_KEYS = keys_of("a")
_OLD, _NEW = ReadSecret(b"o" * 32), ReadSecret(b"n" * 32)
_BOX = seal(_KEYS.public, _OLD.raw, b"here", Random(1).randbytes)
_OLDER = _NEW.seal_older(_OLD)
SEEDS = [_BOX, _OLDER, bytes(32) + _BOX[32:], b""]
TOKENS = [bytes(32), _BOX[:32], _BOX[32:]]


def one_input(data: bytes) -> None:
    try:
        assert _NEW.open_older(_OLD.commit, data) == _OLD
        assert data == _OLDER
    except FormatError:
        assert unseal(_KEYS, data, b"here") == _OLD.raw
        # The top bit of an X25519 key is not looked at, but all of it is bound to the box.
        assert data == _BOX
