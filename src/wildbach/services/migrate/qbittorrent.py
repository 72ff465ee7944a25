"""qBittorrent 4.1 to 5: a folder `BT_backup` with two files a torrent, or the database `torrents.db`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wildbach.base import limits
from wildbach.base.errors import FormatError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.fields import bytes_or, int_or
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.services.migrate import content, fastresume, qsettings
from wildbach.services.migrate.fastresume import Resume
from wildbach.services.migrate.fields import flag, number, path_text, tags, text
from wildbach.services.migrate.folders import Names, listed, read, read_json, read_or_none
from wildbach.services.migrate.found import Category, Client, Found, General, Limits, Start, State, Unreadable
from wildbach.services.migrate.placing import PathMap, is_windows, place
from wildbach.services.migrate.processes import is_locked
from wildbach.services.migrate.qbtdatabase import Row, count_rows, rows

_RESUME = re.compile(r"([0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?)\.fastresume")
_DATABASE = "torrents.db"
_SUFFIX = ".!qB"
_MINUTE = 60
_AT_LIMIT = {"Remove": "it was to be removed at its limit", "RemoveWithContent": "it was to be deleted at its limit",
             "EnableSuperSeeding": "super seeding was to begin at its limit"}


def look(folder: Path, names: Names) -> list[State]:
    """The state in this folder, if it has any."""
    states = []
    count = sum(1 for name in names if _RESUME.fullmatch(name) is not None)
    if count:
        config = _config(folder.parent)
        states.append(State(Client.QBITTORRENT, folder, config, count, _running(config)))
    if names.get(_DATABASE) is False:
        config = _config(folder)
        running = _running(config)
        try:
            count = count_rows(folder / _DATABASE, busy=bool(running))
        except WildbachError:
            count = 0
        if count:
            states.append(State(Client.QBITTORRENT, folder / _DATABASE, config, count, running))
    return states


def _config(data: Path) -> Path | None:
    """The folder with qBittorrent.conf that belongs to a folder with data."""
    homes = [data, data / "config", data.parent / "config"]
    for ours, theirs in ((".local/share", ".config"), ("data", "config"), ("Local", "Roaming"),
                         ("Library/Application Support", ".config")):
        parts = data.as_posix()
        if parts.endswith(f"/{ours}/{data.name}"):
            homes.append(Path(parts.removesuffix(f"{ours}/{data.name}")) / theirs / data.name)
    for home in homes:
        if any((home / name).is_file() for name in ("qBittorrent.conf", "qBittorrent.ini", "categories.json")):
            return home
    return None


def _running(config: Path | None) -> str:
    if config is None:
        return ""
    lock = config / "lockfile"
    if is_locked(lock):
        return "qBittorrent runs now: what changed in the last minutes may not be in its files yet"
    if lock.is_file():
        return "qBittorrent runs now, or did not end as it should: there is a lockfile"
    return ""


# -- what holds for all

def general(state: State, paths: PathMap) -> General:
    """Folders, suffix and categories."""
    notes: list[str] = []
    settings = _settings(state, notes)

    def setting(*keys: str) -> str:
        return next((settings[key] for key in keys if settings.get(key)), "")

    default = setting("BitTorrent/Session\\DefaultSavePath", "Preferences/Downloads\\SavePath")
    temporary = setting("BitTorrent/Session\\TempPath", "Preferences/Downloads\\TempPath")
    on = setting("BitTorrent/Session\\TempPathEnabled", "Preferences/Downloads\\TempPathEnabled") == "true"
    suffix = setting(
        "BitTorrent/Session\\AddExtensionToIncompleteFiles", "Preferences/Downloads\\UseIncompleteExtension") == "true"
    save_path = place(paths, default, notes, "the save path") if default else None
    return General(
        save_path=save_path,
        incomplete_path=place(paths, temporary, notes, "the folder for what is not complete")
        if temporary and on else None,
        suffix=_SUFFIX if suffix else "",
        categories=_categories(state, paths, save_path, notes),
        notes=tuple(notes),
    )


def _settings(state: State, notes: list[str]) -> dict[str, str]:
    if state.config is None:
        return {}
    for name in ("qBittorrent.conf", "qBittorrent.ini"):
        try:
            data = read_or_none(state.config / name, limits.IMPORT_CONFIG_BYTES)
        except WildbachError as error:
            notes.append(f"the settings could not be read: {error}")
            return {}
        if data is not None:
            return qsettings.parse(data)
    return {}


def _categories(state: State, paths: PathMap, default: Path | None, notes: list[str]) -> tuple[Category, ...]:
    if state.config is None:
        return ()
    try:
        table = read_json(state.config / "categories.json", limits.IMPORT_CONFIG_BYTES)
    except WildbachError as error:
        notes.append(f"the categories could not be read: {error}")
        return ()
    found: dict[str, Category] = {}
    for name in sorted(table or {}):
        clean = text(name)
        value = (table or {})[name]
        # Before 4.4 the value was the path itself.
        fields = {"save_path": value} if isinstance(value, str) else content.text_map(value)
        said = path_text(fields.get("save_path"))
        if said:
            folder = place(paths, said, notes, f"the folder of category {clean}:")
        else:
            folder = _usual(clean, found, default)
        other = path_text(fields.get("download_path"))
        found[clean] = Category(
            clean, folder, place(paths, other, notes, f"the folder of category {clean}:") if other else None)
    return tuple(found.values())


def _usual(name: str, known: dict[str, Category], default: Path | None) -> Path | None:
    """A category without a folder has one of its own name in that of its parent, or in the save path."""
    parent, slash, last = name.rpartition("/")
    base = known[parent].save_path if slash and parent in known else default
    below = last if slash and parent in known else name
    if base is None or any(part in ("", ".", "..") for part in below.split("/")) or "\0" in below:
        return None
    return base / below


# -- the torrents

@dataclass(slots=True)
class _Own:
    """What qBittorrent keeps besides libtorrent's resume data, from the keys of a file or the columns of a row."""

    name: str
    category: str
    tags: tuple[str, ...]
    save_path: str
    download_path: str
    ratio: float
    "A thousandth each; -2000 for the general limit, -1000 for none."
    seeding: float
    "Minutes; -2 for the general limit, -1 for none."
    idle: float
    stopped: bool
    forced: bool
    edges_first: bool
    stop_condition: str
    at_limit: str
    queue: int | None


