"""Looks at seeders at random times and pays them for periods that were good: what a sponsor's client does by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.engine import probing
from wildbach.engine.visiting import Call
from wildbach.protocol.ext.pay import Terms
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.pay.sponsor.errand import Came, Errand, Taker
from wildbach.services.pay.sponsor.sponsoring import Agreement, Look, Payment, Running, Sponsoring
from wildbach.services.pay.sponsor.store import Entry, SponsorStore
from wildbach.services.pay.wallet.policy import Refused
from wildbach.services.pay.wallet.signer import SignedVoucher

_AT_ONCE: Final = 4
"Probes at a time: more would measure our own link."
_MOST_SLEEP: Final = 60.0
_AGAIN_SECONDS: Final = 600.0
"After a voucher that did not arrive."


class Desk(Taker, Protocol):
    """Signs what is paid: the buyer's desk of a till."""

    async def give(self, payee: Address, torrent: bytes, amount: int, mark: bytes) -> SignedVoucher: ...

    async def newest(self, payee: Address) -> SignedVoucher | None: ...


class Sponsor:
    """`info`: what is known of a torrent (32 bytes, the hash of v2), None where it is not here. `wall`: seconds since
    1970; `clock`: of the loop. `call` reaches peers (`Session.call`).
    """

    def __init__(
        self, scope: Scope, threads: Threads, store: SponsorStore, desk: Desk, terms: Terms, call: Call,
        info: Callable[[bytes], Info | None], rng: Rng, *, wall: Callable[[], float], clock: Callable[[], float],
        one_per_network: bool = True,
    ) -> None:
        self._scope = scope
        self._threads = threads
        self._store = store
        self._desk = desk
        self._terms = terms
        self._call = call
        self._info = info
        self._rng = rng
        self._wall = wall
        self._clock = clock
        self.sponsoring = Sponsoring(rng, one_per_network=one_per_network)
        self._salt = b""
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._news = asyncio.Event()
        self._undelivered: dict[int, tuple[SignedVoucher, float]] = {}
        "Vouchers that have not arrived, by agreement, and when they are taken there next (the loop's clock)."
        self._busy: set[int] = set()
        self.refused: Refused | None = None
        "Why the wallet signed nothing last."
        self.came: dict[int, Came] = {}
        "What became of the newest voucher of each agreement."
        self.fault: StorageError | None = None

    async def start(self) -> None:
        """Go on where it ended. What was being paid then is paid first: call this after the till was started and before
        it is set. Raises StorageError.
        """
        self._salt = await self._threads.run(lambda: self._store.salt)
        found = await self._threads.run(self._store.load)
        self.sponsoring.running = {one.agreement.id: one for one in found}
        for one in found:
            if one.paying:
                await self._pay(one)
        for one in found:
            if one.paid:
                await self._again(one.agreement)
        self._scope.spawn("sponsor", self._run(), contain=self._failed)

    async def _again(self, agreement: Agreement) -> None:
        """Whether the last voucher came is not known any more."""
        try:
            voucher = await self._desk.newest(agreement.payee)
        except Refused as refused:
            self.refused = refused
            return
        if voucher is not None:
            self._undelivered[agreement.id] = voucher, self._clock()

    def close(self) -> None:
        """Its file; the scope is closed before. Idempotent."""
        self._store.close()

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StorageError):
            raise error
        self.fault = error
        self._scope.cancel()

    # -- what its owner says

    async def admit(self, agreement: Agreement, instead_of: int = 0) -> Running:
        """`instead_of`: the agreement that ends with it, 0 for none. Raises UsageError and StorageError."""
        info = self._info(agreement.torrent)
        if info is None or not info.has_v2 or info.private:
            raise UsageError("only a torrent of v2 that is here, and not private, is sponsored", code="not_sponsored")
        one = self.sponsoring.admit(agreement, instead_of)
        await self._put(one, *([self.sponsoring.running[instead_of]] if instead_of else []))
        self._news.set()
        return one

    async def stop(self, id_: int) -> None:
        """What is earned is paid. Raises UsageError and StorageError."""
        await self._put(self.sponsoring.stop(id_))

    async def log(self, id_: int, count: int = 100) -> list[Entry]:
        """The newest first. Raises StorageError."""
        return await self._threads.run(self._store.log, id_, count)

    # -- what it does

    async def _put(self, *changed: Running, log: tuple[Entry, ...] = ()) -> None:
        await self._threads.run(self._store.put, changed, log)

    async def _run(self) -> None:
        while True:
            now = int(self._wall())
            changed = self.sponsoring.advance(now)
            if changed:
                await self._put(*changed)
            for look in self.sponsoring.due(now):
                made = self.sponsoring.begin(look, now)
                await self._put(self.sponsoring.running[look.id])
                if made:
                    self._scope.spawn(f"probe {look.id}", self._probe(look), contain=self._failed)
            for one in list(self.sponsoring.running.values()):
                id_ = one.agreement.id
                if id_ not in self._busy and (one.paying or one.owed > 0 or self._ready(id_)):
                    self._busy.add(id_)
                    self._scope.spawn(f"pay {id_}", self._settle(one), contain=self._failed)
            self._news.clear()
            next_ = self.sponsoring.next_at()
            wait = _MOST_SLEEP if next_ is None else min(_MOST_SLEEP, max(1.0, next_ - self._wall()))
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _ready(self, id_: int) -> bool:
        found = self._undelivered.get(id_)
        return found is not None and found[1] <= self._clock()

    async def _probe(self, look: Look) -> None:
        async with self._room:
            agreement = self.sponsoring.running[look.id].agreement
            info = self._info(agreement.torrent)
            if info is None:
                return
            try:
                found = await probing.probe(
                    self._call, agreement.endpoint, info, agreement.rate, self._rng, self._clock)
            except FormatError:
                return
        one = self.sponsoring.probed(look, found.passed)
        entry = Entry(look.id, look.period, int(self._wall()), found.why.value, found.size, found.rate)
        await self._put(*(() if one is None else (one,)), log=(entry,))

    async def _settle(self, one: Running) -> None:
        try:
            if one.paying or one.owed > 0:
                await self._pay(one)
            if self._ready(one.agreement.id):
                await self._deliver(one.agreement)
        finally:
            self._busy.discard(one.agreement.id)

    async def _pay(self, one: Running) -> None:
        """Stored, signed and counted, stored."""
        payment: Payment | None = self.sponsoring.pay(one.agreement.id)
        if payment is None:
            return
        await self._put(one)
        try:
            voucher = await self._desk.give(
                payment.payee, payment.torrent, payment.amount, payment.mark(self._salt))
        except Refused as refused:
            self.refused = refused
            return
        await self._put(self.sponsoring.paid(payment))
        self._undelivered[payment.id] = voucher, self._clock()

    async def _deliver(self, agreement: Agreement) -> None:
        voucher, _ = self._undelivered[agreement.id]
        info = self._info(agreement.torrent)
        came = Came.UNREACHABLE
        if info is not None:
            errand = Errand(agreement.endpoint, info, agreement.payee, self._terms)
            try:
                came = await errand.deliver(self._call, self._desk, voucher, self._rng)
            except Refused as refused:
                self.refused = refused
        self.came[agreement.id] = came
        if self._undelivered.get(agreement.id, (None, 0.0))[0] is not voucher:
            return
        if came is Came.THERE:
            del self._undelivered[agreement.id]
        else:
            self._undelivered[agreement.id] = voucher, self._clock() + _AGAIN_SECONDS
