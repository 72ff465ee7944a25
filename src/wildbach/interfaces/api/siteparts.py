"""What sites need, made of a session and its library: heads of the DHT, and torrents that are listed like all
others."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
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
from wildbach.interfaces.api.core import Core
from wildbach.protocol.dht import items
from wildbach.protocol.metainfo import Magnet, Metainfo, MutableLink
from wildbach.protocol.metainfo.info import Info
from wildbach.services.library.entry import NONE, Entry
from wildbach.services.library.events import TorrentEnlisted
from wildbach.services.sites.seams import Copy, Head, Progress, ReadsFile, Sent

CACHE: Final = "site"
"Whose cache their files are."
_DIFFERS: Final = (
    """another recovery key is named under this key than before, by its owner or by a thief; the one that was heard
    first """
    "counts")
SOURCE: Final = "site "
"What the entries of their torrents begin with."


class SiteHeads:
    """The `Heads` of sites: the session guards against old ones, and follows a key that has given way to another."""

    def __init__(self, session: Session, keys: Keys, core: Core) -> None:
        self._session = session
        self._keys = keys
        self._core = core
        self._watched: dict[bytes, Watched] = {}
        self._told: dict[bytes, Callable[[], None]] = {}

    async def newest(self, key: bytes, link: str) -> Head | None:
        mutables = self._session.mutables
        one = self._watched.get(key)
        if one is None:
            recovery = MutableLink.parse(link).recovery if link else b""
            one = self._watched[key] = await mutables.watch(MutableLink(key, recovery=recovery))
        one.told = self._told.get(key)
        before = one.key
        await mutables.refresh(one)
        signer = one.key if one.key != key else b""
        if one.hashes is not None and (one.heard or one.key != before):
            return Head(one.hashes, one.seq, signer, reason=_DIFFERS if one.recovery_differs else "")
        if one.hashes is not None:
            # What was seen before counts on, however silent it is now.
            return Head(one.hashes, one.seq, signer, one.heard_at, one.reason)
        if one.failure is not None:
            raise one.failure
        if one.odd:
            raise FormatError(one.reason)
        return None

    async def public_key(self, name: str, *, make: bool) -> bytes | None:
        if not make and name not in await self._core.threads.run(self._keys.names):
            return None
        return items.public_key(await self._core.threads.run(partial(self._keys.get, name)))

    async def publish(self, name: str, hashes: InfoHashes, *, adopt: bool) -> Sent:
        done = await self._session.mutables.publish(hashes, key=name, adopt=adopt)
        return Sent(done.link.public_key, done.seq, done.nodes, done.confirmed, done.link.recovery)

    def forget(self, key: bytes) -> None:
        one = self._watched.pop(key, None)
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


class SiteCopy:
    """A `Copy`: one torrent of the session."""

    def __init__(self, torrent: Torrent) -> None:
        self.torrent = torrent

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SiteCopy) and other.torrent is self.torrent

    def __hash__(self) -> int:
        return id(self.torrent)

    @property
    def info(self) -> Info | None:
        return self.torrent.info

    @property
    def metainfo(self) -> Metainfo | None:
        return self.torrent.metainfo

    @property
    def whole(self) -> bool:
        return self.torrent.asleep or self.torrent.whole

    async def metadata(self) -> Info:
        return await self.torrent.metadata()

    async def begin(self) -> None:
        # A head may name whatever it likes: what the user added and stopped stays as it is.
        if not self.whole and self.torrent.options.cache == CACHE:
            await self.torrent.resume()

    async def complete(self) -> None:
        await self.torrent.complete()

    def open(self, file: int) -> AbstractAsyncContextManager[ReadsFile]:
        return self.torrent.open(file)

    def progress(self) -> Progress:
        view = self.torrent.view()
        known = self.torrent.asleep or self.torrent.info is not None
        return Progress(
            view.done if known else 0, view.size if known else 0, view.peers, view.seeds, view.down_rate, view.reason)


class SiteTorrents:
    """The `Torrents` of sites. They do not wait for a turn in the queue, and are seeded without limit."""

    def __init__(self, core: Core, loaded: asyncio.Event) -> None:
        self._core = core
        self._loaded = loaded

    async def ready(self) -> None:
        await self._loaded.wait()

    def find(self, hashes: InfoHashes) -> SiteCopy | None:
        torrent = self._core.session.known(hashes)
        if torrent is None or self._core.library.in_trash(torrent.key):
            return None
        return SiteCopy(torrent)

    async def fetch(
        self, hashes: InfoHashes, *, link: str, web_seeds: tuple[str, ...], similar: Copy | None, name: str,
    ) -> SiteCopy:
        named = _magnet(hashes, link)
        magnet = Magnet(hashes, name, named.trackers, web_seeds, named.peers)
        alike = similar.torrent.hashes.swarms if isinstance(similar, SiteCopy) else ()
        return await self._add(magnet, name, AddOptions(
            cache=CACHE, layout="none", existing="overwrite", metadata_only=True, similar=alike), back=False)

    async def seed(self, metainfo: Metainfo, folder: Path, *, name: str) -> SiteCopy:
        return await self._add(metainfo, name, AddOptions(
            save_path=folder, layout="none", in_place=True, skip_check=True), back=True)

    async def _add(self, source: Magnet | Metainfo, name: str, options: AddOptions, *, back: bool) -> SiteCopy:
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
                return SiteCopy(there)
            entry = Entry(
                forced=True, name=name, ratio_limit=NONE, seeding_limit=NONE, idle_limit=NONE, source=SOURCE + name)
            await core.library.enlist(hashes.key, entry)
            try:
                torrent = await core.session.add(source, options)
            except WildbachError:
                await core.library.unlist(hashes.key)
                raise
            core.catalog.touch(torrent.key)
            core.library.bus.publish(TorrentEnlisted(torrent.key))
            return SiteCopy(torrent)

    async def remove(self, copy: Copy) -> None:
        torrent = _torrent_of(copy)
        if self._core.library.entry(torrent.key).source.startswith(SOURCE):
            # What somebody added on their own is theirs.
            cached, folder = torrent.options.cache == CACHE, torrent.save_path
            await self._core.library.remove(torrent.key, files=cached)
            if cached:
                await self._core.threads.run(_tidy, folder)

    async def meet(self, copy: Copy, link: str) -> None:
        torrent = _torrent_of(copy)
        if not self._core.library.in_trash(torrent.key):
            # As who it is cache for: else it would be kept as a download.
            options = AddOptions(cache=torrent.options.cache)
            await self._core.session.add(_magnet(torrent.hashes, link), options)

    def touch(self, copy: Copy) -> None:
        self._core.session.content.touch(_torrent_of(copy).key)

    async def pin(self, copy: Copy, pinned: bool) -> None:
        torrent = _torrent_of(copy)
        if torrent.options.cache != CACHE:
            return
        content = self._core.session.content
        await (content.pin(torrent.key) if pinned else content.unpin(torrent.key))


def _magnet(hashes: InfoHashes, link: str) -> Magnet:
    """A torrent, with the trackers and peers of the link of its site."""
    named = MutableLink.parse(link) if link else None
    return Magnet(hashes, trackers=named.trackers, peers=named.peers) if named is not None else Magnet(hashes)


def _tidy(folder: str) -> None:
    """The empty folder that is left of a torrent of the cache."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _torrent_of(copy: Copy) -> Torrent:
    if not isinstance(copy, SiteCopy):
        raise UsageError("this is no torrent of the session")
    return copy.torrent
