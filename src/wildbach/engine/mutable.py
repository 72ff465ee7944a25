"""Torrents that change (BEP 46): published under a key, and followed by those who know its public half.

What is published is an item of the DHT (BEP 44) that holds the info hash. A follower asks for it every now and then.
Where it has changed, the new torrent is fetched beside the old one, whose files it takes over, and replaces it. A
number that is not higher than the last one, or a value that is none, changes nothing; signatures are checked before
anything gets here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, UsageError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import Keys
from wildbach.disk.layout import Layout, look
from wildbach.disk.resume import ResumeRecord, ResumeStore
from wildbach.engine import brief, events
from wildbach.engine.dht import Dht, Stored
from wildbach.engine.options import AddOptions
from wildbach.engine.settings import DhtSettings
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.protocol import bencode
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet, MutableLink
from wildbach.runtime.bus import Bus
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

AREA: Final = "mutable"
"Where the store keeps what is followed, by public key and salt."
_RETRY_FIRST: Final = 15.0
_RETRY_MOST: Final = 600.0
_AT_ONCE: Final = 4
"Items that are asked for at the same time."
_SETTLED: Final = (State.DOWNLOADING, State.SEEDING, State.STOPPED)


class Library(Protocol):
    """What following needs of a session."""

    async def add(self, source: Magnet, options: AddOptions | None = None) -> Torrent: ...

    def torrent(self, key: str) -> Torrent | None: ...

    async def remove(self, torrent: Torrent, delete_files: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher gives away."""

    link: MutableLink
    seq: int
    "The item's number: one more than the last one's."
    nodes: int
    "Nodes that took it."


@dataclass(frozen=True, slots=True)
class FollowView:
    """One link that is followed."""

    link: str
    seq: int
    "The number of the newest item that was taken; -1 before the first."
    torrent: str
    "The key of the torrent it leads to now; empty before the first."
    next_torrent: str
    "The key of the one that is to replace it, while its metadata is fetched."
    reason: str
    "Why nothing is known of the newest one, in plain words; empty where all is well."


class Following:
    """A link that is followed, and how far it has led."""

    def __init__(self, link: MutableLink, options: AddOptions) -> None:
        self.link = link
        self.options = options
        self.seq = -1
        self.torrent = ""
        self.pending: Torrent | None = None
        self.pending_seq = -1
        self.reason = ""
        self.found = asyncio.Event()
        "Set once there is a torrent."
        self.look = asyncio.Event()
        "Set to have it looked up now."
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return f"{self.link.public_key.hex()}.{self.link.salt.hex()}"

    @property
    def target(self) -> bytes:
        return items.target(self.link.public_key, self.link.salt)

    def view(self) -> FollowView:
        coming = self.pending.key if self.pending is not None else ""
        return FollowView(self.link.to_uri(), self.seq, self.torrent, coming, self.reason)


