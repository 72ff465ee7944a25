"""Who may be asked now: a queue for each tracker host, and a bound on what is under way.

A host that answers has a fair turn however many torrents wait for others. Hosts that were never heard, or failed last
time, share half the places and get one request at a time, so that thousands of dead trackers cannot keep the living
ones waiting. After three failures in a row a host rests, and everything meant for it is told so at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from wildbach.engine.announcers import Announcer

DEAD_AFTER: Final = 10
"Failures in a row, without a success between, after which a tracker is shown as dead and asked once a day."
REST_AFTER: Final = 3
_REST_FIRST: Final = 30.0
_REST_MOST: Final = 1800.0
_UDP_FACTOR: Final = 5
"A request over UDP costs no connection, so more may be under way."


class Job(Protocol):
    """Something to ask a host."""

    @property
    def queued(self) -> bool:
        """False where it is not meant any more."""


class Host:
    """One tracker host over one IP version."""

    __slots__ = (
        "__weakref__", "active", "error", "fails", "lane", "listed", "name", "proven", "queue", "resting_until",
        "urgent",
    )

    def __init__(self, name: str, lane: Lane) -> None:
        self.name = name
        self.lane = lane
        self.queue: deque[Job] = deque()
        self.urgent: deque[Job] = deque()
        self.active = 0
        self.fails = 0
        "Failures in a row to get any answer."
        self.proven = False
        "It has answered before, and did not fail since."
        self.resting_until = 0.0
        self.error = ""
        self.listed = False

    def push(self, job: Job, *, urgent: bool) -> None:
        (self.urgent if urgent else self.queue).append(job)
        self.lane.list(self)

    def pop(self) -> Job | None:
        """The next job that is still meant; one may stand in the queue twice and counts once."""
        for queue in (self.urgent, self.queue):
            while queue:
                job = queue.popleft()
                if job.queued:
                    return job
        return None

    @property
    def waiting(self) -> bool:
        return bool(self.urgent or self.queue)

    def answered(self) -> None:
        self.fails = 0
        self.proven = True
        self.resting_until = 0.0

    def failed(self, reason: str, now: float, longest: float, spread: float) -> None:
        """Note that nothing came back. `longest`: seconds a dead host rests; `spread` (0 to 1) varies the rest."""
        self.fails += 1
        self.proven = False
        self.error = reason
        if self.fails >= DEAD_AFTER:
            rest = longest
        elif self.fails >= REST_AFTER:
            rest = min(_REST_FIRST * 2 ** (self.fails - REST_AFTER), _REST_MOST)
        else:
            return
        self.resting_until = now + rest * (0.9 + 0.2 * spread)


class Lane:
    """The hosts of one announcer that have something to do. `at_once` and `per_host` are read anew each time."""

    def __init__(self, announcer: Announcer, at_once: Callable[[], int], per_host: Callable[[], int]) -> None:
        self.announcer = announcer
        self._factor = _UDP_FACTOR if "udp" in announcer.schemes else 1
        self._at_once = at_once
        self._per_host = per_host
        self._ready: tuple[deque[Host], deque[Host]] = (deque(), deque())
        self._doubtful: tuple[deque[Host], deque[Host]] = (deque(), deque())
        "Hosts whose turn comes: those with something urgent, and the others."
        self.active = 0
        self.doubted = 0
        "How many of the active ones go to hosts that are not proven."
        self.hurry = 1
        "Multiplies what may be under way; raised while a session ends."

    @property
    def most(self) -> int:
        return self._at_once() * self._factor * self.hurry

    def list(self, host: Host) -> None:
        """Give a host a turn if it may have one."""
        if host.listed or not host.waiting:
            return
        if host.active >= (self._per_host() * self._factor * self.hurry if host.proven else 1):
            return
        host.listed = True
        (self._ready if host.proven else self._doubtful)[0 if host.urgent else 1].append(host)

    def next(self) -> Host | None:
        """Whose turn it is, None where nobody may start."""
        if self.active >= self.most:
            return None
        doubtful = self._doubtful if self.doubted < max(1, self.most // 2) else ()
        for turns in (self._ready[:1], doubtful[:1], self._ready[1:], doubtful[1:]):
            for queue in turns:
                if queue:
                    host = queue.popleft()
                    host.listed = False
                    return host
        return None

    def begin(self, host: Host) -> bool:
        """Count a request that starts; returns whether it is doubtful, which `end` wants to hear again."""
        host.active += 1
        self.active += 1
        doubtful = not host.proven
        self.doubted += doubtful
        return doubtful

    def end(self, host: Host, doubtful: bool) -> None:
        host.active -= 1
        self.active -= 1
        self.doubted -= doubtful
        self.list(host)
