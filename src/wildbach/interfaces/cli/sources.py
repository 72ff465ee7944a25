"""What a SOURCE on the command line is: a file, a magnet link, an info hash, a URL, or stdin."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import BinaryIO

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, StorageError, UsageError
from wildbach.interfaces.cli import text
from wildbach.protocol.metainfo import Magnet, Metainfo, MutableLink
from wildbach.protocol.metainfo.magnet import is_mutable

Link = Magnet | MutableLink
"What a link names: a torrent, or whatever is published under a key (BEP 46)."

_HASH = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|1220[0-9A-Fa-f]{64}|[A-Za-z2-7]{32}")


def is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def is_hash(source: str) -> bool:
    return _HASH.fullmatch(source) is not None


def is_source(source: str) -> bool:
    """Whether `load` knows what to do with it, so that it is no torrent of the daemon."""
    return source.lower().startswith("magnet:") or is_hash(source) or is_file(source)


def is_file(source: str) -> bool:
    """Whether a file is meant, or stdin. A folder, or the content of a torrent, that lies here under the name of a
    torrent is not, unless a path is written: ./NAME.
    """
    if source == "-":
        return True
    if os.path.dirname(source) or source.endswith(".torrent"):
        return os.path.lexists(source)
    try:
        with open(source, "rb") as file:
            return file.read(7).lower().startswith((b"d", b"magnet:"))
    except OSError:
        return False


def load(source: str) -> Metainfo | Link:
    """Read everything but a URL.

    Raises UsageError where there is no such thing, StorageError where it cannot be read, FormatError and LimitError,
    with the source named, for what it holds.
    """
    if source.lower().startswith("magnet:"):
        return _magnet(source, "the magnet link")
    if source != "-" and is_hash(source) and not Path(source).exists():
        return _magnet(source, "the info hash")
    return parse(read(source), "stdin" if source == "-" else source)


def read(source: str) -> bytes:
    """The content of a file, or of stdin for `-`. Raises UsageError, StorageError and LimitError."""
    if source == "-":
        return _read(sys.stdin.buffer, "stdin")
    path = Path(source)
    if not path.exists():
        raise UsageError(
            f"{text.clean(source)}: no such file, and neither a magnet link, nor an info hash, nor an http(s) URL"
        )
    if path.is_dir():
        raise UsageError(
            f"{text.clean(source)} is a folder; a .torrent file was expected (of a torrent of the daemon the name "
            "alone, or the beginning of its key)")
    try:
        with path.open("rb") as file:
            return _read(file, source)
    except OSError as error:
        raise StorageError(f"{source}: {error.strerror}", path=source, errno=error.errno or 0) from error


def load_torrent(source: str) -> Metainfo:
    """`load`, for commands that need the whole torrent and not only its name."""
    loaded = load(source)
    if not isinstance(loaded, Metainfo):
        raise UsageError("a .torrent file is needed here; `wildbach get` fetches the content of a magnet link")
    return loaded


def link_of(torrent: Metainfo) -> Magnet:
    """The magnet link of a torrent: its hashes, name, size, trackers and web seeds."""
    return Magnet(
        hashes=torrent.info.hashes,
        name=torrent.info.name,
        trackers=tuple(dict.fromkeys(url for tier in torrent.trackers for url in tier)),
        web_seeds=torrent.web_seeds,
        length=torrent.info.size,
    )


def parse(data: bytes, source: str) -> Metainfo | Link:
    """The content of a file or of stdin: a torrent, or a line with a magnet link."""
    if data[:7].lower() == b"magnet:":
        return _magnet(data.decode("utf-8", "replace").strip(), source)
    if not data.startswith(b"d"):
        raise FormatError("this is not a torrent: a torrent begins with a bencoded dictionary", where=source)
    try:
        return Metainfo.parse(data)
    except FormatError as error:
        raise type(error)(error.message, where=source) from error


def _magnet(link: str, source: str) -> Link:
    try:
        if is_mutable(link):
            return MutableLink.parse(link)
        return Magnet.parse(link)
    except FormatError as error:
        raise type(error)(error.message, where=source) from error


def _read(file: BinaryIO, source: str) -> bytes:
    data = file.read(limits.TORRENT_FILE_BYTES + 1)
    if len(data) > limits.TORRENT_FILE_BYTES:
        raise LimitError(f"larger than {text.size(limits.TORRENT_FILE_BYTES)} (TORRENT_FILE_BYTES)", where=source)
    return data
