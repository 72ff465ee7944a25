"""Torrents that change (BEP 46): published under a key, and followed by those who know its public half.

What is published is an item of the DHT (BEP 44) that holds the info hash. A follower asks for it every now and then.
Where it has changed, the new torrent is fetched beside the old one, whose files it takes over, and replaces it. A
number that is not higher than the highest ever seen, or a value that is none, changes nothing; signatures are checked
before anything gets here. Where the pinned recovery key says that the key gave way to another (`protocol.heads`), the
follower goes back to the last good head and on with the other key, whatever number the old one has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import Keys
from wildbach.disk.resume import ResumeStore
from wildbach.engine import events, following
from wildbach.engine.dht import Dht
from wildbach.engine.exchange import Exchange, Library, magnet_of
from wildbach.engine.following import AREA, Following, FollowView, Watched
from wildbach.engine.headrooms import HeadRooms
from wildbach.engine.heads import HeadRecord, Heads
from wildbach.engine.options import AddOptions
from wildbach.engine.publishing import HeadAhead, OwnHead, Published, Publisher, Signer
from wildbach.engine.rotating import Rotated, Rotator
from wildbach.engine.settings import DhtSettings
from wildbach.engine.torrent import Torrent
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import ROTATION, hashes_of, head_of, rotation_of
from wildbach.protocol.metainfo.magnet import MutableLink
from wildbach.runtime.bus import Bus
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads

__all__ = ["FollowView", "Following", "HeadAhead", "Mutables", "OwnHead", "Published", "Rotated", "Watched"]

_RETRY_FIRST: Final = 15.0
_RETRY_MOST: Final = 600.0
_AT_ONCE: Final = 4
"Items that are asked for at the same time."
_WATCHED: Final = "="
"Before the names of those of which only the head is followed."
_ROTATION_ROUNDS: Final = 24
"A rotation is asked for so many times more seldom than a head: once a day."


class Mutables:
    """`session.mutables`: publishes, and follows. `wall`: seconds since 1970."""

    def __init__(
        self, library: Library, dht: Dht, scope: Scope, store: ResumeStore, threads: Threads, bus: Bus, rng: Rng, *,
        settings: Callable[[], DhtSettings], keys: Keys | None, report: Callable[[Exception], None],
        wall: Callable[[], float],
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
        self._wall = wall
        self._heads = Heads(store, threads, wall)
        self._publisher = Publisher(dht, self._heads, wall)
        self._exchange = Exchange(library, self._scope, store, threads, bus, self._save)
        self._followed: dict[str, Following] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self.rooms = HeadRooms(library, self._heads, self._followed)
        "What peers tell each other."

    async def close(self) -> None:
        await self._scope.close()

    # -- publishing

    def use_keys(self, keys: Keys) -> None:
        """Take the keys from there, where the session has no data directory of its own."""
        self._keys = keys

    async def publish(
        self, torrent: Torrent | InfoHashes, *, key: str = "default", salt: bytes = b"", adopt: bool = False,
        extra: Mapping[bytes, bencode.Value] | None = None,
    ) -> Published:
        """Say that this is the newest torrent under a key of the data directory, which is made where there is none.
        The item is stored again every hour, by later sessions of the data directory too. `extra`: what the item says
        besides. It is done once a fresh look into the DHT gives it back (`Published.confirmed`).

        Raises HeadAhead where the DHT has a head that was not published from here (another machine with the key, a
        backup that was put back, a thief): look at it (`head`), then `adopt`. Raises NetworkError where the DHT cannot
        be reached, and `ItemRefused` where somebody else published at the same moment; UsageError for a private
        torrent, without a data directory, and where a thief has put the highest number there is.
        """
        if isinstance(torrent, Torrent) and torrent.private:
            raise UsageError("a private torrent is not published")
        signer = await self._signer(key)
        hashes = torrent.hashes if isinstance(torrent, Torrent) else torrent
        record = await self._given_out(signer.public, salt)
        published = await self._publisher.publish(signer, hashes, salt, adopt=adopt, extra=extra)
        self.rooms.give_out(record, hashes)
        return published

    async def _given_out(self, public: bytes, salt: bytes) -> HeadRecord:
        """What stands under a key of ours before it changes: its followers may be in that torrent for a while."""
        await self._heads.load()
        record = self._heads.record(public, salt)
        before = hashes_of(record.newest) if record.newest is not None else None
        if before is not None:
            self.rooms.give_out(record, before)
        return record

    async def head(self, *, key: str = "default", salt: bytes = b"") -> OwnHead:
        """What stands under a key of the data directory now, and whether it was published from here. Raises as
        `publish`; UsageError for a key that there is not.
        """
        signer = await self._signer(key, make=False)
        return await self._publisher.look(signer.public, salt)

    async def rotate(
        self, key: str, *, recovery: bytes = b"", good: Mapping[bytes, InfoHashes] | None = None,
    ) -> Rotated:
        """Put another key in the place of this one, which has the name from now on, and publish the last heads under
        it. `recovery`: the secret half of the recovery key, where it was erased from the data directory. `good`: the
        last heads that are to be shown, by salt, where they are not those that were published from here.

        Raises UsageError for a key without a recovery key, for a wrong one, and where it has named another key already;
        NetworkError where no node of the DHT took it: then the old key has the name still, and it can be done again.
        """
        if self._keys is None:
            raise UsageError("there are no keys without a data directory")
        rotated = await Rotator(self._dht, self._heads, self._publisher, self._keys, self._threads, self._wall).rotate(
            key, recovery, good or {})
        for record in self._heads.under(rotated.former):
            for item in (record.newest, record.wrote):
                hashes = hashes_of(item) if item is not None else None
                if hashes is not None:
                    self.rooms.give_out(record, hashes)
        for one in self._followed.values():
            one.look.set()
        return rotated

    async def _signer(self, key: str, *, make: bool = True) -> Signer:
        if self._keys is None:
            raise UsageError("publishing needs a data directory, which holds the key")
        keys = self._keys
        secret = await self._threads.run(partial(keys.get, key, make=make))
        facts = await self._threads.run(keys.facts, key)
        if facts.next_key:
            raise UsageError(f"the key {key} has given way to another: nobody listens to it", code="key_rotated")
        return Signer(secret, bytes.fromhex(facts.recovery))

    # -- following

    @property
    def followed(self) -> tuple[FollowView, ...]:
        return tuple(one.view() for one in self._followed.values() if not isinstance(one, Watched))

    async def follow(self, link: MutableLink, options: AddOptions | None = None) -> Following:
        """Add whatever torrent the link leads to, now and whenever it changes, in later runs too (`Session.restore`).
        Returns at once; `torrent_of` waits. Raises UsageError where too many links are followed.
        """
        await self._heads.load()
        name = Following(link, AddOptions()).name
        one = self._followed.get(name)
        if one is not None:
            await self._named(one, link.recovery)
            return one
        if len(self._followed) >= limits.DHT_FOLLOWED:
            raise UsageError(f"no more than DHT_FOLLOWED = {limits.DHT_FOLLOWED} links are followed")
        one = Following(link, options if options is not None else AddOptions())
        kept = (await self._threads.run(self._store.kept, AREA)).get(name)
        if kept is not None:
            following.take_up(one, kept)
        self._followed[one.name] = one
        self._attach(one)
        await self._named(one, link.recovery)
        await self._save(one)
        if one.link.first is not None and one.seq < 0 and one.record.newest is None:
            torrent = await self._library.add(magnet_of(one, one.link.first.hashes), one.options)
            one.place = torrent.key
        self._begin(one)
        return one

    async def watch(self, link: MutableLink) -> Watched:
        """Follow only the head of a link, for who fetches what it leads to on its own and calls `refresh` when it wants
        to know; nothing is asked before. The link is not remembered for the next run, what was seen of its key is.
        Raises UsageError where too many links are followed.
        """
        await self._heads.load()
        name = _WATCHED + Following(link, AddOptions()).name
        there = self._followed.get(name)
        one = there if isinstance(there, Watched) else Watched(link)
        if one is not there:
            if len(self._followed) >= limits.DHT_FOLLOWED:
                raise UsageError(f"no more than DHT_FOLLOWED = {limits.DHT_FOLLOWED} links are followed")
            self._followed[name] = one
            self._attach(one)
            await self._go_on(one)
        await self._named(one, link.recovery)
        return one

    async def refresh(self, one: Watched) -> None:
        """Ask now for the head of a watched link, and whether its key gave way to another. Then `hashes`, `seq`, `key`
        and `value` are the newest that is known, `heard` tells whether somebody said so just now, and `reason` or
        `failure` why not.
        """
        async with one.asking:
            one.heard = False
            await self._round(one)

    def unwatch(self, one: Watched) -> None:
        """Keep its head alive no longer."""
        if self._followed.pop(_WATCHED + one.name, None) is not None:
            self._let_go(one)
            self.rooms.changed()

    def _attach(self, one: Following) -> None:
        """Find the key that counts now."""
        record = self._heads.chain(one.link.public_key, one.link.salt)[-1]
        if one.record.key != record.key:
            one.seq = -1  # it was the number of another key
        record.users += 1
        one.record = record
        self._dht.replaced[record.target] = self._replaced
        for each in self._heads.chain(one.link.public_key, one.link.salt):
            if each.moved is not None:
                self._keep(each.moved)
                self._dht.replaced[each.moved.target] = self._other_rotation

    def _begin(self, one: Following) -> None:
        self._followed[one.name] = one
        if self._library.torrent(one.torrent) is not None:
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

    async def pin(self, link: MutableLink, recovery: bytes) -> None:
        """Believe this recovery key of a followed link from now on: the user's word, where another was named than the
        one that was heard first. Raises UsageError where it is not followed.
        """
        name = Following(link, AddOptions()).name
        found = [one for each in (name, _WATCHED + name) if (one := self._followed.get(each)) is not None]
        if not found or len(recovery) != 32:
            raise UsageError("the link is not followed" if not found else "a recovery key has 32 bytes")
        await self._heads.pin(found[0].record, recovery)
        for one in found:
            one.recovery_differs, one.rotation_at = b"", 0.0
            one.look.set()

    async def names_recovery(self, one: Following, recovery: bytes) -> bool:
        """What is published says that this is the recovery key. Believed where none was heard of yet; True where it is
        the one that is believed. Where not, `recovery_differs` says so, and nothing changes until `pin`.
        """
        await self._named(one, recovery)
        return one.record.recovery == recovery

    async def _named(self, one: Following, recovery: bytes) -> None:
        record = one.record
        if not recovery or recovery == record.recovery:
            return
        former = {each.recovery: None for each in self._heads.chain(one.link.public_key, one.link.salt)}
        if not record.recovery:
            await self._heads.pin(record, recovery)
            one.rotation_at = 0.0
        elif recovery not in former and recovery != one.recovery_differs:
            one.recovery_differs = recovery
            self._bus.publish(events.RecoveryDiffers(
                one.torrent, one.link.public_key.hex(), one.link.salt.hex(), recovery.hex()
            ))

    async def unfollow(self, link: MutableLink) -> None:
        """Leave the torrent as it is from now on."""
        one = self._followed.get(Following(link, AddOptions()).name)
        if one is not None:
            await self._forget(one)

    async def removed(self, key: str) -> None:
        """A torrent was taken out of the session: the link that led to it is followed no more."""
        for one in list(self._followed.values()):
            if one.place == key:
                await self._forget(one)

    async def _forget(self, one: Following) -> None:
        del self._followed[one.name]
        one.found.set()
        if one.task is not None:
            one.task.cancel()
        self._let_go(one)
        self.rooms.changed()
        await self._threads.run(self._store.keep, AREA, {one.name: None})

    def _let_go(self, one: Following) -> None:
        """Its items are kept alive no longer, but for those that others follow, or that are ours."""
        one.record.users -= 1
        needed = {target for other in self._followed.values() if other is not one for target in self._targets(other)}
        if one.record.wrote is None:
            for target in self._targets(one):
                if target not in needed:
                    self._dht.replaced.pop(target, None)
                    self._dht.forget(target)

    def _targets(self, one: Following) -> list[bytes]:
        """Where its items stand: its head, and the rotations that led there."""
        chain = self._heads.chain(one.link.public_key, one.link.salt)
        return [one.record.target, *(each.moved.target for each in chain if each.moved is not None)]

    def look(self, link: MutableLink) -> None:
        """Ask at once whether the torrent has changed."""
        one = self._followed.get(Following(link, AddOptions()).name)
        if one is not None:
            one.look.set()

    async def remembered(self) -> list[Following]:
        """What the last run followed."""
        await self._heads.load()
        kept = await self._threads.run(self._store.kept, AREA)
        return [one for name, raw in kept.items() if (one := following.read(name, raw)) is not None]

    def restore(self, remembered: Iterable[Following]) -> None:
        """Go on following, now that the torrents are back."""
        for one in remembered:
            if one.name not in self._followed:
                self._attach(one)
                self._begin(one)

    async def _follow(self, one: Following) -> None:
        await self._go_on(one)
        fails = 0
        while True:
            one.look.clear()
            if await self._round(one) or one.seq >= 0:
                wait = self._settings().follow_seconds
                fails = 0
            else:
                wait = min(_RETRY_FIRST * 2 ** min(fails, 10), _RETRY_MOST)
                fails += 1
            await self._exchange.wait(one, wait * (0.9 + 0.2 * self._rng.random()))

    async def _go_on(self, one: Following) -> None:
        """Begin with what is known, before anybody is asked."""
        newest = one.record.newest
        if newest is not None:
            await self._heard(one, newest, heard=False)
        elif one.seq < 0:
            good = self._last_good(one)
            if good is not None:
                await self._lead(one, -1, good)

    async def _lead(self, one: Following, seq: int, hashes: InfoHashes) -> None:
        if isinstance(one, Watched):
            one.lead(seq, hashes)
        else:
            await self._exchange.lead(one, seq, hashes)

    def _last_good(self, one: Following) -> InfoHashes | None:
        """The last head that was the owner's, of the keys before the one that counts."""
        for record in reversed(self._heads.chain(one.link.public_key, one.link.salt)[:-1]):
            rotation = record.rotation
            if rotation is not None and one.link.salt in rotation.good:
                return rotation.good[one.link.salt]
        return None

    async def _round(self, one: Following) -> bool:
        """Ask once, along the keys that gave way to others. True where there is a head."""
        while one.inbox:
            await self._given(one, one.inbox.pop(0))
        await self._advance(one)
        head = await self._newest(one)
        if head is not None and head_of(head) is not None and head.seq >= one.record.seq:
            await self._named(one, self._recovery_in(head))
        newer = head is not None and head.seq > max(one.seq, one.pending_seq)
        due = newer or asyncio.get_running_loop().time() >= one.rotation_at
        # Before a new head is shown: what a thief published is newer too.
        if one.record.recovery and due and await self._ask_rotation(one):
            return await self._round(one)
        if head is not None:
            await self._heard(one, head)
        if head is None or head.seq < one.record.seq:
            self.rooms.seek(one)  # the DHT is silent, or behind: peers may know more
        return head is not None

    @staticmethod
    def _recovery_in(item: Item) -> bytes:
        head = head_of(item)
        return head.recovery if head is not None else b""

    async def _newest(self, one: Following) -> Item | None:
        async with self._gate:
            try:
                item = (await self._dht.ask(one.record.key, one.record.salt)).item
            except NetworkError as error:
                one.reason, one.failure = error.message, error
                return None
        one.failure, one.odd = None, False
        if item is not None:
            one.reason = ""
        elif one.seq < 0:
            one.reason = "the DHT knows nothing under this key"
        else:
            one.reason = "the DHT has nothing under this key now, which does not mean that nothing has changed"
        return item

    async def _ask_rotation(self, one: Following) -> bool:
        """True where the key has given way to another."""
        async with self._gate:
            try:
                item = (await self._dht.ask(one.record.recovery, ROTATION)).item
            except NetworkError:
                return False  # it stays due
        pause = _ROTATION_ROUNDS * self._settings().follow_seconds * (0.9 + 0.2 * self._rng.random())
        one.rotation_at = asyncio.get_running_loop().time() + pause
        return item is not None and await self._rotated(one, item)

    async def _given(self, one: Following, item: Item) -> None:
        """A peer, or a node that was to keep an older one, gave us a genuine item."""
        if item.salt == ROTATION and item.key == one.record.recovery:
            await self._rotated(one, item)
        elif item.key == one.record.key and item.salt == one.record.salt:
            if head_of(item) is not None and item.seq >= one.record.seq:
                await self._named(one, self._recovery_in(item))
            await self._heard(one, item)

    async def _rotated(self, one: Following, item: Item) -> bool:
        """The recovery key signed this genuine item: leave the key, where it says so. The first rotation counts; who
        wants another one signs it with the next recovery key. False where it says nothing of the kind.
        """
        rotation, record = rotation_of(item), one.record
        if rotation is None or item.key != record.recovery or rotation.former != record.key:
            return False
        if record.moved is None:
            records = self._heads.chain(one.link.public_key, one.link.salt)
            if len(records) > limits.HEAD_ROTATIONS or any(rotation.key == each.key for each in records):
                one.reason = "this key has given way to others too often, or to one that gave way itself"
                return False
            await self._heads.move(record, item)
        return await self._advance(one)

    async def _advance(self, one: Following) -> bool:
        """Go on to the key that counts now. False where it is the one that did."""
        if self._heads.chain(one.link.public_key, one.link.salt)[-1] is one.record:
            return False
        self._let_go(one)
        self._attach(one)
        one.rotation_at = 0.0
        one.recovery_differs = b""
        if one.pending is not None:
            pending, one.pending = one.pending, None
            await self._library.remove(pending)
        one.seq = one.pending_seq = -1
        good, there = self._last_good(one), self._library.torrent(one.place)
        one.withheld = there is not None and good is not None and not there.hashes.matches(good)
        await self._save(one)
        self._bus.publish(events.KeyRotated(
            one.torrent, one.link.public_key.hex(), one.link.salt.hex(), one.record.key.hex()
        ))
        await self._go_on(one)
        return True

    def _replaced(self, item: Item) -> None:
        """The DHT has this newer item in the place of one that is kept alive."""
        self.rooms.gossiped(item)

    def _other_rotation(self, item: Item) -> None:
        """The DHT has another rotation than the one that was taken, under the same recovery key: that one must be
        stolen, and is not helped to stay.
        """
        self._dht.forget(item.target)

    def _keep(self, item: Item) -> None:
        try:
            self._dht.keep(item, soon=False)
        except UsageError as error:
            self._report(error)

    async def _heard(self, one: Following, item: Item, *, heard: bool = True) -> None:
        """Somebody has this head, whose signature is good; `heard`: somebody else."""
        hashes = hashes_of(item)
        if hashes is None:
            one.reason, one.odd = "what was published there last is no torrent", True
            return
        newest = max(one.seq, one.pending_seq, one.record.seq)
        if item.seq < newest:
            one.reason = f"the DHT has number {item.seq} only, which is older than number {newest} that was seen"
            return
        if not await self._heads.saw(one.record, item, heard=heard):
            one.reason = f"two torrents were published as number {item.seq}; the one that came first counts"
            return
        self._keep(item)
        one.heard = one.heard or heard
        self.rooms.changed(one)
        await self._lead(one, item.seq, hashes)
        self.rooms.changed(one)

    async def _save(self, one: Following) -> None:
        self.rooms.changed(one)
        if not isinstance(one, Watched):
            await self._threads.run(following.write, self._store, one)
