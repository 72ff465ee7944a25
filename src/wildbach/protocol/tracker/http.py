"""Announce and scrape over HTTP: URLs and bencoded bodies, both sides (BEP 3, 7, 21, 23, 24, 31, 48).

Nothing here fetches. A body is at most TRACKER_BODY_BYTES long when it comes here, so every parse is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from wildbach.base import addresses, limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import Endpoint
from wildbach.protocol import bencode, compact
from wildbach.protocol.bencode import Value
from wildbach.protocol.tracker.announce import (
    NEVER,
    AnnounceReply,
    AnnounceRequest,
    Event,
    ScrapeReply,
    ScrapeStats,
    TrackerFailure,
    clamp_interval,
    clamp_min_interval,
    clean_peers,
    clean_text,
)

_DEPTH = 8
_TOKENS = 200_000
_COUNT_MAX = 2**31 - 1


def announce_url(request: AnnounceRequest) -> str:
    """The URL to fetch. A query the tracker's URL already has is kept in front (passkeys stand there)."""
    parts = [
        f"info_hash={quote_from_bytes(request.info_hash, safe='')}",
        f"peer_id={quote_from_bytes(request.peer_id, safe='')}",
        f"port={request.port}",
        f"uploaded={request.uploaded}",
        f"downloaded={request.downloaded}",
        f"left={request.left}",
        f"key={request.key:08X}",
        f"numwant={request.numwant}",
        "compact=1",
        "no_peer_id=1",
    ]
    if request.event is not Event.NONE:
        parts.append(f"event={request.event.word}")
    if request.tracker_id:
        parts.append(f"trackerid={quote_from_bytes(request.tracker_id, safe='')}")
    return _extend(request.url, parts)


def scrape_base(url: str) -> str | None:
    """The scrape URL of an announce URL, or None where the tracker has none (BEP 48).

    The text behind the path's last slash must begin with `announce`; that word becomes `scrape`.
    """
    head, mark, query = url.partition("#")[0].partition("?")
    folder, slash, last = head.rpartition("/")
    if not slash or not last.startswith("announce") or folder.endswith("/"):
        return None
    return f"{folder}/scrape{last.removeprefix('announce')}{mark}{query}"


def scrape_url(url: str, info_hashes: Sequence[bytes]) -> str | None:
    """The URL that asks for these swarms, or None where the tracker cannot be scraped."""
    base = scrape_base(url)
    if base is None:
        return None
    return _extend(base, [f"info_hash={quote_from_bytes(h, safe='')}" for h in info_hashes])


def _extend(url: str, parts: list[str]) -> str:
    base = url.partition("#")[0]
    if "?" not in base:
        join = "?"
    else:
        join = "" if base.endswith(("?", "&")) else "&"
    return base + join + "&".join(parts)


def parse_announce(body: bytes) -> AnnounceReply:
    """Read the reply to an announce. Raises TrackerFailure for a refusal, FormatError for what is no reply."""
    reply = _reply(body)
    peers = _peers(reply.get(b"peers"))
    peers6 = reply.get(b"peers6")
    if isinstance(peers6, bytes):
        peers += compact.decode_v6(peers6[: limits.TRACKER_PEERS * compact.SIZE_V6])
    elif peers6 is not None:
        peers += _peers(peers6)
    seen = reply.get(b"external ip")
    tracker_id = reply.get(b"tracker id")
    warning = reply.get(b"warning message")
    return AnnounceReply(
        peers=clean_peers(peers),
        interval=clamp_interval(_integer(reply, b"interval")),
        min_interval=clamp_min_interval(_integer(reply, b"min interval")),
        seeds=_count(reply, b"complete"),
        leeches=_count(reply, b"incomplete"),
        downloaded=_count(reply, b"downloaded"),
        warning=clean_text(warning) if isinstance(warning, bytes) else "",
        tracker_id=tracker_id[: limits.TRACKER_ID_BYTES] if isinstance(tracker_id, bytes) else b"",
        external_ip=_address(seen) if isinstance(seen, bytes) else None,
    )


