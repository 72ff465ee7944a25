"""The items of the DHT that this session keeps alive (BEP 44): those it published and those of what it follows.

Nodes forget an item after two hours, so it is stored again every hour, one at a time. Nothing of others is: whoever
wants an item to stay looks after it. A mutable item gives way to a newer one under the same key, wherever that came
from, and never to an older one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import pack, unpack
from wildbach.runtime.rng import Rng

AREA: Final = "dht_items"
"Where the store keeps them, by target."
_RETRY_FIRST: Final = 15.0
_RETRY_MOST: Final = 600.0


class KeptItem:
    """One item and when it is stored again."""

    __slots__ = ("due_at", "fails", "flying", "item", "stored")

    def __init__(self, item: Item, due_at: float) -> None:
        self.item = item
        self.due_at = due_at
        self.flying = False
        self.fails = 0
        self.stored = 0
        "Nodes that took it the last time."


class DhtItems:
    """`save` gets what the store is to remember: bytes by target, None for what is forgotten."""

    def __init__(
        self, rng: Rng, interval: Callable[[], float], save: Callable[[dict[str, bytes | None]], None]
    ) -> None:
        self._rng = rng
        self._interval = interval
        self._save = save
        self._items: dict[bytes, KeptItem] = {}
        self._heap: list[tuple[float, bytes]] = []
        self.flying = 0
        "Items that are being stored."

    def __len__(self) -> int:
        return len(self._items)

    def load(self, kept: dict[str, bytes], now: float) -> None:
        """Take on what the last run kept. Spread over a minute, as there may be many."""
        for name, raw in kept.items():
            try:
                item = unpack(raw)
            except FormatError:
                continue
            if item.target.hex() == name and len(self._items) < limits.DHT_ITEMS_KEPT:
                self._items[item.target] = KeptItem(item, now)
                self._place(self._items[item.target], now + 60.0 * self._rng.random())

    def keep(self, item: Item, now: float, *, soon: bool = True) -> bool:
        """Keep an item from now on; `soon`: it is not in the DHT yet. False where a newer one is kept already. Raises
        UsageError where there are too many.
        """
        old = self._items.get(item.target)
        if old is not None and item.mutable and item.seq < old.item.seq:
            return False
        if old is None and len(self._items) >= limits.DHT_ITEMS_KEPT:
            raise UsageError(f"no more than DHT_ITEMS_KEPT = {limits.DHT_ITEMS_KEPT} items are kept alive")
        if old is not None and old.item == item:
            return True
        self._save({item.target.hex(): pack(item)})
        if old is None:
            old = self._items[item.target] = KeptItem(item, now)
        old.item = item
        old.fails = 0
        if not old.flying:
            self._place(old, now if soon else now + self._interval())
        return True

    def forget(self, target: bytes) -> None:
        if self._items.pop(target, None) is not None:
            self._save({target.hex(): None})

    def get(self, target: bytes) -> Item | None:
        kept = self._items.get(target)
        return kept.item if kept is not None else None

    def soonest(self) -> float:
        """When the next one is to be stored again; infinite where none is."""
        while self._heap and self._stale(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def due(self, now: float) -> KeptItem | None:
        """The next item to store; it counts as under way until `stored`."""
        if self.soonest() > now:
            return None
        kept = self._items[heapq.heappop(self._heap)[1]]
        kept.flying = True
        self.flying += 1
        return kept

    def stored(self, kept: KeptItem, nodes: int, now: float, *, sent: Item | None = None) -> None:
        """So many nodes took it. `sent` is what they were given, where the item may have changed meanwhile."""
        kept.flying = False
        self.flying -= 1
        kept.stored = nodes
        if self._items.get(kept.item.target) is not kept:
            return
        if sent is not None and sent != kept.item:
            self._place(kept, now)
        elif nodes:
            kept.fails = 0
            self._place(kept, now + self._interval() * (0.9 + 0.1 * self._rng.random()))
        else:
            self._place(kept, now + min(_RETRY_FIRST * 2 ** min(kept.fails, 10), _RETRY_MOST))
            kept.fails += 1

    def _place(self, kept: KeptItem, at: float) -> None:
        kept.due_at = at
        heapq.heappush(self._heap, (at, kept.item.target))

    def _stale(self, at: float, target: bytes) -> bool:
        kept = self._items.get(target)
        return kept is None or kept.flying or kept.due_at != at
