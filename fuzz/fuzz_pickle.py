"""Pickles as Deluge writes them, and as those write them who want something run: only plain values come out."""

from __future__ import annotations

import contextlib
import pickle

from tests.migrate_states import deluge_entry, pickled, torrent

from wildbach.base.errors import FormatError
from wildbach.services.migrate.deluge import read_state
from wildbach.services.migrate.pickles import Record, load

_MADE = torrent()
_MODULE = "deluge.core.torrentmanager"
SEEDS: list[bytes] = [
    *(pickled(deluge_entry(_MADE, trackers=({"url": "http://t/a", "tier": 0},)), deluge_entry(_MADE), protocol=protocol)
      for protocol in range(6)),
    pickle.dumps({"a": [1, -1, 1 << 60, 1.5, None, True, b"x", ("y", [])], "b": {}}, 0),
    b"cos\nsystem\n(S'true'\ntR.", b"c__builtin__\neval\n(S'1'\no.", b"(lp0\ng0\na.", b"\x80\x02]q\0h\0a.",
    b"(ideluge.core.torrentmanager\nTorrentState\np0\n(dp1\nb.",
]
_CODES = b"(.0125FIJKLMNRSTUVXabcdegehijlopqrstu}])\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95"
TOKENS = [bytes([code]) for code in _CODES]
TOKENS += [b"cdeluge.core.torrentmanager\nTorrentState\n", b")\x81}", b"X\1\0\0\0a", b"cos\nsystem\n"]


def one_input(data: bytes) -> None:
    plain(load(data, {(_MODULE, "TorrentState"), (_MODULE, "TorrentManagerState")}))
    with contextlib.suppress(FormatError):
        assert all(type(entry) is dict for entry in read_state(data))


def plain(value: object) -> None:
    """Nothing but the types that the reader promises, whatever refers to whatever."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Record):
            todo.append(item.values)
        elif type(item) is dict:
            assert all(type(key) is str for key in item)
            todo += item.values()
        elif type(item) in (list, tuple):
            todo += item
        else:
            assert item is None or type(item) in (bool, int, float, str, bytes) or type(item).__name__ == "_Class"
