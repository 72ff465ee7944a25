"""Ids bound to addresses (BEP 42), and finding out our own address by asking many.

Nobody is shut out for an id that does not fit its address: those whose id fits are preferred in the table, count in a
lookup and are announced to. Addresses of class local and private networks are exempt.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from random import Random

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.protocol.dht.places import place
from wildbach.protocol.peer_priority import crc32c

_MASK_V4 = bytes.fromhex("030f3fff")
_MASK_V6 = bytes.fromhex("0103070f1f3f7fff")
_VOTES_NEEDED = 5
_PORT_VOTES_NEEDED = 3


@lru_cache(maxsize=1 << 15)
def _prefix(packed: bytes, r: int) -> int:
    """The 21 bits an id begins with, as the top bits of a number of 24."""
    mask = _MASK_V4 if len(packed) == 4 else _MASK_V6
    masked = bytearray(byte & bits for byte, bits in zip(packed, mask, strict=False))
    masked[0] |= r << 5
    return (crc32c(bytes(masked)) >> 8) & 0xFFFFF8


def make_id(host: str | None, rng: Random, last: int | None = None) -> bytes:
    """A fresh id for a node at this address; any id where the address is not known or exempt.

    `last` is the id's last byte, whose low three bits go into the prefix; random where it is None.
    """
    raw = bytearray(rng.randbytes(20))
    at = place(host) if host is not None else None
    if last is not None:
        raw[19] = last
    if at is not None:
        prefix = _prefix(at.packed, raw[19] & 7)
        raw[0], raw[1], raw[2] = prefix >> 16, prefix >> 8 & 0xFF, prefix & 0xF8 | raw[2] & 7
    return bytes(raw)


def is_secure(node_id: bytes, host: str) -> bool:
    """Whether an id fits the address its node has, or need not."""
    at = place(host)
    if at is None:
        return False
    if at.reach is not Reach.GLOBAL:
        return True
    return int.from_bytes(node_id[:3], "big") & 0xFFFFF8 == _prefix(at.packed, node_id[19] & 7)


class AddressVotes:
    """What others say our address is. One vote a network, the latest; it takes five and more than half."""

    def __init__(self) -> None:
        self._votes: dict[bytes, str] = {}

    def vote(self, voter: str, address: str) -> str | None:
        """Count a vote. Returns the address that has won by now, or None."""
        of, who = place(address), place(voter)
        if of is None or who is None or of.reach is not Reach.GLOBAL or who.version != of.version:
            return None
        self._votes.pop(who.network, None)
        self._votes[who.network] = of.host
        if len(self._votes) > limits.DHT_VOTES:
            del self._votes[next(iter(self._votes))]
        count = sum(vote == of.host for vote in self._votes.values())
        return of.host if count >= _VOTES_NEEDED and 2 * count > len(self._votes) else None

    def clear(self) -> None:
        self._votes.clear()


class PortVotes:
    """What others say the port is that our datagrams come from. One vote a network, the latest; it takes three and more
    than half: behind a router that gives each remote a port of its own nobody can tell.
    """

    def __init__(self) -> None:
        self._votes: dict[bytes, int] = {}

    def vote(self, voter: str, port: int) -> None:
        who = place(voter)
        if who is None or not 0 < port <= 65535:
            return
        self._votes.pop(who.network, None)
        self._votes[who.network] = port
        if len(self._votes) > limits.DHT_VOTES:
            del self._votes[next(iter(self._votes))]

    @property
    def winner(self) -> int:
        """0 where there is none."""
        counts = Counter(self._votes.values())
        port, count = max(counts.items(), key=lambda item: item[1], default=(0, 0))
        return port if count >= _PORT_VOTES_NEEDED and 2 * count > len(self._votes) else 0

    def clear(self) -> None:
        self._votes.clear()
