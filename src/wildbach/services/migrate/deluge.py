"""Deluge 1.3 and 2: `state/torrents.state` (a pickle), `state/torrents.fastresume`, the torrent files beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wildbach.base import limits
from wildbach.base.errors import FormatError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.metainfo.document import clean_url
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.services.migrate import content, fastresume, pickles
from wildbach.services.migrate.fastresume import Resume
from wildbach.services.migrate.fields import count, number, path_text, rate, text
from wildbach.services.migrate.folders import Names, json_objects, read, read_or_none
from wildbach.services.migrate.found import Category, Client, Found, General, Limits, Start, State, Unreadable
from wildbach.services.migrate.pickles import Record
from wildbach.services.migrate.placing import PathMap, is_windows, place
from wildbach.services.migrate.processes import command_of, first_number

_MODULE = "deluge.core.torrentmanager"
_CLASSES = frozenset({(_MODULE, "TorrentManagerState"), (_MODULE, "TorrentState")})
_KEY = re.compile(r"[0-9a-f]{40}")
_EMPTY = Resume({}, None, "")


def look(folder: Path, names: Names) -> list[State]:
    """The state in this folder (that named `state`), if it has any."""
    if names.get("torrents.state") is not False:
        return []
    number_of = sum(1 for name in names if name.endswith(".torrent") and _KEY.fullmatch(name[:-8]) is not None)
    return [State(Client.DELUGE, folder, folder.parent, number_of, _running(folder.parent))]


def _running(config: Path) -> str:
    process = first_number(config / "deluged.pid")
    if process and command_of(process).startswith(("deluge", "python", "?")):
        return "Deluge runs now: what changed in the last minutes may not be in its files yet"
    return ""


def general(state: State, paths: PathMap) -> General:
    """Folders and labels."""
    notes: list[str] = []
    core = _config(state, "core.conf", notes)
    labels = content.text_map(_config(state, "label.conf", notes).get("labels"))
    said = path_text(core.get("download_location"))
    final = path_text(core.get("move_completed_path")) if core.get("move_completed") is True else ""
    here = place(paths, said, notes, "the download folder:") if said else None
    there = place(paths, final, notes, "the folder of what is complete:") if final else None
    return General(
        save_path=there or here, incomplete_path=here if there is not None and here != there else None,
        categories=tuple(_label(name, content.text_map(labels[name]), paths, notes) for name in sorted(labels)),
        notes=tuple(notes),
    )


def _config(state: State, name: str, notes: list[str]) -> Mapping[str, object]:
    """A settings file: the version, then the settings."""
    if state.config is None:
        return {}
    try:
        data = read_or_none(state.config / name, limits.IMPORT_CONFIG_BYTES)
        return json_objects(data, name)[-1] if data is not None else {}
    except WildbachError as error:
        notes.append(f"{name} could not be read: {error}")
        return {}


def _label(name: str, options: Mapping[str, object], paths: PathMap, notes: list[str]) -> Category:
    clean = text(name)
    said = path_text(options.get("move_completed_path"))
    moves = options.get("apply_move_completed") is True and options.get("move_completed") is True
    return Category(clean, place(paths, said, notes, f"the folder of label {clean}:") if moves and said else None)


def torrents(state: State, paths: PathMap) -> Iterator[Found | Unreadable]:
    """All torrents, in the order of the state."""
    try:
        records = read_state(read(state.path / "torrents.state", limits.IMPORT_LIST_BYTES))
    except WildbachError as error:
        yield Unreadable(Client.DELUGE, "torrents.state", str(error))
        return
    resumes: Mapping[bytes, object] = {}
    try:
        data = read_or_none(state.path / "torrents.fastresume", limits.IMPORT_LIST_BYTES)
        value = bencode.decode(data, strict=False) if data else {}
        resumes = value if isinstance(value, dict) else {}
    except WildbachError as error:
        yield Unreadable(Client.DELUGE, "torrents.fastresume", f"totals, times and new names are lost: {error}")
    labels = content.text_map(_config(state, "label.conf", []).get("torrent_labels"))
    for record in records:
        key = text(record.get("torrent_id")).lower()
        try:
            if _KEY.fullmatch(key) is None:
                raise FormatError("has no info hash for a name", where=key[:80] or "an entry")
            raw = resumes.get(key.encode())
            file = read_or_none(state.path / f"{key}.torrent", limits.TORRENT_FILE_BYTES)
            yield found(key, record, raw if isinstance(raw, bytes) else b"", file, text(labels.get(key)), paths)
        except WildbachError as error:
            yield Unreadable(Client.DELUGE, key or "an entry", str(error))


def read_state(data: bytes) -> list[dict[str, Any]]:
    """The attributes of each torrent in `torrents.state`.

    Raises FormatError where it is something else, LimitError where a limit is passed.
    """
    value = pickles.load(data, _CLASSES)
    if not isinstance(value, Record) or value.kind != "TorrentManagerState":
        raise FormatError("is not the state of Deluge's torrents", where="torrents.state")
    entries = value.values.get("torrents")
    if not isinstance(entries, list):
        raise FormatError("has no list of torrents", where="torrents.state")
    return [entry.values for entry in entries if isinstance(entry, Record) and entry.kind == "TorrentState"]


def found(
    key: str, record: Mapping[str, Any], data: bytes, file: bytes | None, label: str, paths: PathMap,
) -> Found:
    """One torrent: its attributes, libtorrent's resume data (empty for none) and its file; `key` is its hash in hex.

    Raises FormatError where one is broken.
    """
    lost: list[str] = []
    resume = fastresume.parse(data) if data else _EMPTY
    metainfo = fastresume.torrent_of(resume, file)
    if metainfo is not None and bytes.fromhex(key) not in metainfo.info.hashes.swarms:
        raise FormatError("the torrent file and the state are of two torrents", where=key)
    trackers = _trackers(record.get("trackers")) or resume.trackers or ()
    if metainfo is not None:
        hashes = metainfo.info.hashes
        if trackers:
            metainfo = fastresume.with_trackers(metainfo, trackers)
    else:
        hashes = resume.hashes or InfoHashes(bytes.fromhex(key))
    name = text(record.get("name")) or (metainfo.info.name if metainfo is not None else "")
    magnet = _magnet(record.get("magnet"), hashes, name, trackers) if metainfo is None else None
    chosen: tuple[int, ...] = ()
    renames: dict[int, tuple[str, ...]] = {}
    complete = False
    said = path_text(record.get("save_path")) or resume.save_path
    if metainfo is not None:
        info = metainfo.info
        order = content.numbers(info)
        given = record.get("file_priorities")
        own = [int(number(item, content.NORMAL)) for item in given] if isinstance(given, list | tuple) else []
        chosen = content.priorities(info, own or resume.priorities, order)
        renamed = content.renames(info, resume.mapped, order=order, windows=is_windows(said))
        renames = renamed.files
        lost += renamed.lost + content.odd_names(info)
        complete = content.claims(info, resume.have(info), chosen)
        if resume is _EMPTY:
            lost.append("Deluge's resume data of it is missing: totals, times and new names of files")
    save_path, incomplete = _folders(record, said, complete, paths, lost)
    if number(record.get("prioritize_first_last")):
        lost.append("the first and last pieces were to come first")
    stop = record.get("stop_at_ratio") is True
    if stop and record.get("remove_at_ratio") is True:
        lost.append("it was to be removed at its ratio")
    queue = int(number(record.get("queue"), -1))
    automatic = record.get("auto_managed", True) is not False
    return Found(
        Client.DELUGE, hashes, name or key, metainfo, magnet,
        save_path=save_path, said_path=said, incomplete_path=incomplete, renames=renames, priorities=chosen,
        complete=complete,
        start=Start.STOPPED if record.get("paused") is True else Start.QUEUED if automatic else Start.FORCED,
        queue=queue if queue >= 0 else None, category=label,
        trackers=metainfo.trackers if metainfo is not None else trackers,
        sequential=record.get("sequential_download") is True or resume.sequential,
        super_seed=record.get("super_seeding") is True,
        limits=Limits(
            rate(record.get("max_download_speed"), 1024), rate(record.get("max_upload_speed"), 1024),
            max(0.0, float(number(record.get("stop_ratio")))) if stop else None,
        ),
        added_at=resume.added_at, completed_at=resume.completed_at, active_seconds=resume.seconds(b"active_time"),
        seeding_seconds=resume.seconds(b"seeding_time"), uploaded=count(resume.uploaded),
        downloaded=count(resume.downloaded), lost=tuple(lost),
    )


def _trackers(value: object) -> tuple[tuple[str, ...], ...]:
    """Deluge has a list of URLs, each with its tier."""
    tiers: dict[int, list[str]] = {}
    items = value if isinstance(value, list | tuple) else ()
    for item in items[: limits.TRACKERS_PER_TORRENT]:
        url = item.get("url") if isinstance(item, dict) else None
        if isinstance(url, str):
            tiers.setdefault(int(number(item.get("tier"))), []).append(clean_url(url.encode("utf-8", "replace")))
    return content.as_tiers(tiers[tier] for tier in sorted(tiers))


def _magnet(value: object, hashes: InfoHashes, name: str, trackers: tuple[tuple[str, ...], ...]) -> Magnet:
    if isinstance(value, str) and value:
        magnet = Magnet.parse(value)
        if magnet.hashes.matches(hashes):
            return magnet
    return Magnet(hashes, name, tuple(url for tier in trackers for url in tier))


def _folders(
    record: Mapping[str, Any], said: str, complete: bool, paths: PathMap, lost: list[str],
) -> tuple[Path | None, Path | None]:
    """Deluge downloads to one folder and may move what is complete to another."""
    if not said:
        lost.append("Deluge does not say where its files are")
        return None, None
    here = place(paths, said, lost, "the folder of its files:")
    target = path_text(record.get("move_completed_path"))
    if complete or record.get("move_completed") is not True or not target or here is None:
        return here, None
    final = place(paths, target, lost, "the folder it was to move to:")
    return (here, None) if final is None or final == here else (final, here)
