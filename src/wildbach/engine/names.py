"""Host names of a magnet link's peers (`x.pe`, BEP 9): looked up once, when the link is added.

The link may come from a stranger, so few names are looked up, few addresses of each are taken, and none that belongs to
another service of this machine or the local network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wildbach.base import addresses, hostnames, limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.resolve import Resolver


def literal(peers: Iterable[tuple[str, int]]) -> list[Endpoint]:
    """Those that are addresses."""
    return [Endpoint(str(address), port) for host, port in peers if (address := addresses.parse(host)) is not None]


def named(peers: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those that have to be looked up; what is neither an address nor a name is left out."""
    named = ((hostnames.parse(host), port) for host, port in peers if addresses.parse(host) is None)
    return [(name, port) for name, port in named if name is not None][: limits.MAGNET_NAMES]


async def look_up(resolver: Resolver, peers: Sequence[tuple[str, int]]) -> list[Endpoint]:
    """Where the names lead. Names that lead nowhere are left out."""
    found: dict[Endpoint, None] = {}
    for host, port in peers:
        try:
            hosts = await resolver.resolve(host, 0)
        except NetworkError:
            continue
        for address in hosts[: limits.ADDRESSES_PER_NAME]:
            reach = classify(address)
            if reach is Reach.GLOBAL or (reach is not Reach.FORBIDDEN and port >= 1024):
                found[Endpoint(address, port)] = None
    return list(found)
