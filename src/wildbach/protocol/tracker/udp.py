"""Datagrams of the UDP tracker protocol, both sides (BEP 15), with URL data (BEP 41).

The exchanges built of them are in `udpclient`. Requests are read by the server, replies by the client; each reader
raises FormatError for what does not follow the format and never looks beyond the datagram.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol import compact
from wildbach.protocol.tracker.announce import (
    AnnounceReply,
    AnnounceRequest,
    Event,
    ScrapeStats,
    TrackerFailure,
    clamp_interval,
    clean_peers,
    clean_text,
)

MAGIC = 0x41727101980
"The connection id of a connect request."
SCRAPE_MAX = 74
"Info hashes in one scrape."
_URL_DATA = 2
_NOP = 1
_END = 0

_CONNECT = struct.Struct(">QII")
_CONNECTED = struct.Struct(">IIQ")
_HEAD = struct.Struct(">QII")
_ANNOUNCE = struct.Struct(">QII20s20sQQQIIIiH")
_ANNOUNCED = struct.Struct(">IIIII")
_REPLY = struct.Struct(">II")
_NUMBERS = struct.Struct(">III")
_U64 = 2**64 - 1


class Action(IntEnum):
    """What a datagram is."""

    CONNECT = 0
    ANNOUNCE = 1
    SCRAPE = 2
    ERROR = 3


# requests


def connect_request(transaction: int) -> bytes:
    return _CONNECT.pack(MAGIC, Action.CONNECT, transaction)


def announce_request(connection: int, transaction: int, request: AnnounceRequest) -> bytes:
    """The IP field stays 0: the tracker is to use the address it sees."""
    event = Event.NONE if request.event is Event.PAUSED else request.event
    return _ANNOUNCE.pack(
        connection, Action.ANNOUNCE, transaction, request.info_hash, request.peer_id,
        min(request.downloaded, _U64), min(request.left, _U64), min(request.uploaded, _U64),
        event, 0, request.key & 0xFFFFFFFF, max(-1, min(request.numwant, 2**31 - 1)), request.port,
    ) + url_options(request.url)


def scrape_request(connection: int, transaction: int, info_hashes: tuple[bytes, ...]) -> bytes:
    return _HEAD.pack(connection, Action.SCRAPE, transaction) + b"".join(info_hashes[:SCRAPE_MAX])


def url_options(url: str) -> bytes:
    """BEP 41: the path and query of the tracker's URL, in parts of up to 255 bytes; nothing for a bare host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return b""
    data = (parts.path + (f"?{parts.query}" if parts.query else "")).encode("utf-8", "replace")
    if data in (b"", b"/"):
        return b""
    chunks = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes((_URL_DATA, len(chunk))) + chunk for chunk in chunks) + bytes((_END,))


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    transaction: int


@dataclass(frozen=True, slots=True)
class UdpAnnounce:
    """An announce as a server reads it. The IP field of the datagram is ignored on purpose."""

    connection: int
    transaction: int
    info_hash: bytes
    peer_id: bytes
    downloaded: int
    left: int
    uploaded: int
    event: Event
    key: int
    numwant: int
    port: int
    url_data: bytes
    "Path and query of the URL the client was given (BEP 41); empty where it did not say."


@dataclass(frozen=True, slots=True)
class UdpScrape:
    connection: int
    transaction: int
    info_hashes: tuple[bytes, ...]


Request = ConnectRequest | UdpAnnounce | UdpScrape


def parse_request(data: bytes) -> Request:
    """Read a client's datagram. Raises FormatError."""
    if len(data) < _HEAD.size:
        raise FormatError("shorter than any request", where="datagram")
    connection, action, transaction = _HEAD.unpack_from(data)
    if action == Action.CONNECT:
        if connection != MAGIC:
            raise FormatError("wrong magic", where="connect")
        return ConnectRequest(transaction)
    if action == Action.ANNOUNCE:
        if len(data) < _ANNOUNCE.size:
            raise FormatError("too short", where="announce")
        (_, _, _, info_hash, peer_id, downloaded, left, uploaded, event, _ip, key, numwant, port) = (
            _ANNOUNCE.unpack_from(data)
        )
        if event > Event.STOPPED:
            raise FormatError("not an event", where="announce")
        return UdpAnnounce(
            connection, transaction, info_hash, peer_id, downloaded, left, uploaded, Event(event), key, numwant, port,
            parse_options(data[_ANNOUNCE.size :]),
        )
    if action == Action.SCRAPE:
        body = data[_HEAD.size :]
        if not body or len(body) % 20:
            raise FormatError("not whole info hashes", where="scrape")
        hashes = tuple(body[at : at + 20] for at in range(0, min(len(body), SCRAPE_MAX * 20), 20))
        return UdpScrape(connection, transaction, hashes)
    raise FormatError(f"no action {action}", where="datagram")


