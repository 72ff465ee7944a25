"""The fields of a torrent: the one table that both dialects, the documentation and the tests are made of."""

from __future__ import annotations

import base64
import mimetypes
import posixpath
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from wildbach.base.addresses import parse as parse_address
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission.names import Dialect, camel
from wildbach.interfaces.doors.transmission.numbers import Facts, shown_hash
from wildbach.interfaces.doors.transmission.priorities import Wish, wishes_of
from wildbach.interfaces.doors.transmission.usual import KILO, Usual

Kind = Literal["number", "double", "string", "boolean", "array", "object", "flags"]
"Of the JSON value; `flags` are booleans, in the classic dialect 0 and 1."
Need = Literal["row", "facts", "mime", "detail", "files", "peers", "trackers", "web_seeds", "pieces"]

STOPPED, CHECKING, WAITING, DOWNLOADING, SEED_WAITING, SEEDING = 0, 2, 3, 4, 5, 6
LOCAL_ERROR: Final = 3
USUAL, OWN, NONE = 0, 1, 2
"Modes of a limit."
NO_ETA, UNKNOWN_ETA = -1, -2
_OCTETS: Final = "application/octet-stream"
NO_RATIO, ENDLESS_RATIO = -1.0, -2.0
RATIO_SHOWN, IDLE_MINUTES_SHOWN, KILOBYTES_SHOWN = 2.0, 30, 100
"Limits that are shown where none was ever given."


NO_FACTS: Final = Facts()


@dataclass(slots=True)
class Seen:
    """What is known of one torrent; what no asked field needs is empty."""

    number: int
    row: m.TorrentRow
    usual: Usual
    queue: int
    "Torrents in all: what is in no queue is behind them."
    latent: dict[str, float]
    facts: Facts = NO_FACTS
    detail: m.TorrentDetail | None = None
    files: Sequence[m.FileRow] = ()
    peers: Sequence[m.PeerRow] = ()
    trackers: Sequence[m.TrackerRow] = ()
    web_seeds: Sequence[m.WebSeedRow] = ()
    pieces: m.PieceMap = field(default_factory=lambda: m.PieceMap(0, "", ()))

    @property
    def wishes(self) -> list[Wish]:
        return wishes_of([row.priority for row in self.files])


@dataclass(frozen=True, slots=True)
class Field:
    """`value` gives the JSON value; of an object its values in the order of `columns`, of an array of objects rows of
    such, one at a time, as there may be many.
    """

    name: str
    classic: str
    kind: Kind
    need: Need
    value: Callable[[Seen], Any]
    columns: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()
    "Columns that only JSON-RPC has."
    modern: bool = False
    "Only JSON-RPC has it."

    def spelled(self, dialect: Dialect) -> str:
        return self.classic if dialect is Dialect.CLASSIC else self.name

    def keys(self, dialect: Dialect) -> list[str | None]:
        """What the columns are called in a dialect; None for one that it does not have."""
        if dialect is Dialect.MODERN:
            return list(self.columns)
        return [None if name in self.recent else _OLD.get(name, camel(name)) for name in self.columns]


_OLD: Final = {"is_utp": "isUTP"}
"Names in camelCase that capitals make different."


# -- of the row


def status(row: m.TorrentRow) -> int:
    match row.state:
        case "checking":
            return CHECKING
        case "queued":
            return SEED_WAITING if row.complete else WAITING
        case "stopped" | "error":
            return STOPPED
        case "seeding":
            return SEEDING
        case "moving":
            return SEEDING if row.complete else DOWNLOADING
        case _:
            return DOWNLOADING


def _eta(row: m.TorrentRow) -> int:
    if row.eta is not None:
        return row.eta
    return UNKNOWN_ETA if status(row) == DOWNLOADING else NO_ETA


def _finished(seen: Seen) -> bool:
    """It was stopped because it has given enough."""
    row, usual = seen.row, seen.usual
    if row.state != "stopped" or not row.complete:
        return False
    ratio = usual.ratio if row.ratio_limit == -2 else row.ratio_limit
    seconds = usual.seeding_seconds if row.seeding_limit == -2 else row.seeding_limit
    idle = usual.idle_seconds if row.idle_limit == -2 else row.idle_limit
    since = max(row.active_at, row.completed_at)
    return (
        (ratio >= 0 and row.ratio >= ratio) or (seconds >= 0 and row.seeding_seconds >= seconds)
        or (idle >= 0 and min(int(time.time()) - since, row.seeding_seconds) >= idle)
    )


