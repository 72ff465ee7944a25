"""The files of one version of a channel: channel.json, head.json, archive/NNNN.json.zst, feed.xml and one picture.

Nothing else of the torrent is ever fetched, and of these nothing that is longer than its limit. An archive is known by
its root, so a reader who has it fetches it no more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import zstandard

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.channels.items import Item, read_items
from wildbach.protocol.metainfo.info import Info

CHANNEL: Final = "channel.json"
HEAD: Final = "head.json"
FEED: Final = "feed.xml"
ARCHIVE: Final = "archive"
ARTS: Final = ("art.jpg", "art.png", "art.webp")
_NUMBERED: Final = re.compile(r"([0-9]{4})\.json\.zst")
_SMALL: Final = {
    CHANNEL: limits.CHANNEL_INFO_BYTES, HEAD: limits.CHANNEL_HEAD_BYTES, FEED: limits.CHANNEL_FEED_BYTES,
    **dict.fromkeys(ARTS, limits.CHANNEL_ART_BYTES),
}
_LEVEL: Final = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is taken."""

    index: int
    "In the torrent."
    root: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a version that are taken, all of them below their limits."""

    named: Mapping[str, Part]
    "By path."
    archives: tuple[Part, ...]
    "By number."

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(part.length for part in (*self.named.values(), *self.archives))

    @property
    def wanted(self) -> frozenset[int]:
        """The numbers of the files in the torrent."""
        return frozenset(part.index for part in (*self.named.values(), *self.archives))


def parts_of(info: Info) -> Parts:
    """Raises FormatError for what is no version of a channel, LimitError where a file is too long or there are too
    many archives.
    """
    if info.private:
        raise FormatError("a private torrent is no channel", where="channel")
    named: dict[str, Part] = {}
    archives: dict[int, Part] = {}
    for index, file in enumerate(info.files):
        parts = file.path.parts
        name = parts[-1]
        most = _SMALL.get(name) if len(parts) == 1 else None
        number = _NUMBERED.fullmatch(name) if len(parts) == 2 and parts[0] == ARCHIVE else None
        if not file.written or (most is None and number is None):
            continue
        where = "/".join(parts)
        if file.root is None:
            raise FormatError("has no root: channels are torrents of v2", where=where)
        part = Part(index, file.root, file.length)
        if number is not None:
            if part.length > limits.CHANNEL_ARCHIVE_BYTES:
                raise LimitError(f"longer than CHANNEL_ARCHIVE_BYTES = {limits.CHANNEL_ARCHIVE_BYTES}", where=where)
            archives[int(number[1])] = part
        elif most is not None:
            if part.length > most:
                raise LimitError(f"longer than {most} bytes", where=where)
            named[name] = part
    for name in (CHANNEL, HEAD):
        if name not in named:
            raise FormatError("there is none", where=name)
    if len(archives) > limits.CHANNEL_ARCHIVES:
        raise LimitError(f"more than CHANNEL_ARCHIVES = {limits.CHANNEL_ARCHIVES}", where=ARCHIVE)
    if sorted(archives) != list(range(len(archives))):
        raise FormatError("numbers are missing", where=ARCHIVE)
    return Parts(named, tuple(archives[number] for number in range(len(archives))))


def archive_name(number: int) -> str:
    return f"{number:04}.json.zst"


def read_head(raw: bytes) -> tuple[Item, ...]:
    """head.json, the oldest item first. Raises FormatError."""
    return read_items(raw, limits.CHANNEL_HEAD_ITEMS, HEAD)


def read_archive(packed: bytes, where: str = ARCHIVE) -> tuple[Item, ...]:
    """An archive, the oldest item first, however much it claims to hold. Raises FormatError, LimitError."""
    return read_items(unpacked(packed, where), limits.CHANNEL_SEALED, where)


def pack(raw: bytes) -> bytes:
    """One zstd frame, the same for the same bytes."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True).compress(raw)


def unpacked(packed: bytes, where: str = ARCHIVE) -> bytes:
    """What one zstd frame holds; never more than CHANNEL_ARCHIVE_BYTES of it are made. Raises FormatError."""
    most = limits.CHANNEL_ARCHIVE_BYTES
    if len(packed) > most:
        raise LimitError(f"longer than CHANNEL_ARCHIVE_BYTES = {most}", where=where)
    try:
        stream = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()
        parts: list[bytes] = []
        size = 0
        # In small steps: a block of four bytes holds up to 128 KiB, so one step makes no more than 2 MiB.
        for at in range(0, len(packed), 64):
            part = stream.decompress(packed[at : at + 64])
            size += len(part)
            if size > most:
                raise LimitError(f"holds more than CHANNEL_ARCHIVE_BYTES = {most}", where=where)
            parts.append(part)
            if stream.eof:
                if stream.unused_data or at + 64 < len(packed):
                    raise FormatError("something follows the end", where=where)
                return b"".join(parts)
    except zstandard.ZstdError as error:
        raise FormatError(f"damaged: {error}", where=where) from None
    raise FormatError("cut short", where=where)
