"""A wallet's sends go over a client to a node, and back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from tests.chainnode import START, Chain, Clock, NodeServer, client, like, reverted, serving
from tests.devbed import TRX, C, in_loop
from tests.devnode import client_of, running

from wildbach.interfaces.paychain import WalletChain
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import RawTransaction, Transfer
from wildbach.runtime.workers import Threads
from wildbach.services.chain import vault
from wildbach.services.chain.networks import NILE
from wildbach.services.pay.wallet import keystore, orders
from wildbach.services.pay.wallet.orders import Order
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
from wildbach.services.pay.wallet.secret import Passphrase
from wildbach.services.pay.wallet.sending import Send
from wildbach.services.pay.wallet.wallet import Wallet

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


@in_loop
async def test_a_wallet_pays_and_deposits_on_a_chain_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)
    passphrase = Passphrase("correct horse")
    threads = Threads(1)
    async with running() as asker:
        client_ = client_of(asker)
        chain = WalletChain(client_)
        wallet = Wallet(
            tmp_path / "wallet", tmp_path / "mirrors", await client_.start(), threads, time.time, play=True)
        try:
            facts = await wallet.import_key(KEY, passphrase)
            await asker.node.run(lambda there: there.feed(facts.address, 1000 * TRX))

            async def send(order: Order, at: Address | None = None) -> Send:
                """It costs what was said before."""
                quote = await wallet.quote(chain, order, vault=at)
                before = (await chain.account(facts.address)).balance
                (sent,) = await wallet.send(chain, [(f"key{before}", quote)], passphrase, vault=at)
                for _ in range(5):
                    if not sent.open:
                        break
                    await wallet.sends.poll(chain)
                    sent = wallet.sends.get(sent.key) or sent
                assert sent.state == "confirmed", sent
                after = (await chain.account(facts.address)).balance
                assert before - after == quote.estimate.total + quote.estimate.amount
                return sent

            for _ in range(4):
                await send(wallet.transfer(C, TRX))
            await send(wallet.transfer(C, TRX, b"for the bread"))
            deployed = await send(orders.deploy(vault.deployment(facts.address, 60)))
            receipt = await client_.receipt(deployed.txid)
            assert receipt is not None and receipt.contract is not None
            assert await client_.check_vault(receipt.contract) == 60
            for amount in (50 * TRX, 7):
                call = vault.deposit(amount)
                await send(wallet.call(receipt.contract, call.data, value=call.value), receipt.contract)
            assert (await client_.ask(vault.payer(facts.address), receipt.contract)).balance == 50 * TRX + 7
        finally:
            wallet.close()
            threads.close()
