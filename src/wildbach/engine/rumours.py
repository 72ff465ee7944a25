"""For whom a torrent that sleeps is woken because the DHT names somebody.

Who is behind a router can only call: were it to sleep through what the DHT says, nobody would ever get what it has. But
anybody can write any peer into the DHT, for each of a hundred thousand torrents, so few are woken in a minute, and none
a second time within the hour for peers that it was woken for.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.ids import Endpoint

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


class Rumours:
    """What the DHT named of late, for torrents that were woken for it."""

    __slots__ = ("_heard", "_woken")

    def __init__(self) -> None:
        self._woken: deque[float] = deque()
        self._heard: OrderedDict[str, tuple[float, dict[Endpoint, None]]] = OrderedDict()
        "When a torrent was woken last, and for whom; the latest last."

    def __len__(self) -> int:
        """Torrents that are remembered: at most those of an hour."""
        return len(self._heard)

    def news(self, key: str, endpoints: Sequence[Endpoint], now: float) -> tuple[Endpoint, ...]:
        """Whom to wake this torrent for; nobody where there is nothing new, or enough were woken in this minute."""
        self._forget(now)
        _, known = self._heard.get(key, (now, {}))
        fresh = dict.fromkeys(
            one for one in endpoints if one not in known and classify(one.host) is not Reach.FORBIDDEN)
        chosen = tuple(fresh)[: limits.RUMOUR_PEERS]
        if not chosen or len(self._woken) >= limits.RUMOURS_PER_MINUTE:
            return ()
        self._woken.append(now)
        # As many as it is woken for at once are remembered, the latest.
        kept = (known | dict.fromkeys(chosen)).items()
        self._heard[key] = now, dict(list(kept)[-limits.RUMOUR_PEERS :])
        self._heard.move_to_end(key)
        return chosen

    def forget(self, key: str) -> None:
        """It is no torrent of the session any more."""
        self._heard.pop(key, None)

    def _forget(self, now: float) -> None:
        while self._woken and now - self._woken[0] >= _MINUTE:
            self._woken.popleft()
        while self._heard:
            key, (since, _) = next(iter(self._heard.items()))
            if now - since < _HOUR:
                return
            del self._heard[key]
