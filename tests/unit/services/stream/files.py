"""Media files in memory, as readers of the engine give them; some of their bytes may still have to come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from wildbach.base.errors import StorageError


class Held:
    """A file of which only the first `here` bytes are there; whoever reads on waits."""

    def __init__(self, data: bytes, *, here: int | None = None, most: int = 1 << 30, tag: str = "held") -> None:
        self.data = data
        self.tag = tag
        self.here = len(data) if here is None else here
        self.most = most
        "Bytes that one read gets at most."
        self.asked: list[tuple[int, int]] = []
        self.waits = asyncio.Event()
        "Somebody waits for bytes."
        self.broken = False
        self._news = asyncio.Event()

    @classmethod
    def of(cls, path: Path, **more: int) -> Held:
        return cls(path.read_bytes(), tag=path.as_posix(), **more)

    @property
    def size(self) -> int:
        return len(self.data)

    def comes(self, upto: int) -> None:
        self.here = upto
        self._news.set()

    async def read(self, offset: int, limit: int) -> bytes:
        self.asked.append((offset, limit))
        while offset >= self.here and not self.broken:
            self._news.clear()
            self.waits.set()
            await self._news.wait()
        if self.broken:
            raise StorageError("the disk is gone")
        return self.data[offset:min(offset + limit, offset + self.most, self.here)]


class Endless:
    """A file that says it is very long, and is made of one piece over and over."""

    def __init__(self, head: bytes, piece: bytes, size: int = 1 << 50) -> None:
        self.head, self.piece, self.size, self.tag = head, piece, size, "endless"
        self.given = 0

    async def read(self, offset: int, limit: int) -> bytes:
        limit = min(limit, 1 << 18)
        if offset < len(self.head):
            data = self.head[offset:offset + limit]
        else:
            start = (offset - len(self.head)) % len(self.piece)
            data = (self.piece[start:] + self.piece * (limit // len(self.piece) + 1))[:limit]
        self.given += len(data)
        return data
