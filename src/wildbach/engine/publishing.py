"""Publishes heads (`protocol.heads`): a number that always rises, over nothing that was not seen.

Under one key there is one writer. Where the DHT has a head that was not written from this data directory, somebody else
writes too: another machine, this one before a backup was put back, or a thief. Then nothing is published until the
caller has looked at that head and adopts it. What is written is on the disk before the DHT gets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.engine.dht import Answer, ItemRefused, Stored
from wildbach.engine.heads import HeadRecord, Heads
from wildbach.protocol import bencode
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import Head, hashes_of, next_seq
from wildbach.protocol.metainfo.magnet import MutableLink

_CHECKS: Final = (0.0, 2.0, 5.0)
"Seconds before each look whether the DHT gives back what it was given."


class HeadAhead(UsageError):
    """The DHT has a head that was not published from here. Facts: `seq`, and `torrent`, the key of what it leads to."""

    code = "head_ahead"


class ItemDht(Protocol):
    """What publishing needs of the DHT."""

    async def ask(self, public_key: bytes, salt: bytes = b"") -> Answer: ...

    async def put(self, item: Item, *, cas: int | None = None, keep: bool = False) -> Stored: ...


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher gives away."""

    link: MutableLink
    seq: int
    "The item's number: seconds since 1970, or one more than the last one's."
    nodes: int
    "Nodes that took it."
    confirmed: bool = True
    "The DHT was asked afterwards and gave it back. Where it did not, it is stored again as ever: look once more."
    adopted: InfoHashes | None = None
    "The torrent of somebody else's head that this one replaces."


@dataclass(frozen=True, slots=True)
class OwnHead:
    """What stands under a key of ours now."""

    seq: int
    "-1 where nothing does."
    hashes: InfoHashes | None
    ours: bool
    "It was published from here; where not, publishing needs `adopt`."
    value: Mapping[bytes, bencode.Value]
    "What its publisher said besides."


@dataclass(frozen=True, slots=True)
class Signer:
    """The secret that signs, and the recovery key that followers are told of (32 bytes or none)."""

    secret: bytes
    recovery: bytes = b""

    @property
    def public(self) -> bytes:
        return items.public_key(self.secret)


class Publisher:
    """`wall`: seconds since 1970."""

    def __init__(self, dht: ItemDht, heads: Heads, wall: Callable[[], float]) -> None:
        self._dht = dht
        self._heads = heads
        self._wall = wall
        self._one = asyncio.Lock()
        "One at a time: two with the same number would be one too many."

    async def publish(
        self, signer: Signer, hashes: InfoHashes, salt: bytes, *, adopt: bool = False,
        extra: Mapping[bytes, bencode.Value] | None = None,
    ) -> Published:
        """Raises HeadAhead, UsageError (code `head_exhausted`: a thief's number is the highest there is), NetworkError
        where the DHT cannot be reached, and `ItemRefused` where somebody else wrote at the same moment.
        """
        raw = bencode.encode(Head(hashes, signer.recovery, extra or {}).value())
        async with self._one:
            record, found, there = await self._look(signer.public, salt)
            foreign = there is not None and not self._ours(record, there)
            if there is not None and there.raw == raw:
                item, foreign = there, False
            else:
                if there is not None and foreign and not adopt:
                    raise _ahead(there)
                item = items.signed(
                    signer.secret, bencode.decode(raw), next_seq(max(record.seq, there.seq if there else -1),
                                                                 self._wall()), salt)
            await self._heads.write(record, item)
            stored = await self._dht.put(item, cas=found.seq if found is not None else None, keep=True)
            confirmed = await self._confirmed(record, item)
        link = MutableLink(signer.public, salt, recovery=signer.recovery)
        adopted = hashes_of(there) if there is not None and foreign else None
        return Published(link, item.seq, stored.nodes, confirmed, adopted)

    async def look(self, public: bytes, salt: bytes) -> OwnHead:
        """What stands under a key of ours, without a change. Raises NetworkError."""
        async with self._one:
            record, _, there = await self._look(public, salt)
        there = there if there is not None else record.wrote
        if there is None:
            return OwnHead(-1, None, True, {})
        value = there.value
        return OwnHead(there.seq, hashes_of(there), self._ours(record, there), value if isinstance(value, dict) else {})

    async def _look(self, public: bytes, salt: bytes) -> tuple[HeadRecord, Item | None, Item | None]:
        """What is known of a key, the head that the DHT has, and the newest that anybody ever had."""
        await self._heads.load()
        record = self._heads.record(public, salt)
        answer = await self._dht.ask(public, salt)
        if answer.item is None and record.newest is None:
            # Nothing at all: a second look, as one search may miss what a few nodes have.
            answer = await self._dht.ask(public, salt)
        there = answer.item
        if record.newest is not None and (there is None or record.newest.seq > there.seq):
            # Seen once, it counts, also where the DHT has an older one or none.
            there = record.newest
        return record, answer.item, there

    @staticmethod
    def _ours(record: HeadRecord, item: Item) -> bool:
        wrote = record.wrote
        return wrote is not None and (item.seq < wrote.seq or (item.seq == wrote.seq and item.raw == wrote.raw))

    async def _confirmed(self, record: HeadRecord, item: Item) -> bool:
        """Whether the DHT gives it back. Raises HeadAhead where it gives a newer one of somebody else."""
        for seconds in _CHECKS:
            await asyncio.sleep(seconds)
            try:
                there = (await self._dht.ask(record.key, record.salt)).item
            except NetworkError:
                continue
            if there is not None and there.seq > item.seq:
                raise _ahead(there)
            if there is not None and there.seq == item.seq and there.raw != item.raw:
                raise ItemRefused(f"somebody else published number {item.seq} under this key at the same moment")
            if there is not None and there.seq == item.seq:
                await self._heads.saw(record, item)
                return True
        return False


def _ahead(there: Item) -> HeadAhead:
    hashes = hashes_of(there)
    return HeadAhead(
        f"under this key stands number {there.seq}, which was not published from here: by another machine with this "
        "key, from here before a backup was put back, or by a thief. Look at what it leads to; then adopt it and "
        "publish, or where it is a thief's, rotate the key",
        seq=there.seq, torrent=hashes.key if hashes is not None else "",
    )
