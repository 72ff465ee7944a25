"""Small databases of countries (MaxMind DB 2.0), made for a test."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

_SEPARATOR = bytes(16)
_MARKER = b"\xab\xcd\xefMaxMind.com"


def database(records: Mapping[str, Any]) -> bytes:
    """`records` by network; IPv4 ones lie at ::/96, as everywhere."""
    nodes: list[list[tuple[str, int] | None]] = [[None, None]]
    data = b""
    for text, record in records.items():
        network = ip_network(text)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[:network.prefixlen]
        if network.version == 4:
            bits = "0" * 96 + bits
        here = 0
        for bit in map(int, bits[:-1]):
            found = nodes[here][bit]
            if found is None:
                nodes.append([None, None])
                found = nodes[here][bit] = ("node", len(nodes) - 1)
            here = found[1]
        nodes[here][int(bits[-1])] = ("data", len(data))
        data += _encode(record)
    tree = b""
    for node in nodes:
        for side in node:
            value = len(nodes) if side is None else side[1] if side[0] == "node" else len(nodes) + 16 + side[1]
            tree += value.to_bytes(3, "big")
    about = {
        "node_count": len(nodes), "record_size": 24, "ip_version": 6, "database_type": "country", "languages": [],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1, "description": {},
    }
    return tree + _SEPARATOR + data + _MARKER + _encode(about)


def _encode(value: Any) -> bytes:
    match value:
        case str():
            return bytes([2 << 5 | len(value)]) + value.encode()
        case dict():
            return bytes([7 << 5 | len(value)]) + b"".join(_encode(k) + _encode(v) for k, v in value.items())
        case list():
            return bytes([len(value), 11 - 7]) + b"".join(map(_encode, value))
        case int():
            raw = value.to_bytes(4, "big").lstrip(b"\0")
            return bytes([6 << 5 | len(raw)]) + raw
    raise TypeError(value)
