"""A channel and its items, as JSON that strangers wrote: typed and bounded, or refused as a whole.

Keys that are unknown here are passed over. An edit or a removal is a new item with the same guid: the newest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import payouts
from wildbach.protocol.tron.address import is_address

_LATEST: Final = 1 << 33
"Seconds since 1970."
_ONE: Final = 1
"The version of the format."

Title = Annotated[str, Meta(max_length=limits.CHANNEL_TITLE)]
Text = Annotated[str, Meta(max_length=limits.CHANNEL_TEXT)]
Word = Annotated[str, Meta(max_length=limits.CHANNEL_WORD)]
Guid = Annotated[str, Meta(min_length=1, max_length=limits.CHANNEL_GUID, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Language = Annotated[str, Meta(max_length=35, pattern=r"^[A-Za-z0-9-]*$(?!\n)")]
"BCP 47, such as `de` or `pt-BR`; empty for none."
Url = Annotated[str, Meta(max_length=limits.CHANNEL_URL, pattern=r"^https?://[^\x00-\x20\x7f]+$(?!\n)")]
V1 = Annotated[str, Meta(pattern=r"^([0-9a-f]{40})?$(?!\n)")]
V2 = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$(?!\n)")]
Seconds = Annotated[float, Meta(ge=0, le=10_000_000)]
Count = Annotated[int, Meta(ge=0, lt=1 << 53)]
Moment = Annotated[int, Meta(ge=0, lt=_LATEST)]


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    url: Url
    title: Title = ""


class Chapter(msgspec.Struct, frozen=True, omit_defaults=True):
    start: Seconds
    title: Title = ""


class Subtitle(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of the same torrent, by its root."""

    root: V2
    lang: Language = ""
    mime: Word = ""


class Rendition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file that is the item, and the torrent it is in."""

    ih: V1 = ""
    "The v1 info hash in hex; empty for none."
    ih2: V2 = ""
    root: V2 = ""
    "The pieces root of the file; empty where the torrent is of v1 alone, or has one file."
    path: Annotated[str, Meta(max_length=1000)] = ""
    "Below the torrent's folder, parts joined by `/`; says which file it is where there is no root."
    mime: Word = ""
    codecs: Word = ""
    "As in RFC 6381."
    height: Annotated[int, Meta(ge=0, le=100_000)] = 0
    "Of the picture, in lines; 0 for none."
    bitrate: Count = 0
    "Bits a second."
    length: Count = 0
    "Bytes of the file."
    ws: Annotated[tuple[Url, ...], Meta(max_length=limits.CHANNEL_WEB_SEEDS)] = ()
    "Web seeds (BEP 19)."

    @property
    def hashes(self) -> InfoHashes:
        return InfoHashes(bytes.fromhex(self.ih) if self.ih else None, bytes.fromhex(self.ih2) if self.ih2 else None)


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is published at one time. Its place in the channel says which of two with one guid is newer."""

    guid: Guid
    title: Title = ""
    text: Text = ""
    tags: Annotated[tuple[Word, ...], Meta(max_length=limits.CHANNEL_TAGS)] = ()
    lang: Language = ""
    licence: Word = ""
    "As in SPDX, or a URL."
    duration: Seconds = 0
    date: Moment = 0
    chapters: Annotated[tuple[Chapter, ...], Meta(max_length=limits.CHANNEL_CHAPTERS)] = ()
    subtitles: Annotated[tuple[Subtitle, ...], Meta(max_length=limits.CHANNEL_SUBTITLES)] = ()
    thumbnail: V2 = ""
    "The root of a picture in the torrent of a rendition."
    renditions: Annotated[tuple[Rendition, ...], Meta(max_length=limits.CHANNEL_RENDITIONS)] = ()
    "The best first."
    removed: bool = False
    "The item with this guid is no more."

    @property
    def kind(self) -> str:
        """`video`, `audio`, `text`, `image`, `application`, `other`: the first part of the MIME type."""
        mime = self.renditions[0].mime if self.renditions else ""
        first = mime.partition("/")[0].lower()
        return first if first in ("video", "audio", "text", "image", "application") else "other"


