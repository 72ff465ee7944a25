"""Frozen snapshots for people and programs to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TorrentView:
    key: str
    name: str
    state: str
    reason: str
    "Why nothing moves, in plain words; empty while things go well."
    code: str
    "A stable name for the reason where the torrent is stopped."
    infohash_v1: str
    infohash_v2: str
    size: int
    "Bytes of content."
    wanted: int
    "Bytes of the wanted pieces."
    done: int
    "Bytes of verified pieces among the wanted."
    progress: float
    "Share of what is wanted, or of the check while one runs; 0 to 1."
    downloaded: int
    "Bytes of blocks received in this session."
    uploaded: int
    wasted: int
    "Bytes received and not used: doubled, unasked, or not verified."
    down_rate: float
    "Bytes a second."
    up_rate: float
    peers: int
    seeds: int
    known_peers: int
    "Endpoints that could be called."
    eta: float | None
    "Seconds; None where it cannot be told."
    pieces: int
    pieces_have: bytes
    "A bitfield as on the wire."
    save_path: str
    moving: float | None = None
    "Share of the bytes that are at their new place, while the files are being moved."


@dataclass(frozen=True, slots=True)
class PeerView:
    endpoint: str
    client: str
    source: str
    kind: str
    outgoing: bool
    seed: bool
    progress: float
    down_rate: float
    up_rate: float
    downloaded: int
    uploaded: int
    choked: bool
    "It does not serve us."
    choking: bool
    "We do not serve it."
    interested: bool
    "It wants something of ours."
    interesting: bool
    snubbed: bool
    v2: bool
    requests: int
    "Blocks we asked for and wait for."


@dataclass(frozen=True, slots=True)
class FileView:
    index: int
    path: str
    size: int
    have: int
    "Bytes in verified pieces."
    wanted: bool
    priority: int
