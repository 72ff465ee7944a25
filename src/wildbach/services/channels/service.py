"""The channels that are followed here: what each leads to, and the items of all in one index.

Nothing is asked or fetched for a key that nobody followed. Of a channel only its own few files are fetched, never what
its items lead to, unless somebody asked for that. A head with a lower number than the highest seen is passed over, and
silence is never taken for "unchanged": `heard_at` says when the network last told of a head. A version that cannot be
read changes nothing: what was there before stays.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, StorageError, UsageError, WildbachError
from wildbach.base.events import Event
from wildbach.protocol import payouts, sites
from wildbach.protocol.channels import files
from wildbach.protocol.channels.files import Parts
from wildbach.protocol.channels.items import Channel, Item, read_channel
from wildbach.protocol.heads import CHANNEL as SALT
from wildbach.protocol.metainfo import MutableLink
from wildbach.protocol.metainfo.magnet import is_mutable
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.channels import state
from wildbach.services.channels.events import ChannelFailed, ChannelUpdated, PayoutChanged
from wildbach.services.channels.index import Content, Found, Hit, Index, Query
from wildbach.services.channels.seams import Copy, Head, Heads, Keeper, Torrents
from wildbach.services.channels.settings import ChannelSettings
from wildbach.services.channels.state import Followed, Version
from wildbach.services.channels.views import ChannelView

_AT_ONCE: Final = 3
"Channels that are looked up or fetched at the same time."
_RETRY_SECONDS: Final = 30.0
"Until one of which nothing is known yet is asked for again; doubled each time, up to the setting."
_AUTO: Final = 20
"New items that are downloaded at once; a channel that brings more is not to fill the disk."


@dataclass(slots=True)
class _Live:
    """What holds for this run only."""

    due: float = 0.0
    fails: int = 0
    problem: str = ""
    looking: bool = False
    fetching: asyncio.Task[None] | None = None
    fetched: str = ""
    "`Version.key` of what is being fetched."


class Channels:
    """Make it, `load` it, `close` it. What changes something raises UsageError or StorageError, and nothing changed."""

    def __init__(
        self, scope: Scope, *, settings: Callable[[], ChannelSettings], keeper: Keeper, heads: Heads,
        torrents: Torrents, index: Index, writing: Threads, searching: Threads, publish: Callable[[Event], None],
        report: Callable[[Exception], None], wall: Callable[[], float] = time.time,
    ) -> None:
        """`writing`, `searching`: one thread each for the index, so that a search waits for no update. `wall`: seconds
        since 1970.
        """
        self._scope = scope.child("channels")
        self._settings = settings
        self.keeper = keeper
        self.heads = heads
        self.torrents = torrents
        self.index = index
        self._writing = writing
        self._searching = searching
        self.tell = publish
        self._report = report
        self.wall = wall
        self._clock = asyncio.get_running_loop().time
        self._channels: dict[str, Followed] = {}
        self._live: dict[str, _Live] = {}
        self.drafts: dict[str, dict[str, Item]] = {}
        "Items that wait to be published, by channel and number."
        self.lock = asyncio.Lock()
        "Held while a record changes."
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        self._back = False
        "The torrents of the last run are listed."

    async def load(self) -> None:
        """Take what the last run kept, and begin."""
        for name, raw in (await self.keeper.kept(state.AREA)).items():
            try:
                channel = state.decode(name, raw)
            except FormatError as error:
                self._report(error)
                continue
            self._channels[channel.key] = channel
        self._scope.spawn("look", self._run(), contain=self._report)

    async def close(self) -> None:
        await self._scope.close()
        await self._writing.run(self.index.close)

    # -- looking at what is known

    def get(self, key: str) -> Followed | None:
        return self._channels.get(key)

    def labelled(self, label: str) -> Followed | None:
        """By the whole label of its key, which is no word that a channel could take as its title."""
        return next((one for one in self._channels.values() if one.label == label), None)

    def find(self, word: str) -> Followed:
        """By its name or title, the beginning of its label, or its key in hex. Raises UsageError where none or several
        fit.
        """
        all_ = list(self._channels.values())
        found = [one for one in all_ if word and word in (one.own, one.name, one.title)]
        found = found or [one for one in all_ if word and (
            one.label.startswith(word.lower()) or one.key.startswith(word.lower()))]
        if len(found) == 1:
            return found[0]
        raise UsageError(
            f"there is no channel {word}" if not found else
            f"{word} stands for {len(found)} channels; say more of the key",
            code="not_found" if not found else "ambiguous")

    async def views(self) -> list[ChannelView]:
        """All, by title."""
        return [await self.view(one) for one in sorted(self._channels.values(), key=lambda one: one.title.lower())]

    async def view(self, channel: Followed) -> ChannelView:
        standing = await self._searching.run(self.index.standing, channel.key)
        new = await self._searching.run(self.index.count_newer, channel.key, channel.looked) if standing else 0
        copy = self.torrents.find(channel.wanted.hashes) if channel.wanted is not None else None
        coming = channel.wanted is not None and channel.wanted != channel.shown and not channel.wanted.refused
        return ChannelView(
            channel, standing.items if standing is not None else 0, new, len(self.drafts.get(channel.key, {})),
            (copy.share if copy is not None else 0.0) if coming else 1.0, copy.seeds if copy is not None else 0,
            self._reason(channel, copy if coming else None))

    def _reason(self, channel: Followed, copy: Copy | None) -> str:
        problem = self._of(channel.key).problem
        if problem:
            return problem
        if channel.wanted is not None and channel.wanted.refused:
            return channel.wanted.refused
        if channel.wanted is None:
            return "" if channel.own else "looking for the channel"
        return copy.reason if copy is not None else ""

    async def search(self, query: Query) -> Found:
        """Raises StorageError."""
        return await self._searching.run(self.index.search, query)

    async def item(self, channel: Followed, guid: str) -> Hit:
        """Raises UsageError, code `not_found`."""
        hit = await self._searching.run(self.index.item, channel.key, guid)
        if hit is None:
            raise UsageError(f"{channel.title} has no item {guid}", code="not_found")
        return hit

    async def feed(self, channel: Followed) -> bytes:
        """feed.xml of the version that is here. Raises UsageError, code `not_found`."""
        copy = self.torrents.find(channel.shown.hashes) if channel.shown is not None else None
        if copy is None or not copy.whole:
            raise UsageError(f"no version of {channel.title} is here yet", code="not_found")
        part = files.parts_of(await copy.metadata()).named.get(files.FEED)
        if part is None:
            raise UsageError(f"{channel.title} has no feed", code="not_found")
        return await copy.read(part.index, part.length)

    def looked(self, channels: tuple[str, ...] = ()) -> Mapping[str, int]:
        """Up to which turn each was looked at, for `Query.newer`."""
        return {one.key: one.looked for one in self._channels.values() if not channels or one.key in channels}

    # -- what people do

    async def follow(self, text: str, *, name: str = "", auto: bool = False) -> Followed:
        """Follow a channel by its link or key: it is looked up, fetched and given to others from now on. Of one that is
        known: its trackers and peers are learned, and it is asked for now. Raises FormatError for what is no link,
        UsageError where there are too many.
        """
        link = link_of(text)
        checked_name(name)
        async with self.lock:
            there = self._channels.get(link.public_key.hex())
            if there is None and len(self._channels) >= limits.CHANNELS:
                raise UsageError(
                    f"no more than CHANNELS = {limits.CHANNELS} channels are followed at a time; unfollow some")
            channel = there or Followed(link.public_key.hex(), followed_at=int(self.wall()))
            channel = msgspec.structs.replace(
                channel, link=link.to_uri() if not channel.own else channel.link, name=name or channel.name,
                auto=auto or channel.auto, wanted=channel.wanted if channel.wanted is None else
                msgspec.structs.replace(channel.wanted, refused=""))
            await self.save(channel)
        self.look_soon(channel.key)
        return channel

    async def unfollow(self, key: str) -> None:
        """Its files, its items and what is remembered of it go. What was downloaded of its items stays, and so do the
        key and the files of one that is published from here.
        """
        async with self.lock:
            channel = self.must(key)
            live = self._live.pop(key, _Live())
            if live.fetching is not None:
                live.fetching.cancel()
            for version in (channel.wanted, channel.shown):
                if version is not None:
                    await self._drop(channel, version, files=not channel.own)
            drafts = self.drafts.pop(key, {})
            await self.keeper.keep(state.DRAFTS, {f"{key}.{number}": None for number in drafts})
            await self.keeper.keep(state.AREA, {key: None}, durable=True)
            del self._channels[key]
            await self._writing.run(self.index.drop, key)
        self.heads.tell(channel.id, None)
        self.heads.forget(channel.mutable)

    async def change(
        self, key: str, *, name: str | None = None, auto: bool | None = None, payout_seen: bool = False,
    ) -> Followed:
        """`payout_seen`: the address for tips that it names now is right."""
        async with self.lock:
            channel = self.must(key)
            channel = msgspec.structs.replace(
                channel, name=channel.name if name is None else checked_name(name),
                auto=channel.auto if auto is None else auto,
                payout_was="" if payout_seen else channel.payout_was)
            await self.save(channel)
        return channel

    async def look_at(self, key: str) -> None:
        """Somebody looked at its items: what is there now is new no longer."""
        standing = await self._searching.run(self.index.standing, key)
        async with self.lock:
            channel = self.must(key)
            if standing is not None and standing.turn != channel.looked:
                await self.save(msgspec.structs.replace(channel, looked=standing.turn), durable=False)

    def look_soon(self, key: str) -> None:
        """Ask for its head now."""
        self._of(key).due = self._clock()
        self._wake.set()

    # -- following

    async def _run(self) -> None:
        """One loop for all channels."""
        await self.torrents.ready()
        self._back = True
        for channel in list(self._channels.values()):
            self.heads.tell(channel.id, partial(self.look_soon, channel.key))
            await self._mend(channel)
            self._ensure(channel)
        while True:
            self._wake.clear()
            now, soonest = self._clock(), float("inf")
            for key, channel in list(self._channels.items()) if self._settings().enabled else ():
                live = self._of(key)
                if live.looking:
                    continue
                if live.due <= now:
                    live.looking = True
                    self._scope.spawn(f"look:{channel.label[:8]}", self._look(key), contain=self._report)
                else:
                    soonest = min(soonest, live.due)
            try:
                async with asyncio.timeout(None if soonest == float("inf") else max(0.0, soonest - now)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _mend(self, channel: Followed) -> None:
        """An index that was lost, or had to be thrown away, is made again of what is on the disk."""
        shown = channel.shown
        if shown is None:
            return
        try:
            standing = await self._searching.run(self.index.standing, channel.key)
        except StorageError as error:
            self._of(channel.key).problem = error.message
            return
        if standing is None or standing.version != shown.key:
            async with self.lock:
                await self.save(msgspec.structs.replace(self.must(channel.key), shown=None, looked=0), durable=False)

    async def _look(self, key: str) -> None:
        live = self._of(key)
        try:
            async with self._gate:
                await self._ask(key, live)
        finally:
            live.looking = False
            period = self._settings().refresh_minutes * 60
            channel = self._channels.get(key)
            if channel is not None and channel.wanted is None and not channel.own:
                period = min(period, _RETRY_SECONDS * float(1 << min(live.fails, 10)))
            live.due = self._clock() + period
            self._wake.set()

    async def _ask(self, key: str, live: _Live) -> None:
        channel = self._channels.get(key)
        if channel is None:
            return
        await self._mend(channel)
        channel = self._channels.get(key)
        if channel is None or (channel.own and channel.wanted is None):
            return  # nothing was published yet
        self._ensure(channel)
        try:
            head = await self.heads.newest(channel.mutable)
            if head is None:
                live.problem = "the network knows nothing under this key"
                live.fails += 1
                return
            live.fails = 0
            await self._heard(key, head, live)
        except (NetworkError, FormatError, StorageError) as error:
            live.problem = error.message
            live.fails += 1

    async def _heard(self, key: str, head: Head, live: _Live) -> None:
        async with self.lock:
            channel = self._channels.get(key)
            if channel is None:
                return
            moved = head.signer.hex() if head.signer not in (b"", channel.id) else ""
            wanted = channel.wanted
            same = wanted is not None and wanted.hashes.matches(head.hashes)
            if moved == channel.signer and head.seq < channel.seq:
                live.problem = (
                    f"the network answered with number {head.seq}, which is older than number {channel.seq} that is "
                    "known; it is passed over")
                return
            if moved == channel.signer and not same and head.seq == channel.seq:
                live.problem = f"two versions have the number {head.seq}; the first one that was seen counts"
                return
            if channel.own and not same:
                live.problem = (
                    f"number {head.seq} was published elsewhere under this key: by another machine that has it, or a "
                    "thief. Publish with adopt to go on from there, or rotate the key")
                return
            live.problem = head.reason
            channel = msgspec.structs.replace(
                channel, heard_at=int(self.wall()) if head.heard else channel.heard_at, seq=head.seq, signer=moved,
                wanted=wanted if same and wanted is not None else Version(
                    (head.hashes.v1 or b"").hex(), (head.hashes.v2 or b"").hex(), head.seq))
            await self.save(channel, durable=not same)
        self._ensure(channel)

    # -- fetching

    def _ensure(self, channel: Followed) -> None:
        """Have the version that its head leads to fetched and read, unless that goes on already."""
        live = self._of(channel.key)
        wanted, shown = channel.wanted, channel.shown
        if not self._back or wanted is None or wanted.refused or (shown is not None and shown.key == wanted.key):
            return
        if live.fetching is not None and not live.fetching.done():
            if live.fetched == wanted.key:
                return
            live.fetching.cancel()
        live.fetched = wanted.key
        live.fetching = self._scope.spawn(
            f"fetch:{channel.label[:8]}", self._fetch(channel.key, wanted), contain=self._report)

    async def _fetch(self, key: str, version: Version) -> None:
        live = self._of(key)
        try:
            await self._bring(key, version)
            live.problem = ""
        except FormatError as error:
            await self._refuse(key, version, error.message)
        except WildbachError as error:
            live.problem = error.message

    async def _refuse(self, key: str, version: Version, reason: str) -> None:
        """What is wrong with a version stays wrong: it is not fetched again, and what it has here goes."""
        reason = f"its newest version cannot be read: {reason}"
        async with self.lock:
            channel = self._channels.get(key)
            if channel is None or channel.wanted is None or channel.wanted.key != version.key:
                return
            await self.save(msgspec.structs.replace(
                channel, wanted=msgspec.structs.replace(channel.wanted, refused=reason)))
        if not channel.own:
            await self._drop(channel, version, files=True)
        self.tell(ChannelFailed(channel.label, channel.title, reason))

    async def _bring(self, key: str, version: Version) -> None:
        channel = self.must(key)
        former = self.torrents.find(channel.shown.hashes) if channel.shown is not None else None
        async with self._gate:
            copy = self.torrents.find(version.hashes)
            if copy is None:
                copy = await self.torrents.fetch(
                    version.hashes, channel.mutable, similar=former, name=f"channel {channel.title}")
        # Waiting for peers takes no place from other channels: somebody who never comes must not stop them.
        parts = files.parts_of(await copy.metadata())
        if parts.size > limits.CHANNEL_BYTES:
            raise FormatError(f"its files have more than CHANNEL_BYTES = {limits.CHANNEL_BYTES} bytes", where="channel")
        await copy.begin(parts.wanted)
        await copy.complete()
        async with self._gate:
            await self.take(key, version, copy, parts)
        if former is not None and channel.shown is not None and former != copy and not channel.own:
            await self._drop(channel, channel.shown, files=True)

    async def _drop(self, channel: Followed, version: Version, *, files: bool) -> None:
        """A version is not needed here. A head may name any torrent, also one of another channel: that stays."""
        copy = self.torrents.find(version.hashes)
        others = (
            one for other in self._channels.values() if other.key != channel.key for one in (other.shown, other.wanted))
        if copy is not None and not any(one is not None and one.hashes.matches(version.hashes) for one in others):
            await self.torrents.remove(copy, files=files)

    async def take(self, key: str, version: Version, copy: Copy, parts: Parts) -> int:
        """Read the files of a version that is here, and show it; how many items are new. Raises FormatError."""
        channel = self.must(key)
        named = parts.named
        facts = await self._writing.run(read_channel, await copy.read(
            named[files.CHANNEL].index, named[files.CHANNEL].length))
        raw = await copy.read(named[files.HEAD].index, named[files.HEAD].length)
        known = await self._searching.run(self.index.archives, key, channel.signer)
        archives: list[tuple[str, Callable[[], tuple[Item, ...]]]] = []
        for number, part in enumerate(parts.archives):
            # What is known is not read. All together are bounded by CHANNEL_BYTES.
            read = _known
            if number >= len(known):
                packed = await copy.read(part.index, part.length)
                read = partial(files.read_archive, packed, f"archive {number:04}")
            archives.append((part.root.hex(), read))

        def update() -> int:
            return self.index.update(
                Content(key, channel.signer, version.key, tuple(archives), files.read_head(raw)))

        new = await self._writing.run(update)
        standing = await self._searching.run(self.index.standing, key)
        recovery = bytes.fromhex(facts.recovery)
        differs = bool(recovery) and not channel.own and not await self.heads.names_recovery(channel.mutable, recovery)
        async with self.lock:
            former = self.must(key)
            fresh = msgspec.structs.replace(
                former, shown=version, facts=facts if not former.own else former.facts, recovery_differs=differs,
                payout_was=_payout_was(former, facts))
            if former.shown is None and standing is not None:
                # Of a channel that has just been followed nothing is new: it was all there.
                fresh = msgspec.structs.replace(fresh, looked=standing.turn)
                new = 0
            await self.save(fresh)
        if fresh.payout_was and fresh.payout_was != former.payout_was:
            self.tell(PayoutChanged(fresh.label, fresh.title, fresh.payout_was, facts.payout))
        if not fresh.own:
            self.tell(ChannelUpdated(fresh.label, fresh.title, version.seq, new))
        if fresh.auto and new and standing is not None:
            await self._download_new(fresh, standing.turn - 1)
        return new

    async def _download_new(self, channel: Followed, turn: int) -> None:
        found = await self.search(Query(newer={channel.key: turn}, limit=_AUTO))
        for hit in found.hits:
            if hit.item.renditions:
                try:
                    await self.torrents.download(hit.item, channel.title, channel.label)
                except WildbachError as error:
                    self._of(channel.key).problem = f"{hit.item.title}: {error.message}"

    async def download(self, channel: Followed, guid: str) -> str:
        """Have an item downloaded; the key of the torrent. Raises UsageError."""
        hit = await self.item(channel, guid)
        if not hit.item.renditions:
            raise UsageError(f"the item {hit.item.title or guid} has nothing to download", code="not_found")
        return await self.torrents.download(hit.item, channel.title, channel.label)

    # -- state

    async def save(self, channel: Followed, *, durable: bool = True) -> None:
        """Written, then true."""
        await self.keeper.keep(state.AREA, {channel.key: state.encode(channel)}, durable=durable)
        fresh = channel.key not in self._channels
        self._channels[channel.key] = channel
        if fresh:
            self.heads.tell(channel.id, partial(self.look_soon, channel.key))

    async def rename(self, channel: Followed, moved: Followed) -> None:
        """An own channel has another key from now on."""
        await self.keeper.keep(
            state.AREA, {channel.key: None, moved.key: state.encode(moved)}, durable=True)
        del self._channels[channel.key]
        self._channels[moved.key] = moved
        self._live.pop(channel.key, None)
        await self._writing.run(self.index.drop, channel.key)
        self.heads.tell(channel.id, None)
        self.heads.forget(channel.mutable)
        self.heads.tell(moved.id, partial(self.look_soon, moved.key))

    def must(self, key: str) -> Followed:
        channel = self._channels.get(key)
        if channel is None:
            raise UsageError("this channel is not followed here", code="not_found")
        return channel

    def _of(self, key: str) -> _Live:
        live = self._live.get(key)
        if live is None:
            live = self._live[key] = _Live()
        return live


def _known() -> tuple[Item, ...]:
    """An archive that the index had a moment ago."""
    raise StorageError("the index was lost meanwhile; it is made again", code="state_damaged")


def _payout_was(former: Followed, facts: Channel) -> str:
    """The address for tips that the user knows, where the channel names another one now."""
    if former.own or former.facts is None:
        return ""
    return payouts.former(former.payout_was, former.facts.payout, facts.payout)


def link_of(text: str) -> MutableLink:
    """A channel's link, or its key alone as 52 letters or 64 hex digits. Raises FormatError."""
    text = text.strip()
    link = MutableLink.parse(text) if is_mutable(text) and text[:7].lower() == "magnet:" else MutableLink(
        sites.parse_link(text).key)
    if link.salt not in (b"", SALT):
        raise FormatError("it leads to something else than a channel", where="magnet.s")
    return replace(link, salt=SALT)


def checked_name(name: str) -> str:
    """Raises UsageError for what cannot be shown in a line."""
    name = name.strip()
    if len(name) > limits.CHANNEL_TITLE or not name.isprintable():
        raise UsageError(
            f"a title has up to CHANNEL_TITLE = {limits.CHANNEL_TITLE} characters that can be shown in one line")
    return name
