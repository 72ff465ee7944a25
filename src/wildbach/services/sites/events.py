"""What happens with sites."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.events import Event


@dataclass(frozen=True, slots=True)
class SiteUpdated(Event):
    """A newer version of a site is complete and is shown from now on."""

    site: str
    "The label of its key."
    title: str
    seq: int
    version: str
    "The label of the v2 hash; empty where there is none."


@dataclass(frozen=True, slots=True)
class SitePublished(Event):
    """A version was published from here."""

    site: str
    title: str
    seq: int
    version: str


@dataclass(frozen=True, slots=True)
class SitePayoutChanged(Event):
    """A site names another address for tips: its owner did, or a thief of its key."""

    site: str
    title: str
    former: str
    now: str
    "Empty: none any more."


@dataclass(frozen=True, slots=True)
class SiteFailed(Event):
    """A version cannot be had or shown."""

    site: str
    title: str
    reason: str
    "Plain words."
