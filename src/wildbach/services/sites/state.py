"""What is remembered of sites: one record each, written before anything follows from it.

The highest number that a key was seen with is part of it, so a later run believes no older head either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.protocol import sites

AREA: Final = "sites"
STAMPS: Final = "site_stamps"


class Keeper(Protocol):
    """The state database."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        """All or none; None takes one out."""


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """One torrent that a key led to."""

    v1: str
    "Hashes in hex; empty for none."
    v2: str
    seq: int
    at: int
    "When it was first seen here, seconds since 1970."
    size: int = 0
    files: int = 0
    complete: bool = False
    "All of it was here once, verified."
    refused: str = ""
    "Why it is not fetched, in plain words."
    payout: str = ""
    "Where it says that tips go, once it is complete."

    @property
    def hashes(self) -> InfoHashes:
        return InfoHashes(bytes.fromhex(self.v1) if self.v1 else None, bytes.fromhex(self.v2) if self.v2 else None)

    @property
    def key(self) -> str:
        return self.v2 or self.v1

    @property
    def label(self) -> str:
        """Of its host; empty where there is no v2 hash."""
        return sites.label(bytes.fromhex(self.v2)) if self.v2 else ""


class Site(msgspec.Struct, frozen=True, omit_defaults=True):
    """A site that was opened with a yes, or is published here. Times are seconds since 1970."""

    key: str
    "The public key in hex."
    name: str = ""
    "What the reader, or who publishes it, calls it."
    own: str = ""
    "The name of the secret key, where it is published here."
    folder: str = ""
    "The folder it is published from, and its torrents are seeded in."
    link: str = ""
    "The magnet link it was opened by, with trackers and peers."
    web_seeds: tuple[str, ...] = ()
    opened_at: int = 0
    used_at: int = 0
    heard_at: int = 0
    "When the network last told of its head, also of one that was known."
    seq: int = -1
    "The highest number seen; nothing below it is believed."
    signer: str = ""
    "The key that signed the head with that number, in hex, where the site's own has given way to it."
    versions: tuple[Version, ...] = ()
    "In the order in which the key led to them."
    pinned: str = ""
    "`Version.key` of the one that is shown whatever is newer."
    keep: bool = False
    "It stays on the disk whatever the quota says."
    foreign: bool = False
    "Its pages may use other web sites."
    most_size: int = 0
    "Somebody said yes to so many bytes."
    payout: str = ""
    "Where its newest complete version says that tips go; empty for nowhere."
    payout_was: str = ""
    "The address for tips before that, until somebody says that the new one is right."

    @property
    def id(self) -> bytes:
        return bytes.fromhex(self.key)

    @property
    def label(self) -> str:
        return sites.label(self.id)

    @property
    def newest(self) -> Version | None:
        return self.versions[-1] if self.versions else None

    def version(self, key: str) -> Version | None:
        """By the beginning of its hash, or by its number in the form `12`."""
        found = [one for one in self.versions if str(one.seq) == key]
        found = found or [one for one in self.versions if len(key) >= 6 and one.key.startswith(key)]
        found = found or [one for one in self.versions if one.label and one.label == key]
        return found[-1] if found else None


def encode(site: Site) -> bytes:
    return msgspec.json.encode(site)


def encode_stamps(stamps: Mapping[str, tuple[int, int]]) -> bytes:
    return msgspec.json.encode(stamps)


def decode_stamps(raw: bytes) -> dict[str, tuple[int, int]]:
    """Empty where they cannot be read: then all is hashed anew."""
    try:
        return msgspec.json.decode(raw, type=dict[str, tuple[int, int]])
    except msgspec.MsgspecError:
        return {}


def decode(name: str, raw: bytes) -> Site:
    """Raises FormatError."""
    try:
        site = msgspec.json.decode(raw, type=Site)
        if site.key != name or len(site.id) != 32:
            raise FormatError("is of another key", where=f"site {name}")
        for version in site.versions:
            version.hashes  # noqa: B018 - raises where it is none
    except (msgspec.MsgspecError, ValueError, UsageError) as error:
        raise FormatError(f"is not as it was written: {error}", where=f"site {name}") from None
    return site
