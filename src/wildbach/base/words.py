"""Numbers of things, and sizes, in words; names of others made harmless."""

from __future__ import annotations

import unicodedata

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
