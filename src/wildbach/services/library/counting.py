"""What each torrent gave and took in all runs, and for how long it ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.services.library.entry import Entry

_RUNNING = (State.METADATA, State.DOWNLOADING, State.SEEDING)


class Counting:
    """Adds to the entries what the engine counts in this run. A torrent that sleeps costs one number."""

    def __init__(self, entries: dict[str, Entry], clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._entries = entries
        self._clock = clock
        self._wall = wall
        self._since: dict[str, float] = {}
        "Since when running time was not yet added up, of those that run."
        self._seen: dict[str, tuple[int, int, int]] = {}
        "Bytes sent, received and wasted in this run that were added, of all that ever were awake in it."
        self.uploaded = 0
        self.downloaded = 0
        self.wasted = 0
        "Bytes of this run, of all torrents."
        self._began = clock()
        self._told = Counter[str]()

    def state(self, torrent: Torrent) -> None:
        """It may have begun or ceased to run."""
        key = torrent.key
        running = torrent.state in _RUNNING
        if running and key not in self._since:
            self._since[key] = self._clock()
        elif not running and key in self._since:
            self.settle(key)
            del self._since[key]

    def settle(self, key: str) -> bool:
        """Add up its running time. True where that is more than nothing."""
        entry, since = self._entries.get(key), self._since.get(key)
        if entry is None or since is None:
            return False
        now = self._clock()
        whole = int(now - since)
        if whole <= 0:
            return False
        self._since[key] = since + whole
        entry.active_seconds += whole
        if entry.complete:
            entry.seeding_seconds += whole
        return True

    def unsettled(self, key: str) -> int:
        """Seconds of running time that are not added up yet."""
        since = self._since.get(key)
        return int(self._clock() - since) if since is not None else 0

    def look(self, awake: Iterable[Torrent]) -> dict[str, tuple[int, int]]:
        """Add what came and went since the last look. Returns how much that was, of those whose counts changed."""
        now = int(self._wall())
        return {torrent.key: moved for torrent in awake if (moved := self._count(torrent, now)) is not None}

    def _count(self, torrent: Torrent, now: int) -> tuple[int, int] | None:
        key = torrent.key
        entry = self._entries.get(key)
        if entry is None:
            return None
        counts = (torrent.sent, torrent.received, torrent.wasted)
        before = self._seen.get(key, (0, 0, 0))
        if counts == before:
            return None
        self._seen[key] = counts
        up, down, wasted = (count - was for count, was in zip(counts, before, strict=True))
        entry.uploaded += up
        entry.downloaded += down
        entry.wasted += wasted
        if up or down:
            entry.active_at = now
        self.uploaded += up
        self.downloaded += down
        self.wasted += wasted
        return down, up

    @property
    def untold(self) -> Counter[str]:
        """What the totals of all runs lack: bytes `uploaded`, `downloaded` and `wasted`, and `active_seconds`."""
        counted = Counter({
            "uploaded": self.uploaded, "downloaded": self.downloaded, "wasted": self.wasted,
            "active_seconds": int(self._clock() - self._began),
        })
        counted.subtract(self._told)
        return counted

    def told(self, amounts: Counter[str]) -> None:
        """The totals have these now."""
        self._told.update(amounts)

    def forget(self, key: str) -> None:
        self._since.pop(key, None)
        self._seen.pop(key, None)
