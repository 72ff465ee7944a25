"""The 68 bytes that open a connection, and the client's name in the peer id (BEP 3, 20)."""

from __future__ import annotations

from wildbach.base.errors import RemoteError
from wildbach.protocol.peer_id import client_name
from wildbach.protocol.wire.handshake import Handshake, parse, plausible

SEEDS: list[bytes] = [
    Handshake(bytes(range(20)), b"-WB0100-abcdefghijkl").to_bytes(),
    Handshake(bytes(20), b"M7-10-5--\0\0\0\0\0\0\0\0\0\0\0", fast=False, extension=False).to_bytes(),
    Handshake(bytes(20), b"A310--001v5Gysr4NxNK", v2=True).to_bytes(), b"\x13BitTorrent protocol", b"GET / HTTP/1.1",
]
ALLOWED = (RemoteError,)


def one_input(data: bytes) -> None:
    likely = plausible(data[:68])
    name = client_name(data[48:68])
    assert len(name) <= 64 and name.isprintable()
    theirs = parse(data[:68])
    assert likely
    assert parse(theirs.to_bytes()) == theirs
