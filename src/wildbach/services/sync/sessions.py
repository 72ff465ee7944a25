"""The sessions with all other devices: which of several with one device stays, and how many there are.

Both devices may call at once, and by several ways: they see the same ranks (`session.rank_of`), so both leave the same
sessions, and each only when the other device has greeted on a better one. One that has died unnoticed is found out by
asking, when the device calls anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.net.meeting import Met
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.session import Hub, Session, rank_of


class Sessions:
    """Of one device. `own`: its X25519 key. `listed`: some roster has this key. `begun`: a session is open."""

    def __init__(
        self, own: bytes, hub: Hub, scope: Scope, listed: Callable[[bytes], bool], begun: Callable[[Session], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._own = own
        self._hub = hub
        self._scope = scope
        self._listed = listed
        self._begun = begun
        self._report = report
        self._all: list[Session] = []
        self._closed = False

    def all(self) -> list[Session]:
        """The oldest first."""
        return list(self._all)

    def ended(self, session: Session) -> None:
        if session in self._all:
            self._all.remove(session)

    def close(self) -> None:
        self._closed = True
        for session in self.all():
            session.close()

    async def settle(self, met: Met[Any]) -> Session | None:
        """A device was met: the session with it, which may be another one; None where there is none after all."""
        other = met.opened.device
        first = met.opened.initiator == (self._own < other)
        rank = rank_of(met, first=first)
        settled = False
        try:
            while True:
                same = [each for each in self._all if each.exchange == other and not each.over]
                before = min(same, key=lambda each: each.rank, default=None)
                if before is None or before.rank > rank or not before.greeted:
                    break
                if before.probed or await before.answers():
                    return before
                before.close(NetworkError("it is silent, and the device has called anew", code="timed_out"))
            settled = not self._closed and not met.connection.closing
        finally:
            if not settled:
                met.connection.close()
        if not settled:
            return None
        self._make_room(other)
        session = Session(met, self._hub, self._scope, self._report, first=first)
        self._all.append(session)
        self._begun(session)
        return session

    def _make_room(self, other: bytes) -> None:
        """Who has a secret may call by any number of keys, and say nothing. The oldest ones go."""
        if self._listed(other):
            idle = [each for each in self._all if each.exchange == other and not each.greeted]
            most = limits.SYNC_SESSIONS_UNGREETED
        else:
            # Its roster may not be here yet; then it is one of ours soon.
            idle = [each for each in self._all if not self._listed(each.exchange)]
            most = limits.SYNC_SESSIONS_UNLISTED
        for each in idle[: max(0, len(idle) + 1 - most)]:
            each.close(NetworkError("its place was needed", code="refused"))
