"""Our names in those of qBittorrent: states, the fields of a torrent, units.

Times of limits are minutes there and seconds here. What is not known has the value that qBittorrent uses for that.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, quote_plus

from wildbach.interfaces.api import models as m

APP_VERSION: Final = "v5.1.4"
"The release whose API this is: programs choose their dialect by it."
API_VERSION: Final = "2.11.4"
ETA_UNKNOWN: Final = 8_640_000
RATIO_MOST: Final = 9999.0
FILES_GONE: Final = ("files_missing", "missing_files", "not_found")

ACTIONS: Final[dict[str, m.LimitAction]] = {
    "Default": "", "Stop": "stop", "Remove": "remove", "RemoveWithContent": "remove_files",
    "EnableSuperSeeding": "super_seed",
}
ACTION_NUMBERS: Final[tuple[m.LimitAction, ...]] = ("stop", "remove", "super_seed", "remove_files")
"As `max_ratio_act` counts them."
LAYOUTS: Final[dict[str, m.Layout]] = {"Original": "original", "Subfolder": "subfolder", "NoSubfolder": "none"}
PRIORITIES: Final = (0, 1, 6, 7)


def state(row: m.TorrentRow) -> str:
    """The state in qBittorrent 5's words."""
    way = "UP" if row.complete else "DL"
    match row.state:
        case "error":
            return "missingFiles" if row.code in FILES_GONE else "error"
        case "moving":
            return "moving"
        case "metadata":
            return "forcedMetaDL" if row.forced else "metaDL"
        case "checking" | "queued" | "stopped":
            return row.state + way
        case "downloading" | "seeding" if row.forced:
            return "forced" + way
        case "downloading":
            return "downloading" if row.down_rate >= 1 else "stalledDL"
        case _:
            return "uploading" if row.up_rate >= 1 else "stalledUP"


def minutes(seconds: int) -> int:
    """A limit of time; -1 and -2 are words."""
    return seconds if seconds < 0 else -(-seconds // 60)


def seconds(minutes: int) -> int:
    return max(minutes, -2) if minutes < 0 else min(minutes, 1 << 33) * 60


def ratio_limit(value: float) -> float:
    return max(value, -2.0) if value < 0 else min(value, 1e9)


def shown_hash(key: str) -> str:
    """The id of a torrent there: 40 digits, of v2 alone its first ones."""
    return key[:40]


def priority(value: int) -> int:
    """Ours (0 to 7) in theirs (0, 1, 6, 7)."""
    return value if value in PRIORITIES else 6


def popularity(row: m.TorrentRow) -> float:
    """The ratio that a month of activity gives."""
    return round(row.ratio * 2_629_800 / row.active_seconds, 4) if row.active_seconds else 0.0


def magnet(row: m.TorrentRow) -> str:
    topics = []
    if row.infohash_v1:
        topics.append(f"xt=urn:btih:{row.infohash_v1}")
    if row.infohash_v2:
        topics.append(f"xt=urn:btmh:1220{row.infohash_v2}")
    topics.append(f"dn={quote(row.name, safe='')}")
    if row.tracker:
        topics.append(f"tr={quote_plus(row.tracker)}")
    return "magnet:?" + "&".join(topics)


class Globals(m.Model, frozen=True):
    """The limits that hold where a torrent says "as the settings say"."""

    ratio: float = -1
    seeding: int = -1
    "Seconds."
    idle: int = -1


def torrent(row: m.TorrentRow, usual: Globals) -> dict[str, Any]:
    """An entry of torrents/info and of sync/maindata, but for `hash`, in the order of their names."""
    size = row.size if row.has_metadata else -1
    return {
        "added_on": row.added_at,
        "amount_left": max(row.wanted - row.done, 0),
        "auto_tmm": row.auto,
        "availability": row.availability,
        "category": row.category,
        "comment": "",
        "completed": row.done,
        "completion_on": row.completed_at or -1,
        "content_path": row.content_path,
        "dl_limit": row.down_limit,
        "dlspeed": int(row.down_rate),
        "download_path": row.incomplete_path,
        "downloaded": row.downloaded,
        "downloaded_session": row.session_downloaded,
        "eta": ETA_UNKNOWN if row.eta is None else min(row.eta, ETA_UNKNOWN),
        "f_l_piece_prio": row.ends_first,
        "force_start": row.forced,
        "has_metadata": row.has_metadata,
        "inactive_seeding_time_limit": minutes(row.idle_limit),
        "infohash_v1": row.infohash_v1,
        "infohash_v2": row.infohash_v2,
        "last_activity": row.active_at or row.added_at,
        "magnet_uri": magnet(row),
        "max_inactive_seeding_time": minutes(usual.idle if row.idle_limit == -2 else row.idle_limit),
        "max_ratio": usual.ratio if row.ratio_limit == -2 else row.ratio_limit,
        "max_seeding_time": minutes(usual.seeding if row.seeding_limit == -2 else row.seeding_limit),
        "name": row.name,
        "num_complete": row.seeds if row.swarm_seeds is None else row.swarm_seeds,
        "num_incomplete": row.peers - row.seeds if row.swarm_peers is None else row.swarm_peers,
        "num_leechs": max(row.peers - row.seeds, 0),
        "num_seeds": row.seeds,
        "popularity": popularity(row),
        "priority": row.place,
        "private": row.private if row.has_metadata else None,
        "progress": row.progress,
        "ratio": min(row.ratio, RATIO_MOST),
        "ratio_limit": row.ratio_limit,
        "reannounce": 0,
        "root_path": "",
        "save_path": row.save_path,
        "seeding_time": row.seeding_seconds,
        "seeding_time_limit": minutes(row.seeding_limit),
        "seen_complete": -1,
        "seq_dl": row.sequential,
        "size": row.wanted if row.has_metadata else -1,
        "state": state(row),
        "super_seeding": row.super_seed,
        "tags": ", ".join(row.tags),
        "time_active": row.active_seconds,
        "total_size": size,
        "tracker": row.tracker,
        "trackers_count": 1 if row.tracker else 0,
        "up_limit": row.up_limit,
        "uploaded": row.uploaded,
        "uploaded_session": row.session_uploaded,
        "upspeed": int(row.up_rate),
    }


SORTS: Final = {
    "added_on": "added_at", "auto_tmm": "auto", "availability": "availability",
    "category": "category", "completed": "done", "completion_on": "completed_at", "content_path": "content_path",
    "dl_limit": "down_limit", "dlspeed": "down_rate", "download_path": "incomplete_path", "downloaded": "downloaded",
    "downloaded_session": "session_downloaded", "eta": "eta", "f_l_piece_prio": "ends_first", "force_start": "forced",
    "hash": "key", "inactive_seeding_time_limit": "idle_limit", "infohash_v1": "infohash_v1",
    "infohash_v2": "infohash_v2", "last_activity": "active_at", "name": "name", "num_complete": "swarm_seeds",
    "num_incomplete": "swarm_peers", "num_leechs": "peers", "num_seeds": "seeds", "priority": "place",
    "private": "private", "progress": "progress", "ratio": "ratio", "ratio_limit": "ratio_limit",
    "save_path": "save_path", "seeding_time": "seeding_seconds", "seeding_time_limit": "seeding_limit",
    "seq_dl": "sequential", "size": "wanted", "state": "state", "super_seeding": "super_seed", "tags": "tags",
    "time_active": "active_seconds", "total_size": "size", "tracker": "tracker", "up_limit": "up_limit",
    "uploaded": "uploaded", "uploaded_session": "session_uploaded", "upspeed": "up_rate",
}
"By which fields a list can be sorted, and ours for each."
