"""Peer exchange (BEP 11): the codec, what we tell each peer, and how much of what it tells us we take.

Sender and receiver are one small object each per connection. A PEX message is a difference: every endpoint that was
added is dropped later, and never both in one message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, NamedTuple

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.protocol import bencode

PREFERS_ENCRYPTION: Final = 0x01
SEED: Final = 0x02
"Seed or upload-only."
UTP: Final = 0x04
HOLEPUNCH: Final = 0x08
REACHABLE: Final = 0x10
"We connected to it, so it accepts connections."


class PexPeer(NamedTuple):
    """An endpoint with the flags of BEP 11."""

    endpoint: Endpoint
    flags: int = 0


@dataclass(frozen=True, slots=True)
class PexMessage:
    """One message. `skipped` counts entries above the limit that `decode` was given, which were not read."""

    added: tuple[PexPeer, ...] = ()
    dropped: tuple[Endpoint, ...] = ()
    skipped: int = 0


def encode(message: PexMessage) -> bytes:
    """The payload of a message, without the extended header. Raises ValueError for a host that is no address."""
    added: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    flags: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    dropped: tuple[bytearray, bytearray] = (bytearray(), bytearray())
    for peer in message.added:
        packed = _pack(peer.endpoint)
        six = len(packed) == 18
        added[six].extend(packed)
        flags[six].append(peer.flags & 0xFF)
    for endpoint in message.dropped:
        packed = _pack(endpoint)
        dropped[len(packed) == 18].extend(packed)
    out: dict[bytes, bencode.Value] = {}
    for six, tail in ((False, b""), (True, b"6")):
        # BEP 11 wants at least one of the lists; some clients look for `added` in every message.
        if added[six] or not six:
            out[b"added" + tail] = bytes(added[six])
            out[b"added" + tail + b".f"] = bytes(flags[six])
        if dropped[six]:
            out[b"dropped" + tail] = bytes(dropped[six])
    return bencode.encode(out)


def decode(payload: bytes | memoryview, most: int = limits.PEX_ENTRIES_PER_MINUTE) -> PexMessage:
    """Read a payload: at most `most` added and `most` dropped endpoints.

    Endpoints named twice and port 0 are left out. Raises FormatError where a list is not made of whole entries.
    """
    value, _ = bencode.decode_prefix(bytes(payload), strict=False, depth=4, tokens=100)
    if not isinstance(value, dict):
        raise FormatError("not a dictionary", where="ut_pex")
    added: dict[Endpoint, int] = {}
    dropped: dict[Endpoint, int] = {}
    skipped = 0
    for key, size in ((b"added", 6), (b"added6", 18)):
        raw, flags = _text(value, key), _text(value, key + b".f")
        skipped += _unpack(key, raw, size, flags, added, most)
    for key, size in ((b"dropped", 6), (b"dropped6", 18)):
        skipped += _unpack(key, _text(value, key), size, b"", dropped, most)
    return PexMessage(
        tuple(PexPeer(endpoint, flag) for endpoint, flag in added.items()),
        tuple(endpoint for endpoint in dropped if endpoint not in added),
        skipped,
    )


def _pack(endpoint: Endpoint) -> bytes:
    return ip_address(endpoint.host.partition("%")[0]).packed + endpoint.port.to_bytes(2, "big")


def _text(value: dict[bytes, bencode.Value], key: bytes) -> bytes:
    text = value.get(key, b"")
    if not isinstance(text, bytes):
        raise FormatError("not a string", where="ut_pex." + key.decode("ascii"))
    return text


def _unpack(key: bytes, raw: bytes, size: int, flags: bytes, into: dict[Endpoint, int], most: int) -> int:
    """Read compact entries into a dictionary up to `most` in all; returns how many were left."""
    if len(raw) % size:
        raise FormatError(f"{len(raw)} bytes are not a multiple of {size}", where="ut_pex." + key.decode("ascii"))
    total = len(raw) // size
    for number in range(total):
        if len(into) >= most:
            return total - number
        entry = raw[number * size : (number + 1) * size]
        port = int.from_bytes(entry[-2:], "big")
        if port:
            endpoint = Endpoint(str(ip_address(entry[:-2])), port)
            into.setdefault(endpoint, flags[number] if number < len(flags) else 0)
    return 0


class Recent:
    """Peers that we left although nothing was wrong with them: too many connections, or nothing to exchange.

    Where few are connected each receiver is told of them once (BEP 11, "Filling underpopulated lists"), and that they
    are gone with the next message. In a swarm of seeds nobody would be named otherwise, as seeds do not stay with each
    other.
    """

    __slots__ = ("_left", "number")

    def __init__(self) -> None:
        self.number = 0
        self._left: dict[Endpoint, tuple[int, int]] = {}

    def add(self, endpoint: Endpoint, flags: int) -> None:
        self.number += 1
        self._left.pop(endpoint, None)
        self._left[endpoint] = (self.number, flags)
        same = [known for known in self._left if _six(known) == _six(endpoint)]
        if len(same) > limits.PEX_RECENT:
            del self._left[same[0]]

    def discard(self, endpoint: Endpoint) -> None:
        self._left.pop(endpoint, None)

    def since(self, number: int, connected: Mapping[Endpoint, int]) -> dict[Endpoint, int]:
        """Those left after `number`, of the IP versions that few are connected by."""
        live = [0, 0]
        for endpoint in connected:
            live[_six(endpoint)] += 1
        return {
            endpoint: flags for endpoint, (left, flags) in self._left.items()
            if left > number and live[_six(endpoint)] < limits.PEX_RECENT
        }


def _six(endpoint: Endpoint) -> bool:
    return ":" in endpoint.host


class PexSender:
    """What one peer was told; `message` gives the next difference, at most one a minute."""

    __slots__ = ("_next", "_recent", "_told")

    def __init__(self) -> None:
        self._told: dict[Endpoint, int] = {}
        self._recent = 0
        self._next = float("-inf")

    def due(self, now: float) -> bool:
        """True where a message may go out; asking is cheap."""
        return now >= self._next

    def message(
        self, now: float, connected: Mapping[Endpoint, int], *but: Endpoint, recent: Recent | None = None,
    ) -> PexMessage | None:
        """The next difference, or None while none is due or nothing changed.

        `connected` maps the listening endpoint of every peer whose handshakes are done to its flags; a peer whose
        port is unknown is not in it. `but` names the receiver itself. `recent`: those we left.
        At most 50 endpoints are added and 50 dropped,
        the rest follows a minute later.
        """
        if now < self._next:
            return None
        most = limits.PEX_ENTRIES_PER_MINUTE
        dropped = [endpoint for endpoint in self._told if endpoint not in connected][:most]
        added: list[PexPeer] = []
        named = connected if recent is None else {**connected, **recent.since(self._recent, connected)}
        if recent is not None:
            self._recent = recent.number
        for endpoint, flags in named.items():
            if len(added) == most:
                break
            if endpoint not in self._told and endpoint not in but:
                added.append(PexPeer(endpoint, flags))
        if not added and not dropped:
            return None
        for endpoint in dropped:
            del self._told[endpoint]
        for peer in added:
            self._told[peer.endpoint] = peer.flags
        self._next = now + limits.PEX_INTERVAL_SECONDS
        return PexMessage(tuple(added), tuple(dropped))


class PexReceiver:
    """How much one peer may tell us: 50 endpoints a minute; the rest is skipped.

    Only what no honest client does is a strike: several messages a minute, or very long ones. (Some honest clients send
    100 endpoints at once.)
    """

    __slots__ = ("_budget", "_first", "_minute", "_told", "strikes")

    def __init__(self) -> None:
        self.strikes = 0
        self._budget = 0
        self._first = True
        self._told: dict[Endpoint, None] = {}
        "What it says it is connected to."
        self._minute = float("-inf")

    def receive(self, now: float, payload: bytes | memoryview) -> PexMessage:
        """Read a message; what comes back keeps to the limit of this peer's minute.

        Raises FormatError for a malformed message and RemoteError at the fifth strike. The first message of a
        connection may be long (BEP 11).
        """
        # Clocks and timers differ: a message some seconds early belongs to the next minute.
        early = now < self._minute + 0.75 * limits.PEX_INTERVAL_SECONDS
        if not early:
            self._minute = now
            self._budget = limits.PEX_ENTRIES_PER_MINUTE
        message = decode(payload, self._budget)
        self._budget -= max(len(message.added), len(message.dropped))
        if early or (message.skipped > 3 * limits.PEX_ENTRIES_PER_MINUTE and not self._first):
            self.strikes += 1
            if self.strikes >= limits.PEX_STRIKES:
                raise RemoteError("floods peer exchange", where="ut_pex", strikes=self.strikes)
        self._first = False
        for endpoint in message.dropped:
            self._told.pop(endpoint, None)
        return replace(message, added=tuple(self._believed(message.added)))

    def _believed(self, added: tuple[PexPeer, ...]) -> list[PexPeer]:
        """One endpoint of each address, as BEP 11 wants, and not more than one peer can be connected to in earnest:
        nobody shall be the only source of whom we call.
        """
        hosts: dict[str, None] = {}
        believed = []
        for peer in added:
            host = peer.endpoint.host
            if host in hosts and classify(host) is not Reach.LOCAL:
                continue
            if peer.endpoint not in self._told:
                if len(self._told) >= limits.PEX_KNOWN_PER_PEER:
                    continue
                self._told[peer.endpoint] = None
            hosts[host] = None
            believed.append(peer)
        return believed
