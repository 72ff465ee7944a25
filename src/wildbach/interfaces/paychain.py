"""The chain as a wallet needs it: what `services.chain` knows, in the words of `services.pay`, which do not know each
other.
"""

from __future__ import annotations

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import Contract
from wildbach.services.chain.client import ChainClient
from wildbach.services.pay.wallet.seams import (
    ChainAccount,
    ChainAnswer,
    ChainOutcome,
    ChainPrices,
    ChainReference,
    ChainResources,
)


class WalletChain:
    """A `pay.wallet.seams.Chain` over a client. Raises what the client raises."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client

    async def account(self, address: Address) -> ChainAccount:
        found = await self._client.account(address)
        return ChainAccount(found.exists, found.balance)

    async def resources(self, address: Address) -> ChainResources:
        found = await self._client.resources(address)
        return ChainResources(found.free_bandwidth, found.staked_bandwidth, found.energy)

    async def prices(self) -> ChainPrices:
        found = await self._client.prices()
        return ChainPrices(
            found.bandwidth, found.energy, found.create_account, found.create_account_system, found.memo)

    async def energy_of(self, contract: Contract) -> int:
        return await self._client.energy_of(contract)

    async def reference(self) -> ChainReference:
        block = await self._client.reference()
        return ChainReference(block.id[6:8], block.id[8:16], block.time)

    async def broadcast(self, transaction: bytes) -> ChainAnswer:
        said = await self._client.broadcast(transaction)
        return ChainAnswer(said.accepted, "" if said.accepted else said.message or said.code.value)

    async def outcome(self, txid: bytes) -> ChainOutcome | None:
        found = await self._client.receipt(txid)
        if found is None:
            return None
        why = "" if found.succeeded else found.message or found.word or "it failed"
        return ChainOutcome(found.block, found.succeeded, found.fee, why)

    async def solid_time(self) -> int:
        """What is to be in no block is given up only once it is sure: this is the time that is settled."""
        return await self._client.settled_time()
