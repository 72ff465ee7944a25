"""Small states of other clients, made by hand: what their files look like, and torrents for them."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256

from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, hash_pieces
from wildbach.protocol.metainfo.document import Metainfo

PIECE = 32768
FILES = {"a.bin": PIECE, "b/c.bin": 3 * PIECE + 100, "d.txt": 10}


def content_of(name: str, size: int) -> bytes:
    return (sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def torrent(kind: Kind = "v1", name: str = "thing", files: Mapping[str, int] | None = None) -> Metainfo:
    """A torrent of files whose content follows from their names."""
    sizes = FILES if files is None else files
    plan = BuildPlan(
        name, [SourceFile(tuple(path.split("/")), size) for path, size in sizes.items()], kind=kind,
        piece_length=PIECE)
    for pieces in plan.jobs():
        plan.add(pieces, *hash_pieces(plan, pieces, lambda file, at, length: content_of(
            "/".join(plan.files[file].path), plan.files[file].length)[at : at + length]))
    return plan.finish()


def single(kind: Kind = "v1", name: str = "one.bin", size: int = 2 * PIECE) -> Metainfo:
    plan = BuildPlan(name, [SourceFile((name,), size)], kind=kind, piece_length=PIECE, single=True)
    for pieces in plan.jobs():
        plan.add(pieces, *hash_pieces(plan, pieces, lambda _, at, length: content_of(name, size)[at : at + length]))
    return plan.finish()


def without_layers(made: Metainfo) -> bytes:
    """The torrent file as qBittorrent keeps it: the info dictionary alone."""
    return b"d4:info" + made.info.raw + b"e"


def fastresume(made: Metainfo, **keys: Value) -> bytes:
    """libtorrent's resume data of a complete torrent; `qBt_name` stands for the key `qBt-name`."""
    hashes = made.info.hashes
    fields: dict[bytes, Value] = {
        b"file-format": b"libtorrent resume file", b"file-version": 1,
        b"info-hash": hashes.v1 or bytes(20), b"info-hash2": hashes.v2 or bytes(32), b"name": made.info.name.encode(),
        b"save_path": b"/data", b"pieces": b"\1" * made.info.geometry.piece_count, b"paused": 0, b"auto_managed": 1,
        b"added_time": 1_700_000_000, b"completed_time": 1_700_000_100, b"active_time": 500, b"seeding_time": 400,
        b"total_uploaded": 1000, b"total_downloaded": 2000,
    }
    fields.update({key.replace("qBt_", "qBt-").replace("__", "-").encode(): value for key, value in keys.items()})
    return bencode.encode(fields)


def pickled(*entries: Mapping[str, object], protocol: int = 2) -> bytes:
    """Deluge's torrents.state with these attributes, written by Python's own pickle; protocol 0 is Python 2's."""
    if protocol < 2:
        items = b"".join(
            b"(ideluge.core.torrentmanager\nTorrentState\n" + pickle.dumps(dict(entry), protocol)[:-1] + b"ba"
            for entry in entries)
        return b"(ideluge.core.torrentmanager\nTorrentManagerState\n(dS'torrents'\n(l" + items + b"sb."
    with _deluge() as (state_class, torrent_class):
        state = state_class()
        state.__dict__["torrents"] = []
        for entry in entries:
            one = torrent_class()
            one.__dict__.update(entry)
            state.__dict__["torrents"].append(one)
        return pickle.dumps(state, protocol)


@contextmanager
def _deluge() -> Iterator[tuple[type, type]]:
    """The classes of Deluge, as far as pickle has to find them."""
    name = "deluge.core.torrentmanager"
    module = types.ModuleType(name)
    classes = []
    for word in ("TorrentManagerState", "TorrentState"):
        made = type(word, (), {"__module__": name})
        setattr(module, word, made)
        classes.append(made)
    before = {key: sys.modules.get(key) for key in ("deluge", "deluge.core", name)}
    sys.modules.update({"deluge": types.ModuleType("deluge"), "deluge.core": types.ModuleType("deluge.core")})
    sys.modules[name] = module
    try:
        yield classes[0], classes[1]
    finally:
        for key, old in before.items():
            if old is None:
                del sys.modules[key]
            else:
                sys.modules[key] = old


def deluge_entry(made: Metainfo, **changes: object) -> dict[str, object]:
    assert made.info.hashes.v1 is not None
    return {
        "version": None, "torrent_id": made.info.hashes.swarms[0].hex(), "filename": "x.torrent", "trackers": (),
        "storage_mode": "sparse", "paused": False, "save_path": "/data", "max_connections": -1, "max_upload_slots": -1,
        "max_upload_speed": -1.0, "max_download_speed": -1.0, "prioritize_first_last": False,
        "sequential_download": False, "file_priorities": [4] * len(made.info.files), "queue": 0, "auto_managed": True,
        "is_finished": True, "stop_ratio": 2.0, "stop_at_ratio": False, "remove_at_ratio": False,
        "move_completed": False, "move_completed_path": "/done", "magnet": None, "owner": "localclient",
        "shared": False, "super_seeding": False, "name": "", **changes,
    }


def transmission_resume(made: Metainfo, **changes: Value) -> bytes:
    """`incomplete_dir` stands for the key `incomplete-dir`."""
    fields: dict[bytes, Value] = {
        b"destination": b"/data", b"name": made.info.name.encode(), b"paused": 0, b"added-date": 1_700_000_000,
        b"done-date": 1_700_000_100, b"uploaded": 1000, b"downloaded": 2000, b"seeding-time-seconds": 400,
        b"downloading-time-seconds": 100, b"dnd": [0] * len(made.info.files), b"priority": [0] * len(made.info.files),
        b"progress": {b"blocks": b"all"}, b"labels": [],
    }
    fields.update({key.replace("_", "-").encode(): value for key, value in changes.items()})
    return bencode.encode(fields)


def rtorrent_own(made: Metainfo, **changes: Value) -> bytes:
    fields: dict[bytes, Value] = {
        b"directory": b"/data/" + made.info.name.encode() if made.info.multi_file else b"/data", b"state": 1,
        b"complete": 1, b"custom1": b"films%20old", b"custom": {b"addtime": b"1700000000\n"}, b"priority": 2,
        b"timestamp.finished": 1_700_000_100, b"timestamp.started": 1_700_000_050, b"total_uploaded": 1000,
        b"total_downloaded": 2000, b"throttle_name": b"",
    }
    fields.update({key.encode(): value for key, value in changes.items()})
    return bencode.encode(fields)


def rtorrent_library(made: Metainfo, **changes: Value) -> bytes:
    fields: dict[bytes, Value] = {
        b"bitfield": made.info.geometry.piece_count, b"files": [{b"priority": 1} for _ in made.info.files],
        b"trackers": {b"dht://": {b"enabled": 1}},
    }
    fields.update({key.encode(): value for key, value in changes.items()})
    return bencode.encode(fields)
