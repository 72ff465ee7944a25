"""When deletions are forgotten: 180 days after each device of the folder has said, signed, that it knows of them.

Time is what this device lived through: a clock that goes back adds nothing, and one that jumps ahead adds a week at
most. Every ten such days it is noted up to where all agree; from the note that is old enough follows what may go, and
up to where what is played again is refused. A device that is away holds all of it up until it is back or taken out.
"""

from __future__ import annotations

from typing import Final

from wildbach.protocol.sync.vectors import NOTHING, VersionVector
from wildbach.services.sync.core import Core
from wildbach.services.sync.exchange import Exchange
from wildbach.services.sync.store import FolderStore

KEEP_SECONDS: Final = 180 * 86400
STRIDE_SECONDS: Final = 7 * 86400
"That one look adds at most, however long ago the last one was."
NOTE_SECONDS: Final = 10 * 86400
_AGE: Final = "lived"
_LOOKED: Final = "lived until"
_AGREED: Final = "agreed at "
_DIGITS: Final = 12


class Collecting:
    """Of one folder; in the thread of its store."""

    def __init__(self, store: FolderStore, core: Core, exchange: Exchange) -> None:
        self._store = store
        self._core = core
        self._exchange = exchange

    def look(self, now: float) -> int:
        """Once in a while, `now` by this device's clock. Returns how many deletions were forgotten."""
        store, at = self._store, int(now)
        before = store.number(_LOOKED) or at
        age = store.number(_AGE) + min(max(at - before, 0), STRIDE_SECONDS)
        store.set_number(_AGE, age)
        store.set_number(_LOOKED, at)
        notes = {int(name.removeprefix(_AGREED)): name for name in store.facts(_AGREED)}
        if not notes or age - max(notes) >= NOTE_SECONDS:
            name = f"{_AGREED}{age:0{_DIGITS}d}"
            store.put_fact(name, VersionVector(self._exchange.agreed()).pack())
            notes[age] = name
        store.commit()
        old = [each for each in notes if age - each >= KEEP_SECONDS]
        if not old:
            return 0
        floor = NOTHING
        for each in old:
            # What all agreed on once they agree on for ever, whoever came since.
            floor = floor.union(VersionVector.unpack(store.fact(notes[each]) or b""))
            store.put_fact(notes[each], None)
        store.commit()
        return self._core.collect(dict(floor.counters))
