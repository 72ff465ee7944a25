"""The list of all torrents: what it is sorted and filtered by, and what changed since when.

A revision is a number that grows with each change of any row. Rows are made when somebody asks for them; of torrents
on which something happens the last one is kept, so that once a second it can be told which of them changed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

from wildbach.base.errors import UsageError
from wildbach.base.events import TorrentEvent
from wildbach.engine import events as engine_events
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api.kinds import Kind, Kinds
from wildbach.interfaces.api.models import Changes, Facets, Listing, Since, TorrentPage, TorrentRow
from wildbach.interfaces.api.orders import Order
from wildbach.interfaces.api.rows import first_tracker, host_of, name_of, row_of, size_of, state_of
from wildbach.interfaces.api.search import Search
from wildbach.runtime.bus import Lagged
from wildbach.runtime.tasks import Scope
from wildbach.services.library.events import TorrentChanged
from wildbach.services.library.library import Library

_TICK_SECONDS: Final = 1.0
_ORDERS: Final = 4
"Orders that are kept at a time."
_REMOVED: Final = 10_000
"Torrents that went and are remembered, so that nobody has to read all rows again."
_SLICE: Final = 200
"Rows in one turn of the loop."
_LEAST_OF_A_HASH: Final = 4
"Characters of an info hash by which a torrent is found."
_SCAN: Final = 2000
"Names or keys looked at in one turn of the loop."

Value = Callable[["Catalog", Torrent], Any]

_VALUES: Final[dict[str, Value]] = {
    "key": lambda c, t: t.key,
    "name": lambda c, t: name_of(t, c.library.entry(t.key)).casefold(),
    "state": lambda c, t: state_of(t, c.library.entry(t.key), c.library),
    "size": lambda c, t: size_of(t),
    "wanted": lambda c, t: c.row(t).wanted if not t.asleep else size_of(t),
    "done": lambda c, t: c.row(t).done if not t.asleep else size_of(t),
    "progress": lambda c, t: c.row(t).progress if not t.asleep else 1.0,
    "down_rate": lambda c, t: c.row(t).down_rate if not t.asleep else 0.0,
    "up_rate": lambda c, t: c.row(t).up_rate if not t.asleep else 0.0,
    "eta": lambda c, t: _last(c.row(t).eta if not t.asleep else None),
    "uploaded": lambda c, t: c.library.entry(t.key).uploaded,
    "downloaded": lambda c, t: c.library.entry(t.key).downloaded,
    "session_uploaded": lambda c, t: t.sent,
    "session_downloaded": lambda c, t: t.received,
    "ratio": lambda c, t: c.library.ratio(t.key),
    "peers": lambda c, t: t.connected,
    "seeds": lambda c, t: c.row(t).seeds if not t.asleep else 0,
    "swarm_seeds": lambda c, t: c.row(t).swarm_seeds or 0,
    "swarm_peers": lambda c, t: c.row(t).swarm_peers or 0,
    "availability": lambda c, t: c.row(t).availability if not t.asleep else -1.0,
    "place": lambda c, t: c.library.rank(t.key) or 1 << 40,
    "category": lambda c, t: c.library.entry(t.key).category.casefold(),
    "tags": lambda c, t: ", ".join(c.library.entry(t.key).tags).casefold(),
    "tracker": lambda c, t: host_of(first_tracker(t)),
    "added_at": lambda c, t: c.library.entry(t.key).added_at,
    "completed_at": lambda c, t: c.library.entry(t.key).completed_at,
    "active_at": lambda c, t: c.library.entry(t.key).active_at,
    "active_seconds": lambda c, t: c.library.entry(t.key).active_seconds,
    "seeding_seconds": lambda c, t: c.library.entry(t.key).seeding_seconds,
    "save_path": lambda c, t: t.save_path,
    "down_limit": lambda c, t: t.options.down_limit,
    "up_limit": lambda c, t: t.options.up_limit,
    "private": lambda c, t: t.private,
}
"What the list can be sorted by."


def _last(eta: int | None) -> int:
    return eta if eta is not None else 1 << 40


class Catalog:
    """Of one session and its library."""

    library: Library

    def __init__(self, session: Session, library: Library, scope: Scope, report: Callable[[Exception], None]) -> None:
        self._session = session
        self.library = library
        self._scope = scope
        self._report = report
        self.revision = 1
        self.loading = True
        self._changed: dict[str, int] = {}
        "The revision of the last change of each torrent that changed, oldest first."
        self._removed: deque[tuple[int, str]] = deque(maxlen=_REMOVED)
        self._forgotten = 0
        "The changes up to this revision are not known any more."
        self._rows: dict[str, TorrentRow] = {}
        "Of those that are awake."
        self._orders: dict[str, Order] = {}
        self._search = Search(lambda: [torrent.key for torrent in session.torrents], self._name)
        self._making: dict[str, asyncio.Lock] = {}
        self._kinds = Kinds()
        self.news = asyncio.Event()
        "Set whenever a revision begins."

    async def run(self) -> None:
        """The session has its torrents, and the library what it knows of them."""
        torrents = self._session.torrents
        for at in range(0, len(torrents), _SLICE):
            self._kinds.fill([
                (torrent.key, self._kind_of(torrent)) for torrent in torrents[at : at + _SLICE]
                if self.there(torrent.key)
            ])
            await asyncio.sleep(0)
        self.loading = False
        self.touch_all()
        self._scope.spawn("catalog:engine", self._follow_engine(), contain=self._report)
        self._scope.spawn("catalog:library", self._follow_library(), contain=self._report)
        self._scope.spawn("catalog:ticks", self._ticking(), contain=self._report)

    # -- what is there

    def there(self, key: str) -> bool:
        """It is in the list: not in the trash, and not gone."""
        return self._session.torrent(key) is not None and key not in self.library.trash

    def torrent(self, key: str) -> Torrent:
        """One of the list. Raises UsageError, code `not_found`."""
        torrent = self._session.torrent(key)
        if torrent is None or not self.there(key):
            raise UsageError(f"there is no torrent {key}", code="not_found")
        return torrent

    def keys(self, chosen: Iterable[str], *, everything: bool = False) -> list[str]:
        """Those of the list that were chosen, each once."""
        if everything:
            trash = self.library.trash
            return [torrent.key for torrent in self._session.torrents if torrent.key not in trash]
        return [key for key in dict.fromkeys(chosen) if self.there(key)]

    def row(self, torrent: Torrent) -> TorrentRow:
        """As it was at the last tick, or now."""
        row = self._rows.get(torrent.key)
        return row if row is not None else row_of(torrent, self.library)

    def fresh(self, key: str) -> TorrentRow:
        """As it is now. Raises UsageError, code `not_found`."""
        return row_of(self.torrent(key), self.library)

    def rates(self) -> tuple[float, float, int]:
        """Bytes a second down and up and connected peers of all, as of the last tick."""
        rows = self._rows.values()
        return sum(row.down_rate for row in rows), sum(row.up_rate for row in rows), sum(row.peers for row in rows)

    # -- lists

    async def page(self, listing: Listing) -> TorrentPage:
        """A part of the list. Raises UsageError for a field that it cannot be sorted by."""
        loading = self.loading  # as it was when the list was made
        keys, total = await self.select(listing)
        rows = []
        for number, key in enumerate(keys):
            torrent = self._session.torrent(key)
            if torrent is not None:
                rows.append(self.row(torrent))
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        return TorrentPage(self.revision, total, listing.offset, tuple(rows), loading)

    async def select(self, listing: Listing) -> tuple[list[str], int]:
        """The keys of a part of the list, and how many there are on all parts."""
        order = await self._order(listing.sort)
        among = self._among(listing)
        words = tuple(dict.fromkeys(listing.search.casefold().split()))
        if words:
            matching = await self._matching(words)
            among = matching if among is None else among & matching
        if among is None:
            stop = listing.offset + listing.limit
            return order.slice(listing.offset, stop, descending=listing.descending), len(order)
        if len(among) * 20 < len(order):
            # Few of many: sort these alone.
            value = _VALUES[listing.sort]
            items = sorted(
                ((value(self, torrent), key) for key in among if (torrent := self._session.torrent(key)) is not None),
                reverse=listing.descending)
            return [key for _, key in items[listing.offset : listing.offset + listing.limit]], len(items)
        return await self._walk(order, among, listing), len(among)

    @staticmethod
    async def _walk(order: Order, among: set[str], listing: Listing) -> list[str]:
        """Those of many that are on a page: looked for from the beginning of the order, and no further than needed."""
        found: list[str] = []
        skip = listing.offset
        for at in range(0, len(order), _SCAN):
            for key in order.slice(at, at + _SCAN, descending=listing.descending):
                if key not in among:
                    continue
                if skip:
                    skip -= 1
                    continue
                found.append(key)
                if len(found) == listing.limit:
                    return found
            await asyncio.sleep(0)
        return found

    async def _matching(self, words: tuple[str, ...]) -> set[str]:
        """Those whose name has all the words, or whose info hash begins with the only one."""
        if self.loading:
            self._search.forget()  # nobody tells of those that are being listed
        found = await self._search.find(words)
        if len(words) == 1 and len(words[0]) >= _LEAST_OF_A_HASH:
            named = {torrent.key for torrent in self._session.by_prefix(words[0]) if self.there(torrent.key)}
            return found | named if named else found
        return found

    def _name(self, key: str) -> str | None:
        torrent = self._session.torrent(key)
        return name_of(torrent, self.library.entry(key)) if torrent is not None and self.there(key) else None

    def _touched_since(self, revision: int) -> Iterable[str]:
        for key in reversed(self._changed):
            if self._changed[key] <= revision:
                return
            yield key

    def _among(self, listing: Listing) -> set[str] | None:
        """The keys that match all filters but the search; None for all."""
        found: set[str] | None = None
        for chosen, sets in (
            (listing.state, self._kinds.states), (listing.tag, self._kinds.tags),
            (listing.tracker, self._kinds.trackers),
        ):
            if chosen:
                mine = sets.get(chosen[0], set()) if len(chosen) == 1 else set().union(
                    *(sets.get(name, set()) for name in chosen))
                found = mine if found is None else found & mine
        if listing.category:
            mine = set()
            for name in listing.category:
                for other in [name, *(o for o in self._kinds.categories if name and o.startswith(name + "/"))]:
                    mine |= self._kinds.categories.get(other, set())
            found = mine if found is None else found & mine
        if listing.keys:
            mine = set(self.keys(listing.keys))
            found = mine if found is None else found & mine
        return found

    async def _order(self, field: str) -> Order:
        value = _VALUES.get(field)
        if value is None:
            raise UsageError(f"the list cannot be sorted by {field!r}; it can by {', '.join(_VALUES)}")
        async with self._making.setdefault(field, asyncio.Lock()):
            order = self._orders.pop(field, None)
            if order is not None and self.loading and len(order) * 2 <= len(self._session.torrents):
                order = None  # nobody tells of those that are being listed
            if order is None:
                order = await self._make_order(value)
            self._orders[field] = order
            while len(self._orders) > _ORDERS:
                del self._orders[next(iter(self._orders))]
            await order.settle(self.there)
        return order

    async def _make_order(self, value: Value) -> Order:
        while True:
            revision = self.revision
            keys = self.keys((), everything=True)
            order = await Order.of(keys, lambda key: self._sort_value(value, key))
            if self._forgotten < revision:
                break
        for key in self._touched_since(revision):
            order.touch(key)
        return order

    def _sort_value(self, value: Value, key: str) -> Any:
        torrent = self._session.torrent(key)
        return value(self, torrent) if torrent is not None else ""

    def facets(self) -> Facets:
        """How many there are of each kind."""
        return self._kinds.facets()

    # -- changes

    async def since(self, since: Since) -> Changes:
        """What is different since a revision."""
        revision = self.revision
        if since.revision <= self._forgotten or since.revision > revision:
            return Changes(revision, True, False, (), ())
        keys = list(self._touched_since(since.revision))
        keys.reverse()
        more = len(keys) > since.limit
        if more:
            keys = keys[: since.limit]
            revision = self._changed[keys[-1]]  # each change has a revision of its own
        rows = []
        for number, key in enumerate(keys):
            torrent = self._session.torrent(key)
            if torrent is not None and self.there(key):
                rows.append(self.row(torrent))
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        removed = tuple(
            key for at, key in self._removed if since.revision < at <= revision and not self.there(key))
        return Changes(revision, False, more, tuple(rows), removed)

    async def rows(self) -> AsyncIterator[list[TorrentRow]]:
        """All rows, some at a time; between them the loop does other things."""
        keys = [torrent.key for torrent in self._session.torrents]
        for at in range(0, len(keys), _SLICE):
            found = []
            for key in keys[at : at + _SLICE]:
                torrent = self._session.torrent(key)
                if torrent is not None and self.there(key):
                    found.append(self.row(torrent))
            yield found
            await asyncio.sleep(0)

    def touch(self, key: str) -> None:
        """Its row may be another: whoever asks next gets it as it is now."""
        torrent = self._session.torrent(key)
        if torrent is not None and key in self._rows:
            self._rows[key] = row_of(torrent, self.library)
        self._note(key)

    def _note(self, key: str) -> None:
        """Its row is another."""
        self.revision += 1
        self._changed.pop(key, None)
        self._changed[key] = self.revision
        self._classify(key)
        for order in self._orders.values():
            order.touch(key)
        self._search.touch(key)
        if not self.there(key):
            self._removed.append((self.revision, key))
            if len(self._removed) == _REMOVED:
                self._forgotten = self._removed[0][0]
            self._rows.pop(key, None)
        self.news.set()

    def touch_all(self) -> None:
        """Everything may be different: nobody knows what changed since."""
        self.revision += 1
        self._forgotten = self.revision - 1
        self._orders.clear()
        self._search.forget()
        self.news.set()

    def _classify(self, key: str) -> None:
        """Count it among its like."""
        torrent = self._session.torrent(key)
        self._kinds.put(key, self._kind_of(torrent) if torrent is not None and self.there(key) else None)

    def _kind_of(self, torrent: Torrent) -> Kind:
        entry = self.library.entry(torrent.key)
        state = state_of(torrent, entry, self.library)
        row = self._rows.get(torrent.key)
        active = row is not None and (row.down_rate >= 1 or row.up_rate >= 1)
        states = _STATE_SETS[state, entry.complete, active]
        if torrent.options.cache:
            states = (*states, "cache")
        return Kind(states, entry.category, entry.tags, host_of(first_tracker(torrent)))

    # -- what happens

    async def _follow_engine(self) -> None:
        kinds = (
            engine_events.StateChanged, engine_events.TorrentAdded, engine_events.TorrentRemoved,
            engine_events.MetadataReady, engine_events.TorrentComplete, engine_events.TrackerAnnounced,
        )
        with self._session.subscribe(*kinds, size=20_000) as happenings:
            async for event in happenings:
                if isinstance(event, Lagged):
                    await self._again()
                else:
                    self._happened(event)

    async def _follow_library(self) -> None:
        with self.library.bus.subscribe(TorrentChanged, size=20_000) as happenings:
            async for event in happenings:
                if isinstance(event, Lagged):
                    await self._again()
                else:
                    self._happened(event)

    async def _again(self) -> None:
        for number, key in enumerate({*self._kinds, *(torrent.key for torrent in self._session.torrents)}, 1):
            self._classify(key)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        self._rows.clear()
        self.touch_all()

    def _happened(self, event: TorrentEvent) -> None:
        self.touch(event.torrent)

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self._tick()

    async def _tick(self) -> None:
        """Look at those on which something may have happened."""
        busy = [torrent for torrent in self._session.awake if torrent.active or torrent.key in self._rows]
        left = dict.fromkeys(self._rows)
        for number, torrent in enumerate(busy):
            key = torrent.key
            left.pop(key, None)
            if not self.there(key):
                continue
            row = row_of(torrent, self.library)
            former = self._rows.get(key)
            if former is None or not same(former, row):
                self._rows[key] = row
                self._note(key)
            if not torrent.active and former is not None:
                del self._rows[key]
            if number % 50 == 49:
                await asyncio.sleep(0)
        for key in left:
            self._rows.pop(key, None)
            self._note(key)


def same(one: TorrentRow, other: TorrentRow) -> bool:
    """But for what grows by itself every second."""
    if one == other:
        return True
    return all(
        getattr(one, field) == getattr(other, field) for field in _COMPARED
    )


_COMPARED: Final = tuple(
    field for field in TorrentRow.__struct_fields__ if field not in ("active_seconds", "seeding_seconds"))


def _state_set(state: str, complete: bool, active: bool) -> tuple[str, ...]:
    names = [state, "complete" if complete else "incomplete", "active" if active else "inactive"]
    if state not in ("stopped", "error"):
        names.append("running")
    if state in ("downloading", "seeding", "metadata") and not active:
        names.append("stalled")
    return tuple(names)


_STATE_SETS: Final = {
    (state, complete, active): _state_set(state, complete, active)
    for state in ("metadata", "checking", "moving", "downloading", "seeding", "queued", "stopped", "error")
    for complete in (False, True) for active in (False, True)
}
