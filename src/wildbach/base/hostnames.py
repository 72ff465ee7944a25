"""What a host name may be, and how near the host is that it names, as far as a name alone tells.

A name that goes to a proxy, or into a URL, is judged here and nowhere else. What programs read differently is no name:
odd spellings of numbers (`127.1`, `0x7f000001`) are addresses to some of them, and letters outside ASCII become one
`xn--` name here and another there.
"""

from __future__ import annotations

import re
from typing import Final

from wildbach.base.addresses import Reach

BYTES: Final = 253
"Of a whole name, without the dot that may end it (RFC 1035)."
_NAME: Final = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", re.ASCII)
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_LOOPBACK: Final = ("localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "ip6-localhost",
                    "ip6-loopback")
"RFC 6761, and what systems write into their list of hosts."
_NEAR: Final = (
    ".corp", ".home", ".home.arpa", ".internal", ".intranet", ".lan", ".local", ".localdomain", ".localdomain6",
    ".private",
)
"RFC 6762 (with its appendix G) and 8375, ICANN's `internal`, and what routers call the network behind them."


def parse(text: str) -> str | None:
    """A name in its one spelling: small letters, no dot at its end. None for what is none, as are addresses."""
    name = text.removesuffix(".")
    # Length first: what is longer is not even looked at. Letters outside ASCII may become others in small.
    if len(name) > BYTES or not name.isascii():
        return None
    name = name.lower()
    if _NAME.fullmatch(name) is None or _NUMBER.fullmatch(name.rpartition(".")[2]) is not None:
        return None
    return name


def reach(name: str) -> Reach:
    """Of a name that somebody else looks up: the machine's own, one of the network around it, or any."""
    name = name.removesuffix(".").lower()
    if name in _LOOPBACK or name.endswith(".localhost"):
        return Reach.LOCAL
    return Reach.PRIVATE if "." not in name or name.endswith(_NEAR) else Reach.GLOBAL
