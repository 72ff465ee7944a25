"""What a channel's files hold: items that are read are read again, and an archive never grows above its limit."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.protocol.channels import files, items
from wildbach.protocol.channels.items import Channel, Item, Rendition
from wildbach.protocol.tron.address import Address, is_address

_ITEM = Item("g", "T", "x", ("a",), "de", "CC0-1.0", 1.5, 9, renditions=(Rendition(ih="ab" * 20, mime="video/mp4"),))
_LIST = items.write_items([items.write_item(_ITEM), items.write_item(Item("h", removed=True))])
SEEDS = [
    b"i" + items.write_item(_ITEM), b"h" + _LIST, b"a" + files.pack(_LIST), b"a" + files.pack(bytes(1 << 16)),
    b"c" + items.write_channel(Channel("T", payout=str(Address(bytes(20))))),
]
TOKENS = [
    b'"guid":', b'"removed":true', b'"renditions":[', b'"date":', b"1e999", b"\\ud800", b"\x28\xb5\x2f\xfd", b"null",
]


def one_input(data: bytes) -> None:
    kind, raw = data[:1], data[1:]
    if kind == b"i":
        found = items.read_item(raw)
        if items.read_item(items.write_item(found)) != found:
            raise AssertionError("does not read back")
    elif kind == b"h":
        head = files.read_head(raw)
        if len({item.guid for item in head}) != len(head):
            raise AssertionError("a guid twice")
    elif kind == b"a":
        if len(files.unpacked(raw)) > limits.CHANNEL_ARCHIVE_BYTES:
            raise AssertionError("above its limit")
        files.read_archive(raw)
    else:
        channel = items.read_channel(raw)
        if channel.payout and not is_address(channel.payout):
            raise AssertionError("a payout address that is none")
