"""Torrents of other clients, taken on without downloading anything again."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from wildbach.base.errors import UsageError, WildbachError
from wildbach.base.words import plural
from wildbach.disk import system
from wildbach.engine.options import AddOptions
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import places
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.protocol.metainfo import File
from wildbach.services import migrate
from wildbach.services.library.entry import GLOBAL, NONE, Entry
from wildbach.services.library.groups import Group, check_category, check_tag
from wildbach.services.migrate import Found, PathMap, Start, State, Unreadable

_TOLD: Final = 1000
"Torrents of which the result tells what was lost."


def _find(place: Path) -> list[State]:
    """Raises UsageError for what cannot be a path, StorageError for one that cannot be looked at."""
    try:
        return list(migrate.find(place.expanduser()))
    except (ValueError, RuntimeError):
        raise UsageError("this cannot be a path", code="bad_request") from None
    except OSError as error:
        raise system.storage_error(error, "look at", str(place)) from error


class Importing:
    """A part of the Api."""

    core: Core

    async def import_client(self, request: m.ImportRequest) -> m.Job:
        paths = PathMap(request.mapping.items())
        if request.path:
            places = [Path(request.path)]
        else:
            places = list(await self.core.threads.run(migrate.places, Path.home()))
        states: list[State] = []
        for place in places:
            states += await self.core.threads.run(_find, place)
        if not states:
            where = f"below {request.path}" if request.path else "in the usual places"
            raise UsageError(f"no state of another client was found {where}", code="not_found")
        title = ", ".join(f"{state.client.label} at {state.path}" for state in states)
        return self.core.jobs.start("import", title, partial(self._import, states, paths, request))

    async def _import(
        self, states: list[State], paths: PathMap, request: m.ImportRequest, progress: Progress,
    ) -> None:
        report: dict[str, Any] = {"added": 0, "there": 0, "unreadable": [], "lost": {}, "clients": []}
        progress.result.update(report)
        total, done = sum(state.count for state in states), 0
        for state in states:
            progress.result["clients"].append({
                "client": state.client.label, "path": str(state.path), "torrents": state.count,
                "running": state.running,
            })
            general = await self.core.threads.run(migrate.general, state, paths)
            progress.result["lost"].setdefault("", []).extend(general.notes)
            if not request.dry_run:
                await self._take_categories(general)
            rows = await self.core.threads.run(migrate.torrents, state, paths)
            while True:
                found = await self.core.threads.run(_next, rows)
                if found is None:
                    break
                done += 1
                progress.share = min(1.0, done / total) if total else None
                progress.message = f"{done} of {total}"
                await self._take(found, request, progress.result)
        if (stay := progress.result.pop("stay", 0)):
            progress.result["lost"].setdefault("", []).append(
                f"{plural(stay, 'torrent')} moved with the category (automatic management); here "
                f"{'it stays' if stay == 1 else 'they stay'} where the files are, as the category has another folder")

    async def _take_categories(self, general: migrate.General) -> None:
        groups = self.core.library.groups
        for category in general.categories:
            try:
                name = check_category(category.name)
                for path in (category.save_path, category.incomplete_path):
                    if path:
                        await self.core.place(str(places.home(self.core.settings.downloads.folder) / path))
            except UsageError as error:
                self.core.log.write("warning", f"the category {category.name} was not taken: {error.message}")
                continue
            if name not in groups.categories:
                groups.put(name, Group(
                    str(category.save_path or ""),
                    str(category.incomplete_path) if category.incomplete_path is not None else None))
        await self.core.library.book.write_groups()

    async def _take(self, found: Found | Unreadable, request: m.ImportRequest, report: dict[str, Any]) -> None:
        if isinstance(found, Unreadable):
            report["unreadable"].append({"name": found.name, "reason": found.reason})
            return
        lost = list(found.lost)
        if found.save_path is None:
            report["unreadable"].append({"name": found.name, "reason": "; ".join(lost) or "its folder is not here"})
            return
        if self.core.session.known(found.hashes) is not None:
            report["there"] += 1
            return
        if not request.dry_run:
            try:
                await self._adopt(found, found.save_path, request, lost)
            except WildbachError as error:
                report["unreadable"].append({"name": found.name, "reason": error.message})
                return
        report["added"] += 1
        if found.follows and not request.dry_run and not await self._keeps_following(found, found.save_path):
            report["stay"] = report.get("stay", 0) + 1
        if lost and len(report["lost"]) < _TOLD:
            report["lost"][found.name] = lost

    async def _keeps_following(self, found: Found, folder: Path) -> bool:
        """Its folder is what that of its category is here."""
        if not found.follows:
            return False
        try:
            expected = self.core.folder_for(found.category)
        except UsageError:
            return False
        return await self.core.threads.run(_same_place, expected, folder)

    async def _adopt(self, found: Found, folder: Path, request: m.ImportRequest, lost: list[str]) -> None:
        core, library = self.core, self.core.library
        # Whoever may have files downloaded can write a state of his own: it may not lead where he may not go.
        for path in (folder, found.incomplete_path):
            if path is not None:
                await core.place(str(path))
        missing = await core.threads.run(migrate.lacking, found) if found.complete else "it is not complete"
        trusted = found.complete and not missing
        key = found.hashes.key
        category = found.category
        if category:
            try:
                if check_category(category) not in library.groups.categories:
                    library.groups.put(category, Group())
            except UsageError as error:
                lost.append(error.message)
                category = ""
        tags = []
        for tag in found.tags:
            try:
                tags.append(check_tag(tag))
            except UsageError as error:
                lost.append(error.message)
        library.groups.tags |= set(tags)
        await library.book.write_groups()
        entry = Entry(
            added_at=int(found.added_at or 0), completed_at=int(found.completed_at or 0) if found.complete else 0,
            uploaded=found.uploaded, downloaded=found.downloaded, active_seconds=found.active_seconds,
            seeding_seconds=found.seeding_seconds, category=category, tags=tuple(tags), complete=trusted,
            stopped=request.stopped or found.start is Start.STOPPED, forced=found.start is Start.FORCED,
            ratio_limit=_limit(found.limits.ratio), seeding_limit=int(_limit(found.limits.seeding_seconds)),
            idle_limit=int(_limit(found.limits.idle_seconds)), source=found.client.label,
            auto=await self._keeps_following(found, folder),
            name=found.name if found.metainfo is not None and found.name != found.metainfo.info.name else "",
        )
        held = not entry.stopped and not entry.forced and not trusted and not library.room()

        def wanted(index: int, _file: File) -> bool:
            return found.wanted(index)

        options = AddOptions(
            save_path=folder, incomplete_path=found.incomplete_path, paused=entry.stopped or held,
            select=wanted if found.priorities else None, sequential=found.sequential, super_seed=found.super_seed,
            skip_check=trusted, layout=found.layout, suffix=found.suffix, renames=found.renames,
            trackers=tuple(url for tier in found.trackers for url in tier) if found.metainfo is None else (),
            down_limit=found.limits.down, up_limit=found.limits.up,
        )
        await library.enlist(key, entry)
        if held:
            library.held.add(key)
        try:
            torrent = await core.session.add(found.source, options)
        except WildbachError:
            await library.unlist(key)
            raise
        chosen = {index: priority for index, priority in enumerate(found.priorities) if priority > 1}
        if chosen and torrent.info is not None:
            await torrent.set_priorities(chosen)
        core.catalog.touch(key)


def _same_place(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _limit(value: float | None) -> float:
    """None: as in general; infinity: none."""
    if value is None:
        return GLOBAL
    return NONE if math.isinf(value) else value


def _next(rows: Iterator[Found | Unreadable]) -> Found | Unreadable | None:
    return next(rows, None)
