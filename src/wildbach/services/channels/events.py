"""What happens with channels."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.events import Event


@dataclass(frozen=True, slots=True)
class ChannelUpdated(Event):
    """A newer version of a channel is here, and can be searched."""

    channel: str
    "Its key, as 52 letters."
    title: str
    seq: int
    new: int
    "Items that were not there before."


@dataclass(frozen=True, slots=True)
class ChannelPublished(Event):
    """A version was published from here."""

    channel: str
    title: str
    seq: int


@dataclass(frozen=True, slots=True)
class ChannelFailed(Event):
    """A version cannot be had or read."""

    channel: str
    title: str
    reason: str
    "Plain words."


@dataclass(frozen=True, slots=True)
class PayoutChanged(Event):
    """A channel names another address for tips: its owner did, or a thief of its key."""

    channel: str
    title: str
    former: str
    now: str
    "Empty: none any more."
