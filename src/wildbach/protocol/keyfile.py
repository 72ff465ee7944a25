"""Keys as people keep them: a file sealed with a passphrase, and the words of a recovery key on paper.

The file is text: a line with the version, then base64 of how the passphrase was stretched (scrypt) and of the box
(ChaCha20-Poly1305), which is bound to both. Words are Crockford's base32, which has no letters that look like digits,
in groups of four with a checksum, so that what is copied by hand is right or refused. Files are hostile: nothing is
stretched further than the limits say.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol import bencode

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"What a key may be called."
_FIRST: Final = "wildbach-key 1"
_COST: Final = 1 << 16
"Of scrypt: 64 MiB and a fifth of a second for each guess."
_WORDS: Final = "wbr"
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LOOKS: Final = str.maketrans("oil", "011")
_VERSION: Final = 1
_GROUP: Final = 4
_DIGITS: Final = 56


@dataclass(frozen=True, slots=True)
class KeyCopy:
    """A key as it goes from one machine to another."""

    name: str
    secret: bytes
    "The seed, 32 bytes."
    recovery: bytes = b""
    "The public half of its recovery key, 32 bytes; empty for none. The secret half does not travel with the key."


def seal(copy: KeyCopy, passphrase: str, salt: bytes, nonce: bytes) -> str:
    """The text of the file. `salt` (16 bytes) and `nonce` (12) are random. Raises UsageError for an empty passphrase.
    """
    if not passphrase:
        raise UsageError("a passphrase is needed: who has the file would have the key")
    stretched = bencode.encode({b"n": _COST, b"salt": salt})
    plain = bencode.encode({b"key": copy.secret, b"name": copy.name.encode(), b"rk": copy.recovery})
    box = ChaCha20Poly1305(_stretch(passphrase, salt, _COST)).encrypt(nonce, plain, _bound(stretched))
    raw = bencode.encode({b"box": box, b"nonce": nonce, b"how": stretched})
    body = b64encode(raw).decode()
    return "\n".join([_FIRST, *(body[at : at + 76] for at in range(0, len(body), 76)), ""])


def unseal(text: str, passphrase: str) -> KeyCopy:
    """What was sealed. Raises FormatError for a text that is no such file, LimitError for one that asks for too much
    work, and UsageError, code `wrong_passphrase`, where the passphrase is another one or the file was changed.
    """
    if len(text) > limits.KEY_FILE_BYTES:
        raise LimitError(f"longer than KEY_FILE_BYTES = {limits.KEY_FILE_BYTES}", where="key file")
    first, _, body = text.strip().partition("\n")
    if first.strip() != _FIRST:
        raise FormatError("no key of this version: its first line is another", where="key file")
    try:
        raw = b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("is damaged", where="key file") from error
    outer = _table(raw, b"box", b"how", b"nonce")
    how = bencode.decode(outer[b"how"], depth=2, tokens=8)
    cost, salt = (how.get(b"n"), how.get(b"salt")) if isinstance(how, dict) else (None, None)
    if not isinstance(cost, int) or not isinstance(salt, bytes) or len(salt) != 16 or len(outer[b"nonce"]) != 12:
        raise FormatError("is damaged", where="key file")
    if not 2 <= cost <= limits.KEY_SCRYPT_COST or cost & (cost - 1):
        raise LimitError(f"more work than KEY_SCRYPT_COST = {limits.KEY_SCRYPT_COST}, or an odd amount",
                         where="key file")
    try:
        plain = ChaCha20Poly1305(_stretch(passphrase, salt, cost)).decrypt(
            outer[b"nonce"], outer[b"box"], _bound(outer[b"how"]))
    except InvalidTag as error:
        raise UsageError("the passphrase is another one, or the file was changed", code="wrong_passphrase") from error
    inner = _table(plain, b"key", b"name", b"rk")
    name = inner[b"name"].decode("ascii", "replace")
    if len(inner[b"key"]) != 32 or len(inner[b"rk"]) not in (0, 32) or not NAME.fullmatch(name):
        raise FormatError("holds no key", where="key file")
    return KeyCopy(name, inner[b"key"], inner[b"rk"])


def to_words(secret: bytes) -> str:
    """The 32 bytes of a recovery key for paper: 14 groups of four letters and digits."""
    if len(secret) != 32:
        raise UsageError("a recovery key has 32 bytes")
    body = bytes((_VERSION,)) + secret
    number = int.from_bytes(body + _checksum(body), "big")
    digits = "".join(_ALPHABET[number >> 5 * at & 31] for at in reversed(range(_DIGITS)))
    return "-".join([_WORDS, *(digits[at : at + _GROUP] for at in range(0, _DIGITS, _GROUP))])


def of_words(text: str) -> bytes:
    """What `to_words` wrote, however it was typed: upper case, blanks and line breaks, `o` for 0, `i` or `l` for 1.
    Raises UsageError, code `wrong_words`, where something is missing or mistyped.
    """
    if len(text) > limits.KEY_WORDS_CHARS:
        raise UsageError("this is too long for a recovery key", code="wrong_words")
    plain = "".join(re.split(r"[\s-]+", text.strip().lower())).removeprefix(_WORDS).translate(_LOOKS)
    if len(plain) != _DIGITS or any(digit not in _ALPHABET for digit in plain):
        raise UsageError(
            f"a recovery key is {_WORDS} and 14 groups of four letters and digits; this has {len(plain)} of "
            f"{_DIGITS}", code="wrong_words",
        )
    number = 0
    for digit in plain:
        number = number << 5 | _ALPHABET.index(digit)
    raw = number.to_bytes(35, "big")
    if raw[0] != _VERSION or raw[33:] != _checksum(raw[:33]):
        raise UsageError("a letter or digit of the recovery key is wrong", code="wrong_words")
    return raw[1:33]


def _checksum(raw: bytes) -> bytes:
    return hashlib.sha256(b"wildbach recovery" + raw).digest()[:2]


def _bound(how: bytes) -> bytes:
    """What the box is bound to."""
    return _FIRST.encode() + b"\n" + how


def _stretch(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode("utf-8", "surrogateescape"))


def _table(raw: bytes, *names: bytes) -> dict[bytes, bytes]:
    value = bencode.decode(raw, depth=2, tokens=16)
    if not isinstance(value, dict):
        raise FormatError("is damaged", where="key file")
    out = {name: each for name in names if isinstance(each := value.get(name), bytes)}
    if len(out) != len(names):
        raise FormatError("is damaged", where="key file")
    return out
