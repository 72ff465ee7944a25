"""Lines in the log about what was refused: anybody can cause them, so nobody may fill the log with them.

Of each kind and network the first is written, and after a minute how many more there were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wildbach.base.addresses import network_of

_SECONDS: Final = 60.0
_NETWORKS: Final = 50
"Of which lines are written in a minute; the rest are counted together."
_OTHERS: Final = "other addresses"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Said:
    what: str
    more: int = 0


def _later(seconds: float, what: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, what)


class Refusals:
    """`later` calls something after so many seconds."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None] = _later) -> None:
        self._later = later
        self._said: dict[tuple[str, str], _Said] = {}

    def tell(self, what: str, host: str, more: str = "") -> None:
        """`what` happened to a request from an address; `more` is written the first time only."""
        key = what, network_of(host)
        said = self._said.get(key)
        if said is not None:
            said.more += 1
            return
        if len(self._said) >= _NETWORKS:
            self._said.setdefault((what, _OTHERS), _Said(what)).more += 1
            return
        if not self._said:
            self._later(_SECONDS, self._count)
        self._said[key] = _Said(what)
        log.warning("%s from %s%s", what, host, more)

    def _count(self) -> None:
        """A minute is over."""
        for (what, network), said in self._said.items():
            if said.more:
                log.warning("and %s more within a minute: %s from %s", f"{said.more:,}", what, network)
        self._said.clear()
