"""Who to keep when there are more peers than slots: canonical peer priority (BEP 40).

Both ends of a connection compute the same number, so a swarm agrees on its links and a flood of newcomers cannot push
out everybody. Higher is better. Used within one torrent only.
"""

from __future__ import annotations

from ipaddress import ip_address

from wildbach.base.ids import Endpoint


def _table() -> tuple[int, ...]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = (row >> 1) ^ (0x82F63B78 if row & 1 else 0)
        rows.append(row)
    return tuple(rows)


_CRC = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as BEP 40 and BEP 42 use it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _packed(host: str) -> bytes:
    address = ip_address(host.partition("%")[0])
    if address.version == 6 and address.ipv4_mapped is not None:
        return address.ipv4_mapped.packed
    return address.packed


def peer_priority(ours: Endpoint, theirs: Endpoint) -> int:
    """The priority of the link between two endpoints, 0 to 2^32 - 1; the same from both ends.

    `ours` is our address as that peer sees it (`yourip` of BEP 10 is a hint). Addresses of different families are
    compared as IPv6. Raises ValueError where a host is not a literal address.
    """
    a, b = _packed(ours.host), _packed(theirs.host)
    if len(a) != len(b):
        a, b = (x if len(x) == 16 else bytes(10) + b"\xff\xff" + x for x in (a, b))
    if a == b:
        low, high = sorted((ours.port, theirs.port))
        return crc32c(low.to_bytes(2, "big") + high.to_bytes(2, "big"))
    shared = next(i for i in range(len(a)) if a[i] != b[i])
    clear = max(2 if len(a) == 4 else 6, shared + 1)
    low_half, high_half = sorted(x[:clear] + bytes(byte & 0x55 for byte in x[clear:]) for x in (a, b))
    return crc32c(low_half + high_half)