def torrents(state: State, paths: PathMap) -> Iterator[Found | Unreadable]:
    """All torrents, in no order."""
    shared = general(state, paths)
    if state.path.name == _DATABASE:
        yield from _from_database(state, paths, shared)
    else:
        yield from _from_folder(state.path, paths, shared)


def _from_folder(folder: Path, paths: PathMap, shared: General) -> Iterator[Found | Unreadable]:
    names = listed(folder)
    places = _queue(folder)
    for name in names:
        match = _RESUME.fullmatch(name)
        if match is None:
            continue
        key = match[1].lower()
        try:
            data = read(folder / name, limits.IMPORT_RESUME_BYTES)
            file = read_or_none(folder / f"{match[1]}.torrent", limits.TORRENT_FILE_BYTES)
            yield found(key, data, file, paths, shared, places.get(key))
        except WildbachError as error:
            yield Unreadable(Client.QBITTORRENT, name, str(error))
    lone = [name for name in names if name.endswith(".torrent") and f"{name[:-8]}.fastresume" not in names]
    for name in lone:
        yield Unreadable(Client.QBITTORRENT, name, "qBittorrent has no state of it (no fastresume file)")


def found(
    key: str, data: bytes, file: bytes | None, paths: PathMap, shared: General, queue: int | None = None,
) -> Found:
    """One torrent of its two files; `key` is their name. Raises FormatError where one is broken."""
    resume = fastresume.parse(data)
    return _found(key, resume, file, _of_keys(resume, queue), paths, shared)


