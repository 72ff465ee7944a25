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
from dataclasses import dataclass, field, replace
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
from wildbach.interfaces.api.tree import FileTree, Now
from wildbach.interfaces.settings import ClientSettings
from wildbach.protocol.metainfo import Magnet, Metainfo, MutableLink

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
    asked_at: float
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


@dataclass(slots=True)
class Looks:
    """All of them."""

    found: dict[str, Look] = field(default_factory=dict)
    fetcher: Fetcher | None = None


class Previewing(Adding):
    """A part of the Api."""

    looks: Looks

    async def preview(self, request: m.PreviewRequest) -> m.Preview:
        if bool(request.url) == bool(request.file):
            raise UsageError("a preview is of one url or one file")
        self._forget_old()
        looks = self.looks
        if len(looks.found) >= MOST:
            raise UsageError(f"{MOST} torrents are being looked into already; add or remove some", code="busy")
        look = Look(secrets.token_hex(8), request.url.strip() or "file", self._now())
        with contextlib.suppress(FormatError):
            # What is wrong with a link is said where all goes wrong.
            look.magnet = Magnet.parse(look.source) if request.url[:7].lower() == "magnet:" else None
        looks.found[look.id] = look
        if request.file:
            try:
                look.loaded = await self.core.threads.run(Metainfo.parse, request.file)
            except WildbachError:
                del looks.found[look.id]
                raise
        else:
            look.task = self.core.scope.spawn(f"preview:{look.id}", self._load(look), contain=self.core.report)
        return self._shown(look)

    async def previewed(self, id: str) -> m.Preview:
        return self._shown(self._look(id))

    async def end_preview(self, id: str) -> None:
        self._end(self._look(id))

    async def preview_tree(self, id: str, query: m.TreeQuery) -> m.Tree:
        look = self._look(id)
        if not isinstance(look.loaded, Metainfo):
            raise UsageError("the metadata is not here yet", code="no_metadata")
        if look.tree is None:
            info = look.loaded.info
            look.tree = await self.core.threads.run(FileTree, info)
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
        loaded = look.loaded
        if loaded is None:
            raise UsageError("the torrent file is not here yet", code="no_metadata")
        await self._prepare(request)

        async def load() -> Loaded:
            return loaded

        added = await self._try(look.source, load, self._with_link(request, look))
        if not added.error:
            self._end(look)
        return m.AddResult((added,))

    @staticmethod
    def _with_link(request: m.AddRequest, look: Look) -> m.AddRequest:
        """What the magnet link said, and whom its metadata came from, count for the torrent too."""
        link, loaded = look.magnet, look.loaded
        if link is None or not isinstance(loaded, Metainfo):
            return request
        named = tuple(Endpoint(host, port) for host, port in link.peers if parse_address(host) is not None)
        peers = tuple(str(peer) for peer in dict.fromkeys((*look.peers, *named)))
        if loaded.info.private:
            # Only its own trackers may name peers of a private torrent (BEP 27).
            return request
        chosen = None
        if link.select and request.select is None and not (request.paths or request.wanted):
            chosen = tuple(
                index for index, file in enumerate(loaded.info.files) if link.wants(index, file))
        return structs.replace(
            request, trackers=(*request.trackers, *link.trackers), web_seeds=(*request.web_seeds, *link.web_seeds),
            peers=(*request.peers, *peers), select=chosen if chosen is not None else request.select)

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
                    look.loaded = torrent.metainfo
            finally:
                look.torrent = None
                if not any(other.torrent is torrent for other in self.looks.found.values()):
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
        try:
            async with Session(_only_metadata(self.core.settings)) as session:
                session.dht.hint([(node.host, node.port) for _, node in self.core.session.dht.nodes][:_NODES])
                fetcher.ready.set_result(session)
                await fetcher.idle.wait()
        except WildbachError as error:
            if fetcher.ready.done():
                raise
            fetcher.ready.set_exception(error)

    # -- what is known

    def _look(self, id: str) -> Look:
        self._forget_old()
        look = self.looks.found.get(id)
        if look is None:
            raise UsageError("there is no such preview any more", code="not_found")
        look.asked_at = self._now()
        return look

    def _end(self, look: Look) -> None:
        self.looks.found.pop(look.id, None)
        if look.task is not None:
            look.task.cancel()

    def _forget_old(self) -> None:
        for look in list(self.looks.found.values()):
            if self._now() - look.asked_at > UNASKED_SECONDS:
                self._end(look)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

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


def _only_metadata(settings: ClientSettings) -> ClientSettings:
    """The same way out, on ports of its own, and nobody is told that it is there."""
    listen = tuple(dict.fromkeys(text.rpartition(":")[0] + ":0" for text in settings.connections.listen))
    return replace(
        settings,
        connections=replace(settings.connections, listen=listen, half_open=min(20, settings.connections.half_open)),
        discovery=replace(settings.discovery, upnp=False, natpmp=False),
        disk=replace(settings.disk, workers="threads", sleep_after=0.0),
    )
