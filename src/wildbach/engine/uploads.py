"""Blocks out. Requests in a row become one read, straight into a send buffer that has gaps for the headers.

A page-cache hit is read inline, a miss by a worker. At most a few buffers of a peer are on their way to the kernel;
the next is read when they have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import RemoteError, StorageError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.disk.storage import Storage
from wildbach.engine.peer import Peer
from wildbach.engine.ratelimits import Gate
from wildbach.protocol.wire import codec
from wildbach.runtime.workers import Threads

_ROW: Final = 32
"Blocks in one read for a fast peer: 512 KiB."
_SHORT_ROW: Final = 4
"Blocks in one read for others: less memory waits with those who are slow to take it."
_FRAME: Final = BLOCK + codec.BLOCK_HEADER
_FULL: Final = BLOCK + 9
"The length field of a `piece` message with a full block."
_AHEAD: Final = 768 << 10
"Bytes of a fast peer that may wait for the kernel."
_AHEAD_LEAST: Final = 64 << 10
_AHEAD_SECONDS: Final = 0.25
"What waits cannot be cancelled, nor is a choke felt before it has left: no more than this long."
_FAST: Final = 2 << 20
"A peer that took so much since the last second began is fast."


class SendBuffer:
    """Memory for one row: frames of a header and a block each. `slots` are the places of full blocks."""

    __slots__ = ("data", "slots", "view")

    def __init__(self, blocks: int) -> None:
        self.data = bytearray(blocks * _FRAME)
        self.view = memoryview(self.data)
        self.slots = [
            self.view[at + codec.BLOCK_HEADER : at + _FRAME] for at in range(0, blocks * _FRAME, _FRAME)
        ]


class SendBuffers:
    """Buffers of one row each, used over and over by all uploads of a session."""

    def __init__(self) -> None:
        self._free: list[SendBuffer] = []
        self._short: list[SendBuffer] = []

    def take(self, blocks: int) -> SendBuffer:
        """A buffer for a row of up to so many blocks."""
        if blocks <= _SHORT_ROW:
            return self._short.pop() if self._short else SendBuffer(_SHORT_ROW)
        return self._free.pop() if self._free else SendBuffer(_ROW)

    def give(self, buffer: SendBuffer) -> None:
        if len(buffer.slots) <= _SHORT_ROW:
            if len(self._short) < 64:
                self._short.append(buffer)
        elif len(self._free) < 16:
            self._free.append(buffer)


class Uploads:
    """The sending half of one torrent."""

    def __init__(
        self, geometry: Geometry, storage: Storage, threads: Threads, buffers: SendBuffers,
        has: Callable[[int], bool], gate: Callable[[Peer], Gate | None],
        broken: Callable[[StorageError], None],
    ) -> None:
        self._geometry = geometry
        self._storage = storage
        self._threads = threads
        self._buffers = buffers
        self._has = has
        self._gate = gate
        self._broken = broken
        self.sent = 0
        "Bytes of blocks sent."
        self.running = True
        self._guest: Peer | None = None
        "The choked peer that gets what it is allowed (BEP 6): one at a time."
        self._reading: dict[int, Peer] = {}
        self._limited: dict[int, Peer] = {}
        "Peers that wait for the rate limit."

    def requests(self, peer: Peer, items: list[tuple[int, int, int]]) -> None:
        """Queue what is asked, or say no. Raises RemoteError where the request is against the rules."""
        geometry = self._geometry
        queue = peer.uploads
        known, size, good = -1, 0, False
        for item in items:
            index, offset, length = item
            if index != known:
                # Requests come in rows of one piece: what is the same for all of them is looked up once.
                if index >= geometry.piece_count:
                    raise RemoteError("a request for a piece that does not exist", piece=index)
                known = index
                size = geometry.v1_piece_size(index)
                good = self.running and self._has(index) and (not peer.am_choking or self._allowed(peer, index))
            if not 0 < length <= limits.REQUEST_LENGTH or offset + length > size:
                raise RemoteError("a request beyond its piece", piece=index, offset=offset, length=length)
            if good and len(queue) < limits.REQUESTS_QUEUED:
                queue.add(index, offset, length)
                if peer.am_choking:
                    peer.allowance -= 1
                    good = peer.allowance > 0
            else:
                # Not ours to give, over the limit, or it crossed our choke on the way.
                self._refuse(peer, item)
        if queue and peer.number not in self._reading and peer.connection.queued < peer.ahead:
            self.pump(peer)

    def row(self, peer: Peer, index: int, offset: int, count: int) -> None:
        """As `requests`, for `count` full blocks in a row."""
        geometry = self._geometry
        length = count * BLOCK
        if (
            index < geometry.piece_count and offset + length <= geometry.v1_piece_size(index) and self.running
            and not peer.am_choking and len(peer.uploads) + count <= limits.REQUESTS_QUEUED and self._has(index)
        ):
            peer.uploads.add(index, offset, length)
            if peer.number not in self._reading and peer.connection.queued < peer.ahead:
                self.pump(peer)
        else:
            self.requests(peer, [(index, at, BLOCK) for at in range(offset, offset + length, BLOCK)])

    def _allowed(self, peer: Peer, index: int) -> bool:
        """A choked peer may have this block all the same (BEP 6), but not again and again, nor many peers at once."""
        if index not in peer.allowed_out or peer.allowance <= 0:
            return False
        if self._guest is None:
            self._guest = peer
        return self._guest is peer

    def tick(self, peers: Iterable[Peer], now: float) -> None:
        """Once a second: see how fast each peer is. A guest that asks no more makes room for another."""
        for peer in peers:
            if not peer.am_choking or peer.uploads:
                peer.ahead = min(_AHEAD, max(_AHEAD_LEAST, int(peer.up.rate(now) * _AHEAD_SECONDS)))
                peer.up_before = peer.up.total
        guest = self._guest
        if guest is not None and (guest.closing or not guest.am_choking or not guest.uploads):
            self._guest = None

    def _refuse(self, peer: Peer, item: tuple[int, int, int]) -> None:
        peer.noise += 1
        if peer.fast:
            peer.send(codec.reject(*item))
            if peer.connection.queued > limits.SEND_QUEUE_BYTES:
                raise RemoteError("asks on without reading the answers")
        elif len(peer.uploads) >= limits.REQUESTS_QUEUED:
            # Without BEP 6 there is no way to say no: stop listening until the queue is shorter.
            peer.paused = True
            peer.connection.pause()
            peer.uploads.add(*item)

    def cancel(self, peer: Peer, index: int, offset: int, length: int) -> None:
        if peer.uploads.remove(index, offset, length) and peer.fast:  # else it is on its way already
            peer.send(codec.reject(index, offset, length))

    def choke(self, peer: Peer) -> None:
        """Forget what a choked peer asked for (BEP 6: say so)."""
        gone = peer.uploads.drop(lambda index: index not in peer.allowed_out)
        if gone and peer.fast:
            peer.send(b"".join([codec.reject(*item) for item in gone]))
        self._unpause(peer)

    def pump(self, peer: Peer) -> None:
        """Send until the peer's share of the kernel's buffers is used, the limit is, or nothing is asked."""
        connection = peer.connection
        if peer.ahead < _AHEAD and peer.up.total - peer.up_before > _FAST:
            peer.ahead = _AHEAD
        while peer.uploads and not connection.closing and connection.queued < peer.ahead:
            gate = self._gate(peer)
            if gate is not None and not gate.open:
                self._limited[peer.number] = peer
                return
            if not self._row(peer, gate):
                return
        self._unpause(peer)

    def _unpause(self, peer: Peer) -> None:
        if peer.paused and len(peer.uploads) < limits.REQUESTS_QUEUED // 2:
            peer.paused = False
            peer.connection.resume()

    def _row(self, peer: Peer, gate: Gate | None) -> bool:
        """Send the requests at the head of the queue that lie in a row. False: a worker reads, wait for it."""
        queue = peer.uploads
        geometry = self._geometry
        piece_length = geometry.piece_length
        most = min(len(queue), _ROW if peer.ahead >= _AHEAD else _SHORT_ROW)
        if gate is not None:
            most = min(most, gate.row)
        buffer = self._buffers.take(most)
        data, view, slots = buffer.data, buffer.view, buffer.slots
        put = codec.put_block_header
        parts: list[memoryview] = []
        start = at = queue.head.piece * piece_length + queue.head.offset
        used = row = total = 0
        while queue and row < most:
            index, offset, length = queue.head
            size = geometry.piece_size(index)
            if index * piece_length + offset != at:
                break
            if length >= BLOCK and offset + BLOCK <= size and used == row * _FRAME:
                # Full blocks: headers into the gaps, data into the slots between them.
                most_here = min(most - row, (size - offset) // BLOCK)
                index, offset, length = queue.take(most_here)
                first = row
                for place in range(offset, offset + length, BLOCK):
                    put(data, used, _FULL, codec.PIECE, index, place)
                    used += _FRAME
                    row += 1
                parts += slots[first:row]
                at += length
                total += length
                continue
            index, offset, length = queue.take(1)
            real = length if offset + length <= size else size - offset
            put(data, used, length + 9, codec.PIECE, index, offset)
            used += codec.BLOCK_HEADER
            if real > 0:
                parts.append(view[used : used + real])
            if real < length:
                # The tail of a hybrid's piece, which only v1 peers know (BEP 52): zeros.
                blank = length - max(real, 0)
                view[used + length - blank : used + length] = bytes(blank)
            used += length
            at += length
            total += length
            row += 1
            if real < length:
                break
        if gate is not None:
            gate.take(total)
        self.sent += total
        peer.up.add(total)

        def free() -> None:
            self._buffers.give(buffer)

        if not parts or self._storage.try_read(start, parts):
            self._ship(peer, view[:used], total, free)
            return True
        self._reading[peer.number] = peer

        def read() -> None:
            self._storage.read_into(start, parts)

        def ended(outcome: BaseException | None) -> None:
            self._reading.pop(peer.number, None)
            if isinstance(outcome, StorageError):
                free()
                self._broken(outcome)
                return
            if outcome is not None:
                raise outcome
            self._ship(peer, view[:used], total, free)
            if not peer.closing:
                self.pump(peer)

        self._threads.submit(read, ended)
        return False

    def _ship(self, peer: Peer, frames: memoryview, size: int, free: Callable[[], None]) -> None:
        peer.connection.send(frames, free)
        peer.shipped += size
        if peer.bargain is not None:
            peer.bargain.gave(size)

    def drained(self, peer: Peer) -> None:
        if peer.uploads and peer.number not in self._reading:
            self.pump(peer)

    def refill(self) -> None:
        """The rate limit allows more. Who gets nothing of it is the first next time."""
        if self._limited:
            waiting, self._limited = self._limited, {}
            served: list[Peer] = []
            for peer in waiting.values():
                if not peer.closing:
                    before = peer.up.total
                    self.pump(peer)
                    if peer.up.total != before:
                        served.append(peer)
            for peer in served:
                if self._limited.pop(peer.number, None) is not None:
                    self._limited[peer.number] = peer

    def gone(self, peer: Peer) -> None:
        peer.uploads.clear()
        self._limited.pop(peer.number, None)
