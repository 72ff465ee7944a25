"""Looking at torrents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from msgspec.structs import asdict

from wildbach.base import bitfield
from wildbach.base.errors import UsageError
from wildbach.engine.torrent import Torrent
from wildbach.engine.trackerlist import TrackerState
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.rows import layout_of
from wildbach.interfaces.api.tree import FileTree, Now, paths_of
from wildbach.protocol.metainfo import Info, Magnet, Metainfo
from wildbach.runtime.turns import in_turns

_SHARES = "-123456789"
"Of the pieces of a cell, not all: in ninths, rounded up."
_PIECES = str.maketrans("01", "-#")
_SHOWN = 200
"Files in one turn of the loop."
MANY_FILES = 2_000
"A tree of more is made and looked at in a thread."
T = TypeVar("T")


class Looking:
    """A part of the Api."""

    core: Core

    async def list_torrents(self, listing: m.Listing) -> m.TorrentPage:
        return await self.core.catalog.page(listing)

    async def changes(self, since: m.Since) -> m.Changes:
        return await self.core.catalog.since(since)

    async def keys(self, listing: m.KeyListing) -> m.AllKeys:
        found, _ = await self.core.catalog.select(m.Listing(**asdict(listing)))
        return m.AllKeys(tuple(found))

    async def facets(self) -> m.Facets:
        return self.core.catalog.facets()

    async def known(self, key: str) -> Torrent:
        """A torrent that is awake, so that all of it can be looked at. Raises UsageError, code `not_found`."""
        torrent = self.core.catalog.torrent(key)
        if torrent.asleep:
            await torrent.metadata()
        return torrent

    async def metainfo(self, key: str) -> Metainfo:
        """Raises UsageError, code `no_metadata`, while a magnet link's metadata is not here."""
        torrent = await self.known(key)
        if torrent.metainfo is None:
            raise UsageError(f"the metadata of {torrent.name} is not here yet", code="no_metadata")
        return torrent.metainfo

    async def torrent(self, key: str) -> m.TorrentDetail:
        torrent = await self.known(key)
        row = self.core.catalog.fresh(key)
        view = torrent.view()
        metainfo = torrent.metainfo
        info = torrent.info
        tiers = tuple(
            tuple(tracker.url for tracker in tier) for tier in torrent.tracker_list.tiers
        ) if torrent.tracker_list is not None else ()
        entry = self.core.library.entry(key)
        dht = torrent.dht()
        due = [t.next_announce for t in torrent.trackers() if t.next_announce is not None]
        link = Magnet(
            torrent.hashes, torrent.name, tuple(dict.fromkeys(url for tier in tiers for url in tier)),
            metainfo.web_seeds if metainfo is not None else (), length=info.size if info is not None else None)
        return m.TorrentDetail(
            row=row, magnet=link.to_uri(),
            comment=entry.comment if entry.comment is not None else metainfo.comment if metainfo is not None else "",
            created_by=metainfo.created_by if metainfo is not None else "",
            created_at=(metainfo.creation_date or 0) if metainfo is not None else 0, source=entry.source,
            piece_length=info.piece_length if info is not None else 0, pieces=view.pieces,
            pieces_have=torrent.had[1].bit_count() if info is not None else 0,
            files=len([file for file in info.files if not file.pad]) if info is not None else 0, tracker_tiers=tiers,
            connections=view.peers, known_peers=view.known_peers, next_announce=min(due, default=None),
            dht=dht is not None, moving=view.moving,
        )

    async def files(self, key: str, listing: m.FileListing) -> m.FilePage:
        torrent = await self.known(key)
        if torrent.info is None:
            return m.FilePage(0, ())
        tree = await file_tree(self.core, torrent)
        total, numbers = tree.numbers(listing.under, listing.offset, listing.limit)
        content, geometry = torrent.content, torrent.info.geometry
        around: int | None = None
        if content is not None and torrent.connected:
            around = content.picker.availability.anywhere(content.picker.count)
        width = bitfield.width_of(geometry.piece_count)
        out = []
        async for view in in_turns(torrent.files(numbers), _SHOWN):
            there = -1.0
            if around is not None:
                pieces = geometry.file_pieces(view.index)
                held = (bitfield.span(pieces.start, pieces.stop, width) & around).bit_count()
                there = held / len(pieces) if pieces else 1.0
            out.append(m.FileRow(view.index, tree.paths[view.index], view.size, view.have, view.priority, there))
        return m.FilePage(total, tuple(out))

    async def peers(self, key: str) -> m.PeerPage:
        peers = self.core.catalog.torrent(key).peers()
        countries = await self.core.countries.of(_host(peer.endpoint) for peer in peers)
        return m.PeerPage(tuple(
            m.PeerRow(
                endpoint=peer.endpoint, client=peer.client, source=peer.source, transport=peer.kind.partition("+")[0],
                encrypted="+" in peer.kind, outgoing=peer.outgoing, seed=peer.seed, progress=peer.progress,
                down_rate=peer.down_rate, up_rate=peer.up_rate, downloaded=peer.downloaded, uploaded=peer.uploaded,
                choked=peer.choked, choking=peer.choking, interested=peer.interested, interesting=peer.interesting,
                snubbed=peer.snubbed, requests=peer.requests, country=countries[_host(peer.endpoint)],
            )
            for peer in peers
        ))

    async def trackers(self, key: str) -> m.TrackerPage:
        torrent = self.core.catalog.torrent(key)
        settings = self.core.session.settings
        by_source: dict[str, int] = {}
        for peer in torrent.peers():
            by_source[peer.source] = by_source.get(peer.source, 0) + 1
        dht = torrent.dht()
        rows = [
            _pseudo("** [DHT] **", dht is not None, torrent.private, by_source.get("dht", 0),
                    ""),
            _pseudo("** [PeX] **", settings.peers.pex, torrent.private, by_source.get("pex", 0), ""),
            _pseudo("** [LSD] **", settings.discovery.lsd, torrent.private, by_source.get("lan", 0), ""),
        ]
        for view in torrent.trackers():
            rows.append(m.TrackerRow(
                url=view.url, tier=view.tier, state=_TRACKER_STATES[view.state], message=view.message,
                next_announce=view.next_announce, seeds=view.seeds, leeches=view.leeches, completed=view.downloaded,
                peers=view.peers, fails=view.fails,
            ))
        return m.TrackerPage(tuple(rows))

    async def web_seeds(self, key: str) -> m.WebSeedPage:
        torrent = await self.known(key)
        found = {view.url: view for view in torrent.web_seeds()}
        urls = dict.fromkeys(found)
        metainfo = torrent.metainfo
        if metainfo is not None:
            urls.update(dict.fromkeys((*metainfo.web_seeds, *metainfo.http_seeds)))
        return m.WebSeedPage(tuple(
            m.WebSeedRow(url, found[url].state.value, found[url].reason, found[url].rate) if url in found
            else m.WebSeedRow(url, "waiting", "", 0.0)
            for url in urls
        ))

    async def pieces(self, key: str, query: m.PieceQuery) -> m.PieceMap:
        torrent = await self.known(key)
        info = torrent.info
        if info is None:
            return m.PieceMap(0, "", ())
        count = info.geometry.piece_count
        each = max(1, -(-count // query.buckets)) if query.buckets else 1
        content = torrent.content
        state = cells(torrent.had[1], count, each)
        counts: list[int] = []
        if content is not None:
            for index in content.picker.open:
                state[index // each] = ">"
            if torrent.connected:
                counts = content.picker.availability.counts(count)
                if each > 1:
                    counts = [min(counts[at : at + each]) for at in range(0, count, each)]
        return m.PieceMap(info.piece_length, "".join(state), tuple(counts), count, each)

    async def tree(self, key: str, query: m.TreeQuery) -> m.Tree:
        torrent = await self.known(key)
        if torrent.known is None:
            raise UsageError(f"the metadata of {torrent.name} is not here yet", code="no_metadata")
        found = await file_tree(self.core, torrent)
        content = torrent.content
        around = None
        if content is not None and torrent.connected:
            around = content.picker.availability.anywhere(content.picker.count)
        now = Now(torrent.had[1], torrent.known.selection.priorities, around)
        return await among(self.core, found, lambda: found.page(query, now))

    async def export(self, key: str) -> bytes:
        return (await self.metainfo(key)).to_bytes()


def cells(held: int, count: int, each: int) -> list[str]:
    """A set of pieces as the characters of a PieceMap."""
    text = bitfield.flags(held, count)
    if each == 1:
        return list(text.translate(_PIECES))
    cells = []
    for at in range(0, count, each):
        there, most = text.count("1", at, at + each), min(each, count - at)
        cells.append("#" if there == most else _SHARES[-(-there * 9 // most)])
    return cells


def file_paths(torrent: Torrent) -> list[str]:
    """Where each file lies below the folder of the torrent, its own folder included; by number. Of one that sleeps,
    as it was made.
    """
    info = torrent.info
    if info is None:
        return []
    return paths_of(info, layout_of(torrent))


async def file_tree(core: Core, torrent: Torrent) -> FileTree:
    """Of a torrent that is awake. Raises UsageError, code `no_metadata`."""
    info = torrent.info
    if info is None:
        raise UsageError(f"the metadata of {torrent.name} is not here yet", code="no_metadata")
    if len(info.files) <= MANY_FILES:
        return _kept_tree(core, torrent, info) or _keep_tree(core, torrent, FileTree(info, layout_of(torrent)))
    async with core.sorting:
        # Of several that ask at once the first makes it.
        kept = _kept_tree(core, torrent, info)
        if kept is None:
            kept = _keep_tree(core, torrent, await core.threads.run(FileTree, info, layout_of(torrent)))
        return kept


def _kept_tree(core: Core, torrent: Torrent, info: Info) -> FileTree | None:
    kept, layout = core.trees.get(torrent.key), layout_of(torrent)
    # Tuples know equal members by what they are before they compare all renames.
    same = kept is not None and kept.info is info and (layout.kind, layout.renames) == (kept.kind, kept.renames)
    return kept if same else None


def _keep_tree(core: Core, torrent: Torrent, tree: FileTree) -> FileTree:
    core.trees.put(torrent.key, tree)
    return tree


async def among(core: Core, tree: FileTree, look: Callable[[], T]) -> T:
    """Look for something in a tree; where that takes a while, in a thread, one after the other."""
    if len(tree.paths) <= MANY_FILES:
        return look()
    async with core.sorting:
        return await core.threads.run(look)


_TRACKER_STATES: dict[
    TrackerState, Literal["off", "waiting", "announcing", "working", "failing", "dead"]
] = {
    TrackerState.WAITING: "waiting", TrackerState.ANNOUNCING: "announcing", TrackerState.WORKING: "working",
    TrackerState.FAILING: "failing", TrackerState.DEAD: "dead",
}


def _host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]")


def _pseudo(name: str, on: bool, private: bool, peers: int, message: str) -> m.TrackerRow:
    """A way to find peers that is no tracker."""
    words = "the torrent is private" if private else message
    return m.TrackerRow(
        url=name, tier=-1, state="working" if on and not private else "off", message=words, next_announce=None,
        seeds=None, leeches=None, completed=None, peers=peers, fails=0,
    )
