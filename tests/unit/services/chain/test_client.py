"""The client among nodes that are honest, slow, broken, of another chain, or lie."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.chainnode import START, Chain, Clock, NodeServer, blocks, client, like, reverted, serving, simulated

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError, UsageError
from wildbach.protocol.tron import abi, transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.services.chain import vault
from wildbach.services.chain.answers import Code
from wildbach.services.chain.client import (
    ChainClient,
    ContractRefuses,
    NodeBehind,
    NodesDisagree,
    SolidRewritten,
    WrongChain,
)
from wildbach.services.chain.networks import CUSTOM, DEV, MAINNET, NILE, Network
from wildbach.services.chain.vault import NotTheVault

KEY = SecretKey(b"\5" * 32)
WHO = KEY.address
VAULT = Address(b"\x33" * 20)
DAY = 86_400


def run(
    work: Callable[[ChainClient, Clock], Awaitable[None]], *servers: NodeServer, network: Network = DEV,
    at: Address | None = VAULT, seconds: float = 10.0,
) -> None:
    async def main() -> None:
        clock = Clock()
        async with serving(*servers) as http:
            await work(client(http, *servers, network=network, vault=at, clock=clock, seconds=seconds), clock)
    asyncio.run(main())


def with_vault(delay: int = 7 * DAY) -> Chain:
    return Chain(
        accounts={WHO: 5_000_000}, contracts={VAULT: vault.committed().runtime},
        answers={
            vault.delay().data: abi.encode(["uint64"], [delay]),
            vault.payer(WHO).data: abi.encode(["uint128", "uint128", "uint128", "uint64", "uint64"], [9, 4, 0, 0, 0]),
        })


def two(chain: Chain | None = None) -> tuple[NodeServer, NodeServer]:
    same = chain if chain is not None else with_vault()
    return NodeServer(same), NodeServer(same)


def signed() -> tuple[bytes, bytes]:
    raw = RawTransaction(b"\0\1", b"\2" * 8, 1_800_000_060_000, Transfer(WHO, VAULT, 5))
    return transaction.signed(raw.encode(), KEY.sign(raw.txid)), raw.txid


# -- which chain


def test_the_first_block_is_pinned_where_none_is_known() -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(UsageError):
            _ = chain.chain_id
        assert await chain.start() == chain.chain_id == int.from_bytes(server.chain.blocks[0].id[-4:], "big")
        assert server.paths() == ["/wallet/getblockbynum"] and chain.witnesses == 1

    run(work, server)


@pytest.mark.parametrize("network", [NILE, MAINNET, replace(CUSTOM, chain_id=5), replace(DEV, chain_id=5)])
def test_a_node_of_another_chain_is_refused_and_asked_nothing_more(network: Network) -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, _: Clock) -> None:
        for call in (chain.start(), chain.account(WHO), chain.broadcast(signed()[0])):
            with pytest.raises(WrongChain):
                await call
        assert set(server.paths()) == {"/wallet/getblockbynum"}

    run(work, server, network=network)


@pytest.mark.parametrize("network", [DEV, CUSTOM])
def test_mainnet_behind_another_name_is_refused(network: Network) -> None:
    server = NodeServer(Chain())
    assert MAINNET.genesis is not None
    mainnet = MAINNET.genesis.hex()
    server.says["/wallet/getblockbynum"] = lambda _: server.chain.blocks[0].json | {"blockID": mainnet}

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(WrongChain, match="money is real"):
            await chain.start()

    run(work, server, network=network)


def test_two_nodes_of_two_chains_are_refused() -> None:
    first, second = NodeServer(Chain()), NodeServer(Chain(blocks(40, b"another chain")))

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(WrongChain):
            await chain.start()

    run(work, first, second)


def test_an_address_that_leads_to_another_chain_later_is_noticed() -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, clock: Clock) -> None:
        assert (await chain.account(WHO)).balance == 5_000_000
        server.chain = Chain(blocks(40, b"another chain"), accounts={WHO: 1 << 40})
        clock.now += 601
        with pytest.raises(WrongChain):
            await chain.account(WHO)

    run(work, server)


# -- blocks and time


def test_blocks_and_the_clock() -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, clock: Clock) -> None:
        clock.now = START + 3 * 39 + 2.5
        assert (await chain.head()).number == 39
        assert chain.skew == -2.5
        solid = await chain.solid()
        assert solid.number == 20 and solid.time == (START + 60) * 1000
        assert await chain.settled_time() == solid.time
        assert await chain.reference() == solid

    run(work, server)


def test_of_two_nodes_the_older_solid_block_counts() -> None:
    chain_of_first = Chain()
    chain_of_second = replace(chain_of_first, lag=25)
    first, second = NodeServer(chain_of_first), NodeServer(chain_of_second)

    async def work(chain: ChainClient, _: Clock) -> None:
        assert (await chain.solid()).number == 14
        assert (await chain.reference()).number == 14

    run(work, first, second)


def test_on_a_public_network_time_is_settled_a_minute_later() -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, _: Clock) -> None:
        assert await chain.settled_time() == (await chain.solid()).time - 60_000

    run(work, server, network=like(NILE, server.chain))


@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_a_clock_that_is_far_off_stops_everything_on_a_public_network(off: float) -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, clock: Clock) -> None:
        clock.now += off
        with pytest.raises(NodeBehind, match="clock"):
            await chain.reference()

    run(work, server, network=like(NILE, server.chain))


def test_the_clock_of_a_development_chain_may_be_anywhere() -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, clock: Clock) -> None:
        clock.now += 90 * DAY
        assert (await chain.solid()).number == 20

    run(work, server)


def test_a_reorganisation_below_the_solid_block_is_noticed() -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, _: Clock) -> None:
        await chain.solid()
        before = server.chain.blocks
        server.chain.blocks = blocks(60, b"rewritten", after=before[:15])
        assert server.chain.blocks[0] == before[0]
        server.chain.lag = 39
        with pytest.raises(SolidRewritten, match="block 20"):
            await chain.solid()

    run(work, server)


def test_a_reorganisation_above_the_solid_block_is_nothing() -> None:
    server = NodeServer(Chain())

    async def work(chain: ChainClient, _: Clock) -> None:
        await chain.solid()
        server.chain.blocks = blocks(45, b"another end", after=server.chain.blocks[:25])
        assert (await chain.head()).number == 44
        assert (await chain.solid()).number == 25

    run(work, server)


def test_a_node_that_goes_far_back_is_noticed() -> None:
    server = NodeServer(Chain(blocks(400), lag=0))

    async def work(chain: ChainClient, _: Clock) -> None:
        assert (await chain.solid()).number == 399
        server.chain.lag = 100
        assert (await chain.solid()).number == 299
        server.chain.lag = limits.CHAIN_LAG_BLOCKS + 1
        with pytest.raises(NodeBehind, match="was at 399"):
            await chain.solid()

    run(work, server)


def test_a_second_node_that_does_not_keep_up_is_noticed() -> None:
    made = blocks(400)
    first, second = NodeServer(Chain(made, lag=0)), NodeServer(Chain(made, lag=limits.CHAIN_LAG_BLOCKS + 1))

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(NodeBehind, match="far behind"):
            await chain.solid()

    run(work, first, second)


def test_two_nodes_with_two_solid_blocks_of_one_number() -> None:
    made = blocks(40)
    first, second = NodeServer(Chain(made)), NodeServer(Chain(blocks(40, b"fork", after=made[:10])))

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(NodesDisagree, match="two different blocks 20"):
            await chain.reference()

    run(work, first, second)


# -- money


def test_what_two_nodes_agree_on() -> None:
    first, second = two()

    async def work(chain: ChainClient, clock: Clock) -> None:
        assert chain.witnesses == 2
        assert (await chain.account(WHO)).balance == 5_000_000
        assert not (await chain.account(VAULT)).exists
        assert await chain.ask(vault.payer(WHO)) == vault.Payer(9, 4, 0, 0, 0)
        assert await chain.check_vault() == 7 * DAY
        assert clock.paused == []

    run(work, first, second, network=like(NILE, first.chain))
    for server in (first, second):
        assert {"/walletsolidity/getaccount", "/wallet/getcontractinfo"} <= set(server.paths())


@pytest.mark.parametrize("liar", [0, 1])
def test_a_lie_about_a_balance_is_found_by_the_other_node(liar: int) -> None:
    servers = two()
    servers[liar].says["/walletsolidity/getaccount"] = lambda document: {
        "address": document["address"], "balance": 77_000_000}

    async def work(chain: ChainClient, clock: Clock) -> None:
        with pytest.raises(NodesDisagree, match="do not agree on the balance"):
            await chain.account(WHO)
        assert clock.paused == [1.5] * (limits.CHAIN_AGREE_TRIES - 1)

    run(work, *servers)


def test_a_lie_about_what_the_vault_says_is_found() -> None:
    first, second = two()
    first.says["/walletsolidity/triggerconstantcontract"] = lambda _: simulated(
        abi.encode(["uint128", "uint128", "uint128", "uint64", "uint64"], [10**12, 0, 0, 0, 0]))

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(NodesDisagree, match="what the vault says"):
            await chain.ask(vault.payer(WHO))

    run(work, first, second)


def test_a_lie_about_the_code_is_found() -> None:
    first, second = two()
    first.says["/wallet/getcontractinfo"] = lambda document: {
        "smart_contract": {"contract_address": document["value"]}, "runtimecode": "00"}

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(NodesDisagree, match="the code of the contract"):
            await chain.check_vault()

    run(work, first, second)


def test_a_lie_about_a_transaction_is_found() -> None:
    first, second = two()
    raw, txid = signed()
    first.chain.receipts[3] = [{"id": txid.hex(), "blockNumber": 3}]
    first.says["/walletsolidity/gettransactioninfobyid"] = lambda _: {}

    async def work(chain: ChainClient, _: Clock) -> None:
        assert raw
        with pytest.raises(NodesDisagree, match="the transaction"):
            await chain.receipt(txid)

    run(work, first, second)


def test_a_node_that_is_a_block_behind_is_waited_for() -> None:
    chain_of_first = Chain(accounts={WHO: 10})
    first, second = NodeServer(chain_of_first), NodeServer(Chain(chain_of_first.blocks, lag=20, accounts={WHO: 4}))

    async def work(chain: ChainClient, clock: Clock) -> None:
        def catch_up() -> None:
            second.chain.lag, second.chain.accounts = 19, {WHO: 10}

        clock.each = catch_up
        assert (await chain.account(WHO)).balance == 10
        assert clock.paused == [1.5]

    run(work, first, second)


def test_energy_and_words_of_two_nodes_may_differ() -> None:
    first, second = two()
    output = first.chain.answers[vault.delay().data]
    second.says["/walletsolidity/triggerconstantcontract"] = lambda _: simulated(output, energy=9_999)

    async def work(chain: ChainClient, _: Clock) -> None:
        assert await chain.ask(vault.delay()) == 7 * DAY

    run(work, first, second)


def test_without_the_second_node_nothing_is_said_of_money() -> None:
    first, second = two()
    second.status = "503 Service Unavailable"

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(NetworkError, match="503"):
            await chain.account(WHO)

    run(work, first, second)


def test_a_huge_answer_of_the_second_node_is_an_error_and_no_agreement() -> None:
    first, second = two()
    second.says["/walletsolidity/getaccount"] = lambda _: b" " * (limits.CHAIN_ANSWER_BYTES + 1)

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(LimitError):
            await chain.account(WHO)

    run(work, first, second)


# -- the vault


def test_what_is_no_vault() -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, _: Clock) -> None:
        server.chain.contracts[VAULT] = vault.committed().runtime[:-1] + b"\0"
        with pytest.raises(NotTheVault, match="another one"):
            await chain.check_vault()
        server.chain.contracts.clear()
        with pytest.raises(NotTheVault, match="no contract"):
            await chain.check_vault()
        with pytest.raises(NotTheVault, match="nothing answers"):
            await chain.ask(vault.delay())

    run(work, server)


def test_a_vault_with_too_short_a_delay_for_its_network() -> None:
    server = NodeServer(with_vault(delay=60))

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(NotTheVault, match="60 seconds"):
            await chain.check_vault()

    run(work, server, network=like(NILE, server.chain))

    async def at_home(chain: ChainClient, _: Clock) -> None:
        assert await chain.check_vault() == 60

    run(at_home, server)


def test_without_a_vault_none_is_asked() -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, _: Clock) -> None:
        for call in (chain.check_vault(), chain.ask(vault.delay())):
            with pytest.raises(UsageError) as caught:
                await call
            assert caught.value.code == "no_vault"
        assert await chain.check_vault(VAULT) == 7 * DAY

    run(work, server, at=None)


def test_a_vault_that_refuses_a_question() -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(ContractRefuses, match="unknown"):
            await chain.ask(vault.signer_at(WHO, 0))

    run(work, server)


def test_an_answer_of_another_length_is_refused() -> None:
    server = NodeServer(with_vault())
    server.chain.answers[vault.delay().data] = b"\1"

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(FormatError):
            await chain.ask(vault.delay())

    run(work, server)


# -- costs


CALL = TriggerContract(WHO, VAULT, vault.delay().data, 3)


def test_energy_is_what_a_trial_used_where_nodes_do_not_estimate() -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, _: Clock) -> None:
        assert await chain.energy_of(Transfer(WHO, VAULT, 5)) == 0
        assert await chain.energy_of(CALL) == 1000
        assert await chain.energy_of(CALL) == 1000
        assert await chain.energy_of(CreateContract(WHO, b"code")) == 6430
        assert server.paths().count("/wallet/estimateenergy") == 1

    run(work, server)
    assert "/walletsolidity/triggerconstantcontract" not in server.paths()


def test_energy_is_the_larger_of_trial_and_estimate() -> None:
    server = NodeServer(with_vault())
    server.says["/wallet/estimateenergy"] = lambda _: {"result": {"result": True}, "energy_required": 1870}

    async def work(chain: ChainClient, _: Clock) -> None:
        assert await chain.energy_of(CALL) == 1870

    run(work, server)


def test_a_call_that_would_fail_says_why() -> None:
    server = NodeServer(with_vault())
    server.says["/wallet/triggerconstantcontract"] = lambda _: reverted("nothing to withdraw")

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(UsageError, match="nothing to withdraw"):
            await chain.energy_of(CALL)

    run(work, server)


def test_prices_and_resources() -> None:
    server = NodeServer(with_vault())

    async def work(chain: ChainClient, _: Clock) -> None:
        found = await chain.prices()
        assert (found.bandwidth, found.energy, found.memo) == (1000, 100, 1_000_000)
        assert found.create_account + found.create_account_system == 1_100_000
        assert (await chain.resources(WHO)).free_bandwidth == 500

    run(work, server)


# -- transactions and events


def test_a_transaction_is_given_to_both_nodes_as_it_was_encoded_here() -> None:
    first, second = two()
    data, _ = signed()

    async def work(chain: ChainClient, _: Clock) -> None:
        assert (await chain.broadcast(data)).accepted

    run(work, first, second)
    for server in (first, second):
        assert ("/wallet/broadcasthex", {"transaction": data.hex()}) in server.asked


def said(code: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda _: {"result": code == "SUCCESS", "code": code, "message": "words"}


@pytest.mark.parametrize(("first_says", "second_says", "code"), [
    ("SIGERROR", "SUCCESS", Code.SUCCESS), ("SUCCESS", "TAPOS_ERROR", Code.SUCCESS),
    ("SERVER_BUSY", "CONTRACT_VALIDATE_ERROR", Code.SERVER_BUSY), ("SIGERROR", "BANDWITH_ERROR", Code.BANDWITH_ERROR),
    ("TAPOS_ERROR", "TAPOS_ERROR", Code.TAPOS_ERROR),
    ("OTHER_ERROR", "DUP_TRANSACTION_ERROR", Code.DUP_TRANSACTION_ERROR),
])
def test_the_best_word_of_two_nodes_counts(first_says: str, second_says: str, code: Code) -> None:
    first, second = two()
    first.says["/wallet/broadcasthex"], second.says["/wallet/broadcasthex"] = said(first_says), said(second_says)

    async def work(chain: ChainClient, _: Clock) -> None:
        assert (await chain.broadcast(signed()[0])).code is code

    run(work, first, second)


def test_one_node_is_enough_to_send() -> None:
    first, second = two()
    first.says["/wallet/broadcasthex"] = lambda _: b"<html>"

    async def work(chain: ChainClient, _: Clock) -> None:
        assert (await chain.broadcast(signed()[0])).accepted
        second.status = "500 Internal"
        with pytest.raises(FormatError):
            await chain.broadcast(signed()[0])

    run(work, first, second)


def test_a_node_that_speaks_of_another_transaction_is_refused() -> None:
    server = NodeServer(Chain())
    server.says["/wallet/broadcasthex"] = lambda _: {"result": True, "code": "SUCCESS", "txid": "ab" * 32}

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(FormatError, match="another transaction"):
            await chain.broadcast(signed()[0])

    run(work, server)


def event(number: int, place: int, *, good: bool = True, by: Address = VAULT) -> dict[str, Any]:
    return {
        "id": bytes([number, place] * 16).hex(), "blockNumber": number, "result": "" if good else "FAILED",
        "receipt": {"result": "SUCCESS" if good else "REVERT"},
        "log": [{"address": by.raw.hex(), "topics": ["11" * 32], "data": f"{number:02x}{place:02x}"}]}


def test_events_are_read_from_solid_blocks_in_order() -> None:
    server = NodeServer(Chain())
    server.chain.receipts = {
        3: [event(3, 0), event(3, 1, by=WHO), event(3, 2, good=False), event(3, 3)], 5: [event(5, 0)],
        20: [event(20, 0)], 21: [event(21, 0)]}

    async def work(chain: ChainClient, _: Clock) -> None:
        found = [(one.receipt.block, one.log.data) async for one in chain.events(VAULT, 1, 20)]
        assert found == [(3, b"\3\0"), (3, b"\3\3"), (5, b"\5\0"), (20, b"\x14\0")]
        assert [one async for one in chain.events(VAULT, 4, 3)] == []
        with pytest.raises(NodeBehind):
            assert [one async for one in chain.events(VAULT, 1, 21)]
        for first, last in ((0, 5), (1, limits.CHAIN_EVENT_BLOCKS + 1)):
            with pytest.raises(UsageError):
                assert [one async for one in chain.events(VAULT, first, last)]

    run(work, server)


def test_events_of_another_block_than_was_asked_for_are_refused() -> None:
    server = NodeServer(Chain())
    server.says["/walletsolidity/gettransactioninfobyblocknum"] = lambda _: json.dumps([event(7, 0)]).encode()

    async def work(chain: ChainClient, _: Clock) -> None:
        with pytest.raises(FormatError, match="another block"):
            assert [one async for one in chain.events(VAULT, 3, 3)]

    run(work, server)
