"""Puts another key in the place of one that was stolen, or may have been (`protocol.heads`).

The next key is on the disk before the DHT hears of it, and the same one is named however often this is begun again:
the first rotation that a follower takes is final. Only when nodes have taken it does the next key get the name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.keys import Keys
from wildbach.engine.dht import ItemRefused, Stored
from wildbach.engine.heads import Heads
from wildbach.engine.publishing import ItemDht, Publisher, Signer
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import ROTATION, Rotation, hashes_of, head_of, next_seq, rotation_of
from wildbach.protocol.metainfo.magnet import MutableLink
from wildbach.runtime.workers import Threads

_CHECKS: Final = (0.0, 2.0, 5.0)
"Seconds before each look whether the DHT gives back what it was given."


@dataclass(frozen=True, slots=True)
class Rotated:
    """A key gave way to another."""

    former: bytes
    key: bytes
    "The public half of the one that counts now."
    recovery: bytes
    "The public half of its recovery key, which is on this machine until it is erased."
    links: tuple[MutableLink, ...]
    "For new followers; those of the old links move by themselves."
    good: Mapping[bytes, InfoHashes]
    "The last heads that are shown of the old key, by salt."
    nodes: int
    "Nodes that took the rotation."
    confirmed: bool
    "The DHT was asked afterwards and gave it back."
    unpublished: tuple[bytes, ...] = ()
    "Salts whose head could not be published under the new key; to be published as ever."


class Rotator:
    """`wall`: seconds since 1970."""

    def __init__(
        self, dht: ItemDht, heads: Heads, publisher: Publisher, keys: Keys, threads: Threads,
        wall: Callable[[], float],
    ) -> None:
        self._dht = dht
        self._heads = heads
        self._publisher = publisher
        self._keys = keys
        self._threads = threads
        self._wall = wall

    async def rotate(self, name: str, recovery: bytes, good: Mapping[bytes, InfoHashes]) -> Rotated:
        """Raises as `Mutables.rotate`."""
        await self._heads.load()
        public = items.public_key(await self._threads.run(partial(self._keys.get, name, make=False)))
        secret = await self._recovery(name, recovery)
        following, its_recovery = await self._threads.run(self._keys.prepare_next, name)
        written = {
            record.salt: hashes for record in self._heads.under(public)
            if record.wrote is not None and (hashes := hashes_of(record.wrote)) is not None
        }
        rotation = Rotation(
            public, items.public_key(following), items.public_key(its_recovery), {**written, **good})
        item, there = await self._item(secret, rotation)
        for salt in dict.fromkeys((*(record.salt for record in self._heads.under(public)), *rotation.good)):
            await self._heads.move(self._heads.record(public, salt), item)
        stored = await self._put(item, there)
        confirmed = await self._confirmed(item)
        await self._threads.run(self._keys.take_next, name)
        signer = Signer(following, rotation.recovery)
        unpublished = []
        for salt, hashes in rotation.good.items():
            wrote = self._heads.record(public, salt).wrote
            head = head_of(wrote) if wrote is not None else None
            extra = head.extra if head is not None and head.hashes == hashes else {}
            try:
                await self._publisher.publish(signer, hashes, salt, extra=extra)
            except (NetworkError, UsageError):
                unpublished.append(salt)
        links = tuple(
            MutableLink(rotation.key, salt, recovery=rotation.recovery) for salt in rotation.good or (b"",))
        return Rotated(
            public, rotation.key, rotation.recovery, links, rotation.good, stored.nodes, confirmed, tuple(unpublished))

    async def _recovery(self, name: str, given: bytes) -> bytes:
        """The secret half of the recovery key, which followers know."""
        facts = await self._threads.run(self._keys.facts, name)
        if facts.next_key:
            raise UsageError(f"the key {name} has given way to another already", code="key_rotated")
        if not facts.recovery:
            raise UsageError(
                f"the key {name} has no recovery key, so its followers cannot be told: publish under another key",
                code="no_recovery",
            )
        here: bytes | None = await self._threads.run(self._keys.recovery, name)
        secret = given or here
        if secret is None:
            raise UsageError(
                f"the recovery key of {name} was erased from here: it is needed, as it was written down",
                code="recovery_needed",
            )
        if items.public_key(secret).hex() != facts.recovery:
            raise UsageError(f"this is not the recovery key of {name}", code="wrong_recovery")
        return secret

    async def _item(self, secret: bytes, rotation: Rotation) -> tuple[Item, Item | None]:
        """What is to be put, and what the DHT has. A rotation that was begun before goes on as it was."""
        public = items.public_key(secret)
        kept = [one.moved for one in self._heads.under(rotation.former) if one.moved is not None]
        there = (await self._dht.ask(public, ROTATION)).item
        for known in (*kept, *([there] if there is not None else [])):
            said = rotation_of(known)
            if said is not None and said.former == rotation.former and said.key != rotation.key:
                raise UsageError(
                    f"this recovery key has named another key already, {said.key.hex()}: from another machine, or a "
                    "thief has it too, and then nothing can be mended", code="already_rotated",
                )
            if said is not None and said.key == rotation.key:
                return known, there
        seq = next_seq(there.seq if there is not None else -1, self._wall())
        return items.signed(secret, rotation.value(), seq, ROTATION), there

    async def _put(self, item: Item, there: Item | None) -> Stored:
        return await self._dht.put(item, cas=there.seq if there is not None else None, keep=True)

    async def _confirmed(self, item: Item) -> bool:
        for seconds in _CHECKS:
            await asyncio.sleep(seconds)
            try:
                found = (await self._dht.ask(item.key, ROTATION)).item
            except NetworkError:
                continue
            if found is not None and found.raw == item.raw:
                return True
            if found is not None and found.seq >= item.seq:
                raise ItemRefused("somebody else has rotated this key at the same moment")
        return False
