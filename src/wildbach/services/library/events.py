"""What the library tells of, on the bus of its own."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.events import Event, TorrentEvent


@dataclass(frozen=True, slots=True)
class TorrentChanged(TorrentEvent):
    """What is remembered of it beside its content: category, tags, limits, its place …"""


@dataclass(frozen=True, slots=True)
class TorrentEnlisted(TorrentEvent):
    """A torrent was added."""


@dataclass(frozen=True, slots=True)
class DownloadFinished(TorrentEvent):
    """A torrent is complete for the first time."""

    title: str
    path: str


@dataclass(frozen=True, slots=True)
class LimitReached(TorrentEvent):
    title: str
    reason: str
    action: str


@dataclass(frozen=True, slots=True)
class SlowModeChanged(Event):
    on: bool


@dataclass(frozen=True, slots=True)
class LeechBanned(TorrentEvent):
    """A peer that takes without giving."""

    peer: str
    reason: str
