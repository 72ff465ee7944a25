"""Text for people: names made harmless for a terminal, and sizes, speeds and times in words.

Whatever comes from a torrent, a peer or a tracker goes through `clean` before it is printed: an escape sequence in a
file name can otherwise rewrite the screen, and a direction override can make `exe.gpj` read as `jpg.exe`.
"""

from __future__ import annotations

import datetime

from wildbach.base.words import clean as clean
from wildbach.base.words import parse_size as parse_size
from wildbach.base.words import size as size

_NO_DIGITS = str.maketrans("", "", "0123456789")


def rate(per_second: float) -> str:
    """Bytes a second: `1.5 MiB/s`."""
    return f"{size(per_second)}/s"


def without_numbers(words: str) -> str:
    """To tell whether something else is said, and not the same with other numbers."""
    return words.translate(_NO_DIGITS)


def short(count: float) -> str:
    """Bytes for a column of a table: `980`, `1.5K`, `23M`; empty for none."""
    value = float(count)
    if value < 1:
        return ""
    for unit in ("", "K", "M", "G", "T", "P"):
        if value < 999.5 or unit == "P":
            break
        value /= 1024
    return f"{value:.1f}{unit}" if unit and value < 9.95 else f"{value:.0f}{unit}"


def moment(seconds: float) -> str:
    """A point in time, as this machine's clock has it: `2026-11-05 14:03`; empty for none."""
    if not seconds:
        return ""
    try:
        return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def duration(seconds: float | None) -> str:
    """A time to wait: `0:42`, `1:02:03`, `3 days`; `-` where it is not known."""
    if seconds is None or seconds != seconds or seconds == float("inf"):
        return "-"
    whole = int(seconds)
    if whole >= 2 * 86400:
        return f"{whole // 86400} days"
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def percent(share: float) -> str:
    """A share of 1 in per cent, cut rather than rounded: 100 % is said only of what is complete."""
    return f"{int(share * 1000) / 10:.1f} %"
