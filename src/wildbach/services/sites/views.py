"""What is shown of sites."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.services.sites.seams import Copy
from wildbach.services.sites.state import Site, Version


@dataclass(frozen=True, slots=True)
class VersionView:
    version: Version
    here: bool
    "Its files are on this disk, all of them."
    share: float
    "Of it that is here."
    shown: bool
    "The site's address leads to it now."


@dataclass(frozen=True, slots=True)
class SiteView:
    site: Site
    shown: Version | None
    coming: Version | None
    "A newer one that is being fetched."
    share: float
    "Of that, or of the one that is shown while it is not complete."
    size: int
    "Bytes on this disk, all versions."
    seeds: int
    "Others who have all of what is shown, as far as they are connected."
    peers: int
    reason: str
    "What is wrong, in plain words; empty where nothing is."


@dataclass(frozen=True, slots=True)
class Shown:
    """What an address leads to right now."""

    site: Site | None
    "None for a version that is known by no site's history any more."
    version: Version
    copy: Copy | None
    "None where it has not begun yet."
    newest: bool
    "There is no newer version known."
