"""What happened lately, for people who look at it from elsewhere. Nothing of it is kept for the next run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Final

from wildbach.base.events import Event, TorrentEvent
from wildbach.interfaces.api.models import Log, LogLine, LogQuery

_LINES: Final = 10_000
_LONGEST: Final = 2000
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Logbook(logging.Handler):
    """The last lines, numbered. A handler of `logging`, too; lines of other threads come in by the loop."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[LogLine] = deque(maxlen=_LINES)
        self._next = 0
        self._loop = asyncio.get_running_loop()
        self.news = asyncio.Event()

    def write(self, level: str, text: str, torrent: str = "") -> None:
        self._lines.append(LogLine(
            self._next, time.time(), level if level in _LEVELS else "info",  # type: ignore[arg-type]  # one of the four
            text[:_LONGEST], torrent))
        self._next += 1
        self.news.set()

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        text = record.getMessage()
        if record.exc_info is not None and record.exc_info[1] is not None:
            text += f": {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.write, "error" if level == "critical" else level, text)

    def happened(self, event: Event, text: str, level: str = "info") -> None:
        self.write(level, text, event.torrent if isinstance(event, TorrentEvent) else "")

    def read(self, query: LogQuery) -> Log:
        """Lines after a number, oldest first; where there are more than the limit, the newest."""
        least = _LEVELS[query.level]
        found: list[LogLine] = []
        for line in reversed(self._lines):
            if line.id <= query.after or len(found) >= query.limit:
                break
            if _LEVELS[line.level] >= least:
                found.append(line)
        return Log(tuple(reversed(found)))
