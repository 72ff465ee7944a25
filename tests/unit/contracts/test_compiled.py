"""What the package carries of the vault is what the compiler makes of its source, and what its hashes say."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests import encounters, trontools
from tests.evms import CHAIN, PyEvm
from tests.vaultbed import DELAY, Bed, N
from tronpy.keys import keccak256

from wildbach.protocol.tron.abi import selector, topic
from wildbach.services.chain import vault

ROOT = Path(__file__).parents[3]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_vault", ROOT / "tools" / "build_vault.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build_vault = tool()
MADE: dict[str, Any] = json.loads(build_vault.ARTEFACT.read_text())


@pytest.mark.foreign("solc")
def test_the_compiler_makes_the_same_of_the_source() -> None:
    trontools.need("solc")
    text = build_vault.compiled()
    encounters.note("solc")
    assert text == build_vault.ARTEFACT.read_text(), "the source has changed: python tools/build_vault.py"


def test_the_compiler_is_pinned() -> None:
    pinned = json.loads((trontools.FOLDER / "package.json").read_text())["devDependencies"]["solc"]
    assert MADE["compiler"].startswith(f"{pinned}+")
    assert f"pragma solidity {pinned};" in (ROOT / "contracts" / "PayVault.sol").read_text()


def test_hashes_are_those_of_the_code() -> None:
    for part in ("bytecode", "runtime"):
        code = bytes.fromhex(MADE[part])
        assert MADE[f"{part}_sha256"] == hashlib.sha256(code).hexdigest()
        assert MADE[f"{part}_keccak"] == keccak256(code).hex()
    assert MADE["source_sha256"] == hashlib.sha256((ROOT / "contracts" / "PayVault.sol").read_bytes()).hexdigest()


def test_the_code_has_neither_metadata_nor_what_differs_from_network_to_network() -> None:
    code = vault.committed()
    assert code.creation.endswith(code.runtime)
    for delay in (1, DELAY):
        assert Bed(PyEvm(CHAIN + delay), deposit=0, delay=delay).evm.code(Bed().domain.vault) == code.runtime
    for marker in (b"ipfs", b"bzzr", b"solc"):
        assert marker not in code.creation


def test_the_code_has_no_instruction_that_tron_has_not() -> None:
    """Of those after Paris, and those that mean another thing there."""
    strange = {
        0x44: "DIFFICULTY", 0x45: "GASLIMIT", 0x3A: "GASPRICE", 0x48: "BASEFEE", 0x5F: "PUSH0", 0x5E: "MCOPY",
        0xF0: "CREATE", 0xF5: "CREATE2", 0xFF: "SELFDESTRUCT", 0xF4: "DELEGATECALL", 0xF2: "CALLCODE",
        **dict.fromkeys(range(0xD0, 0xD5), "of TRC-10"),
    }
    runtime, at = vault.committed().runtime, 0
    met = set()
    while at < len(runtime):
        met.add(runtime[at])
        at += runtime[at] - 0x5E if 0x60 <= runtime[at] <= 0x7F else 1
    assert not met & set(strange), [strange[one] for one in sorted(met & set(strange))]


def test_the_interface_is_the_one_that_is_documented() -> None:
    def signature(entry: dict[str, Any]) -> str:
        def of(one: dict[str, Any]) -> str:
            inner = f"({','.join(map(of, one.get('components', [])))})" if one["type"].startswith("tuple") else ""
            return str(one["type"]).replace("tuple", inner)

        return f"{entry['name']}({','.join(map(of, entry['inputs']))})"

    named = {kind: {signature(one) for one in MADE["abi"] if one["type"] == kind} for kind in ("function", "event")}
    assert named["function"] == {
        "deposit()", "addSigner(address)", "removeSigner(address)", "reserve(address,uint128,uint64)",
        "release(address)", "waive(address)", "requestWithdraw(uint128)", "withdraw()",
        "redeem(address,address,uint64,uint256,bytes)", "redeemMany((address,address,uint64,uint256,bytes)[])",
        "claim(address)", "payers(address)", "signers(address,address)", "signerList(address,uint256)",
        "reservations(address,address)", "paid(bytes32)", "credit(address)", "delay()",
        "digest(address,address,uint64,uint256)", "domainSeparator()", "laneId(address,address,uint64)",
    }
    # The dispatcher knows no others: each selector stands in the code.
    for one in named["function"]:
        assert b"\x63" + selector(one).lstrip(b"\0") in vault.committed().runtime or selector(one)[:1] == b"\0"
    for one in named["event"]:
        assert topic(one) in vault.committed().runtime
    assert [one["name"] for one in MADE["abi"] if one.get("stateMutability") == "payable"] == ["deposit"]
    assert vault.deployment(N, DELAY).abi == vault.committed().entries
