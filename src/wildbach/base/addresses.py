"""What kind of place an IP address is: the ground of every rule about whom we may talk to.

Peers, PEX, trackers and the DHT can name anybody: without these rules we would knock on web servers, mail servers and
the router for whoever asks us to.

Names never reach this module: a name is resolved first and its addresses are judged. What a name tells that is never
resolved here is the business of `hostnames`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from wildbach.base.ids import Endpoint

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(StrEnum):
    """How far an address reaches."""

    LOCAL = "local"
    "This machine, and networks a test names: no rule per address, network or port applies there."
    PRIVATE = "private"
    "Home, office and carrier networks (RFC 1918, 6598, 4193)."
    GLOBAL = "global"
    FORBIDDEN = "forbidden"
    "Nothing to dial: multicast, unspecified, link-local (cloud metadata lives there), reserved, documentation."


DISTANCE: Final = {Reach.FORBIDDEN: -1, Reach.LOCAL: 0, Reach.PRIVATE: 1, Reach.GLOBAL: 2}
"The nearer, the less; nothing is so near that a FORBIDDEN address may follow."


_V4_SPECIAL: tuple[tuple[IPv4Network, Reach], ...] = tuple(
    (IPv4Network(network), reach)
    for reach, group in (
        (Reach.LOCAL, ("127.0.0.0/8",)),
        (Reach.PRIVATE, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
        (Reach.FORBIDDEN, (
            "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        )),
    )
    for network in group
)
# Counted, as every start of a process pays for it: asking each octet whether it overlaps takes a tenth of a second.
_V4_BY_OCTET: dict[int, list[tuple[IPv4Network, Reach]]] = {}
for _special in _V4_SPECIAL:
    for _octet in range(int(_special[0].network_address) >> 24, (int(_special[0].broadcast_address) >> 24) + 1):
        _V4_BY_OCTET.setdefault(_octet, []).append(_special)
_V6_SPECIAL: tuple[tuple[IPv6Network, Reach], ...] = tuple(
    (IPv6Network(network), reach)
    for network, reach in (
        ("::1/128", Reach.LOCAL), ("fc00::/7", Reach.PRIVATE), ("::/8", Reach.FORBIDDEN),
        ("fe80::/10", Reach.FORBIDDEN), ("fec0::/10", Reach.FORBIDDEN), ("ff00::/8", Reach.FORBIDDEN),
        ("100::/64", Reach.FORBIDDEN), ("2001::/23", Reach.FORBIDDEN), ("2001:db8::/32", Reach.FORBIDDEN),
        ("3fff::/20", Reach.FORBIDDEN),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")


def parse(text: str) -> Address | None:
    """A literal address in its plain form, or None. An IPv4 address wrapped in IPv6 (::ffff:a.b.c.d) is unwrapped."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def network_of(host: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address: what one caller has."""
    address = parse(host)
    if address is None or isinstance(address, IPv4Address):
        return str(address or host)
    return str(ip_network((address, 64), strict=False))


def crowding(hosts: Iterable[str]) -> int:
    """Which of several callers, the oldest first, gives way where there is no room for another one: the oldest of the
    caller (`network_of`) that has most of them. Raises ValueError where there are none.
    """
    callers = [network_of(host) for host in hosts]
    counts = Counter(callers)
    return callers.index(max(callers, key=counts.__getitem__))


def classify(host: str, local: Iterable[Network] = ()) -> Reach:
    """The reach of a literal address; FORBIDDEN for what is none. `local` names further networks of class LOCAL."""
    address = parse(host)
    if address is None:
        return Reach.FORBIDDEN
    if any(address in network for network in local):
        return Reach.LOCAL
    if isinstance(address, IPv4Address):
        return _classify_v4(address)
    if address in _NAT64:
        return classify(str(IPv4Address(int(address) & 0xFFFFFFFF)), local)
    if address in _SIX_TO_FOUR:
        return classify(str(IPv4Address((int(address) >> 80) & 0xFFFFFFFF)), local)
    return next((reach for network, reach in _V6_SPECIAL if address in network), Reach.GLOBAL)


def _classify_v4(address: IPv4Address) -> Reach:
    for network, reach in _V4_BY_OCTET.get(int(address) >> 24, ()):
        if address in network:
            return reach
    return Reach.GLOBAL


def may_dial(target: Endpoint, source: Reach) -> bool:
    """Whether to dial an endpoint that somebody of reach `source` told us about (PEX, DHT, a tracker).

    Nobody sends us closer than they are: a global source names no private address and only a local one names a local
    address. Privileged ports (below 1024) belong to other services and are never dialled on hearsay, except on this
    machine. What the user named is not asked here.
    """
    at = classify(target.host)
    if not 0 < target.port <= 65535 or Reach.FORBIDDEN in (at, source):
        return False
    if at is Reach.LOCAL:
        return source is Reach.LOCAL
    return target.port >= 1024 and (at is Reach.GLOBAL or source is not Reach.GLOBAL)


def neighbourhood(host: str) -> str:
    """The /24 of an IPv4 address, the /48 of an IPv6 address: what is likely one owner. Other texts are their own."""
    address = parse(host)
    if address is None:
        return host
    bits = 24 if isinstance(address, IPv4Address) else 48
    return str(ip_network((address, bits), strict=False))
