"""Slow mode by the clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from wildbach.base.settings import SettingError
from wildbach.services.library.settings import SlowModeSettings

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def minutes(text: str, key: str) -> int:
    """HH:MM as minutes since midnight. Raises SettingError."""
    if not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        raise SettingError(key, f"{text!r} is no time of day: HH:MM")
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def check(settings: SlowModeSettings) -> None:
    """Raises SettingError where a time or a day is none."""
    minutes(settings.start, "slow_mode.start")
    minutes(settings.end, "slow_mode.end")
    for day in settings.days:
        if day not in DAYS:
            raise SettingError("slow_mode.days", f"{day!r} is none of {', '.join(DAYS)}")


def slow_at(settings: SlowModeSettings, now: datetime) -> bool:
    """Whether the clock wants slow mode at this local time."""
    start, end = minutes(settings.start, "slow_mode.start"), minutes(settings.end, "slow_mode.end")
    at = now.hour * 60 + now.minute
    today = DAYS[now.weekday()] in settings.days
    if start == end:
        return today
    if start < end:
        return today and start <= at < end
    yesterday = DAYS[(now - timedelta(days=1)).weekday()] in settings.days
    return (today and at >= start) or (yesterday and at < end)
