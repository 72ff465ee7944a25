"""Numbers of things in words."""

from __future__ import annotations


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 file`, `2 files`; `many` where an s is not all that changes."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
