"""Compact endpoints (BEP 7, 23): what is read is written back as the same endpoints."""

from __future__ import annotations

from wildbach.protocol import compact

SEEDS: list[bytes] = [
    bytes([1, 2, 3, 4, 0, 80, 9, 8, 7, 6, 0xFF, 0xFF]), bytes(6), bytes(range(18)) * 2, b"\0" * 10 + b"\xff" * 8,
    bytes(17), b"",
]
ALLOWED: tuple[type[Exception], ...] = ()


def one_input(data: bytes) -> None:
    four, six = compact.decode_v4(data), compact.decode_v6(data)
    assert len(four) <= len(data) // 6 and len(six) <= len(data) // 18
    raw4, raw6 = compact.encode_all([*four, *six])
    again = [*compact.decode_v4(raw4), *compact.decode_v6(raw6)]
    assert sorted(again) == sorted([*four, *six])
    host = compact.unpack_host(data)
    assert (host is not None) == (len(data) in (4, 16))
