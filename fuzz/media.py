"""Feeds a file to the scanner of film indexes, and looks at what comes out: for the harnesses `media_*`."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.protocol.media.scanner import IndexScanner


def scan(data: bytes, size: int | None = None) -> None:
    """As a file of `size` bytes, with zeros behind `data`."""
    size = len(data) if size is None else size
    scanner = IndexScanner(size)
    reads = 0
    while (want := scanner.wants()) is not None:
        reads += 1
        assert reads <= limits.MEDIA_READS
        assert 0 <= want.offset < want.offset + want.length <= size
        scanner.feed(want.offset, data[want.offset : want.offset + want.length].ljust(min(want.length, 1 << 16), b"\0"))
    index = scanner.result
    if index is None:
        return
    assert 0 < index.duration <= limits.MEDIA_SECONDS
    assert len(index.times) <= limits.MEDIA_KEYFRAMES
    assert all(a < b for a, b in zip(index.times, index.times[1:], strict=False))
    for key in index.keyframes[:20]:
        assert 0 <= key.offset < key.offset + key.length <= size
        assert index.keyframe(key.seconds) == key.seconds
        assert index.offset(key.seconds) == key.offset
    for at in (0, size // 2, size):
        assert 0 <= index.seconds(at) <= index.duration
    for seconds in (-1.0, index.duration / 3, index.duration * 2):
        assert 0 <= index.offset(seconds) <= size
        assert 0 <= index.keyframe(seconds) <= index.duration
