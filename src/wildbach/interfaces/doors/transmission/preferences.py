"""Transmission's settings and ours: the one table for session-get and session-set.

A value and its switch, as speed-limit-down and speed-limit-down-enabled, are one setting with us, which has a value for
`off`; what is switched off keeps its value here, for this run. What is given as it is already changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from wildbach.base import limits
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission import names, refusal
from wildbach.interfaces.doors.transmission.changing import absolute
from wildbach.interfaces.doors.transmission.names import Dialect, kebab
from wildbach.interfaces.doors.transmission.parameters import Params
from wildbach.interfaces.doors.transmission.refusal import Refusal
from wildbach.interfaces.doors.transmission.usual import KILO, limit_of

Kind = Literal["number", "double", "string", "boolean", "array", "object"]
Values = dict[str, Any]

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MIB: Final = 1 << 20
_ENCRYPTION: Final = {"prefer": "preferred", "require": "required"}
_MOST: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class View:
    """What the settings are now."""

    values: Values
    "Ours, by dotted key."
    transfer: m.Transfer
    latent: Values
    session_id: str
    dialect: Dialect
    guest: bool = False


@dataclass(slots=True)
class Changes:
    """What is asked for, and what of ours it makes."""

    view: View
    params: Params
    made: Values
    slow_mode: bool | None = None

    def now(self, key: str) -> Any:
        return self.made.get(key, self.view.values.get(key))


@dataclass(frozen=True, slots=True)
class Preference:
    """One of Transmission's. `write` is None for what is only read."""

    name: str
    classic: str
    kind: Kind
    read: Callable[[View], Any]
    write: Callable[[Changes], None] | None = None
    ours: str = ""
    "The setting it is, or why it is none; for the documentation."
    modern: bool = False

    def spelled(self, dialect: Dialect) -> str:
        return self.classic if dialect is Dialect.CLASSIC else self.name


def _one(
    name: str, kind: Kind, read: Callable[[View], Any], write: Callable[[Changes], None] | None = None, *,
    ours: str = "", classic: str = "", modern: bool = False,
) -> list[Preference]:
    return [Preference(name, classic or kebab(name), kind, read, write, ours, modern)]


def _fixed(
    name: str, kind: Kind, value: Any, why: str, *, modern: bool = False, loose: bool = False,
) -> list[Preference]:
    """Something that we do not have: another value is refused, or passed over where it is `loose`."""
    def write(changes: Changes) -> None:
        params = changes.params
        given: Any = (
            params.flag(name) if kind == "boolean" else params.text(name) if kind == "string" else params.real(name))
        if not loose and given is not None and given != value:
            raise Refusal(refusal.INVALID_PARAMS, f"{kebab(name)}: {why}")
    return _one(name, kind, lambda view: value, write, ours=why, modern=modern)


# -- one of theirs is one of ours


def _flag(name: str, *keys: str) -> list[Preference]:
    def write(changes: Changes) -> None:
        flag = changes.params.flag(name)
        if flag is not None:
            changes.made.update(dict.fromkeys(keys, flag))
    return _one(name, "boolean", lambda view: any(view.values[key] for key in keys), write, ours=", ".join(keys))


