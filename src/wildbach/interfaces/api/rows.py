"""A torrent as the list shows it, made of what the engine says and what the library remembers."""

from __future__ import annotations

import os
from functools import lru_cache
from urllib.parse import urlsplit

from wildbach.base.words import plural
from wildbach.disk.layout import Layout
from wildbach.engine.brief import Brief
from wildbach.engine.state import State as EngineState
from wildbach.engine.torrent import Torrent
from wildbach.engine.trackerlist import TrackerState, TrackerView
from wildbach.interfaces.api.models import State, TorrentRow
from wildbach.services.library.entry import Entry
from wildbach.services.library.library import Library
from wildbach.services.library.settings import QueueSettings

_STATES: dict[EngineState, State] = {
    EngineState.METADATA: "metadata", EngineState.CHECKING: "checking", EngineState.DOWNLOADING: "downloading",
    EngineState.SEEDING: "seeding", EngineState.STOPPED: "error",
}
_TOPS = 1000
"Files that are looked at for the folder they have in common."
TO_CHECK = "waiting to be checked"


def queued(settings: QueueSettings, *, complete: bool) -> str:
    """Why it waits for its turn."""
    own = settings.seeds if complete else settings.downloads
    most = []
    if own:
        most.append(plural(own, "complete torrent" if complete else "download"))
    if settings.total and (complete or not own or settings.total < own):
        most.append(plural(settings.total, "torrent"))
    turn = "waiting for its turn in the queue"
    return f"{turn}: at most {' and '.join(most)} at once" if most else turn


def state_of(torrent: Torrent, entry: Entry, library: Library) -> State:
    parts = torrent.awake_parts
    if parts is not None and parts.relocation.share is not None:
        return "moving"
    if torrent.key in library.checks.waiting:
        return "checking"
    if torrent.state is EngineState.PAUSED:
        return "queued" if torrent.key in library.held and not entry.stopped else "stopped"
    if torrent.state is EngineState.DOWNLOADING and torrent.whole:
        return "seeding"
    return _STATES[torrent.state]


@lru_cache(4096)
def host_of(url: str) -> str:
    """The host of a tracker's URL, for grouping."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def first_tracker(torrent: Torrent) -> str:
    """The URL of its first tracker, without a look at how they fare."""
    trackers = torrent.tracker_list
    if trackers is None:
        return ""
    for tier in trackers.tiers:
        for tracker in tier:
            return tracker.url
    return ""


def layout_of(torrent: Torrent) -> Layout:
    """Where its files are; before it was opened, where they were asked to be."""
    layouts = torrent.layouts
    return layouts[0] if layouts else Layout("", torrent.options.layout, torrent.options.renames)


def content_path(torrent: Torrent, save_path: str) -> str:
    """Its file, or the folder that has its files."""
    info = torrent.info
    layout = layout_of(torrent)
    if info is None or (layout.kind == "original" and not layout.renames):
        return os.path.join(save_path, torrent.name)
    if not info.multi_file and layout.kind != "subfolder":
        return os.path.join(save_path, *layout.parts(info, 0))
    tops = dict.fromkeys(
        layout.parts(info, index)[0] for index, file in enumerate(info.files[:_TOPS]) if not file.pad)
    return os.path.join(save_path, *tops) if len(tops) == 1 and layout.kind != "none" else save_path


def name_of(torrent: Torrent, entry: Entry) -> str:
    return entry.name or torrent.name


def size_of(torrent: Torrent) -> int:
    info = torrent.info
    if info is not None:
        return info.size
    brief: Brief | None = torrent.brief
    return brief.size if brief is not None else 0


def _best(trackers: tuple[TrackerView, ...]) -> tuple[str, int | None, int | None]:
    """The URL of the tracker that works, or the first, and how large the swarm is."""
    seeds = max((t.seeds for t in trackers if t.seeds is not None), default=None)
    leeches = max((t.leeches for t in trackers if t.leeches is not None), default=None)
    working = next((t.url for t in trackers if t.state is TrackerState.WORKING), "")
    return working or (trackers[0].url if trackers else ""), seeds, leeches


def row_of(torrent: Torrent, library: Library) -> TorrentRow:
    """The row of a torrent now."""
    key = torrent.key
    entry = library.entry(key)
    view = torrent.view()
    options = torrent.options
    state = state_of(torrent, entry, library)
    known = torrent.asleep or torrent.holdings is not None
    # What was not opened in this run has not been looked at: what the last one saw is shown.
    done = view.done if known else min(entry.done, view.wanted or entry.done)
    if known and view.state != "checking":
        entry.done = done
    wanted = view.wanted or (size_of(torrent) if not known else 0)
    progress = view.progress if known else (done / wanted if wanted else 0.0)
    if state == "moving":
        progress = view.moving if view.moving is not None else progress
    content = torrent.content
    availability = -1.0
    if content is not None and view.peers:
        availability = content.picker.availability.copies(content.picker.count)
    tracker, seeds, leeches = _best(torrent.trackers())
    reason = view.reason
    if not reason and state == "queued":
        reason = queued(library.queue, complete=entry.complete)
    if key in library.checks.waiting:
        reason = TO_CHECK
    folder = options.incomplete_path if options.incomplete_path is not None else None
    return TorrentRow(
        key=key, name=name_of(torrent, entry), state=state, reason=reason, code=view.code,
        complete=entry.complete and (torrent.asleep or not known or torrent.whole or state in ("stopped", "queued")),
        forced=entry.forced, place=library.rank(key), size=view.size or size_of(torrent), wanted=wanted, done=done,
        progress=progress, down_rate=view.down_rate, up_rate=view.up_rate,
        eta=int(view.eta) if view.eta is not None else None,
        uploaded=entry.uploaded, downloaded=entry.downloaded, wasted=entry.wasted,
        session_uploaded=view.uploaded, session_downloaded=view.downloaded, ratio=library.ratio(key),
        peers=view.peers, seeds=view.seeds, swarm_seeds=seeds, swarm_peers=leeches, availability=availability,
        category=entry.category, tags=entry.tags, tracker=tracker, added_at=entry.added_at,
        completed_at=entry.completed_at, active_at=entry.active_at, active_seconds=library.active_seconds(key),
        seeding_seconds=library.seeding_seconds(key), save_path=view.save_path,
        incomplete_path=str(folder) if folder is not None else "",
        content_path=content_path(torrent, view.save_path), infohash_v1=view.infohash_v1,
        infohash_v2=view.infohash_v2, private=torrent.private,
        has_metadata=torrent.info is not None or bool(torrent.brief is not None and torrent.brief.pieces),
        auto=entry.auto, sequential=options.sequential, ends_first=options.ends_first, super_seed=options.super_seed,
        down_limit=options.down_limit, up_limit=options.up_limit, ratio_limit=entry.ratio_limit,
        seeding_limit=entry.seeding_limit, idle_limit=entry.idle_limit,
        limit_action=entry.limit_action,  # type: ignore[arg-type]  # checked where it came in
        cache=options.cache,
    )