class Channel(msgspec.Struct, frozen=True, omit_defaults=True):
    """channel.json."""

    title: Title
    text: Text = ""
    lang: Language = ""
    author: Title = ""
    art: V2 = ""
    "The root of the picture, which is a file of the version."
    links: Annotated[tuple[Link, ...], Meta(max_length=limits.CHANNEL_LINKS)] = ()
    payout: Word = ""
    "Where tips go: an address of TRON; empty for none."
    recovery: V2 = ""
    "The public half of the recovery key."
    version: Annotated[int, Meta(ge=1, le=1)] = _ONE


class _Items(msgspec.Struct, frozen=True):
    items: tuple[msgspec.Raw, ...]
    version: Annotated[int, Meta(ge=1, le=1)] = _ONE


_ITEM: Final = msgspec.json.Decoder(Item, strict=True)
_ITEMS: Final = msgspec.json.Decoder(_Items, strict=True)
_CHANNEL: Final = msgspec.json.Decoder(Channel, strict=True)
T = TypeVar("T")


def read_channel(raw: bytes) -> Channel:
    """channel.json. A payout address that is none is left out: nobody shall send money there. Raises FormatError."""
    _bounded(raw, limits.CHANNEL_INFO_BYTES, "CHANNEL_INFO_BYTES", "channel.json")
    channel = _decoded(_CHANNEL, raw, "channel.json")
    return channel if is_address(channel.payout) else msgspec.structs.replace(channel, payout="")


def write_channel(channel: Channel) -> bytes:
    """As `read_channel` reads it. Raises FormatError where it would not."""
    if channel.payout:
        payouts.checked(channel.payout)
    raw = msgspec.json.format(_encoded(channel), indent=1) + b"\n"
    read_channel(raw)
    return raw


def read_item(raw: bytes, where: str = "item") -> Item:
    """One item. Raises FormatError."""
    _bounded(raw, limits.CHANNEL_ITEM_BYTES, "CHANNEL_ITEM_BYTES", where)
    item = _decoded(_ITEM, raw, where)
    if not item.removed and any(not one.ih and not one.ih2 for one in item.renditions):
        raise FormatError("a rendition without an info hash", where=where)
    if any(not one.root for one in item.subtitles):
        raise FormatError("subtitles without a root", where=where)
    return item


def write_item(item: Item) -> bytes:
    """As `read_item` reads it. Raises FormatError where it would not."""
    raw = _encoded(item)
    read_item(raw)
    return raw


def read_items(raw: bytes, most: int, where: str) -> tuple[Item, ...]:
    """A list of up to `most` items, the oldest first; of two with one guid the one behind counts. Raises FormatError
    where one of them is wrong: a version is taken as a whole, or not.
    """
    _bounded(raw, limits.CHANNEL_HEAD_BYTES, "CHANNEL_HEAD_BYTES", where)
    # Counted while each is still raw: what a stranger can make us build is bounded before it is built.
    listed = _decoded(_ITEMS, raw, where).items
    if len(listed) > most:
        raise LimitError(f"{len(listed)} items are more than {most}", where=where)
    found = (read_item(bytes(one), f"{where} item {number}") for number, one in enumerate(listed))
    return newest(tuple(found))


def write_items(items: Sequence[bytes]) -> bytes:
    """Items as `write_item` gives them, one a line."""
    return b'{"version":1,"items":[\n' + b",\n".join(items) + b"\n]}\n"


def newest(items: Sequence[Item]) -> tuple[Item, ...]:
    """Without those of which a later one has the guid, in the same order."""
    last = {item.guid: place for place, item in enumerate(items)}
    return tuple(item for place, item in enumerate(items) if last[item.guid] == place)


def _bounded(raw: bytes, most: int, limit: str, where: str) -> None:
    if len(raw) > most:
        raise LimitError(f"longer than {limit} = {most} bytes", where=where)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes, where: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(str(error)[:300], where=where) from None


def _encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise FormatError(str(error)[:300], where="channel") from None
