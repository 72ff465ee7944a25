"""PCP (RFC 6887): the MAP and ANNOUNCE requests, for IPv4 ports of a router and for holes in its IPv6 firewall."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address
from typing import Final

from wildbach.base import addresses
from wildbach.base.errors import FormatError

VERSION: Final = 2
ANNOUNCE: Final = 0
MAP: Final = 1
UDP: Final = 17
TCP: Final = 6
NONCE_BYTES: Final = 12
MOST_BYTES: Final = 1100
_RESPONSE: Final = 0x80
_REQUEST_HEAD = struct.Struct(">BBHI16s")
_REPLY_HEAD = struct.Struct(">BBxBII12x")
_MAP = struct.Struct(">12sB3xHH16s")


class Result(IntEnum):
    """Why a router refuses."""

    SUCCESS = 0
    UNSUPP_VERSION = 1
    NOT_AUTHORIZED = 2
    MALFORMED_REQUEST = 3
    UNSUPP_OPCODE = 4
    UNSUPP_OPTION = 5
    MALFORMED_OPTION = 6
    NETWORK_FAILURE = 7
    NO_RESOURCES = 8
    UNSUPP_PROTOCOL = 9
    USER_EX_QUOTA = 10
    CANNOT_PROVIDE_EXTERNAL = 11
    ADDRESS_MISMATCH = 12
    EXCESSIVE_REMOTE_PEERS = 13


@dataclass(frozen=True, slots=True)
class Mapping:
    """The part of a MAP reply that says what there is."""

    nonce: bytes
    protocol: int
    internal: int
    external: int
    address: str
    "The external address; empty where there is an error."


@dataclass(frozen=True, slots=True)
class Reply:
    opcode: int
    result: int
    lifetime: int
    "Seconds; in an error, how long it will last."
    epoch: int
    mapping: Mapping | None = None


def _packed(host: str) -> bytes:
    address = addresses.parse(host)
    if address is None:
        raise ValueError(f"not an address: {host!r}")
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def _host(raw: bytes) -> str:
    address = IPv6Address(raw)
    return str(address.ipv4_mapped or address)


def announce_request(client: str) -> bytes:
    """Ask whether the router speaks PCP, and how old what it knows is. `client`: our address towards it."""
    return _REQUEST_HEAD.pack(VERSION, ANNOUNCE, 0, 0, _packed(client))


def map_request(
    client: str, nonce: bytes, protocol: int, internal: int, *, external: int = 0, address: str = "",
    lifetime: int,
) -> bytes:
    """Ask for a port; `external` and `address` are what we would like. Lifetime 0 removes the mapping, which takes
    the nonce it was made with.
    """
    six = ":" in client
    wished = address or ("::" if six else "0.0.0.0")
    return _REQUEST_HEAD.pack(VERSION, MAP, 0, lifetime, _packed(client)) + _MAP.pack(
        nonce, protocol, internal, external, _packed(wished)
    )


def decode(data: bytes | memoryview) -> Reply:
    """Read a reply. An answer of NAT-PMP, version 0, says that the router is too old: UNSUPP_VERSION.

    Raises FormatError for what is no reply.
    """
    if len(data) > MOST_BYTES or len(data) < 4:
        raise FormatError(f"{len(data)} bytes", where="PCP")
    if not data[1] & _RESPONSE:
        raise FormatError("not a reply", where="PCP")
    opcode = data[1] & 0x7F
    if data[0] != VERSION:
        if data[0] and data[3] != Result.UNSUPP_VERSION:
            raise FormatError(f"version {data[0]}", where="PCP")
        return Reply(opcode, Result.UNSUPP_VERSION, 0, 0)
    if len(data) < _REPLY_HEAD.size:
        raise FormatError("too short", where="PCP")
    _, _, result, lifetime, epoch = _REPLY_HEAD.unpack_from(data)
    if opcode != MAP or len(data) < _REPLY_HEAD.size + _MAP.size:
        if opcode == MAP and not result:
            raise FormatError("too short", where="PCP")
        return Reply(opcode, result, lifetime, epoch)
    nonce, protocol, internal, external, address = _MAP.unpack_from(data, _REPLY_HEAD.size)
    if not result and lifetime and not external:
        raise FormatError("a mapping to port 0", where="PCP")
    found = Mapping(nonce, protocol, internal, external, "" if result else _host(address))
    return Reply(opcode, result, lifetime, epoch, found)
