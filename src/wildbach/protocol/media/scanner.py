"""Reads the index of a film or song: says which range it wants next, and is fed the bytes.

    scanner = IndexScanner(size)
    while (want := scanner.wants()) is not None:
        scanner.feed(want.offset, await read(want.offset, want.length))
    scanner.result

The number of ranges and bytes is bounded (`limits.MEDIA_*`), whatever the file says.
"""

from __future__ import annotations

from typing import Final

from wildbach.base.errors import FormatError
from wildbach.protocol.media import matroska, mp4, simple
from wildbach.protocol.media.index import MediaIndex
from wildbach.protocol.media.source import WINDOW, Pull, Source, Want

_LEAST: Final = 64
"Bytes of a file that can hold anything."


class IndexScanner:
    def __init__(self, size: int) -> None:
        self.result: MediaIndex | None = None
        "Once nothing is wanted any more: what was found; None where the file tells no times."
        self._want: Want | None = None
        self._got = bytearray()
        self._run = _scan(Source(size))
        self._go_on(None)

    def wants(self) -> Want | None:
        """The range to read next; None at the end."""
        if self._want is None:
            return None
        return Want(self._want.offset + len(self._got), self._want.length - len(self._got))

    @property
    def held(self) -> int:
        """Bytes of the wanted range that were fed so far."""
        return len(self._got)

    def feed(self, offset: int, data: bytes) -> None:
        """Bytes from where `wants` asked for them, as many as came; none at all means that the file ends there.

        A file that does not follow its format is a FormatError, one beyond a limit a LimitError; nothing is wanted
        afterwards.
        """
        want = self.wants()
        if want is None or offset != want.offset or len(data) > want.length:
            raise ValueError(f"{len(data)} bytes at {offset} where {want} was wanted")
        if not data:
            self._want = None
            raise FormatError("the file ends before its size", where=str(offset))
        if len(data) < want.length:
            self._got += data
            return
        if self._got:
            data, self._got = bytes(self._got + data), bytearray()
        self._go_on(data)

    def _go_on(self, data: bytes | None) -> None:
        self._want = None
        try:
            self._want = next(self._run) if data is None else self._run.send(data)
        except StopIteration as end:
            self.result = end.value


def _scan(source: Source) -> Pull[MediaIndex | None]:
    if source.size < _LEAST:
        return None
    head = yield from source.get(0, min(source.size, WINDOW))
    if head[4:8] in mp4.FIRST:
        return (yield from mp4.scan(source))
    if head[:4] == matroska.MAGIC:
        return (yield from matroska.scan(source))
    return (yield from simple.scan(source, head))
