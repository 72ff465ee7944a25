"""Transmission 2 to 4: folders `torrents` and `resume` with a file each a torrent, and settings.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wildbach.base import bitfield, limits
from wildbach.base.errors import FormatError, WildbachError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.fields import Dict, bytes_or, int_or
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.services.migrate import content
from wildbach.services.migrate.fields import count, moment, number, path_text, rate, tags, text, tiers, urls
from wildbach.services.migrate.folders import Names, listed, read, read_json, read_or_none
from wildbach.services.migrate.found import Client, Found, General, Limits, Start, State, Unreadable
from wildbach.services.migrate.placing import PathMap, is_windows, place
from wildbach.services.migrate.processes import running

_ENDS = (".torrent", ".magnet")
_SUFFIX = ".part"
_MINUTE = 60
_BLOCK = 16 * limits.KIB
_PRIORITY = {-1: content.LOW, 0: content.NORMAL, 1: content.HIGH}


def look(folder: Path, names: Names) -> list[State]:
    """The state in this folder (that with settings.json), if it has any."""
    if not (names.get("torrents") and names.get("resume")):
        return []
    number_of = sum(1 for name in listed(folder / "torrents") if name.endswith(_ENDS))
    if not number_of and "settings.json" not in names:
        return []
    return [State(Client.TRANSMISSION, folder, folder, number_of, _running(folder))]


def _running(folder: Path) -> str:
    """Transmission leaves no lock in its folder, so the system's processes are asked."""
    for _, words in running("transmission-"):
        places = [
            word.partition("=")[2] or (words[at + 1] if at + 1 < len(words) else "")
            for at, word in enumerate(words) if word in ("-g", "--config-dir") or word.startswith("--config-dir=")
        ]
        if not places or any(Path(place_of).absolute() == folder.absolute() for place_of in places):
            return "Transmission runs now: what changed in the last minutes may not be in its files yet"
    return ""


def general(state: State, paths: PathMap) -> General:
    """Folders and suffix."""
    notes: list[str] = []
    try:
        found = read_json(state.path / "settings.json", limits.IMPORT_CONFIG_BYTES) or {}
    except WildbachError as error:
        notes.append(f"the settings could not be read: {error}")
        found = {}
    settings = {key.replace("_", "-"): value for key, value in found.items()}
    said = path_text(settings.get("download-dir"))
    other = path_text(settings.get("incomplete-dir")) if settings.get("incomplete-dir-enabled") is True else ""
    return General(
        save_path=place(paths, said, notes, "the download folder:") if said else None,
        incomplete_path=place(paths, other, notes, "the folder of what is not complete:") if other else None,
        suffix=_SUFFIX if settings.get("rename-partial-files", True) is True else "",
        notes=tuple(notes),
    )


def torrents(state: State, paths: PathMap) -> Iterator[Found | Unreadable]:
    """All torrents, by name of their files."""
    shared = general(state, paths)
    folder = state.path / "torrents"
    for name in listed(folder):
        stem, dot, end = name.rpartition(".")
        if dot + end not in _ENDS:
            continue
        try:
            most = limits.TORRENT_FILE_BYTES if end == "torrent" else limits.MAGNET_BYTES
            metainfo, magnet = parse_source(read(folder / name, most))
            raw = read_or_none(state.path / "resume" / f"{stem}.resume", limits.IMPORT_RESUME_BYTES)
            yield found(metainfo, magnet, parse_resume(raw) if raw is not None else None, paths, shared)
        except WildbachError as error:
            yield Unreadable(Client.TRANSMISSION, name, str(error))


def parse_source(data: bytes) -> tuple[Metainfo | None, Magnet | None]:
    """A torrent file, a magnet link, or what Transmission 3 writes for one. Raises FormatError."""
    if data[:1] != b"d":
        return None, Magnet.parse(data.decode("utf-8", "replace").strip())
    fields, _ = bencode.decode_dict_spans(data, strict=False, rest=True)
    link = fields.get(b"magnet-info")
    if b"info" in fields or not isinstance(link, dict):
        return Metainfo.parse(data), None
    digest = bytes_or(link, b"info_hash")
    if len(digest) != 20:
        raise FormatError("is no info hash", where="magnet-info.info_hash")
    trackers = tiers(fields.get(b"announce-list")) or tiers([fields.get(b"announce", [])])
    return None, Magnet(
        InfoHashes(digest), text(link.get(b"display-name")), tuple(url for tier in trackers for url in tier),
        urls(fields.get(b"url-list")),
    )


def parse_resume(data: bytes) -> Dict:
    """A `.resume` file, with the keys of Transmission 3: version 4 writes some with `_`. Raises FormatError."""
    value = bencode.decode(data, strict=False)
    if not isinstance(value, dict):
        raise FormatError("is no dictionary", where="resume data")
    return _hyphens(value)


def _hyphens(value: Dict) -> Dict:
    return {
        key.replace(b"_", b"-"): {k.replace(b"_", b"-"): v for k, v in item.items()} if isinstance(item, dict) else item
        for key, item in value.items()
    }


