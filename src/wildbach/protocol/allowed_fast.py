"""The pieces a peer may fetch while we choke it (BEP 6): the same for every peer of one network."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address

from wildbach.base import limits


def allowed_fast(host: str, info_hash: bytes, pieces: int, count: int = limits.ALLOWED_FAST) -> tuple[int, ...]:
    """`count` piece indices for the peer at `host`, in canonical order; all pieces where there are no more.

    The /24 of an IPv4 address counts, so that more addresses on one network bring no more pieces. BEP 6 names no rule
    for IPv6: the /48 is taken. `info_hash` is the 20-byte id of the swarm.
    """
    if count <= 0 or pieces <= count:
        return tuple(range(pieces)) if count > 0 else ()
    address = ip_address(host.partition("%")[0])
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    network = address.packed[:3] + b"\0" if address.version == 4 else address.packed[:6]
    seed = network + info_hash
    chosen: list[int] = []
    while True:
        # SHA-1 is the canonical generator of BEP 6 here, nothing is protected by it.
        seed = hashlib.sha1(seed, usedforsecurity=False).digest()
        for at in range(0, 20, 4):
            index = int.from_bytes(seed[at : at + 4], "big") % pieces
            if index not in chosen:
                chosen.append(index)
                if len(chosen) == count:
                    return tuple(chosen)
