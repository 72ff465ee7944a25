"""The file of a cold key: keystore version 3 (scrypt, AES-128-CTR, a MAC by Keccak), which other wallets read too.

Beside what the format knows stands our own part, `x-wildbach`: which account of the words this device has, and the
words themselves under the same passphrase, for addresses that follow from them. Files of others are hostile: nothing is
stretched further than the limits say, and what is unknown is refused. Reading and writing takes half a second and
256 MiB for each secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from Crypto.Cipher import AES

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol.tron.address import Address, BadAddress
from wildbach.protocol.tron.keys import BadKey, SecretKey, keccak
from wildbach.services.pay.wallet.derivation import HARDENED, cold_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.secret import Passphrase

_OURS: Final = "x-wildbach"
_CIPHER: Final = "aes-128-ctr"
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
_N: Final = 1 << 18
_R: Final = 8
_P: Final = 1
_SECRET_BYTES: Final = (16, 20, 24, 28, 32)

_Object: TypeAlias = Mapping[str, object]


class BadKeystore(FormatError):
    """It is no keystore of version 3, or one that cannot be trusted."""

    code = "bad_keystore"


class WrongPassphrase(UsageError):
    """It is not the passphrase of this keystore, or the keystore was changed."""

    code = "wrong_passphrase"


@dataclass(frozen=True, slots=True)
class _Box:
    kdf: str
    "scrypt or pbkdf2."
    cost: tuple[int, ...]
    "n, r and p, or the number of rounds."
    salt: bytes
    nonce: bytes
    text: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Keystore:
    """A file as it was read: its secrets are closed still."""

    address: Address | None
    "As the file says, which older ones do not. `open` checks it."
    device: int
    "The account of the words that this key is of."
    _key: _Box
    _words: _Box | None

    @property
    def has_words(self) -> bool:
        """It was made of words, and they are in it."""
        return self._words is not None

    def open(self, passphrase: Passphrase) -> SecretKey:
        """Half a second. Raises WrongPassphrase, BadKeystore."""
        # No frame that raises has a secret in it that prints itself: programs write the values of frames down.
        key = _opened_key(self._key, passphrase)
        if key is None:
            raise WrongPassphrase("this is not the passphrase of the wallet")
        if isinstance(key, str):
            raise BadKeystore(key, where="crypto")
        if self.address is not None and key.address != self.address:
            raise BadKeystore("holds the key of another address than it says", where="address")
        return key

    def open_words(self, passphrase: Passphrase) -> Phrase:
        """Half a second. Raises WrongPassphrase, BadKeystore; UsageError where it was not made of words."""
        if self._words is None:
            raise UsageError(
                "this wallet was not made of words, so no other address follows from it", code="no_words")
        phrase = _opened_words(self._words, passphrase)
        if phrase is None:
            raise WrongPassphrase("this is not the passphrase of the wallet")
        if cold_key(phrase.seed(), self.device).address != self.address:
            raise BadKeystore("its words lead to another address", where=_OURS)
        return phrase


def write(key: SecretKey, passphrase: Passphrase, *, phrase: Phrase | None = None, device: int = 0) -> bytes:
    """A new file. Raises UsageError for a passphrase that is too short. Half a second for each secret."""
    passphrase.check_strength()
    document: dict[str, object] = {
        "version": 3, "id": str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), "address": str(key.address),
        "crypto": _closed(key.secret, passphrase),
    }
    if phrase is not None:
        document[_OURS] = {"version": 1, "device": device, "words": _closed(phrase.entropy, passphrase)}
    return json.dumps(document, indent=1).encode() + b"\n"


def read(data: bytes) -> Keystore:
    """Raises BadKeystore; LimitError where opening it would take more than a keystore may."""
    if len(data) > limits.WALLET_KEYSTORE_BYTES:
        raise LimitError("a keystore is longer than limits.WALLET_KEYSTORE_BYTES")
    try:
        document = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        # The text of such an error has a part of the file in it.
        raise BadKeystore("this is not JSON, or says something twice") from None
    whole = _object(document, "keystore")
    if _number(whole, "version", 3, 3) != 3:
        raise BadKeystore("is not 3", where="version")
    ours = whole.get(_OURS)
    device, words = 0, None
    if ours is not None:
        part = _object(ours, _OURS)
        _number(part, "version", 1, 1)
        device = _number(part, "device", 0, HARDENED - 1)
        words = _box(_object(part.get("words"), f"{_OURS}.words"))
    box = _box(_object(whole.get("crypto", whole.get("Crypto")), "crypto"))
    address = _address(whole.get("address"))
    if words is not None and address is None:
        raise BadKeystore("is missing", where="address")
    return Keystore(address, device, box, words)


# -- closing and opening


def _closed(secret: bytes, passphrase: Passphrase) -> dict[str, object]:
    salt, nonce = secrets.token_bytes(32), secrets.token_bytes(16)
    stretched = _stretch("scrypt", (_N, _R, _P), salt, passphrase)
    text = _crypt(stretched, nonce, secret)
    return {
        "cipher": _CIPHER, "cipherparams": {"iv": nonce.hex()}, "ciphertext": text.hex(), "kdf": "scrypt",
        "kdfparams": {"dklen": 32, "n": _N, "r": _R, "p": _P, "salt": salt.hex()},
        "mac": keccak(stretched[16:] + text).hex(),
    }


def _opened_key(box: _Box, passphrase: Passphrase) -> SecretKey | str | None:
    """None for a wrong passphrase; what is wrong with a key that is none."""
    secret = _opened(box, passphrase)
    if secret is None:
        return None
    try:
        return SecretKey(secret)
    except BadKey:
        return "holds something else than a key"


def _opened_words(box: _Box, passphrase: Passphrase) -> Phrase | None:
    entropy = _opened(box, passphrase)
    return None if entropy is None else Phrase(entropy)


def _opened(box: _Box, passphrase: Passphrase) -> bytes | None:
    stretched = _stretch(box.kdf, box.cost, box.salt, passphrase)
    if not hmac.compare_digest(keccak(stretched[16:] + box.text), box.mac):
        return None
    return _crypt(stretched, box.nonce, box.text)


def _stretch(kdf: str, cost: tuple[int, ...], salt: bytes, passphrase: Passphrase) -> bytes:
    if kdf == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha256", passphrase.encoded(), salt, cost[0], 32)
    n, r, p = cost
    return hashlib.scrypt(
        passphrase.encoded(), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=128 * r * (n + p + 2) + (1 << 20))


def _crypt(stretched: bytes, nonce: bytes, data: bytes) -> bytes:
    return AES.new(stretched[:16], AES.MODE_CTR, nonce=b"", initial_value=nonce).encrypt(data)


# -- reading


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("twice")
    return found


def _box(crypto: _Object) -> _Box:
    if crypto.get("cipher") != _CIPHER:
        raise BadKeystore(f"is not {_CIPHER}", where="cipher")
    nonce = _hex(_object(crypto.get("cipherparams"), "cipherparams"), "iv", 16, 16)
    text = _hex(crypto, "ciphertext", 16, 32)
    if len(text) not in _SECRET_BYTES:
        raise BadKeystore("is of no length that a key or words have", where="ciphertext")
    kdf = crypto.get("kdf")
    params = _object(crypto.get("kdfparams"), "kdfparams")
    salt = _hex(params, "salt", 1, 1024)
    _number(params, "dklen", 32, 32)
    if kdf == "scrypt":
        cost = _scrypt_cost(params)
    elif kdf == "pbkdf2":
        if params.get("prf") != "hmac-sha256":
            raise BadKeystore("is not hmac-sha256", where="prf")
        cost = (_number(params, "c", 1, limits.WALLET_KDF_ROUNDS),)
    else:
        raise BadKeystore("is neither scrypt nor pbkdf2", where="kdf")
    return _Box(str(kdf), cost, salt, nonce, text, _hex(crypto, "mac", 32, 32))


def _scrypt_cost(params: _Object) -> tuple[int, ...]:
    n = _number(params, "n", 2, 1 << 30)
    r = _number(params, "r", 1, 1 << 10)
    p = _number(params, "p", 1, 1 << 10)
    if n & n - 1:
        raise BadKeystore("is no power of two", where="n")
    if r < 8 and n >= 1 << 16 * r:
        raise BadKeystore("is more than scrypt allows for this r", where="n")
    if 128 * n * r > limits.WALLET_KDF_MEMORY or n * r * p > limits.WALLET_KDF_WORK:
        raise LimitError(
            "opening this keystore would take more memory or time than limits.WALLET_KDF_MEMORY and _WORK allow",
            where="kdfparams")
    return n, r, p


def _address(value: object) -> Address | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 42:
        raise BadKeystore("is no address", where="address")
    text = value.removeprefix("0x")
    try:
        if len(text) == 40 and _HEX.fullmatch(text):
            return Address(bytes.fromhex(text))
        return Address.parse(text)
    except BadAddress:
        raise BadKeystore("is no address", where="address") from None


def _object(value: object, where: str) -> _Object:
    if not isinstance(value, dict):
        raise BadKeystore("is missing, or no object", where=where)
    return value


def _number(values: _Object, name: str, least: int, most: int) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadKeystore("is missing, or no number", where=name)
    if value > most:
        raise LimitError(f"is {min(value, 1 << 64)}, and {most} is the most", where=name)
    if value < least:
        raise BadKeystore(f"is below {least}", where=name)
    return value


def _hex(values: _Object, name: str, least: int, most: int) -> bytes:
    value = values.get(name)
    if not isinstance(value, str) or not 2 * least <= len(value) <= 2 * most or not _HEX.fullmatch(value):
        raise BadKeystore(f"is missing, or not {least} to {most} bytes in hex", where=name)
    return bytes.fromhex(value)
