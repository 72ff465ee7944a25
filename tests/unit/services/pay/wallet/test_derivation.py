"""Keys that follow from words, beside the published vectors and tronpy."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tronpy.hdwallet import key_from_seed

from wildbach.base.errors import UsageError
from wildbach.services.pay.wallet.derivation import HARDENED, Node, cold_key
from wildbach.services.pay.wallet.phrase import Phrase

SEED = Phrase.parse("test test test test test test test test test test test junk").seed()
H = HARDENED


def test_the_words_that_everybody_tests_with_have_their_address() -> None:
    assert str(cold_key(SEED).address) == "TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6"


@pytest.mark.parametrize(("seed", "path", "key"), [
    # BIP-32, test vectors 1 to 4: the private key and chain code of the xprv.
    ("000102030405060708090a0b0c0d0e0f", (), "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"),
    ("000102030405060708090a0b0c0d0e0f", (H,), "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"),
    ("000102030405060708090a0b0c0d0e0f", (H, 1),
     "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"),
    ("000102030405060708090a0b0c0d0e0f", (H, 1, 2 | H, 2, 1_000_000_000),
     "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8"),
])
def test_the_vectors_of_the_standard(seed: str, path: tuple[int, ...], key: str) -> None:
    assert Node.root(bytes.fromhex(seed)).at(*path).key.secret.hex() == key


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=64, max_size=64), st.integers(0, H - 1))
def test_keys_are_as_tronpy_derives_them(seed: bytes, device: int) -> None:
    assert cold_key(seed, device).secret == key_from_seed(seed, f"m/44'/195'/{device}'/0/0")


def test_devices_share_no_address() -> None:
    assert len({cold_key(SEED, device).address for device in range(3)}) == 3


def test_what_is_no_index_is_refused() -> None:
    for wrong in (-1, H):
        with pytest.raises(UsageError):
            cold_key(SEED, wrong)
    with pytest.raises(ValueError, match="32 bits"):
        Node.root(SEED).child(1 << 32)


def test_a_node_does_not_print_its_secrets() -> None:
    node = Node.root(SEED)
    assert node.key.secret.hex() not in repr(node)
    with pytest.raises(TypeError):
        pickle.dumps(node)
