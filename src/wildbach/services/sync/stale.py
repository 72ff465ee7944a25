"""Operations that met another disk than was known: what they touch is looked at, and then each is planned again,
whether or not its own path is another one. It may be the file that was to be copied or moved there.

Each is planned again at once one time; a disk that goes on refusing is for the next round of all that failed.
"""

from __future__ import annotations

from collections.abc import Collection

from wildbach.services.sync.planner import Op


class Stale:
    """Of one folder."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._tried: set[str] = set()

    def failed(self, op: Op) -> list[str]:
        """Returns the paths to be looked at."""
        ours = [op.path] if op.old is None else [op.path, op.old.path]
        self._waiting.update(dict.fromkeys(path for path in ours if path not in self._tried))
        return ours if op.source is None else [*ours, op.source]

    def looked_at(self, paths: Collection[str]) -> list[str]:
        """These were looked at (`""`: all). Returns which are to be planned again."""
        found = [path for path in list(self._waiting) if path in paths or "" in paths]
        for path in found:
            self._waiting.pop(path, None)
        self._tried.update(found)
        return found

    def clear(self) -> None:
        """All that failed is planned again anyway."""
        self._waiting.clear()
        self._tried.clear()
