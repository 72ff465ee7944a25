"""How long to wait after a failure: longer each time, and as long as the server asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.protocol import dates

_FIRST: Final = 60.0


class Refused(NetworkError):
    """A server answered with another status than 200. `wait`: seconds it asks to be left alone, 0 where it does not."""

    code = "refused"

    def __init__(self, status: int, wait: float) -> None:
        super().__init__(f"the server answered with status {status}{_WORDS.get(status, '')}", status=status, wait=wait)
        self.status = status
        self.wait = wait


_WORDS: Final = {
    401: " (it wants a user and a password)", 403: " (forbidden)", 404: " (not found)", 410: " (gone for good)",
    429: " (too many requests)", 503: " (not available for now)",
}


def refused(status: int, headers: Mapping[str, str], now: float) -> Refused:
    """`now`: seconds since 1970."""
    text = headers.get("retry-after", "").strip()
    at = dates.parse(text)
    wait = at - now if at is not None else float(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0.0
    return Refused(status, min(max(wait, 0.0), limits.FEED_RETRY_AFTER_SECONDS))


def back_off(fails: int, error: Exception) -> float:
    """Seconds until the next try, after so many failures in a row (1 or more)."""
    wait = min(_FIRST * (1 << min(fails - 1, 20)), limits.FEED_RETRY_SECONDS)
    return max(wait, error.wait) if isinstance(error, Refused) else wait