def found(
    metainfo: Metainfo | None, magnet: Magnet | None, resume: Dict | None, paths: PathMap, shared: General,
) -> Found:
    """One torrent of its parts; `resume` is None where Transmission has no state of it."""
    lost: list[str] = []
    if resume is None:
        resume = {}
        lost.append("Transmission's resume data of it is missing: folder, labels, totals, files left out")
    source = metainfo.info.hashes if metainfo is not None else magnet.hashes if magnet is not None else None
    if source is None:
        raise FormatError("has neither a torrent nor a magnet link")
    said = path_text(resume.get(b"destination"))
    chosen: tuple[int, ...] = ()
    renames: dict[int, tuple[str, ...]] = {}
    complete = False
    if metainfo is not None:
        info = metainfo.info
        order = content.v1_numbers(info)
        chosen = content.priorities(info, _priorities(resume), order)
        renamed = content.renames(
            info, _names(resume.get(b"files")), order=order, suffix=_SUFFIX, windows=is_windows(said))
        renames = renamed.files
        lost += renamed.lost + content.odd_names(info)
        complete = _complete(info, resume.get(b"progress"), chosen)
    save_path, incomplete = _folders(resume, said, complete, paths, shared, lost)
    _unsupported(resume, lost)
    name = text(resume.get(b"name")) or (metainfo.info.name if metainfo is not None else "") or (
        magnet.name if magnet is not None else "") or source.key
    return Found(
        Client.TRANSMISSION, source, name, metainfo, magnet,
        save_path=save_path, said_path=said, incomplete_path=incomplete, suffix=shared.suffix, renames=renames,
        priorities=chosen, complete=complete, start=Start.STOPPED if int_or(resume, b"paused") else Start.QUEUED,
        tags=tags(resume.get(b"labels")),
        trackers=metainfo.trackers if metainfo is not None else content.as_tiers(
            [url] for url in (magnet.trackers if magnet is not None else ())),
        sequential=bool(int_or(resume, b"sequentialDownload") or int_or(resume, b"sequential-download")),
        limits=Limits(
            _speed(resume.get(b"speed-limit-down")), _speed(resume.get(b"speed-limit-up")),
            _limit(resume.get(b"ratio-limit"), b"ratio", 1), None, _limit(resume.get(b"idle-limit"), b"idle", _MINUTE),
        ),
        added_at=moment(resume.get(b"added-date")), completed_at=moment(resume.get(b"done-date")),
        active_seconds=count(resume.get(b"seeding-time-seconds")) + count(resume.get(b"downloading-time-seconds")),
        seeding_seconds=count(resume.get(b"seeding-time-seconds")),
        uploaded=count(resume.get(b"uploaded")), downloaded=count(resume.get(b"downloaded")), lost=tuple(lost),
    )


def _priorities(resume: Mapping[bytes, Value]) -> list[int]:
    given, left_out = resume.get(b"priority"), resume.get(b"dnd")
    out = [_PRIORITY.get(item, content.NORMAL) if isinstance(item, int) else content.NORMAL for item in given] if (
        isinstance(given, list)) else []
    for index, item in enumerate(left_out if isinstance(left_out, list) else []):
        if index == len(out):
            out.append(content.NORMAL)
        if item == 1:
            out[index] = 0
    return out


def _names(value: Value | None) -> list[bytes]:
    return [item if isinstance(item, bytes) else b"" for item in value] if isinstance(value, list) else []


def _complete(info: Info, progress: Value | None, chosen: Sequence[int]) -> bool:
    """Whether all blocks of wanted files are claimed. Blocks have 16 KiB from the front of the torrent on."""
    blocks = progress.get(b"blocks") if isinstance(progress, dict) else None
    if blocks == b"all":
        return True
    if not isinstance(blocks, bytes) or blocks == b"none" or info.has_v2 or info.piece_length % _BLOCK:
        return False
    total = sum(span.length for span in info.geometry.files)
    number_of = -(-total // _BLOCK)
    try:
        have = bitfield.from_wire(blocks, number_of)
    except FormatError:
        return False
    width = bitfield.width_of(number_of)
    need = 0
    for index, span in enumerate(info.geometry.files):
        if span.length and not span.pad and (not chosen or chosen[index]):
            need |= bitfield.span(span.offset // _BLOCK, (span.offset + span.length - 1) // _BLOCK + 1, width)
    return not need & ~have


def _folders(
    resume: Mapping[bytes, Value], said: str, complete: bool, paths: PathMap, shared: General, lost: list[str],
) -> tuple[Path | None, Path | None]:
    final = place(paths, said, lost, "the folder of its files:") if said else shared.save_path
    if final is None and not said:
        lost.append("Transmission does not say where its files are")
    other = path_text(resume.get(b"incomplete-dir"))
    if complete or not other or final is None:
        return final, None
    here = place(paths, other, lost, "the folder of what is not complete:")
    return final, here if here != final else None


def _speed(value: Value | None) -> int:
    if not isinstance(value, dict) or not int_or(value, b"use-speed-limit"):
        return 0
    return rate(value.get(b"speed-Bps")) or rate(value.get(b"speed"), 1000)


def _limit(value: Value | None, word: bytes, factor: float) -> float | None:
    """Mode 0 is the general limit, 1 the torrent's own, 2 none."""
    if not isinstance(value, dict):
        return None
    mode = int_or(value, word + b"-mode")
    if mode == 2:
        return math.inf
    if mode != 1:
        return None
    raw = value.get(word + b"-limit")
    if isinstance(raw, bytes):
        try:
            raw_number = number(float(raw[:40]), -1)
        except ValueError:
            return None
    else:
        raw_number = number(raw, -1)
    return raw_number * factor if raw_number >= 0 else None


def _unsupported(resume: Mapping[bytes, Value], lost: list[str]) -> None:
    if number(resume.get(b"bandwidth-priority")):
        lost.append("its share of the bandwidth was to be larger or smaller than that of others")
    if text(resume.get(b"group")):
        lost.append(f"it was in the bandwidth group {text(resume.get(b'group'))}")
    for key in (b"speed-limit-down", b"speed-limit-up"):
        value = resume.get(key)
        if isinstance(value, dict) and int_or(value, b"use-global-speed-limit", 1) == 0:
            lost.append("the general speed limits were not to hold for it")
            break
