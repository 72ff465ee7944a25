"""Buyers and sellers of a simulated swarm whose money lies in a real vault, on py-evm."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.evms import START, PyEvm
from tests.vaultbed import HOT, PAYER, SELLER, TRX, Bed

from wildbach.base.errors import NetworkError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Voucher
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.seams import Reserve, Standing
from wildbach.services.pay.ledger.store import Ledger
from wildbach.services.pay.ledger.terms import LaneId
from wildbach.services.pay.till.buying import BuyerDesk
from wildbach.services.pay.till.selling import SellerDesk
from wildbach.services.pay.till.till import Till
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.mirror import Mirror
from wildbach.services.pay.wallet.policy import Cover, SpendingLimits
from wildbach.services.pay.wallet.signer import HotSigner
from wildbach.services.pay.wallet.store import WalletStore
from wildbach.testing.content import Content
from wildbach.testing.loop import simloop

PRICE: Final = 33_000
MOST: Final = 10**12
LIMITS: Final = SpendingLimits(MOST, MOST, MOST, MOST, MOST, 10**9, 0)


class BedSettlement:
    """A `Settlement` that asks the vault itself. `down`: no node answers."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self.down = False
        self._block = 0

    def _up(self) -> None:
        if self.down:
            raise NetworkError("no node answers")
        self._block += 1

    async def standing(
        self, payer: Address, signer: Address, payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Standing:
        self._up()
        ask, now = self._bed.ask, self._bed.now
        paid = {one: ask(vault.paid(vault.lane_id(payer, one.payee, one.epoch))) for one in lanes}
        found = {one: ask(vault.reservation(payer, one)) for one in payees}
        key, state, delay = ask(vault.signer(payer, signer)), ask(vault.payer(payer)), ask(vault.delay())
        return Standing(
            self._block, now, state.balance, state.reserved, state.leaving(now, delay), state.bounced_at, delay,
            registered=key.signs(now), leaving=not key.active,
            reserves={one: Reserve(there.amount, there.until) for one, there in found.items()}, paid=paid)

    async def cover(
        self, payer: Address, signers: Collection[Address], payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Cover:
        self._up()
        ask, now = self._bed.ask, self._bed.now
        paid = {
            (one.payee, one.epoch): ask(vault.paid(vault.lane_id(payer, one.payee, one.epoch))) for one in lanes}
        state, delay = ask(vault.payer(payer)), ask(vault.delay())
        return Cover(
            self._block, state.balance, state.reserved, state.leaving(now, delay),
            {one: ask(vault.reservation(payer, one)).amount for one in payees}, paid)

    async def credits(self, payees: Sequence[Address]) -> Mapping[Address, int]:
        self._up()
        return {one: self._bed.ask(vault.credit(one)) for one in payees}


@dataclass
class Wishes:
    """A `Market` of one torrent."""

    payee_: Address
    price: int = 0
    most: int = 0
    done: Callable[[], bool] = lambda: False
    taking: bool = False
    hash: bytes = bytes(32)

    def sells(self, torrent: str) -> int:
        return self.price

    def sponsored(self, torrent: str) -> bool:
        return self.taking

    def buys(self, torrent: str) -> int:
        return self.most

    def infohash(self, torrent: str) -> bytes:
        return self.hash

    def payee(self, torrent: str) -> Address:
        return self.payee_

    def complete(self, torrent: str) -> bool:
        return self.done()


@dataclass
class Trade:
    """A vault, and who deals with it. `root`: for the files of buyers and sellers."""

    root: Path
    content: Content
    bed: Bed = field(default_factory=lambda: Bed(PyEvm()))
    threads: Threads = field(default_factory=lambda: Threads(1))

    def __post_init__(self) -> None:
        self.settlement = BedSettlement(self.bed)
        self.rng = Random(1)
        self.open: list[tuple[str, Ledger | WalletStore]] = []

    def close(self) -> None:
        """Files, and the threads."""
        for _, one in self.open:
            one.close()
        self.threads.close()

    def close_files(self, name: str) -> None:
        """Of somebody who is gone."""
        for whose, one in self.open:
            if whose == name:
                one.close()
        self.open = [one for one in self.open if one[0] != name]

    def wall(self) -> float:
        return START + simloop().time()

    def reserve(self, amount: int = 10 * TRX, payee: Address = SELLER.address, days: int = 60) -> None:
        assert self.bed.call(PAYER.address, vault.reserve(payee, amount, self.bed.now + days * 86400))

    def seller(self, scope: Scope, name: str = "seller", key: SecretKey = SELLER, price: int = PRICE) -> Till:
        market = Wishes(key.address, price=price)
        ledger = self._ledger(name)
        desk = SellerDesk(
            scope, self.threads, ledger, self.settlement, self.bed.domain, market, self.rng,
            own=frozenset({key.address}), wall=self.wall, clock=simloop().time)
        return Till(scope, self.bed.domain, market, seller=desk, buyer=None)

    def _ledger(self, name: str) -> Ledger:
        ledger = Ledger(self.root / f"{name}.db")
        self.open.append((name, ledger))
        return ledger

    def signer(self, name: str = "buyer", key: SecretKey = HOT, limits: SpendingLimits = LIMITS) -> HotSigner:
        store = WalletStore(self.root / f"{name}-wallet.db")
        self.open.append((name, store))
        counters = Counters(store, Mirror(self.root / "mirrors", PAYER.address, name), PAYER.address, self.wall)
        counters.set_limits(limits)
        return HotSigner(key, PAYER.address, self.bed.domain, counters, self.wall, former=[HOT.address])

    def buyer(
        self, scope: Scope, name: str = "buyer", most: int = PRICE, signer: HotSigner | None = None,
    ) -> Till:
        market = Wishes(PAYER.address, most=most)
        desk = BuyerDesk(
            scope, self.threads, self._ledger(name), self.settlement, self.bed.domain,
            signer if signer is not None else self.signer(name), frozenset({HOT.address}), market, wall=self.wall,
            clock=simloop().time)
        return Till(scope, self.bed.domain, market, seller=None, buyer=desk)

    def redeem(self, till: Till) -> int:
        """Bring all vouchers of a seller to the vault; what that paid."""
        assert till.seller is not None
        before = self.bed.ask(vault.credit(SELLER.address))
        for payer, known in till.seller.payers.items():
            for lane, held in known.books.lanes.items():
                if held.total > held.redeemed:
                    voucher = Voucher(payer, lane.payee, lane.epoch, held.total)
                    signed = vault.SignedVoucher(voucher, held.signature)
                    assert self.bed.call(SELLER.address, vault.redeem(signed)), self.bed.why
        return self.bed.ask(vault.credit(SELLER.address)) - before
