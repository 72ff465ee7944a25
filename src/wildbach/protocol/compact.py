"""Endpoints as trackers, PEX and the DHT write them: 6 bytes for IPv4 (BEP 23), 18 for IPv6 (BEP 7), big-endian."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from wildbach.base import addresses
from wildbach.base.ids import Endpoint

SIZE_V4 = 6
SIZE_V6 = 18


def decode_v4(data: bytes | memoryview) -> list[Endpoint]:
    """Every whole 6-byte entry of `data`; a rest is ignored, and so is port 0."""
    out = []
    for at in range(0, len(data) - SIZE_V4 + 1, SIZE_V4):
        a, b, c, d, high, low = data[at : at + SIZE_V4]
        if high or low:
            out.append(Endpoint(f"{a}.{b}.{c}.{d}", high << 8 | low))
    return out


def decode_v6(data: bytes | memoryview) -> list[Endpoint]:
    """Every whole 18-byte entry of `data`; a rest and port 0 are ignored. Wrapped IPv4 addresses are unwrapped."""
    out = []
    for at in range(0, len(data) - SIZE_V6 + 1, SIZE_V6):
        port = data[at + 16] << 8 | data[at + 17]
        if port:
            address = IPv6Address(bytes(data[at : at + 16]))
            out.append(Endpoint(str(address.ipv4_mapped or address), port))
    return out


def encode(endpoint: Endpoint) -> bytes:
    """One entry: 6 bytes for IPv4, 18 for IPv6. Raises ValueError where `host` is no literal address."""
    return pack_host(endpoint.host) + endpoint.port.to_bytes(2, "big")


def encode_all(endpoints: Iterable[Endpoint]) -> tuple[bytes, bytes]:
    """The IPv4 entries and the IPv6 entries, joined."""
    parts = [encode(endpoint) for endpoint in endpoints]
    return b"".join(p for p in parts if len(p) == SIZE_V4), b"".join(p for p in parts if len(p) == SIZE_V6)


def pack_host(host: str) -> bytes:
    """4 or 16 bytes. Raises ValueError where `host` is no literal address."""
    address = addresses.parse(host)
    if address is None:
        raise ValueError(f"not an address: {host!r}")
    return address.packed


def unpack_host(raw: bytes) -> str | None:
    """The address of 4 or 16 bytes, else None."""
    if len(raw) == 4:
        return str(IPv4Address(raw))
    if len(raw) == 16:
        address = IPv6Address(raw)
        return str(address.ipv4_mapped or address)
    return None
