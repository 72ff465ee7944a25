"""What a file is, by the end of its name: one table says the MIME type, whether it plays, and what a browser may show.

Only what is in the table as passive is ever shown inside a browser. All else, known to be active or just not known, is
a download: a page or a script of a torrent must not run on our host.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    VIDEO = "video"
    AUDIO = "audio"
    SUBTITLE = "subtitle"
    IMAGE = "image"
    TEXT = "text"
    OTHER = "other"


class Type(NamedTuple):
    """What a file is to those who fetch it."""

    kind: Kind
    mime: str
    passive: bool
    "A browser may show it: nothing in it is run."


_OTHER: Final = Type(Kind.OTHER, "application/octet-stream", False)

_BY_KIND: Final[dict[Kind, dict[str, str]]] = {
    Kind.VIDEO: {
        "mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "mkv": "video/x-matroska",
        "webm": "video/webm", "avi": "video/x-msvideo", "divx": "video/x-msvideo", "mpg": "video/mpeg",
        "mpeg": "video/mpeg", "vob": "video/mpeg", "ts": "video/mp2t", "m2ts": "video/mp2t", "mts": "video/mp2t",
        "flv": "video/x-flv", "wmv": "video/x-ms-wmv", "asf": "video/x-ms-asf", "ogv": "video/ogg", "3gp": "video/3gpp",
        "3g2": "video/3gpp2", "rm": "application/vnd.rn-realmedia", "rmvb": "application/vnd.rn-realmedia-vbr",
    },
    Kind.AUDIO: {
        "mp3": "audio/mpeg", "m4a": "audio/mp4", "m4b": "audio/mp4", "aac": "audio/aac", "flac": "audio/flac",
        "ogg": "audio/ogg", "oga": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav", "wma": "audio/x-ms-wma",
        "ac3": "audio/ac3", "eac3": "audio/eac3", "dts": "audio/vnd.dts", "mka": "audio/x-matroska",
        "weba": "audio/webm", "aif": "audio/aiff", "aiff": "audio/aiff", "ape": "audio/x-ape", "wv": "audio/x-wavpack",
        "mpc": "audio/x-musepack",
    },
    Kind.SUBTITLE: {
        "srt": "application/x-subrip", "vtt": "text/vtt", "ass": "text/x-ssa", "ssa": "text/x-ssa",
    },
    Kind.IMAGE: {
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
        "avif": "image/avif", "bmp": "image/bmp",
    },
    Kind.TEXT: {"txt": "text/plain", "nfo": "text/plain", "md": "text/plain", "log": "text/plain"},
}
_DOWNLOADS: Final = {
    "html": "text/html", "htm": "text/html", "xhtml": "application/xhtml+xml", "svg": "image/svg+xml",
    "xml": "application/xml", "js": "text/javascript", "mjs": "text/javascript", "css": "text/css",
    "json": "application/json", "wasm": "application/wasm", "pdf": "application/pdf", "zip": "application/zip",
    "m3u": "audio/x-mpegurl", "m3u8": "application/vnd.apple.mpegurl", "sub": "text/plain", "idx": "text/plain",
}
_TABLE: Final[dict[str, Type]] = {
    end: Type(kind, mime, True) for kind, ends in _BY_KIND.items() for end, mime in ends.items()
} | {end: Type(Kind.OTHER, mime, False) for end, mime in _DOWNLOADS.items()}


def type_of(name: str) -> Type:
    """Of a file with this name."""
    stem, dot, end = name.rpartition(".")
    return _TABLE.get(end.lower(), _OTHER) if dot and stem else _OTHER
