"""What the core of Sync needs of a data base: the three trees, to be changed, and what is still to be looked at.

All changes between two `commit`s are kept together or not at all. The order of every answer is the same in each run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry
from wildbach.services.sync.conflicts import Conflict
from wildbach.services.sync.planner import Why
from wildbach.services.sync.trees import Base, Global, Heads, Local, Seen, Synced


class Store(Protocol):
    """One folder's state. An SQLite data base in the product."""

    @property
    def world(self) -> Global: ...

    @property
    def local(self) -> Local: ...

    @property
    def synced(self) -> Synced: ...

    def put_heads(self, path: str, heads: Heads) -> None:
        """The path takes the next local sequence, under which peers hear of it. Empty heads: it is forgotten."""
        ...

    def put_seen(self, path: str, seen: Seen | None) -> None: ...

    def put_base(self, path: str, base: Base | None) -> None: ...

    def files(self) -> int:
        """Files and links in place, by their bases."""
        ...

    def mark(self, path: str) -> None:
        """The path is to be looked at."""
        ...

    def unmark(self, path: str) -> None: ...

    def marked(self, limit: int) -> list[str]: ...

    def related(self, path: str) -> Iterable[str]:
        """Other paths that what is here may have come from, or gone to: with the same inode in Local or Synced, with
        the same lineage in Global.
        """
        ...

    def hold(self, path: str, why: Why | None) -> None:
        """Why the path stays out of step; None: it does not."""
        ...

    def held(self, *whys: Why) -> list[str]: ...

    def held_below(self, path: str) -> list[str]: ...

    def note(self, path: str, conflicts: tuple[Conflict, ...]) -> None:
        """Conflicts of the path that were seen; none: its heads have no losers any more (the records stay)."""
        ...

    def conflicted(self) -> list[str]:
        """Paths whose heads have losers."""
        ...

    def number(self, name: str) -> int:
        """0 where it was never set."""
        ...

    def set_number(self, name: str, value: int) -> None: ...

    def since(self, sequence: int, limit: int) -> tuple[list[Entry], int]:
        """Heads of paths that changed after a local sequence, whole paths, and the sequence up to which they are."""
        ...

    def last(self) -> int:
        """The newest local sequence."""
        ...

    def tombstones(self) -> Iterable[str]:
        """Paths whose heads are all deleted."""
        ...

    def put_back(self, path: str, back: tuple[DeviceId, int] | None) -> None:
        """An entry of the path was taken back: whose, and its sequence. None: it is in step with what counts."""
        ...

    def back(self, path: str) -> tuple[DeviceId, int] | None: ...

    # What the guards count

    def put_loss(self, author: DeviceId, path: str, loss: tuple[int, int] | None) -> None:
        """A file that an author took away: when (ms) and by which sequence. None: it did not."""
        ...

    def losses(self, author: DeviceId) -> tuple[int, int]:
        """How many, and how many of these are not in place here any more (by their bases)."""
        ...

    def last_loss(self, author: DeviceId) -> int:
        """The greatest sequence of them."""
        ...

    def trim_losses(self, author: DeviceId, since: int, now: int) -> None:
        """Forget those before `since`; those after `now` (ms) are of now: the clock went back."""
        ...

    def forgive_losses(self, author: DeviceId, upto: int) -> None:
        """Forget those up to a sequence."""
        ...

    def guard(self, author: DeviceId) -> tuple[int, bool]:
        """The sequence up to which the author's losses are allowed, and whether others wait for a yes."""
        ...

    def put_guard(self, author: DeviceId, allowed: int, paused: bool) -> None: ...

    def guarded(self) -> list[DeviceId]:
        """Authors whose losses wait, in order."""
        ...

    def commit(self) -> None: ...


class Signer(Protocol):
    """The key of this device."""

    def sign(self, entry: Entry) -> Entry: ...

    def lineage(self) -> bytes:
        """16 bytes that no other file has."""
        ...
