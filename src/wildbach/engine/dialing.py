"""Whom to call: the endpoints a torrent knows, how often each was tried, and who is next.

Knowing more than the limit forgets those that failed most. Nothing here connects: `next` says whom, the torrent dials.
Strangers can name anybody, so calls on hearsay and calls into one network are counted for the whole session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify, neighbourhood
from wildbach.base.ids import Endpoint
from wildbach.engine.flows import FlowBudget

_RETRY_SECONDS: Final = 15.0
_RETRY_MOST: Final = 600.0
_RETRY_SOON: Final = 3.0
"After we came back: the peer may still hold the connection that we lost."
_BUDGET_SECONDS: Final = 10.0
_NAMED: Final = ("user", "magnet", "tracker")
"Sources that are not hearsay; what other peers and the DHT say is."


class DialBudget:
    """Calls of the last minute, of all torrents: those on hearsay, those into each network, and all (`flows`).

    This machine and private networks are not counted. Whom the user named need not wait.
    """

    __slots__ = ("_hearsay", "_networks", "flows")

    def __init__(self, flows: FlowBudget) -> None:
        self.flows = flows
        self._hearsay: deque[float] = deque()
        self._networks: dict[str, deque[float]] = {}

    def take(self, endpoint: Endpoint, source: str, now: float) -> bool:
        """Count a call; False where it must wait."""
        if classify(endpoint.host) is not Reach.GLOBAL:
            return True
        if source == "user":
            self.flows.count()
            return True
        hearsay = source not in _NAMED
        _expire(self._hearsay, now)
        if hearsay and len(self._hearsay) >= limits.DIALS_HEARSAY_PER_MINUTE:
            return False
        network = neighbourhood(endpoint.host)
        calls = self._networks.setdefault(network, deque())
        _expire(calls, now)
        if len(calls) >= limits.DIALS_PER_NETWORK_PER_MINUTE:
            return False
        calls.append(now)
        if hearsay:
            self._hearsay.append(now)
        self.flows.count()
        if len(self._networks) > limits.KNOWN_PEERS:
            for name in [name for name, calls in self._networks.items() if now - calls[-1] >= 60.0]:
                del self._networks[name]
        return True


    def ended(self, endpoint: Endpoint, answered: bool, now: float) -> None:
        """What became of a call. A refusal is an answer."""
        if classify(endpoint.host) is Reach.GLOBAL:
            self.flows.ended(answered, now)


def _expire(calls: deque[float], now: float) -> None:
    while calls and now - calls[0] >= 60.0:
        calls.popleft()


class Known:
    """One endpoint and our history with it."""

    __slots__ = ("again", "endpoint", "fails", "met", "not_before", "priority", "seed", "source", "surely_until")

    def __init__(self, endpoint: Endpoint, source: str, priority: int) -> None:
        self.endpoint = endpoint
        self.source = source
        self.priority = priority
        "Canonical priority of the link (BEP 40): the higher one is called first."
        self.fails = 0
        self.not_before = 0.0
        self.met = False
        "It took our call, or called us."
        self.again = 0
        "Calls that failed since we came back."
        self.surely_until = float("-inf")
        "It was there when we went away: until this time it is called more often, and not given up."
        self.seed = False
        "It had everything when we last met: of no use once we have too."

    @property
    def hopeless(self) -> bool:
        return self.fails >= limits.DIAL_TRIES and self.source != "user"


class Dialing:
    """The address book of one torrent. Endpoints are literal addresses."""

    def __init__(self, budget: DialBudget, priority: Callable[[Endpoint], int]) -> None:
        self._budget = budget
        self._priority = priority
        self._known: dict[Endpoint, Known] = {}
        self._busy: dict[Endpoint, None] = {}
        "Connected or being dialled."
        self._soonest: float | None = None
        self._stale = False

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
                if source in (*_NAMED, "lsd") and known.hopeless:
                    # Somebody who should know says that it is there.
                    known.fails = limits.DIAL_TRIES - 1
                    self._stale = True
                if source == "user":
                    known.source = source
                    self._stale = True
                continue
            if not 0 < endpoint.port < 65536 or classify(endpoint.host) is Reach.FORBIDDEN:
                continue
            if len(self._known) >= limits.KNOWN_PEERS and not self._forget_one():
                break
            self._known[endpoint] = Known(endpoint, source, self._priority(endpoint))
            self._stale = True
            fresh += 1
        return fresh

    def _forget_one(self) -> bool:
        worst = max(
            (known for known in self._known.values() if known.endpoint not in self._busy and known.source != "user"),
            key=lambda known: (known.fails, -known.priority), default=None,
        )
        if worst is None:
            return False
        del self._known[worst.endpoint]
        return True

    def next(self, now: float, *, want_seeds: bool) -> Known | None:
        """Whom to dial now: whom the user named, then those that failed least, then by priority."""
        soonest = self.soonest()
        if soonest is None or soonest > now:
            return None
        able = [
            known for known in self._known.values()
            if known.not_before <= now and known.endpoint not in self._busy and not known.hopeless
            and (want_seeds or not known.seed)
        ]
        able.sort(key=lambda known: (known.source != "user", known.fails, -known.priority))
        room = self._budget.flows.room(now)
        for known in able:
            if not room and known.source != "user" and classify(known.endpoint.host) is Reach.GLOBAL:
                continue  # a moment later
            self._stale = True
            if self._budget.take(known.endpoint, known.source, now):
                self._busy[known.endpoint] = None
                return known
            # Its network, or hearsay in all, had enough for now.
            known.not_before = now + _BUDGET_SECONDS
        return None

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """The call was not taken, or broke before both sides had greeted."""
        self._busy.pop(endpoint, None)
        self._stale = True
        known = self._known.get(endpoint)
        if known is not None:
            if now < known.surely_until:
                known.fails = min(known.fails + 1, limits.DIAL_TRIES - 1)
                known.not_before = now + min(_RETRY_SOON * 2**known.again, 2 * _RETRY_SECONDS)
                known.again += 1
                return
            known.fails += 1
            known.not_before = now + min(_RETRY_SECONDS * 2 ** min(known.fails - 1, 10), _RETRY_MOST)

    def connected(self, endpoint: Endpoint) -> None:
        known = self._known.get(endpoint)
        if known is not None:
            known.fails = 0
            known.met = True
            known.surely_until = float("-inf")

    def ended(self, endpoint: Endpoint, now: float, *, seed: bool) -> None:
        """A connection that had been greeted is over; it may be made again, after a while."""
        self._busy.pop(endpoint, None)
        self._stale = True
        known = self._known.get(endpoint)
        if known is not None:
            known.seed = seed
            known.not_before = now + _RETRY_SECONDS

    def again(self, endpoint: Endpoint) -> None:
        """Call this one as soon as possible: it is there, and a new connection is better than the last."""
        self._busy.pop(endpoint, None)
        self.add([endpoint], "peer")
        self._stale = True
        known = self._known.get(endpoint)
        if known is not None:
            known.fails = 0
            known.not_before = 0.0

    def all_again(self, now: float, gained: Sequence[int] = ()) -> None:
        """Call those who were there as soon as possible: it was we who had gone. Those we have met may hold a dead
        connection with us until they miss it, so they are called again soon where they refuse. `gained`: IP versions
        that could not be called before.
        """
        for known in self._known.values():
            if (6 if ":" in known.endpoint.host else 4) in gained:
                known.fails = 0
            if not known.fails:
                known.not_before = 0.0
                if known.met:
                    known.again = 0
                    known.surely_until = now + limits.PEER_TIMEOUT_SECONDS + _RETRY_SECONDS
        self._stale = True

    def callers(self, endpoints: Iterable[Endpoint]) -> None:
        """Remember where those listen who had called us: at a new address of ours they cannot find us."""
        for endpoint in endpoints:
            self.add([endpoint], "peer")
            self.connected(endpoint)

    def forget(self, endpoint: Endpoint) -> None:
        self._busy.pop(endpoint, None)
        self._known.pop(endpoint, None)
        self._stale = True

    def clear(self) -> None:
        """Forget everybody; those who are connected stay so."""
        self._known.clear()
        self._stale = True

    def soonest(self) -> float | None:
        """When somebody may be dialled who may not be now; None where nobody is left."""
        if self._stale:
            self._stale = False
            self._soonest = min(
                (k.not_before for k in self._known.values() if not k.hopeless and k.endpoint not in self._busy),
                default=None,
            )
        return self._soonest
