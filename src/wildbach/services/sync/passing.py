"""Telling members of a folder where others are, by the sealed records that those made (`finding`): who is connected
with two devices tells each of the other, and needs no DHT for it.

What is new is told at once where nothing was told lately, else `PASS_SECONDS` after that: a member that makes records
all day makes nobody else busy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.messages import Whereabouts
from wildbach.services.sync.session import Link

PASS_SECONDS: Final = 20.0


class Passing:
    """Of one folder. For the loop."""

    def __init__(self, wake: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`wake`: `tell` is to be called soon."""
        self.records: Callable[[], list[bytes]] = list
        "Of members, as others may be told."
        self.take: Callable[[bytes], bool] = lambda raw: False
        "Takes a record that a member passed on; True where it is new. Raises FormatError."
        self._wake = wake
        self._clock = clock
        self._told: dict[DeviceId, set[bytes]] = {}
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def met(self) -> None:
        """Somebody came who was told nothing so far."""
        self._at = 0.0

    def parted(self, device: DeviceId) -> None:
        self._told.pop(device, None)

    def heard(self, records: Sequence[bytes]) -> None:
        """Raises FormatError for what is no record."""
        new = [self.take(raw) for raw in records]
        if any(new) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                max(0.0, self._at - self._clock()), self._due)

    def _due(self) -> None:
        self._timer = None
        self._wake()

    def tell(self, links: Mapping[DeviceId, Link], ready: Collection[Link]) -> None:
        """Tell all that are `ready` what they were not told yet, if it is time."""
        now = self._clock()
        if now < self._at:
            return
        self._at = now + PASS_SECONDS
        records = self.records()
        for device, link in links.items():
            known = self._told.setdefault(device, set())
            new = tuple(raw for raw in records if raw not in known)
            if new and link in ready and not link.busy:
                self._told[device] = set(records)
                link.say(Whereabouts(link.tag, new))
