"""Whom to call: the endpoints a torrent knows, how often each was tried, and who is next.

Knowing more than the limit forgets those that failed most. Nothing here connects: `next` says whom, the torrent dials.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wildbach.base import limits
from wildbach.base.ids import Endpoint

_RETRY_SECONDS: Final = 15.0
_RETRY_MOST: Final = 600.0


class Known:
    """One endpoint and our history with it."""

    __slots__ = ("endpoint", "fails", "not_before", "seed", "source")

    def __init__(self, endpoint: Endpoint, source: str) -> None:
        self.endpoint = endpoint
        self.source = source
        self.fails = 0
        self.not_before = 0.0
        self.seed = False
        "It had everything when we last met: of no use once we have too."


class Dialing:
    """The address book of one torrent."""

    def __init__(self) -> None:
        self._known: dict[Endpoint, Known] = {}
        self._busy: dict[Endpoint, None] = {}
        "Connected or being dialled."

    def __len__(self) -> int:
        return len(self._known)

    def endpoints(self) -> list[Endpoint]:
        return list(self._known)

    def add(self, endpoints: Iterable[Endpoint], source: str) -> int:
        """Remember endpoints; returns how many were new."""
        fresh = 0
        for endpoint in endpoints:
            known = self._known.get(endpoint)
            if known is not None:
                if source in ("user", "tracker") and known.fails >= limits.DIAL_TRIES:
                    # Somebody who should know says that it is there.
                    known.fails = limits.DIAL_TRIES - 1
                continue
            if not 0 < endpoint.port < 65536:
                continue
            if len(self._known) >= limits.KNOWN_PEERS and not self._forget_one():
                break
            self._known[endpoint] = Known(endpoint, source)
            fresh += 1
        return fresh

    def _forget_one(self) -> bool:
        worst = max(
            (known for known in self._known.values() if known.endpoint not in self._busy and known.source != "user"),
            key=lambda known: known.fails, default=None,
        )
        if worst is None:
            return False
        del self._known[worst.endpoint]
        return True

    def next(self, now: float, *, want_seeds: bool) -> Known | None:
        """Whom to dial now: those that failed least, first learned first."""
        best: Known | None = None
        for known in self._known.values():
            if known.endpoint in self._busy or known.not_before > now or (known.seed and not want_seeds):
                continue
            if known.fails >= limits.DIAL_TRIES and known.source != "user":
                continue
            if best is None or known.fails < best.fails:
                best = known
        if best is not None:
            self._busy[best.endpoint] = None
        return best

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """The call was not taken, or broke before both sides had greeted."""
        self._busy.pop(endpoint, None)
        known = self._known.get(endpoint)
        if known is not None:
            known.fails += 1
            known.not_before = now + min(_RETRY_SECONDS * 2 ** (known.fails - 1), _RETRY_MOST)

    def connected(self, endpoint: Endpoint) -> None:
        known = self._known.get(endpoint)
        if known is not None:
            known.fails = 0

    def ended(self, endpoint: Endpoint, now: float, *, seed: bool) -> None:
        """A connection that had been greeted is over; it may be made again, after a while."""
        self._busy.pop(endpoint, None)
        known = self._known.get(endpoint)
        if known is not None:
            known.seed = seed
            known.not_before = now + _RETRY_SECONDS

    def again(self, endpoint: Endpoint) -> None:
        """Call this one as soon as possible: it is there, and a new connection is better than the last."""
        self._busy.pop(endpoint, None)
        self.add([endpoint], "peer")
        known = self._known.get(endpoint)
        if known is not None:
            known.fails = 0
            known.not_before = 0.0

    def forget(self, endpoint: Endpoint) -> None:
        self._busy.pop(endpoint, None)
        self._known.pop(endpoint, None)

    def soonest(self) -> float | None:
        """When somebody may be dialled who may not be now; None where nobody is left."""
        times = [
            known.not_before for known in self._known.values()
            if known.endpoint not in self._busy and (known.fails < limits.DIAL_TRIES or known.source == "user")
        ]
        return min(times, default=None)
