"""Torrents that somebody wants to be hashed anew: a few at a time, the others wait.

Each that is checked is awake. Thousands at once would not be done sooner, and all of them would be looked at by the
clock meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

from wildbach.base.errors import WildbachError
from wildbach.engine.torrent import Torrent
from wildbach.runtime.tasks import Scope

log = logging.getLogger(__name__)

_AT_ONCE: Final = 4


class ChecksOwner(Protocol):
    def torrent(self, key: str) -> Torrent | None: ...


class Checks:
    """`wants` says of a torrent whether it is to run after that; `changed` hears that one waits no more."""

    def __init__(
        self, owner: ChecksOwner, scope: Scope, wants: Callable[[str], bool], changed: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._owner = owner
        self._scope = scope
        self._wants = wants
        self._changed = changed
        self._report = report
        self.waiting: dict[str, None] = {}
        "The next one first."
        self._going = 0

    def add(self, key: str) -> None:
        """It is checked when its turn comes. One that waits already keeps its place."""
        self.waiting[key] = None
        if self._going < _AT_ONCE:
            self._going += 1
            self._scope.spawn("check", self._work(), contain=self._report)

    async def _work(self) -> None:
        try:
            while self.waiting:
                key = next(iter(self.waiting))
                del self.waiting[key]
                self._changed(key)
                torrent = self._owner.torrent(key)
                if torrent is not None:
                    await self._check(torrent)
        finally:
            self._going -= 1
            if self.waiting and not self._scope.closed:
                self.add(next(iter(self.waiting)))  # a bug ended this one; the others are checked all the same

    async def _check(self, torrent: Torrent) -> None:
        try:
            if torrent.asleep:
                await torrent.metadata()
            if torrent.holdings is None:
                await torrent.resume()
            else:
                await torrent.recheck()
        except WildbachError as error:
            log.error("%s was not checked: %s", torrent.name, error.message)
        if self._owner.torrent(torrent.key) is torrent and not self._wants(torrent.key):
            await torrent.pause()
