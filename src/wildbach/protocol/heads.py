"""Heads: what the owner of a key says is the newest (BEP 46 in items of BEP 44), and how a key gives way to another.

A head leads to a torrent: `ih` and, of which BEP 46 does not speak, `ih2`, the v2 hash; `rk`, the public half of the
recovery key; and what its owner adds (a count, a time). A rotation is an item under the *recovery* key, which is kept
offline: it names the key that follows, its recovery key, and the last head of the old key that was its owner's. It
outranks every head of the old key, whatever number that has. Keys that are unknown here are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item

CHANNEL: Final = b"wb-ch"
"The salt of channels; that of sites is empty."
ROTATION: Final = b"wb-rotate"
"The salt of rotations, under the recovery key."
LAST_SEQ: Final = (1 << 63) - 1
"The highest number there is: nothing comes after it."
_RESERVED: Final = (b"ih", b"ih2", b"rk")


@dataclass(frozen=True, slots=True)
class Head:
    """Which torrent is the newest under a key."""

    hashes: InfoHashes
    recovery: bytes = b""
    "The public half of the recovery key, 32 bytes; empty where the owner names none."
    extra: Mapping[bytes, bencode.Value] = field(default_factory=dict)
    "What else its owner says."

    def value(self) -> dict[bytes, bencode.Value]:
        """As it stands in an item. Raises UsageError where `extra` has a key that means something else."""
        taken = [key.decode() for key in _RESERVED if key in self.extra]
        if taken:
            raise UsageError(f"a head has {', '.join(taken)} already")
        return {**self.extra, **value_of(self.hashes), **({b"rk": self.recovery} if self.recovery else {})}


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key has given way to another."""

    former: bytes
    "The public key that is over."
    key: bytes
    "The one that follows."
    recovery: bytes
    "The public half of its recovery key."
    good: Mapping[bytes, InfoHashes] = field(default_factory=dict)
    "The last head that was the owner's, by salt: what came after it is not to be shown."

    def value(self) -> dict[bytes, bencode.Value]:
        good: dict[bytes, bencode.Value] = {salt: dict(value_of(hashes)) for salt, hashes in self.good.items()}
        return {b"k": self.former, b"next": self.key, b"rk": self.recovery, b"good": good}


def value_of(hashes: InfoHashes) -> dict[bytes, bencode.Value]:
    """What an item holds that leads to a torrent. `ih` is the v1 hash, or the v2 hash cut short where there is none;
    `ih2` is the v2 hash, of which BEP 46 does not speak.
    """
    value: dict[bytes, bencode.Value] = {b"ih": hashes.swarms[0]}
    if hashes.v2 is not None:
        value[b"ih2"] = hashes.v2
    return value


def head_of(item: Item) -> Head | None:
    """What a head says, or None where the item leads to no torrent."""
    value = _table(item)
    hashes = _hashes(value)
    if hashes is None:
        return None
    recovery = value.get(b"rk")
    extra = {key: each for key, each in value.items() if key not in _RESERVED}
    return Head(hashes, recovery if isinstance(recovery, bytes) and len(recovery) == 32 else b"", extra)


def hashes_of(item: Item) -> InfoHashes | None:
    """The torrent an item leads to, or None where it holds something else."""
    return _hashes(_table(item))


def rotation_of(item: Item) -> Rotation | None:
    """What a rotation says, or None where the item is none."""
    value = _table(item)
    former, key, recovery = value.get(b"k"), value.get(b"next"), value.get(b"rk")
    if (
        item.salt != ROTATION or not isinstance(former, bytes) or len(former) != 32
        or not isinstance(key, bytes) or len(key) != 32 or key == former
        or not isinstance(recovery, bytes) or len(recovery) != 32 or recovery == item.key
    ):
        return None
    good: dict[bytes, InfoHashes] = {}
    named = value.get(b"good")
    for salt, each in (named.items() if isinstance(named, dict) else ()):
        hashes = _hashes(each) if isinstance(each, dict) else None
        if hashes is not None and len(salt) <= limits.DHT_SALT_BYTES:
            good[salt] = hashes
    return Rotation(former, key, recovery, good)


def next_seq(seen: int, wall: float) -> int:
    """The number of a publisher's next item: the time in seconds, so that one who lost what it knew still counts
    forward, and always more than what was seen. Raises UsageError, code `head_exhausted`, where nothing is more.
    """
    if seen >= LAST_SEQ:
        raise UsageError(
            "under this key stands the highest number there is, so nothing can be published after it; who has the key "
            "and put it there is a thief: rotate the key", code="head_exhausted",
        )
    return max(seen + 1, min(int(wall), LAST_SEQ))


def pack(item: Item) -> bytes:
    """An item for a store or a peer."""
    return bencode.encode(fields(item))


def fields(item: Item) -> dict[bytes, bencode.Value]:
    if not item.mutable:
        return {b"v": item.raw}
    return {b"k": item.key, b"salt": item.salt, b"seq": item.seq, b"sig": item.signature, b"v": item.raw}


def unpack(raw: bytes) -> Item:
    """What `pack` made. Raises FormatError for anything else, and where the signature is not good."""
    return of_fields(bencode.decode(raw))


def of_fields(fields: bencode.Value) -> Item:
    """What `fields` made. Raises FormatError for anything else, and where the signature is not good."""
    item = claim(fields)
    if item.mutable and not items.genuine(item.key, item.signature, item.raw, item.seq, item.salt):
        raise FormatError("has a wrong signature", where="item")
    return item


def claim(fields: bencode.Value) -> Item:
    """The same without a look at the signature, which is anybody's word. Raises FormatError."""
    value = fields.get(b"v") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(value, bytes) or len(value) > limits.DHT_ITEM_BYTES:
        raise FormatError("is no item", where="item")
    key = fields.get(b"k")
    if key is None:
        return Item(value)
    salt, seq, signature = fields.get(b"salt"), fields.get(b"seq"), fields.get(b"sig")
    if (
        not isinstance(key, bytes) or len(key) != 32 or not isinstance(salt, bytes) or not isinstance(seq, int)
        or not isinstance(signature, bytes) or len(signature) != 64 or not 0 <= seq <= LAST_SEQ
        or len(salt) > limits.DHT_SALT_BYTES
    ):
        raise FormatError("is no mutable item", where="item")
    return Item(value, key, salt, seq, signature)


def _table(item: Item) -> dict[bytes, bencode.Value]:
    try:
        value = item.value
    except FormatError:
        return {}
    return value if isinstance(value, dict) else {}


def _hashes(value: Mapping[bytes, bencode.Value]) -> InfoHashes | None:
    v1, v2 = value.get(b"ih"), value.get(b"ih2")
    if not isinstance(v1, bytes) or len(v1) != 20:
        return None
    if not isinstance(v2, bytes) or len(v2) != 32:
        return InfoHashes(v1)
    return InfoHashes(None if v1 == v2[:20] else v1, v2)
