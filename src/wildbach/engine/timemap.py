"""Which second of a film stands at which byte: what a reader needs to know to fetch first what is played first.

The map comes from the file's own index, read through whoever can read the file. A file without one, or with one that
lies, has no map: it is played all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.media.index import MediaIndex
from wildbach.protocol.media.scanner import IndexScanner
from wildbach.runtime.workers import Threads

_LARGE: Final = 256 * limits.KIB
"A range of which the parsing takes more than a few milliseconds."


class TimeMap(Protocol):
    """Answers for any number: seconds lie within 0 … `duration`, offsets within the file."""

    @property
    def duration(self) -> float:
        """Seconds."""
        ...

    def seconds(self, offset: int) -> float:
        """What time it is at that byte."""
        ...

    def offset(self, seconds: float) -> int:
        """Where that time stands; exact at a keyframe."""
        ...

    def keyframe(self, seconds: float) -> float:
        """The time of the keyframe at or before."""
        ...


async def read_map(
    read: Callable[[int, int], Awaitable[bytes]], size: int, threads: Threads | None = None
) -> MediaIndex | None:
    """The index of a file of `size` bytes; None where it has none that can be believed.

    `read(offset, limit)` gives 1 … limit bytes, and none at the end. Few ranges are read, most of them near both ends
    (`limits.MEDIA_*`). Long indexes are parsed in `threads` where these are given.
    """
    try:
        scanner = IndexScanner(size)
        while (want := scanner.wants()) is not None:
            data = await read(want.offset, want.length)
            if threads is not None and scanner.held + len(data) > _LARGE:
                await threads.run(scanner.feed, want.offset, data)
            else:
                scanner.feed(want.offset, data)
    except FormatError:
        return None
    return scanner.result
