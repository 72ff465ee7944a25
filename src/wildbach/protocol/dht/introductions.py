"""Nodes that somebody named, or that asked us, and that wait to be pinged before the table takes them.

One for each network (class local: each address), so that nobody fills the list for all others. Those whose bucket is
nearly empty are our neighbours in the space of ids: they come first, since searches for what is stored there need us to
know each other.
"""

from __future__ import annotations

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht.krpc import NodeInfo
from wildbach.protocol.dht.places import place
from wildbach.protocol.dht.table import Table


class Introductions:
    def __init__(self) -> None:
        self._urgent: dict[bytes, NodeInfo] = {}
        self._others: dict[bytes, NodeInfo] = {}

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    @property
    def urgent(self) -> bool:
        """Whether a neighbour waits."""
        return bool(self._urgent)

    def add(self, endpoint: Endpoint, node_id: bytes, table: Table) -> None:
        """`node_id` is empty where it is not known."""
        at = place(endpoint.host)
        if at is None:
            return
        node = NodeInfo(node_id, endpoint)
        if node_id and not table.wants(node):
            return
        key = at.network if not at.exempt else at.packed + endpoint.port.to_bytes(2, "big")
        urgent = bool(node_id) and table.lacks(node_id)
        queue = self._urgent if urgent else self._others
        if key in self._urgent or key in queue or len(queue) >= limits.DHT_INTRODUCTIONS:
            return
        self._others.pop(key, None)
        queue[key] = node

    def next(self, table: Table) -> Endpoint | None:
        """Whom to ping now."""
        for queue in (self._urgent, self._others):
            while queue:
                node = queue.pop(next(iter(queue)))
                if not node.id or table.wants(node):
                    return node.endpoint
        return None
