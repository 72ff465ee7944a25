"""Speeds as a picture: filled columns of braille dots, two columns and four rows a character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LEFT: Final = (0x40, 0x44, 0x46, 0x47)
_RIGHT: Final = (0x80, 0xA0, 0xB0, 0xB8)
"Dots of a character's left and right column, filled from below to a height of 1 to 4."
_BLANK: Final = 0x2800


def ceiling(values: Sequence[float]) -> float:
    """What the top of the picture stands for: 1, 2 or 5 times a power of 1024 or ten of it, no less than the values."""
    most = max(values, default=0.0)
    unit = 1024.0
    while unit * 1000 < most:
        unit *= 1024
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if most <= unit * step:
            return unit * step
    return most


def columns(values: Sequence[float], width: int, height: int, top: float) -> list[str]:
    """`height` lines of `width` characters; the newest value is at the right. What is more than nothing has a dot."""
    dots = 4 * height
    shown = list(values[-2 * width :])
    shown = [0.0] * (2 * width - len(shown)) + shown
    levels = [
        0 if value <= 0 or top <= 0 else max(1, min(dots, round(value / top * dots))) for value in shown]
    lines = []
    for line in range(height):
        floor = 4 * (height - 1 - line)
        chars = []
        for left, right in zip(levels[::2], levels[1::2], strict=True):
            code = _BLANK
            if left > floor:
                code |= _LEFT[min(4, left - floor) - 1]
            if right > floor:
                code |= _RIGHT[min(4, right - floor) - 1]
            chars.append(chr(code) if code != _BLANK else " ")
        lines.append("".join(chars))
    return lines


def bar(share: float, width: int) -> tuple[str, str]:
    """The filled part and the rest of a bar, by halves of a cell. Only what is complete is full."""
    share = min(max(share, 0.0), 1.0)
    full, half = divmod(int(share * width * 2) if share < 1 else width * 2, 2)
    filled = "━" * full + "╸" * half
    return filled, "─" * (width - len(filled))
