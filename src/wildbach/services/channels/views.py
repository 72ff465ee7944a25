"""What is shown of channels."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.services.channels.state import Followed


@dataclass(frozen=True, slots=True)
class ChannelView:
    channel: Followed
    items: int
    "In the index."
    new: int
    "That came since somebody last looked."
    drafts: int
    "Items that wait to be published."
    share: float
    "Of the version that is being fetched; 1 where none is."
    seeds: int
    "Others who have all of the version, as far as they are connected."
    reason: str
    "What is wrong, in plain words; empty where nothing is."
