"""A node whose chain takes transfers: it checks who signed, moves money, and makes a block when it is told to.

    python -m tests.paynode ADDRESS=SUN …

prints its URL and makes a block each half second; a line `ADDRESS=SUN` on stdin gives somebody money.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chainnode import Chain, NodeServer, Say, serving

from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import recover
from wildbach.protocol.tron.transaction import Transfer


@dataclass
class PayNode(NodeServer):
    """`solid` balances are what is told: those of blocks that cannot be undone."""

    chain: Chain = field(default_factory=lambda: Chain(lag=2))
    pool: dict[bytes, bytes] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)
    "Every transaction that came, as it came."
    waiting: dict[int, list[Transfer]] = field(default_factory=dict)
    "By block, until it is solid."

    def _broadcasthex(self, document: dict[str, Any]) -> Say:
        whole = bytes.fromhex(document["transaction"])
        self.heard.append(whole)
        raw, (signature,) = transaction.unsigned(whole)
        txid = transaction.txid_of(raw)
        contract = transaction.decode(raw).contract
        if recover(txid, signature) != contract.owner:
            return {"code": "SIGERROR", "txid": txid.hex(), "message": b"bad signature".hex()}
        if not isinstance(contract, Transfer) or self.chain.accounts.get(contract.owner, 0) < contract.amount:
            return {"code": "CONTRACT_VALIDATE_ERROR", "txid": txid.hex(), "message": b"too little".hex()}
        self.pool[txid] = raw
        return {"result": True, "code": "SUCCESS", "message": "", "txid": txid.hex()}

    def make_block(self) -> None:
        """With all that waits; what has become solid by it counts."""
        number = len(self.chain.blocks)
        moved = [transaction.decode(raw).contract for raw in self.pool.values()]
        self.chain.receipts[number] = [
            {"id": txid.hex(), "blockNumber": number, "fee": 0, "receipt": {"net_usage": 268}} for txid in self.pool]
        self.waiting[number] = [one for one in moved if isinstance(one, Transfer)]
        self.pool.clear()
        self.chain.grow()
        accounts = self.chain.accounts
        for solid in [one for one in self.waiting if one <= self.chain.solid.number]:
            for one in self.waiting.pop(solid):
                accounts[one.owner] = accounts.get(one.owner, 0) - one.amount
                accounts[one.to] = accounts.get(one.to, 0) + one.amount

    def give(self, words: str) -> None:
        """`ADDRESS=SUN`."""
        address, _, amount = words.strip().partition("=")
        self.chain.accounts[Address.parse(address)] = int(amount)


@contextlib.contextmanager
def running() -> Iterator[PayNode]:
    """A node that makes blocks all the time, in a thread of its own."""
    made, ready, leave = PayNode(), threading.Event(), threading.Event()

    async def live() -> None:
        async with serving(made):
            ready.set()
            while not leave.is_set():
                await asyncio.sleep(0.05)
                made.make_block()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert ready.wait(10)
        yield made
    finally:
        leave.set()
        thread.join(10)


async def main(given: list[str]) -> None:
    node = PayNode()
    for one in given:
        node.give(one)
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: _hear(node, loop))
    async with serving(node):
        print(node.url, flush=True)
        while True:
            await asyncio.sleep(0.5)
            node.make_block()


def _hear(node: PayNode, loop: asyncio.AbstractEventLoop) -> None:
    line = sys.stdin.readline()
    if line.strip():
        node.give(line)
    elif not line:
        loop.remove_reader(sys.stdin)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
