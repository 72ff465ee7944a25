"""What is true of a session at any moment between two callbacks, whatever its peers do.

`check` raises AssertionError with all that is not. Simulated swarms call it all the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from wildbach.base import bitfield, limits
from wildbach.engine.peer import Peer
from wildbach.engine.session import Session
from wildbach.engine.swarm import Content
from wildbach.engine.torrent import Torrent


class Watch:
    """Checks a session every now and then, until cancelled."""

    def __init__(self, session: Session, every: float = 0.5) -> None:
        self._session = session
        self._every = every

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            check(self._session)


def check(session: Session) -> None:
    """Raises AssertionError where something is not as it must be."""
    broken = list(_session(session))
    for torrent in session.torrents:
        broken += (f"{torrent.name}: {text}" for text in _torrent(torrent))
    assert not broken, "; ".join(broken)


def _session(session: Session) -> Iterator[str]:
    shared = session._shared
    used = len(shared.greeting) + sum(
        not peer.closing for torrent in session.torrents if torrent.connected for peer in torrent.swarm.peers.values())
    if used > session.settings.connections.most + session.settings.connections.half_open:
        yield f"{used} connections"
    if session.internal_errors:
        yield f"{session.internal_errors} internal errors"
    contents = [torrent.content for torrent in session.torrents if torrent.content is not None]
    awake = sum(not torrent.asleep for torrent in session.torrents)
    if not any(content.downloads.in_hand for content in contents) and len(contents) == awake:
        held = sum(
            _rounded(chunk.length)
            for content in contents for piece in content.picker.open.values() for chunk in piece.chunks
            if chunk is not None
        )
        if held != shared.pool.reserved:
            yield f"{shared.pool.reserved} bytes are reserved, open pieces hold {held}"
    for name, bucket in (("down", shared.down), ("up", shared.up)):
        if bucket.tokens < -max(limits.MESSAGE_BYTES, 4 << 20):
            yield f"{name}: the bucket is {-bucket.tokens:.0f} bytes in debt"


def _torrent(torrent: Torrent) -> Iterator[str]:
    if not torrent.connected and torrent.content is None:
        return
    most = torrent._shared.settings.connections.per_torrent
    present = sum(not peer.closing for peer in torrent.swarm.peers.values())
    if present > most:
        yield f"{present} peers, {most} are allowed"
    for peer in torrent.swarm.peers.values():
        yield from (f"{peer.remote}: {text}" for text in _peer(peer))
    content = torrent.content
    if content is not None:
        yield from _claims(torrent, content)
        yield from _pieces(content)
        yield from _requests(content, list(torrent.swarm.peers.values()))
        yield from _availability(content, list(torrent.swarm.peers.values()))
        for peer in torrent.swarm.peers.values():
            for index, _, _ in peer.uploads:
                if not bitfield.has(content.picker.have, index, content.picker.width):
                    yield f"{peer.remote}: is to be sent piece {index}, which is not here"


def _claims(torrent: Torrent, content: Content) -> Iterator[str]:
    """What is had was verified, and is durable or on its way there; nothing else is claimed."""
    have, holdings = content.picker.have, torrent.holdings
    if bitfield.from_wire(bytes(torrent.life._has_bits), content.picker.count) != have:
        yield "what peers may ask for is not what is had"
    if holdings is not None:
        journal = holdings.journal
        if have & ~journal.claimed:
            yield "a piece is had that is neither durable nor on its way there"
        if journal.claimed & ~have:
            yield "a piece is claimed that is not had"
        if journal.durable & journal.pending:
            yield "a piece is durable and waits to be"


def _peer(peer: Peer) -> Iterator[str]:
    total = sum(run.stop - run.block for run in peer.owed.runs)
    if peer.owed.blocks != total:
        yield f"owes {total} blocks, counted as {peer.owed.blocks}"
    if peer.owed.blocks > limits.REQUESTS_QUEUED:
        yield f"owes {peer.owed.blocks} blocks"
    if peer.late < 0:
        yield f"{peer.late} late blocks"
    if len(peer.uploads) > limits.REQUESTS_QUEUED + 2 * limits.MESSAGE_BYTES // 17 * 8:
        yield f"{len(peer.uploads)} requests wait"
    if peer.noise > limits.NOISE and not peer.closing:
        yield f"{peer.noise} messages of noise"
    if len(peer.suggested) > 16 or len(peer.allowed_in) > 100:
        yield f"{len(peer.suggested)} pieces suggested, {len(peer.allowed_in)} allowed"
    if peer.connection.queued > 2 * limits.SEND_QUEUE_BYTES:
        yield f"{peer.connection.queued} bytes wait to be sent"


def _pieces(content: Content) -> Iterator[str]:
    picker = content.picker
    opened = bitfield.of(picker.open, picker.width)
    waiting = 0
    for level in picker._levels:
        if waiting & level:
            yield "a piece waits at two priorities"
        waiting |= level
    if picker.have & opened:
        yield "a piece that is had is open"
    if waiting & (picker.have | opened):
        yield "a piece waits that is had or open"
    if picker.wanted & ~(picker.have | opened | waiting):
        yield "a wanted piece is in no set"
    unasked = bitfield.of((piece.index for piece in picker.open.values() if piece.asked != piece.all), picker.width)
    if picker.unasked != unasked:
        yield "the set of open pieces with unasked blocks is wrong"
    for piece in picker.open.values():
        if piece.doubtful and piece.queue:
            yield f"piece {piece.index} is doubtful and waits for the writer"
        if piece.got & ~piece.asked:
            yield f"piece {piece.index} has blocks that were not asked"
        for number in range(len(piece.chunks)):
            first, stop = number * 64, min(number * 64 + 64, piece.blocks)
            mine = (1 << stop) - (1 << first)
            if piece.chunks[number] is None and piece.asked & mine and piece.got & mine != mine:
                yield f"piece {piece.index} has no memory for what was asked"


def _requests(content: Content, peers: list[Peer]) -> Iterator[str]:
    """What is asked and has not come is owed by somebody, and the reverse."""
    owed: dict[int, int] = {}
    for peer in peers:
        for run in peer.owed.runs:
            mask = (1 << run.stop) - (1 << run.block)
            piece = content.picker.open.get(run.index)
            if piece is not run.piece:
                yield f"{peer.remote} owes blocks of piece {run.index}, which is not open"
                continue
            if mask & piece.got and not piece.duplicated:
                yield f"{peer.remote} owes blocks of piece {run.index} that are here"
            if owed.get(run.index, 0) & mask and not piece.duplicated:
                yield f"two peers owe the same blocks of piece {run.index}"
            owed[run.index] = owed.get(run.index, 0) | mask
    for piece in content.picker.open.values():
        if piece.asked & ~piece.got & ~owed.get(piece.index, 0):
            yield f"piece {piece.index}: blocks count as asked and nobody owes them"
        if owed.get(piece.index, 0) & ~piece.asked:
            yield f"piece {piece.index}: blocks are owed and do not count as asked"


def _availability(content: Content, peers: list[Peer]) -> Iterator[str]:
    picker = content.picker
    counted = picker.availability.counts(picker.count)
    truth = [0] * picker.count
    for peer in peers:
        if peer.haves:
            for piece in bitfield.indices(peer.have, picker.width):
                truth[piece] += 1
    if counted != truth:
        yield "the counts of who has what are wrong"


def _rounded(length: int) -> int:
    size = 16384
    while size < length:
        size <<= 1
    return size
