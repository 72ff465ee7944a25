"""What happens with synced folders."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.events import Event


@dataclass(frozen=True, slots=True)
class SyncChanged(Event):
    """A folder stands otherwise than before: it is to be asked for again."""

    folder: str
    "Its id in hex."
