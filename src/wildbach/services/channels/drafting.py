"""Items made of torrents: one for each film or piece of music in it, with the subtitles and the picture beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.channels.items import Item, Rendition, Subtitle
from wildbach.protocol.metainfo import Magnet
from wildbach.protocol.metainfo.info import File, Info

_MIMES: Final[Mapping[str, str]] = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mkv": "video/x-matroska", ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo", ".ts": "video/mp2t", ".ogv": "video/ogg", ".mpg": "video/mpeg", ".mpeg": "video/mpeg",
    ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".aac": "audio/aac", ".ogg": "audio/ogg",
    ".oga": "audio/ogg", ".opus": "audio/ogg", ".flac": "audio/flac", ".wav": "audio/wav", ".mka": "audio/x-matroska",
    ".srt": "application/x-subrip", ".vtt": "text/vtt", ".ass": "text/x-ssa", ".ssa": "text/x-ssa",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif",
    ".pdf": "application/pdf", ".epub": "application/epub+zip", ".txt": "text/plain", ".zip": "application/zip",
}
_SUBTITLES: Final = (".srt", ".vtt", ".ass", ".ssa")
_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


def items_of(info: Info, date: int, web_seeds: tuple[str, ...] = ()) -> list[Item]:
    """One for each file that plays; where none does, one for the longest file. Raises UsageError for a private torrent
    and where there are too many.
    """
    if info.private:
        raise UsageError("a private torrent is not published", code="private")
    written = [file for file in info.files if file.written and file.length]
    playing = [file for file in written if mime_of(file).startswith(("video/", "audio/"))]
    if not playing:
        playing = sorted(written, key=lambda file: -file.length)[:1]
    if len(playing) > limits.CHANNEL_DRAFTS:
        raise UsageError(f"more than CHANNEL_DRAFTS = {limits.CHANNEL_DRAFTS} items", code="too_large")
    beside: dict[tuple[str, ...], list[File]] = {}
    for file in written:
        if _suffix(file) in (*_SUBTITLES, *_PICTURES):
            beside.setdefault(file.path.parts[:-1], []).append(file)
    return [_item(info, file, beside.get(file.path.parts[:-1], []), date, web_seeds) for file in playing]


def _item(info: Info, file: File, beside: list[File], date: int, web_seeds: tuple[str, ...]) -> Item:
    name = PurePosixPath(file.path.parts[-1])
    root = file.root.hex() if file.root is not None else ""
    subtitles: list[Subtitle] = []
    picture = ""
    for other in beside:
        stem = PurePosixPath(other.path.parts[-1]).stem
        if other.root is None or not (stem == name.stem or stem.startswith(f"{name.stem}.")):
            continue
        if _suffix(other) in _PICTURES:
            picture = picture or other.root.hex()
        elif len(subtitles) < limits.CHANNEL_SUBTITLES:
            lang = stem[len(name.stem) + 1 :]
            subtitles.append(Subtitle(other.root.hex(), lang if _is_language(lang) else "", mime_of(other)))
    rendition = Rendition(
        (info.hashes.v1 or b"").hex(), (info.hashes.v2 or b"").hex(), root, "/".join(file.path.parts)[:1000],
        mime_of(file), length=file.length, ws=web_seeds[: limits.CHANNEL_WEB_SEEDS])
    return Item(
        _guid(root or f"{info.hashes.key}/{rendition.path}"), name.stem[: limits.CHANNEL_TITLE], date=date,
        subtitles=tuple(subtitles), thumbnail=picture, renditions=(rendition,))


def item_of(magnet: Magnet, date: int) -> Item:
    """Of a link whose metadata is not here: less is known, and followers find the rest when they fetch it."""
    v1, v2 = (magnet.hashes.v1 or b"").hex(), (magnet.hashes.v2 or b"").hex()
    suffix = PurePosixPath(magnet.name).suffix.lower()
    seeds = tuple(url for url in magnet.web_seeds if len(url) <= limits.CHANNEL_URL)[: limits.CHANNEL_WEB_SEEDS]
    return Item(
        _guid(magnet.hashes.key), (magnet.name or magnet.hashes.key)[: limits.CHANNEL_TITLE], date=date,
        renditions=(Rendition(v1, v2, mime=_MIMES.get(suffix, ""), ws=seeds),))


def mime_of(file: File) -> str:
    """By its name."""
    return _MIMES.get(_suffix(file), "application/octet-stream")


def _suffix(file: File) -> str:
    return PurePosixPath(file.path.parts[-1]).suffix.lower()


def _guid(what: str) -> str:
    """The same for the same content, so that what is added twice is one item."""
    return "wb-" + hashlib.sha256(what.encode()).hexdigest()[:32]


def _is_language(text: str) -> bool:
    return 2 <= len(text) <= 35 and text.isascii() and text.replace("-", "").isalnum()
