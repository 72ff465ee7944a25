"""The 68 bytes both sides send first (BEP 3), with the flags in their reserved part (BEP 6, 10, 52)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base.errors import RemoteError

LENGTH: Final = 68
PREFIX: Final = b"\x13BitTorrent protocol"

_EXTENSION = (5, 0x10)
_FAST = (7, 0x04)
_DHT = (7, 0x01)
_V2 = (7, 0x10)


@dataclass(frozen=True, slots=True)
class Handshake:
    info_hash: bytes
    "20 bytes: the v1 info hash, or the v2 one cut short (BEP 52)."
    peer_id: bytes
    "20 bytes."
    extension: bool = True
    "Extension protocol (BEP 10)."
    fast: bool = True
    "Fast extension (BEP 6)."
    v2: bool = False
    "Can speak v2; in a v1 swarm: the torrent is a hybrid and may be upgraded (BEP 52)."
    dht: bool = False

    def to_bytes(self) -> bytes:
        reserved = bytearray(8)
        for on, (byte, flag) in (
            (self.extension, _EXTENSION), (self.fast, _FAST), (self.v2, _V2), (self.dht, _DHT),
        ):
            if on:
                reserved[byte] |= flag
        return PREFIX + bytes(reserved) + self.info_hash + self.peer_id


def parse(data: bytes | memoryview) -> Handshake:
    """Read exactly 68 bytes. Raises RemoteError."""
    if len(data) != LENGTH or bytes(data[:20]) != PREFIX:
        raise RemoteError("not a BitTorrent handshake")
    reserved = data[20:28]

    def flag(where: tuple[int, int]) -> bool:
        return bool(reserved[where[0]] & where[1])

    return Handshake(
        bytes(data[28:48]), bytes(data[48:68]),
        extension=flag(_EXTENSION), fast=flag(_FAST), v2=flag(_V2), dht=flag(_DHT),
    )


def plausible(data: bytes | memoryview) -> bool:
    """False as soon as the first bytes cannot become a handshake, so that a stranger is dropped early."""
    return bytes(data[:20]) == PREFIX[: min(len(data), 20)]
