"""Keys of TRON, beside tronpy's."""

from __future__ import annotations

import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tronpy.keys import PrivateKey
from tronpy.keys import keccak256 as their_keccak

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import ORDER, BadKey, BadSignature, SecretKey, keccak, recover

KEY = SecretKey(bytes.fromhex("279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e"))
SECRETS = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
DIGESTS = st.binary(min_size=32, max_size=32)


def test_a_published_key_has_its_address() -> None:
    assert str(KEY.address) == "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1"


@given(SECRETS, DIGESTS)
def test_addresses_and_signatures_are_as_tronpys(secret: bytes, digest: bytes) -> None:
    ours, theirs = SecretKey(secret), PrivateKey(secret)
    assert str(ours.address) == theirs.public_key.to_base58check_address()
    signature = ours.sign(digest)
    made = bytes.fromhex(theirs.sign_msg_hash(digest).hex())
    assert signature[:64] + bytes([signature[64] - 27]) == made
    assert recover(digest, signature) == recover(digest, made, strict=False) == ours.address


@given(st.binary())
def test_hashes_are_as_tronpys(data: bytes) -> None:
    assert keccak(data) == their_keccak(data)


@given(DIGESTS)
def test_a_signature_has_one_form(digest: bytes) -> None:
    signature = KEY.sign(digest)
    high = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    other = signature[:32] + high + bytes([55 - signature[64]])
    assert recover(digest, other, strict=False) == KEY.address
    for odd in (other, signature[:64] + bytes([signature[64] - 27]), signature + b"\0", signature[:64]):
        with pytest.raises(BadSignature):
            recover(digest, odd)


@given(DIGESTS, st.binary(min_size=65, max_size=65))
def test_any_bytes_are_answered(digest: bytes, signature: bytes) -> None:
    with contextlib.suppress(BadSignature):
        assert isinstance(recover(digest, signature, strict=False), Address)


@pytest.mark.parametrize("secret", [b"", bytes(32), bytes(31), ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_what_is_no_key_is_refused(secret: bytes) -> None:
    with pytest.raises(BadKey):
        SecretKey(secret)


def test_a_secret_does_not_show() -> None:
    secret = KEY.secret.hex()
    assert secret not in repr(KEY) and secret not in str(KEY) and secret not in f"{KEY!r} {KEY}"
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_random_keys_differ() -> None:
    assert SecretKey.random().secret != SecretKey.random().secret
