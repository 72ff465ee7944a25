"""One node over HTTP: what is sent, when it is asked again, and what it cannot do to us."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.chainnode import Chain, Clock, Drip, NodeServer, Stall, node, serving
from tests.proxyserver import GRANTED, greet, proxy

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import RawTransaction, Transfer
from wildbach.runtime.rng import seeded
from wildbach.services.chain.answers import Account, Code, NodeBusy, NodeRefused, Resources
from wildbach.services.chain.networks import Place
from wildbach.services.chain.nodes import Node

KEY = SecretKey(b"\5" * 32)
WHO = KEY.address
CONTRACT = Address(b"\x33" * 20)


def run(server: NodeServer, work: Callable[[Node, Clock], Awaitable[None]], *, seconds: float = 10.0) -> None:
    async def main() -> None:
        clock = Clock()
        async with serving(server) as http:
            await work(node(http, server, clock, seconds=seconds), clock)
    asyncio.run(main())


def signed() -> bytes:
    raw = RawTransaction(b"\0\1", b"\2" * 8, 1_800_000_060_000, Transfer(WHO, CONTRACT, 5))
    return transaction.signed(raw.encode(), KEY.sign(raw.txid))


def test_every_question_goes_where_java_tron_answers_it() -> None:
    chain = Chain(accounts={WHO: 7}, contracts={CONTRACT: b"code"}, answers={b"ask": b"told"})
    chain.receipts[3] = [{"id": "ab" * 32, "blockNumber": 3}]
    server = NodeServer(chain)

    async def work(there: Node, _: Clock) -> None:
        assert (await there.first_block()).id == chain.blocks[0].id
        assert (await there.head()).number == 39
        assert (await there.solid()).number == 20
        assert (await there.solid_block(5)).id == chain.blocks[5].id
        assert await there.account(WHO) == Account(True, 7)
        assert await there.account(CONTRACT) == Account(False, 0)
        assert await there.resources(WHO) == Resources(500, 0, 7)
        assert (await there.parameters())["getEnergyFee"] == 100
        assert await there.code(CONTRACT) == b"code"
        assert (await there.simulate(NOBODY, CONTRACT, b"ask", solid=True)).output == b"told"
        assert (await there.simulate(NOBODY, CONTRACT, b"other", 9, solid=False)).failed
        assert (await there.estimate(NOBODY, CONTRACT, b"ask")).code is Code.CONTRACT_VALIDATE_ERROR
        assert (await there.broadcast(signed())).accepted
        assert await there.receipt(b"\xab" * 32) == (await there.receipts(3))[0]
        assert await there.receipt(b"\xcd" * 32) is None

    run(server, work)
    solid = [path for path in server.paths() if path.startswith("/walletsolidity/")]
    assert {path.rpartition("/")[2] for path in solid} == {
        "getblock", "getaccount", "triggerconstantcontract", "gettransactioninfobyid", "gettransactioninfobyblocknum"}
    assert ("/wallet/triggerconstantcontract", {
        "owner_address": NOBODY.full.hex(), "data": b"other".hex(), "contract_address": CONTRACT.full.hex(),
        "call_value": 9}) in server.asked
    assert ("/wallet/broadcasthex", {"transaction": signed().hex()}) in server.asked
    assert all(b"ontent-Type: application/json" in head for head in server.heads)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "502 Bad Gateway"])
def test_a_busy_node_is_asked_again_with_longer_pauses(status: str) -> None:
    server = NodeServer(Chain(), status=status)

    async def work(there: Node, clock: Clock) -> None:
        with pytest.raises(NodeBusy, match=status[:3]):
            await there.head()
        assert len(clock.paused) == limits.CHAIN_TRIES - 1
        assert [round(pause / 2**number, 3) for number, pause in enumerate(clock.paused)] == pytest.approx(
            [0.5] * 3, abs=0.251)

    run(server, work)
    assert len(server.asked) == limits.CHAIN_TRIES


def test_a_node_that_was_busy_once_is_no_failure() -> None:
    server = NodeServer(Chain())
    busy = [b'{"Error":"class java.lang.IllegalAccessException : lack of computing resources"}']
    server.says["/wallet/getblock"] = lambda document: busy.pop() if busy else server.chain.blocks[-1].json

    async def work(there: Node, clock: Clock) -> None:
        assert (await there.head()).number == 39
        assert len(clock.paused) == 1

    run(server, work)


@pytest.mark.parametrize("said", [
    b'{"Error":"class org.tron.json.JSONException : no"}', b"this API is closed because this node is a lite fullnode"])
def test_a_refusal_is_not_asked_again(said: bytes) -> None:
    server = NodeServer(Chain(), says={"/wallet/getblock": lambda _: said})

    async def work(there: Node, clock: Clock) -> None:
        with pytest.raises(NodeRefused, match=r"^http://127\.0\.0\.1:[0-9]+: "):
            await there.head()
        assert clock.paused == []

    run(server, work)


def test_an_unknown_path_is_a_refusal() -> None:
    server = NodeServer(Chain(), status="404 Not Found")

    async def work(there: Node, clock: Clock) -> None:
        with pytest.raises(NodeRefused, match="404 to /wallet/getblock"):
            await there.head()
        assert clock.paused == []

    run(server, work)


def test_nonsense_is_not_asked_again_and_names_the_node() -> None:
    server = NodeServer(Chain(), says={"/wallet/getblock": lambda _: b"<html>"})

    async def work(there: Node, clock: Clock) -> None:
        with pytest.raises(FormatError, match=r"^http://127\.0\.0\.1:[0-9]+: "):
            await there.head()
        assert clock.paused == []

    run(server, work)


def test_a_huge_answer_is_cut_off() -> None:
    server = NodeServer(Chain(), says={"/wallet/getblock": lambda _: b" " * (limits.CHAIN_ANSWER_BYTES + 1)})

    async def work(there: Node, _: Clock) -> None:
        with pytest.raises(LimitError, match=f"{limits.CHAIN_ANSWER_BYTES}"):
            await there.head()

    run(server, work)


@pytest.mark.parametrize("how", [Stall, Drip])
def test_a_node_that_does_not_end_its_answer_is_given_up(
    how: type[Exception], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CHAIN_TRIES", 2)

    def stall(_: object) -> bytes:
        raise how

    server = NodeServer(Chain(), says={"/wallet/getblock": stall})

    async def work(there: Node, clock: Clock) -> None:
        with pytest.raises(NetworkError, match="no reply within"):
            await there.head()
        assert len(clock.paused) == 1

    run(server, work, seconds=0.2)
    assert len(server.asked) == 2


def test_nobody_at_the_address() -> None:
    async def main() -> None:
        server = NodeServer(Chain())
        async with serving(server) as http:
            pass
        async with serving() as http:
            with pytest.raises(NetworkError, match="refused"):
                await node(http, server).head()
    asyncio.run(main())


def test_the_key_goes_to_its_own_node_alone() -> None:
    async def main() -> None:
        first, second = NodeServer(Chain()), NodeServer(Chain())
        async with serving(first, second) as http:
            clock = Clock()
            there = Node(http, Place(first.url, second.url, "the-key"), clock.pause, seeded(1))
            await there.head()
            await there.solid()
        assert b"TRON-PRO-API-KEY: the-key\r\n" in first.heads[0]
        assert second.heads and not any(b"the-key" in head for head in second.heads)
    asyncio.run(main())


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_a_node_is_asked_through_the_proxy_and_in_no_other_way(kind: str) -> None:
    async def main() -> None:
        server = NodeServer(Chain())
        through: list[bytes] = []

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if kind == "socks5":
                through.append(await greet(reader, writer))
                writer.write(GRANTED)
            await server.serve(reader, writer)

        async with proxy(pass_on, kind) as found:
            clock = Clock()
            http = HttpClient(Guard(None), proxy=found)
            try:
                # A name that nobody but the proxy could look up.
                place = Place("http://node.test:8090", "http://node.test:8090")
                assert (await Node(http, place, clock.pause, seeded(1)).head()).number == 39
            finally:
                await http.close()
        if kind == "socks5":
            assert b"node.test" in through[0]
        else:
            assert server.heads[0].startswith(b"POST http://node.test:8090/wallet/getblock HTTP/1.1")
    asyncio.run(main())


def test_a_password_or_a_key_in_the_address_is_not_in_errors() -> None:
    async def main() -> None:
        server = NodeServer(Chain(), says={"/hidden-key/wallet/getblock": lambda _: b"<html>"})
        async with serving(server) as http:
            at = server.url.replace("http://", "http://me:hidden@") + "/hidden-key"
            clock = Clock()
            with pytest.raises(FormatError) as caught:
                await Node(http, Place(at, at), clock.pause, seeded(1)).head()
            assert "hidden" not in str(caught.value)
            assert server.paths() == ["/hidden-key/wallet/getblock"]
        assert b"Authorization: Basic bWU6aGlkZGVu\r\n" in server.heads[0]
    asyncio.run(main())


def test_a_redirect_is_not_followed() -> None:
    server = NodeServer(Chain(), status="307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/")

    async def work(there: Node, _: Clock) -> None:
        with pytest.raises(NetworkError, match="sends us elsewhere"):
            await there.head()

    run(server, work)