class Mutables:
    """`session.mutables`: publishes, and follows."""

    def __init__(
        self, library: Library, dht: Dht, scope: Scope, store: ResumeStore, threads: Threads, bus: Bus, rng: Rng, *,
        settings: Callable[[], DhtSettings], keys: Keys | None, report: Callable[[Exception], None],
    ) -> None:
        self._library = library
        self._dht = dht
        self._scope = scope.child("mutable")
        self._store = store
        self._threads = threads
        self._bus = bus
        self._rng = rng
        self._settings = settings
        self._keys = keys
        self._report = report
        self._followed: dict[str, Following] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        await self._scope.close()

    # -- publishing

    def use_keys(self, keys: Keys) -> None:
        """Take the keys from there, where the session has no data directory of its own."""
        self._keys = keys

    async def publish(self, torrent: Torrent | InfoHashes, *, key: str = "default", salt: bytes = b"") -> Published:
        """Say that this is the newest torrent under a key of the data directory, which is made where there is none.
        The item is stored again every hour, by later sessions of the data directory too.

        Raises NetworkError where the DHT cannot be reached, and `ItemRefused` where somebody else published under this
        key at the same time; UsageError for a private torrent, or without a data directory.
        """
        if isinstance(torrent, Torrent) and torrent.private:
            raise UsageError("a private torrent is not published")
        if self._keys is None:
            raise UsageError("publishing needs a data directory, which holds the key")
        secret = await self._threads.run(self._keys.get, key)
        public = items.public_key(secret)
        raw = bencode.encode(value_of(torrent.hashes if isinstance(torrent, Torrent) else torrent))
        newest = await self._dht.get_mutable(public, salt)
        if newest is not None and newest.raw == raw:
            stored, item = await self._dht.put(newest, keep=True), newest
        else:
            item = items.signed(secret, bencode.decode(raw), newest.seq + 1 if newest is not None else 1, salt)
            stored = await self._put(item, newest)
        return Published(MutableLink(public, salt), item.seq, stored.nodes)

    async def _put(self, item: Item, newest: Item | None) -> Stored:
        return await self._dht.put(item, cas=newest.seq if newest is not None else None, keep=True)

    # -- following

    @property
    def followed(self) -> tuple[FollowView, ...]:
        return tuple(one.view() for one in self._followed.values())

    async def follow(self, link: MutableLink, options: AddOptions | None = None) -> Following:
        """Add whatever torrent the link leads to, now and whenever it changes, in later runs too (`Session.restore`).
        Returns at once; `torrent_of` waits. Raises UsageError where too many links are followed.
        """
        name = Following(link, AddOptions()).name
        one = self._followed.get(name)
        if one is not None:
            return one
        if len(self._followed) >= limits.DHT_FOLLOWED:
            raise UsageError(f"no more than DHT_FOLLOWED = {limits.DHT_FOLLOWED} links are followed")
        one = Following(link, options if options is not None else AddOptions())
        kept = (await self._threads.run(self._store.kept, AREA)).get(name)
        if kept is not None:
            _take_up(one, kept)
        await self._begin(one)
        return one

    async def _begin(self, one: Following) -> None:
        self._followed[one.name] = one
        await self._save(one)
        if self._library.torrent(one.torrent) is not None:
            one.found.set()
        if one.link.first is not None and one.seq < 0:
            torrent = await self._library.add(self._magnet(one, one.link.first.hashes), one.options)
            one.torrent = torrent.key
            one.found.set()
        one.task = self._scope.spawn(f"follow:{one.name[:8]}", self._follow(one), contain=self._report)

    async def torrent_of(self, one: Following) -> Torrent:
        """The torrent a link leads to; waits until there is one. Raises UsageError where it is followed no more."""
        while True:
            await one.found.wait()
            torrent = self._library.torrent(one.torrent)
            if torrent is not None:
                return torrent
            if self._followed.get(one.name) is not one:
                raise UsageError("the link is not followed any more")
            one.found.clear()

    async def unfollow(self, link: MutableLink) -> None:
        """Leave the torrent as it is from now on."""
        one = self._followed.get(Following(link, AddOptions()).name)
        if one is not None:
            await self._forget(one)

    async def removed(self, key: str) -> None:
        """A torrent was taken out of the session: the link that led to it is followed no more."""
        for one in list(self._followed.values()):
            if one.torrent == key:
                await self._forget(one)

    async def _forget(self, one: Following) -> None:
        del self._followed[one.name]
        one.found.set()
        if one.task is not None:
            one.task.cancel()
        self._dht.replaced.pop(one.target, None)
        self._dht.forget(one.target)
        await self._threads.run(self._store.keep, AREA, {one.name: None})

    def look(self, link: MutableLink) -> None:
        """Ask at once whether the torrent has changed."""
        one = self._followed.get(Following(link, AddOptions()).name)
        if one is not None:
            one.look.set()

    async def restore(self) -> int:
        """Go on following what the last run followed. Returns how many links that are."""
        count = 0
        for name, raw in (await self._threads.run(self._store.kept, AREA)).items():
            if name not in self._followed:
                one = _read(name, raw)
                if one is not None:
                    await self._begin(one)
                    count += 1
        return count

    async def _follow(self, one: Following) -> None:
        self._dht.replaced[one.target] = lambda _item: one.look.set()
        fails = 0
        while True:
            one.look.clear()
            item = await self._newest(one)
            if item is not None:
                await self._heard(one, item)
            if item is None and one.seq < 0:
                wait = min(_RETRY_FIRST * 2 ** min(fails, 10), _RETRY_MOST)
                fails += 1
            else:
                wait = self._settings().follow_seconds
            await self._wait(one, wait * (0.9 + 0.2 * self._rng.random()))

    async def _newest(self, one: Following) -> Item | None:
        async with self._gate:
            try:
                item = await self._dht.get_mutable(one.link.public_key, one.link.salt)
            except NetworkError as error:
                one.reason = error.message
                return None
        one.reason = "" if item is not None or one.seq >= 0 else "the DHT knows nothing under this key"
        return item

    async def _wait(self, one: Following, seconds: float) -> None:
        """Until it is to be looked up again; a torrent whose metadata comes meanwhile takes the old one's place."""
        until = asyncio.get_running_loop().time() + seconds
        pending = one.pending
        if pending is not None:
            try:
                async with asyncio.timeout_at(until):
                    await _first(one.look.wait(), pending.metadata(), self._scope)
            except TimeoutError:
                return
            except WildbachError as error:
                one.reason = error.message
            if not one.look.is_set() and pending.info is not None:
                # Not within the time limit: half a change is none.
                await self._replace(one, pending)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await one.look.wait()

    async def _heard(self, one: Following, item: Item) -> None:
        """The DHT has this item, whose signature is good."""
        if item.seq < max(one.seq, one.pending_seq):
            return
        hashes = hashes_of(item)
        if hashes is None:
            one.reason = "what was published there last is no torrent"
            return
        try:
            self._dht.keep(item, soon=False)
        except UsageError as error:
            self._report(error)
        there = self._library.torrent(one.torrent)
        if there is not None and there.hashes.matches(hashes):
            await self._settle(one, item.seq, there)
        elif one.pending is None or not one.pending.hashes.matches(hashes):
            await self._fetch(one, item.seq, hashes)

    async def _fetch(self, one: Following, seq: int, hashes: InfoHashes) -> None:
        """Begin with another torrent than the one that is there."""
        if one.pending is not None:
            await self._library.remove(one.pending)
            one.pending = None
        former = one.torrent if one.torrent != hashes.key else ""
        options = one.options if not former else replace(one.options, metadata_only=True)
        torrent = await self._library.add(self._magnet(one, hashes), options)
        if not former:
            await self._settle(one, seq, torrent)
        else:
            one.pending, one.pending_seq = torrent, seq

    @staticmethod
    def _magnet(one: Following, hashes: InfoHashes) -> Magnet:
        return Magnet(hashes, one.link.name, one.link.trackers, peers=one.link.peers)

    async def _replace(self, one: Following, new: Torrent) -> None:
        """The metadata of the new torrent is here: it takes over the files and the place of the old one."""
        old = self._library.torrent(one.torrent)
        paused = old is not None and old.state is State.PAUSED
        ours = await self._threads.run(_paths, self._store, one.torrent)
        options = replace(
            new.options, metadata_only=one.options.metadata_only, existing=one.options.existing,
            similar=old.hashes.swarms if old is not None else (),
        )
        foreign = "" if new.info is None else await self._threads.run(_foreign, new.info, options, ours)
        if not foreign:
            options = replace(options, existing="overwrite")
        if old is not None:
            await old.pause()
        new.change_options(options)
        if foreign and options.existing == "stop":
            new.life.stop(
                f"{foreign} is in the way and does not belong to the torrent that this one replaces: move it, then go "
                "on",
                "target_exists",
            )
        else:
            await self._opened(new)
        if new.state is State.STOPPED:
            # The old one stays in its place until there is a newer one.
            one.reason, one.seq, one.pending = new.reason, one.pending_seq, None
            if old is not None and not paused:
                await old.resume()
            await self._save(one)
            return
        if paused:
            await new.pause()
        one.pending = None
        await self._settle(one, one.pending_seq, new)
        if old is not None:
            await self._library.remove(old)

    async def _opened(self, new: Torrent) -> None:
        """Go on with a torrent until it is known what is on the disk."""
        with self._bus.subscribe(events.StateChanged) as changes:
            await new.resume()
            while new.state not in _SETTLED:
                await anext(changes)

    async def _settle(self, one: Following, seq: int, torrent: Torrent) -> None:
        """The link leads to this torrent."""
        former, one.torrent = one.torrent, torrent.key
        changed = seq != one.seq or former != torrent.key
        one.seq = one.pending_seq = seq
        one.reason = ""
        one.found.set()
        if changed:
            await self._save(one)
            self._bus.publish(events.MutableUpdated(
                torrent.key, one.link.public_key.hex(), one.link.salt.hex(), seq, former
            ))

    async def _save(self, one: Following) -> None:
        await self._threads.run(_write, self._store, one)


