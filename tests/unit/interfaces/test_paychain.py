"""A wallet's sends go over a client to a node, and back."""

from __future__ import annotations

import asyncio

from tests.chainnode import START, Chain, Clock, NodeServer, client, like, reverted, serving

from wildbach.interfaces.paychain import WalletChain
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import RawTransaction, Transfer
from wildbach.services.chain.networks import NILE
from wildbach.services.pay.wallet.seams import (
    Chain as WalletSeam,
)
from wildbach.services.pay.wallet.seams import (
    ChainAccount,
    ChainAnswer,
    ChainOutcome,
    ChainPrices,
    ChainReference,
    ChainResources,
)

KEY = SecretKey(b"\5" * 32)
OTHER = Address(b"\x33" * 20)


def test_a_wallet_reads_and_sends() -> None:
    async def main() -> None:
        server = NodeServer(Chain(accounts={KEY.address: 9}))
        async with serving(server) as http:
            wallet: WalletSeam = WalletChain(
                client(http, server, network=like(NILE, server.chain), clock=Clock()))
            assert await wallet.account(KEY.address) == ChainAccount(True, 9)
            assert await wallet.account(OTHER) == ChainAccount(False, 0)
            assert await wallet.resources(KEY.address) == ChainResources(500, 0, 7)
            assert await wallet.prices() == ChainPrices()
            assert await wallet.energy_of(Transfer(KEY.address, OTHER, 5)) == 0
            solid = server.chain.blocks[20]
            assert await wallet.reference() == ChainReference(solid.id[6:8], solid.id[8:16], solid.time)
            assert await wallet.solid_time() == (START + 60) * 1000 - 60_000

            raw = RawTransaction(b"\0\1", b"\2" * 8, (START + 90) * 1000, Transfer(KEY.address, OTHER, 5))
            data = transaction.signed(raw.encode(), KEY.sign(raw.txid))
            assert await wallet.outcome(raw.txid) is None
            assert await wallet.broadcast(data) == ChainAnswer(True)
            server.chain.receipts[25] = [{"id": raw.txid.hex(), "blockNumber": 25, "fee": 7}]
            assert await wallet.outcome(raw.txid) is None
            server.chain.grow(5)
            assert await wallet.outcome(raw.txid) == ChainOutcome(25, True, 7)
            server.chain.receipts[25][0] |= {
                "result": "FAILED", "receipt": {"result": "REVERT"},
                "resMessage": reverted("x")["result"]["message"]}
            assert await wallet.outcome(raw.txid) == ChainOutcome(25, False, 7, "REVERT opcode executed")
            server.says["/wallet/broadcasthex"] = lambda _: {"code": "TAPOS_ERROR", "message": "Tapos failed"}
            assert await wallet.broadcast(data) == ChainAnswer(False, "Tapos failed")
    asyncio.run(main())
