"""Keeping this device's sealed record in the DHT: put every hour, when it is somewhere else, and when somebody looks.
Without a DHT it is made as well: members pass it on.

A DHT that is silent is asked again, ever more rarely. Nothing else waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.dht import Answer, ItemRefused, Stored
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import LAST_SEQ
from wildbach.protocol.sync import rendezvous, tags
from wildbach.protocol.sync.rendezvous import Place, Record
from wildbach.runtime.rng import Rng
from wildbach.services.sync.sought import Beacon

PUT_SECONDS: Final = 3600.0
"Nodes forget a record after two hours."
_RETRY: Final = (15.0, 600.0)
_APART: Final = 60.0
"Seconds between two records of ours."
_PLACES_SECONDS: Final = 30.0
"How often it is looked whether we are somewhere else now."


class Records(Protocol):
    """`engine.dht.Dht`."""

    async def put(self, item: Item) -> Stored: ...

    async def ask(self, public_key: bytes, salt: bytes = b"") -> Answer: ...


class OwnRecord:
    """`run` keeps it in the DHT for ever; `renew` puts a newer one, where the last is not too fresh."""

    def __init__(
        self, records: Records | None, beacon: Beacon, places: Callable[[], tuple[Endpoint, ...]],
        relays: Callable[[], Sequence[Endpoint]], *, clock: Callable[[], float], wall: Callable[[], float], rng: Rng,
        chance: rendezvous.Chance, last: int = 0, moved: Callable[[], None] = lambda: None,
    ) -> None:
        """`last`: the `time` of the run before, so that a clock that was ahead then does not hide what is said now.
        `moved` is told when we are somewhere else.
        """
        self._records = records
        self.beacon = beacon
        self._places = places
        self._relays = relays
        self._clock = clock
        self._wall = wall
        self._rng = rng
        self._chance = chance
        self._moved = moved
        self._renew = asyncio.Event()
        self._put_at = float("-inf")
        self.time = last
        "Of the last record: milliseconds since 1970, and greater each time."
        self.item: Item | None = None
        "The last that was made."
        self.silent = ""
        "Why the DHT takes nothing, in plain words; empty where it does."

    def renew(self) -> None:
        self._renew.set()

    async def run(self) -> None:
        fails = 0
        told: tuple[Endpoint, ...] | None = None
        seen: tuple[Endpoint, ...] | None = None
        due = self._clock()
        while True:
            here = self._places()[: limits.SYNC_ENDPOINTS]
            if here and seen is not None and here != seen:
                self._moved()
            seen = here or seen
            now = self._clock()
            wanted = (now >= due or here != told or self._renew.is_set()) and bool(here or self._relays())
            early = self._put_at + _APART - now
            if wanted and early > 0:
                await asyncio.sleep(early)
            elif wanted:
                self._renew.clear()
                told = here
                if await self._put(here):
                    self._put_at, fails = now, 0
                    due = self._clock() + PUT_SECONDS * (0.9 + 0.1 * self._rng.random())
                else:
                    due = self._clock() + min(_RETRY[1], _RETRY[0] * 2 ** min(fails, 10))
                    fails += 1
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(1.0, min(_PLACES_SECONDS, due - now))):
                        await self._renew.wait()
                        if not here and not self._relays():
                            await asyncio.sleep(_PLACES_SECONDS)

    async def _put(self, here: tuple[Endpoint, ...]) -> bool:
        """Put our record at its places. True where the DHT took it."""
        relays = tuple(self._relays())[: limits.SYNC_ENDPOINTS]
        # One place is kept for a relay: without it who needs one would not know where.
        kept = here[: limits.SYNC_ENDPOINTS - 1] if relays else here
        wall = self._wall()
        self.time = max(min(max(0, int(wall * 1000)), LAST_SEQ), self.time + 1)
        record = Record(self.beacon.key, self.time, kept, relays[: limits.SYNC_ENDPOINTS - len(kept)])
        taken = False
        for place in self.beacon.places(tags.day_of(wall)):
            item = rendezvous.write(place, record, self.beacon.sign, self._chance)
            if self.item is None or self.item.target != item.target or item.seq > self.item.seq:
                self.item = item
            if self._records is None:
                taken = True
                continue
            try:
                await self._put_over(self._records, place, record, item)
            except (NetworkError, TimeoutError) as error:
                self.silent = f"the DHT is silent ({error})"
            else:
                taken, self.silent = True, ""
        return taken

    async def _put_over(self, records: Records, place: Place, record: Record, item: Item) -> None:
        """Put an item; where one with a higher number stands there, of a clock that was ahead or of somebody who blanks
        us, above that one. Raises NetworkError where that cannot be.
        """
        try:
            await records.put(item)
        except ItemRefused:
            there = (await records.ask(place.public, place.salt)).item
            if there is None or there.seq >= LAST_SEQ:
                raise
            with contextlib.suppress(FormatError):
                ours = rendezvous.read(place, there, {record.device}, loopback=True)
                # Who has seen it passes over what is older.
                self.time = max(self.time, min(ours.time + 1, LAST_SEQ))
            newer = replace(record, time=self.time)
            self.item = rendezvous.write(
                place, newer, self.beacon.sign, self._chance, seq=max(there.seq, item.seq) + 1)
            await records.put(self.item)
