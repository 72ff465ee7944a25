"""lt_donthave (BEP 54) and upload_only payloads."""

from __future__ import annotations

from contextlib import suppress

from wildbach.base.errors import FormatError
from wildbach.protocol.ext import donthave, handshake

SEEDS: list[bytes] = [donthave.encode(0), donthave.encode(999), b"\xff\xff\xff\xff", b"", b"\0", b"\1", bytes(5)]


def one_input(data: bytes) -> None:
    with suppress(FormatError):
        assert handshake.decode_upload_only(data) in (True, False)
    piece = donthave.decode(data, 1000)
    assert 0 <= piece < 1000 and donthave.encode(piece) == data
