"""What the DHT has to know of an address, worked out once: its reach, its network, its bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from wildbach.base import addresses
from wildbach.base.addresses import Reach
from wildbach.base.ids import Endpoint


class Place(NamedTuple):
    host: str
    "In its one canonical spelling."
    version: int
    reach: Reach
    packed: bytes
    network: bytes
    """The /24 (IPv6: /64): one owner, as far as the rules against floods of nodes go. Private networks are one house,
    so there each address counts for itself."""

    @property
    def exempt(self) -> bool:
        """Of class local: no rule by address, network or port."""
        return self.reach is Reach.LOCAL


@lru_cache(maxsize=1 << 15)
def place(host: str) -> Place | None:
    """None where `host` is no literal address."""
    address = addresses.parse(host)
    if address is None:
        return None
    packed = address.packed
    reach = addresses.classify(host)
    owner = packed[: 3 if len(packed) == 4 else 8] if reach is Reach.GLOBAL else packed
    return Place(str(address), address.version, reach, packed, owner)


def may_contact(target: Endpoint, source: Reach) -> bool:
    """`addresses.may_dial`, remembered: whether to send to an endpoint that somebody of reach `source` named."""
    at = place(target.host)
    if at is None or not 0 < target.port <= 65535 or Reach.FORBIDDEN in (at.reach, source):
        return False
    if at.reach is Reach.LOCAL:
        return source is Reach.LOCAL
    return target.port >= 1024 and (at.reach is Reach.GLOBAL or source is not Reach.GLOBAL)


def may_answer(source: Endpoint) -> bool:
    """Whether a datagram from there is answered: its source may be forged, and what is behind it our victim then."""
    at = place(source.host)
    if at is None or at.reach is Reach.FORBIDDEN or not 0 < source.port <= 65535:
        return False
    return at.exempt or source.port >= 1024
