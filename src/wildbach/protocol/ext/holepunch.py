"""Hole punching (BEP 55): the codec of `ut_holepunch`, and what may be relayed.

Whoever cannot be called asks a peer that both are connected to; that one tells each where the other is, and both call
at the same time by uTP, so that each router sees its own side call first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from wildbach.base import addresses
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint


class Kind(IntEnum):
    RENDEZVOUS = 0
    "To the relay: make us and the named peer call each other."
    CONNECT = 1
    "From the relay: call this endpoint now."
    ERROR = 2
    "From the relay: that cannot be."


class Refusal(IntEnum):
    """Why a relay refuses."""

    NO_SUCH_PEER = 1
    NOT_CONNECTED = 2
    NO_SUPPORT = 3
    NO_SELF = 4


@dataclass(frozen=True, slots=True)
class Message:
    kind: Kind
    endpoint: Endpoint
    "The other peer: whom to meet, whom to call, or who cannot be met."
    error: int = 0
    "Of an ERROR: a `Refusal`, or what another program made up."


def encode(message: Message) -> bytes:
    """The payload, without the extended header. Raises ValueError for a host that is no address."""
    address = addresses.parse(message.endpoint.host)
    if address is None:
        raise ValueError(f"not an address: {message.endpoint.host!r}")
    return (
        bytes((message.kind, address.version == 6)) + address.packed + message.endpoint.port.to_bytes(2, "big")
        + message.error.to_bytes(4, "big")
    )


def decode(payload: bytes | memoryview) -> Message:
    """Read a payload. Raises FormatError. The error code may be missing where there is no error, as many programs
    leave it out.
    """
    if len(payload) < 8 or payload[0] > Kind.ERROR or payload[1] > 1:
        raise FormatError("not a message", where="ut_holepunch")
    kind, size = Kind(payload[0]), 16 if payload[1] else 4
    rest = bytes(payload[2 + size :])
    if len(rest) not in (2, 6) or (kind is Kind.ERROR and len(rest) != 6):
        raise FormatError(f"{len(payload)} bytes", where="ut_holepunch")
    raw = bytes(payload[2 : 2 + size])
    address: IPv4Address | IPv6Address = IPv6Address(raw) if size == 16 else IPv4Address(raw)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    error = int.from_bytes(rest[2:], "big") if kind is Kind.ERROR else 0
    return Message(kind, Endpoint(str(address), int.from_bytes(rest[:2], "big")), error)
