"""What payers sign, beside what the vault and tronweb make of the same values (digests typed from their runs)."""

from __future__ import annotations

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st
from tronpy.keys import keccak256

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey, recover
from wildbach.protocol.tron.typed import MOST, Accept, Domain, Voucher

PAYER = Address.parse("TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1")
VAULT = Address.parse("TFVfhkyJAULWQbHMgVfgbkmgeGBkHo5zru")
DOMAIN = Domain(0x94A9059E, VAULT)
KEY = SecretKey(bytes.fromhex("279ff36d9bf9f305af3280034bb4187c6dd299bac6b26a3c20b999c7c0d50e6e"))
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)


def test_a_voucher_is_signed_as_tronweb_signs_it() -> None:
    digest = Voucher(PAYER, VAULT, 0, 123456).digest(DOMAIN)
    assert digest.hex() == "3684deb64b237ffd829d094a3eb8afc340046b44cb4e2f864a27c4b7de966b96"
    signature = KEY.sign(digest)
    assert signature.hex() == (
        "6904ed46df92bcd13f33ea7c97f50e9dd513276fca3ddae310086e0e884877a878967375b6b61623561a07401eab6a5ba48fad1446adf25e"
        "290b39a68ae56e0f1b")
    assert recover(digest, signature) == PAYER


@given(
    st.integers(1, (1 << 32) - 1), ADDRESSES, ADDRESSES, ADDRESSES, st.integers(0, (1 << 64) - 1), st.integers(0, MOST))
def test_digests_are_those_of_the_standard(
    chain: int, vault: Address, payer: Address, payee: Address, epoch: int, total: int,
) -> None:
    domain = keccak256(encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [
            keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak256(b"WildbachVault"), keccak256(b"1"), chain, vault.raw,
        ],
    ))
    voucher = keccak256(encode(
        ["bytes32", "address", "address", "uint64", "uint256"],
        [
            keccak256(b"Voucher(address payer,address payee,uint64 epoch,uint256 cumulative)"), payer.raw, payee.raw,
            epoch, total,
        ],
    ))
    ours = Domain(chain, vault)
    assert Voucher(payer, payee, epoch, total).digest(ours) == keccak256(b"\x19\x01" + domain + voucher)
    accept = keccak256(encode(
        ["bytes32", "address", "address", "bytes8", "bytes32", "uint64"],
        [
            keccak256(b"Accept(address payer,address payee,bytes8 offerId,bytes32 infohash,uint64 expiry)"), payer.raw,
            payee.raw, b"offer-id", vault.raw.ljust(32, b"\0"), epoch,
        ],
    ))
    made = Accept(payer, payee, b"offer-id", vault.raw.ljust(32, b"\0"), epoch)
    assert made.digest(ours) == keccak256(b"\x19\x01" + domain + accept)


@pytest.mark.parametrize(("epoch", "total"), [(-1, 0), (1 << 64, 0), (0, -1), (0, MOST + 1)])
def test_a_voucher_that_no_vault_can_hold_is_not_made(epoch: int, total: int) -> None:
    with pytest.raises(ValueError, match="128"):
        Voucher(PAYER, VAULT, epoch, total)


def test_a_chain_has_an_id() -> None:
    for chain in (0, -1, 1 << 32):
        with pytest.raises(ValueError, match="32 bits"):
            Domain(chain, VAULT)
