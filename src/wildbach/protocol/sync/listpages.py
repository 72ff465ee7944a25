"""Lists of what was accepted, in pages: each comes with the hashes of all, which lead to the root that a roster names.

So whoever has any page of a list can pass it on, and a false one shows who sent it, whatever else is here. The tree is
that of BEP 52, over blocks of 16 KiB; a page is 1 MiB of the list, and the hashes of all pages are its piece layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol import layers
from wildbach.protocol.sync.roster import HASH_BYTES, Cut

PAGE_BYTES: Final = limits.MIB
PAGE_HASHES: Final = PAGE_BYTES // HASH_BYTES


def page_count(count: int) -> int:
    """Of a list of so many hashes."""
    return -(-count // PAGE_HASHES)


def page_size(count: int, number: int) -> int:
    """Bytes of a page of a list of so many hashes."""
    return min(PAGE_HASHES, count - number * PAGE_HASHES) * HASH_BYTES


def page_layer(content: bytes) -> bytes:
    """The hashes of all pages of a whole list; empty where it is one page, whose hash is the root."""
    return layers.piece_layer(layers.leaf_hashes(content), PAGE_BYTES) if len(content) > PAGE_BYTES else b""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, as it is sent."""

    layer: bytes
    "The hashes of all pages; empty where there is one."
    content: bytes

    def check(self, cut: Cut, number: int) -> None:
        """Raises FormatError where it is not that page of that list: then whoever sent it made it up."""
        size = cut.count * HASH_BYTES
        if not 0 <= number < page_count(cut.count) or len(self.content) != page_size(cut.count, number):
            raise FormatError("a page of a list has another length than its roster says")
        wanted = cut.root
        if size > PAGE_BYTES:
            layers.check_layer(self.layer, cut.root, size, PAGE_BYTES, "page")
            wanted = self.layer[number * HASH_BYTES : (number + 1) * HASH_BYTES]
        elif self.layer:
            raise FormatError("a list of one page has no layer")
        if layers.piece_root(layers.leaf_hashes(self.content), size, PAGE_BYTES) != wanted:
            raise FormatError("a page of a list is not the one that its roster names")


def in_order(content: bytes, after: bytes = b"") -> bool:
    """The hashes of a page ascend, and are greater than `after`. An owner may sign the root of any list."""
    for at in range(0, len(content), HASH_BYTES):
        each = content[at : at + HASH_BYTES]
        if each <= after:
            return False
        after = each
    return True
