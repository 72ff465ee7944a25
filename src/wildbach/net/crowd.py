"""Who holds the connections of a server, and who of them makes room.

A connection waits until a whole request is here, then it is asked something, then it rests until the next request or
its end. When a server is full, who waits or rests makes room for who comes: of the network that has most of these, the
one that has been there longest. So a flood of connections that ask nothing displaces itself.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from wildbach.base.addresses import network_of

C = TypeVar("C", bound=Hashable)


class Crowd(Generic[C]):
    """`share`: connections that one network may hold at most, but for those that are trusted."""

    def __init__(self, share: int) -> None:
        self._share = share
        self._from: dict[C, str] = {}
        self._count: dict[str, int] = {}
        self._waiting: dict[str, dict[C, None]] = {}
        self._resting: dict[str, dict[C, None]] = {}

    def enter(self, one: C, host: str, *, trusted: bool = False) -> bool:
        """A connection was made, and waits; False where its network has its share already. `host`: its address."""
        network = network_of(host)
        if not trusted and self._count.get(network, 0) >= self._share:
            return False
        self._from[one] = network
        self._count[network] = self._count.get(network, 0) + 1
        self._waiting.setdefault(network, {})[one] = None
        return True

    def ask(self, one: C) -> None:
        """A request is here."""
        self._take(one)

    def rest(self, one: C) -> None:
        """It was answered."""
        network = self._from.get(one)
        if network is not None:
            self._resting.setdefault(network, {})[one] = None

    def leave(self, one: C) -> None:
        self._take(one)
        network = self._from.pop(one, None)
        if network is not None:
            self._count[network] -= 1
            if not self._count[network]:
                del self._count[network]

    def displace(self) -> C | None:
        """Who makes room, taken out; None where all are busy."""
        idle = self._waiting or self._resting
        if not idle:
            return None
        greediest = max(idle, key=lambda network: len(idle[network]))
        one = next(iter(idle[greediest]))
        self.leave(one)
        return one

    def _take(self, one: C) -> None:
        network = self._from.get(one, "")
        for idle in (self._waiting, self._resting):
            held = idle.get(network)
            if held is not None and one in held:
                del held[one]
                if not held:
                    del idle[network]
