"""What goes in and out of the Api about channels. Times are seconds since 1970; a key is 52 letters of base32."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from wildbach.base import limits
from wildbach.interfaces.api.models import Line, Model, PathText
from wildbach.protocol.channels.items import Item as Facts
from wildbach.protocol.channels.items import Link

ChannelWord = Annotated[str, Meta(min_length=1, max_length=limits.CHANNEL_TITLE)]
"A channel as people name it: its title, the name of its secret key, or the beginning of its key."
Title = Annotated[str, Meta(max_length=limits.CHANNEL_TITLE)]
Text = Annotated[str, Meta(max_length=limits.CHANNEL_TEXT)]
Guid = Annotated[str, Meta(min_length=1, max_length=limits.CHANNEL_GUID)]
Tags = Annotated[tuple[Annotated[str, Meta(max_length=limits.CHANNEL_WORD)], ...], Meta(max_length=limits.CHANNEL_TAGS)]
Language = Annotated[str, Meta(max_length=35)]
Seconds = Annotated[float, Meta(ge=0, le=10_000_000)]


class Channel(Model, frozen=True):
    """A channel that is followed here, or published from here."""

    key: str
    title: str
    "What it is called here."
    says: str
    "The title it gives to itself."
    text: str
    author: str
    lang: str
    links: tuple[Link, ...]
    art: str
    "The root of its picture in hex; empty for none."
    payout: str
    "Where tips go: an address of TRON; empty for none."
    payout_was: str
    "The address before, where that changed and nobody said yet that it is right."
    link: str
    "To give to others."
    own: str
    "The name of the secret key, where it is published from here; empty for others."
    torrent: str
    "The key of the torrent with its files; empty while there is none."
    seq: int
    "The number of the newest version that was heard of; -1 for none."
    shown: int
    "The number of the version whose items are here; -1 for none."
    heard_at: int
    "When the network last told of its newest version; 0: never. Silence is not that nothing changed."
    followed_at: int
    items: int
    new: int
    "Items that came since somebody last looked."
    drafts: int
    "Items that wait to be published."
    auto: bool
    "What is new is downloaded."
    rotated: bool
    "Its key gave way to another."
    recovery_differs: bool
    "It names another recovery key than the one that was heard first."
    progress: float
    "Of the version that is being fetched, else 1."
    seeds: int
    "Others who have all of its files, as far as they are connected."
    reason: str
    "What is wrong, in plain words; empty where nothing is."


class Channels(Model, frozen=True):
    channels: tuple[Channel, ...]


class ChannelMaking(Model, frozen=True):
    """Begin a channel of one's own."""

    title: Title
    key: Annotated[str, Meta(min_length=1, max_length=64)] = "default"
    "The name of a secret key of the data directory, which is made where there is none."
    text: Text = ""
    lang: Language = ""
    author: Title = ""
    links: Annotated[tuple[Link, ...], Meta(max_length=limits.CHANNEL_LINKS)] = ()
    payout: Line = ""


class ChannelFollowing(Model, frozen=True):
    link: Annotated[str, Meta(min_length=1, max_length=limits.MAGNET_BYTES)]
    "A link, or the key alone."
    name: Title = ""
    "What to call it; empty for its title."
    auto: bool = False
    "Download what is new from now on."


class ChannelPatch(Model, frozen=True):
    """What is to be different. What is left out stays. `text` and those below it are of own channels, and are seen by
    others once it is published.
    """

    name: Title | UnsetType = UNSET
    "What it is called here; of an own channel its title."
    auto: bool | UnsetType = UNSET
    payout_seen: bool = False
    "The address for tips that it names now is right."
    text: Text | UnsetType = UNSET
    lang: Language | UnsetType = UNSET
    author: Title | UnsetType = UNSET
    links: Annotated[tuple[Link, ...], Meta(max_length=limits.CHANNEL_LINKS)] | UnsetType = UNSET
    payout: Line | UnsetType = UNSET
    picture: PathText | UnsetType = UNSET
    "A file of jpg, png or webp on the daemon's machine; empty for none."


class ItemPatch(Model, frozen=True):
    """Words of an item. What is left out stays, or is taken from its file."""

    title: Title | UnsetType = UNSET
    text: Text | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    lang: Language | UnsetType = UNSET
    licence: Line | UnsetType = UNSET
    duration: Seconds | UnsetType = UNSET
    date: Annotated[int, Meta(ge=0, lt=1 << 33)] | UnsetType = UNSET


class ItemMaking(Model, frozen=True):
    """Have something wait to be published: files, which are seeded where they lie, or a torrent."""

    paths: Annotated[tuple[PathText, ...], Meta(max_length=1000)] = ()
    "Files and folders of the daemon's machine. A folder is one torrent, with an item for each film or piece of music."
    torrents: Annotated[tuple[Annotated[str, Meta(max_length=limits.MAGNET_BYTES)], ...], Meta(max_length=1000)] = ()
    "Magnet links, and info hashes of torrents that are here."
    words: ItemPatch = ItemPatch()
    "The same for all of them."


class ItemWord(Model, frozen=True):
    guid: Guid


class ItemChange(Model, frozen=True):
    guid: Guid
    words: ItemPatch


class Publishing(Model, frozen=True):
    adopt: bool = False
    "Go on from a version that was published elsewhere under the key."


class ItemQuery(Model, frozen=True):
    """Which items. Items whose title has all the words come before those that have them elsewhere, newer before
    older.
    """

    words: Annotated[str, Meta(max_length=500)] = ""
    channel: Line = ""
    "A channel, as people name it; empty for all."
    kind: Annotated[str, Meta(max_length=20)] = ""
    "`video`, `audio`, `text`, `image`, `application` or `other`; empty for all."
    lang: Language = ""
    "`de` finds `de-AT` too."
    licence: Line = ""
    shortest: Seconds = 0
    longest: Seconds = 0
    "Seconds; 0: any."
    new: bool = False
    "Only what came since somebody last looked at its channel."
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class ChannelItem(Model, frozen=True):
    channel: str
    "The key of its channel."
    channel_title: str
    item: Facts
    kind: str
    magnet: str
    "A link to its best rendition; empty where there is none."
    torrent: str
    "The key of the torrent, where it is here."
    coming: bool
    "Its file is downloaded, or will be."
    new: bool


class ChannelItems(Model, frozen=True):
    items: tuple[ChannelItem, ...]
    more: bool
    "There are more behind these."


class Download(Model, frozen=True):
    torrent: str
    "Its key."
