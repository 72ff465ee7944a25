"""Moments as the web writes them: RFC 822 and 2822 (feeds, HTTP), ISO 8601 and RFC 3339 (Atom, RSS 1.0).

Feeds get dates wrong in many ways, and an article without a date is still an article, so what is not understood is
None and never an error.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_CHARS: Final = 100
"A longer text is no date."
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES: Final = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360,
    "pst": -480, "pdt": -420, "cet": 60, "cest": 120, "msk": 180,
}
"Minutes east of UTC."
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK: Final = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?"
_ZONE: Final = r"([A-Za-z]{1,4}|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
_RFC: Final = re.compile(
    r"(?:[^\W\d]{2,12}\.?,?\s+)?(\d{1,2})[\s-]+([A-Za-z]{3})[A-Za-z]{0,6}\.?,?[\s-]+(\d{4}|\d{2})"
    rf"(?:,?\s+{_CLOCK}\s*{_ZONE}(?:\s*\([^()]*\))?)?", re.ASCII,
)
_ISO: Final = re.compile(rf"(\d{{4}})-(\d{{1,2}})(?:-(\d{{1,2}})(?:[Tt\s]\s*{_CLOCK}\s*{_ZONE})?)?", re.ASCII)


def parse(text: str) -> float | None:
    """Seconds since 1970; None for what is no moment between 1970 and 2100. Without a zone it is UTC."""
    text = text.strip() if len(text) <= _CHARS else ""
    found = _RFC.fullmatch(text)
    if found is not None:
        day, name, year, *clock = found.groups()
        if name.lower() not in _MONTHS:
            return None
        century = 0 if len(year) == 4 else 2000 if int(year) < 70 else 1900
        return _moment(century + int(year), _MONTHS.index(name.lower()) + 1, int(day), *clock)
    found = _ISO.fullmatch(text)
    if found is not None:
        year, month, day, *clock = found.groups()
        return _moment(int(year), int(month), int(day or "1"), *clock)
    return None


def written(moment: float) -> str:
    """A moment in the form of RFC 822 with a year of four digits, in UTC, as RSS and HTTP have it. `moment`: seconds
    since 1970; raises ValueError for one after the year 9999.
    """
    try:
        at = _EPOCH + timedelta(seconds=int(moment))
    except OverflowError:
        raise ValueError("after the year 9999") from None
    month = _MONTHS[at.month - 1].capitalize()
    return f"{_DAYS[at.weekday()]}, {at.day:02} {month} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} GMT"


def _moment(
    year: int, month: int, day: int, hour: str | None, minute: str | None, second: str | None, zone: str | None
) -> float | None:
    east = _minutes(zone)
    if east is None or not 1970 <= year < 2100:
        return None
    try:
        # A leap second is the one before it.
        found = datetime(year, month, day, int(hour or 0), int(minute or 0), min(int(second or 0), 59),
                         tzinfo=timezone(timedelta(minutes=east)))
    except ValueError:
        return None
    return max(found.timestamp(), 0.0)


def _minutes(zone: str | None) -> int | None:
    if not zone:
        return 0
    if zone[0] not in "+-":
        # RFC 2822: letters that nobody agreed on are UTC.
        return _ZONES.get(zone.lower(), 0)
    digits = zone[1:].replace(":", "")
    east = int(digits[:2]) * 60 + int(digits[2:] or 0)
    if east >= 24 * 60:
        return None
    return east if zone[0] == "+" else -east


def to_rfc2822(seconds: float) -> str:
    """The moment in UTC: `26 Nov 2026 16:38:03 +0000`. Raises ValueError outside the years 1 to 9999."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError):
        raise ValueError("no moment of this calendar") from None
    return f"{at.day:02} {_MONTHS[at.month - 1].title()} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} +0000"
