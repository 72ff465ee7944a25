"""Torrents that somebody pays this daemon to seed, by the period: agreed on by its owner, and believed once the vault
has it. `Shop` asks here whether vouchers are taken for a torrent of which nothing is sold.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.interfaces.purse import Keeper
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.seams import Reserve
from wildbach.services.pay.sponsor.promise import Backing, Promise

AREA: Final = "seeding"
"Of what is kept beside the torrents."
_NOTHING: Final = Reserve(0, 0)


@dataclass(slots=True)
class Seeding:
    """A promise, and what the vault said of it last. `relied`: it was as agreed once. It can only be redeemed and grow
    since, so what comes late is taken too.
    """

    promise: Promise
    found: Reserve = _NOTHING
    backing: Backing = Backing.UNKNOWN
    relied: bool = False


class Promises:
    """By the engine's key of a torrent. `wall`: seconds since 1970."""

    def __init__(self, keeper: Keeper, wall: Callable[[], float], report: Callable[[Exception], None]) -> None:
        self._keeper = keeper
        self._wall = wall
        self._report = report
        self.running: dict[str, Seeding] = {}

    async def load(self) -> None:
        for key, value in (await self._keeper.kept(AREA)).items():
            try:
                self.running[key] = Seeding(Promise.decode(value))
            except StorageError as error:
                self._report(error)

    @property
    def live(self) -> bool:
        """A voucher may come for one of them."""
        now = int(self._wall())
        return any(one.promise.live(now) for one in self.running.values())

    def counts(self, torrent: str) -> bool:
        """The vault had what was promised, and a voucher may come."""
        found = self.running.get(torrent)
        return found is not None and found.relied and found.promise.live(int(self._wall()))

    async def put(self, torrent: str, promise: Promise) -> Seeding:
        """In place of the one before. Raises UsageError, StorageError."""
        if torrent not in self.running and len(self.running) >= limits.SPONSORED:
            raise UsageError("limits.SPONSORED torrents are seeded for somebody", code="too_many")
        await self._keeper.keep(AREA, {torrent: promise.encode()}, durable=True)
        made = self.running[torrent] = Seeding(promise)
        return made

    async def drop(self, torrent: str) -> None:
        """Raises UsageError where there is none, StorageError."""
        if torrent not in self.running:
            raise UsageError("nobody pays for the seeding of this torrent", code="not_found")
        await self._keeper.keep(AREA, {torrent: None}, durable=True)
        self.running.pop(torrent, None)

    async def look(
        self, reserved: Callable[[Address], Awaitable[Reserve]], held: Mapping[Address, int], delay: int,
    ) -> bool:
        """See what the vault has. `held`: SUN in vouchers, by payer. Whether one is believed that was not. Raises what
        `reserved` raises.
        """
        now, news = int(self._wall()), False
        asked: dict[Address, Reserve] = {}
        promised: dict[Address, int] = {}
        for one in list(self.running.values()):
            promise = one.promise
            if not promise.live(now):
                one.backing = Backing.OVER
                continue
            if promise.payer not in asked:
                asked[promise.payer] = await reserved(promise.payer)
            one.found = asked[promise.payer]
            # What one promise needs of a reservation is not there for the next.
            before = promised.get(promise.payer, 0)
            one.backing = promise.backing(one.found, held.get(promise.payer, 0) + before, delay, now)
            promised[promise.payer] = before + promise.price * promise.left(now)
            if one.backing is Backing.COVERED and not one.relied:
                one.relied = news = True
        return news
