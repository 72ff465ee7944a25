"""Items of the DHT (BEP 44): made, signed, verified, and kept for others.

A value is handled as its bencoded bytes, since these are what is hashed and signed. An `Item` made by `immutable`,
`signed`, `of_put` or `of_reply` is genuine. A mutable item never goes back to a lower sequence number.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol import bencode
from wildbach.protocol.dht import krpc

_MAX_SEQ = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Item:
    """What stands at a place of the DHT. Without a key it is immutable: its place is its hash."""

    raw: bytes
    "The value, bencoded."
    key: bytes = b""
    salt: bytes = b""
    seq: int = 0
    signature: bytes = b""

    @property
    def mutable(self) -> bool:
        return bool(self.key)

    @property
    def target(self) -> bytes:
        return target(self.key, self.salt) if self.key else sha1(self.raw, usedforsecurity=False).digest()

    @property
    def value(self) -> bencode.Value:
        return bencode.decode(self.raw, depth=limits.KRPC_DEPTH, tokens=limits.KRPC_TOKENS)


class PutRefused(Exception):
    """A put that breaks a rule: `code` and text go back to the sender."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def target(key: bytes, salt: bytes = b"") -> bytes:
    """Where the mutable items of a public key stand."""
    return sha1(key + salt, usedforsecurity=False).digest()


def signed_bytes(raw: bytes, seq: int, salt: bytes = b"") -> bytes:
    """What the signature of a mutable item is made over."""
    return b"%b3:seqi%de1:v%b" % (b"4:salt%d:%b" % (len(salt), salt) if salt else b"", seq, raw)


def immutable(value: bencode.Value) -> Item:
    """Raises UsageError where the value is longer than 1,000 bytes."""
    return Item(_encoded(value))


def signed(secret: bytes, value: bencode.Value, seq: int, salt: bytes = b"") -> Item:
    """A mutable item under the Ed25519 key of this 32-byte seed. Raises UsageError where a limit is passed."""
    raw = _encoded(value)
    if len(salt) > limits.DHT_SALT_BYTES:
        raise UsageError(f"a salt has at most {limits.DHT_SALT_BYTES} bytes")
    if not 0 <= seq <= _MAX_SEQ:
        raise UsageError("a sequence number is from 0 to 2^63 - 1")
    if len(secret) != 32:
        raise UsageError("the seed of a key has 32 bytes")
    key = Ed25519PrivateKey.from_private_bytes(secret)
    return Item(raw, key.public_key().public_bytes_raw(), salt, seq, key.sign(signed_bytes(raw, seq, salt)))


def public_key(secret: bytes) -> bytes:
    """The public key that belongs to a 32-byte seed."""
    if len(secret) != 32:
        raise UsageError("the seed of a key has 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def genuine(key: bytes, signature: bytes, raw: bytes, seq: int, salt: bytes = b"") -> bool:
    """Whether the signature was made by the key over this value, number and salt."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed_bytes(raw, seq, salt))
    except (InvalidSignature, ValueError):
        return False
    return True


def of_put(put: krpc.Put) -> Item:
    """The item that somebody wants stored here. Raises PutRefused where its signature is wrong."""
    if not put.key:
        return Item(put.value)
    if not genuine(put.key, put.signature, put.value, put.seq, put.salt):
        raise PutRefused(krpc.BAD_SIGNATURE, "the signature is wrong")
    return Item(put.value, put.key, put.salt, put.seq, put.signature)


def of_reply(reply: krpc.Reply, wanted: bytes, salt: bytes = b"") -> Item | None:
    """The item a reply carries, or None where it is none, not the one wanted, or not genuine."""
    if reply.value is None:
        return None
    if not reply.key:
        item = Item(reply.value)
        return item if item.target == wanted else None
    if target(reply.key, salt) != wanted or reply.seq is None:
        return None
    if not genuine(reply.key, reply.signature, reply.value, reply.seq, salt):
        return None
    return Item(reply.value, reply.key, salt, reply.seq, reply.signature)


def _encoded(value: bencode.Value) -> bytes:
    raw = bencode.encode(value)
    if len(raw) > limits.DHT_ITEM_BYTES:
        raise UsageError(f"an item has at most {limits.DHT_ITEM_BYTES} bytes, this one {len(raw)}")
    return raw


class ItemStore:
    """Items kept for others: 700 at most, two hours each. The farthest from our id goes first when it is full."""

    def __init__(self, own: int) -> None:
        self.own = own
        "Our id as a number."
        self._items: dict[bytes, tuple[Item, float]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, wanted: bytes, now: float) -> Item | None:
        found = self._items.get(wanted)
        return found[0] if found is not None and now < found[1] else None

    def put(self, item: Item, now: float, cas: int | None = None) -> None:
        """Keep an item, or keep it longer. Raises PutRefused where the one that is there must stay."""
        wanted = item.target
        old = self.get(wanted, now)
        if old is not None and item.mutable:
            if cas is not None and cas != old.seq:
                raise PutRefused(krpc.CAS_MISMATCH, f"the sequence number here is {old.seq}")
            if item.seq < old.seq or (item.seq == old.seq and item.raw != old.raw):
                raise PutRefused(krpc.OLD_SEQ, f"the sequence number here is {old.seq}")
        if old is None and len(self._items) >= limits.DHT_ITEMS:
            self.expire(now)
        if old is None and len(self._items) >= limits.DHT_ITEMS:
            farthest = max(self._items, key=self._distance)
            if self._distance(farthest) <= self._distance(wanted):
                raise PutRefused(krpc.SERVER, "there is no room")
            del self._items[farthest]
        self._items[wanted] = (item, now + limits.DHT_ITEM_SECONDS)

    def expire(self, now: float) -> None:
        for gone in [wanted for wanted, (_, until) in self._items.items() if now >= until]:
            del self._items[gone]

    def _distance(self, wanted: bytes) -> int:
        return int.from_bytes(wanted, "big") ^ self.own
