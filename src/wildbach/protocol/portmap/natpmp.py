"""NAT-PMP (RFC 6886): asking a router for its external address and for a port, in datagrams of a few bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Final

from wildbach.base.errors import FormatError

PORT: Final = 5351
"Where the router listens, for PCP too."
VERSION: Final = 0
UDP: Final = 1
TCP: Final = 2
_REQUEST = struct.Struct(">BBHHHI")
_HEAD = struct.Struct(">BBHI")
_ADDRESS = struct.Struct(">BBHI4s")
_MAPPING = struct.Struct(">BBHIHHI")
ADDRESS_REQUEST: Final = bytes((VERSION, 0))


class Result(IntEnum):
    """Why a router refuses."""

    SUCCESS = 0
    UNSUPPORTED_VERSION = 1
    NOT_AUTHORIZED = 2
    NETWORK_FAILURE = 3
    OUT_OF_RESOURCES = 4
    UNSUPPORTED_OPCODE = 5


@dataclass(frozen=True, slots=True)
class AddressReply:
    result: int
    epoch: int
    "Seconds since the router started or forgot its mappings."
    address: str
    "Empty where there is an error."


@dataclass(frozen=True, slots=True)
class MappingReply:
    result: int
    epoch: int
    protocol: int
    internal: int
    external: int
    "0 where there is an error."
    lifetime: int
    "Seconds; 0 where it was removed."


Reply = AddressReply | MappingReply


def mapping_request(protocol: int, internal: int, external: int, lifetime: int) -> bytes:
    """Ask for a port of the router, `external` where it can be had. Lifetime 0 removes the mapping; then `external`
    is to be 0.
    """
    return _REQUEST.pack(VERSION, protocol, 0, internal, external, lifetime)


def decode(data: bytes | memoryview) -> Reply:
    """Read a reply. Raises FormatError for what is none."""
    if len(data) < _HEAD.size:
        raise FormatError(f"{len(data)} bytes", where="NAT-PMP")
    version, opcode, result, epoch = _HEAD.unpack_from(data)
    if version != VERSION or opcode < 128:
        raise FormatError("not a reply", where="NAT-PMP")
    opcode -= 128
    if opcode == 0:
        if result:
            return AddressReply(result, epoch, "")
        if len(data) < _ADDRESS.size:
            raise FormatError("too short", where="NAT-PMP")
        return AddressReply(result, epoch, str(IPv4Address(_ADDRESS.unpack_from(data)[4])))
    if opcode not in (UDP, TCP):
        raise FormatError(f"opcode {opcode}", where="NAT-PMP")
    if len(data) < _MAPPING.size:
        if result:
            # Some routers cut a refusal short.
            return MappingReply(result, epoch, opcode, 0, 0, 0)
        raise FormatError("too short", where="NAT-PMP")
    _, _, _, _, internal, external, lifetime = _MAPPING.unpack_from(data)
    if result:
        return MappingReply(result, epoch, opcode, internal, 0, 0)
    if lifetime and not external:
        raise FormatError("a mapping to port 0", where="NAT-PMP")
    return MappingReply(result, epoch, opcode, internal, external, lifetime)


class Epoch:
    """The router's clock: whether it lost its mappings since we heard of it (RFC 6886 3.6, RFC 6887 8.5).

    Both clocks may be an eighth off, and replies are late by a second or so.
    """

    __slots__ = ("_at", "_seen")

    def __init__(self) -> None:
        self._seen: int | None = None
        self._at = 0.0

    def lost(self, epoch: int, now: float) -> bool:
        """Take note of an epoch; True where the router has forgotten what it mapped before."""
        before, at = self._seen, self._at
        self._seen, self._at = epoch, now
        if before is None:
            return False
        if epoch + 1 < before:
            return True
        ours, theirs = now - at, epoch - before
        return ours + 2 < theirs - theirs / 16 or theirs + 2 < ours - ours / 16
