"""Finding the devices of a folder, or those on the two sides of a link, and calling them until they are met.

There are four ways, and none waits for another: endpoints that are known (where a device was met before, what other
members passed on, what a person named), neighbours, sealed records in the DHT, and relays where nothing else leads to
the device. All patience goes by a clock that never jumps. The date only chooses the places in the DHT and the tokens of
relays, so a wrong one, or a DHT that is silent or lies, leaves the first two ways as they are.

Two devices behind routers meet without a third: whoever sees a record that is newer than the last one calls its
endpoints by uTP again and again for `MEET_SECONDS`, and renews its own record at once. The other looks at least that
often, sees it, and does the same meanwhile; so both call at the same time, whatever their clocks say.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import pack, unpack
from wildbach.protocol.sync import rendezvous, tags
from wildbach.protocol.sync.rendezvous import Place, Record
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.beacons import OwnRecord, Records
from wildbach.services.sync.candidates import Candidates, Source
from wildbach.services.sync.sought import Beacon, Sought

MEET_SECONDS: Final = 180.0
LOOK_MOST: Final = 150.0
"Between two looks for a record, less than `MEET_SECONDS`: a meeting that the other side began is not missed."
_LOOK_FIRST: Final = 10.0
_CROWD: Final = 8
"Above so many missing devices each is looked for more rarely, so that all together cost no more."
_REST: Final = (60.0, 240.0, 1800.0)
"""Between two meetings with one device: from the first to the second, twice that after each, up to the third. By
chance, so that two that miss each other's meetings do not go on doing so."""
_CALLS_OF_ONE: Final = 2
_RELAY_AFTER: Final = 20.0
"Seconds in which a device was not met otherwise."
_RELAY_RETRY: Final = (15.0, 600.0)
_NEAR_SECONDS: Final = 30.0
"An endpoint in the neighbourhood is not called more often."


class Dialer(Protocol):
    """`engine.devices.DeviceRoads`. All raise NetworkError, RemoteError or TimeoutError."""

    def places(self) -> tuple[Endpoint, ...]:
        """Where others may call this device."""
        ...

    async def dial(self, endpoint: Endpoint) -> Connection: ...

    async def meet(self, endpoint: Endpoint, seconds: float) -> Connection:
        """Call by uTP again and again for so long, as the other side does."""
        ...

    async def relay(self, at: Endpoint, tokens: Sequence[bytes], side: int) -> Connection: ...


@dataclass(frozen=True, slots=True)
class Found:
    """An open connection on which nothing was said yet."""

    connection: Connection
    name: bytes | None
    "Whom it should lead to; None: to somebody of the folder, who was heard of in the neighbourhood."
    endpoint: Endpoint | None
    "Where the device was called; None where it was met at a relay."


class Owner(Protocol):
    """Who shakes hands on what is found."""

    async def take(self, found: Found) -> bool:
        """Whether the connection leads to who it should, and a session with them is open now, over it or over another
        one. The connection is the owner's, to close too. Raises nothing but NetworkError, RemoteError, TimeoutError.
        """
        ...


@dataclass(frozen=True, slots=True)
class SoughtView:
    """How it goes with one who is sought."""

    name: bytes
    met: bool
    relayed: bool
    "It is met through a relay only."
    reason: str
    "Why it is not met, in plain words; empty where it is."


class _Seeking:
    """One who is sought."""

    __slots__ = (
        "calling", "candidates", "item", "look_at", "looking", "looks", "meeting", "meetings", "met",
        "record", "relay_at", "relay_fails", "relayed", "relaying", "rest_until", "sought", "told",
    )

    def __init__(self, sought: Sought, rng: Rng, now: float) -> None:
        self.sought = sought
        self.candidates = Candidates(rng)
        self.met = False
        self.relayed = False
        self.calling = 0
        self.looks = 0
        self.look_at = now
        self.looking = False
        self.record: Record | None = None
        "The newest that was seen."
        self.item: Item | None = None
        self.told = False
        "A meeting began with this record already."
        self.meeting: list[asyncio.Task[None]] = []
        "A call for each endpoint of its record."
        self.meetings = 0
        self.rest_until = 0.0
        self.relay_at = now + _RELAY_AFTER
        self.relay_fails = 0
        self.relaying = False

    @property
    def wanted(self) -> bool:
        """A direct connection is wanted."""
        return not self.met or self.relayed