def parse_options(data: bytes) -> bytes:
    """The URL data among BEP 41 options. Raises FormatError where an option ends behind the datagram."""
    out = []
    at = 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind == _END:
            break
        if kind == _NOP:
            continue
        if at >= len(data) or at + 1 + data[at] > len(data):
            raise FormatError("an option is longer than the datagram", where="announce")
        if kind == _URL_DATA:
            out.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(out)


# replies


def connect_reply(transaction: int, connection: int) -> bytes:
    return _CONNECTED.pack(Action.CONNECT, transaction, connection)


def announce_reply(transaction: int, interval: int, leeches: int, seeds: int, peers: bytes) -> bytes:
    """`peers` is compact: 6 bytes each to a client that came by IPv4, 18 to one that came by IPv6."""
    return _ANNOUNCED.pack(Action.ANNOUNCE, transaction, interval, leeches, seeds) + peers


def scrape_reply(transaction: int, stats: list[ScrapeStats]) -> bytes:
    return _REPLY.pack(Action.SCRAPE, transaction) + b"".join(
        _NUMBERS.pack(s.seeds, s.downloaded, s.leeches) for s in stats
    )


def error_reply(transaction: int, message: str) -> bytes:
    return _REPLY.pack(Action.ERROR, transaction) + message.encode()


def parse_head(data: bytes) -> tuple[int, int] | None:
    """Action and transaction of what may be a tracker's reply, else None."""
    if len(data) < _REPLY.size:
        return None
    action, transaction = _REPLY.unpack_from(data)
    return (action, transaction) if action <= Action.ERROR else None


def parse_connect_reply(data: bytes) -> int:
    """The connection id. Raises FormatError, or TrackerFailure where the reply is an error."""
    _expect(data, Action.CONNECT, _CONNECTED.size)
    connection: int = _CONNECTED.unpack_from(data)[2]
    return connection


def parse_announce_reply(data: bytes, family: int) -> AnnounceReply:
    """`family` is the IP version the reply came by, 4 or 6. Raises FormatError or TrackerFailure."""
    _expect(data, Action.ANNOUNCE, _ANNOUNCED.size)
    _, _, interval, leeches, seeds = _ANNOUNCED.unpack_from(data)
    rest = data[_ANNOUNCED.size :]
    peers: list[Endpoint] = compact.decode_v6(rest) if family == 6 else compact.decode_v4(rest)
    return AnnounceReply(
        peers=clean_peers(peers), interval=clamp_interval(interval), seeds=_count(seeds), leeches=_count(leeches)
    )


def parse_scrape_reply(data: bytes, info_hashes: tuple[bytes, ...]) -> dict[bytes, ScrapeStats]:
    """The numbers by info hash, in the order they were asked. Raises FormatError or TrackerFailure."""
    _expect(data, Action.SCRAPE, _REPLY.size)
    out = {}
    for number, info_hash in enumerate(info_hashes[:SCRAPE_MAX]):
        at = _REPLY.size + number * _NUMBERS.size
        if at + _NUMBERS.size > len(data):
            raise FormatError("fewer swarms than were asked for", where="scrape reply")
        seeds, downloaded, leeches = _NUMBERS.unpack_from(data, at)
        out[info_hash] = ScrapeStats(_count(seeds), _count(leeches), _count(downloaded))
    return out


def _expect(data: bytes, action: Action, size: int) -> None:
    head = parse_head(data)
    if head is None:
        raise FormatError("not a tracker's reply", where="datagram")
    if head[0] == Action.ERROR:
        raise TrackerFailure(clean_text(data[_REPLY.size :]))
    if head[0] != action:
        raise FormatError(f"action {head[0]} where {int(action)} was asked", where="datagram")
    if action is Action.ANNOUNCE and len(data) == _REPLY.size:
        # What opentracker says of a torrent that is not in its list.
        raise TrackerFailure("the tracker does not serve this torrent")
    if len(data) < size:
        raise FormatError("too short", where="datagram")


def _count(value: int) -> int:
    return min(value, 2**31 - 1)
