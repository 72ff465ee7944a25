"""What goes in and out of the Api about sites. Times are seconds since 1970; a key is 52 letters of base32."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from wildbach.base import limits
from wildbach.interfaces.api.models import Amount, Line, Model, PathText

SiteWord = Annotated[str, Meta(min_length=1, max_length=200)]
"A site as people name it: its name, or the beginning of its key."
SiteName = Annotated[str, Meta(max_length=limits.SITE_NAME)]


class Site(Model, frozen=True):
    """A site that was opened here, or is published from here."""

    key: str
    name: str
    url: str
    "For a browser of this machine; empty where the gateway does not listen."
    link: str
    "To give to others."
    own: str
    "The name of the secret key, where it is published from here; empty for others."
    folder: str
    "The folder it is published from."
    seq: int
    "The number of the newest version that was heard of; -1 for none."
    shown: int
    "The number of the version that is shown; -1 for none."
    versions: int
    "Versions that are remembered."
    pinned: int
    "The number of the version it is held at; -1: the newest is shown."
    keep: bool
    foreign: bool
    opened_at: int
    used_at: int
    heard_at: int
    "When the network last told of its newest version; 0: never. Silence is not that nothing changed."
    size: int
    "Bytes on the disk, all versions."
    progress: float
    "Of the version that is being fetched, else 1."
    updating: bool
    "A newer version is on its way."
    seeds: int
    "Others who have all of what is shown, as far as they are connected."
    peers: int
    reason: str
    "What is wrong, in plain words; empty where nothing is."
    payout: str = ""
    "Where tips go: an address of TRON; empty for none."
    payout_was: str = ""
    "Another one that was named before; empty once somebody said that the new one is right."


class Sites(Model, frozen=True):
    sites: tuple[Site, ...]
    port: int
    "Where the gateway listens; 0: nowhere."


class SiteVersion(Model, frozen=True):
    seq: int
    hash: str
    "The v2 info hash in hex, or that of v1."
    url: str
    "Its own address, which always leads to this version; empty where it has none."
    seen_at: int
    size: int
    files: int
    here: bool
    progress: float
    shown: bool
    reason: str
    "Why it is not fetched."


class SiteVersions(Model, frozen=True):
    site: Site
    versions: tuple[SiteVersion, ...]
    "The newest first."
    changed: tuple[str, ...] = ()
    "Files of the folder it is published from that are not as they were published."


class SiteDifference(Model, frozen=True):
    """What changed between two versions, by content."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    fetch: int
    "Bytes that are new: what a reader of the older one has to fetch."
    more: int = 0
    "Changes that are not listed."


class SiteDifferenceQuery(Model, frozen=True):
    old: Line = ""
    "A version, by its number or the beginning of its hash; empty: the one before the other."
    new: Line = ""
    "Empty: the newest that is here."


class SiteOpening(Model, frozen=True):
    """Open a site: this is the yes to fetching it and giving it to others."""

    address: Annotated[str, Meta(max_length=limits.MAGNET_BYTES)]
    "A key, btpk://KEY/path, bittorrent://HEX, magnet:?xs=urn:btpk:HEX, or what the browser shows."
    name: SiteName = ""
    most_size: Amount = 0
    "Fetch it also where it has up to so many bytes; 0: as sites.most_size says."


class SitePatch(Model, frozen=True):
    """What is to be different. What is left out stays."""

    name: SiteName | UnsetType = UNSET
    keep: bool | UnsetType = UNSET
    "Its files stay whatever the quota says."
    foreign: bool | UnsetType = UNSET
    "Its pages may use other web sites."
    pin: Line | UnsetType = UNSET
    "Show this version whatever is newer: its number, or the beginning of its hash; empty: the newest."
    payout_seen: bool = False
    "The address for tips that it names now is right."


class SitePublication(Model, frozen=True):
    """Publish a folder of the daemon's machine."""

    folder: PathText
    key: Annotated[str, Meta(min_length=1, max_length=64)] = "default"
    "The name of a secret key of the data directory, which is made where there is none."
    name: SiteName = ""
    web_seeds: Annotated[tuple[Line, ...], Meta(max_length=20)] = ()
    "URLs at which a web server has the same folder."
    hidden: bool = False
    "Hidden files too."
    adopt: bool = False
    "Publish in the place of a version that was not published from here."
    dry_run: bool = False
    "Only say what would change: in the job's `result`."
    payout: Line = ""
    "Where tips go: it is written into the folder's /.well-known/wildbach.json. Empty: what that says, if it is there."
