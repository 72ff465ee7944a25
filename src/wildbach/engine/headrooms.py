"""Which heads matter in which torrent, for peers who follow the same keys (`engine.headtalk`).

A torrent is a room for the heads that lead to it or that led to it a moment ago: of what is followed, and of what is
published from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from wildbach.base import limits
from wildbach.base.ids import InfoHashes
from wildbach.engine.exchange import Library
from wildbach.engine.following import Following, Watched
from wildbach.engine.heads import HeadRecord, Heads
from wildbach.engine.headtalk import HeadTalk, Room
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import ROTATION


class HeadRooms:
    """The `HeadSource` of a session. `followed` changes, and `changed` is told so."""

    def __init__(self, library: Library, heads: Heads, followed: Mapping[str, Following]) -> None:
        self._library = library
        self._heads = heads
        self._followed = followed
        self._ours: dict[str, dict[str, HeadRecord]] = {}
        "What was published from here in this run, by the torrents that its followers may be in."
        self._rooms: dict[str, dict[bytes, Room]] | None = None
        "By torrent and place; None while it is to be made anew."

    def rooms(self, torrent: str) -> Mapping[bytes, Room]:
        if self._rooms is None:
            self._rooms = {}
            for name, records in self._ours.items():
                for record in records.values():
                    _add(self._rooms.setdefault(name, {}), record, takes=False)
            for one in self._followed.values():
                for name in filter(None, _torrents(one)):
                    for record in self._heads.chain(one.link.public_key, one.link.salt):
                        _add(self._rooms.setdefault(name, {}), record, takes=record is one.record)
        return self._rooms.get(torrent, {})

    def gossiped(self, item: Item) -> None:
        """Somebody gave us this genuine item, which is newer than ours."""
        for one in self._followed.values():
            record = one.record
            wanted = (record.key, record.salt), (record.recovery, ROTATION)
            if (item.key, item.salt) in wanted and len(one.inbox) < limits.HEAD_INBOX and item not in one.inbox:
                one.inbox.append(item)
                one.look.set()
                if isinstance(one, Watched) and one.told is not None:
                    one.told()

    def give_out(self, record: HeadRecord, hashes: InfoHashes) -> None:
        """What is published leads, or led, to this torrent: tell its peers."""
        self._ours.setdefault(hashes.key, {})[record.name] = record
        while len(self._ours) > limits.HEADS_GIVEN_OUT:
            del self._ours[next(iter(self._ours))]
        self._rooms = None
        for key in self._ours:
            self._tell(key)

    def changed(self, *followed: Following) -> None:
        """Something newer is known of these, or they lead elsewhere, or some are followed no more."""
        self._rooms = None
        for one in followed:
            for key in filter(None, _torrents(one)):
                self._tell(key)

    def seek(self, one: Following) -> None:
        """The DHT does not help: look for peers who may know more."""
        for key in filter(None, _torrents(one)):
            talk = self._talk(key)
            if talk is not None:
                talk.seek()

    def _tell(self, torrent: str) -> None:
        talk = self._talk(torrent)
        if talk is not None:
            talk.tell()

    def _talk(self, torrent: str) -> HeadTalk | None:
        there = self._library.torrent(torrent)
        parts = there.awake_parts if there is not None else None
        return parts.talk.heads if parts is not None else None


def _torrents(one: Following) -> tuple[str, str]:
    if isinstance(one, Watched):
        return one.hashes.key if one.hashes is not None else "", one.former.key if one.former is not None else ""
    return one.place, one.pending.key if one.pending is not None else ""


def _add(rooms: dict[bytes, Room], record: HeadRecord, *, takes: bool) -> None:
    recovery = record.moved.key if record.moved is not None else record.recovery
    if record.moved is None:  # else its heads are of the past
        rooms[record.target] = Room(record.target, record.newest, takes)
    if recovery:
        place = items.target(recovery, ROTATION)
        rooms[place] = Room(place, record.moved, takes and record.moved is None)
