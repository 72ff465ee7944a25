"""Numbers of things, and sizes, in words."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


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
