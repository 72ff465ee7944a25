"""Connections of a session that belong to no swarm: of devices that share a secret. They count among all the others,
and end with the network.
"""

from __future__ import annotations

from wildbach.base.errors import NetworkError
from wildbach.net.transport import Connection


class Guests:
    """Those that are open. Whoever has one closes it; nobody has to say so here."""

    def __init__(self) -> None:
        self._all: list[Connection] = []

    def __len__(self) -> int:
        self._all = [each for each in self._all if not each.closing]
        return len(self._all)

    def add(self, connection: Connection) -> None:
        self._all.append(connection)

    def close(self, error: NetworkError) -> None:
        """All of them."""
        every, self._all = self._all, []
        for each in every:
            each.close(error)