def parse_scrape(body: bytes) -> ScrapeReply:
    """Read the reply to a scrape. Raises TrackerFailure for a refusal, FormatError for what is no reply."""
    files = _reply(body).get(b"files")
    if not isinstance(files, dict):
        raise FormatError("is missing or not a dictionary", where="files")
    stats = {}
    for key, value in files.items():
        if len(key) == 20 and isinstance(value, dict):
            stats[key] = ScrapeStats(
                _count(value, b"complete") or 0, _count(value, b"incomplete") or 0, _count(value, b"downloaded") or 0
            )
    return ScrapeReply(stats)


def _reply(body: bytes) -> dict[bytes, Value]:
    if len(body) > limits.TRACKER_BODY_BYTES:
        raise LimitError("longer than TRACKER_BODY_BYTES", where="reply")
    # Line ends behind the dictionary and keys out of order are common among trackers and harm nobody.
    value, _ = bencode.decode_prefix(body, strict=False, depth=_DEPTH, tokens=_TOKENS)
    if not isinstance(value, dict):
        raise FormatError("not a dictionary", where="reply")
    reason = value.get(b"failure reason")
    if reason is not None:
        text = clean_text(reason) if isinstance(reason, bytes) else ""
        raise TrackerFailure(text, retry_in=_retry_in(value.get(b"retry in")))
    return value


def _retry_in(value: Value | None) -> float | None:
    """BEP 31: whole minutes, or the word `never`. Some trackers send the number as a string."""
    if value == b"never":
        return NEVER
    if isinstance(value, bytes) and value.isdigit() and len(value) <= 9:
        value = int(value)
    if isinstance(value, int) and value > 0:
        return min(value, limits.TRACKER_RETRY_MINUTES_MAX) * 60.0
    return None


def _peers(value: Value | None) -> list[Endpoint]:
    if value is None:
        return []
    if isinstance(value, bytes):
        return compact.decode_v4(value[: limits.TRACKER_PEERS * compact.SIZE_V4])
    if not isinstance(value, list):
        raise FormatError("neither a string nor a list", where="peers")
    out = []
    for item in value[: limits.TRACKER_PEERS]:
        if isinstance(item, dict):
            host, port = item.get(b"ip"), item.get(b"port")
            if isinstance(host, bytes) and isinstance(port, int) and 0 < port < 65536 and len(host) <= 45:
                # Only literal addresses: a name here would make us resolve whatever a tracker likes.
                address = addresses.parse(host.decode("ascii", "replace"))
                if address is not None:
                    out.append(Endpoint(str(address), port))
    return out


def _address(raw: bytes) -> str | None:
    """BEP 24 says 4 or 16 raw bytes; some trackers write text."""
    if len(raw) in (4, 16):
        return compact.unpack_host(raw)
    address = addresses.parse(raw[:45].decode("ascii", "replace"))
    return None if address is None else str(address)


def _integer(reply: dict[bytes, Value], key: bytes) -> int | None:
    value = reply.get(key)
    if isinstance(value, bytes) and value.isdigit() and len(value) <= 9:
        return int(value)
    return value if isinstance(value, int) else None


def _count(reply: dict[bytes, Value], key: bytes) -> int | None:
    value = _integer(reply, key)
    return None if value is None or value < 0 else min(value, _COUNT_MAX)


# the tracker's side


@dataclass(frozen=True, slots=True)
class Announced:
    """An announce as a tracker reads it. `ip` is not among the fields: the address is the one it came from."""

    info_hash: bytes
    peer_id: bytes
    port: int
    uploaded: int
    downloaded: int
    left: int
    event: Event
    numwant: int
    "-1 where the peer did not say."
    compact: bool = True
    "False where the peer asked for a list of dictionaries (BEP 23)."


_EVENTS = {event.word: event for event in Event}


def parse_query(query: str) -> dict[str, list[bytes]]:
    """Split a raw query string; values are percent-decoded bytes. Raises LimitError where it is too long."""
    if len(query) > limits.TRACKER_SERVER_QUERY_BYTES:
        raise LimitError("longer than TRACKER_SERVER_QUERY_BYTES", where="query")
    out: dict[str, list[bytes]] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            out.setdefault(name, []).append(unquote_to_bytes(value.replace("+", " ")))
    return out


