"""Where a proxy is asked to lead: an address or a name with a port, judged once, before anything is sent.

What is in a `Place` can be neither a second header nor another length, so the two ways to say it need no checks.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from wildbach.base import addresses, hostnames
from wildbach.base.addresses import Address
from wildbach.protocol.proxy.errors import Unreachable


class Place(NamedTuple):
    host: str
    "In its one spelling."
    port: int
    address: Address | None
    "None where the host has a name, which the proxy looks up."

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lru_cache(maxsize=1 << 13)
def judge(host: str, port: int) -> Place:
    """Raises Unreachable for what is neither an address nor a name, and for a port that nobody has."""
    if not 0 < port <= 65535:
        raise Unreachable(f"there is no port {port}")
    address = addresses.parse(host)
    if address is not None:
        return Place(str(address), port, address)
    name = hostnames.parse(host)
    if name is None:
        raise Unreachable("this is neither an address nor a name")
    return Place(name, port, None)


_UNSPECIFIED: Final = IPv4Address(0)
ANYWHERE: Final = Place(str(_UNSPECIFIED), 0, _UNSPECIFIED)
"Says that it does not matter, in a request that names no place."
