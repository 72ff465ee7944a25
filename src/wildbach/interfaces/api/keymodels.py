"""What goes in and out of the Api about the keys that sites, channels and torrents are published under.

Not those of programs that use the Api (`models.ApiKey`). Times are seconds since 1970.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wildbach.base import limits
from wildbach.interfaces.api.models import Model

KeyName = Annotated[str, Meta(min_length=1, max_length=64)]
Passphrase = Annotated[str, Meta(min_length=1, max_length=1000)]
Words = Annotated[str, Meta(max_length=limits.KEY_WORDS_CHARS)]


class PublishingKey(Model, frozen=True):
    """A key, without its secrets."""

    name: str
    public: str
    "In hex."
    recovery: str
    "The public half of its recovery key, in hex; empty for a key that has none."
    recovery_here: bool
    "The secret half is on this machine still: write it down, then have it erased."
    exported_at: int
    "When a copy was last made; 0 for never."
    next_key: str
    "The public key that has taken its place, in hex; empty while it holds."


class PublishingKeys(Model, frozen=True):
    keys: tuple[PublishingKey, ...]


class PublishingKeyRequest(Model, frozen=True):
    name: KeyName


class KeyExport(Model, frozen=True):
    passphrase: Passphrase


class KeyFile(Model, frozen=True):
    """A key sealed with a passphrase: the text of a file."""

    text: Annotated[str, Meta(max_length=limits.KEY_FILE_BYTES)]


class KeyImport(Model, frozen=True):
    text: Annotated[str, Meta(max_length=limits.KEY_FILE_BYTES)]
    passphrase: Passphrase
    name: Annotated[str, Meta(max_length=64)] = ""
    "What it is to be called here; empty for the name it had."


class RecoveryWish(Model, frozen=True):
    make: bool = False
    "Make one, for a key that has none."


class RecoveryWords(Model, frozen=True):
    """A recovery key, as it is written down."""

    words: Words


class GoodHead(Model, frozen=True):
    """The last torrent under a key that is to be shown."""

    infohash: Annotated[str, Meta(max_length=68)]
    salt: Annotated[str, Meta(max_length=2 * limits.DHT_SALT_BYTES)] = ""
    "In hex; empty for sites and torrents, that of `wb-ch` for channels."


class KeyRotation(Model, frozen=True):
    words: Words = ""
    "The recovery key, where it was erased from here."
    good: Annotated[tuple[GoodHead, ...], Meta(max_length=8)] = ()
    "In place of what was published from here last."


class KeyRotated(Model, frozen=True):
    """A key gave way to another."""

    key: PublishingKey
    "The one that counts now."
    former: str
    "The public key that is over, in hex."
    links: tuple[str, ...]
    "For new followers."
    good: tuple[GoodHead, ...]
    "The last torrents under the old key that are shown."
    nodes: int
    "Nodes of the DHT that took it."
    confirmed: bool
    "The DHT gave it back when it was asked afterwards."
    unpublished: tuple[str, ...]
    "Salts, in hex, whose torrent could not be published under the new key: publish it."