def _number(name: str, key: str, factor: int = 1, lowest: int = 0, classic: str = "") -> list[Preference]:
    def write(changes: Changes) -> None:
        value = changes.params.whole(name, lowest, _MOST)
        if value is not None:
            changes.made[key] = value * factor
    return _one(name, "number", lambda view: view.values[key] // factor, write, ours=key, classic=classic)


def _limit(
    name: str, switch: str, key: str, off: float, shown: float, *, to: Callable[[float], float],
    back: Callable[[float], float], kind: Kind = "number", classic: tuple[str, str] = ("", ""),
    also: Callable[[Changes], None] | None = None,
) -> list[Preference]:
    """A value, its switch, and our setting that is both. `shown` is the value where none was ever given."""
    def is_on(view: View) -> bool:
        return bool(view.values[key] != off)

    def value(view: View) -> float:
        found: float = back(view.values[key]) if is_on(view) else view.latent.get(name, shown)
        return found if kind == "double" else int(found)

    def write(changes: Changes) -> None:
        given, on = changes.params.real(name), changes.params.flag(switch)
        number = value(changes.view) if given is None else min(max(given, 0), _MOST)
        if given is not None or is_on(changes.view):
            changes.view.latent[name] = number
        if given is None and on is None:
            return
        if is_on(changes.view) if on is None else on:
            changes.made[key] = to(number)
            if also is not None:
                also(changes)
        elif on is False:
            changes.made[key] = off

    return [
        *_one(name, kind, value, write, ours=key, classic=classic[0]),
        *_one(switch, "boolean", is_on, None, ours=key, classic=classic[1]),
    ]


def _speed(name: str, key: str) -> list[Preference]:
    return _limit(
        name, f"{name}_enabled", key, 0, 100, to=limit_of, back=lambda value: value // KILO)


def _alternative(name: str, key: str) -> list[Preference]:
    def write(changes: Changes) -> None:
        value = changes.params.whole(name, 0, _MOST)
        if value is not None:
            changes.made[key] = limit_of(value)
    return _one(name, "number", lambda view: view.values[key] // KILO, write, ours=key)


def _queue_on(changes: Changes) -> None:
    changes.made["queue.enabled"] = True


def _queue(name: str, key: str, shown: int) -> list[Preference]:
    size, switch = _limit(
        f"{name}_size", f"{name}_enabled", key, 0, shown, to=lambda value: max(1, int(value)), back=int, also=_queue_on)
    inner = switch.read

    def is_on(view: View) -> bool:
        return bool(view.values["queue.enabled"]) and bool(inner(view))

    return [size, Preference(switch.name, switch.classic, "boolean", is_on, None, f"queue.enabled, {key}")]


# -- the others


def _slow_mode(changes: Changes) -> None:
    changes.slow_mode = changes.params.flag("alt_speed_enabled")


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _clock(name: str, key: str) -> list[Preference]:
    def write(changes: Changes) -> None:
        value = changes.params.whole(name, 0, 24 * 60 - 1)
        if value is not None:
            changes.made[key] = f"{value // 60:02}:{value % 60:02}"
    return _one(name, "number", lambda view: _minutes(view.values[key]), write, ours=key)


def _read_days(view: View) -> int:
    return sum(1 << bit for bit, day in enumerate(_DAYS) if day in view.values["slow_mode.days"])


def _write_days(changes: Changes) -> None:
    value = changes.params.whole("alt_speed_time_day", 0, 127)
    if value is not None:
        changes.made["slow_mode.days"] = [day for bit, day in enumerate(_DAYS) if value >> bit & 1]


def _write_encryption(changes: Changes) -> None:
    value = changes.params.text("encryption")
    if value is None:
        return
    ours = {"required": "require", "preferred": "prefer", "tolerated": "off", "allowed": "off"}.get(value)
    if ours is None:
        raise Refusal(refusal.INVALID_PARAMS, 'must be one of "preferred", "required" or "tolerated"')
    changes.made["peers.encryption"] = ours


def _read_encryption(view: View) -> str:
    mild = "tolerated" if view.dialect is Dialect.CLASSIC else "allowed"
    return _ENCRYPTION.get(view.values["peers.encryption"], mild)


def _write_folder(changes: Changes) -> None:
    value = changes.params.text("download_dir")
    if value is not None:
        changes.made["downloads.folder"] = absolute(value, "download directory path")


def _read_incomplete(view: View) -> str:
    folder = view.values["downloads.incomplete_folder"]
    return str(folder or view.latent.get("incomplete_dir") or view.values["downloads.folder"])


def _write_incomplete(changes: Changes) -> None:
    folder, on = changes.params.text("incomplete_dir"), changes.params.flag("incomplete_dir_enabled")
    now = bool(changes.view.values["downloads.incomplete_folder"])
    value = _read_incomplete(changes.view)
    if folder is not None:
        value = absolute(folder, "incomplete torrents directory path") if folder else value
    if folder is not None or now:
        changes.view.latent["incomplete_dir"] = value
    if folder is not None or on is not None:
        changes.made["downloads.incomplete_folder"] = value if (now if on is None else on) else ""


def _write_suffix(changes: Changes) -> None:
    on = changes.params.flag("rename_partial_files")
    if on is not None and on != bool(changes.view.values["downloads.incomplete_suffix"]):
        changes.made["downloads.incomplete_suffix"] = ".part" if on else ""


def _read_blocklist(view: View) -> str:
    if view.guest:
        return ""
    sources = view.values["filter.sources"]
    return str(sources[0]) if sources else str(view.latent.get("blocklist_url", ""))


def _write_blocklist(changes: Changes) -> None:
    url, on = changes.params.text("blocklist_url"), changes.params.flag("blocklist_enabled")
    now = list(changes.view.values["filter.sources"])
    value = _read_blocklist(changes.view) if url is None else url
    if url is not None or now:
        changes.view.latent["blocklist_url"] = value
    if url is not None or on is not None:
        wanted = bool(now) if on is None else on
        # Of several sources Transmission knows the first.
        changes.made["filter.sources"] = [value, *now[1:]] if wanted and value else []


def _port_of(entry: str) -> int:
    port = entry.rpartition(":")[2].partition("-")[0]
    return int(port) if port.isdecimal() else 0


def _read_port(view: View) -> int:
    heard = [_port_of(entry) for entry in view.transfer.listening]
    asked = [_port_of(entry) for entry in view.values["connections.listen"]]
    return next((port for port in (*heard, *asked) if port), 0)


def _is_random(view: View) -> bool:
    return any(not _port_of(entry) for entry in view.values["connections.listen"])


def _write_port(changes: Changes) -> None:
    port = changes.params.whole("peer_port", 1, 65535)
    random = changes.params.flag("peer_port_random_on_start")
    now = changes.view.values["connections.listen"]
    was = _is_random(changes.view)
    if port is None and random in (None, was):
        return
    if port == _read_port(changes.view) and random in (None, was):
        return
    chosen = 0 if (was if random is None else random) else port or _read_port(changes.view)
    changes.made["connections.listen"] = [f"{entry.rpartition(':')[0]}:{chosen}" for entry in now]


def _write_stalled(changes: Changes) -> None:
    minutes, on = changes.params.whole("queue_stalled_minutes", 1, 1440), changes.params.flag("queue_stalled_enabled")
    if minutes is not None:
        changes.made["queue.slow_seconds"] = minutes * 60
    if on is not None and on != bool(changes.view.values["queue.slow_down"]):
        changes.made["queue.slow_down"] = changes.made["queue.slow_up"] = 2048 if on else 0


def _transports(view: View) -> list[str]:
    return [name for name, key in (("utp", "connections.utp"), ("tcp", "connections.tcp")) if view.values[key]]


def _write_transports(changes: Changes) -> None:
    chosen = changes.params.texts("preferred_transports")
    if chosen is None:
        return
    if len(set(chosen)) != len(chosen) or not set(chosen) <= {"utp", "tcp"}:
        raise Refusal(refusal.INVALID_PARAMS, 'the list must be unique with the values "utp" or "tcp"')
    changes.made["connections.utp"] = "utp" in chosen
    changes.made["connections.tcp"] = "tcp" in chosen


def _units(view: View) -> dict[str, Any]:
    return {
        "memory_bytes": 1024, "memory_units": ["B", "KiB", "MiB", "GiB", "TiB"],
        "size_bytes": 1000, "size_units": ["B", "kB", "MB", "GB", "TB"],
        "speed_bytes": KILO, "speed_units": ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"],
    }


def _by(classic: Any, modern: Any) -> Callable[[View], Any]:
    return lambda view: classic if view.dialect is Dialect.CLASSIC else modern


_SCRIPTS: Final = "programs are not run by way of this door"

PREFERENCES: Final = {one.name: one for one in (
    *_alternative("alt_speed_down", "slow_mode.down"),
    *_one("alt_speed_enabled", "boolean", lambda view: view.transfer.slow_mode, _slow_mode, ours="slow mode itself"),
    *_clock("alt_speed_time_begin", "slow_mode.start"),
    *_one("alt_speed_time_day", "number", _read_days, _write_days, ours="slow_mode.days"),
    *_flag("alt_speed_time_enabled", "slow_mode.scheduled"),
    *_clock("alt_speed_time_end", "slow_mode.end"),
    *_alternative("alt_speed_up", "slow_mode.up"),
    *_fixed("anti_brute_force_enabled", "boolean", True, "logins are always limited"),
    *_one("blocklist_enabled", "boolean", lambda view: bool(view.values["filter.sources"]), ours="filter.sources"),
    *_one("blocklist_size", "number", lambda view: 0, None, ours="not counted"),
    *_one("blocklist_url", "string", _read_blocklist, _write_blocklist, ours="filter.sources, the first one"),
    *_number("cache_size_mib", "disk.memory", _MIB, 16, classic="cache-size-mb"),
    *_one("config_dir", "string", lambda view: "", None, ours="not told"),
    *_fixed("default_trackers", "string", "", "there are no trackers that all torrents get"),
    *_flag("dht_enabled", "dht.enabled"),
    *_one("download_dir", "string", lambda view: str(view.values["downloads.folder"]), _write_folder,
          ours="downloads.folder"),
    *_one("download_dir_free_space", "number",
          lambda view: -1 if view.transfer.free_space is None else view.transfer.free_space, None, ours="as it is"),
    *_queue("download_queue", "queue.downloads", 5),
    *_one("encryption", "string", _read_encryption, _write_encryption, ours="peers.encryption; tolerated is off"),
    *_limit("idle_seeding_limit", "idle_seeding_limit_enabled", "seeding.idle_seconds", -1, 30,
            to=lambda value: int(value) * 60, back=lambda value: value // 60),
    *_one("incomplete_dir", "string", _read_incomplete, _write_incomplete, ours="downloads.incomplete_folder"),
    *_one("incomplete_dir_enabled", "boolean", lambda view: bool(view.values["downloads.incomplete_folder"]), None,
          ours="downloads.incomplete_folder"),
    *_flag("lpd_enabled", "discovery.lsd"),
    *_number("peer_limit_global", "connections.most", 1, 2),
    *_number("peer_limit_per_torrent", "connections.per_torrent", 1, 1),
    *_one("peer_port", "number", _read_port, _write_port, ours="connections.listen"),
    *_one("peer_port_random_on_start", "boolean", _is_random, None, ours="connections.listen, port 0"),
    *_flag("pex_enabled", "peers.pex"),
    *_flag("port_forwarding_enabled", "discovery.upnp", "discovery.natpmp"),
    *_one("preferred_transports", "array", _transports, _write_transports, ours="connections.utp, connections.tcp",
          modern=True),
    *_one("queue_stalled_enabled", "boolean", lambda view: bool(view.values["queue.slow_down"]), _write_stalled,
          ours="queue.slow_down, queue.slow_up"),
    *_one("queue_stalled_minutes", "number", lambda view: max(1, view.values["queue.slow_seconds"] // 60), None,
          ours="queue.slow_seconds"),
    *_one("rename_partial_files", "boolean", lambda view: bool(view.values["downloads.incomplete_suffix"]),
          _write_suffix, ours="downloads.incomplete_suffix"),
    *_one("reqq", "number", lambda view: limits.REQUESTS_QUEUED, None, ours="fixed", modern=True),
    *_one("rpc_version", "number", _by(names.RPC_VERSION, names.MODERN_RPC_VERSION)),
    *_one("rpc_version_minimum", "number", lambda view: names.RPC_VERSION_MINIMUM),
    *_one("rpc_version_semver", "string", _by(names.RPC_SEMVER, names.MODERN_RPC_SEMVER)),
    *_fixed("script_torrent_added_enabled", "boolean", False, _SCRIPTS),
    *_fixed("script_torrent_added_filename", "string", "", _SCRIPTS),
    *_fixed("script_torrent_done_enabled", "boolean", False, _SCRIPTS),
    *_fixed("script_torrent_done_filename", "string", "", _SCRIPTS),
    *_fixed("script_torrent_done_seeding_enabled", "boolean", False, _SCRIPTS),
    *_fixed("script_torrent_done_seeding_filename", "string", "", _SCRIPTS),
    *_limit("seed_ratio_limit", "seed_ratio_limited", "seeding.ratio", -1, 2.0, to=float, back=float, kind="double",
            classic=("seedRatioLimit", "seedRatioLimited")),
    *_queue("seed_queue", "queue.seeds", 10),
    *_fixed("sequential_download", "boolean", False, "say so when a torrent is added", modern=True),
    *_one("session_id", "string", lambda view: view.session_id),
    *_speed("speed_limit_down", "rates.down"),
    *_speed("speed_limit_up", "rates.up"),
    *_flag("start_added_torrents", "downloads.start"),
    *_flag("tcp_enabled", "connections.tcp"),
    *_fixed("trash_original_torrent_files", "boolean", False, "files of this machine are not added by this door",
            loose=True),
    *_one("units", "object", _units),
    *_flag("utp_enabled", "connections.utp"),
    *_one("version", "string", _by(names.VERSION, names.MODERN_VERSION)),
)}
CLASSIC: Final = {one.classic: one for one in PREFERENCES.values()}
_READ_ONLY: Final = frozenset(("tcp_enabled",))


def read(view: View, asked: list[str] | None) -> dict[str, Any]:
    """The preferences of these names in the dialect, or all; what is none is left out."""
    classic = view.dialect is Dialect.CLASSIC
    table = CLASSIC if classic else PREFERENCES
    chosen = [one for one in table.values() if not (classic and one.modern)] if not asked else [
        table[name] for name in dict.fromkeys(asked) if name in table]
    return {one.name: one.read(view) for one in chosen}


def write(view: View, params: Params) -> Changes:
    """What changes of our settings. Raises Refusal, then nothing does."""
    latent = dict(view.latent)
    changes = Changes(view, params, {})
    try:
        for one in PREFERENCES.values():
            if one.write is not None and one.name not in _READ_ONLY:
                one.write(changes)
    except Refusal:
        view.latent.clear()
        view.latent.update(latent)
        raise
    changes.made = {key: value for key, value in changes.made.items() if _differs(view.values.get(key), value)}
    return changes


def _differs(now: Any, then: Any) -> bool:
    if isinstance(then, list) and isinstance(now, list | tuple):
        return list(now) != then
    return bool(now != then)
