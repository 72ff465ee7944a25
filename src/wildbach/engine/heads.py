"""What is remembered of heads (`protocol.heads`): the newest one ever seen of each key and salt, and when it was heard
of last; the last one that was written here; the recovery key that was pinned, and the rotation it signed.

Nothing here goes back: a head never to a lower number, a pin or a rotation never to another. What is newer is on the
disk before anybody hears of it, so neither a restart nor an old answer of the DHT leads back to what was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.disk.resume import ResumeStore
from wildbach.protocol import bencode
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import Rotation, pack, rotation_of, unpack
from wildbach.runtime.workers import Threads

AREA: Final = "heads"
"Where the store keeps them, by public key and salt."


class HeadRecord:
    """One key and salt. Only `Heads` changes it."""

    __slots__ = ("heard_at", "key", "moved", "newest", "recovery", "salt", "users", "wrote")

    def __init__(self, key: bytes, salt: bytes) -> None:
        self.key = key
        self.salt = salt
        self.newest: Item | None = None
        "The head with the highest number that was ever seen; its signature is good."
        self.heard_at = 0
        "When somebody else last said that this is the newest, in seconds since 1970; 0 for never."
        self.wrote: Item | None = None
        "The last one that was published from here."
        self.recovery = b""
        "The public half of the recovery key, as it was first heard."
        self.moved: Item | None = None
        "The rotation, signed by the recovery key, by which the key has given way to another."
        self.users = 0
        "Those who follow it; while there are any it is not forgotten."

    @property
    def name(self) -> str:
        return f"{self.key.hex()}.{self.salt.hex()}"

    @property
    def target(self) -> bytes:
        return items.target(self.key, self.salt)

    @property
    def seq(self) -> int:
        """The highest number; -1 before the first."""
        return self.newest.seq if self.newest is not None else -1

    @property
    def rotation(self) -> Rotation | None:
        return rotation_of(self.moved) if self.moved is not None else None


class Heads:
    """`wall`: seconds since 1970."""

    def __init__(self, store: ResumeStore, threads: Threads, wall: Callable[[], float]) -> None:
        self._store = store
        self._threads = threads
        self._wall = wall
        self._records: dict[str, HeadRecord] = {}
        self._loading = asyncio.Lock()
        self._loaded = False

    async def load(self) -> None:
        """Take up what the last run knew; to be called before anything else. Raises StorageError."""
        async with self._loading:
            if not self._loaded:
                self._records = await self._threads.run(_read_all, self._store)
                self._loaded = True

    def record(self, key: bytes, salt: bytes) -> HeadRecord:
        """What is known of a key and salt."""
        fresh = HeadRecord(key, salt)
        record = self._records.setdefault(fresh.name, fresh)
        if record is fresh:
            self._make_room(fresh)
        return record

    def under(self, key: bytes) -> list[HeadRecord]:
        """All that is known under a key, by salt."""
        return sorted((one for one in self._records.values() if one.key == key), key=lambda one: one.salt)

    def chain(self, key: bytes, salt: bytes) -> list[HeadRecord]:
        """The key, and those that followed it as far as is known; heads count under the last one."""
        records = [self.record(key, salt)]
        while len(records) <= limits.HEAD_ROTATIONS:
            rotation = records[-1].rotation
            if rotation is None or any(rotation.key == record.key for record in records):
                break
            records.append(self.record(rotation.key, salt))
        return records

    async def saw(self, record: HeadRecord, item: Item, *, heard: bool = True) -> bool:
        """Somebody has this genuine head. True where it is the newest, also where it was before. `heard`: it came from
        somebody else.
        """
        newest = record.newest
        if newest is not None and (item.seq < newest.seq or (item.seq == newest.seq and item.raw != newest.raw)):
            return False
        record.newest = item
        if heard:
            record.heard_at = int(self._wall())
        await self._save(record, durable=item != newest)
        return True

    async def write(self, record: HeadRecord, item: Item) -> None:
        """This head is published from here; to be called before anybody gets it."""
        record.newest = record.wrote = item
        await self._save(record)

    async def pin(self, record: HeadRecord, recovery: bytes) -> None:
        """Believe this recovery key from now on."""
        record.recovery = recovery
        await self._save(record)

    async def move(self, record: HeadRecord, rotation: Item) -> None:
        """The key gave way to another, by a genuine rotation of the recovery key that was pinned."""
        record.moved = rotation
        said = rotation_of(rotation)
        if said is not None:
            after = self.record(said.key, record.salt)
            if not after.recovery:
                after.recovery = said.recovery
            await self._save(record, after)

    async def _save(self, *records: HeadRecord, durable: bool = True) -> None:
        changes: dict[str, bytes | None] = {record.name: _pack(record) for record in records}
        await self._threads.run(partial(self._store.keep, AREA, changes, durable=durable))

    def _make_room(self, fresh: HeadRecord) -> None:
        """Forget those that nobody wants and that were not heard of for the longest time. The store does when it is
        read the next time.
        """
        if len(self._records) <= limits.HEADS_KEPT:
            return
        idle = [
            one for one in self._records.values()
            if one is not fresh and not one.users and one.wrote is None and one.moved is None
        ]
        for record in sorted(idle, key=lambda one: one.heard_at)[: max(1, limits.HEADS_KEPT // 10)]:
            del self._records[record.name]


def _pack(record: HeadRecord) -> bytes:
    out: dict[bytes, bencode.Value] = {b"k": record.key, b"salt": record.salt, b"heard": record.heard_at}
    for name, item in ((b"newest", record.newest), (b"wrote", record.wrote), (b"moved", record.moved)):
        if item is not None:
            out[name] = pack(item)
    if record.recovery:
        out[b"rk"] = record.recovery
    return bencode.encode(out)


def _unpack(raw: bytes) -> HeadRecord:
    """What `_pack` made. Raises FormatError."""
    fields = bencode.decode(raw)
    if not isinstance(fields, dict):
        raise FormatError("is no head", where="head")
    key, salt, heard, recovery = (fields.get(name) for name in (b"k", b"salt", b"heard", b"rk"))
    if not isinstance(key, bytes) or not isinstance(salt, bytes) or not isinstance(heard, int):
        raise FormatError("is no head", where="head")
    record = HeadRecord(key, salt)
    record.heard_at = heard
    record.recovery = recovery if isinstance(recovery, bytes) else b""
    record.newest, record.wrote, record.moved = (_item(fields, name) for name in (b"newest", b"wrote", b"moved"))
    return record


def _item(fields: Mapping[bytes, bencode.Value], name: bytes) -> Item | None:
    raw = fields.get(name)
    return unpack(raw) if isinstance(raw, bytes) else None


def _read_all(store: ResumeStore) -> dict[str, HeadRecord]:
    """Damaged ones are as if they had never been; those there is no room for go."""
    kept = store.kept(AREA)
    records: dict[str, HeadRecord] = {}
    for name, raw in kept.items():
        try:
            record = _unpack(raw)
        except FormatError:
            continue
        if record.name == name:
            records[name] = record
    idle = sorted(
        (one for one in records.values() if one.wrote is None and one.moved is None), key=lambda one: one.heard_at)
    for record in idle[: max(0, len(records) - limits.HEADS_KEPT)]:
        del records[record.name]
    gone: dict[str, bytes | None] = dict.fromkeys(name for name in kept if name not in records)
    if gone:
        store.keep(AREA, gone)
    return records
