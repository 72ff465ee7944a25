"""A password as it is kept: scrypt with its own salt and costs. Blocks for some tenths of a second."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from msgspec import Struct

_N, _R, _P = 1 << 15, 8, 3
"32 MiB of memory, three times over."


class Hashed(Struct, frozen=True):
    salt: bytes
    digest: bytes
    n: int
    r: int
    p: int


def hashed(password: str) -> Hashed:
    salt = secrets.token_bytes(16)
    return Hashed(salt, _scrypt(password, salt, _N, _R, _P), _N, _R, _P)


def matches(password: str, kept: Hashed) -> bool:
    """Takes as long for a wrong one as for the right one."""
    return hmac.compare_digest(_scrypt(password, kept.salt, kept.n, kept.r, kept.p), kept.digest)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    raw = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, maxmem=128 * n * r * 2 + (1 << 20), dklen=32)
