"""The methods: the one table of both dialects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wildbach.interfaces.api.operation import Role
from wildbach.interfaces.doors.transmission import adding, changing, getting, preferences, sessions
from wildbach.interfaces.doors.transmission.asked import Asked, Given
from wildbach.interfaces.doors.transmission.names import Dialect, camel, kebab

Handler = Callable[[Asked], Awaitable[Given]]


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    role: Role
    handler: Handler
    doc: str
    classic_names: Mapping[str, str] = field(default_factory=dict)
    "What its answer's keys are in the classic dialect, where that is different."

    def spelled(self, dialect: Dialect) -> str:
        return kebab(self.name) if dialect is Dialect.CLASSIC else self.name


def _camels(*names: str) -> dict[str, str]:
    return {name: camel(name) for name in names}


def _kebabs(*names: str) -> dict[str, str]:
    return {name: kebab(name) for name in names}


_UNITS = ("memory_bytes", "memory_units", "size_bytes", "size_units", "speed_bytes", "speed_units")
_STATS = (
    "active_torrent_count", "download_speed", "paused_torrent_count", "torrent_count", "upload_speed",
    "downloaded_bytes", "files_added", "seconds_active", "session_count", "uploaded_bytes",
)
_GROUP = ("speed_limit_down", "speed_limit_down_enabled", "speed_limit_up", "speed_limit_up_enabled")

METHODS: Final = {one.name: one for one in (
    Method("torrent_get", "guest", getting.torrent_get, "All fields of the specification, objects or a table."),
    Method("torrent_add", "user", adding.torrent_add, "From a URL, a magnet link or a torrent file (metainfo). Not "
           "from a path of the daemon's machine. `peer-limit`, `bandwidthPriority` and `cookies` are passed over.",
           {**_kebabs("torrent_added", "torrent_duplicate"), "hash_string": "hashString"}),
    Method("torrent_set", "user", changing.torrent_set, "Limits, labels, files, trackers, place in the queue, folder. "
           "`bandwidthPriority`, `honorsSessionLimits` and `peer-limit` are passed over."),
    Method("torrent_remove", "user", changing.torrent_remove, "By way of the trash, from where it can be had back for "
           "as long as `trash.hours` says; with `delete-local-data` its files go when it does."),
    Method("torrent_start", "user", changing.torrent_start, "When its turn comes."),
    Method("torrent_start_now", "user", changing.torrent_start_now, "Whatever the queue says."),
    Method("torrent_stop", "user", changing.torrent_stop, "As there."),
    Method("torrent_verify", "user", changing.torrent_verify, "As there."),
    Method("torrent_reannounce", "user", changing.torrent_reannounce, "As there."),
    Method("torrent_set_location", "user", changing.torrent_set_location,
           "Without `move` nothing is moved: the files there are verified."),
    Method("torrent_rename_path", "user", changing.torrent_rename_path, "Files and folders, the torrent's own too."),
    Method("queue_move_top", "user", changing.queue_move_top, "As there; complete torrents are not in the queue."),
    Method("queue_move_up", "user", changing.queue_move_up, "As there; complete torrents are not in the queue."),
    Method("queue_move_down", "user", changing.queue_move_down, "As there; complete torrents are not in the queue."),
    Method("queue_move_bottom", "user", changing.queue_move_bottom,
           "As there; complete torrents are not in the queue."),
    Method("session_get", "guest", sessions.session_get, "See the table of settings.", {
        **{one.name: one.classic for one in preferences.PREFERENCES.values()}, **_kebabs(*_UNITS)}),
    Method("session_set", "user", sessions.session_set, "See the table of settings. All or nothing."),
    Method("session_stats", "guest", sessions.session_stats, "Files that were added are not counted.", {
        **_camels(*_STATS), **_kebabs("cumulative_stats", "current_stats")}),
    Method("session_close", "user", sessions.session_close, "Answers as if it did; the daemon goes on."),
    Method("free_space", "user", sessions.free_space, "Of the folders that `downloads.allowed` names.",
           {"size_bytes": "size-bytes"}),
    Method("port_test", "guest", sessions.port_test, "What peers and the router have shown; nobody outside is asked.",
           _kebabs("port_is_open")),
    Method("blocklist_update", "user", sessions.blocklist_update, "Refused: lists are read again by themselves.",
           _kebabs("blocklist_size")),
    Method("group_get", "guest", sessions.group_get, "Categories, without limits.", {
        **_kebabs(*_GROUP), "honors_session_limits": "honorsSessionLimits"}),
    Method("group_set", "user", sessions.group_set, "Makes a category. Speed limits are refused."),
)}
"By their names of 4.1."

CLASSIC: Final = {one.spelled(Dialect.CLASSIC): one for one in METHODS.values()}


def find(name: str, dialect: Dialect) -> Method | None:
    return (CLASSIC if dialect is Dialect.CLASSIC else METHODS).get(name)
