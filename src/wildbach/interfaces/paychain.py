"""The chain as a wallet needs it: what `services.chain` knows, in the words of `services.pay`, which do not know each
other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wildbach.base import limits
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import Contract
from wildbach.services.chain import vault
from wildbach.services.chain.client import ChainClient, ContractRefuses
from wildbach.services.pay.ledger.seams import Reserve, Standing
from wildbach.services.pay.ledger.terms import LaneId
from wildbach.services.pay.wallet.policy import Cover
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


class VaultSettlement:
    """A `pay.ledger.seams.Settlement` over a client. What was paid of lanes is read before what is there: where a block
    comes between, less is there than was, and both sides are careful. Raises what the client raises.
    """

    def __init__(self, client: ChainClient, delay: int) -> None:
        self._client = client
        self._delay = delay
        self._signers: tuple[Address, ...] = ()
        "All that our payer ever added: of a list that only grows."

    async def standing(
        self, payer: Address, signer: Address, payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Standing:
        client = self._client
        block = await client.solid()
        now = block.time // 1000
        paid = await self.paid(payer, lanes)
        reserves: dict[Address, Reserve] = {}
        for payee in payees:
            found = await client.ask(vault.reservation(payer, payee))
            reserves[payee] = Reserve(found.amount, found.until)
        state = await client.ask(vault.payer(payer))
        key = await client.ask(vault.signer(payer, signer))
        return Standing(
            block.number, now, state.balance, state.reserved, state.leaving(now, self._delay), state.bounced_at,
            self._delay, registered=key.signs(now), leaving=not key.active, reserves=reserves, paid=paid)

    async def cover(
        self, payer: Address, signers: Collection[Address], payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Cover:
        client = self._client
        block = await client.solid()
        paid = {(lane.payee, lane.epoch): amount for lane, amount in (await self.paid(payer, lanes)).items()}
        reservations = {payee: (await client.ask(vault.reservation(payer, payee))).amount for payee in payees}
        state = await client.ask(vault.payer(payer))
        strangers = False
        for one in await self._all_signers(payer):
            if one not in signers and (await client.ask(vault.signer(payer, one))).signs(block.time // 1000):
                strangers = True
        return Cover(
            block.number, state.balance, state.reserved, state.leaving(block.time // 1000, self._delay), reservations,
            paid, strangers)

    async def credits(self, payees: Sequence[Address]) -> Mapping[Address, int]:
        return {payee: await self._client.ask(vault.credit(payee)) for payee in payees}

    async def paid(self, payer: Address, lanes: Sequence[LaneId]) -> dict[LaneId, int]:
        """SUN that were redeemed of each."""
        return {
            lane: await self._client.ask(vault.paid(vault.lane_id(payer, lane.payee, lane.epoch))) for lane in lanes}

    async def _all_signers(self, payer: Address) -> tuple[Address, ...]:
        self._signers = await _signers(self._client, payer, self._signers)
        return self._signers


async def signing_keys(client: ChainClient, payer: Address) -> tuple[Address, ...]:
    """The keys that sign for a payer in the configured vault, and are not being removed. Raises what the client raises.
    """
    return tuple([one for one in await _signers(client, payer) if (await client.ask(vault.signer(payer, one))).active])


async def _signers(client: ChainClient, payer: Address, known: Sequence[Address] = ()) -> tuple[Address, ...]:
    """All that a payer ever added. `known`: how the list begins."""
    found = list(known)
    while len(found) < limits.PAY_SIGNERS:
        try:
            found.append(await client.ask(vault.signer_at(payer, len(found))))
        except ContractRefuses:
            break
    return tuple(found)