def _queue(folder: Path) -> dict[str, int]:
    try:
        data = read_or_none(folder / "queue", limits.IMPORT_CONFIG_BYTES)
    except WildbachError:
        return {}
    lines = (data or b"").decode("ascii", "replace").lower().split()
    return {line: index for index, line in enumerate(lines)}


def _from_database(state: State, paths: PathMap, shared: General) -> Iterator[Found | Unreadable]:
    for row in rows(state.path, busy=bool(state.running)):
        name = text(row.get("torrent_id"))
        try:
            data, file = row.get("libtorrent_resume_data"), row.get("metadata")
            if not isinstance(data, bytes):
                raise FormatError("has no resume data", where=name)
            metadata = file if isinstance(file, bytes) and file else None
            yield _found(name.lower(), fastresume.parse(data), metadata, _of_row(row), paths, shared)
        except WildbachError as error:
            yield Unreadable(Client.QBITTORRENT, name, str(error))


def _of_keys(resume: Resume, queue: int | None) -> _Own:
    fields = resume.fields
    ratio = fields.get(b"qBt-ratioLimit", -2000)
    if isinstance(ratio, bytes):  # before 4.1.4
        try:
            ratio_value = float(ratio[:20]) * 1000
        except ValueError:
            ratio_value = -2000
    else:
        ratio_value = number(ratio, -2000)
    return _Own(
        name=text(fields.get(b"qBt-name")), category=text(fields.get(b"qBt-category")),
        tags=tags(fields.get(b"qBt-tags")),
        save_path=path_text(fields.get(b"qBt-savePath")), download_path=path_text(fields.get(b"qBt-downloadPath")),
        ratio=ratio_value, seeding=int_or(fields, b"qBt-seedingTimeLimit", -2),
        idle=int_or(fields, b"qBt-inactiveSeedingTimeLimit", -2),
        stopped=resume.paused and not resume.auto_managed, forced=not resume.paused and not resume.auto_managed,
        edges_first=flag(fields, b"qBt-firstLastPiecePriority"),
        stop_condition=text(bytes_or(fields, b"qBt-stopCondition", b"None")),
        at_limit=text(fields.get(b"qBt-shareLimitAction")), queue=queue,
    )


def _of_row(row: Row) -> _Own:
    place_in = row.get("queue_position")
    return _Own(
        name=text(row.get("name")), category=text(row.get("category")),
        tags=tags(text(row.get("tags"), 100_000).split(",")),
        save_path=path_text(row.get("target_save_path")), download_path=path_text(row.get("download_path")),
        ratio=number(row.get("ratio_limit"), -2000), seeding=number(row.get("seeding_time_limit"), -2),
        idle=number(row.get("inactive_seeding_time_limit"), -2), stopped=number(row.get("stopped")) != 0,
        forced=row.get("operating_mode") == "Forced", edges_first=number(row.get("has_outer_pieces_priority")) != 0,
        stop_condition=text(row.get("stop_condition")), at_limit=text(row.get("share_limit_action")),
        queue=place_in if isinstance(place_in, int) and place_in >= 0 else None,
    )


