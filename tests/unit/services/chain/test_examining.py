"""What is found at a node, and what is remembered of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chainnode import MAKER, Chain, Clock, NodeServer, client, node, serving

from wildbach.base.errors import NetworkError
from wildbach.disk.shelf import Shelf
from wildbach.protocol.tron import abi
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import seeded
from wildbach.services.chain import vault
from wildbach.services.chain.examining import Examination, Finding, Grade, Memory, read_kept
from wildbach.services.chain.networks import CUSTOM, DEV, MAINNET, NILE, Network

VAULT = Address(b"\x33" * 20)
GOLDEN = Path(__file__).with_name("golden")


def good() -> Chain:
    chain = Chain(
        accounts={MAKER: 1}, contracts={VAULT: vault.committed().runtime},
        answers={vault.delay().data: abi.encode(["uint64"], [60])})
    chain.receipts[18] = [{"id": "ab" * 32, "blockNumber": 18, "log": [{"address": "11" * 20}]}]
    return chain


def examine(
    server: NodeServer, expected: Network | None = None, at: Address | None = None, *, clock: Clock | None = None,
) -> tuple[list[Finding], Examination]:
    async def main() -> tuple[list[Finding], Examination]:
        time = clock if clock is not None else Clock()
        async with serving(server) as http:
            examination = Examination(
                node(http, server, time), lambda network: client(http, server, network=network, vault=at, clock=time),
                expected, at, time, seeded(1))
            return [one async for one in examination.found()], examination
    return asyncio.run(main())


def faults(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.area, one.text) for one in found if one.grade is Grade.FAULT]


def test_a_good_node() -> None:
    server = NodeServer(good())
    found, examination = examine(server, DEV, VAULT)
    assert faults(found) == []
    assert [one.area for one in found] == [
        "chain", "blocks", "clock", "prices", "accounts", "transactions", "calls", "calls", "estimates", "vault"]
    assert {one.area for one in found if one.grade is Grade.NOTE} == {"estimates"}
    assert examination.network is DEV and examination.genesis == server.chain.blocks[0].id
    assert not any("broadcast" in path for path in server.paths())


def test_a_chain_of_its_own_is_called_that_where_nothing_is_expected() -> None:
    found, examination = examine(NodeServer(good()))
    assert "a chain of its own" in found[0].text and examination.network is CUSTOM


@pytest.mark.parametrize("expected", [NILE, MAINNET])
def test_a_node_of_another_network_is_asked_nothing_more(expected: Network) -> None:
    server = NodeServer(good())
    found, _ = examine(server, expected)
    assert len(found) == 1 and f"{expected.name} was expected" in faults(found)[0][1]
    assert server.paths() == ["/wallet/getblockbynum"]


def test_the_published_first_block_of_mainnet_is_recognised() -> None:
    genesis = json.loads((GOLDEN / "genesis-mainnet.json").read_text())["answer"]
    server = NodeServer(good(), says={"/wallet/getblockbynum": lambda _: genesis})
    found, examination = examine(server)
    assert (found[0].grade, examination.network) == (Grade.GOOD, MAINNET)
    assert "mainnet: chain 0x2b6653dc" in found[0].text
    # Its blocks are none of mainnet's.
    assert faults(found) == []
    clock = Clock()
    clock.now += 3600
    found, _ = examine(server, MAINNET, clock=clock)
    assert [area for area, _ in faults(found)] == ["clock"]


def test_lies_that_one_node_alone_gives_away() -> None:
    for path, lie, area in (
        ("/walletsolidity/getaccount", lambda document: {"address": document["address"], "balance": 5}, "accounts"),
        ("/walletsolidity/gettransactioninfobyid", lambda document: {"id": document["value"], "blockNumber": 1},
         "transactions"),
        ("/wallet/getchainparameters", lambda _: {"chainParameter": []}, "answers"),
        ("/walletsolidity/triggerconstantcontract", lambda _: {"result": {"code": "OTHER_ERROR"}}, "calls"),
        ("/walletsolidity/getblock", lambda _: {}, "blocks"),
        ("/wallet/getblockbynum", lambda _: b"<html>", "chain"),
    ):
        found, _ = examine(NodeServer(good(), says={path: lie}))
        assert [one for one, _ in faults(found)] == [area], path


def test_a_block_that_is_not_hashed_is_a_fault_on_a_known_network_alone() -> None:
    genesis = json.loads((GOLDEN / "genesis-mainnet.json").read_text())["answer"]
    server = NodeServer(good())
    changed = server.chain.blocks[-1].json
    changed["block_header"]["raw_data"]["timestamp"] += 1
    server.says["/wallet/getblock"] = lambda _: changed
    assert faults(examine(server)[0]) == []
    server.says["/wallet/getblockbynum"] = lambda _: genesis
    assert [area for area, _ in faults(examine(server)[0])] == ["blocks"]


def test_a_vault_that_is_none() -> None:
    server = NodeServer(good())
    server.chain.contracts[VAULT] = b"\0"
    found, _ = examine(server, DEV, VAULT)
    assert faults(found) == [
        ("answers", "the contract at the address of the vault is another one than is known here")]
    # On a chain of which nothing is known a delay of a minute is none.
    found, _ = examine(NodeServer(good()), None, VAULT)
    assert [area for area, _ in faults(found)] == ["answers"]


def test_a_node_that_does_not_answer_is_no_finding() -> None:
    with pytest.raises(NetworkError):
        examine(NodeServer(good(), status="404 Not Found"))


# -- remembering


def test_nothing_was_examined_until_somebody_did(tmp_path: Path) -> None:
    memory = Memory(Shelf(tmp_path / "chain"))
    assert memory.all() == () and memory.of(NILE) is None
    memory.note(NILE, NILE.genesis or b"", "https://nile.example", 1000.7, True)
    memory.note(NILE, NILE.genesis or b"", "https://other.example", 2000.0, False)
    found = Memory(Shelf(tmp_path / "chain")).of(NILE)
    assert found is not None
    assert (found.url, found.when, found.passed, found.last_passed) == ("https://other.example", 2000, False, 1000)
    assert memory.of(MAINNET) is None


def test_chains_of_ones_own_are_told_apart_and_old_ones_forgotten(tmp_path: Path) -> None:
    memory = Memory(Shelf(tmp_path))
    for number in range(60):
        memory.note(CUSTOM, number.to_bytes(32, "big"), "http://x", number, True)
    kept = memory.all()
    assert len(kept) == 50 and kept[-1].genesis == (59).to_bytes(32, "big").hex()


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.booleans(), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["examined", "network", "genesis", "url", "when", "passed"]), inner),
    max_leaves=10).map(lambda value: json.dumps(value).encode()))
def test_what_is_damaged_is_nothing(data: bytes) -> None:
    assert isinstance(read_kept(data), tuple)
