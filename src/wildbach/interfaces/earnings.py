"""What vouchers of others are worth: what is held, beside what the vault would pay for it.

A voucher is a signature. Who has nothing in the vault can sign any sum, so no more is counted than the vault has for
its payer and us, as a solid block said last; what nobody was asked about counts nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.runtime.workers import Threads
from wildbach.services.chain.vault import SignedVoucher
from wildbach.services.pay.ledger.seams import Settlement, Standing
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.store import Held, Ledger
from wildbach.services.pay.ledger.terms import LaneId

_AT_ONCE: Final = 8
"Payers of whom the vault is asked at a time."


@dataclass(frozen=True, slots=True)
class Ripe:
    """A voucher that can be brought to the vault. `worth`: SUN that it is for beyond what was redeemed; `good`: what of
    that the vault has.
    """

    payer: Address
    lane: LaneId
    total: int
    signature: bytes
    worth: int
    good: int

    @property
    def signed(self) -> SignedVoucher:
        return SignedVoucher(Voucher(self.payer, self.lane.payee, self.lane.epoch, self.total), self.signature)


def pays(standing: Standing) -> int:
    """SUN that the vault could pay us for vouchers of this payer: what is reserved for us, and what is free."""
    reserved = sum(one.amount for one in standing.reserves.values())
    return reserved + (standing.free if standing.registered else 0)


class Earnings:
    """`known`: what was asked last of payers whose vouchers are held."""

    def __init__(self, threads: Threads, wall: Callable[[], float]) -> None:
        self._threads = threads
        self._wall = wall
        self.known: dict[Address, Standing] = {}

    async def ask(self, ledger: Ledger, settlement: Settlement) -> Mapping[Address, Standing]:
        """What the vault has of everybody whose vouchers are held, some at a time; what it paid is noted down. Raises
        what the settlement raises where nobody answers.
        """
        payers = list(dict.fromkeys(one.payer for one in await self._threads.run(ledger.unredeemed)))
        found: dict[Address, Standing] = {}
        for at in range(0, min(len(payers), limits.PAY_PAYERS), _AT_ONCE):
            batch = payers[at : at + _AT_ONCE]
            answers = await asyncio.gather(
                *(self._standing(ledger, settlement, one) for one in batch), return_exceptions=True)
            errors: list[BaseException] = []
            for payer, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Standing):
                    found[payer] = answer
                elif answer is not None:
                    errors.append(answer)
            bugs = [one for one in errors if not isinstance(one, NetworkError | RemoteError | FormatError)]
            if bugs or len(errors) == len(batch):
                raise (bugs or errors)[0]
        self.known = {payer: self.known[payer] for payer in payers if payer in self.known} | found
        return found

    async def _standing(self, ledger: Ledger, settlement: Settlement, payer: Address) -> Standing | None:
        state = await self._threads.run(ledger.payer, payer)
        if state is None or state.signer is None:
            return None
        lanes = list(state.books.lanes)
        standing = await settlement.standing(
            payer, state.signer, list(dict.fromkeys(lane.payee for lane in lanes)), lanes)
        at = int(self._wall())
        for lane, paid in standing.paid.items():
            await self._threads.run(ledger.redeemed, at, payer, lane, paid)
        return standing

    def good(self, payer: Address, here: Standing | None = None) -> int:
        """SUN that the vault could pay us of him. `here`: what was heard because he is connected."""
        found = self.known.get(payer)
        newest = max((one for one in (found, here) if one is not None), key=lambda one: one.block, default=None)
        return pays(newest) if newest is not None else 0

    def weigh(self, held: Iterable[Held], here: Mapping[Address, Standing]) -> list[Ripe]:
        """Those that are worth most first. What a payer has is counted once, for his largest vouchers first."""
        left: dict[Address, int] = {}
        made: list[Ripe] = []
        for one in held:
            rest = left.setdefault(one.payer, self.good(one.payer, here.get(one.payer)))
            good = min(one.worth, rest)
            left[one.payer] = rest - good
            made.append(Ripe(one.payer, one.lane, one.total, one.signature, one.worth, good))
        made.sort(key=lambda one: one.good, reverse=True)
        return made


def counted(books: Selling, good: int) -> tuple[int, int]:
    """SUN of a payer's vouchers in all, and what of them is held, without what the vault has not."""
    held = min(books.held, good)
    return books.redeemed + held, held


def less_air(flows: dict[str, int], earned: Mapping[Address, int], ripe: Sequence[Ripe]) -> dict[str, int]:
    """What came and went, without what vouchers promise that the vault has not. `earned`: SUN in vouchers of the same
    time, by payer: the newest of a payer are those that it has not.
    """
    air: dict[Address, int] = {}
    for one in ripe:
        air[one.payer] = air.get(one.payer, 0) + one.worth - one.good
    return flows | {
        "earned": flows["earned"] - sum(min(amount, earned.get(payer, 0)) for payer, amount in air.items())}
