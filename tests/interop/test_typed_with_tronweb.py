"""Vouchers and accepts as tronweb hashes and signs them, as the vault does, and as we do."""

from __future__ import annotations

import random

import pytest
from tests import trontools
from tests.evms import Tvm
from tests.vaultbed import HOT, PAYER, VAULT, Bed

from wildbach.protocol.tron.abi import selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import MOST, Accept, Domain, Voucher
from wildbach.services.chain import vault

CHAINS = (0x2B6653DC, 0x94A9059E, 0xCD8690DC, 1, (1 << 32) - 1)


def numbers(rng: random.Random, most: int) -> int:
    return rng.choice([0, 1, most, rng.randrange(most)])


@pytest.mark.foreign("tronweb")
def test_digests_and_signatures_are_equal_in_contract_python_and_tronweb() -> None:
    rng = random.Random(5)
    cases: list[tuple[Domain, Voucher | Accept, SecretKey]] = []
    for chain in CHAINS:
        for _ in range(6):
            payer, payee = (Address(rng.randbytes(20)) for _ in range(2))
            key = rng.choice([HOT, PAYER])
            cases.append((
                Domain(chain, VAULT), Voucher(payer, payee, numbers(rng, (1 << 64) - 1), numbers(rng, MOST)), key))
            cases.append((Domain(chain, Address(rng.randbytes(20))), Accept(
                payer, payee, rng.randbytes(8), rng.randbytes(32), numbers(rng, (1 << 64) - 1)), key))
    theirs = trontools.ask("digests.mjs", "tronweb", [question(*case) for case in cases])
    assert len(theirs) == len(cases)
    beds = {chain: Bed(Tvm(chain), deposit=0) for chain in CHAINS}
    for (domain, structure, key), answer in zip(cases, theirs, strict=True):
        digest = structure.digest(domain)
        assert (answer["digest"], answer["separator"]) == ("0x" + digest.hex(), "0x" + domain.separator.hex())
        assert answer["signature"] == "0x" + key.sign(digest).hex()
        bed = beds[domain.chain_id]
        if isinstance(structure, Voucher):
            assert bed.ask(vault.digest(structure)) == digest
            assert bed.evm.call(VAULT, VAULT, selector("domainSeparator()")).output == domain.separator


def question(domain: Domain, structure: Voucher | Accept, key: SecretKey) -> dict[str, object]:
    names = {"payer": str(structure.payer), "payee": str(structure.payee)}
    if isinstance(structure, Voucher):
        message = {**names, "epoch": str(structure.epoch), "cumulative": str(structure.cumulative)}
    else:
        message = {
            **names, "offerId": "0x" + structure.offer_id.hex(), "infohash": "0x" + structure.infohash.hex(),
            "expiry": str(structure.expiry)}
    return {
        "kind": type(structure).__name__, "key": key.secret.hex(), "message": message,
        "domain": {
            "name": "WildbachVault", "version": "1", "chainId": domain.chain_id,
            "verifyingContract": str(domain.vault)},
    }
