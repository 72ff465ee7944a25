"""A node for tests: java-tron's HTTP API on loopback, with a chain that a test makes and the lies that it wants."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from yarl import URL

from wildbach.base.ids import Endpoint
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard
from wildbach.protocol.tron import abi, transaction
from wildbach.protocol.tron import protobuf as pb
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import seeded
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.networks import DEV, Choice, Network, Place
from wildbach.services.chain.nodes import Node

START = 1_800_000_000
"Seconds since 1970, of the first block after the genesis and of the clock here."
MAKER = Address(b"\x77" * 20)

Say = dict[str, Any] | list[Any] | str | bytes
Answer = Callable[[dict[str, Any]], Say]


@dataclass(frozen=True)
class Made:
    """The head of a block, as nodes hash it."""

    number: int
    parent: bytes
    time: int
    "ms since 1970."
    salt: bytes = b""

    @property
    def id(self) -> bytes:
        return self.number.to_bytes(8, "big") + hashlib.sha256(self._raw).digest()[8:]

    @property
    def _raw(self) -> bytes:
        return (
            pb.number(1, self.time) + pb.data(2, self._trie) + pb.data(3, self.parent) + pb.number(7, self.number)
            + pb.data(9, MAKER.full))

    @property
    def _trie(self) -> bytes:
        return hashlib.sha256(self.salt).digest()

    @property
    def json(self) -> dict[str, Any]:
        raw: dict[str, Any] = {
            "txTrieRoot": self._trie.hex(), "witness_address": MAKER.full.hex(), "parentHash": self.parent.hex()}
        if self.number:
            raw |= {"number": self.number, "timestamp": self.time}
        return {"blockID": self.id.hex(), "block_header": {"raw_data": raw, "witness_signature": "00" * 65}}


def blocks(count: int, salt: bytes = b"a chain", *, after: list[Made] | None = None) -> list[Made]:
    """A genesis and more, three seconds apart; or so many `after` others."""
    made = list(after) if after else [Made(0, bytes(32), 0, salt)]
    while len(made) < count:
        number = len(made)
        made.append(Made(number, made[-1].id, (START + 3 * number) * 1000, salt))
    return made


@dataclass
class Chain:
    """What a node tells. `lag`: blocks that are not solid yet."""

    blocks: list[Made] = field(default_factory=lambda: blocks(40))
    lag: int = 19
    accounts: dict[Address, int] = field(default_factory=dict)
    contracts: dict[Address, bytes] = field(default_factory=dict)
    answers: dict[bytes, bytes] = field(default_factory=dict)
    "What calls with this data return."
    receipts: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    "By block."

    @property
    def solid(self) -> Made:
        return self.blocks[max(len(self.blocks) - 1 - self.lag, 0)]

    def grow(self, count: int = 1) -> None:
        self.blocks = blocks(len(self.blocks) + count, self.blocks[0].salt, after=self.blocks)


class Stall(Exception):
    """The node says a bit of its answer, and then nothing."""


class Drip(Exception):
    """The node sends its answer byte by byte, each soon enough for who waits for the next one."""


@dataclass
class NodeServer:
    """`says`: by path, what is said in place of the truth. `status` of all answers. `asked`: paths and documents."""

    chain: Chain
    says: dict[str, Answer] = field(default_factory=dict)
    status: str = "200 OK"
    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def answer(self, path: str, document: dict[str, Any]) -> Say:
        lie = self.says.get(path)
        if lie is not None:
            return lie(document)
        truth: Answer | None = getattr(self, "_" + path.rpartition("/")[2], None)
        return truth(document) if truth is not None else b""

    # -- the truth

    def _getblockbynum(self, document: dict[str, Any]) -> Say:
        number = document.get("num", 0)
        return self.chain.blocks[number].json if number < len(self.chain.blocks) else {}

    def _getblock(self, document: dict[str, Any]) -> Say:
        solid = self.asked[-1][0].startswith("/walletsolidity/")
        last = self.chain.solid if solid else self.chain.blocks[-1]
        number = int(document.get("id_or_num") or last.number)
        return self.chain.blocks[number].json if number <= last.number else {}

    def _getaccount(self, document: dict[str, Any]) -> Say:
        balance = self.chain.accounts.get(Address.parse(document["address"]))
        if balance is None:
            return {}
        return {"address": document["address"]} | ({"balance": balance} if balance else {})

    def _getaccountresource(self, document: dict[str, Any]) -> Say:
        known = Address.parse(document["address"]) in self.chain.accounts
        return {"freeNetUsed": 100, "freeNetLimit": 600, "EnergyLimit": 7} if known else {}

    def _getchainparameters(self, _: dict[str, Any]) -> Say:
        prices = {
            "getTransactionFee": 1000, "getEnergyFee": 100, "getCreateAccountFee": 100_000,
            "getCreateNewAccountFeeInSystemContract": 1_000_000, "getMemoFee": 1_000_000}
        return {"chainParameter": [{"key": key, "value": value} for key, value in prices.items()]}

    def _getcontractinfo(self, document: dict[str, Any]) -> Say:
        code = self.chain.contracts.get(Address.parse(document["value"]))
        if code is None:
            return {}
        return {"smart_contract": {"contract_address": document["value"]}, "runtimecode": code.hex()}

    def _triggerconstantcontract(self, document: dict[str, Any]) -> Say:
        there = document.get("contract_address")
        if there is None:
            return simulated((1).to_bytes(32, "big"), energy=6430)
        if Address.parse(there) not in self.chain.contracts:
            return {"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": b"Smart contract is not exist.".hex()}}
        output = self.chain.answers.get(bytes.fromhex(document["data"]))
        return simulated(output) if output is not None else reverted("unknown")

    def _estimateenergy(self, _: dict[str, Any]) -> Say:
        return {"result": {
            "code": "CONTRACT_VALIDATE_ERROR", "message": b"this node does not support estimate energy".hex()}}

    def _gettransactioninfobyid(self, document: dict[str, Any]) -> Say:
        last = self.chain.solid.number
        return next(
            (one for number, listed in self.chain.receipts.items() if number <= last
             for one in listed if one["id"] == document["value"]), {})

    def _gettransactioninfobyblocknum(self, document: dict[str, Any]) -> Say:
        number = document["num"]
        return self.chain.receipts.get(number, []) if number <= self.chain.solid.number else []

    def _broadcasthex(self, document: dict[str, Any]) -> Say:
        raw, _ = transaction.unsigned(bytes.fromhex(document["transaction"]))
        return {"result": True, "code": "SUCCESS", "message": "", "txid": transaction.txid_of(raw).hex()}

    # -- HTTP

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(
                    b"content-length"))
                path, body = URL(head.split(b" ", 2)[1].decode()).path, await reader.readexactly(size)
                self.heads.append(head)
                self.asked.append((path, json.loads(body)))
                try:
                    said = self.answer(path, self.asked[-1][1])
                except Drip:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
                    while not writer.is_closing():
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(0.01)
                    return
                except Stall:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{")
                    await reader.read()
                    return
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                status = self.status if data else "404 Not Found"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def simulated(output: bytes, *, energy: int = 1000) -> dict[str, Any]:
    return {
        "result": {"result": True}, "energy_used": energy, "constant_result": [output.hex()],
        "transaction": {"ret": [{}]}}


def reverted(why: str) -> dict[str, Any]:
    output = bytes.fromhex("08c379a0") + abi.encode(["string"], [why])
    return {
        "result": {"result": True, "message": b"REVERT opcode executed".hex()}, "energy_used": 500,
        "constant_result": [output.hex()], "transaction": {"ret": [{"ret": "FAILED"}]}}


@dataclass
class Clock:
    """Seconds since 1970, moved by hand; `paused` are the seconds that somebody would have waited."""

    now: float = START + 3 * 39.0
    paused: list[float] = field(default_factory=list)
    "Waiting does not move the clock."
    each: Callable[[], None] = field(default=lambda: None)
    "Called for each."

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.each()


@asynccontextmanager
async def serving(*servers: NodeServer) -> AsyncIterator[HttpClient]:
    """Servers with their URLs, and who asks them."""
    running = []
    http = HttpClient(Guard(None))
    try:
        for server in servers:
            one = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            at = Endpoint(*one.sockets[0].getsockname()[:2])
            server.url = f"http://{at.host}:{at.port}"
            running.append(one)
        yield http
    finally:
        await http.close()
        for one in running:
            one.close()
            await one.wait_closed()


def client(
    http: HttpClient, *servers: NodeServer, network: Network = DEV, vault: Address | None = None,
    clock: Clock | None = None, seconds: float = 10.0,
) -> ChainClient:
    time = clock if clock is not None else Clock()
    choice = Choice(network, tuple(Place(one.url, one.url) for one in servers), vault)
    return ChainClient(http, choice, wall=time, pause=time.pause, rng=seeded(1), seconds=seconds)


def node(http: HttpClient, server: NodeServer, clock: Clock | None = None, *, seconds: float = 10.0) -> Node:
    time = clock if clock is not None else Clock()
    return Node(http, Place(server.url, server.url), time.pause, seeded(1), seconds=seconds)


def like(network: Network, chain: Chain) -> Network:
    """The network, with the genesis of this chain."""
    return replace(network, genesis=chain.blocks[0].id)
