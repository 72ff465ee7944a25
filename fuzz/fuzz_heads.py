"""Signed items as peers and the store give them, and the heads and rotations in them: what is read can be written."""

from wildbach.base.errors import FormatError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import Item, immutable, public_key, signed
from wildbach.protocol.heads import ROTATION, Head, Rotation, head_of, pack, rotation_of, unpack

_SECRET = bytes(range(32))
_KEY = public_key(_SECRET)
_HASHES = InfoHashes(bytes(20), bytes(range(32)))
_HEAD = signed(_SECRET, Head(_HASHES, _KEY, {b"n": 1}).value(), 7, b"s")
_ROTATION = signed(_SECRET, Rotation(bytes(32), _KEY, bytes(32), {b"s": _HASHES}).value(), 7, ROTATION)
SEEDS: list[bytes] = [pack(_HEAD), pack(_ROTATION), pack(immutable(b"x")), _HEAD.raw, _ROTATION.raw]
TOKENS = [b"2:ih20:", b"3:ih232:", b"2:rk32:", b"4:next32:", b"4:good", b"1:k32:", b"4:salt", b"3:seqi", b"3:sig64:"]


def one_input(data: bytes) -> None:
    bare = Item(data, _KEY, ROTATION, 1)
    head, rotation = head_of(bare), rotation_of(bare)
    if head is not None and head_of(Item(bencode.encode(head.value()), _KEY)) != head:
        raise AssertionError("a head does not read back")
    if rotation is not None and rotation_of(Item(bencode.encode(rotation.value()), _KEY, ROTATION)) != rotation:
        raise AssertionError("a rotation does not read back")
    try:
        item = unpack(data)
    except FormatError:
        return
    if unpack(pack(item)) != item:
        raise AssertionError("an item does not read back")