def _stalled(seen: Seen) -> bool:
    row = seen.row
    if status(row) not in (DOWNLOADING, SEEDING) or row.down_rate >= 1 or row.up_rate >= 1:
        return False
    return time.time() - max(row.active_at, row.added_at) > seen.usual.stalled_seconds


def ratio_mode(row: m.TorrentRow) -> int:
    return USUAL if row.ratio_limit == -2 else NONE if row.ratio_limit < 0 else OWN


def idle_mode(row: m.TorrentRow) -> int:
    return USUAL if row.idle_limit == -2 else NONE if row.idle_limit < 0 else OWN


def ratio_limit(seen: Seen) -> float:
    """Its own, in force or not."""
    if seen.row.ratio_limit >= 0:
        return seen.row.ratio_limit
    return seen.latent.get("seed_ratio_limit", seen.usual.ratio if seen.usual.ratio >= 0 else RATIO_SHOWN)


def idle_minutes(seen: Seen) -> int:
    if seen.row.idle_limit >= 0:
        return seen.row.idle_limit // 60
    usual = seen.usual.idle_seconds
    return int(seen.latent.get("seed_idle_limit", usual // 60 if usual >= 0 else IDLE_MINUTES_SHOWN))


def down_kilobytes(seen: Seen) -> int:
    limit = seen.row.down_limit
    return limit // KILO if limit else int(seen.latent.get("download_limit", KILOBYTES_SHOWN))


def up_kilobytes(seen: Seen) -> int:
    limit = seen.row.up_limit
    return limit // KILO if limit else int(seen.latent.get("upload_limit", KILOBYTES_SHOWN))


def _share(part: int, whole: int, row: m.TorrentRow) -> float:
    if whole:
        return min(part / whole, 1.0)
    return 1.0 if row.has_metadata else 0.0


def _ratio(row: m.TorrentRow) -> float:
    if not row.uploaded and not row.downloaded and not row.done:
        return NO_RATIO
    return row.ratio if row.ratio < 1e300 else ENDLESS_RATIO


def name_of(row: m.TorrentRow) -> str:
    """That of its file or folder: programs look for its content there."""
    inside = posixpath.relpath(row.content_path, row.save_path) if row.content_path.startswith("/") else ""
    top = inside.split("/")[0]
    return row.name if top in ("", ".", "..") else top


# -- of trackers


def sitename(url: str) -> str:
    """`example` of `http://tracker.example.org/announce`."""
    host = host_of(url)
    if parse_address(host) is not None:
        return host
    labels = [label for label in host.split(".") if label]
    if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3:
        return labels[-3]  # a country with second-level domains, as co.uk
    return labels[-2] if len(labels) > 1 else host


def host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def scrape_url(url: str) -> str:
    """Where it is scraped (BEP 48); empty where that cannot be."""
    if url.startswith("udp:"):
        return url
    start, slash, end = url.rpartition("/")
    return f"{start}/scrape{end.removeprefix('announce')}" if slash and end.startswith("announce") else ""


def real_trackers(seen: Seen) -> list[m.TrackerRow]:
    """Without the DHT and its like; what stands here at a place has that place as its id."""
    return [row for row in seen.trackers if row.tier >= 0]


def _tracker(number: int, row: m.TrackerRow) -> tuple[Any, ...]:
    return row.url, number, scrape_url(row.url), sitename(row.url), row.tier


_ANNOUNCE_STATES: Final = {"off": 0, "waiting": 1, "announcing": 3, "working": 1, "failing": 1, "dead": 0}


def _tracker_stats(number: int, row: m.TrackerRow) -> tuple[Any, ...]:
    at = urlsplit(row.url) if host_of(row.url) else None
    host = f"{at.scheme}://{at.netloc.rpartition('@')[2]}" if at is not None else ""
    failed = row.state in ("failing", "dead")
    said = row.state == "working" or failed
    due = int(time.time() + row.next_announce) if row.next_announce is not None else 0
    known = row.seeds is not None or row.leeches is not None
    return (
        row.url, _ANNOUNCE_STATES[row.state], -1 if row.completed is None else row.completed, -1, said, known, host,
        number, False, row.peers, row.message if failed else "Success" if said else "", 0, row.state == "working", 0,
        False, "", 0, known, 0, False, -1 if row.leeches is None else row.leeches, due, 0, scrape_url(row.url),
        0, -1 if row.seeds is None else row.seeds, sitename(row.url), row.tier,
    )


# -- of peers


_SOURCES: Final = {
    "resume": "cache", "dht": "dht", "incoming": "incoming", "lan": "lpd", "lsd": "lpd", "magnet": "ltep",
    "user": "ltep", "pex": "pex", "tracker": "tracker",
}
_SOURCE_NAMES: Final = ("cache", "dht", "incoming", "lpd", "ltep", "pex", "tracker")


def real_peers(seen: Seen) -> list[m.PeerRow]:
    """Without web servers."""
    return [row for row in seen.peers if row.endpoint]


def _from(seen: Seen) -> tuple[int, ...]:
    counts = Counter(
        "incoming" if not row.outgoing else _SOURCES.get(row.source, "ltep") for row in real_peers(seen))
    return tuple(counts[name] for name in _SOURCE_NAMES)


def _peer(row: m.PeerRow) -> tuple[Any, ...]:
    host, _, port = row.endpoint.rpartition(":")
    receives, sends = row.down_rate >= 1, row.up_rate >= 1
    return (
        host.strip("[]"), row.downloaded, row.uploaded, row.choked, row.interesting, row.client, row.country.lower(),
        _flags(row), receives,
        row.encrypted, not row.outgoing, sends, row.transport == "utp", "", row.choking, row.interested,
        int(port) if port.isdecimal() else 0, row.progress, int(row.down_rate), int(row.up_rate),
    )


def _flags(row: m.PeerRow) -> str:
    """The letters of Transmission: what goes on with a peer, and where it is from."""
    receives, sends = row.down_rate >= 1, row.up_rate >= 1
    return "".join(letter for letter, on in (
        ("T", row.transport == "utp"), ("D", receives), ("d", not receives and row.interesting), ("U", sends),
        ("u", not sends and row.interested), ("K", not row.choked and not row.interesting),
        ("?", not row.choking and not row.interested), ("E", row.encrypted), ("H", row.source == "dht"),
        ("X", row.source == "pex"), ("I", not row.outgoing),
    ) if on)


# -- of files and pieces


def _files(seen: Seen) -> Iterator[tuple[Any, ...]]:
    length = seen.facts.piece_length
    start = 0
    for row in seen.files:
        if seen.row.infohash_v2 and length:
            start = -(-start // length) * length  # of v2, each file begins with a piece
        end = start + row.size
        yield row.have, row.size, row.path, start // length if length else 0, -(-end // length) if length else 0
        start = end


def mime_type(files: Sequence[m.FileRow]) -> str:
    """Of most of its bytes."""
    sizes: Counter[str] = Counter()
    for row in files:
        kind, _ = mimetypes.guess_type(row.path, strict=False)
        sizes[kind or _OCTETS] += row.size
    return sizes.most_common(1)[0][0] if sizes else _OCTETS


def _bits(pieces: str) -> str:
    bits = "".join("1" if state == "#" else "0" for state in pieces)
    width = -(-len(bits) // 8)
    return base64.b64encode(int(bits.ljust(width * 8, "0") or "0", 2).to_bytes(width, "big")).decode()


def _availability(seen: Seen) -> list[int]:
    counts = seen.pieces.availability or (0,) * len(seen.pieces.pieces)
    return [-1 if state == "#" else count for state, count in zip(seen.pieces.pieces, counts, strict=True)]


def _available(row: m.TorrentRow) -> int:
    """Bytes that are missing and that connected peers have, as far as that is known."""
    left = max(row.wanted - row.done, 0)
    return left if row.availability >= 1 else 0


def _field(
    name: str, kind: Kind, value: Callable[[Seen], Any], need: Need = "row", *, classic: str = "",
    columns: str = "", recent: str = "", modern: bool = False,
) -> Field:
    return Field(
        name, classic or camel(name), kind, need, value, tuple(columns.split()), tuple(recent.split()), modern)


def _detail(get: Callable[[m.TorrentDetail], Any], empty: Any) -> Callable[[Seen], Any]:
    return lambda seen: empty if seen.detail is None else get(seen.detail)


FIELDS: Final = {one.name: one for one in (
    _field("activity_date", "number", lambda s: s.row.active_at),
    _field("added_date", "number", lambda s: s.row.added_at),
    _field("availability", "array", _availability, "pieces"),
    _field("bandwidth_priority", "number", lambda s: 0),
    _field("bytes_completed", "array", lambda s: [row.have for row in s.files], "files", modern=True),
    _field("comment", "string", _detail(lambda d: d.comment, ""), "detail"),
    _field("corrupt_ever", "number", lambda s: s.row.wasted),
    _field("creator", "string", lambda s: s.facts.creator, "facts"),
    _field("date_created", "number", lambda s: s.facts.created_at, "facts"),
    _field("desired_available", "number", lambda s: _available(s.row)),
    _field("done_date", "number", lambda s: s.row.completed_at),
    _field("download_dir", "string", lambda s: s.row.save_path),
    _field("downloaded_ever", "number", lambda s: s.row.downloaded),
    _field("download_limit", "number", down_kilobytes),
    _field("download_limited", "boolean", lambda s: s.row.down_limit > 0),
    _field("edit_date", "number", lambda s: 0),
    _field("error", "number", lambda s: LOCAL_ERROR if s.row.state == "error" else 0),
    _field("error_string", "string", lambda s: s.row.reason if s.row.state == "error" else ""),
    _field("eta", "number", lambda s: _eta(s.row)),
    _field("eta_idle", "number", lambda s: NO_ETA),
    _field("file_count", "number", lambda s: s.facts.files, "facts", classic="file-count"),
    _field("files", "array", _files, "files", columns="bytes_completed length name begin_piece end_piece",
           recent="begin_piece end_piece"),
    _field("file_stats", "array", lambda s: (
        (row.have, wish.wanted, wish.priority) for row, wish in zip(s.files, s.wishes, strict=True)
    ), "files", columns="bytes_completed wanted priority"),
    _field("group", "string", lambda s: s.row.category),
    _field("hash_string", "string", lambda s: shown_hash(s.row)),
    _field("have_unchecked", "number", lambda s: 0),
    _field("have_valid", "number", lambda s: s.row.done),
    _field("honors_session_limits", "boolean", lambda s: True),
    _field("id", "number", lambda s: s.number),
    _field("is_finished", "boolean", _finished),
    _field("is_private", "boolean", lambda s: s.row.private),
    _field("is_stalled", "boolean", _stalled),
    _field("labels", "array", lambda s: s.row.tags),
    _field("left_until_done", "number", lambda s: max(s.row.wanted - s.row.done, 0)),
    _field("magnet_link", "string", _detail(lambda d: d.magnet, ""), "detail"),
    _field("manual_announce_time", "number", lambda s: -1),
    _field("max_connected_peers", "number", lambda s: s.usual.peers),
    _field("metadata_percent_complete", "double", lambda s: 1.0 if s.row.has_metadata else 0.0),
    _field("name", "string", lambda s: name_of(s.row)),
    _field("peer_limit", "number", lambda s: s.usual.peers, classic="peer-limit"),
    _field("peers", "array", lambda s: (_peer(row) for row in real_peers(s)), "peers", columns=(
        "address bytes_to_client bytes_to_peer client_is_choked client_is_interested client_name country_code flag_str "
        "is_downloading_from is_encrypted is_incoming is_uploading_to is_utp peer_id peer_is_choked "
        "peer_is_interested port progress rate_to_client rate_to_peer"
    ), recent="bytes_to_client bytes_to_peer peer_id"),
    _field("peers_connected", "number", lambda s: s.row.peers),
    _field("peers_from", "object", _from, "peers", columns=" ".join(f"from_{name}" for name in _SOURCE_NAMES)),
    _field("peers_getting_from_us", "number", lambda s: sum(row.up_rate >= 1 for row in real_peers(s)), "peers"),
    _field("peers_sending_to_us", "number", lambda s: sum(row.down_rate >= 1 for row in real_peers(s)), "peers"),
    _field("percent_complete", "double", lambda s: _share(s.row.done, s.row.size, s.row)),
    _field("percent_done", "double", lambda s: _share(s.row.done, s.row.wanted, s.row)),
    _field("pieces", "string", lambda s: _bits(s.pieces.pieces), "pieces"),
    _field("piece_count", "number", lambda s: s.facts.pieces, "facts"),
    _field("piece_size", "number", lambda s: s.facts.piece_length, "facts"),
    _field("priorities", "array", lambda s: [wish.priority for wish in s.wishes], "files"),
    _field("primary_mime_type", "string", lambda s: s.facts.mime_type or _OCTETS, "mime", classic="primary-mime-type"),
    _field("queue_position", "number", lambda s: s.row.place - 1 if s.row.place else s.queue),
    _field("rate_download", "number", lambda s: int(s.row.down_rate)),
    _field("rate_upload", "number", lambda s: int(s.row.up_rate)),
    _field("recheck_progress", "double", lambda s: s.row.progress if s.row.state == "checking" else 0.0),
    _field("seconds_downloading", "number", lambda s: max(s.row.active_seconds - s.row.seeding_seconds, 0)),
    _field("seconds_seeding", "number", lambda s: s.row.seeding_seconds),
    _field("seed_idle_limit", "number", idle_minutes),
    _field("seed_idle_mode", "number", lambda s: idle_mode(s.row)),
    _field("seed_ratio_limit", "double", ratio_limit),
    _field("seed_ratio_mode", "number", lambda s: ratio_mode(s.row)),
    _field("sequential_download", "boolean", lambda s: s.row.sequential, classic="sequential_download"),
    _field("sequential_download_from_piece", "number", lambda s: 0, classic="sequential_download_from_piece"),
    _field("size_when_done", "number", lambda s: s.row.wanted),
    _field("start_date", "number", lambda s: s.row.added_at),
    _field("status", "number", lambda s: status(s.row)),
    _field("torrent_file", "string", lambda s: ""),
    _field("total_size", "number", lambda s: s.row.size),
    _field("trackers", "array", lambda s: [_tracker(n, row) for n, row in enumerate(real_trackers(s))], "trackers",
           columns="announce id scrape sitename tier"),
    _field("tracker_list", "string", lambda s: "\n\n".join(
        "\n".join(tier) for tier in (s.detail.tracker_tiers if s.detail is not None else ())), "detail"),
    _field("tracker_stats", "array", lambda s: [_tracker_stats(n, row) for n, row in enumerate(real_trackers(s))],
           "trackers", columns=(
        "announce announce_state download_count downloader_count has_announced has_scraped host id is_backup "
        "last_announce_peer_count last_announce_result last_announce_start_time last_announce_succeeded "
        "last_announce_time last_announce_timed_out last_scrape_result last_scrape_start_time last_scrape_succeeded "
        "last_scrape_time last_scrape_timed_out leecher_count next_announce_time next_scrape_time scrape scrape_state "
        "seeder_count sitename tier"
    ), recent="downloader_count"),
    _field("uploaded_ever", "number", lambda s: s.row.uploaded),
    _field("upload_limit", "number", up_kilobytes),
    _field("upload_limited", "boolean", lambda s: s.row.up_limit > 0),
    _field("upload_ratio", "double", lambda s: _ratio(s.row)),
    _field("wanted", "flags", lambda s: [wish.wanted for wish in s.wishes], "files"),
    _field("webseeds", "array", lambda s: [row.url for row in s.web_seeds], "web_seeds"),
    _field("webseeds_ex", "array", lambda s: [
        (row.url, row.down_rate >= 1, int(row.down_rate)) for row in s.web_seeds
    ], "web_seeds", columns="url is_downloading download_bytes_per_second", modern=True),
    _field("webseeds_sending_to_us", "number", lambda s: sum(
        not row.endpoint and row.down_rate >= 1 for row in s.peers), "peers"),
)}
"By their names of 4.1."

CLASSIC: Final = {one.classic: one for one in FIELDS.values()}


def chosen(names: Sequence[str], dialect: Dialect) -> list[Field]:
    """The fields of these names, each once; what is none is left out, as Transmission does."""
    table = CLASSIC if dialect is Dialect.CLASSIC else FIELDS
    return [table[name] for name in dict.fromkeys(names) if name in table]
