"""Frozen snapshots for people and programs to look at, and how they are taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base import bitfield
from wildbach.base.ids import InfoHashes
from wildbach.base.words import plural
from wildbach.engine.blame import BLOCKED
from wildbach.engine.brief import Brief
from wildbach.engine.connections import Connections
from wildbach.engine.dhtpart import DhtPart
from wildbach.engine.peer import Peer
from wildbach.engine.ratelimits import Gates
from wildbach.engine.state import State
from wildbach.engine.swarm import Content, Swarm
from wildbach.engine.talk import Talk
from wildbach.engine.trackerlist import TrackerList
from wildbach.protocol.metainfo.info import Info

_WHY_SECONDS: Final = 5.0
"Who was asked and sends nothing for so long is a reason why nothing moves."


@dataclass(frozen=True, slots=True)
class TorrentView:
    key: str
    name: str
    state: str
    reason: str
    "Why nothing moves, or not faster, in plain words; empty while things go well."
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
    "HOST:PORT; empty for a connection to a web seed, whose host is in `client`."
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


class Seen(Protocol):
    """What a snapshot of a torrent is taken from."""

    key: str
    hashes: InfoHashes
    tracker_list: TrackerList | None
    dht_part: DhtPart

    @property
    def state(self) -> State: ...

    @property
    def reason(self) -> str: ...

    @property
    def code(self) -> str: ...

    @property
    def content(self) -> Content | None: ...

    @property
    def check_progress(self) -> float: ...

    @property
    def had(self) -> tuple[int, int]: ...

    @property
    def name(self) -> str: ...

    @property
    def info(self) -> Info | None: ...

    @property
    def received(self) -> int: ...

    @property
    def sent(self) -> int: ...

    @property
    def wasted(self) -> int: ...

    @property
    def save_path(self) -> str: ...

    @property
    def moving(self) -> float | None: ...

    @property
    def swarm(self) -> Swarm: ...

    @property
    def links(self) -> Connections: ...

    @property
    def talk(self) -> Talk: ...

    @property
    def gates(self) -> Gates: ...


def torrent_view(seen: Seen, now: float) -> TorrentView:
    """One that is awake."""
    info = seen.info
    content = seen.content
    peers = seen.swarm.peers.values()
    down = sum(peer.down.rate(now) for peer in peers)
    up = sum(peer.up.rate(now) for peer in peers)
    have = wanted = 0
    pieces = b""
    if info is not None:
        chosen, held = seen.had
        wanted = info.geometry.bytes_in(chosen)
        have = info.geometry.bytes_in(chosen & held)
        pieces = bitfield.to_wire(held, info.geometry.piece_count)
    progress = seen.check_progress if seen.state is State.CHECKING else (have / wanted if wanted else 0.0)
    if content is not None and not wanted:
        progress = 1.0
    left = wanted - have
    return TorrentView(
        seen.key, seen.name, seen.state.value, seen.reason or why(seen, now), seen.code,
        (seen.hashes.v1 or b"").hex(), (seen.hashes.v2 or b"").hex(),
        info.size if info is not None else 0, wanted, have, progress,
        seen.received, seen.sent,
        seen.wasted,
        down, up, len(seen.swarm.peers), sum(1 for peer in peers if peer.seed), len(seen.links.known),
        left / down if left and down > 1 else None,
        info.geometry.piece_count if info is not None else 0, pieces, seen.save_path, seen.moving,
    )


def asleep_view(seen: Seen, brief: Brief) -> TorrentView:
    return TorrentView(
        seen.key, seen.name, seen.state.value, seen.reason, seen.code,
        (seen.hashes.v1 or b"").hex(), (seen.hashes.v2 or b"").hex(), brief.size, brief.size, brief.size, 1.0,
        seen.received, seen.sent, 0, 0.0, 0.0, 0, 0, 0, None,
        brief.pieces, bitfield.to_wire(bitfield.full(brief.pieces), brief.pieces), seen.save_path,
    )


def _peers_are(count: int) -> str:
    return "the only known peer is" if count == 1 else f"all {count} known peers are"


def why(seen: Seen, now: float) -> str:
    """Why nothing moves, or not faster, in plain words."""
    if seen.state not in (State.METADATA, State.DOWNLOADING):
        return ""
    content = seen.content
    if content is not None and not content.picker.missing:
        return ""
    peers = list(seen.swarm.peers.values())
    if not peers:
        return _why_alone(seen, now)
    if content is None:
        return seen.talk.reason
    if content.downloads.crowded:
        return "the disk is slow: what has come waits to be checked and written"
    if any(
        peer.owed.blocks and now - max(peer.waiting_since or 0.0, peer.owed.oldest) < _WHY_SECONDS for peer in peers
    ):
        limit = seen.gates.down.reason
        return f"the download limit {limit} is reached" if limit else ""
    able = [peer for peer in peers if peer.am_interested]
    if not able:
        picker = content.picker
        pieces = plural(picker.missing.bit_count(), "missing piece")
        copies = f"{_cut(picker.availability.copies(picker.count))} copies"
        if len(peers) == 1:
            return f"the connected peer has none of the {pieces} ({copies})"
        return f"none of the {len(peers)} connected peers has any of the {pieces} ({copies})"
    if all(peer.choked for peer in able):
        if len(able) == 1:
            return "1 peer has what is missing here, and does not serve us yet"
        return f"{len(able)} peers have what is missing here, and none of them serves us yet"
    served = sum(not peer.choked for peer in able)
    able_words = plural(served, "peer says it has", "peers say they have")
    return seen.talk.reason or f"{able_words} what is missing here, and nothing comes"


def _why_alone(seen: Seen, now: float) -> str:
    links, known = seen.links, len(seen.links.known)
    if links.obstacle:
        return links.obstacle
    if links.calling:
        return f"calling {plural(links.calling, 'peer')}"
    if links.blocked and not known:
        return f"{_peers_are(len(links.blocked))} {BLOCKED}"
    if known:
        return f"none of the {known:,} known peers answers" if known > 1 else "the only known peer does not answer"
    reasons = [seen.tracker_list.reason(now) if seen.tracker_list is not None else "", seen.dht_part.reason]
    reason = "; ".join(filter(None, reasons))
    return f"no peers: {reason}" if reason else "no peers are known"


def _cut(copies: float) -> str:
    """Never rounded up to a whole copy that is not there."""
    return f"{int(copies * 100) / 100:.2f}"


def peer_views(peers: Iterable[Peer], pieces: int, now: float) -> tuple[PeerView, ...]:
    """`pieces` is how many the torrent has, 0 where that is not known."""
    return tuple(
        PeerView(
            "" if peer.web else str(peer.remote), peer.client, peer.source,
            peer.connection.kind, peer.outgoing, peer.seed,
            peer.have.bit_count() / pieces if pieces else 0.0, peer.down.rate(now), peer.up.rate(now),
            peer.down.total, peer.up.total, peer.choked, peer.am_choking, peer.interested, peer.am_interested,
            peer.snubbed, peer.v2, peer.owed.blocks,
        )
        for peer in peers
    )


def file_views(
    info: Info, held: int, priorities: Sequence[int], numbers: Sequence[int] | None = None,
) -> tuple[FileView, ...]:
    """`held` are the verified pieces; `numbers` those of the files that are looked at, or None. Pad files are left
    out.
    """
    geometry = info.geometry
    out = []
    for index in range(len(info.files)) if numbers is None else numbers:
        file = info.files[index]
        if file.pad:
            continue
        have = geometry.file_bytes_in(index, held)
        out.append(FileView(index, str(file.path), file.length, have, bool(priorities[index]), priorities[index]))
    return tuple(out)
