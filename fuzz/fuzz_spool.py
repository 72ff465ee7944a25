"""Rows that wait on the disk for others, as a damaged disk would give them."""

from __future__ import annotations

from io import BytesIO

from wildbach.base.errors import StorageError
from wildbach.disk.spool import rows_of

_LENGTH = 4
SEEDS: list[bytes] = [
    b"", b"\0\0\0\0", b"\0\0\0\x03row\0\0\0\x01r", b"\0\0\0\x05cut", b"\0\0", b"\xff\xff\xff\xffall",
    b"\0\0\x01\0" + b"r" * 256,
]
TOKENS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x01", b"\x7f\xff\xff\xff"]
ALLOWED = (StorageError,)


def one_input(data: bytes) -> None:
    rows = list(rows_of(BytesIO(data), len(data)))
    assert b"".join(len(row).to_bytes(_LENGTH, "big") + row for row in rows) == data
