"""What the settings say, as far as it shows in every torrent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from wildbach.interfaces.api.contract import Api

KILO: Final = 1000
"Bytes of a kB, as session-get says in `units`."


@dataclass(frozen=True, slots=True)
class Usual:
    """Of all torrents that have nothing of their own."""

    ratio: float
    seeding_seconds: int
    idle_seconds: int
    peers: int
    stalled_seconds: int

    @classmethod
    async def of(cls, api: Api) -> Usual:
        values = (await api.settings()).values

        def number(key: str, default: int) -> int:
            value: Any = values.get(key)
            return int(value) if isinstance(value, int | float) else default

        ratio = values.get("seeding.ratio")
        return cls(
            float(ratio) if isinstance(ratio, int | float) else -1.0, number("seeding.seconds", -1),
            number("seeding.idle_seconds", -1), number("connections.per_torrent", 200),
            number("queue.slow_seconds", 60),
        )


def limit_of(kilobytes: float) -> int:
    """Bytes a second; never none: with Transmission a limit of 0 lets nothing through."""
    return max(1, int(kilobytes * KILO))
