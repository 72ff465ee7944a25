"""What channels need, made of a session and its library: heads of the DHT, and torrents that are listed like all
others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from wildbach.base.errors import FormatError, UsageError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import Keys
from wildbach.engine.mutable import Watched
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import places
from wildbach.interfaces.api.core import Core
from wildbach.protocol.channels.items import Item
from wildbach.protocol.dht import items
from wildbach.protocol.heads import CHANNEL as SALT
from wildbach.protocol.metainfo import Magnet, Metainfo, MutableLink
from wildbach.protocol.metainfo.info import File, Info
from wildbach.services.channels.seams import Copy, Head, Sent
from wildbach.services.library.entry import NONE, Entry
from wildbach.services.library.events import TorrentEnlisted

SOURCE: Final = "channel "
"What the entries of their torrents begin with."
_OWNER: Final = "channel"
"Whose cache the torrents of followed channels are."


class ChannelHeads:
    """The `Heads` of channels: the session guards against old ones, and follows a key that has given way to another."""

    def __init__(self, session: Session, keys: Keys, core: Core) -> None:
        self._session = session
        self._keys = keys
        self._core = core
        self._watched: dict[bytes, Watched] = {}
        self._told: dict[bytes, Callable[[], None]] = {}

    async def newest(self, link: MutableLink) -> Head | None:
        one = await self._watch(link)
        before = one.key
        await self._session.mutables.refresh(one)
        if one.hashes is not None:
            heard = one.heard or one.key != before
            return Head(
                one.hashes, one.seq, one.key if one.key != link.public_key else b"", heard, "" if heard else one.reason)
        if one.failure is not None:
            raise one.failure
        if one.odd:
            raise FormatError(one.reason)
        return None

    async def _watch(self, link: MutableLink) -> Watched:
        one = self._watched.get(link.public_key)
        if one is None:
            one = self._watched[link.public_key] = await self._session.mutables.watch(link)
        one.told = self._told.get(link.public_key)
        return one

    async def names_recovery(self, link: MutableLink, recovery: bytes) -> bool:
        return await self._session.mutables.names_recovery(await self._watch(link), recovery)

    async def public_key(self, name: str, *, make: bool) -> bytes | None:
        if not make and name not in await self._core.threads.run(self._keys.names):
            return None
        return items.public_key(await self._core.threads.run(partial(self._keys.get, name)))

    async def recovery(self, name: str) -> bytes:
        return bytes.fromhex((await self._core.threads.run(self._keys.facts, name)).recovery)

    async def publish(self, name: str, hashes: InfoHashes, *, adopt: bool, count: int, at: int) -> Sent:
        done = await self._session.mutables.publish(
            hashes, key=name, salt=SALT, adopt=adopt, extra={b"n": count, b"ts": at})
        return Sent(done.link, done.seq, done.nodes)

    def forget(self, link: MutableLink) -> None:
        one = self._watched.pop(link.public_key, None)
        if one is not None:
            self._session.mutables.unwatch(one)

    def tell(self, key: bytes, told: Callable[[], None] | None) -> None:
        if told is None:
            self._told.pop(key, None)
        else:
            self._told[key] = told
        one = self._watched.get(key)
        if one is not None:
            one.told = told


class ChannelCopy:
    """A `Copy`: one torrent of the session."""

    def __init__(self, torrent: Torrent) -> None:
        self.torrent = torrent

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChannelCopy) and other.torrent is self.torrent

    def __hash__(self) -> int:
        return id(self.torrent)

    @property
    def info(self) -> Info | None:
        return self.torrent.info

    @property
    def whole(self) -> bool:
        return self.torrent.asleep or self.torrent.whole

    @property
    def share(self) -> float:
        if not self.torrent.asleep and self.torrent.info is None:
            return 0.0
        view = self.torrent.view()
        return view.done / view.size if view.size else 0.0

    @property
    def seeds(self) -> int:
        return self.torrent.view().seeds

    @property
    def reason(self) -> str:
        return self.torrent.view().reason

    async def metadata(self) -> Info:
        return await self.torrent.metadata()

    async def begin(self, wanted: frozenset[int]) -> None:
        if self.whole or self.torrent.options.cache != _OWNER:
            return  # a head may name whatever it likes: what the user added stays as it is
        info = await self.torrent.metadata()
        unwanted = {index: 0 for index in range(len(info.files)) if index not in wanted}
        if unwanted:
            await self.torrent.set_priorities(unwanted)
        await self.torrent.resume()

    async def complete(self) -> None:
        await self.torrent.complete()

    async def read(self, index: int, length: int) -> bytes:
        parts: list[bytes] = []
        at = 0
        async with self.torrent.open(index) as reader:
            while at < length:
                part = await reader.read(at, length - at)
                if not part:
                    break
                parts.append(part)
                at += len(part)
        return b"".join(parts)


class ChannelTorrents:
    """The `Torrents` of channels. They do not wait for a turn in the queue, and are seeded without limit."""

    def __init__(self, core: Core, loaded: asyncio.Event) -> None:
        self._core = core
        self._loaded = loaded

    async def ready(self) -> None:
        await self._loaded.wait()

    def find(self, hashes: InfoHashes) -> ChannelCopy | None:
        torrent = self._core.session.known(hashes)
        if torrent is None or self._core.library.in_trash(torrent.key):
            return None
        return ChannelCopy(torrent)

    async def fetch(
        self, hashes: InfoHashes, link: MutableLink, *, similar: Copy | None, name: str,
    ) -> ChannelCopy:
        magnet = Magnet(hashes, name, link.trackers, link.web_seeds, link.peers)
        alike = similar.torrent.hashes.swarms if isinstance(similar, ChannelCopy) else ()
        entry = Entry(
            forced=True, name=name, ratio_limit=NONE, seeding_limit=NONE, idle_limit=NONE, source=SOURCE + name)
        return ChannelCopy(await self._add(magnet, entry, AddOptions(
            cache=_OWNER, metadata_only=True, similar=alike), back=False))

    async def seed(self, metainfo: Metainfo, folder: Path, *, name: str) -> ChannelCopy:
        entry = Entry(
            forced=True, name=name, ratio_limit=NONE, seeding_limit=NONE, idle_limit=NONE, source=SOURCE + name)
        return ChannelCopy(await self._add(metainfo, entry, AddOptions(save_path=folder, in_place=True), back=True))

    async def _add(self, source: Magnet | Metainfo, entry: Entry, options: AddOptions, *, back: bool) -> Torrent:
        """`back`: also out of the trash."""
        core = self._core
        hashes = source.info.hashes if isinstance(source, Metainfo) else source.hashes
        async with core.adding:
            there = core.session.known(hashes)
            if there is not None:
                if core.library.in_trash(there.key):
                    if not back:
                        raise UsageError("this version lies in the trash: have it back from there", code="in_trash")
                    await core.library.take_back([there.key])
                return there
            await core.library.enlist(hashes.key, entry)
            try:
                torrent = await core.session.add(source, options)
            except WildbachError:
                await core.library.unlist(hashes.key)
                raise
            core.catalog.touch(torrent.key)
            core.library.bus.publish(TorrentEnlisted(torrent.key))
            return torrent

    async def remove(self, copy: Copy, *, files: bool) -> None:
        if not isinstance(copy, ChannelCopy):
            raise UsageError("this is no torrent of the session")
        torrent = copy.torrent
        if not self._core.library.entry(torrent.key).source.startswith(SOURCE):
            return  # somebody added it on their own
        await self._core.library.remove(torrent.key, files=files)

    async def download(self, item: Item, channel: str, key: str) -> str:
        """Into the usual folder, and listed like any torrent. Only the item's file is wanted, with what lies beside."""
        core, best = self._core, item.renditions[0]
        folder = await core.apart(places.home(core.settings.downloads.folder))
        named = best.hashes
        wanted = partial(belongs, item)
        there = core.session.known(named)
        torrent = await self._add(
            Magnet(named, item.title, web_seeds=best.ws),
            Entry(name=item.title, source=f"item of {channel}", channel=key),
            AddOptions(
                save_path=folder, select=wanted, existing="rename", suffix=core.settings.downloads.incomplete_suffix),
            back=True)
        if there is None:
            core.log.write("info", f"downloading {item.title} of the channel {channel}", torrent.key)
        else:
            core.scope.spawn(f"wanting:{torrent.key}", self._want_too(torrent, wanted), contain=core.report)
        return torrent.key

    async def _want_too(self, torrent: Torrent, wanted: Callable[[int, File], bool]) -> None:
        """One more file of a torrent that is here already: for another item, or as the cache of a play."""
        core = self._core
        if torrent.options.cache:
            await core.session.content.keep(torrent.key)
            core.library.kept(torrent.key)
        info = await torrent.metadata()
        priorities = torrent.known.selection.priorities if torrent.known is not None else ()
        more = {
            index: 1 for index, file in enumerate(info.files)
            if not file.pad and index < len(priorities) and not priorities[index] and wanted(index, file)
        }
        if more:
            await torrent.set_priorities(more)
            await core.library.start([torrent.key])
            core.catalog.touch(torrent.key)


def belongs(item: Item, _index: int, file: File) -> bool:
    """The file of an item's torrent is the item itself, its picture or its subtitles."""
    best = item.renditions[0]
    if best.root:
        roots = {best.root, item.thumbnail, *(one.root for one in item.subtitles)}
        return file.root is None or file.root.hex() in roots
    return not best.path or "/".join(file.path.parts) == best.path


