"""torrents/… that tell of one torrent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import names
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, bad, conflict, data, stream, whole
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint
from wildbach.net.httpd import Response
from wildbach.protocol import bencode

_FILES: Final = 1000
_SHA1: Final = 20
_TRACKER_STATES: Final = {"off": 0, "waiting": 1, "working": 2, "announcing": 3, "failing": 4, "dead": 4}
_OWN_WAYS: Final = {"dht": "** [DHT] **", "pex": "** [PeX] **", "lsd": "** [LSD] **"}


@endpoint("torrents/properties", "All about one torrent.")
async def properties(call: Call) -> Answer:
    detail = await call.api.torrent(call.key())
    row = detail.row
    active = max(row.active_seconds, 1)
    seconds_down = max(row.active_seconds - row.seeding_seconds, 1)
    return data({
        "addition_date": row.added_at,
        "comment": detail.comment,
        "completion_date": row.completed_at or -1,
        "created_by": detail.created_by,
        "creation_date": detail.created_at or -1,
        "dl_limit": row.down_limit or -1,
        "dl_speed": int(row.down_rate),
        "dl_speed_avg": row.downloaded // seconds_down,
        "download_path": row.incomplete_path,
        "eta": names.ETA_UNKNOWN if row.eta is None else min(row.eta, names.ETA_UNKNOWN),
        "has_metadata": row.has_metadata,
        "hash": call.shared.shown(row.key),
        "infohash_v1": row.infohash_v1,
        "infohash_v2": row.infohash_v2,
        "is_private": row.private,
        "last_seen": -1,
        "name": row.name,
        "nb_connections": detail.connections,
        "nb_connections_limit": -1,
        "peers": max(row.peers - row.seeds, 0),
        "peers_total": row.peers - row.seeds if row.swarm_peers is None else row.swarm_peers,
        "piece_size": detail.piece_length if row.has_metadata else -1,
        "pieces_have": detail.pieces_have if row.has_metadata else -1,
        "pieces_num": detail.pieces if row.has_metadata else -1,
        "popularity": names.popularity(row),
        "private": row.private if row.has_metadata else None,
        "progress": row.progress,
        "reannounce": max(int(detail.next_announce or 0), 0),
        "save_path": row.save_path,
        "seeding_time": row.seeding_seconds,
        "seeds": row.seeds,
        "seeds_total": row.seeds if row.swarm_seeds is None else row.swarm_seeds,
        "share_ratio": min(row.ratio, names.RATIO_MOST),
        "time_elapsed": row.active_seconds,
        "total_downloaded": row.downloaded,
        "total_downloaded_session": row.session_downloaded,
        "total_size": row.size if row.has_metadata else -1,
        "total_uploaded": row.uploaded,
        "total_uploaded_session": row.session_uploaded,
        "total_wasted": row.wasted,
        "up_limit": row.up_limit or -1,
        "up_speed": int(row.up_rate),
        "up_speed_avg": row.uploaded // active,
    })


async def tracker_list(call: Call, key: str) -> list[dict[str, Any]]:
    return [_tracker(row) for row in (await call.api.trackers(key)).trackers]


def _tracker(row: m.TrackerRow) -> dict[str, Any]:
    own = row.tier < 0
    return {
        "url": _OWN_WAYS.get(row.url.lower(), row.url) if own else row.url,
        "status": 2 if own and row.state != "off" else _TRACKER_STATES[row.state],
        "tier": row.tier,
        "num_peers": row.peers,
        "num_seeds": -1 if row.seeds is None else row.seeds,
        "num_leeches": -1 if row.leeches is None else row.leeches,
        "num_downloaded": -1 if row.completed is None else row.completed,
        "msg": row.message,
    }


@endpoint("torrents/trackers", "Trackers, and how they fare; first DHT, PeX and LSD.")
async def trackers(call: Call) -> Answer:
    return data(await tracker_list(call, call.key()))


@endpoint("torrents/webseeds", "Web seeds.")
async def web_seeds(call: Call) -> Answer:
    return data([{"url": row.url} for row in (await call.api.web_seeds(call.key())).web_seeds])


async def file_pages(call: Call, key: str) -> AsyncIterator[list[dict[str, Any]]]:
    """All files, as torrents/files has them."""
    detail = await call.api.torrent(key)
    offset = 0
    start = 0
    while True:
        page = await call.api.files(key, m.FileListing(offset, _FILES))
        shown = []
        for row in page.files:
            if detail.row.infohash_v2 and detail.piece_length:
                # Of v2, each file begins with a piece.
                start = -(-start // detail.piece_length) * detail.piece_length
            shown.append(_file(row, detail, start))
            start += row.size
        yield shown
        offset += len(page.files)
        if not page.files or offset >= page.total:
            return


def _file(row: m.FileRow, detail: m.TorrentDetail, start: int) -> dict[str, Any]:
    length = detail.piece_length or 1
    shown: dict[str, Any] = {
        "index": row.index,
        "name": row.path,
        "size": row.size,
        "progress": row.have / row.size if row.size else 1.0,
        "priority": names.priority(row.priority),
        "piece_range": [start // length, max(start + row.size - 1, start) // length],
        "availability": row.availability,
    }
    if row.index == 0:
        shown["is_seed"] = detail.row.complete
    return shown


@endpoint("torrents/files", "The files, all or those of `indexes`.")
async def files(call: Call) -> Answer:
    key = call.key()
    indexes: set[int] | None = None
    if call.text("indexes"):
        indexes = set()
        for item in call.listed("indexes", "|"):
            index = whole(item)
            if index is None:
                raise bad(f'"{item[:50]}" is not a valid file index.')
            indexes.add(index)
    await call.api.torrent(key)
    return stream(_files(call, key, indexes))


async def _files(call: Call, key: str, indexes: set[int] | None) -> AsyncIterator[bytes]:
    yield b"["
    between = b""
    async for page in file_pages(call, key):
        part = [shown for shown in page if indexes is None or shown["index"] in indexes]
        if part:
            yield between + msgspec.json.encode(part)[1:-1]
            between = b","
    yield b"]"


@endpoint("torrents/pieceStates", "Of each piece: 0 missing, 1 being fetched, 2 there.")
async def piece_states(call: Call) -> Answer:
    found = await call.api.pieces(call.key(), m.PieceQuery())
    # A digit for each character, joined by commas: a million pieces are made in some 10 ms.
    return Response(
        b"[" + b",".join(map(_PIECE_STATES.__getitem__, found.pieces)) + b"]", content_type="application/json",
    )


_PIECE_STATES: Final = {"-": b"0", ">": b"1", "#": b"2"}


@endpoint("torrents/pieceHashes", "SHA-1 of each piece; none of a torrent that is v2 alone.")
async def piece_hashes(call: Call) -> Answer:
    key = call.key()
    if not (await call.api.torrent(key)).row.has_metadata:
        raise conflict("Torrent's metadata has not yet been received")
    document = bencode.decode(await call.api.export(key))
    info = document.get(b"info") if isinstance(document, dict) else None
    pieces = info.get(b"pieces", b"") if isinstance(info, dict) else b""
    hexed = bytes(pieces).hex() if isinstance(pieces, bytes) else ""
    return data([hexed[at:at + 2 * _SHA1] for at in range(0, len(hexed), 2 * _SHA1)])


@endpoint("torrents/export", "The torrent file.")
async def export(call: Call) -> Answer:
    key = call.key()
    if not (await call.api.torrent(key)).row.has_metadata:
        raise conflict("Unable to export torrent file: its metadata has not yet been received")
    return Response(await call.api.export(key), content_type="application/x-bittorrent", headers={
        "Content-Disposition": f'attachment; filename="{call.shared.shown(key)}.torrent"',
    })


@endpoint("torrents/SSLParameters", "Empty: torrents over TLS (BEP 35) are not known here.", kind="none")
async def ssl_parameters(call: Call) -> Answer:
    await call.api.torrent(call.key())
    return data({"ssl_certificate": "", "ssl_private_key": "", "ssl_dh_params": ""})
