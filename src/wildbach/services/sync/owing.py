"""Whom the secrets of before are still owed to: by these members are met that were away when the secrets changed.

A member has the secrets that hold when it proved them to this device, or when it signed for others in their epoch. That
changes with the rosters, with who is met, with what is heard, and in time (`limits.SYNC_REKEY_SECONDS`): `look` is
called at each of these, and nobody else decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync import cuts
from wildbach.protocol.sync.secrets import ReadSecret
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.store import FolderStore

_REPLACED: Final = "replaced "
"Since when the secrets of this name do not hold, as far as this device knows."
_PROVED: Final = "proved "
"The name of the newest secrets that this device proved."


class Owing:
    """Of one folder. For its thread; `secrets` may be read anywhere. `acked`: the epoch in which each device signed
    last what it has.
    """

    def __init__(
        self, membership: Membership, store: FolderStore, acked: Callable[[], Mapping[DeviceId, int]],
    ) -> None:
        self._membership = membership
        self._store = store
        self._acked = acked
        self.secrets: tuple[ReadSecret, ...] = ()
        "Newest first."
        self._news = False

    def take_news(self) -> bool:
        """Are these others than when it was asked before?"""
        news, self._news = self._news, False
        return news

    def look(self, now: float) -> None:
        """`now`: seconds since 1970. Raises StorageError."""
        self._note_replaced(now)
        secrets = tuple(self._owed(now))
        if secrets != self.secrets:
            self.secrets, self._news = secrets, True

    def proved(self, device: DeviceId, commit: bytes, now: float) -> None:
        """A member is connected that has the secrets of this name, which held as it came. Raises StorageError."""
        name = _PROVED + device.hex()
        if self._store.fact(name) != commit:
            self._store.put_fact(name, commit)
            self._store.commit()
        self.heard(now)

    def heard(self, now: float) -> None:
        """Somebody may have what it lacked. Raises StorageError."""
        if self.secrets:
            self.look(now)

    def _note_replaced(self, now: float) -> None:
        holds = self._membership.view.state.commit
        new = {roster.commit for roster in self._membership.rosters if roster.commit != holds}
        for commit in sorted(new):
            if self._store.fact(_REPLACED + commit.hex()) is None:
                self._store.put_fact(_REPLACED + commit.hex(), str(int(now)).encode())
        self._store.commit()

    def _owed(self, now: float) -> list[ReadSecret]:
        membership = self._membership
        rosters, reads = membership.rosters, membership.held.reads
        replaced: dict[bytes, float] = {}
        for roster in rosters:
            raw = self._store.fact(_REPLACED + roster.commit.hex())
            replaced[roster.commit] = float(raw.decode()) if raw is not None else now
        names = {owed.commit for owed in cuts.owed(rosters, self._reached(), replaced, now)}
        found = [(roster.epoch, reads[roster.commit]) for roster in rosters
                 if roster.commit in names and roster.commit in reads]
        return list(dict.fromkeys(secret for _, secret in sorted(found, key=lambda one: -one[0])))

    def _reached(self) -> set[DeviceId]:
        membership = self._membership
        state = membership.view.state
        # Of two branches each may have an epoch of this number: then it does not say which secrets somebody has.
        alone = all(roster.commit == state.commit for roster in membership.rosters if roster.epoch == state.epoch)
        acked = self._acked() if alone else {}
        return {membership.me} | {
            each for each in state.members
            if self._store.fact(_PROVED + each.hex()) == state.commit or acked.get(each) == state.epoch}
