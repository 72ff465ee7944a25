"""When an owner's device makes new keys by itself: somebody has the keys who may not have them, or lacks them and may.

That is so after owners changed who has the folder at the same time. The highest owner who is there does it at once,
and each one below waits longer, so that one of them does it, as a rule. Where two do, one of both counts everywhere.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.sealing import Chance
from wildbach.protocol.sync.writing import Changes
from wildbach.services.sync.membership import Membership

WAIT_SECONDS: Final = 30.0
"For each owner above who is there."
_DAY: Final = 86_400


class Merging:
    """`due` and `merge` are for the folder's thread."""

    def __init__(self, membership: Membership, chance: Chance) -> None:
        self._membership = membership
        self._chance = chance
        self._heads: tuple[bytes, ...] = ()
        self._since = 0.0
        self._gave_up: tuple[bytes, ...] = ()

    def due(self, there: Collection[DeviceId], now: float) -> float | None:
        """When it is to be done, None for never. `there`: devices that are connected; `now`: any clock's seconds."""
        view = self._membership.view
        if not view.merge_wanted or view.heads == self._gave_up:
            return None
        owners = [each.id for each in view.state.owners]
        if self._membership.me not in owners:
            return None
        if view.heads != self._heads:
            self._heads, self._since = view.heads, now
        above = owners[: owners.index(self._membership.me)]
        return self._since + WAIT_SECONDS * sum(1 for each in above if each in there)

    def merge(self, wall: float) -> bool:
        """Sign for new keys. False where this device did so too often within a day: a bad owner could have every other
        one do so without end. `wall`: seconds since 1970. Raises StorageError.
        """
        membership = self._membership
        lately = [at for at in membership.merges if wall - _DAY < at <= wall]
        if len(lately) >= limits.SYNC_MERGES:
            self._gave_up = membership.view.heads
            return False
        membership.note_merge([*lately, wall])
        try:
            membership.amend(Changes(), self._chance)
        except UsageError:
            # What the others made of it meanwhile cannot be followed; the next roster that comes is another matter.
            self._gave_up = membership.view.heads
            return False
        return True
