"""What is remembered of channels: one record each, written before anything follows from it.

The highest number that a key was seen with is part of it, so a later run believes no older head either.
"""

from __future__ import annotations

from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import sites
from wildbach.protocol.channels.items import Channel
from wildbach.protocol.heads import CHANNEL as SALT
from wildbach.protocol.metainfo import MutableLink

AREA: Final = "channels"
DRAFTS: Final = "channel_drafts"
"Items that wait to be published, by key and number."


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """A torrent that a key led to. Hashes are in hex, empty for none."""

    v1: str = ""
    v2: str = ""
    seq: int = -1
    refused: str = ""
    "Why it is not taken, in plain words."

    @property
    def hashes(self) -> InfoHashes:
        return InfoHashes(bytes.fromhex(self.v1) if self.v1 else None, bytes.fromhex(self.v2) if self.v2 else None)

    @property
    def key(self) -> str:
        return self.v2 or self.v1


class Followed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A channel that is followed here, or published from here. Times are seconds since 1970."""

    key: str
    "The public key in hex."
    link: str = ""
    "As it was followed: it may name trackers, peers and the recovery key."
    name: str = ""
    "What the reader calls it; empty for its title."
    own: str = ""
    "The name of the secret key, where it is published from here."
    followed_at: int = 0
    heard_at: int = 0
    "When the network last told of its head, also of one that was known."
    seq: int = -1
    "The highest number seen; nothing below it is believed."
    signer: str = ""
    "The key that signed that head, in hex, where the channel's own has given way to it."
    wanted: Version | None = None
    "What its head leads to."
    shown: Version | None = None
    "What is in the index."
    facts: Channel | None = None
    "What it says of itself; of an own one, what it will say next."
    payout_was: str = ""
    "The address for tips before the one it names now, until somebody says that this is right."
    recovery_differs: bool = False
    "It names another recovery key than the one that was heard first."
    looked: int = 0
    "The turn of the index up to which items were looked at."
    auto: bool = False
    "What is new is downloaded."
    home: str = ""
    "The folder below that of all channels which has its versions; it stays when the key gives way to another."
    count: int = 0
    "Versions that were published from here."

    @property
    def id(self) -> bytes:
        return bytes.fromhex(self.key)

    @property
    def label(self) -> str:
        return sites.label(self.id)

    @property
    def title(self) -> str:
        """For people: what they call it, else what it calls itself."""
        if self.name or self.facts is not None or not self.link:
            return self.name or (self.facts.title if self.facts is not None else "") or self.label[:12]
        # Until its own words are here, those of the link.
        said = "".join(character for character in MutableLink.parse(self.link).name if character.isprintable())
        return said.strip()[: limits.CHANNEL_TITLE] or self.label[:12]

    @property
    def mutable(self) -> MutableLink:
        return MutableLink.parse(self.link) if self.link else MutableLink(self.id, SALT)


def encode(channel: Followed) -> bytes:
    return msgspec.json.encode(channel)


def decode(name: str, raw: bytes) -> Followed:
    """Raises FormatError."""
    try:
        channel = msgspec.json.decode(raw, type=Followed)
        if channel.key != name or len(channel.id) != 32 or channel.mutable.public_key != channel.id:
            raise FormatError("is of another key", where=f"channel {name}")
        for version in (channel.wanted, channel.shown):
            if version is not None:
                version.hashes  # noqa: B018 - raises where it is none
    except (msgspec.MsgspecError, ValueError, UsageError) as error:
        raise FormatError(f"is not as it was written: {error}", where=f"channel {name}") from None
    return channel
