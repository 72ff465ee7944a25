"""Web seeds without I/O: which URL and bytes a part of a torrent is, and what a server's answer is worth.

BEP 19 (`url-list`): the files of the torrent lie on a web server, and ranges of them are fetched. BEP 17 (`httpseeds`):
a script gives parts of pieces. Lengths and offsets are in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, quote_from_bytes

from wildbach.base import limits
from wildbach.protocol.metainfo.info import Info

_RANGE: Final = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_UNRESERVED: Final = "-._~!$'()*,;=:@"
"What a path may have unquoted beside letters and digits (RFC 3986), without `&` and `+`, which some servers misread."
_MISSING: Final = (401, 403, 404, 406, 410, 451)
_BUSY: Final = (408, 425, 429, 500, 502, 503, 504)


class Style(StrEnum):
    FILES = "url-list"
    "BEP 19."
    PIECES = "httpseeds"
    "BEP 17."


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that one request fetches."""

    url: str
    "Empty for the zeros of a pad file, which nobody is asked for."
    first: int
    "Where they begin in the file."
    length: int
    size: int
    "Bytes of the whole file; 0 where the server decides (BEP 17)."
    file: int
    "The file's number; -1 in BEP 17."

    @property
    def range(self) -> str:
        """The value of a `Range` header; empty where none is sent."""
        if self.file < 0 or (self.first == 0 and self.length == self.size):
            return ""
        return f"bytes={self.first}-{self.first + self.length - 1}"


class Shelf:
    """Where a web seed has the content of one torrent."""

    def __init__(self, info: Info, url: str, style: Style = Style.FILES) -> None:
        self._info = info
        self._url = url
        self._style = style
        self._geometry = info.geometry

    def parts(self, piece: int, offset: int, length: int) -> list[Part]:
        """What has to be fetched for `length` bytes from `offset` of a piece; they may go on over later pieces, as long
        as no gap lies between. Raises IndexError where there is nothing.
        """
        if self._style is Style.PIECES:
            return self._of_pieces(piece, offset, length)
        start = piece * self._geometry.piece_length + offset
        out = []
        for extent in self._geometry.extents(start, length):
            file = self._info.files[extent.file]
            pad = file.pad or self._geometry.files[extent.file].pad
            url = "" if pad else self.url_of(extent.file)
            out.append(Part(url, extent.offset, extent.length, file.length, extent.file))
        return out

    def url_of(self, file: int) -> str:
        """The URL of a file (BEP 19). A single file's own URL may be the seed's, where that does not end in a slash."""
        info = self._info
        path = "/".join(map(_quoted, info.files[file].path.raw))
        if not info.multi_file:
            return self._url + path if self._url.endswith("/") else self._url
        name = _quoted(info.name_raw or info.name.encode())
        return f"{self._url}{'' if self._url.endswith('/') else '/'}{name}/{path}"

    def _of_pieces(self, piece: int, offset: int, length: int) -> list[Part]:
        sign = "&" if "?" in self._url else "?"
        key = quote_from_bytes(self._info.hashes.swarms[0], safe="")
        out = []
        while length:
            size = self._geometry.piece_size(piece)
            take = min(length, size - offset)
            if take <= 0 or piece >= self._geometry.piece_count:
                raise IndexError(f"no byte {offset} in piece {piece}")
            span = "" if take == size else f"&ranges={offset}-{offset + take - 1}"
            out.append(Part(f"{self._url}{sign}info_hash={key}&piece={piece}{span}", 0, take, 0, -1))
            piece, offset, length = piece + 1, 0, length - take
        return out


def _quoted(part: bytes) -> str:
    return quote(part, safe=_UNRESERVED)


class Worth(StrEnum):
    TAKE = "take"
    MISSING = "missing"
    "The file is not there, or is another one: do not ask for it again."
    BUSY = "busy"
    "Later."
    REFUSED = "refused"
    "This server is of no use."


@dataclass(frozen=True, slots=True)
class Verdict:
    worth: Worth
    reason: str = ""
    skip: int = 0
    "Bytes of the body to pass over before the wanted ones begin."
    retry: float = 0.0
    "Seconds to wait, where the server says so."


def judge(part: Part, status: int, headers: Mapping[str, str]) -> Verdict:
    """What the head of a reply to a request for `part` means. `headers` have names in lower case."""
    if status in _BUSY:
        return Verdict(Worth.BUSY, f"HTTP status {status}", retry=_retry(headers.get("retry-after", "")))
    if status in _MISSING:
        return Verdict(Worth.MISSING, f"HTTP status {status}")
    if status == 416:
        return Verdict(Worth.MISSING, "the file there is shorter than in the torrent")
    packing = headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity"):
        return Verdict(Worth.REFUSED, f"sends content packed as {packing[:20]!r}, which was not asked for")
    length = headers.get("content-length", "").strip()
    if length and _NUMBER.fullmatch(length) is None:
        return Verdict(Worth.REFUSED, "says no sensible length")
    if status == 206 and part.file >= 0:
        return _partial(part, headers.get("content-range", ""), length)
    if status not in (200, 206):
        return Verdict(Worth.REFUSED, f"HTTP status {status}")
    if part.file < 0:
        if length and int(length) != part.length:
            return Verdict(Worth.REFUSED, f"gives {length} bytes where {part.length} were asked for")
        return Verdict(Worth.TAKE)
    if length and int(length) != part.size:
        return Verdict(Worth.MISSING, f"the file there has {length} bytes, in the torrent {part.size}")
    if part.first > limits.WEB_SEED_SKIP_BYTES:
        return Verdict(Worth.REFUSED, "the server cannot give parts of files")
    return Verdict(Worth.TAKE, skip=part.first)


def _partial(part: Part, given: str, length: str) -> Verdict:
    found = _RANGE.fullmatch(given.strip())
    if found is None:
        return Verdict(Worth.REFUSED, f"does not say which part of the file it sends ({given[:60]!r})")
    first, last, size = int(found[1]), int(found[2]), found[3]
    if size != "*" and int(size) != part.size:
        return Verdict(Worth.MISSING, f"the file there has {size} bytes, in the torrent {part.size}")
    if first != part.first or last - first + 1 != part.length:
        return Verdict(Worth.REFUSED, f"sends bytes {first}-{last} where {part.range[6:]} were asked for")
    if length and int(length) != part.length:
        return Verdict(Worth.REFUSED, f"says two lengths: {length} and {part.length}")
    return Verdict(Worth.TAKE)


def _retry(text: str) -> float:
    """`Retry-After` in seconds, within bounds; dates are passed over."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        return 0.0
    return float(min(int(text), limits.WEB_SEED_RETRY_SECONDS))


def host_of(url: str) -> str:
    """What people call a web seed by."""
    rest = url.partition("://")[2]
    return rest.partition("/")[0].rpartition("@")[2]
