"""rTorrent 0.8 and 0.9: a session folder with `HASH.torrent`, and what rTorrent and its library keep beside it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from wildbach.base import bitfield, limits
from wildbach.base.errors import FormatError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.document import Metainfo, clean_url
from wildbach.protocol.metainfo.fields import Dict, bytes_or, int_or
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.services.migrate import content
from wildbach.services.migrate.fields import count, moment, path_text, text, tiers
from wildbach.services.migrate.folders import Names, listed, read, read_or_none
from wildbach.services.migrate.found import Client, Found, General, Start, State, Unreadable
from wildbach.services.migrate.placing import PathMap, place
from wildbach.services.migrate.processes import command_of, first_number

_TORRENT = re.compile(r"([0-9A-Fa-f]{40})\.torrent")
_OWN, _LIBRARY = ".rtorrent", ".libtorrent_resume"
_PRIORITY = {0: 0, 1: content.NORMAL, 2: content.HIGH}
_NUMBER = re.compile(rb"\s*([0-9]{1,12})\s*")


def look(folder: Path, names: Names) -> list[State]:
    """The state in this folder, if it has any."""
    number_of = sum(1 for name in names if _TORRENT.fullmatch(name) is not None and f"{name}{_OWN}" in names)
    if not number_of and "rtorrent.lock" not in names and "rtorrent.dht_cache" not in names:
        return []
    if not number_of:
        number_of = sum(1 for name in names if _TORRENT.fullmatch(name) is not None)
    return [State(Client.RTORRENT, folder, None, number_of, _running(folder))] if number_of else []


def _running(folder: Path) -> str:
    lock = folder / "rtorrent.lock"
    process = first_number(lock, "+")
    try:
        here = read(lock, 4096).decode("utf-8", "replace").partition(":+")[0] == socket.gethostname()
    except WildbachError:
        return ""
    if not here:
        return "rTorrent runs now on another machine, or did not end as it should: there is a lock file"
    if command_of(process).startswith(("rtorrent", "?")):
        return "rTorrent runs now: what changed in the last hour may not be in its files yet"
    return ""


def general(state: State, paths: PathMap) -> General:
    """rTorrent keeps none of it in its session."""
    del state, paths
    return General()


def torrents(state: State, paths: PathMap) -> Iterator[Found | Unreadable]:
    """All torrents, by hash."""
    for name in listed(state.path):
        match = _TORRENT.fullmatch(name)
        if match is None:
            continue
        try:
            data = read(state.path / name, limits.TORRENT_FILE_BYTES)
            own, library = (
                read_or_none(state.path / f"{name}{end}", limits.IMPORT_RESUME_BYTES) for end in (_OWN, _LIBRARY)
            )
            yield found(match[1], data, own, library, paths)
        except WildbachError as error:
            yield Unreadable(Client.RTORRENT, name, str(error))


def found(key: str, data: bytes, own: bytes | None, library: bytes | None, paths: PathMap) -> Found:
    """One torrent of its three files. Raises FormatError where one is broken."""
    fields, _ = bencode.decode_dict_spans(data, strict=False, rest=True)
    # Old versions kept all in one file.
    mine = _part(own, fields, b"rtorrent")
    resume = _part(library, fields, b"libtorrent_resume")
    info_fields = fields.get(b"info")
    lost: list[str] = []
    magnet: Magnet | None = None
    metainfo: Metainfo | None = None
    if isinstance(info_fields, dict) and b"meta_download" in info_fields:
        magnet = _magnet(key, fields)
        hashes, trackers = magnet.hashes, content.as_tiers([url] for url in magnet.trackers)
    else:
        metainfo = Metainfo.parse(data)
        hashes = metainfo.info.hashes
        if bytes.fromhex(key) not in hashes.swarms:
            raise FormatError("is another torrent than its name says", where=f"{key}.torrent")
        trackers = _trackers(metainfo.trackers, resume.get(b"trackers"))
        metainfo = replace(metainfo, trackers=trackers)
    chosen: tuple[int, ...] = ()
    layout, complete = "original", False
    said = path_text(mine.get(b"directory"))
    folder = place(paths, said, lost, "the folder of its files:") if said else None
    if not said:
        lost.append("rTorrent does not say where its files are")
    if metainfo is not None:
        info = metainfo.info
        # rTorrent reads the list of files that v1 has.
        order = content.v1_numbers(info)
        chosen = content.priorities(info, _priorities(resume.get(b"files")), order)
        complete = content.claims(info, _have(info, resume.get(b"bitfield")), chosen)
        lost += content.odd_names(info)
        if folder is not None and info.multi_file:
            # The folder is that of the torrent itself, which may have another name.
            if folder.name == info.name:
                folder = folder.parent
            else:
                layout = "none"
    if int_or(mine, b"priority", 2) == 0:
        lost.append("its priority was off")
    if bytes_or(mine, b"throttle_name"):
        lost.append(f"it was in the throttle group {text(bytes_or(mine, b'throttle_name'))}")
    custom = mine.get(b"custom")
    added = _number(custom.get(b"addtime")) if isinstance(custom, dict) else 0
    name = metainfo.info.name if metainfo is not None else magnet.name if magnet is not None else ""
    return Found(
        Client.RTORRENT, hashes, name or hashes.key, metainfo, magnet,
        save_path=folder, said_path=said, layout=layout, priorities=chosen, complete=complete,
        start=Start.QUEUED if int_or(mine, b"state", 1) or magnet is not None else Start.STOPPED,
        category=unquote(text(mine.get(b"custom1")), errors="replace")[: limits.IMPORT_NAME_CHARS].strip(),
        trackers=trackers,
        added_at=moment(added) or moment(mine.get(b"timestamp.started")),
        completed_at=moment(mine.get(b"timestamp.finished")),
        uploaded=count(mine.get(b"total_uploaded")), downloaded=count(mine.get(b"total_downloaded")),
        lost=tuple(lost),
    )


def _part(data: bytes | None, fields: Dict, key: bytes) -> Dict:
    value: Value | None = bencode.decode(data, strict=False) if data is not None else fields.get(key)
    if value is not None and not isinstance(value, dict):
        raise FormatError("is no dictionary", where=key.decode())
    return value or {}


def _magnet(key: str, fields: Dict) -> Magnet:
    link = bytes_or(fields, b"magnet-uri")
    hashes = InfoHashes(bytes.fromhex(key))
    if link:
        magnet = Magnet.parse(link.decode("utf-8", "replace"))
        if magnet.hashes.matches(hashes):
            return magnet
    trackers = tiers(fields.get(b"announce-list"))
    return Magnet(hashes, trackers=tuple(url for tier in trackers for url in tier))


def _trackers(own: tuple[tuple[str, ...], ...], value: Value | None) -> tuple[tuple[str, ...], ...]:
    """Those of the torrent without the ones that were switched off, and the added ones behind them by group."""
    table = value if isinstance(value, dict) else {}
    off: set[str] = set()
    extra: dict[int, list[str]] = {}
    for raw, item in table.items():
        url = clean_url(raw)
        if not isinstance(item, dict) or not url or url.startswith("dht:"):
            continue
        if int_or(item, b"enabled", 1) == 0:
            off.add(url)
        elif int_or(item, b"extra_tracker"):
            extra.setdefault(int_or(item, b"group"), []).append(url)
    kept = [[url for url in tier if url not in off] for tier in own]
    for group in sorted(extra):
        if 0 <= group < len(kept):
            kept[group] += extra[group]
        else:
            kept.append(extra[group])
    return content.as_tiers(kept)


def _priorities(value: Value | None) -> list[int]:
    items = value if isinstance(value, list) else []
    return [
        _PRIORITY.get(int_or(item, b"priority", 1), content.NORMAL) if isinstance(item, dict) else content.NORMAL
        for item in items
    ]


def _have(info: Info, value: Value | None) -> int:
    """The pieces: a bit each, or the number of all of them, or 0."""
    total = info.geometry.piece_count
    if isinstance(value, int):
        return bitfield.full(total) if value == total else 0
    try:
        return bitfield.from_wire(value, total) if isinstance(value, bytes) else 0
    except FormatError:
        return 0


def _number(value: Value | None) -> int:
    match = _NUMBER.fullmatch(value) if isinstance(value, bytes) else None
    return int(match[1]) if match is not None else 0
