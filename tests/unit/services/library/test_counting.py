from __future__ import annotations

from dataclasses import dataclass

from wildbach.engine.state import State
from wildbach.services.library.counting import Counting
from wildbach.services.library.entry import Entry


@dataclass
class Torrent:
    key: str = "a"
    state: State = State.DOWNLOADING
    sent: int = 0
    received: int = 0
    wasted: int = 0


def test_what_came_and_went_is_added_once_to_the_torrent_and_to_the_totals() -> None:
    entry, now = Entry(uploaded=100), [0.0]
    counting = Counting({"a": entry}, lambda: now[0], lambda: 5000.0)
    torrent = Torrent(sent=10, received=20, wasted=3)
    assert counting.look([torrent]) == {"a": (20, 10)}  # type: ignore[list-item]  # enough
    assert counting.look([torrent]) == {}  # type: ignore[list-item]  # enough
    assert (entry.uploaded, entry.downloaded, entry.wasted, entry.active_at) == (110, 20, 3, 5000)
    now[0] = 7.9
    untold = counting.untold
    assert untold == {"uploaded": 10, "downloaded": 20, "wasted": 3, "active_seconds": 7}
    counting.told(untold)
    torrent.sent, torrent.wasted = 15, 1  # less than before: what was held to be bad was not
    counting.look([torrent])  # type: ignore[list-item]  # enough of one
    assert (entry.uploaded, entry.wasted) == (115, 1)
    assert counting.untold == {"uploaded": 5, "downloaded": 0, "wasted": -2, "active_seconds": 0}


def test_running_time_is_that_of_seeding_too_once_it_is_complete() -> None:
    entry, now = Entry(), [0.0]
    counting = Counting({"a": entry}, lambda: now[0], lambda: 0.0)
    torrent = Torrent()
    counting.state(torrent)  # type: ignore[arg-type]  # enough of one
    now[0] = 10.5
    assert counting.unsettled("a") == 10 and counting.settle("a") and not counting.settle("a")
    entry.complete = True
    now[0] = 16.0
    torrent.state = State.PAUSED
    counting.state(torrent)  # type: ignore[arg-type]  # enough of one
    now[0] = 100.0
    assert counting.unsettled("a") == 0 and (entry.active_seconds, entry.seeding_seconds) == (16, 6)
