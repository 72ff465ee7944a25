"""The settings of channels."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.settings import Section, setting


@dataclass(frozen=True, slots=True)
class ChannelSettings(Section):
    enabled: bool = setting(True, "Look for new items of the channels that are followed.", live=True)
    refresh_minutes: float = setting(
        30.0, "How often it is asked whether a channel has something new.", live=True, min=1, max=1440)