def _found(
    key: str, resume: Resume, file: bytes | None, own: _Own, paths: PathMap, shared: General,
) -> Found:
    lost: list[str] = []
    metainfo = fastresume.torrent_of(resume, file)
    hashes = metainfo.info.hashes if metainfo is not None else resume.hashes or _hashes(key)
    files = _files(resume, metainfo, lost, shared) if metainfo is not None else _NOTHING
    save_path, incomplete, said = _folders(resume, own, files.complete, paths, shared, lost)
    if own.edges_first:
        lost.append("the first and last pieces were to come first")
    if own.stop_condition not in ("", "None"):
        lost.append(f"it was to stop by itself ({own.stop_condition})")
    if own.at_limit in _AT_LIMIT:
        lost.append(_AT_LIMIT[own.at_limit])
    trackers = resume.trackers or ()
    name = own.name or text(resume.fields.get(b"name")) or (metainfo.info.name if metainfo is not None else key)
    return Found(
        Client.QBITTORRENT, hashes, name, metainfo,
        None if metainfo is not None else Magnet(hashes, name, tuple(url for tier in trackers for url in tier)),
        save_path=save_path, said_path=said, incomplete_path=incomplete, suffix=files.suffix, renames=files.renames,
        priorities=files.priorities, complete=files.complete,
        start=Start.STOPPED if own.stopped else Start.FORCED if own.forced else Start.QUEUED, queue=own.queue,
        category=own.category, tags=own.tags, trackers=metainfo.trackers if metainfo is not None else trackers,
        sequential=resume.sequential, super_seed=resume.super_seed,
        follows=not own.save_path and bool(resume.save_path),
        limits=Limits(resume.down, resume.up, _limit(own.ratio, 0.001, -1000), _limit(own.seeding, _MINUTE, -1),
                      _limit(own.idle, _MINUTE, -1)),
        added_at=resume.added_at, completed_at=resume.completed_at, active_seconds=resume.seconds(b"active_time"),
        seeding_seconds=resume.seconds(b"seeding_time"), uploaded=resume.uploaded, downloaded=resume.downloaded,
        lost=tuple(lost),
    )


def _hashes(key: str) -> InfoHashes:
    """Of a torrent that is known by the name of its file alone."""
    raw = bytes.fromhex(key) if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", key) is not None else b""
    if not raw:
        raise FormatError("has neither an info hash nor a torrent file", where=key[:80])
    return InfoHashes(raw) if len(raw) == 20 else InfoHashes(v2=raw)


def _limit(value: float, factor: float, none: float) -> float | None:
    """qBittorrent's limits: the value for none at all, anything else below 0 for the general one."""
    if value == none:
        return math.inf
    return value * factor if value >= 0 else None


@dataclass(frozen=True, slots=True)
class _Files:
    priorities: tuple[int, ...]
    renames: dict[int, tuple[str, ...]]
    suffix: str
    complete: bool


_NOTHING = _Files((), {}, "", False)


def _files(resume: Resume, metainfo: Metainfo, lost: list[str], shared: General) -> _Files:
    info = metainfo.info
    order: Sequence[int | None] = content.numbers(info)
    chosen = content.priorities(info, resume.priorities, order)
    renamed = content.renames(
        info, resume.mapped, order=order, suffix=_SUFFIX, windows=is_windows(resume.save_path))
    lost += renamed.lost
    lost += content.odd_names(info)
    suffix = shared.suffix or (_SUFFIX if renamed.suffix else "")
    return _Files(chosen, renamed.files, suffix, content.claims(info, resume.have(info), chosen))


def _folders(
    resume: Resume, own: _Own, complete: bool, paths: PathMap, shared: General, lost: list[str],
) -> tuple[Path | None, Path | None, str]:
    """The final folder, that of what is not complete, and the final one in qBittorrent's words.

    libtorrent knows where the files are now. A torrent that qBittorrent manages has no path of its own: it goes to the
    folder of its category.
    """
    now = resume.save_path
    said = own.save_path or now
    if not said:
        lost.append("qBittorrent does not say where its files are")
        return None, None, ""
    here = place(paths, now, lost, "the folder of its files:") if now else None
    if own.save_path:
        final = place(paths, own.save_path, [] if own.save_path == now else lost, "the folder of its files:")
    else:
        by_category = {category.name: category.save_path for category in shared.categories}
        final = by_category.get(own.category, shared.save_path) or here
    if now and here is None:
        return None, None, said
    if here is None or final is None:
        return here or final, None, said
    if complete or here == final:
        return here, None, said
    return final, here, said
