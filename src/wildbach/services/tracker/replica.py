"""One swarm table in several processes: each logs what its clients told it, and applies what others logged.

Every process holds the whole table, so announces are answered from its own memory and never wait for the log. An entry
of the log is a batch: a version, who wrote it, when, and records of a flag byte, an info hash and a compact address. A
peer is logged when it appears, changes or leaves, and once a time slot while it stays, so the log of the last hour or
so is the whole table: who starts reads it from the beginning, and nothing else has to be kept.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError
from wildbach.services.tracker.store import Store

_HEAD = struct.Struct(">B8sQ")
_VERSION = 1
_COMPLETED, _V6, _FLAGS = 4, 8, 15
_FLUSH_SECONDS = 0.2
"How old what other processes know may be, twice."
_RETRY_SECONDS = 1.0
_RETRY_SECONDS_MOST = 15.0
Record = tuple[int, bytes, bytes]
"Flags, info hash, compact address."


def encode_batch(origin: bytes, when: int, records: bytes) -> bytes:
    """`when`: seconds since 1970. `records` are as `Store.changes` has them."""
    return _HEAD.pack(_VERSION, origin, when) + records


def decode_batch(data: bytes) -> tuple[bytes, int, list[Record]]:
    """Origin, time and records of an entry. Raises FormatError."""
    if len(data) < _HEAD.size or len(data) > limits.TRACKER_SERVER_BATCH_BYTES:
        raise FormatError("of an impossible length", where="batch")
    version, origin, when = _HEAD.unpack_from(data)
    if version != _VERSION:
        raise FormatError(f"of version {version}", where="batch")
    return origin, when, list(_records(data))


def _records(data: bytes) -> Iterator[Record]:
    at = _HEAD.size
    while at < len(data):
        flags = data[at]
        end = at + (39 if flags & _V6 else 27)
        if flags & ~_FLAGS or end > len(data):
            raise FormatError("a record is cut or has unknown flags", where="batch")
        yield flags, data[at + 1 : at + 21], data[at + 21 : end]
        at = end


def cut(records: bytes | bytearray, size: int) -> list[bytes]:
    """The records in parts of at most `size` bytes, none torn."""
    parts = []
    start = at = 0
    while at < len(records):
        length = 39 if records[at] & _V6 else 27
        if at + length - start > size:
            parts.append(bytes(records[start:at]))
            start = at
        at += length
    if at > start:
        parts.append(bytes(records[start:at]))
    return parts


class Log(Protocol):
    """What a replica needs of the shared log. Every method raises NetworkError while the log is away."""

    async def open(self) -> bool:
        """Connect again where needed. True where the log may have lost what was written before."""

    async def append(self, batches: list[bytes], completed: list[bytes]) -> None: ...

    async def read(self, seconds: float) -> list[bytes]:
        """What others (and we) wrote since the last call; waits so long for something."""

    async def completions(self, hashes: list[bytes]) -> list[int]: ...

    async def secret(self, fresh: bytes) -> bytes:
        """The key that all processes share; `fresh` where there is none yet."""


class Replica:
    """Ties a store to a log. `wall`: seconds since 1970."""

    def __init__(self, store: Store, log: Log, *, slot: float, wall: Callable[[], float]) -> None:
        self._store = store
        self._log = log
        self._slot = slot
        self._wall = wall
        self._origin = secrets.token_bytes(8)
        self._resync: Iterator[bytes] | None = None
        self._lost = False
        self._waiting: list[bytes] = []
        self.up = False
        self.trouble = ""
        "Why the log is away; empty while it is not."
        self.written = 0
        self.dropped = 0
        "Bytes of changes that were not written while the log was away; made up for later."
        self.bad = 0
        "Entries that were not ours to understand."
        store.changes = bytearray()
        store.new_swarms = []

    async def connect(self) -> None:
        """Reach the log, and read all of it. Raises NetworkError."""
        lost = await self._log.open()
        while found := await self._log.read(0.0):
            self.apply(found)
            await asyncio.sleep(0)
        if lost or self._lost or self.dropped:
            self._resync = self._everything()
            self._lost = False
        self.up, self.trouble = True, ""

    def away(self, error: NetworkError) -> None:
        """The log is not reachable: say so, and keep what there is to write within bounds."""
        self.up, self.trouble = False, error.message
        self.bound()

    def bound(self) -> None:
        """Drop what waits for the log beyond the limit: once it is back, the whole table is written instead."""
        changes = self._store.changes
        size = sum(map(len, self._waiting)) + len(changes or b"")
        if changes is not None and size > limits.TRACKER_SERVER_UNWRITTEN_BYTES:
            self.dropped += size
            self._waiting.clear()
            changes.clear()
            self._lost = True
        if self._store.new_swarms is not None:
            del self._store.new_swarms[: -limits.TRACKER_SERVER_MGET]

    async def flush(self) -> None:
        """Write what changed here. Raises NetworkError; nothing is lost then."""
        store = self._store
        if store.changes:
            now = int(self._wall())
            for part in cut(store.changes, limits.TRACKER_SERVER_BATCH_BYTES // 2):
                self._waiting.append(encode_batch(self._origin, now, part))
            store.changes.clear()
        if self._resync is not None and len(self._waiting) < 4:
            for _ in range(4):
                batch = next(self._resync, None)
                if batch is None:
                    self._resync = None
                    break
                self._waiting.append(batch)
        while self._waiting:
            batches = self._waiting[:16]
            completed = [
                record[1] for batch in batches for record in decode_batch(batch)[2] if record[0] & _COMPLETED
            ]
            await self._log.append(batches, completed)
            del self._waiting[: len(batches)]
            self.written += len(batches)
        while store.new_swarms:
            hashes = store.new_swarms[: limits.TRACKER_SERVER_MGET]
            for info_hash, count in zip(hashes, await self._log.completions(hashes), strict=True):
                store.completions(info_hash, count)
            del store.new_swarms[: len(hashes)]

    async def follow(self, seconds: float) -> None:
        """Wait for what others write, and apply it. Raises NetworkError."""
        self.apply(await self._log.read(seconds))

    def apply(self, batches: list[bytes]) -> None:
        for batch in batches:
            try:
                origin, when, records = decode_batch(batch)
            except FormatError:
                self.bad += 1
                continue
            if origin == self._origin:
                continue
            age = max(0, int((self._wall() - when) / self._slot))
            for flags, info_hash, key in records:
                self._store.apply(info_hash, key, flags, age)

    def _everything(self) -> Iterator[bytes]:
        """The whole table as batches, for a log that lost it. A batch has peers of one age, told by its time."""
        ages: dict[int, bytearray] = {}
        for info_hash in self._store.hashes():
            for key, flags, age in self._store.snapshot(info_hash):
                part = ages.setdefault(age, bytearray())
                part.append(flags)
                part += info_hash
                part += key
                if len(part) > limits.TRACKER_SERVER_BATCH_BYTES // 2 - 64:
                    yield self._aged(age, ages.pop(age))
        for age, part in ages.items():
            yield self._aged(age, part)

    def _aged(self, age: int, records: bytearray) -> bytes:
        return encode_batch(self._origin, int(self._wall() - age * self._slot), bytes(records))


async def share(replica: Replica, say: Callable[[str], None]) -> None:
    """Keep a replica in step until cancelled. `say` hears when the log goes away and when it is back."""
    pause = _RETRY_SECONDS
    while True:
        try:
            if not replica.up:
                await replica.connect()
                pause = _RETRY_SECONDS
                say("the shared table is reachable again")
            await replica.flush()
            await replica.follow(0.0)
        except NetworkError as error:
            if replica.up:
                say(
                    f"{error.message}. Announces are answered from this process's own memory until it is back; peers of"
                    " other processes may be missing. The next try is in a second."
                )
            replica.away(error)
            end = time.monotonic() + pause
            while time.monotonic() < end:
                await asyncio.sleep(_FLUSH_SECONDS)
                replica.bound()
            pause = min(2 * pause, _RETRY_SECONDS_MOST)
        else:
            await asyncio.sleep(_FLUSH_SECONDS)
