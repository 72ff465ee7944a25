"""Looking into torrents before they are added.

The metadata of magnet links is fetched by a session of its own: what is only looked at is in no list, no queue and no
statistics of the other one, and nothing of it is remembered. That session lives as long as somebody waits for metadata,
goes the same way out (interface, proxy, filter), and begins with the DHT nodes of the other one.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from wildbach.base.addresses import parse as parse_address
from wildbach.base.errors import FormatError, UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.adding import Adding, Loaded
from wildbach.interfaces.api.lately import Lately
from wildbach.interfaces.api.tree import FileTree, Now
from wildbach.interfaces.settings import ClientSettings
from wildbach.protocol.metainfo import Magnet, Metainfo, MutableLink
from wildbach.runtime.tasks import Contain, Scope

MOST: Final = 50
"Previews at a time."
UNASKED_SECONDS: Final = 1800.0
_NODES: Final = 200
_PEERS: Final = 50


@dataclass(slots=True)
class Look:
    """One preview."""

    id: str
    source: str
    loaded: Metainfo | Magnet | None = None
    magnet: Magnet | None = None
    "Where it began with one."
    torrent: Torrent | None = None
    "In the session that fetches its metadata."
    tree: FileTree | None = None
    error: WildbachError | None = None
    peers: tuple[Endpoint, ...] = ()
    "Those that were connected when the metadata came."
    task: asyncio.Task[None] | None = None


class Fetcher:
    """A session that fetches metadata, for as long as somebody needs it."""

    def __init__(self) -> None:
        self.users = 0
        self.idle = asyncio.Event()
        self.ready: asyncio.Future[Session] = asyncio.get_running_loop().create_future()


class Looks:
    """All of them."""

    def __init__(self, scope: Scope, report: Contain) -> None:
        self.found = Lately[Look](scope, report, seconds=UNASKED_SECONDS, most=MOST, gone=_end)
        self.fetcher: Fetcher | None = None


def _end(look: Look) -> None:
    if look.task is not None:
        look.task.cancel()


class Previewing(Adding):
    """A part of the Api."""

    looks: Looks

    async def preview(self, request: m.PreviewRequest) -> m.Preview:
        if bool(request.url) == bool(request.file):
            raise UsageError("a preview is of one url or one file")
        look = Look(secrets.token_hex(8), request.url.strip() or "file")
        if request.file:
            look.loaded = await self.core.threads.run(Metainfo.parse, request.file)
        else:
            with contextlib.suppress(FormatError):
                # What is wrong with a link is said where all goes wrong.
                look.magnet = Magnet.parse(look.source) if look.source[:7].lower() == "magnet:" else None
        if len(self.looks.found) >= MOST:
            raise UsageError(f"{MOST} torrents are being looked into already; add or remove some", code="busy")
        self.looks.found.put(look.id, look)
        if not request.file:
            look.task = self.core.scope.spawn(f"preview:{look.id}", self._load(look), contain=self.core.report)
        return self._shown(look)

    async def previewed(self, id: str) -> m.Preview:
        return self._shown(self._look(id))

    async def end_preview(self, id: str) -> None:
        self.looks.found.drop(self._look(id).id)

    async def preview_tree(self, id: str, query: m.TreeQuery) -> m.Tree:
        look = self._look(id)
        if not isinstance(look.loaded, Metainfo):
            raise UsageError("the metadata is not here yet", code="no_metadata")
        async with self.core.sorting:
            if look.tree is None:
                look.tree = await self.core.threads.run(FileTree, look.loaded.info)
            return await self.core.threads.run(look.tree.page, query, Now())

    # -- adding what was looked at

    async def add_torrents(self, request: m.AddRequest) -> m.AddResult:
        if not request.preview:
            return await super().add_torrents(request)
        if request.urls or request.files:
            raise UsageError("with a preview goes neither a url nor a file")
        look = self._look(request.preview)
        if look.error is not None:
            raise look.error
        await self._prepare(request)
        loaded = look.loaded

        async def load() -> Loaded:
            return loaded if loaded is not None else await self._fetch(look.source)

        added = await self._try(look.source, load, self._with_link(request, look))
        if not added.error:
            self.looks.found.drop(look.id)
        return m.AddResult((added,))

    @staticmethod
    def _with_link(request: m.AddRequest, look: Look) -> m.AddRequest:
        """Which files the magnet link named, and whom its metadata came from, count for the torrent too."""
        link, loaded = look.magnet, look.loaded
        if link is None or not isinstance(loaded, Metainfo):
            return request
        if link.select and request.select is None and not (request.paths or request.wanted):
            request = structs.replace(request, select=tuple(
                index for index, file in enumerate(loaded.info.files) if link.wants(index, file)))
        if loaded.info.private:
            # Only its own trackers may name peers of a private torrent (BEP 27).
            return request
        named = tuple(Endpoint(host, port) for host, port in link.peers if parse_address(host) is not None)
        peers = tuple(str(peer) for peer in dict.fromkeys((*look.peers, *named)))
        return structs.replace(request, peers=(*request.peers, *peers))

    # -- fetching

    async def _load(self, look: Look) -> None:
        try:
            loaded = await self._fetch(look.source)
            if isinstance(loaded, MutableLink):
                raise UsageError(
                    "what a link to a torrent that changes has is seen once it is added", code="unsupported")
            if isinstance(loaded, Metainfo):
                look.loaded = loaded
                return
            look.loaded = look.magnet = loaded
            there = self.core.session.known(loaded.hashes)
            if there is not None:
                if there.asleep:
                    await there.metadata()
                if there.metainfo is not None:
                    look.loaded = there.metainfo
                    return
            await self._from_swarm(look, loaded)
        except WildbachError as error:
            look.error = error

    async def _from_swarm(self, look: Look, magnet: Magnet) -> None:
        async with self._fetching() as session:
            torrent = await session.add(magnet, AddOptions(metadata_only=True))
            look.torrent = torrent
            try:
                await torrent.metadata()
                look.peers = tuple(self._peers_of(torrent))
                if torrent.metainfo is not None:
                    look.loaded = _with_trackers(torrent.metainfo, magnet)
            finally:
                look.torrent = None
                if not any(other.torrent is torrent for other in self.looks.found):
                    await session.remove(torrent)

    @staticmethod
    def _peers_of(torrent: Torrent) -> list[Endpoint]:
        parts = torrent.awake_parts
        if parts is None:
            return []
        return [peer.remote for peer in parts.swarm.peers.values() if peer.outgoing and not peer.web][:_PEERS]

    @contextlib.asynccontextmanager
    async def _fetching(self) -> AsyncIterator[Session]:
        """The session for metadata: begun with the first that needs it, and ended with the last."""
        looks = self.looks
        fetcher = looks.fetcher
        if fetcher is None:
            fetcher = looks.fetcher = Fetcher()
            self.core.scope.spawn("previews", self._serve(fetcher), contain=self.core.report)
        fetcher.users += 1
        try:
            yield await asyncio.shield(fetcher.ready)
        finally:
            fetcher.users -= 1
            if not fetcher.users:
                fetcher.idle.set()
                if looks.fetcher is fetcher:
                    looks.fetcher = None

    async def _serve(self, fetcher: Fetcher) -> None:
        choices, first = self.core.choices, self.core.session
        try:
            async with Session(_only_metadata(choices.settings), shuns=first.shuns) as session:
                async def follow(settings: ClientSettings) -> None:
                    await session.configure(_only_metadata(settings))

                choices.followers.append(follow)
                try:
                    await follow(choices.settings)
                    session.dht.hint([(node.host, node.port) for _, node in first.dht.nodes][:_NODES])
                    fetcher.ready.set_result(session)
                    await fetcher.idle.wait()
                finally:
                    choices.followers.remove(follow)
        except WildbachError as error:
            if fetcher.ready.done():
                raise
            fetcher.ready.set_exception(error)

    # -- what is known

    def _look(self, id: str) -> Look:
        look = self.looks.found.get(id)
        if look is None:
            raise UsageError("there is no such preview any more", code="not_found")
        return look

    def _shown(self, look: Look) -> m.Preview:
        loaded = look.loaded
        metainfo = loaded if isinstance(loaded, Metainfo) else None
        info = metainfo.info if metainfo is not None else None
        hashes = info.hashes if info is not None else look.magnet.hashes if look.magnet is not None else None
        view = look.torrent.view() if look.torrent is not None else None
        there = self.core.session.known(hashes) if hashes is not None else None
        trackers = [url for tier in metainfo.trackers for url in tier] if metainfo is not None else []
        if look.magnet is not None:
            trackers += look.magnet.trackers
        return m.Preview(
            id=look.id, source=look.source,
            state="failed" if look.error is not None else "ready" if info is not None else "metadata",
            key=hashes.key if hashes is not None else "",
            name=info.name if info is not None else (look.magnet.name if look.magnet is not None else ""),
            size=info.size if info is not None else (look.magnet.length or 0) if look.magnet is not None else 0,
            files=sum(not file.pad for file in info.files) if info is not None else 0,
            piece_length=info.piece_length if info is not None else 0, private=info is not None and info.private,
            comment=metainfo.comment if metainfo is not None else "",
            created_by=metainfo.created_by if metainfo is not None else "",
            created_at=(metainfo.creation_date or 0) if metainfo is not None else 0,
            infohash_v1=(hashes.v1 or b"").hex() if hashes is not None else "",
            infohash_v2=(hashes.v2 or b"").hex() if hashes is not None else "",
            trackers=tuple(dict.fromkeys(trackers)), duplicate=there is not None and self.core.catalog.there(there.key),
            peers=view.peers if view is not None else 0, seeds=view.seeds if view is not None else 0,
            known_peers=view.known_peers if view is not None else 0, reason=view.reason if view is not None else "",
            code=look.error.code if look.error is not None else "",
            error=look.error.message if look.error is not None else "",
        )


def _with_trackers(metainfo: Metainfo, link: Magnet) -> Metainfo:
    """A torrent file as it could have been of metadata that peers sent: with what the link named."""
    known = {url for tier in metainfo.trackers for url in tier}
    return replace(
        metainfo, trackers=(*metainfo.trackers, *((url,) for url in dict.fromkeys(link.trackers) if url not in known)),
        web_seeds=tuple(dict.fromkeys((*metainfo.web_seeds, *link.web_seeds))))


def _only_metadata(settings: ClientSettings) -> ClientSettings:
    """The same way out, on ports of its own, and no router is asked. Whom the filter has the other session knows."""
    listen = tuple(dict.fromkeys(text.rpartition(":")[0] + ":0" for text in settings.connections.listen))
    return replace(
        settings,
        connections=replace(settings.connections, listen=listen, half_open=min(20, settings.connections.half_open)),
        discovery=replace(settings.discovery, upnp=False, natpmp=False),
        disk=replace(settings.disk, workers="threads", sleep_after=0.0),
        filter=replace(settings.filter, sources=()),
    )
