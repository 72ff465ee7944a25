"""Packets of uTP, and a stream that gets them."""

from __future__ import annotations

from wildbach.base.errors import FormatError
from wildbach.protocol.utp import packet as wire
from wildbach.protocol.utp.door import Door
from wildbach.protocol.utp.stream import Stream

SEEDS: list[bytes] = [
    wire.header(wire.SYN, 7, 1, 0, 0, 1, 0), wire.state(7, 1, 2, 3, 100, 1, 0b1011),
    wire.header(wire.DATA, 7, 1, 2, 3, 101, 1) + b"hello", wire.header(wire.FIN, 7, 1, 2, 3, 102, 1),
    wire.header(wire.RESET, 7, 1, 2, 3, 103, 1), wire.state(7, 1, 2, 3, 100, 1, 1 << 900),
]
TOKENS = [b"\x01\x04\xff\xff\xff\xff", b"\x21\x01", b"\x41\x00"]
ALLOWED = (FormatError,)
_ADDRESS = ("8.8.8.8", 6881)


def one_input(data: bytes) -> None:
    packet = wire.parse(data)
    open_ = Stream(7, 8, 1, 0.0, ack=100)
    open_.write(b"x" * 5000)
    open_.transmit(0.1)
    for now in (0.2, 0.3):
        open_.received(packet, now)
    calling = Stream(7, 8, 1, 0.0)
    calling.transmit(0.0)
    calling.received(packet, 0.1)
    for stream in (open_, calling):
        stream.tick(1.0)
        stream.transmit(1.0)
    door = Door()
    if packet.kind == wire.SYN:
        door.called(_ADDRESS, packet, 5, 0.0)
    door.proven(_ADDRESS, packet, 0.1)
    door.turned_away(packet, 5, 0.2)