class Finder:
    """For one folder, or one link. `start` it in a scope, tell it who is met and lost, and who else is to be sought."""

    def __init__(
        self, scope: Scope, owner: Owner, dialer: Dialer, records: Records | None, beacon: Beacon, *,
        clock: Callable[[], float], wall: Callable[[], float], rng: Rng, chance: rendezvous.Chance,
        relays: Callable[[], Sequence[Endpoint]] = tuple, report: Callable[[Exception], None],
        loopback: bool = False, last: int = 0, places: Callable[[], tuple[Endpoint, ...]] | None = None,
    ) -> None:
        """`records`: None without a DHT. `places`: where others may call us; without it those that the dialer knows.
        `relays`: where we wait ourselves; those of others stand in their records. `last`: `record_time` of the run
        before.
        """
        self._scope = scope.child("finding")
        self._owner = owner
        self._dialer = dialer
        self._records = records
        self._beacon = beacon
        self._clock = clock
        self._wall = wall
        self._rng = rng
        self._relays = relays
        self._report = report
        self._loopback = loopback
        self._seeking: dict[bytes, _Seeking] = {}
        self._near: dict[Endpoint, float] = {}
        self._calling = self._looking = self._relaying = self._meetings = 0
        self._index: dict[tuple[bytes, bytes], tuple[_Seeking, Place]] = {}
        "The places of the three days, for records that are passed on."
        self._indexed: int | None = None
        self._stirred = asyncio.Event()
        self._own = OwnRecord(
            records, beacon, places or dialer.places, relays, clock=clock, wall=wall, rng=rng, chance=chance, last=last,
            moved=self._stir)
        self.silent = ""
        "Why the DHT is of no use now, in plain words; empty where it answers."

    def start(self) -> None:
        self._scope.spawn("look and call", self._run(), contain=self._report)
        self._scope.spawn("put", self._own.run(), contain=self._report)

    async def close(self) -> None:
        await self._scope.close()

    @property
    def record_time(self) -> int:
        """Of our last record; to be given to the next run."""
        return self._own.time

    # -- what is told

    def speak_as(self, beacon: Beacon) -> None:
        """This device says something else of itself from now on, as in a new epoch."""
        self._beacon = beacon
        self._own.beacon = beacon
        self._own.renew()

    def seek(self, sought: Sought, known: Iterable[Endpoint] = (), given: Iterable[Endpoint] = ()) -> None:
        """Look for somebody from now on. `known`: where it was met in other runs; `given`: what a person or a link
        named.
        """
        now = self._clock()
        one = self._seeking.get(sought.name)
        if one is None:
            one = self._seeking[sought.name] = _Seeking(sought, self._rng, now)
        one.sought = sought
        self._indexed = None
        one.candidates.named(known, Source.WORKED, now)
        one.candidates.named(given, Source.GIVEN, now)
        self._stirred.set()

    def forget(self, name: bytes) -> None:
        one = self._seeking.pop(name, None)
        self._indexed = None
        if one is not None:
            self._end_meeting(one)

    def met(self, name: bytes, endpoint: Endpoint | None = None, *, relayed: bool = False) -> None:
        """A session is open with it, whoever called. `endpoint`: where it can be called again, if that is known."""
        one = self._seeking.get(name)
        if one is None:
            return
        if not (one.met and relayed):
            # Who stays met by a relay only is not called more often because of it.
            one.relay_fails = one.meetings = 0
        one.met, one.relayed = True, relayed
        if not relayed:
            self._end_meeting(one)
        if endpoint is not None and not relayed:
            one.candidates.worked(endpoint, self._clock())
        self._stirred.set()

    def lost(self, name: bytes) -> None:
        """The session is over."""
        one = self._seeking.get(name)
        if one is None or not one.met:
            return
        now = self._clock()
        one.met = one.relayed = False
        one.look_at = now
        one.looks = 0
        one.relay_at = now + _RELAY_AFTER
        one.candidates.soon(now)
        self._stirred.set()

    def near(self, endpoint: Endpoint) -> None:
        """A neighbour of the folder accepts calls there; which one it is the handshake tells."""
        now = self._clock()
        self._near = {at: until for at, until in self._near.items() if until > now}
        if self._scope.closed or endpoint in self._near or not any(one.wanted for one in self._seeking.values()):
            return
        self._near[endpoint] = now + _NEAR_SECONDS
        self._scope.spawn("near", self._call_near(endpoint), contain=self._report)

    def moved(self) -> None:
        """We are somewhere else now: put a new record, and call again what may be reached from here."""
        self._stir()
        if self._own is not None:
            self._own.renew()

    def _stir(self) -> None:
        now = self._clock()
        for one in self._seeking.values():
            one.candidates.soon(now)
            one.look_at = min(one.look_at, now)
        self._own.renew()
        self._stirred.set()

    def passing(self) -> list[bytes]:
        """Records that may be passed on to members: our own, and the newest of others."""
        items = [self._own.item, *(one.item for one in self._seeking.values())]
        return [pack(item) for item in items if item is not None]

    def passed(self, raw: bytes) -> bool:
        """A member passed on a record. True where it is newer than what was known. Raises FormatError for what is
        none; one of somebody who is not sought, or of another day, is passed over.
        """
        item = unpack(raw)
        days = tags.days_around(self._wall())
        if self._indexed != days[0]:
            self._indexed = days[0]
            self._index = {
                (place.public, place.salt): (one, place)
                for one in self._seeking.values() for day in days for place in one.sought.places(day)
            }
        found = self._index.get((item.key, item.salt))
        if found is None:
            return False
        one, place = found
        record = rendezvous.read(place, item, one.sought.signers, loopback=self._loopback)
        return self._heard(one, record, item, Source.PASSED)

    def remembered(self) -> dict[bytes, tuple[Endpoint, ...]]:
        """Where each was met, or is said to be by people, for the next run."""
        return {name: one.candidates.lasting() for name, one in self._seeking.items()}

    def view(self) -> list[SoughtView]:
        return [
            SoughtView(name, one.met, one.relayed, "" if one.met else self._reason(one))
            for name, one in self._seeking.items()
        ]

    def _reason(self, one: _Seeking) -> str:
        if one.meeting:
            return "both sides call at the same time, to open their routers"
        if one.relaying:
            return "waiting for it at a relay"
        if one.calling:
            return "being called"
        if one.record is None and self.silent:
            return f"not at the addresses that are known; {self.silent}"
        if one.record is None and self._records is None:
            return "not at the addresses that are known, and the DHT is not used"
        if one.record is None:
            return "not at the addresses that are known, and the DHT has no record of it"
        return "does not answer where its record says that it is"

    # -- calling

    async def _run(self) -> None:
        while True:
            self._stirred.clear()
            now = self._clock()
            at = self._begin(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, min(at - now, 60.0))):
                    await self._stirred.wait()

    def _begin(self, now: float) -> float:
        """Begin what is due. Returns when to look again."""
        soonest = now + 60.0
        for one in self._seeking.values():
            if not one.wanted:
                continue
            while one.calling < _CALLS_OF_ONE and self._calling < limits.SYNC_CALLS_AT_ONCE:
                endpoint = one.candidates.take(now)
                if endpoint is None:
                    break
                one.calling += 1
                self._calling += 1
                self._scope.spawn("call", self._call(one, endpoint), contain=self._report)
            # Where there is no room, whoever ends a call or a look stirs.
            due = one.candidates.next_at()
            if due is not None and due > now:
                soonest = min(soonest, due)
            if self._records is not None and not one.looking:
                if one.look_at > now:
                    soonest = min(soonest, one.look_at)
                elif self._looking < limits.SYNC_LOOKUPS_AT_ONCE:
                    one.looking = True
                    self._looking += 1
                    self._scope.spawn("look", self._look(one, self._records), contain=self._report)
            self._begin_meeting(one, now)
            if not one.met and not one.relaying and self._meeting_places(one):
                if one.relay_at > now:
                    soonest = min(soonest, one.relay_at)
                elif self._relaying < limits.SYNC_RELAYS_AT_ONCE:
                    one.relaying = True
                    self._relaying += 1
                    self._scope.spawn("relay", self._relay(one), contain=self._report)
            if one.record is not None and not one.told and one.rest_until > now:
                soonest = min(soonest, one.rest_until)
        return soonest

    async def _call(self, one: _Seeking, endpoint: Endpoint) -> None:
        reached = False
        try:
            connection = await self._dialer.dial(endpoint)
            reached = await self._take(one, connection, endpoint)
        except (NetworkError, RemoteError, TimeoutError):
            pass
        finally:
            one.calling -= 1
            self._calling -= 1
            now = self._clock()
            if reached:
                one.candidates.worked(endpoint, now)
            else:
                one.candidates.failed(endpoint, now)
            self._stirred.set()

    async def _call_near(self, endpoint: Endpoint) -> None:
        with contextlib.suppress(NetworkError, RemoteError, TimeoutError):
            connection = await self._dialer.dial(endpoint)
            await self._owner.take(Found(connection, None, endpoint))

    async def _take(self, one: _Seeking, connection: Connection, endpoint: Endpoint | None) -> bool:
        """Hand a connection over. True where the device is met."""
        if self._seeking.get(one.sought.name) is not one or not one.wanted:
            connection.close()
            return False
        reached = await self._owner.take(Found(connection, one.sought.name, endpoint))
        if reached and (endpoint is not None or not one.met):
            self.met(one.sought.name, endpoint, relayed=endpoint is None)
        return reached

    # -- meeting

    def _begin_meeting(self, one: _Seeking, now: float) -> None:
        record = one.record
        if record is None or one.told or one.meeting or not record.endpoints or now < one.rest_until:
            return
        if self._meetings >= limits.SYNC_MEETINGS_AT_ONCE:
            return
        one.told = True
        self._meetings += 1
        self._own.renew()
        # As many as one record has endpoints, and each calls a few times a minute.
        one.meeting = [
            self._scope.spawn("meet", self._meet(one, endpoint), contain=self._report)
            for endpoint in record.endpoints
        ]

    async def _meet(self, one: _Seeking, endpoint: Endpoint) -> None:
        try:
            connection = await self._dialer.meet(endpoint, MEET_SECONDS)
            await self._take(one, connection, endpoint)
        except (NetworkError, RemoteError, TimeoutError):
            pass
        finally:
            task = asyncio.current_task()
            one.meeting = [other for other in one.meeting if other is not task]
            if not one.meeting:
                self._meetings -= 1
                first, second, most = _REST
                one.rest_until = self._clock() + self._rng.uniform(
                    first, min(second * 2 ** min(one.meetings, 10), most))
                one.meetings += 1
                self._stirred.set()

    def _end_meeting(self, one: _Seeking) -> None:
        """It was met: nobody else has to be called for it."""
        task = asyncio.current_task()
        for meeting in one.meeting:
            if meeting is not task:
                meeting.cancel()

    # -- relays

    def _meeting_places(self, one: _Seeking) -> list[Endpoint]:
        """Ours first, then those where the other side says that it waits."""
        theirs = one.record.relays if one.record is not None else ()
        return list(dict.fromkeys((*self._relays(), *theirs)))

    async def _relay(self, one: _Seeking) -> None:
        """Wait at one relay after another. Each side begins anew when nobody came."""
        reached = False
        try:
            for at in self._meeting_places(one):
                if one.met:
                    break
                reached = await self._relay_at(one, at)
                if reached:
                    break
        finally:
            one.relaying = False
            self._relaying -= 1
            first, most = _RELAY_RETRY
            one.relay_fails = 0 if reached else one.relay_fails + 1
            wait = min(most, first * 2 ** min(max(0, one.relay_fails - 1), 10))
            one.relay_at = self._clock() + wait * (0.75 + 0.5 * self._rng.random())
            self._stirred.set()

    async def _relay_at(self, one: _Seeking, at: Endpoint) -> bool:
        with contextlib.suppress(NetworkError, RemoteError, TimeoutError):
            connection = await self._dialer.relay(at, one.sought.tokens(self._wall()), one.sought.side)
            if one.met:
                connection.close()
                return True
            return await self._take(one, connection, None)
        return False

    # -- records of others

    async def _look(self, one: _Seeking, records: Records) -> None:
        """Ask for the record of one: of today, and where there is none of the days around."""
        try:
            for day in tags.days_around(self._wall()):
                if not one.wanted or await self._look_at_day(one, records, day):
                    break
        finally:
            one.looking = False
            self._looking -= 1
            one.looks += 1
            missing = sum(each.wanted for each in self._seeking.values())
            wait = min(LOOK_MOST, _LOOK_FIRST * 2 ** min(one.looks, 10)) * max(1.0, missing / _CROWD)
            # Who is met at a relay is looked for too, since a direct way is better.
            one.look_at = self._clock() + wait * (0.8 + 0.2 * self._rng.random())
            self._stirred.set()

    async def _look_at_day(self, one: _Seeking, records: Records, day: int) -> bool:
        found = False
        for place in one.sought.places(day):
            try:
                answer = await records.ask(place.public, place.salt)
            except (NetworkError, TimeoutError) as error:
                self.silent = f"the DHT is silent ({error})"
                continue
            self.silent = ""
            if answer.item is None:
                continue
            try:
                record = rendezvous.read(place, answer.item, one.sought.signers, loopback=self._loopback)
            except FormatError:
                continue  # somebody who has the secret wrote over it
            found = True
            self._heard(one, record, answer.item, Source.RECORD)
        return found

    def _heard(self, one: _Seeking, record: Record, item: Item, source: Source) -> bool:
        """True where it is newer than what was known, and not our own."""
        if record.device == self._beacon.key or (one.record is not None and record.time <= one.record.time):
            return False
        now = self._clock()
        one.record, one.item, one.told = record, item, False
        one.candidates.named(record.endpoints, source, now)
        self._stirred.set()
        return True
