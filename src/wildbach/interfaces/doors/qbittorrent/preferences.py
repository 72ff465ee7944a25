"""app/preferences and app/setPreferences: our settings under the names of qBittorrent.

`MAPPED` says both ways which of theirs is which of ours; what means nothing here is answered with the value that
qBittorrent starts with (`usual`), and not kept when it is set. Commands to run (`autorun_…`) are never among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wildbach.interfaces.doors.qbittorrent import names
from wildbach.interfaces.doors.qbittorrent.usual import USUAL

Values = Mapping[str, Any]
"Our settings, by key."
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SUFFIX: Final = ".part"


@dataclass(frozen=True, slots=True)
class Mapped:
    """One of their preferences: how it is read from our settings, and which of ours a value of it changes."""

    read: Callable[[Values], Any]
    write: Callable[[Any, Values], dict[str, Any]]
    kind: type | tuple[type, ...]
    "What a value has to be."
    keys: tuple[str, ...]
    "Ours; where one of them is not there, it has its usual value."


def _same(key: str, kind: type) -> Mapped:
    return Mapped(lambda values: values[key], lambda value, _: {key: value}, kind, (key,))


def _negated(key: str) -> Mapped:
    return Mapped(lambda values: not values[key], lambda value, _: {key: not value}, bool, (key,))


def _rate(key: str) -> Mapped:
    """Bytes a second; 0 or below: none."""
    return Mapped(lambda values: values[key], lambda value, _: {key: max(int(value), 0)}, (int, float), (key,))


def _count(key: str, none: int) -> Mapped:
    """A number whose -1 is without limit: `none` here."""
    return Mapped(
        lambda values: -1 if values[key] == none else values[key],
        lambda value, _: {key: none if value < 0 else value}, int, (key,),
    )


def _lines(key: str) -> Mapped:
    """A list, one a line."""
    return Mapped(
        lambda values: "\n".join(values[key]),
        lambda value, _: {key: [line for part in value.splitlines() if (line := part.strip())]}, str, (key,),
    )


def _rounded(key: str) -> Mapped:
    """A number that is a whole one there."""
    return Mapped(lambda values: round(values[key]), lambda value, _: {key: max(value, 1)}, int, (key,))


def _kib(key: str) -> Mapped:
    return Mapped(
        lambda values: max(values[key] // 1024, 1), lambda value, values: _if_on(key, value * 1024, values), int,
        (key,),
    )


def _if_on(key: str, value: int, values: Values) -> dict[str, Any]:
    return {key: max(value, 1)} if values[key] else {}


def _chosen(key: str, words: tuple[str, ...]) -> Mapped:
    """A number for each of our words."""
    return Mapped(
        lambda values: words.index(values[key]) if values[key] in words else 0,
        lambda value, _: {key: words[value]} if 0 <= value < len(words) else {}, int, (key,),
    )


def _limit_on(key: str) -> Mapped:
    """Whether there is a limit; turned on, it is the one that is sent along (`_limit`), else the least there can be."""
    return Mapped(
        lambda values: values[key] >= 0,
        lambda value, values: {} if value == (values[key] >= 0) else {key: 0 if value else -1}, bool, (key,),
    )


def _limit(key: str, factor: int) -> Mapped:
    def write(value: Any, values: Values) -> dict[str, Any]:
        # Programs send a limit along that is off: -1, or the last one.
        return {key: value * factor} if value >= 0 else {key: -1}

    return Mapped(lambda values: _over(values[key], factor), write, (int, float), (key,))


def _over(value: float, factor: int) -> float:
    return value if value < 0 else value / factor if factor == 1 else -(-int(value) // factor)


def _clock(key: str, part: int) -> Mapped:
    """The hour or the minute of HH:MM."""

    def write(value: Any, values: Values) -> dict[str, Any]:
        parts = values[key].split(":")
        parts[part] = f"{min(max(value, 0), (23, 59)[part]):02}"
        return {key: ":".join(parts)}

    return Mapped(lambda values: int(values[key].split(":")[part]), write, int, (key,))


def _days_read(values: Values) -> int:
    days = tuple(day for day in _DAYS if day in values["slow_mode.days"])
    if days == _DAYS[:5]:
        return 1
    if days == _DAYS[5:]:
        return 2
    return 3 + _DAYS.index(days[0]) if len(days) == 1 else 0


def _days_write(value: Any, values: Values) -> dict[str, Any]:
    choices = {0: _DAYS, 1: _DAYS[:5], 2: _DAYS[5:], **{3 + place: (day,) for place, day in enumerate(_DAYS)}}
    return {"slow_mode.days": list(choices[value])} if value in choices else {}


def _port(values: Values) -> int:
    listen = values["connections.listen"]
    found = re.search(r":(\d+)(?:-\d+)?$", listen[0]) if listen else None
    return int(found[1]) if found else 0


def _port_write(value: Any, values: Values) -> dict[str, Any]:
    if not 0 <= value <= 65535:
        return {}
    return {"connections.listen": [re.sub(r":\d+(-\d+)?$", f":{value}", item) for item in values["connections.listen"]]}


def _protocols(value: Any, values: Values) -> dict[str, Any]:
    return {"connections.tcp": value in (0, 1), "connections.utp": value in (0, 2)} if value in (0, 1, 2) else {}


def _temp_on(value: Any, values: Values) -> dict[str, Any]:
    now = values["downloads.incomplete_folder"]
    if bool(now) == value:
        return {}
    return {"downloads.incomplete_folder": f"{values['downloads.folder']}/incomplete" if value else ""}


def _temp(value: Any, values: Values) -> dict[str, Any]:
    return {"downloads.incomplete_folder": value} if values["downloads.incomplete_folder"] and value else {}


def _layout(value: Any, values: Values) -> dict[str, Any]:
    return {"downloads.layout": names.LAYOUTS[value]} if value in names.LAYOUTS else {}


def _watched(values: Values) -> dict[str, Any]:
    """Folders that are looked into. 1: what they have goes where the category, or the usual folder, is."""
    return {item.partition("=")[0]: 1 for item in values["downloads.watch"]}


def _watch(value: Any, values: Values) -> dict[str, Any]:
    """A folder keeps the category that it has here. One whose torrents are to go to a folder of their own (a text, or 0
    for the folder itself) cannot be had; it is left out rather than filled elsewhere.
    """
    there = {item.partition("=")[0]: item for item in values["downloads.watch"]}
    folders = [folder for folder, kind in value.items() if folder in there or (_fits(kind, int) and kind == 1)]
    return {"downloads.watch": [there.get(folder, folder) for folder in folders if folder.startswith("/")]}


def _filter_on(value: Any, values: Values) -> dict[str, Any]:
    return {} if value else {"filter.sources": []}


def _filter(value: Any, values: Values) -> dict[str, Any]:
    """The first list is the one they know of."""
    others = list(values["filter.sources"])[1:]
    return {"filter.sources": [value.strip(), *others]} if value.strip() else {}


MAPPED: Final[dict[str, Mapped]] = {
    # files
    "save_path": _same("downloads.folder", str),
    "temp_path_enabled": Mapped(
        lambda values: bool(values["downloads.incomplete_folder"]), _temp_on, bool,
        ("downloads.incomplete_folder", "downloads.folder")),
    "temp_path": Mapped(
        lambda values: values["downloads.incomplete_folder"] or f"{values['downloads.folder']}/incomplete", _temp, str,
        ("downloads.incomplete_folder", "downloads.folder")),
    "incomplete_files_ext": Mapped(
        lambda values: bool(values["downloads.incomplete_suffix"]),
        lambda value, _: {"downloads.incomplete_suffix": _SUFFIX if value else ""}, bool,
        ("downloads.incomplete_suffix",)),
    "preallocate_all": _same("disk.preallocate", bool),
    "torrent_content_layout": Mapped(
        lambda values: next(name for name, ours in names.LAYOUTS.items() if ours == values["downloads.layout"]),
        _layout, str, ("downloads.layout",)),
    "add_stopped_enabled": _negated("downloads.start"),
    "start_paused_enabled": _negated("downloads.start"),
    "auto_tmm_enabled": _same("downloads.auto", bool),
    "excluded_file_names_enabled": Mapped(
        lambda values: bool(values["downloads.exclude"]),
        lambda value, values: {} if value else {"downloads.exclude": []}, bool, ("downloads.exclude",)),
    "excluded_file_names": _lines("downloads.exclude"),
    "scan_dirs": Mapped(_watched, _watch, dict, ("downloads.watch",)),
    "recheck_completed_torrents": _same("downloads.recheck", bool),
    # connections
    "listen_port": Mapped(_port, _port_write, int, ("connections.listen",)),
    "max_connec": _count("connections.most", 100_000),
    "max_connec_per_torrent": _count("connections.per_torrent", 240),
    "max_uploads_per_torrent": _same("peers.upload_slots", int),
    "bittorrent_protocol": Mapped(
        lambda values: 0 if values["connections.tcp"] and values["connections.utp"] else
        1 if values["connections.tcp"] else 2,
        _protocols, int, ("connections.tcp", "connections.utp")),
    "current_network_interface": _same("network.interface", str),
    "ip_filter_enabled": Mapped(
        lambda values: bool(values["filter.sources"]), _filter_on, bool, ("filter.sources",)),
    "ip_filter_path": Mapped(
        lambda values: next(iter(values["filter.sources"]), ""), _filter, str, ("filter.sources",)),
    "upnp": Mapped(
        lambda values: values["discovery.upnp"] or values["discovery.natpmp"],
        lambda value, _: {"discovery.upnp": value, "discovery.natpmp": value}, bool,
        ("discovery.upnp", "discovery.natpmp")),
    # speeds
    "dl_limit": _rate("rates.down"),
    "up_limit": _rate("rates.up"),
    "alt_dl_limit": _rate("slow_mode.down"),
    "alt_up_limit": _rate("slow_mode.up"),
    "limit_lan_peers": _same("rates.limit_local", bool),
    "scheduler_enabled": _same("slow_mode.scheduled", bool),
    "schedule_from_hour": _clock("slow_mode.start", 0),
    "schedule_from_min": _clock("slow_mode.start", 1),
    "schedule_to_hour": _clock("slow_mode.end", 0),
    "schedule_to_min": _clock("slow_mode.end", 1),
    "scheduler_days": Mapped(_days_read, _days_write, int, ("slow_mode.days",)),
    # BitTorrent
    "dht": _same("dht.enabled", bool),
    "pex": _same("peers.pex", bool),
    "lsd": _same("discovery.lsd", bool),
    "encryption": _chosen("peers.encryption", ("prefer", "require", "off")),
    "anonymous_mode": _same("peers.anonymous", bool),
    "announce_to_all_tiers": _same("trackers.announce_all_tiers", bool),
    "announce_to_all_trackers": _same("trackers.announce_all_trackers", bool),
    "idn_support_enabled": _same("trackers.idna", bool),
    "upload_choking_algorithm": _chosen("peers.seed_choking", ("round_robin", "fastest", "anti_leech")),
    # queue
    "queueing_enabled": _same("queue.enabled", bool),
    "max_active_downloads": _count("queue.downloads", 0),
    "max_active_uploads": _count("queue.seeds", 0),
    "max_active_torrents": _count("queue.total", 0),
    "dont_count_slow_torrents": Mapped(
        lambda values: bool(values["queue.slow_down"] or values["queue.slow_up"]),
        lambda value, values: {} if value == bool(values["queue.slow_down"] or values["queue.slow_up"]) else
        dict.fromkeys(("queue.slow_down", "queue.slow_up"), 2048 if value else 0), bool,
        ("queue.slow_down", "queue.slow_up")),
    "slow_torrent_dl_rate_threshold": _kib("queue.slow_down"),
    "slow_torrent_ul_rate_threshold": _kib("queue.slow_up"),
    "slow_torrent_inactive_timer": _same("queue.slow_seconds", int),
    # seeding
    "max_ratio_enabled": _limit_on("seeding.ratio"),
    "max_ratio": _limit("seeding.ratio", 1),
    "max_seeding_time_enabled": _limit_on("seeding.seconds"),
    "max_seeding_time": _limit("seeding.seconds", 60),
    "max_inactive_seeding_time_enabled": _limit_on("seeding.idle_seconds"),
    "max_inactive_seeding_time": _limit("seeding.idle_seconds", 60),
    "max_ratio_act": _chosen("seeding.action", names.ACTION_NUMBERS),
    # RSS
    "rss_processing_enabled": _same("feeds.enabled", bool),
    "rss_auto_downloading_enabled": _same("feeds.auto_download", bool),
    "rss_download_repack_proper_episodes": _same("feeds.repacks", bool),
    "rss_smart_episode_filters": _lines("feeds.episode_patterns"),
    "rss_max_articles_per_feed": _same("feeds.articles", int),
    "rss_refresh_interval": _rounded("feeds.refresh_minutes"),
    "rss_fetch_delay": _rounded("feeds.host_seconds"),
}
_PAIRS: Final = {
    "max_ratio": "max_ratio_enabled", "max_seeding_time": "max_seeding_time_enabled",
    "max_inactive_seeding_time": "max_inactive_seeding_time_enabled", "temp_path": "temp_path_enabled",
    "excluded_file_names": "excluded_file_names_enabled", "ip_filter_path": "ip_filter_enabled",
}
"A value, and whether it holds: where that is turned off in one go, the value does not turn it on again."


def shown(values: Values) -> dict[str, Any]:
    """All preferences."""
    answer = dict(USUAL)
    for name, mapped in MAPPED.items():
        if all(key in values for key in mapped.keys):
            answer[name] = mapped.read(values)
    # What a program sees first of a folder is its text.
    return {name: str(value) if name.endswith("_path") else value for name, value in answer.items()}


def changes(wanted: dict[str, Any], values: Values) -> dict[str, Any]:
    """What preferences that are sent change in our settings. Those that are as they were change nothing; a value of a
    wrong type is passed over, as the original does.
    """
    now: dict[str, Any] = dict(values)
    before = shown(values)
    changed: dict[str, Any] = {}
    switches_first = sorted(wanted, key=lambda name: name in _PAIRS)
    for name in switches_first:
        mapped = MAPPED.get(name)
        value = wanted[name]
        if mapped is None or not _fits(value, mapped.kind) or any(key not in now for key in mapped.keys):
            continue
        switch = _PAIRS.get(name)
        if value == before[name] and not (switch is not None and wanted.get(switch) is True and not before[switch]):
            continue
        if switch is not None and wanted.get(switch, True) is False:
            continue
        new = mapped.write(value, now)
        now.update(new)
        changed.update(new)
    return {key: value for key, value in changed.items() if values[key] != value}


def _fits(value: Any, kind: type | tuple[type, ...]) -> bool:
    if isinstance(value, bool) and kind is not bool:
        return False
    return isinstance(value, kind)
