"""What kind of address a host is, and which addresses that strangers name may be dialled.

Peers, PEX, trackers and the DHT can name anybody: without these rules we would knock on web servers, mail servers and
the router for whoever asks us to.
"""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from wildbach.base.ids import Endpoint


class Reach(IntEnum):
    """From where an address can be reached."""

    NOWHERE = 0
    "Unspecified, multicast, reserved or documentation: never dialled."
    LOCAL = 1
    "Loopback: no per-address or port rule applies."
    PRIVATE = 2
    "A private or link-local network."
    GLOBAL = 3


_SHARED = ip_network("100.64.0.0/10")


def reach(host: str) -> Reach:
    """The class of a literal address; NOWHERE for a text that is none."""
    try:
        address: IPv4Address | IPv6Address = ip_address(host.partition("%")[0])
    except ValueError:
        return Reach.NOWHERE
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return Reach.LOCAL
    if address.is_unspecified or address.is_multicast:
        return Reach.NOWHERE
    if address.is_global:
        return Reach.GLOBAL
    if address.is_link_local or (isinstance(address, IPv4Address) and address in _SHARED):
        return Reach.PRIVATE
    if isinstance(address, IPv4Address):
        private = any(address in net for net in _PRIVATE_V4)
    else:
        private = address in _PRIVATE_V6
    return Reach.PRIVATE if private else Reach.NOWHERE


_PRIVATE_V4 = tuple(ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_PRIVATE_V6 = ip_network("fc00::/7")


def may_dial(target: Endpoint, source: Reach) -> bool:
    """Whether to dial an endpoint that somebody of class `source` told us about (PEX, DHT, a tracker).

    Nobody sends us closer than they are: a global source names no private address and only a local one names a local
    address. Privileged ports (below 1024) belong to other services and are never dialled on hearsay, except on this
    machine. What the user named is not asked here.
    """
    at = reach(target.host)
    if not 0 < target.port <= 65535 or at is Reach.NOWHERE or source is Reach.NOWHERE:
        return False
    if at is Reach.LOCAL:
        return source is Reach.LOCAL
    return target.port >= 1024 and at >= source
