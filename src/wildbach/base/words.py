"""Numbers of things, and sizes, in words; names of others made harmless."""

from __future__ import annotations

import unicodedata

from wildbach.base.errors import UsageError

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_JOINERS = "\u200c\u200d"
"Needed to write Persian, several Indic scripts and emoji; they move nothing."


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 file`, `2 files`; `many` where an s is not all that changes."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def size(count: float) -> str:
    """Bytes in the largest unit that keeps the number at or above 1: `1.5 GiB`."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if abs(value) < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits: `45 seconds`, `1 minute`, `1.5 hours`, `7 days`."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        # `36 hours` is easier to think of than `1.5 days`.
        if seconds >= (2 * length if unit == "day" else length) or length == 1:
            break
    count = f"{seconds / length:.3g}"
    return f"{count} {unit if count == '1' else unit + 's'}"


def parse_size(text: str) -> int:
    """Bytes in `16384`, `256K`, `1M`, `1.5GiB`, `700 KiB/s`; units count in 1024s. Raises UsageError."""
    word = text.strip().removesuffix("/s").strip()
    number = word.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
    unit = word[len(number):].strip().upper().removesuffix("IB").removesuffix("B")
    power = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}.get(unit)
    if power is None or not number.isascii() or not number.replace(".", "", 1).isdigit() or len(number) > 20:
        raise UsageError(f"{clean(text)!r} is not a size: write 16384, 256K, 1M or 1.5G")
    return int(float(number) * 1024**power) if "." in number else int(number) * 1024**power


def clean(text: str) -> str:
    """`text` on one line, with control, format and direction characters written out as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _harmless(char) else _escape(char) for char in text)


def _harmless(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
