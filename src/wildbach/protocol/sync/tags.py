"""What two who share a secret know each other by, and nobody else can link: tags of announces, tokens of relays.

A secret is 32 bytes: what a folder's members find each other by (`S_st` of an epoch), or the token of a link. What is
derived of it bears a label, and is another value for each purpose and each day.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wildbach.base.errors import UsageError
from wildbach.base.ids import DeviceId

DAY_SECONDS: Final = 86400
TAG_BYTES: Final = 20
"As long as an info hash, which it stands in the place of."
TOKEN_BYTES: Final = 32
_DAYS: Final = 1 << 40


def derive(secret: bytes, label: bytes, *parts: bytes, size: int = 32) -> bytes:
    """HKDF-SHA256 without a salt; the info is the label and the parts, each with its length before it."""
    if len(secret) != 32:
        raise UsageError("a secret has 32 bytes")
    info = b"".join(len(part).to_bytes(2, "big") + part for part in (label, *parts))
    return HKDF(algorithm=hashes.SHA256(), length=size, salt=None, info=info).derive(secret)


def day_of(wall: float) -> int:
    """The day since 1970 (UTC) of a time in seconds; whatever a wrong clock says is one."""
    return max(-_DAYS, min(_DAYS, int(wall // DAY_SECONDS)))


def days_around(wall: float) -> tuple[int, int, int]:
    """Today, yesterday and tomorrow: where records of devices are looked for whose clocks differ by up to a day."""
    today = day_of(wall)
    return today, today - 1, today + 1


def day_bytes(day: int) -> bytes:
    return day.to_bytes(8, "big", signed=True)


def tag_key(secret: bytes) -> bytes:
    """What tags are made with, for who makes many."""
    return derive(secret, b"hs")


def keyed_tag(key: bytes, over: bytes) -> bytes:
    """As `tag`, with what `tag_key` gave."""
    return hmac.new(key, over, sha256).digest()[:TAG_BYTES]


def tag(secret: bytes, over: bytes) -> bytes:
    """The 20 bytes that stand in the place of an info hash: only who has the secret can make them or know them.
    `over` is new each time: the cookie of an announce (BEP 14), the peer id of a handshake.
    """
    return keyed_tag(tag_key(secret), over)


def member_tokens(secret: bytes, one: DeviceId, other: DeviceId, wall: float) -> tuple[bytes, ...]:
    """What two devices of a folder show to a relay: one token for each of the three days."""
    low, high = sorted((one, other))
    return tuple(
        derive(secret, b"relay", low, high, day_bytes(day), size=TOKEN_BYTES) for day in days_around(wall))


def link_tokens(token: bytes, wall: float) -> tuple[bytes, ...]:
    """What who joins by a link and who gave it show to a relay."""
    return tuple(derive(token, b"relay link", day_bytes(day), size=TOKEN_BYTES) for day in days_around(wall))
