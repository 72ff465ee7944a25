"""Heads from peer to peer: the codec of `wb_head`.

A bencoded dictionary. `t`: which heads and rotations (`protocol.heads`) the sender follows or publishes in this
torrent, by the place they have in the DHT (20 bytes), each with the highest number it has, -1 for none. `i`: signed
items, each sent only to who named its place with a lower number. So nobody learns a key it did not know, and what is
sent is bounded by what was asked for. Keys that are unknown here are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import Item
from wildbach.protocol.heads import LAST_SEQ, claim, fields

_WHERE = "wb_head"


@dataclass(frozen=True, slots=True)
class HeadMessage:
    known: Mapping[bytes, int] = field(default_factory=dict)
    "Numbers by place."
    items: tuple[Item, ...] = ()
    "Mutable, and not verified: `protocol.dht.items.genuine` tells."


def encode(message: HeadMessage) -> bytes:
    """The payload, without the extended header."""
    out: dict[bytes, bencode.Value] = {}
    if message.known:
        out[b"t"] = dict(message.known)
    if message.items:
        out[b"i"] = [fields(item) for item in message.items]
    return bencode.encode(out)


def decode(payload: bytes | memoryview) -> HeadMessage:
    """Raises FormatError or LimitError. Signatures are not looked at."""
    if len(payload) > limits.HEAD_MESSAGE_BYTES:
        raise LimitError(f"longer than HEAD_MESSAGE_BYTES = {limits.HEAD_MESSAGE_BYTES}", where=_WHERE)
    value = bencode.decode(bytes(payload), depth=4, tokens=limits.HEAD_MESSAGE_TOKENS)
    if not isinstance(value, dict):
        raise FormatError("is no dictionary", where=_WHERE)
    places, given = value.get(b"t", {}), value.get(b"i", [])
    if not isinstance(places, dict) or not isinstance(given, list):
        raise FormatError("is no message", where=_WHERE)
    if len(places) > limits.HEAD_PLACES or len(given) > limits.HEAD_ITEMS:
        raise LimitError(
            f"more than HEAD_PLACES = {limits.HEAD_PLACES} or HEAD_ITEMS = {limits.HEAD_ITEMS}", where=_WHERE)
    known: dict[bytes, int] = {}
    for place, seq in places.items():
        if len(place) != 20 or not isinstance(seq, int) or not -1 <= seq <= LAST_SEQ:
            raise FormatError("names no place", where=_WHERE)
        known[place] = seq
    items = tuple(claim(each) for each in given)
    if not all(item.mutable for item in items):
        raise FormatError("gives an item that never changes", where=_WHERE)
    return HeadMessage(known, items)
