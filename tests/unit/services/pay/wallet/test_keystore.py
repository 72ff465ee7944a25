"""Keystores, beside eth-keyfile in both directions, and those of people who mean no good."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

import eth_keyfile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol.tron.keys import SecretKey
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.secret import Passphrase

KEY = SecretKey(bytes.fromhex("279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e"))
JUNK = Phrase.parse("test test test test test test test test test test test junk")
PASSPHRASE = Passphrase("correct horse ☃")
TEXT = "correct horse ☃"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


@pytest.fixture(scope="module")
def ours() -> bytes:
    return keystore.write(KEY, PASSPHRASE)


def test_ours_is_of_full_strength_and_opens_elsewhere(ours: bytes) -> None:
    document = json.loads(ours)
    assert document["crypto"]["kdfparams"] | {"salt": ""} == {"dklen": 32, "n": 262144, "r": 8, "p": 1, "salt": ""}
    assert document["address"] == "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1"
    assert eth_keyfile.decode_keyfile_json(document, TEXT.encode()) == KEY.secret


def test_ours_opens_here(ours: bytes) -> None:
    found = keystore.read(ours)
    assert found.address == KEY.address and not found.has_words
    assert found.open(PASSPHRASE).secret == KEY.secret
    with pytest.raises(keystore.WrongPassphrase):
        found.open(Passphrase("correct horse"))
    with pytest.raises(UsageError, match="not made of words"):
        found.open_words(PASSPHRASE)


@pytest.mark.parametrize(("kdf", "work"), [("scrypt", 1 << 10), ("pbkdf2", 1000)])
def test_theirs_opens_here(kdf: str, work: int) -> None:
    theirs = eth_keyfile.create_keyfile_json(KEY.secret, TEXT.encode(), kdf=kdf, iterations=work)
    found = keystore.read(json.dumps(theirs).encode())
    assert found.open(PASSPHRASE).secret == KEY.secret


@pytest.mark.parametrize("name", ["v3 scrypt", "v3 pbkdf2"])
def test_of_the_published_examples_one_opens_and_one_is_not_scrypt(name: str) -> None:
    # Web3 Secret Storage Definition, test vectors (Ethereum wiki): password "testpassword". With r = 1 RFC 7914 allows
    # n below 2^16 alone, and OpenSSL holds to it.
    common = {"cipher": "aes-128-ctr"}
    crypto: dict[str, Any] = {
        "v3 pbkdf2": common | {
            "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46", "kdf": "pbkdf2",
            "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
                          "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "v3 scrypt": common | {
            "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c", "kdf": "scrypt",
            "kdfparams": {"dklen": 32, "n": 262144, "p": 8, "r": 1,
                          "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
    }[name]
    data = json.dumps({"crypto": crypto, "version": 3, "id": "x"}).encode()
    if name == "v3 scrypt":
        with pytest.raises(keystore.BadKeystore, match="more than scrypt allows"):
            keystore.read(data)
        return
    found = keystore.read(data)
    key = found.open(Passphrase("testpassword"))
    assert key.secret.hex() == "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"


def test_words_travel_with_their_key(cheap: None) -> None:
    data = keystore.write(cold_key(JUNK.seed(), 3), PASSPHRASE, phrase=JUNK, device=3)
    found = keystore.read(data)
    assert found.device == 3 and found.has_words
    assert found.open_words(PASSPHRASE).entropy == JUNK.entropy
    assert eth_keyfile.decode_keyfile_json(json.loads(data), TEXT.encode()) == cold_key(JUNK.seed(), 3).secret
    document = json.loads(data)
    document["x-wildbach"]["device"] = 4
    with pytest.raises(FormatError, match="another address"):
        keystore.read(json.dumps(document).encode()).open_words(PASSPHRASE)


def test_secrets_are_not_in_the_file(cheap: None) -> None:
    data = keystore.write(cold_key(JUNK.seed()), PASSPHRASE, phrase=JUNK)
    assert cold_key(JUNK.seed()).secret.hex().encode() not in data and JUNK.entropy.hex().encode() not in data
    again = json.loads(keystore.write(cold_key(JUNK.seed()), PASSPHRASE, phrase=JUNK))
    for where in ("salt", "iv", "ciphertext", "mac"):
        assert (value := json.dumps(again["crypto"])).count(where) == 1 and value not in data.decode()


def test_a_key_of_another_address_is_not_taken(cheap: None) -> None:
    document = json.loads(keystore.write(KEY, PASSPHRASE))
    document["address"] = str(cold_key(JUNK.seed()).address)
    with pytest.raises(keystore.BadKeystore, match="another address"):
        keystore.read(json.dumps(document).encode()).open(PASSPHRASE)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, bytes([1]) * 16])
def test_what_is_no_key_is_not_taken_for_one(secret: bytes, cheap: None) -> None:
    document = json.loads(keystore.write(KEY, PASSPHRASE)) | {"crypto": keystore._closed(secret, PASSPHRASE)}
    with pytest.raises(keystore.BadKeystore, match="something else than a key"):
        keystore.read(json.dumps(document).encode()).open(PASSPHRASE)


@pytest.mark.parametrize("written", ["41{}", "{}", "0x{}"])
def test_addresses_are_read_as_others_write_them(written: str, cheap: None) -> None:
    document = json.loads(keystore.write(KEY, PASSPHRASE))
    document["address"] = written.format(KEY.address.raw.hex())
    assert keystore.read(json.dumps(document).encode()).address == KEY.address


@pytest.mark.parametrize("params", [
    {"n": 1 << 30}, {"n": 1 << 24}, {"r": 1 << 20}, {"p": 1 << 20}, {"n": 1 << 20, "r": 8}, {"p": 512}, {"n": 10**400},
    {"n": 1 << 15, "r": 1, "p": 1000}, {"dklen": 1 << 30},
])
def test_hostile_costs_are_refused_before_anything_is_stretched(params: dict[str, int], ours: bytes) -> None:
    document = json.loads(ours)
    document["crypto"]["kdfparams"] |= params
    tracemalloc.start()
    try:
        with pytest.raises(LimitError):
            keystore.read(json.dumps(document).encode())
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_rounds_of_pbkdf2_are_bounded_too() -> None:
    theirs = eth_keyfile.create_keyfile_json(KEY.secret, TEXT.encode(), kdf="pbkdf2", iterations=10)
    theirs["crypto"]["kdfparams"]["c"] = 1 << 40
    with pytest.raises(LimitError):
        keystore.read(json.dumps(theirs).encode())


WRONG: list[tuple[tuple[str, ...], object]] = [
    (("version",), 1), (("version",), "3"), (("version",), True), (("crypto",), None), (("crypto",), []),
    (("address",), 5), (("address",), "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w2"), (("address",), "x" * 1000),
    (("crypto", "cipher"), "aes-128-cbc"), (("crypto", "cipherparams", "iv"), "00"),
    (("crypto", "cipherparams", "iv"), "zz" * 16), (("crypto", "ciphertext"), ""), (("crypto", "ciphertext"), "0"),
    (("crypto", "ciphertext"), "00" * 31), (("crypto", "ciphertext"), "00" * 64), (("crypto", "kdf"), "argon2"),
    (("crypto", "kdfparams"), None), (("crypto", "kdfparams", "n"), 3), (("crypto", "kdfparams", "n"), 0),
    (("crypto", "kdfparams", "n"), -2), (("crypto", "kdfparams", "n"), 2.0), (("crypto", "kdfparams", "n"), True),
    (("crypto", "kdfparams", "r"), 0), (("crypto", "kdfparams", "p"), 0), (("crypto", "kdfparams", "dklen"), 16),
    (("crypto", "kdfparams", "salt"), ""), (("crypto", "kdfparams", "salt"), 5), (("crypto", "mac"), "00"),
    (("x-wildbach",), {}), (("x-wildbach",), {"version": 2}), (("x-wildbach",), {"version": 1, "device": -1}),
]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_what_is_wrong_is_refused(path: tuple[str, ...], value: object, ours: bytes) -> None:
    document = json.loads(ours)
    at = document
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    with pytest.raises(FormatError):
        keystore.read(json.dumps(document).encode())


def test_other_files_are_refused(ours: bytes) -> None:
    for data in (
        b"", b"[]", b"5", b"{", b"[" * 10_000, b'{"a":1,"a":2}', b"\xff", b"{" + b'"a":{' * 3000,
        ours + b" " * limits.WALLET_KEYSTORE_BYTES,
    ):
        with pytest.raises(FormatError):
            keystore.read(data)


def test_a_changed_text_does_not_open(cheap: None) -> None:
    document = json.loads(keystore.write(KEY, PASSPHRASE))
    for name in ("ciphertext", "mac"):
        changed = copy.deepcopy(document)
        value = changed["crypto"][name]
        changed["crypto"][name] = f"{int(value[0], 16) ^ 1:x}{value[1:]}"
        with pytest.raises(keystore.WrongPassphrase):
            keystore.read(json.dumps(changed).encode()).open(PASSPHRASE)


@given(st.binary(max_size=400) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["crypto", "version", "address", "kdf", "kdfparams", "n", "salt", "x-wildbach"]), inner,
        max_size=6), max_leaves=20).map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        found = keystore.read(data)
    except FormatError:
        return
    assert found.address is not None or not found.has_words


def test_a_passphrase_has_a_length_and_hides_itself() -> None:
    for wrong in ("", "x" * 2000):
        with pytest.raises(UsageError):
            Passphrase(wrong)
    with pytest.raises(UsageError, match="8 characters"):
        keystore.write(KEY, Passphrase("short"))
    assert "horse" not in f"{PASSPHRASE!r} {PASSPHRASE}"
