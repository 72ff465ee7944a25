"""Range, If-Range and If-None-Match of anybody: the part that is given lies in the file."""

from __future__ import annotations

from wildbach.net.ranges import part_of

SEEDS: list[bytes] = [
    b'bytes=0-99\n"tag"\n', b'bytes=-5\n\n"other", "tag"', b"bytes=5-\nW/\"tag\"\n*", b"bytes=0-1,3-4\n\n", b"\n\n",
]
TOKENS: list[bytes] = [b"bytes=", b"-", b",", b"99999999999999999999", b'"tag"', b"W/", b"*", b"\n", b" ", b"\t"]


def one_input(data: bytes) -> None:
    asked, _, rest = data.decode("utf-8", "replace").partition("\n")
    named, _, unless = rest.partition("\n")
    for size in (0, 1, 1 << 40):
        part = part_of({"range": asked, "if-range": named, "if-none-match": unless}, size, "tag")
        assert part.status in (200, 206, 304, 416)
        assert part.first >= 0 and part.first + part.length <= size
