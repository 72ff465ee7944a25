"""Amounts as people read and write them, in TRX. Everything else counts in SUN, its millionths."""

from __future__ import annotations

import re
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError

TRX: Final = 1_000_000
"SUN."
_WRITTEN: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))?", re.ASCII)


def parse(words: str) -> int:
    """SUN, of TRX as `12` or `0.000001`. Raises FormatError."""
    found = _WRITTEN.fullmatch(words)
    amount = int(found[1]) * TRX + int((found[2] or "").ljust(6, "0")) if found is not None else -1
    if not 0 <= amount <= limits.WALLET_AMOUNT:
        raise FormatError("an amount in TRX is wanted, as 12 or 0.000001")
    return amount


def exact(sun: int) -> str:
    """For programs: `1234.500000`."""
    whole, rest = divmod(abs(sun), TRX)
    return f"{'-' if sun < 0 else ''}{whole}.{rest:06}"


def shown(sun: int) -> str:
    """For people: `1,234.5`."""
    whole, rest = divmod(abs(sun), TRX)
    return f"{'-' if sun < 0 else ''}{whole:,}.{rest:06}".rstrip("0").rstrip(".")
