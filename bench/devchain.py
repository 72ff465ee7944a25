"""The chain for development: transfers a second that are signed before and come over HTTP, and calls of a contract.

Budget: 200 transfers a second, with a block for each and with blocks every 3 seconds. The chain is a process of its
own, on the disk; who asks has eight connections in another.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.harness import Report

from wildbach.interfaces.cli.devchain import feed
from wildbach.net.httpcall import HttpCaller
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import RawTransaction, Transfer

TRANSFERS = 1500
LANES = 8
BUDGET = 200
_CODE = "from wildbach.interfaces.cli.main import main; main()"
_TRX = 1_000_000
_LIVES_MS = 3_600_000


@contextmanager
def chain(*flags: str) -> Iterator[str]:
    """Runs one; its URL."""
    with tempfile.TemporaryDirectory() as state, subprocess.Popen(
        [sys.executable, "-c", _CODE, "chain", "run", "--listen", "127.0.0.1:0", "--state", state, "--json", *flags],
        stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield str(json.loads(child.stdout.readline())["url"])
        finally:
            child.terminate()


def signed(key: SecretKey, block: bytes, count: int) -> list[bytes]:
    """Transfers to one receiver, no two alike."""
    there, now = Address(b"\x55" * 20), int(time.time() * 1000)
    out = []
    for number in range(count):
        raw = RawTransaction(
            block[6:8], block[8:16], now + _LIVES_MS, Transfer(key.address, there, 1 + number), now + number)
        out.append(transaction.signed(raw.encode(), key.sign(raw.txid)))
    return out


async def pour(url: str, count: int) -> tuple[float, int]:
    """Transfers a second, and how many the chain has at the end."""
    key = SecretKey.random()
    caller = HttpCaller(url)

    async def ask(path: str, document: object) -> object:
        reply = await caller.request(
            "POST", path, body=json.dumps(document).encode(), content_type="application/json", limit=1 << 20,
            seconds=60)
        return json.loads(reply.body)

    try:
        await feed(url, key.address, 100_000 * _TRX)
        while not await ask("/wallet/getaccount", {"address": str(key.address)}):
            await asyncio.sleep(0.2)
        head = await ask("/wallet/getblock", {})
        assert isinstance(head, dict)
        waiting = iter(signed(key, bytes.fromhex(head["blockID"]), count))

        async def lane() -> int:
            taken = 0
            for one in waiting:
                said = await ask("/wallet/broadcasthex", {"transaction": one.hex()})
                taken += isinstance(said, dict) and said.get("result") is True
            return taken

        begin = time.perf_counter()
        taken = sum(await asyncio.gather(*(lane() for _ in range(LANES))))
        return count / (time.perf_counter() - begin), taken
    finally:
        await caller.close()


def run(report: Report, count: int = TRANSFERS) -> None:
    report.say("the chain for development")
    for name, flags in (("a block for each", ("--instant",)), ("a block every 3 s", ())):
        with chain(*flags) as url:
            a_second, taken = asyncio.run(pour(url, count))
        report.say(f"  {name}: {a_second:.0f} transfers a second, {taken} of {count} taken")
        report.verdict(f"transfers a second, {name}, of {BUDGET}", a_second / BUDGET if taken == count else 0.0, 1.0)
