"""A chain for development that runs as a node on loopback, and somebody who asks it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.cli_process import CODE
from tests.devbed import ANNA, TRX, A, B

from wildbach.net.http import HttpClient
from wildbach.net.httpcall import HttpCaller
from wildbach.net.resolve import Guard
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import Contract, RawTransaction, Transfer
from wildbach.runtime.rng import seeded
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.networks import DEV, Choice, Place
from wildbach.services.devchain.chain import Options
from wildbach.services.devchain.server import DevNode

INSTANT = Options(instant=True, lag=0)


class Asker:
    def __init__(self, node: DevNode, url: str, http: HttpClient) -> None:
        self.node = node
        self.url = url
        self.http = http
        self._caller = HttpCaller(url)

    async def raw(self, path: str, body: bytes = b"{}", method: str = "POST", origin: str = "") -> tuple[int, bytes]:
        """`path`: with a question mark and what is behind it."""
        caller = HttpCaller(self.url, headers={"Origin": origin}) if origin else self._caller
        path, _, query = path.partition("?")
        try:
            reply = await caller.request(
                method, path, query=query, body=body if method == "POST" else None, content_type="application/json",
                limit=1 << 24, seconds=20)
        finally:
            if caller is not self._caller:
                await caller.close()
        return reply.status, reply.body

    async def ask(self, path: str, **document: Any) -> Any:
        status, body = await self.raw(f"/wallet/{path}", json.dumps(document).encode())
        assert status == 200, body
        return json.loads(body)

    async def solid(self, path: str, **document: Any) -> Any:
        return json.loads((await self.raw(f"/walletsolidity/{path}", json.dumps(document).encode()))[1])

    async def signed(self, contract: Contract, key: SecretKey = ANNA, fee_limit: int = 500 * TRX) -> bytes:
        raw: RawTransaction = await self.node.run(lambda chain: chain.draft(
            contract, fee_limit=0 if isinstance(contract, Transfer) else fee_limit))
        return transaction.signed(raw.encode(), key.sign(raw.txid))

    async def send(self, contract: Contract, key: SecretKey = ANNA) -> Any:
        """What became of it."""
        said = await self.ask("broadcasthex", transaction=(await self.signed(contract, key)).hex())
        assert said["result"], said
        return await self.ask("gettransactioninfobyid", value=said["txid"])

    async def close(self) -> None:
        await self._caller.close()


@asynccontextmanager
async def running(
    options: Options = INSTANT, path: Path | None = None, *, switched: bool = False,
) -> AsyncIterator[Asker]:
    http = HttpClient(Guard(None))
    async with DevNode(path, options, switched=switched) as node:
        at = await node.listen("127.0.0.1", 0)
        asker = Asker(node, f"http://{at.host}:{at.port}", http)
        try:
            await node.run(lambda chain: (chain.feed(A, 10_000 * TRX), chain.feed(B, TRX)))
            yield asker
        finally:
            await asker.close()
            await http.close()


def client_of(asker: Asker, there: Address | None = None) -> ChainClient:
    choice = Choice(DEV, (Place(asker.url, asker.url),), there)
    return ChainClient(asker.http, choice, wall=time.time, pause=asyncio.sleep, rng=seeded(1))


@contextmanager
def in_process(state: Path, *flags: str) -> Iterator[dict[str, Any]]:
    """`wildbach chain run`, and what it said of itself."""
    child = subprocess.Popen(
        [sys.executable, "-c", CODE, "chain", "run", "--listen", "127.0.0.1:0", "--state", str(state), "--json",
         *flags], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())
    finally:
        child.send_signal(signal.SIGINT)
        child.stdout.close()
        assert child.wait(20) == 130


def turn(url: str, switch: str, **document: object) -> None:
    """A switch of a chain that runs in another process, with --switches."""
    asked = urllib.request.Request(
        f"{url}/switches/{switch}", json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert answer.status == 200
