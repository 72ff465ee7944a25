"""How a version follows from the one before: new items go to the head, and the oldest of a full head are sealed.

An archive never changes once it is sealed, and every item stands in exactly one place. What was sealed can only be
replaced by a newer item with the same guid, which stands nearer to the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Item, newest, write_item, write_items


@dataclass(frozen=True, slots=True)
class Shelved:
    """The next version's items."""

    head: bytes
    "head.json."
    items: tuple[Item, ...]
    "Those in it, the oldest first."
    sealed: tuple[bytes, ...]
    "Archives that are new, in the order of their numbers."


def shelve(head: Sequence[Item], added: Iterable[Item], archives: int = 0) -> Shelved:
    """Put items behind those of a head. `archives`: how many there are. Raises UsageError where the channel is full,
    and FormatError for an item that readers would refuse. The same items give the same bytes.
    """
    items = newest((*head, *added))
    written = [write_item(item) for item in items]
    sizes = [len(raw) + 2 for raw in written]
    left, at = sum(sizes), 0
    sealed: list[bytes] = []
    while len(written) - at >= limits.CHANNEL_HEAD_ITEMS or left > limits.CHANNEL_FULL_BYTES:
        end = _end(sizes, at)
        sealed.append(files.pack(write_items(written[at:end])))
        left -= sum(sizes[at:end])
        at = end
    if archives + len(sealed) > limits.CHANNEL_ARCHIVES:
        raise UsageError(
            f"the channel is full: it would have more than CHANNEL_ARCHIVES = {limits.CHANNEL_ARCHIVES} archives; "
            "begin another one", code="too_large")
    return Shelved(write_items(written[at:]), items[at:], tuple(sealed))


def _end(sizes: Sequence[int], at: int) -> int:
    """Where the archive that begins at an item ends: as many as it takes, but no more bytes than a head may have."""
    size, end = 0, at
    while end < len(sizes) and end - at < limits.CHANNEL_SEALED:
        size += sizes[end]
        if size > limits.CHANNEL_FULL_BYTES and end > at:
            break
        end += 1
    return end
