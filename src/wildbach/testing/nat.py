"""Routers that translate addresses, for the simulated network: what they let in, and for how long.

The kinds are those people have at home (RFC 3489's names): they differ in who may answer through a mapping, and in
whether one mapping serves all remotes. Datagrams and streams are translated apart; streams by uTP are datagrams.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Final

from wildbach.base.ids import Endpoint

UDP_SECONDS: Final = 30.0
"What cheap routers give a quiet UDP mapping."
TCP_SECONDS: Final = 7200.0


class NatKind(StrEnum):
    FULL_CONE = "full cone"
    "Anybody may use a mapping once it is there."
    ADDRESS_RESTRICTED = "address restricted"
    "Hosts that were sent something."
    PORT_RESTRICTED = "port restricted"
    "Endpoints that were sent something."
    SYMMETRIC = "symmetric"
    "Endpoints that were sent something, and each has a mapping of its own."


@dataclass(slots=True)
class _Mapping:
    inner: Endpoint
    port: int
    used: float
    allowed: dict[Endpoint, float] = field(default_factory=dict)
    "Who was sent something, and when."


class Nat:
    """One router with one public address. Ports are given in turn; `forward` opens one for good, as port mapping does.
    """

    def __init__(
        self, address: str, kind: NatKind, *, udp_seconds: float = UDP_SECONDS, tcp_seconds: float = TCP_SECONDS,
    ) -> None:
        self.address = address
        self.kind = kind
        self.refused = 0
        "What came from outside and was not let in."
        self._seconds = {"udp": udp_seconds, "tcp": tcp_seconds}
        self._out: dict[tuple[str, Endpoint, Endpoint | None], _Mapping] = {}
        self._in: dict[tuple[str, int], _Mapping] = {}
        self._forwarded: dict[tuple[str, int], Endpoint] = {}
        self._ports = count(40_000)

    def forward(self, protocol: str, port: int, inner: Endpoint) -> None:
        """Pass a public port on to a machine inside."""
        self._forwarded[protocol, port] = inner

    def outward(self, protocol: str, inner: Endpoint, remote: Endpoint, now: float) -> Endpoint:
        """Something leaves: the endpoint it seems to come from."""
        for (kind, port), target in self._forwarded.items():
            if kind == protocol and target == inner:
                return Endpoint(self.address, port)
        key = (protocol, inner, remote if self.kind is NatKind.SYMMETRIC else None)
        mapping = self._out.get(key)
        if mapping is None or now - mapping.used > self._seconds[protocol]:
            if mapping is not None:
                self._in.pop((protocol, mapping.port), None)
            mapping = self._out[key] = _Mapping(inner, next(self._ports), now)
            self._in[protocol, mapping.port] = mapping
        mapping.used = now
        mapping.allowed[remote] = now
        return Endpoint(self.address, mapping.port)

    def inward(self, protocol: str, port: int, remote: Endpoint, now: float) -> Endpoint | None:
        """Something comes in: the machine inside that gets it, or None where it is dropped."""
        if (protocol, port) in self._forwarded:
            return self._forwarded[protocol, port]
        mapping = self._in.get((protocol, port))
        seconds = self._seconds[protocol]
        if mapping is None or now - mapping.used > seconds or not self._lets_in(mapping, remote, now - seconds):
            self.refused += 1
            return None
        return mapping.inner

    def _lets_in(self, mapping: _Mapping, remote: Endpoint, since: float) -> bool:
        if self.kind is NatKind.FULL_CONE:
            return True
        if self.kind is NatKind.ADDRESS_RESTRICTED:
            return any(sent.host == remote.host and at >= since for sent, at in mapping.allowed.items())
        return mapping.allowed.get(remote, since - 1.0) >= since