def parse_announce_query(query: str) -> Announced:
    """Read the query of an announce. Raises FormatError that names the parameter."""
    values = parse_query(query)
    port = _number(values, "port", 0)
    if port > 65535:
        raise FormatError("above 65535", where="port")
    event = values.get("event", [b""])[0].decode("ascii", "replace")
    if event == "empty":
        event = ""
    if event not in _EVENTS:
        raise FormatError("not an event", where="event")
    return Announced(
        info_hash=_twenty(values, "info_hash"),
        peer_id=_twenty(values, "peer_id"),
        port=port,
        uploaded=_number(values, "uploaded", 0),
        downloaded=_number(values, "downloaded", 0),
        left=_number(values, "left", 1),
        event=_EVENTS[event],
        numwant=_number(values, "numwant", -1),
        compact=values.get("compact") != [b"0"],
    )


def parse_scrape_query(query: str) -> tuple[bytes, ...]:
    """The hashes a scrape asks for, at most TRACKER_SERVER_SCRAPE of them. Raises FormatError."""
    hashes = parse_query(query).get("info_hash", [])
    if not hashes:
        raise FormatError("is missing: this tracker lists no swarms it was not asked for", where="info_hash")
    if any(len(h) != 20 for h in hashes):
        raise FormatError("not 20 bytes", where="info_hash")
    return tuple(hashes[: limits.TRACKER_SERVER_SCRAPE])


def _twenty(values: dict[str, list[bytes]], name: str) -> bytes:
    found = values.get(name)
    if not found:
        raise FormatError("is missing", where=name)
    if len(found[0]) != 20:
        raise FormatError("not 20 bytes", where=name)
    return found[0]


def _number(values: dict[str, list[bytes]], name: str, default: int) -> int:
    found = values.get(name)
    if not found or found[0] == b"":
        return default
    if name == "numwant" and found[0] == b"-1":
        return -1
    if not found[0].isdigit() or len(found[0]) > 20:
        raise FormatError("not a number", where=name)
    return int(found[0])


def announce_body(
    *, interval: int, min_interval: int, seeds: int, leeches: int, downloaded: int, peers4: bytes, peers6: bytes,
    external: bytes = b"", compact: bool = True,
) -> bytes:
    """The reply to an announce: compact peers (BEP 23, 7), our view of the peer's address (BEP 24).

    Without `compact` the peers of both IP versions are a list of dictionaries; a tracker that keeps no peer ids has
    none to tell.
    """
    # Written by hand and in key order: a busy tracker spends its time here.
    head = b"d8:completei%de10:downloadedi%de" % (seeds, downloaded)
    if external:
        head += b"11:external ip%d:%b" % (len(external), external)
    head += b"10:incompletei%de8:intervali%de12:min intervali%de" % (leeches, interval, min_interval)
    if not compact:
        return head + b"5:peersl%bee" % _dictionaries(peers4, peers6)
    head += b"5:peers%d:%b" % (len(peers4), peers4)
    if peers6:
        head += b"6:peers6%d:%b" % (len(peers6), peers6)
    return head + b"e"


def _dictionaries(peers4: bytes, peers6: bytes) -> bytes:
    out = []
    for peer in (*compact.decode_v4(peers4), *compact.decode_v6(peers6)):
        host = peer.host.encode()
        out.append(b"d2:ip%d:%b4:porti%dee" % (len(host), host, peer.port))
    return b"".join(out)


def failure_body(reason: str, retry_minutes: int | None = None) -> bytes:
    """A refusal, with BEP 31's hint where given; 0 for `never`."""
    value: dict[bytes, Value] = {b"failure reason": reason.encode()}
    if retry_minutes is not None:
        value[b"retry in"] = retry_minutes or b"never"
    return bencode.encode(value)


def scrape_body(stats: dict[bytes, ScrapeStats]) -> bytes:
    files: dict[bytes, Value] = {
        key: {b"complete": s.seeds, b"incomplete": s.leeches, b"downloaded": s.downloaded} for key, s in stats.items()
    }
    return bencode.encode({b"files": files})
