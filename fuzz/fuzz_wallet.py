"""Keystores of strangers; words, keys and amounts as they are typed; calls of the vault, and the mirror of a wallet's
counters. Nothing is stretched: only the parsers are looked at.
"""

import json

from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.tron import amounts
from wildbach.protocol.tron.abi import encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.wallet import keystore, mirror, orders
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.wallet import parse_key

_PAYER = Address(bytes(range(20)))
_BOX = {
    "cipher": "aes-128-ctr", "cipherparams": {"iv": "00" * 16}, "ciphertext": "11" * 32, "kdf": "scrypt",
    "kdfparams": {"dklen": 32, "n": 1024, "r": 8, "p": 1, "salt": "22" * 32}, "mac": "33" * 32,
}
_ROUNDS = {"dklen": 32, "c": 1000, "prf": "hmac-sha256", "salt": "22"}


SEEDS: list[bytes] = [
    json.dumps({"version": 3, "address": str(_PAYER), "crypto": _BOX, "x-wildbach": {
        "version": 1, "device": 2, "words": _BOX}}).encode(),
    json.dumps({"version": 3, "crypto": _BOX | {"kdf": "pbkdf2", "kdfparams": _ROUNDS}}).encode(),
    b"test test test test test test test test test test test junk", b"abandon " * 11 + b"about", b"ab" * 32, b"1234.5",
    selector("reserve(address,uint128,uint64)") + encode(["address", "uint128", "uint64"], [_PAYER, 5, 6]),
    selector("claim(address)") + encode(["address"], [_PAYER]), mirror.written(mirror.Mirrored(1, 2, 3, 4), _PAYER),
]
TOKENS = [b'"n":', b'"kdfparams"', b'"crypto"', b"262144", b"0x", b"zoo", b"wbmirr01", b"9" * 30]


def one_input(data: bytes) -> None:
    accepted = 0
    for read in (_keystore, _words, _key, _call, _counters, _amount):
        try:
            read(data)
            accepted += 1
        except (FormatError, UsageError, UnicodeDecodeError):
            pass
    if not accepted:
        raise FormatError("nothing")


def _keystore(data: bytes) -> None:
    found = keystore.read(data)
    if found.has_words and found.address is None:
        raise AssertionError("words of nobody")


def _words(data: bytes) -> None:
    phrase = Phrase.parse(data.decode())
    if Phrase.parse(" ".join(phrase.words())).entropy != phrase.entropy:
        raise AssertionError("words do not come back")


def _key(data: bytes) -> None:
    if parse_key(data.decode()).secret.hex() not in data.decode().lower():
        raise AssertionError("another key")


def _amount(data: bytes) -> None:
    sun = amounts.parse(data.decode())
    if amounts.parse(amounts.exact(sun)) != sun:
        raise AssertionError("another amount")


def _call(data: bytes) -> None:
    order = orders.call(_PAYER, _PAYER, data)
    if order.hold < 0:
        raise AssertionError("a call gives back")


def _counters(data: bytes) -> None:
    found = mirror.read(data, _PAYER)
    if found is None:
        raise FormatError("nothing")
    if min(found.turn, found.total, found.day, found.nonce) < 0:
        raise AssertionError("below zero")
