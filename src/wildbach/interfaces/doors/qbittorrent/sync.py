"""sync/…: what is different since an answer that a program has.

An answer has a number, `rid`; a program sends the last one it got. One that is not known gets everything. Long answers
are made in slices while they are sent, so that a list of any length holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent import labels, names, transfer
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, data, stream
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint
from wildbach.interfaces.doors.qbittorrent.mirror import Mirror
from wildbach.interfaces.doors.qbittorrent.state import Peers, Whole

_SLICE: Final = 100
"Torrents in one turn of the loop, which take some 3 ms."
_HASHES: Final = 5000

T = TypeVar("T")


@endpoint("sync/maindata", "Torrents, categories, tags, trackers and the whole: all, or what is different since `rid`.")
async def maindata(call: Call) -> Answer:
    shared, answers = call.shared, call.viewer.whole
    usual, queueing = await shared.usual()
    tick = await shared.mirror.refresh(call.api, usual)
    server = await server_state(call, queueing)
    categories = await labels.all_categories(call)
    tags = tuple(sorted((await call.api.tags()).names))
    told = answers.told(call.number("rid", 0))
    rid = answers.tell(Whole(tick, server, categories, tags))
    if told is None or not shared.mirror.known(told.tick):
        head = {"rid": rid, "full_update": True, "server_state": server, "categories": categories, "tags": tags}
        return stream(_everything(head, shared.mirror))
    return stream(_differences(
        _head(rid, told, server, categories, tags), shared.mirror, told.tick,
    ))


async def server_state(call: Call, queueing: bool) -> dict[str, Any]:
    now = await call.api.transfer()
    totals = await call.api.statistics()
    return {
        **transfer.shown(now),
        "alltime_dl": now.downloaded,
        "alltime_ul": now.uploaded,
        "average_time_queue": 0,
        "free_space_on_disk": now.free_space or 0,
        "global_ratio": f"{now.uploaded / now.downloaded:.2f}" if now.downloaded else "0.00",
        "queued_io_jobs": 0,
        "queueing": queueing,
        "read_cache_hits": "0",
        "read_cache_overload": "0",
        "refresh_interval": 1500,
        "total_buffers_size": 0,
        "total_peer_connections": now.peers,
        "total_queued_size": 0,
        "total_wasted_session": totals.wasted,
        "use_alt_speed_limits": now.slow_mode,
        "use_subcategories": True,
        "write_cache_overload": "0",
    }


def _head(
    rid: int, told: Whole, server: dict[str, Any], categories: dict[str, dict[str, Any]], tags: tuple[str, ...],
) -> dict[str, Any]:
    """What is different of all but the torrents and trackers."""
    head: dict[str, Any] = {"rid": rid}
    parts = {
        "server_state": {name: value for name, value in server.items() if told.server.get(name) != value},
        "categories": {name: value for name, value in categories.items() if told.categories.get(name) != value},
        "categories_removed": [name for name in told.categories if name not in categories],
        "tags": [tag for tag in tags if tag not in told.tags],
        "tags_removed": [tag for tag in told.tags if tag not in tags],
    }
    head.update((name, part) for name, part in parts.items() if part)
    return head


async def _everything(head: dict[str, Any], mirror: Mirror) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(head)[:-1]
    async for chunk in _trackers(mirror, list(mirror.trackers)):
        yield chunk
    async for chunk in _torrents(mirror, list(mirror.entries), -1):
        yield chunk
    yield b"}"


async def _differences(head: dict[str, Any], mirror: Mirror, since: int) -> AsyncIterator[bytes]:
    trackers, gone_trackers = mirror.changed_trackers(since), mirror.gone_trackers(since)
    changed, gone = mirror.changed(since), mirror.gone(since)
    if gone:
        head["torrents_removed"] = gone
    if gone_trackers:
        head["trackers_removed"] = gone_trackers
    yield msgspec.json.encode(head)[:-1]
    if trackers:
        async for chunk in _trackers(mirror, trackers):
            yield chunk
    if changed:
        async for chunk in _torrents(mirror, changed, since):
            yield chunk
    yield b"}"


async def _torrents(mirror: Mirror, keys: list[str], since: int) -> AsyncIterator[bytes]:
    """Without those that are gone meanwhile: the next answer tells so."""
    yield b',"torrents":{'
    between = b""
    for part in _slices(iter(keys), _SLICE):
        shown = {
            names.shown_hash(key): mirror.difference(mirror.entries[key], since)
            for key in part if key in mirror.entries}
        if shown:
            yield between + msgspec.json.encode(shown)[1:-1]
            between = b","
        await asyncio.sleep(0)
    yield b"}"


async def _trackers(mirror: Mirror, urls: list[str]) -> AsyncIterator[bytes]:
    """All hashes of each of these trackers."""
    yield b',"trackers":{'
    between = b""
    for url in urls:
        yield between + msgspec.json.encode(url) + b":["
        between = b""
        # A copy, as the list may change meanwhile.
        for part in _slices(iter(list(mirror.trackers.get(url, ()))), _HASHES):
            yield between + msgspec.json.encode(part)[1:-1]
            between = b","
            await asyncio.sleep(0)
        yield b"]"
        between = b","
    yield b"}"


def _slices(items: Iterator[T], count: int) -> Iterator[list[T]]:
    while part := list(islice(items, count)):
        yield part


# -- peers


@endpoint("sync/torrentPeers", "The peers of a torrent: all, or what is different since `rid`.")
async def torrent_peers(call: Call) -> Answer:
    key = call.key()
    peers = {}
    for row in (await call.api.peers(key)).peers:
        shown = _peer(row)
        peers[row.endpoint] = shown
    answers = call.viewer.peers
    told = answers.told(call.number("rid", 0))
    rid = answers.tell(Peers(key, peers))
    if told is None or told.key != key:
        return data({"rid": rid, "full_update": True, "show_flags": True, "peers": peers})
    answer: dict[str, Any] = {"rid": rid, "show_flags": True}
    changed = {}
    for name, shown in peers.items():
        before = told.peers.get(name, {})
        different = {field: value for field, value in shown.items() if before.get(field) != value}
        if different:
            changed[name] = different
    if changed:
        answer["peers"] = changed
    gone = [name for name in told.peers if name not in peers]
    if gone:
        answer["peers_removed"] = gone
    return data(answer)


_CONNECTIONS = {"tcp": "BT", "utp": "μTP", "web": "Web"}
_FLAGS: Final[tuple[tuple[Callable[[m.PeerRow], bool], str, str], ...]] = (
    # What holds, its letter and what it means, in the words that users know from there.
    (lambda p: p.interesting and not p.choked, "D", "interested (local) and unchoked (peer)"),
    (lambda p: p.interesting and p.choked, "d", "interested (local) and choked (peer)"),
    (lambda p: p.interested and not p.choking, "U", "interested (peer) and unchoked (local)"),
    (lambda p: p.interested and p.choking, "u", "interested (peer) and choked (local)"),
    (lambda p: not p.choked and not p.interesting, "K", "not interested (local) and unchoked (peer)"),
    (lambda p: not p.choking and not p.interested, "?", "not interested (peer) and unchoked (local)"),
    (lambda p: p.snubbed, "S", "peer snubbed"),
    (lambda p: not p.outgoing, "I", "incoming connection"),
    (lambda p: p.source == "dht", "H", "peer from DHT"),
    (lambda p: p.source == "pex", "X", "peer from PEX"),
    (lambda p: p.source in ("lan", "lsd"), "L", "peer from LSD"),
    (lambda p: p.encrypted, "E", "encrypted traffic"),
    (lambda p: p.transport == "utp", "P", "μTP"),
)


def _peer(row: m.PeerRow) -> dict[str, Any]:
    host, _, port = row.endpoint.rpartition(":")
    flags = [(letter, words) for holds, letter, words in _FLAGS if holds(row)]
    return {
        "client": row.client,
        "connection": _CONNECTIONS.get(row.transport, row.transport),
        "country": row.country,
        "country_code": row.country.lower(),
        "dl_speed": int(row.down_rate),
        "downloaded": row.downloaded,
        "files": "",
        "flags": " ".join(letter for letter, _ in flags),
        "flags_desc": "\n".join(f"{letter} = {words}" for letter, words in flags),
        "ip": host.strip("[]"),
        "peer_id_client": "",
        "port": int(port) if port.isdecimal() else 0,
        "progress": row.progress,
        "relevance": 0.0 if row.seed else 1.0 - row.progress,
        "up_speed": int(row.up_rate),
        "uploaded": row.uploaded,
    }