async def _first(one: Awaitable[object], two: Awaitable[object], scope: Scope) -> None:
    """Wait for either; the other one is ended. An error of either is raised."""
    errors: list[Exception] = []

    async def run(work: Awaitable[object]) -> None:
        await work

    tasks = [scope.spawn("wait", run(work), contain=errors.append) for work in (one, two)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    if errors:
        raise errors[0]


def value_of(hashes: InfoHashes) -> bencode.Value:
    """What an item holds that leads to a torrent. `ih` is the v1 hash, or the v2 hash cut short where there is none;
    `ih2` is the v2 hash, of which BEP 46 does not speak.
    """
    value: dict[bytes, bencode.Value] = {b"ih": hashes.swarms[0]}
    if hashes.v2 is not None:
        value[b"ih2"] = hashes.v2
    return value


def hashes_of(item: Item) -> InfoHashes | None:
    """The torrent an item leads to, or None where it holds something else."""
    try:
        value = item.value
    except FormatError:
        return None
    if not isinstance(value, dict):
        return None
    v1, v2 = value.get(b"ih"), value.get(b"ih2")
    if not isinstance(v1, bytes) or len(v1) != 20:
        return None
    if not isinstance(v2, bytes) or len(v2) != 32:
        return InfoHashes(v1)
    return InfoHashes(None if v1 == v2[:20] else v1, v2)


# what is remembered


def _write(store: ResumeStore, one: Following) -> None:
    record = brief.new_record("", one.link.name, one.options)
    raw = {
        "link": one.link.to_uri(), "seq": one.seq, "torrent": one.torrent, "options": record.to_json(),
        "asked": brief.asked_of(one.options), "paused": one.options.paused, "existing": one.options.existing,
    }
    store.keep(AREA, {one.name: json.dumps(raw, sort_keys=True).encode()}, durable=True)


def _read(name: str, raw: bytes) -> Following | None:
    """What `_write` wrote, or None where it is damaged or of another version."""
    try:
        fields = json.loads(raw)
        record = ResumeRecord.from_json(fields["options"])
        record.options[brief.FIELD] = {"asked": fields["asked"], "paused": fields["paused"]}
        options = replace(brief.OptionsReader().read(record), existing=str(fields["existing"]))
        one = Following(MutableLink.parse(fields["link"]), options)
    except (ValueError, KeyError, TypeError, WildbachError):
        return None
    _take_up(one, raw)
    return one if one.name == name else None


def _take_up(one: Following, raw: bytes) -> None:
    """How far a link had led when it was written down."""
    try:
        fields: Mapping[str, Any] = json.loads(raw)
        one.seq, one.torrent = int(fields["seq"]), str(fields["torrent"])
    except (ValueError, KeyError, TypeError):
        one.seq, one.torrent = -1, ""


def _paths(store: ResumeStore, key: str) -> dict[str, None]:
    """The files that a torrent has, by what the store knows of it."""
    record, raw = store.load(key) if key else None, store.metainfo(key) if key else None
    if record is None or raw is None:
        return {}
    try:
        info = Metainfo.parse(raw).info
    except WildbachError:
        return {}
    root = record.incomplete_path or record.save_path
    return _all_paths(info, Layout(root, record.layout, record.renames, record.suffix))


def _all_paths(info: Info, layout: Layout) -> dict[str, None]:
    names = [layout.path(info, number) for number in range(len(info.files))]
    return dict.fromkeys((*names, *(name + layout.suffix for name in names)))


def _foreign(info: Info, options: AddOptions, ours: dict[str, None]) -> str:
    """What lies at the place of one of a torrent's files and does not belong to the torrent it replaces; empty where
    there is nothing. Else a publisher could have files overwritten that were never his.
    """
    layout = Layout(str(options.save_path.absolute()), options.layout, {}, options.suffix)
    there = look(info, layout)
    found = [layout.path(info, number) for number in there.existing]
    return next((path for path in (*there.obstacles, *found) if path not in ours), "")
