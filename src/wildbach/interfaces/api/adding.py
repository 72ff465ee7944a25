"""Adding torrents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import parse as parse_address
from wildbach.base.errors import FormatError, NetworkError, UsageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions, Select
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import places
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.interfaces.api.models import Added, AddRequest, AddResult
from wildbach.interfaces.api.tree import FileTree
from wildbach.interfaces.selection import Selection
from wildbach.net.resolve import Purpose
from wildbach.protocol.metainfo import File, Info, Magnet, Metainfo, MutableLink
from wildbach.protocol.metainfo.magnet import is_mutable
from wildbach.services.library.entry import Entry
from wildbach.services.library.events import TorrentEnlisted
from wildbach.services.library.groups import Group, check_category, check_tag

_FETCH_SECONDS: Final = 60.0

Loaded = Metainfo | Magnet | MutableLink


class Adding:
    """A part of the Api."""

    core: Core

    async def add_torrents(self, request: AddRequest) -> AddResult:
        await self._prepare(request)
        added = []
        for number, data in enumerate(request.files):
            added.append(await self._try(f"file {number + 1}", partial(self._parse, data), request))
        for url in request.urls:
            added.append(await self._try(url, partial(self._fetch, url), request))
        if not added:
            raise UsageError("there is nothing to add: neither urls nor files")
        return AddResult(tuple(added))

    async def _prepare(self, request: AddRequest) -> None:
        """What is wrong with the request as a whole is said before anything is added."""
        library = self.core.library
        for tag in request.tags:
            check_tag(tag)
        for path in (request.save_path, request.incomplete_path):
            if path:
                await self.core.place(path)
        endpoints(request.peers)
        if request.category and request.category not in library.groups.categories:
            library.groups.put(check_category(request.category), Group())
            await library.book.write_groups()
        if not set(request.tags) <= library.groups.tags:
            library.groups.tags |= set(request.tags)
            await library.book.write_groups()

    async def _parse(self, data: bytes) -> Loaded:
        return await self.core.threads.run(Metainfo.parse, data)

    async def _fetch(self, url: str) -> Loaded:
        url = url.strip()
        if is_mutable(url):
            return MutableLink.parse(url)
        if not url.lower().startswith(("http://", "https://")):
            try:
                return Magnet.parse(url)
            except FormatError as error:
                if url[:7].lower() == "magnet:":
                    raise
                raise UsageError(
                    f"{url[:200]!r} is neither a magnet link, nor an info hash, nor an http(s) URL") from error
        reply = await self.core.session.http.fetch(
            url, purpose=Purpose.USER, limit=limits.TORRENT_FILE_BYTES, seconds=_FETCH_SECONDS)
        if reply.status != 200:
            raise NetworkError(f"the server answers {reply.status}", url=url)
        if reply.body[:7].lower() == b"magnet:":
            return Magnet.parse(reply.body.decode("utf-8", "replace").strip())
        return await self._parse(reply.body)

    async def _try(self, source: str, load: Callable[[], Awaitable[Loaded]], request: AddRequest) -> Added:
        try:
            return await self._add(source, await load(), request)
        except WildbachError as error:
            self.core.log.write("warning", f"{source[:200]} was not added: {error.message}")
            return Added(source, "", "", False, error.code, error.message)

    async def _add(self, source: str, loaded: Loaded, request: AddRequest) -> Added:
        core, session = self.core, self.core.session
        settings = core.settings.downloads
        if isinstance(loaded, MutableLink):
            options = AddOptions(save_path=await self._folder(request), exclude=(*settings.exclude, *request.exclude))
            view = await session.mutables.follow(loaded, options)
            return Added(source, view.torrent, loaded.to_uri(), False, "", "")
        auto = settings.auto and not request.save_path if request.auto is None else request.auto
        folder = await self._folder(request, auto=auto)
        async with core.adding:
            # Of several that add the same one the first says what holds.
            return await self._add_torrent(source, loaded, request, folder, auto=auto)

    async def _add_torrent(
        self, source: str, loaded: Metainfo | Magnet, request: AddRequest, folder: Path, *, auto: bool,
    ) -> Added:
        core, session, library = self.core, self.core.session, self.core.library
        settings = core.settings.downloads
        hashes = loaded.info.hashes if isinstance(loaded, Metainfo) else loaded.hashes
        there = session.known(hashes)
        if there is not None:
            if there.options.cache:
                await self._keep(there, request, folder)
            return await self._again(source, there, loaded, request)
        chosen = await self._chosen_files(request, loaded.info) if isinstance(loaded, Metainfo) else {}
        stopped = not settings.start if request.stopped is None else request.stopped
        entry = Entry(
            category=request.category, tags=tuple(dict.fromkeys(request.tags)), stopped=stopped,
            forced=request.forced, auto=auto, name=request.name, ratio_limit=request.ratio_limit,
            seeding_limit=request.seeding_limit, idle_limit=request.idle_limit, limit_action=request.limit_action,
        )
        key = hashes.key
        held = not stopped and not request.forced and not library.room()
        incomplete = request.incomplete_path
        if incomplete is None:
            incomplete = library.groups.incomplete_folder(request.category, settings.incomplete_folder)
        options = AddOptions(
            save_path=folder, paused=stopped or held,
            select=_select(request, loaded, chosen), peers=endpoints(request.peers), trackers=request.trackers,
            web_seeds=request.web_seeds, sequential=request.sequential, ends_first=request.ends_first,
            seed_only=request.seed_only, skip_check=request.skip_check, existing=request.existing,
            layout=request.layout or settings.layout, suffix=settings.incomplete_suffix,
            incomplete_path=await core.apart(places.home(incomplete)) if incomplete else None,
            exclude=(*settings.exclude, *request.exclude), metadata_only=request.metadata_only,
            super_seed=request.super_seed, down_limit=request.down_limit, up_limit=request.up_limit,
        )
        await library.enlist(key, entry, top=request.top)
        if held:
            library.held.add(key)
        try:
            torrent = await session.add(loaded, options)
        except WildbachError:
            await library.unlist(key)
            raise
        await self._prioritise(torrent, request, chosen)
        core.catalog.touch(key)
        core.log.write("info", f"added {torrent.name}", key)
        library.bus.publish(TorrentEnlisted(key))
        return Added(source, key, torrent.name, False, "", "")

    async def _keep(self, there: Torrent, request: AddRequest, folder: Path) -> None:
        """What was only cache is a download from now on, and goes where it was asked to be."""
        core = self.core
        await core.session.content.keep(there.key)
        entry = core.library.entry(there.key)
        entry.category = request.category or entry.category
        entry.tags = tuple(dict.fromkeys((*entry.tags, *request.tags)))
        entry.name = request.name or entry.name
        await core.library.book.write([there.key])
        core.library.kept(there.key)
        if there.options.layout != "none":  # else all its files would lie loose among others
            core.jobs.start("move", f"{there.name} to {folder}", partial(_move, there, folder))

    async def _again(self, source: str, there: Torrent, loaded: Metainfo | Magnet, request: AddRequest) -> Added:
        """It is there already, or in the trash: then it comes back."""
        core = self.core
        entry = core.library.entry(there.key)
        duplicate = not entry.trashed
        if entry.trashed:
            if request.category:
                entry.category = request.category
            entry.tags = tuple(dict.fromkeys((*entry.tags, *request.tags)))
            entry.stopped = request.stopped if request.stopped is not None else entry.stopped
            await core.library.take_back([there.key])
        private = there.private or (isinstance(loaded, Metainfo) and loaded.info.private)
        if not private:
            # Trackers of a private torrent are its own; others would give its peers away.
            await core.session.add(loaded, AddOptions(
                trackers=request.trackers, web_seeds=request.web_seeds, peers=endpoints(request.peers),
                cache=there.options.cache))
        core.catalog.touch(there.key)
        return Added(source, there.key, there.name, duplicate, "duplicate" if duplicate else "restored", "")

    async def _folder(self, request: AddRequest, *, auto: bool = False) -> Path:
        if request.save_path and not auto:
            return await self.core.place(request.save_path)
        folder = self.core.folder_for(request.category)
        # Of a category anybody may have written the path; the usual folder is what the owner chose.
        return await self.core.place(str(folder)) if request.category else await self.core.apart(folder)

    async def _prioritise(self, torrent: Torrent, request: AddRequest, chosen: dict[int, int]) -> None:
        if torrent.info is None and (request.priorities or request.paths):
            self.core.scope.spawn(
                f"priorities:{torrent.key[:8]}", self._later(torrent, request), contain=self.core.report)
        elif chosen:
            await torrent.set_priorities(chosen)

    async def _later(self, torrent: Torrent, request: AddRequest) -> None:
        try:
            info = await torrent.metadata()
            await torrent.set_priorities(await self._chosen_files(request, info))
        except WildbachError as error:
            self.core.log.write("warning", f"{torrent.name}: files were not chosen: {error.message}", torrent.key)

    async def _chosen_files(self, request: AddRequest, info: Info) -> dict[int, int]:
        """Priorities by number. Raises UsageError, code `not_found`, for a path that is not in the torrent."""
        chosen: dict[int, int] = {}
        if request.paths:
            chosen = await self.core.threads.run(lambda: FileTree(info).chosen(request.paths))
        count = len(info.files)
        return chosen | {
            int(index): priority for index, priority in request.priorities.items()
            if index.isascii() and index.isdecimal() and len(index) < 10 and int(index) < count}


async def _move(torrent: Torrent, folder: Path, progress: Progress) -> None:
    def moved(done: int, total: int) -> None:
        progress.share = done / total if total else 1.0

    progress.result["key"] = torrent.key
    await torrent.move(folder, moved)


def _select(request: AddRequest, loaded: Metainfo | Magnet, chosen: dict[int, int]) -> Select | None:
    """`chosen`: priorities of files whose torrent is known. Raises UsageError for words that name no file."""
    selection = Selection(request.wanted)
    by_number = None if request.select is None else set(request.select)
    if by_number is None and isinstance(loaded, Metainfo):
        selection.check(loaded.info)
    paths = {} if isinstance(loaded, Metainfo) else _below_top(request.paths)
    if by_number is None and not selection and not chosen and not paths:
        return None

    def wanted(index: int, file: File) -> bool:
        return (
            (by_number is None or index in by_number) and selection.wants(index, file) and chosen.get(index, 1) > 0
            and (not paths or _priority(paths, file) > 0))

    return wanted


def _below_top(paths: dict[str, int]) -> dict[tuple[str, ...], int]:
    """Without the torrent's own folder, or the name of its only file: what that is a magnet link does not say."""
    named = {path.strip("/"): priority for path, priority in paths.items()}
    return {tuple(path.split("/")[1:]): named[path] for path in sorted(named, key=len)}


def _priority(paths: dict[tuple[str, ...], int], file: File) -> int:
    parts = file.path.parts
    return next((paths[parts[:length]] for length in range(len(parts), -1, -1) if parts[:length] in paths), 1)


def endpoints(peers: Iterable[str]) -> tuple[Endpoint, ...]:
    """HOST:PORT as endpoints; the hosts are literal addresses. Raises UsageError."""
    found = []
    for peer in peers:
        host, _, port = peer.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if parse_address(host) is None or not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
            raise UsageError(f"{peer!r} is no peer: ADDRESS:PORT, as 192.0.2.1:6881 or [2001:db8::1]:6881")
        found.append(Endpoint(host, int(port)))
    return tuple(found)


