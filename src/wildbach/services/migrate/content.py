"""What another client says of the files of a torrent, turned to the numbers and names of ours.

Clients count pad files among the files; here those of a hybrid or v2 torrent have no numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wildbach.base import bitfield
from wildbach.disk.layout import Layout
from wildbach.protocol import bencode
from wildbach.protocol.metainfo.info import Info
from wildbach.services.migrate.found import Found

NORMAL, LOW, HIGH = 4, 1, 7
"Priorities for clients that know three."


def numbers(info: Info) -> list[int | None]:
    """For each file as libtorrent numbers them, its number here; None for padding. libtorrent lists the files of a
    hybrid or v2 torrent as the file tree does, and pads each up to the next piece.
    """
    if not info.has_v2:
        return list(range(len(info.files)))
    out: list[int | None] = []
    for index, file in enumerate(info.files):
        out.append(index)
        if file.length % info.piece_length:
            out.append(None)
    return out


def v1_numbers(info: Info) -> list[int | None]:
    """The same for clients that know the list of v1 alone, where padding stands as the creator of a hybrid put it."""
    fields = bencode.decode(info.raw) if info.has_v1 and info.has_v2 else None
    files = fields.get(b"files") if isinstance(fields, dict) else None
    if not isinstance(files, list):
        return list(range(len(info.files)))
    out: list[int | None] = []
    index = 0
    for entry in files:
        attr = entry.get(b"attr") if isinstance(entry, dict) else None
        if isinstance(attr, bytes) and b"p" in attr:
            out.append(None)
        else:
            out.append(index)
            index += 1
    return out


def priorities(info: Info, given: Sequence[int], order: Sequence[int | None] | None = None) -> tuple[int, ...]:
    """What the client gave, for our numbers; empty where all wanted files are alike and none is left out."""
    out = [1] * len(info.files)
    missing = set(range(len(info.files)))
    for value, number in zip(given, order if order is not None else numbers(info), strict=False):
        if number is not None and number < len(out):
            out[number] = min(max(value, 0), 7)
            missing.discard(number)
    real = [value for value, file in zip(out, info.files, strict=True) if not file.pad]
    ranks = {value for index, value in enumerate(out) if value and not info.files[index].pad and index not in missing}
    if len(ranks) <= 1:
        if all(real):
            return ()
        out = [min(value, 1) for value in out]
    elif missing and NORMAL in ranks:
        for index in missing:
            out[index] = NORMAL
    return tuple(0 if file.pad else value for value, file in zip(out, info.files, strict=True))


@dataclass(slots=True)
class Renamed:
    """Files with other names."""

    files: dict[int, tuple[str, ...]] = field(default_factory=dict)
    suffix: bool = False
    "A name ended in the suffix of files that are not complete, which was taken off."
    lost: list[str] = field(default_factory=list)


def renames(
    info: Info, given: Sequence[bytes], *, order: Sequence[int | None] | None = None, suffix: str = "",
    windows: bool = False,
) -> Renamed:
    """Names for files as the client wrote them (an empty one: not renamed), from the save path on."""
    out = Renamed()
    usual = Layout("")
    for raw, number in zip(given, order if order is not None else numbers(info), strict=False):
        if not raw or number is None or number >= len(info.files) or info.files[number].pad:
            continue
        parts = _parts(raw, windows)
        if parts is None:
            out.lost.append(f"the new name of {info.files[number].path} cannot be used here: it keeps its own")
            continue
        if suffix and parts[-1].endswith(suffix) and parts[-1] != suffix:
            parts = (*parts[:-1], parts[-1].removesuffix(suffix))
            out.suffix = True
        if parts != usual.parts(info, number):
            out.files[number] = parts
    _drop_doubles(info, out)
    return out


def _parts(raw: bytes, windows: bool) -> tuple[str, ...] | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    parts = tuple((text.replace("\\", "/") if windows else text).split("/"))
    if len(parts) > 64 or any(part in ("", ".", "..") or "\0" in part or len(part) > 255 for part in parts):
        return None
    return parts


def _drop_doubles(info: Info, out: Renamed) -> None:
    """Two files cannot have one path: those keep their names that want a taken one."""
    while out.files:
        layout = Layout("", renames=out.files)
        seen: dict[tuple[str, ...], int] = {}
        clashes: dict[int, None] = {}
        for number, file in enumerate(info.files):
            if not file.pad:
                other = seen.setdefault(layout.parts(info, number), number)
                if other != number:
                    clashes[number if number in out.files else other] = None
        if not clashes:
            return
        for number in clashes:
            del out.files[number]
            out.lost.append(f"the new name of {info.files[number].path} belongs to another file: it keeps its own")


def claims(info: Info, have: int, wanted: Sequence[int]) -> bool:
    """Whether a set of pieces (`base.bitfield`) has all of the wanted files; `wanted` is a priority for each, or
    empty for all.
    """
    geometry = info.geometry
    width = bitfield.width_of(geometry.piece_count)
    need = 0 if wanted else bitfield.full(geometry.piece_count)
    for number, priority in enumerate(wanted):
        if priority:
            pieces = geometry.file_pieces(number)
            need |= bitfield.span(pieces.start, pieces.stop, width)
    return not need & ~have


def lacking(found: Found, most: int = 20) -> tuple[str, ...]:
    """Paths of wanted files that are not there in their full length, at most `most`: one `lstat` a file.

    Where nothing is lacking and the client claims completeness, `skip_check` is safe to ask for.
    """
    if found.metainfo is None or found.save_path is None:
        return ()
    info = found.metainfo.info
    layout = Layout(str(found.save_path), found.layout, found.renames)
    out = []
    for number, file in enumerate(info.files):
        if file.written and file.length and found.wanted(number):
            path = layout.path(info, number)
            try:
                there = os.lstat(path).st_size == file.length
            except OSError:
                there = False
            if not there:
                out.append(path)
                if len(out) == most:
                    break
    return tuple(out)


def odd_names(info: Info) -> list[str]:
    """What to say where the torrent has names that are not used as they are."""
    count = len(info.changed)
    return [f"{count} files have names that are written differently here"] if count else []


def as_tiers(value: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Each URL once, without empty tiers."""
    seen: set[str] = set()
    out = []
    for tier in value:
        fresh = tuple(dict.fromkeys(url for url in tier if url and url not in seen))
        seen.update(fresh)
        if fresh:
            out.append(fresh)
    return tuple(out)


def text_map(value: object) -> Mapping[str, object]:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}
