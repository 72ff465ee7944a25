"""What web servers answer, and URLs of odd torrents."""

from __future__ import annotations

from wildbach.base.errors import FormatError
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.webseed import Part, Shelf, Style, host_of, judge

_FILES = b"5:filesld6:lengthi7e4:pathl3:a b2:..eed6:lengthi30000e4:pathl1:ceee"
_INFO = b"d" + _FILES + b"4:name4:x/y%12:piece lengthi16384e6:pieces40:"
SEEDS: list[bytes] = [
    b"206\ncontent-range: bytes 1000-1499/5000\ncontent-length: 500",
    b"200\ncontent-length: 5000\ncontent-encoding: gzip",
    b"503\nretry-after: 120",
    b"404\n",
    b"d4:info" + _INFO + b"x" * 40 + b"ee",
]
TOKENS = [b"content-range: bytes ", b"/*", b"retry-after: ", b"\n", b"206", b"200", b"416", b"4:pathl"]
_PARTS = (Part("http://a/f", 1000, 500, 5000, 0), Part("http://a/f", 0, 7, 7, 0), Part("http://a/s", 0, 9, 0, -1))
ALLOWED = (FormatError,)


def one_input(data: bytes) -> None:
    if data[:1] == b"d":
        info = Metainfo.parse(data).info
        for style in Style:
            shelf = Shelf(info, data[-20:].decode("latin-1"), style)
            for piece in range(min(info.geometry.piece_count, 20)):
                shelf.parts(piece, 0, info.geometry.piece_size(piece))
        return
    first, *lines = data.decode("latin-1").split("\n")
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    for part in _PARTS:
        judge(part, int(first) if first.isascii() and first.isdigit() and len(first) < 5 else 0, headers)
    host_of(first)
