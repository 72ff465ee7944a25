"""Links to folders: what somebody is sent, or reads from a screen, to join.

A link is `wildbach-sync:` and base32, in either case: in upper case a QR code holds it in its mode for letters and
digits, which takes a sixth less than base64. It carries a token and no secret of the folder, so it is worth nothing
without the device that gave it. Four bytes at its end tell what was mistyped or cut off.
"""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import Endpoint, FolderId
from wildbach.protocol import compact
from wildbach.protocol.sync.devices import Device
from wildbach.protocol.sync.roster import HASH_BYTES, Role
from wildbach.protocol.sync.secrets import SECRET_BYTES, Token

SCHEME: Final = "wildbach-sync:"
_VERSION: Final = 1
_CHECK: Final = 4
_TIME: Final = 5
_FIXED: Final = 2 + FolderId.SIZE + HASH_BYTES + SECRET_BYTES + 64 + _TIME + 2
_LATEST: Final = (1 << 8 * _TIME) - 1


@dataclass(frozen=True, slots=True)
class SyncLink:
    """What a link says. Who has it can join as `role`, for as long as the device that gave it says so."""

    folder: FolderId
    roster: bytes
    "The hash of the newest roster when it was made: no chain without it is believed."
    role: Role
    "Never OWNER: a member is made one."
    token: Token
    inviter: Device
    endpoints: tuple[Endpoint, ...] = ()
    "Where the inviter was; at most SYNC_LINK_ENDPOINTS. Those of IPv4 come first."
    until: int = field(default=0)
    "When it ends by the inviter's clock, in seconds since 1970; 0 for never. To be shown, and never relied on."

    def text(self) -> str:
        """To be copied. Raises UsageError where it has too many endpoints, or one that is none, or makes owners."""
        check_role(self.role)
        if len(self.endpoints) > limits.SYNC_LINK_ENDPOINTS:
            raise UsageError(f"a link has at most {limits.SYNC_LINK_ENDPOINTS} endpoints")
        try:
            v4, v6 = compact.encode_all(self.endpoints)
        except (ValueError, OverflowError):
            raise UsageError("a link has addresses and ports, no names") from None
        body = b"".join((
            bytes((_VERSION, ord(self.role.value))), self.folder, self.roster, self.token.raw, self.inviter.pack(),
            min(max(self.until, 0), _LATEST).to_bytes(_TIME, "big"),
            bytes((len(v4) // compact.SIZE_V4,)), v4, bytes((len(v6) // compact.SIZE_V6,)), v6))
        return SCHEME + b32encode(body + _checksum(body)).decode().rstrip("=").lower()

    def qr(self) -> str:
        """The same for a QR code."""
        return self.text().upper()

    def __repr__(self) -> str:
        return f"SyncLink(to {self.folder.hex()[:16]}, {self.role.name})"

    @classmethod
    def parse(cls, text: str) -> SyncLink:
        """Of what was pasted, typed or scanned: in any case, with any space or line break in it. Raises UsageError,
        code `bad_link`, which says what is wrong and repeats nothing of the link.
        """
        if len(text) > limits.SYNC_LINK_CHARS:
            raise _bad("this is too long for a link")
        plain = "".join(text.split()).upper()
        if not plain.startswith(SCHEME.upper()):
            raise _bad(f"a link begins with {SCHEME}")
        coded = plain.removeprefix(SCHEME.upper())
        if not coded.isascii() or not coded.isalnum():
            raise _bad("a link has letters and digits alone")
        try:
            raw = b32decode(coded + "=" * (-len(coded) % 8))
        except (binascii.Error, ValueError):
            raise _bad("a letter or digit of the link is wrong, or some are missing") from None
        body, check = raw[:-_CHECK], raw[-_CHECK:]
        if check != _checksum(body):
            raise _bad("the link was changed or cut off: copy all of it again")
        if body[:1] != bytes((_VERSION,)):
            raise _bad("the link was made by a newer version")
        try:
            made = _read(body)
        except FormatError:
            raise _bad("the link says what no link says") from None
        if made.qr() != plain:
            raise _bad("the link is spelt in another way than the one there is")
        return made


def check_role(role: Role) -> None:
    """Whoever has a link would have the folder. Raises UsageError."""
    if role is Role.OWNER:
        raise UsageError("nobody becomes an owner by a link: make the device one after it joined", code="bad_role")


def _read(body: bytes) -> SyncLink:
    if len(body) < _FIXED:
        raise FormatError("too short")
    role = next((role for role in Role if ord(role.value) == body[1]), None)
    if role is None or role is Role.OWNER:
        raise FormatError("no role that a link gives")
    parts: list[bytes] = []
    at = 2
    for size in (FolderId.SIZE, HASH_BYTES, SECRET_BYTES, 64, _TIME):
        parts.append(body[at : at + size])
        at += size
    folder, roster, token, inviter, until = parts
    four = at + 1 + body[at] * compact.SIZE_V4
    if four >= len(body):
        raise FormatError("too short")
    six = four + 1 + body[four] * compact.SIZE_V6
    if six != len(body) or body[at] + body[four] > limits.SYNC_LINK_ENDPOINTS:
        raise FormatError("endpoints do not fit")
    endpoints = (*compact.decode_v4(body[at + 1 : four]), *compact.decode_v6(body[four + 1 :]))
    return SyncLink(
        FolderId(folder), roster, role, Token(token), Device.unpack(inviter), endpoints, int.from_bytes(until, "big"))


def _checksum(body: bytes) -> bytes:
    return sha256(b"wildbach sync link check 1\0" + body).digest()[:_CHECK]


def _bad(why: str) -> UsageError:
    return UsageError(why, code="bad_link")
