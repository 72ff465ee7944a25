"""Doing things to torrents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import UNSET

from wildbach.base.errors import UsageError, WildbachError
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.adding import endpoints
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.interfaces.api.looking import among, file_paths, file_tree
from wildbach.runtime.turns import batches, in_turns
from wildbach.services.library.groups import check_tag
from wildbach.services.library.library import BATCH

_SLICE: Final = 100
"Torrents in one turn of the loop."
_NAMED: Final = 100
"Torrents that are removed at once, and named in the log one by one."


class Acting:
    """A part of the Api."""

    core: Core

    async def act(self, action: m.Action) -> m.Outcome:
        keys = self._chosen(action.keys, action.all)
        library = self.core.library
        match action.act:
            case "start":
                await library.start(keys)
            case "force_start":
                await library.start(keys, forced=True)
            case "stop":
                await library.stop(keys)
            case "top" | "bottom" | "up" | "down":
                await library.reorder(keys, action.act)
            case "place":
                await library.reorder(keys, action.place)
            case "reannounce":
                return await self._each(keys, self._reannounce)
            case "scrape":
                return await self._each(keys, self._scrape)
            case "recheck":
                return await self._each(keys, self._recheck)
        await self._touch(keys)
        return self._outcome(action.keys, action.all, keys)

    async def _touch(self, keys: Sequence[str]) -> None:
        async for key in in_turns(keys, _SLICE):
            self.core.catalog.touch(key)

    def _chosen(self, keys: Iterable[str], everything: bool) -> list[str]:
        return self.core.catalog.keys(keys, everything=everything)

    def _outcome(self, asked: Iterable[str], everything: bool, done: list[str]) -> m.Outcome:
        there = set(done)
        missing = [] if everything else [key for key in dict.fromkeys(asked) if key not in there]
        return m.Outcome(len(done), tuple(m.Failure(key, "not_found", f"there is no torrent {key}") for key in missing))

    async def _each(self, keys: list[str], work: Callable[[Torrent], Awaitable[None]]) -> m.Outcome:
        """Do something to each; what fails does not hold up the others."""
        failed = []
        async for key in in_turns(keys, _SLICE):
            try:
                await work(self.core.catalog.torrent(key))
            except WildbachError as error:
                failed.append(m.Failure(key, error.code, error.message))
            self.core.catalog.touch(key)
        return m.Outcome(len(keys) - len(failed), tuple(failed))

    async def _reannounce(self, torrent: Torrent) -> None:
        torrent.reannounce()

    async def _scrape(self, torrent: Torrent) -> None:
        torrent.scrape()

    async def _recheck(self, torrent: Torrent) -> None:
        if torrent.info is None and not torrent.asleep:
            raise UsageError(f"the metadata of {torrent.name} is not here yet", code="no_metadata")
        self.core.library.checks.add(torrent.key)

    # -- what is remembered of them

    async def change_torrent(self, key: str, patch: m.TorrentPatch) -> m.TorrentRow:
        self.core.catalog.torrent(key)
        await self._change([key], patch)
        return self.core.catalog.fresh(key)

    async def change_torrents(self, change: m.TorrentsPatch) -> m.Outcome:
        keys = self._chosen(change.keys, change.all)
        await self._change(keys, change.patch)
        return self._outcome(change.keys, change.all, keys)

    async def _change(self, keys: Sequence[str], patch: m.TorrentPatch) -> None:
        library = self.core.library
        await self._check_patch(patch)
        for batch in batches(keys, BATCH):
            torrents = []
            async for key in in_turns(batch, _SLICE):
                torrent = self.core.session.torrent(key)
                if torrent is not None:
                    self._change_entry(torrent, patch)
                    self._change_engine(torrent, patch)
                    torrents.append(torrent)
            await library.book.write(torrent.key for torrent in torrents)
            if patch.category is not UNSET or patch.auto is not UNSET:
                await self.follow_categories(torrents)
            async for torrent in in_turns(torrents, _SLICE):
                library.changed(torrent.key)
                self.core.catalog.touch(torrent.key)

    async def _check_patch(self, patch: m.TorrentPatch) -> None:
        groups = self.core.library.groups
        if patch.category is not UNSET and patch.category and patch.category not in groups.categories:
            raise UsageError(f"there is no category {patch.category}", code="no_category")
        fresh: set[str] = set()
        for tags in (patch.tags, patch.add_tags):
            if tags is not UNSET:
                fresh |= {check_tag(tag) for tag in tags}
        if not fresh <= groups.tags:
            groups.tags |= fresh
            await self.core.library.book.write_groups()

    def _change_entry(self, torrent: Torrent, patch: m.TorrentPatch) -> None:
        entry = self.core.library.entry(torrent.key)
        for field in (
            "name", "category", "auto", "forced", "ratio_limit", "seeding_limit", "idle_limit", "limit_action",
        ):
            value = getattr(patch, field)
            if value is not UNSET:
                setattr(entry, field, value)
                if field == "forced":
                    entry.lent = None
                if field.endswith(("_limit", "_action")):
                    entry.reached = False
        tags = list(entry.tags if patch.tags is UNSET else patch.tags)
        if patch.add_tags is not UNSET:
            tags += patch.add_tags
        gone = set(patch.remove_tags) if patch.remove_tags is not UNSET else set()
        entry.tags = tuple(tag for tag in dict.fromkeys(tags) if tag not in gone)

    @staticmethod
    def _change_engine(torrent: Torrent, patch: m.TorrentPatch) -> None:
        if patch.sequential is not UNSET:
            torrent.set_sequential(patch.sequential)
        if patch.ends_first is not UNSET:
            torrent.set_ends_first(patch.ends_first)
        if patch.super_seed is not UNSET:
            torrent.set_super_seed(patch.super_seed)
        if patch.down_limit is not UNSET or patch.up_limit is not UNSET:
            torrent.set_limits(
                down=None if patch.down_limit is UNSET else patch.down_limit,
                up=None if patch.up_limit is UNSET else patch.up_limit)

    async def follow_categories(self, torrents: Iterable[Torrent]) -> None:
        """Those that are managed automatically move to the folder of their category."""
        async for torrent in in_turns(torrents, _SLICE):
            entry = self.core.library.entry(torrent.key)
            if entry.auto and Path(torrent.save_path) != (target := self.core.folder_for(entry.category)):
                self._start_move(torrent, target)

    # -- removing

    async def remove_torrents(self, removal: m.Removal) -> m.Outcome:
        keys = self._chosen(removal.keys, removal.all)
        library = self.core.library
        missing = self._outcome(removal.keys, removal.all, keys).failed
        # What is cache is removed as such: with its files, which nobody would find, and not by way of the trash.
        cached = {key for key in keys if library.cached(key)}
        now = removal.now or self.core.settings.trash.hours == 0

        async def remove(keys: Sequence[str]) -> None:
            names = {key: torrent.name for key in keys if (torrent := self.core.session.torrent(key)) is not None}
            if not now:
                await library.throw_away(list(names), files=removal.files)
            elif removal.files:
                for key in names:
                    await library.remove(key, files=True)
            else:
                await library.remove_all(list(names))
            self._log_removed(names, files=removal.files)

        # Where files go each is a step of its own, and what fails does not hold up the others.
        failed = await self._in_batches(
            [key for key in keys if key not in cached], remove, most=1 if now and removal.files else BATCH)
        failed += (await self.evict_all(key for key in keys if key in cached)).failed
        return m.Outcome(len(keys) - len(failed), (*failed, *missing))

    async def evict_all(self, keys: Iterable[str]) -> m.Outcome:
        """Remove torrents of the cache."""
        return await self.each_key(keys, self.core.session.content.evict)

    async def each_key(self, keys: Iterable[str], work: Callable[[str], Awaitable[None]]) -> m.Outcome:
        """What fails of one does not hold up the others."""
        done, failed = 0, list[m.Failure]()
        for key in dict.fromkeys(keys):
            try:
                await work(key)
            except WildbachError as error:
                failed.append(m.Failure(key, error.code, error.message))
            else:
                done += 1
            self.core.catalog.touch(key)
        return m.Outcome(done, tuple(failed))

    def _log_removed(self, names: dict[str, str], *, files: bool) -> None:
        if len(names) > _NAMED:
            words = "with their files" if files else "their files stay"
            self.core.log.write("info", f"removed {len(names):,} torrents, {words}")
            return
        words = "with its files" if files else "its files stay"
        for key, name in names.items():
            self.core.log.write("info", f"removed {name}, {words}", key)

    async def _in_batches(
        self, keys: Sequence[str], work: Callable[[Sequence[str]], Awaitable[None]], *, most: int,
    ) -> list[m.Failure]:
        """What fails of one batch does not hold up the others. Returns it."""
        failed = []
        for batch in batches(keys, most):
            try:
                await work(batch)
            except WildbachError as error:
                failed += [m.Failure(key, error.code, error.message) for key in batch]
            await self._touch(batch)
        return failed

    async def trash(self) -> m.Trash:
        hours = self.core.settings.trash.hours
        found = []
        async for key in in_turns(list(self.core.library.trash), _SLICE):
            torrent, entry = self.core.session.torrent(key), self.core.library.entries.get(key)
            if torrent is not None and entry is not None and entry.trashed:
                found.append(m.Trashed(
                    key, entry.name or torrent.name, torrent.view().size, entry.remove_files, entry.removed_at,
                    int(entry.removed_at + hours * 3600)))
        return m.Trash(tuple(sorted(found, key=lambda one: -one.removed_at)))

    def _in_trash(self, selection: m.Selection) -> list[str]:
        trash = self.core.library.trash
        return list(trash) if selection.all else [key for key in dict.fromkeys(selection.keys) if key in trash]

    async def restore(self, selection: m.Selection) -> m.Outcome:
        lost: list[str] = []

        async def restore(keys: Sequence[str]) -> None:
            taken = set(await self.core.library.take_back(keys))
            lost.extend(key for key in keys if key not in taken)

        keys = self._in_trash(selection)
        return self._from_trash(selection, keys, await self._in_batches(keys, restore, most=BATCH), lost)

    async def empty_trash(self, selection: m.Selection) -> m.Outcome:
        library, lost = self.core.library, list[str]()
        keys = self._in_trash(selection)
        with_files = [key for key in keys if library.entry(key).remove_files]

        async def empty(keys: Sequence[str]) -> None:
            there = [key for key in keys if library.in_trash(key)]
            lost.extend(key for key in keys if not library.in_trash(key))
            await library.remove_all(there)

        async def empty_one(keys: Sequence[str]) -> None:
            for key in keys:
                await library.empty(key)

        apart = set(with_files)
        failed = await self._in_batches([key for key in keys if key not in apart], empty, most=BATCH)
        failed += await self._in_batches(with_files, empty_one, most=1)
        return self._from_trash(selection, keys, failed, lost)

    def _from_trash(
        self, selection: m.Selection, keys: list[str], failed: list[m.Failure], lost: Iterable[str],
    ) -> m.Outcome:
        """Of `lost` somebody else, or the clock, did something to meanwhile."""
        failed += [m.Failure(key, "not_found", "there is no such torrent in the trash") for key in lost]
        missing = self._outcome(selection.keys, selection.all, keys).failed
        return m.Outcome(len(keys) - len(failed), (*failed, *missing))

    # -- files

    async def move_torrents(self, move: m.Move) -> m.Jobs:
        if move.incomplete:
            raise UsageError(
                "where the files of a torrent are until it is complete can be chosen only when it is added",
                code="unsupported")
        target = await self.core.place(move.path)
        jobs = []
        for key in self._chosen(move.keys, move.all):
            torrent = self.core.catalog.torrent(key)
            self.core.library.entry(key).auto = False
            self.core.library.book.touch(key)
            jobs.append(self._start_look(torrent, target) if move.look else self._start_move(torrent, target))
        if not jobs:
            raise UsageError("none of these torrents is there", code="not_found")
        return m.Jobs(tuple(jobs))

    def _start_move(self, torrent: Torrent, target: Path) -> m.Job:
        return self.core.jobs.start(
            "move", f"{torrent.name} to {target}", partial(self._move, torrent, target))

    def _start_look(self, torrent: Torrent, target: Path) -> m.Job:
        return self.core.jobs.start(
            "move", f"{torrent.name} is in {target}", partial(self._look_there, torrent, target))

    async def _look_there(self, torrent: Torrent, target: Path, progress: Progress) -> None:
        progress.result["key"] = torrent.key
        await self.core.session.relocate(torrent, await self.core.apart(target))
        self.core.log.write("info", f"looks for the files of {torrent.name} in {target}", torrent.key)
        self.core.catalog.touch(torrent.key)

    async def _move(self, torrent: Torrent, target: Path, progress: Progress) -> None:
        def moved(done: int, total: int) -> None:
            progress.share = done / total if total else 1.0

        progress.result["key"] = torrent.key
        if torrent.info is None and not torrent.asleep:
            raise UsageError(f"the metadata of {torrent.name} is not here yet", code="no_metadata")
        await torrent.move(await self.core.apart(target), moved)
        self.core.log.write("info", f"moved {torrent.name} to {target}", torrent.key)
        self.core.catalog.touch(torrent.key)

    async def set_priorities(self, key: str, priorities: m.FilePriorities) -> None:
        torrent = self.core.catalog.torrent(key)
        if torrent.asleep:
            await torrent.metadata()
        if torrent.info is None:
            raise UsageError(f"the metadata of {torrent.name} is not here yet", code="no_metadata")
        chosen: dict[int, int] = {}
        if priorities.paths:
            tree = await file_tree(self.core, torrent)
            chosen = await among(self.core, tree, lambda: tree.chosen(priorities.paths))
        for index, priority in priorities.priorities.items():
            if not (index.isascii() and index.isdecimal() and len(index) < 10):
                raise UsageError(f"{index[:100]!r} is no number of a file")
            chosen[int(index)] = priority
        await torrent.set_priorities(chosen)
        self.core.catalog.touch(key)

    async def rename(self, key: str, rename: m.Rename) -> None:
        torrent = self.core.catalog.torrent(key)
        if torrent.asleep:
            await torrent.metadata()
        paths = file_paths(torrent)
        files = {paths[view.index]: view.index for view in torrent.files()}
        old, new = rename.path.strip("/"), rename.to.strip("/")
        if any(part in ("", ".", "..") for part in new.split("/")):
            raise UsageError(f"{rename.to!r} cannot be a path in a torrent")
        if old in files:
            await torrent.rename_file(files[old], new)
            self.core.catalog.touch(key)
            return
        below = {path: index for path, index in files.items() if path.startswith(old + "/")}
        if not below:
            raise UsageError(f"{torrent.name} has no file or folder {old}", code="not_found")
        for path, index in below.items():
            await torrent.rename_file(index, new + path[len(old):])
        self.core.catalog.touch(key)

    # -- peers, trackers, web seeds

    async def add_peers(self, key: str, peers: m.PeerList) -> None:
        self.core.catalog.torrent(key).add_peers(endpoints(peers.peers))

    async def change_trackers(self, key: str, change: m.TrackerChange) -> None:
        torrent = self.core.catalog.torrent(key)
        tiers = [
            [tracker.url for tracker in tier] for tier in torrent.tracker_list.tiers
        ] if torrent.tracker_list is not None else []
        there = {url for tier in tiers for url in tier}
        for url in (*change.remove, *change.replace):
            if url not in there:
                raise UsageError(f"{torrent.name} has no tracker {url}", code="not_found")
        for new in change.replace.values():
            if new in there:
                raise UsageError(f"{torrent.name} has the tracker {new} already", code="duplicate")
        gone = set(change.remove)
        tiers = [[change.replace.get(url, url) for url in tier if url not in gone] for tier in tiers]
        known = {url for tier in tiers for url in tier}
        for more in change.add:
            tiers.append([url for url in more if url not in known])
            known |= set(more)
        if change.tiers is not UNSET:
            tiers = [list(tier) for tier in change.tiers]
        torrent.set_trackers([tier for tier in tiers if tier])
        self.core.catalog.touch(key)

    async def change_web_seeds(self, key: str, change: m.WebSeedChange) -> None:
        torrent = self.core.catalog.torrent(key)
        if torrent.asleep:
            await torrent.metadata()
        for url in change.remove:
            torrent.remove_web_seed(url)
        for url in change.add:
            torrent.add_web_seed(url)
