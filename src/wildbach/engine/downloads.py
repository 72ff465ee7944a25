"""Blocks in: what is asked from whom, where a block goes when it comes, and what becomes of whole pieces.

Memory is reserved when a block is asked for, never when it comes. A block is copied once, from the receive scratch
into its chunk. A whole chunk goes to the writer, which hashes and writes it; the verdict comes back on the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from wildbach.base import bitfield, limits
from wildbach.base.errors import RemoteError, StorageError
from wildbach.base.geometry import BLOCK
from wildbach.disk.piecework import ChunkJob, ChunkResult, PieceSpec
from wildbach.disk.pool import SLAB, Chunk, ChunkPool
from wildbach.disk.storage import Storage
from wildbach.disk.writer import Writer
from wildbach.engine.doubts import Doubts
from wildbach.engine.haste import FOR_EVER, Haste, promised, silent
from wildbach.engine.landing import Landing, Planned, Scratch
from wildbach.engine.openpiece import CHUNK_BLOCKS, OpenPiece
from wildbach.engine.partials import Partials, Submit
from wildbach.engine.peer import Peer
from wildbach.engine.picker import Picker
from wildbach.engine.ratelimits import Gate
from wildbach.engine.requests import Run
from wildbach.protocol.wire import codec

_SNUB_SECONDS: Final = 20.0
"A peer that owes blocks and sends none for this long is asked for one block at a time, and others for the rest."
_HURRY_SECONDS: Final = 0.2
"In the end game a block that is due within this time is not asked for again."
_SPARE_OPEN: Final = 8
_TESTED: Final = 8
"Newcomers that fetch a piece alone at the same time."
_BACKLOG: Final = 16
"Chunks that may wait for the writer while it gets on: memory that was just used is faster than fresh memory."
_STALL_SECONDS: Final = 0.02
"A writer that ended nothing for so long is held up; what memory there is lets the peers go on meanwhile."
_LANDING_FROM: Final = 32
"Who owes more blocks than this is fast: they are received straight in their places."
_UNASKED: Final = 32
"Blocks nobody asked for, after which a peer is sent away."


class Judge(Protocol):
    """Who learns what became of a piece."""

    def passed(self, piece: OpenPiece, digests: bytes) -> None:
        """`digests` of all blocks where `wants_digests` asked for them, else nothing."""
        ...

    def failed(self, piece: OpenPiece, result: ChunkResult) -> None:
        """`result` has the digests of all blocks."""
        ...

    def broken(self, result: ChunkResult) -> None:
        """The disk failed; `result` says how."""
        ...

    def can_mend(self, piece: int) -> bool:
        """Of a bad piece, `Downloads.mend` will be told which blocks are false."""
        ...

    def wants_digests(self, piece: int) -> bool:
        """The piece failed before: its blocks shall be compared with the good ones."""
        ...


class Downloads:
    """The receiving half of one torrent."""

    def __init__(
        self, number: int, picker: Picker, pool: ChunkPool, writer: Writer, storage: Storage,
        spec: Callable[[int], PieceSpec | None], judge: Judge, clock: Callable[[], float],
        gate: Callable[[Peer], Gate | None], submit: Submit, note: Callable[[int, int], None],
    ) -> None:
        self.number = number
        self.picker = picker
        self.running = True
        self.received = 0
        "Bytes of blocks that came."
        self.wasted = 0
        "Bytes of blocks that were not needed."
        self.doubled = 0
        "Bytes of blocks that a second peer was asked for."
        self._pool = pool
        self._writer = writer
        self._storage = storage
        self._spec = spec
        self._judge = judge
        self._clock = clock
        self.peers: dict[int, Peer] = {}
        self._sole: dict[int, OpenPiece] = {}
        "The piece that a peer on parole fetches alone; of several the last."
        self._starved: dict[int, Peer] = {}
        "Peers that would be asked for more if there were memory."
        self._digests: dict[int, dict[int, bytes]] = {}
        self.in_hand = 0
        "Chunks the writer has."
        self._ended_at = float("-inf")
        "When the writer ended one last, or got the first."
        self._idle: Callable[[], None] | None = None
        self._gate = gate
        self._partials = Partials(self, picker, pool, storage, submit, note)
        self._doubts = Doubts(self, picker, self._partials)
        self._keep = True
        "Unfinished pieces go to the disk when they are let go of."
        self._scratch = Scratch()
        self.haste = Haste(picker, self.peers, clock, self._guarded)
        self.watched: dict[int, None] = {}
        "Pieces whose blocks somebody waits for."
        self.on_watched: Callable[[int], None] = lambda _piece: None
        "Called when blocks of a watched piece have come."
        self._held: dict[int, Peer] = {}
        "Peers that are not read from until the rate limit allows."

    # -- blocks

    def blocks(self, peer: Peer, items: list[tuple[int, int, memoryview]], now: float) -> None:
        """Take a batch of blocks from one peer."""
        owed = peer.owed
        runs = owed.runs
        run = runs[0] if runs else None
        taken = size = 0
        for index, offset, data in items:
            length = len(data)
            if (
                run is not None and index == run.index and offset == run.offset
                and (length == BLOCK or length == run.piece.size - offset) and not run.piece.duplicated
            ):
                at = offset & (SLAB - 1)
                run.view[at : at + length] = data
                run.offset = offset + BLOCK
                run.block += 1
                taken += 1
                size += length
                if run.block == run.stop:
                    runs.popleft()
                    self._note(peer, run)
                    run = runs[0] if runs else None
            else:
                if run is not None and run.block != run.first:
                    self._note(peer, run)
                self._odd(peer, index, offset, data)
                runs = owed.runs
                run = runs[0] if runs else None
        if run is not None and run.block != run.first:
            self._note(peer, run)
        self._came(peer, taken, size, now)

    def landed(self, peer: Peer, plan: Sequence[Planned], headers: memoryview, frames: int) -> int:
        """Blocks that were received in their places, as far as their headers are what the plan says."""
        runs = peer.owed.runs
        taken = 0
        for run, first, stop in plan:
            count = min(stop - first, frames - taken)
            if not count or not runs or runs[0] is not run or run.block != first or run.piece.duplicated:
                break
            at = taken * codec.BLOCK_HEADER
            expected = codec.block_headers(run.index, first, first + count)
            if bytes(headers[at : at + len(expected)]) != expected:  # comparing views goes byte by byte
                break
            run.block = first + count
            run.offset = run.block * BLOCK
            taken += count
            if run.block == run.stop:
                runs.popleft()
            self._note(peer, run)
        if taken:
            now = self._clock()
            peer.last_in = now
            self._came(peer, taken, taken * BLOCK, now)
        return taken

    def _came(self, peer: Peer, taken: int, size: int, now: float) -> None:
        """Blocks that were expected are in their places: `taken` of them, `size` bytes."""
        owed = peer.owed
        owed.blocks -= taken
        peer.grown = min(peer.grown + taken, limits.REQUESTS_QUEUED)
        peer.down.add(size)
        self.received += size
        peer.waiting_since = now if owed.blocks else None
        if peer.asked_at is not None:
            took, peer.asked_at = now - peer.asked_at, None
            peer.rtt = min(peer.rtt, took) if peer.rtt else took
        if peer.snubbed:
            peer.snubbed = False
        peer.rejects = 0
        gate = self._gate(peer)
        if gate is not None:
            gate.take(size)
            if not gate.open:
                self._held[peer.number] = peer
                peer.connection.pause()
        if self.haste.hungry(peer, now):
            self.fill(peer, now)

    def _odd(self, peer: Peer, index: int, offset: int, data: memoryview) -> None:
        """A block that is not the next one expected."""
        found = peer.owed.take(index, offset)
        self.received += len(data)
        peer.down.add(len(data))
        if found is None and peer.late > 0:
            peer.late -= 1
            found = self._belated(peer, index, offset, len(data))
            if found is None:
                self.wasted += len(data)
                return
        if found is None:
            self.wasted += len(data)
            peer.odd_pieces += 1
            if peer.odd_pieces > _UNASKED:
                raise RemoteError("sends blocks that were not asked for", piece=index)
            return
        piece, block = found
        if len(data) != piece.block_size(block):
            self._unask(piece, block, block + 1)
            raise RemoteError("a block of the wrong length", piece=index, length=len(data))
        if piece.got >> block & 1:
            self.wasted += len(data)
            return
        at = offset & (SLAB - 1)
        piece.memory(block)[at : at + len(data)] = data
        if piece.doubled >> block & 1:
            self._cancel(peer, piece, block)
        self._arrived(peer, piece, block, block + 1)

    def _belated(self, peer: Peer, index: int, offset: int, length: int) -> tuple[OpenPiece, int] | None:
        """A block that was taken back from a peer has come all the same: its place, where it is still of use."""
        piece = self.picker.open.get(index)
        block, odd = divmod(offset, BLOCK)
        if (
            piece is None or odd or block >= piece.blocks or piece.got >> block & 1 or peer.suspect
            or piece.sole not in (None, peer.number) or piece.doubtful or piece.chunks[block // CHUNK_BLOCKS] is None
            or length != piece.block_size(block)
        ):
            return None
        if piece.asked >> block & 1:
            piece.doubled |= 1 << block  # somebody else owes it too, and is told
        else:
            piece.asked |= 1 << block
            self.picker.note_asked(piece)
        return piece, block

    def _cancel(self, winner: Peer, piece: OpenPiece, block: int) -> None:
        """Tell the others that were asked for a block that it is here."""
        for other in self.peers.values():
            if other is not winner and other.owed.blocks and other.owed.take(piece.index, block * BLOCK):
                other.late += 1
                other.send(codec.cancel(piece.index, block * BLOCK, piece.block_size(block)))

    def _note(self, peer: Peer, run: Run) -> None:
        first, run.first = run.first, run.block
        self._arrived(peer, run.piece, first, run.block)

    def _arrived(self, peer: Peer, piece: OpenPiece, first: int, stop: int) -> None:
        piece.arrived(peer.number, first, stop)
        number = first // CHUNK_BLOCKS
        if piece.chunk_whole(number):
            piece.queue.append(number)
            if piece.whole and peer.mine is piece:
                peer.mine = None
            if len(piece.queue) == 1:
                self._hand(piece)
        if self.watched and piece.index in self.watched:
            self.on_watched(piece.index)

    # -- asking

    def fill(self, peer: Peer, now: float) -> None:
        """Ask a peer for as much as its window has room for."""
        if not self.running or peer.closing or (peer.choked and not peer.allowed_in):
            return
        if not peer.am_interested:
            return
        owed = peer.owed
        gate = self._gate(peer)
        window = self.haste.window(peer, now)
        want = (window if gate is None else min(window, gate.window(peer.rtt))) - owed.blocks
        if want > 0 and peer.bargain is not None and peer.bargain.paying:
            # What is paid for comes in small portions, which are checked before more is owed.
            room = peer.bargain.most_unverified - peer.bargain.unverified
            want = min(want, room // BLOCK - owed.blocks)
        if want <= 0:
            return
        if self.in_hand >= _BACKLOG and now - self._ended_at < _STALL_SECONDS:
            self._starved[peer.number] = peer
            return
        if peer.waiting_since is None or not (owed.blocks or peer.snubbed):
            peer.waiting_since = now
        if not owed.blocks:
            peer.asked_at = now
        out: list[bytes] = []
        while want > 0:
            among = None
            piece, found, most, first = None, None, want, None
            if self.picker.has_deadlines:
                urgent, found = self.haste.pressing(peer, now)
                if urgent is not None:
                    piece, first = urgent
                    most = min(want, self.haste.at_a_time(peer))
            if piece is None and found is None:
                piece = self._choose(peer)
                if piece is None:
                    found = self._last_ones(peer, now)
            if found is not None:
                piece, among = found
                most = want = min(want, 2 if self.picker.has_deadlines else 4)
            if piece is None:
                break
            span = piece.take(most, self._pool, first if among is None else among)
            if span is None and among is None and piece.unasked:
                roomy = self._roomy(peer)
                if roomy is not None:
                    piece, span = roomy, roomy.take(want, self._pool, roomy.roomy)
            if span is None:
                self.picker.note_asked(piece)
                if not piece.unasked and among is None:
                    continue
                self._starved[peer.number] = peer
                self._reclaim()
                break
            begin, stop = span
            if among is not None:
                piece.duplicated = True
                piece.doubled |= (1 << stop) - (1 << begin)
                self.doubled += (stop - begin) * BLOCK
            else:
                self.picker.note_asked(piece)
                peer.mine = piece
                peer.last_piece = piece.index
            owed.add(Run(piece, begin, stop, now))
            out.append(codec.requests(piece.index, begin, stop, piece.size))
            want -= stop - begin
        if out:
            peer.send(b"".join(out) if len(out) > 1 else out[0])
            if owed.blocks > _LANDING_FROM and peer.connection.landing is None:
                peer.connection.landing = Landing(peer, self, self._pool, self._scratch)

    def _choose(self, peer: Peer) -> OpenPiece | None:
        picker = self.picker
        have = peer.have
        if peer.choked:
            if picker.have.bit_count() >= limits.ALLOWED_FAST or picker.has_deadlines:
                return None  # that is for those who have nothing to trade yet, and what is read would wait behind it
            have = bitfield.of(peer.allowed_in, picker.width) & have
        if peer.suspect:
            return self._alone(peer, have) or self._afresh(peer, have)
        if picker.focus.warm and not peer.choked and not (peer.web and self.haste.enough(peer)):
            warm = picker.next_warm(have, peer.number)
            if warm is not None:
                return warm
        mine = peer.mine
        if mine is not None and mine.asked != mine.all and picker.open.get(mine.index) is mine and not peer.choked:
            return mine
        if peer.web and peer.proven:
            piece = picker.onward(have, peer.last_piece)
            if piece is not None:
                return piece
        if peer.suggested:
            piece = picker.suggested(have, peer.suggested)
            if piece is not None:
                peer.suggested.remove(piece.index)
                return piece if peer.proven or not self._may_test() else self._claim(peer, piece)
        if not peer.proven and (peer.number in self._sole or self._may_test()):
            scarce = have & ~picker.availability.somebody() if peer.seed else 0
            piece = (self._alone(peer, scarce) if scarce else None) or self._alone(peer, have)
            if piece is not None:
                return piece
        # Many open pieces hold memory and are no use to anybody.
        crowded = (
            2 * len(picker.open) > 3 * len(self.peers) + _SPARE_OPEN or 4 * self._pool.reserved > 3 * self._pool.size
        )
        return picker.best(have, peer.number, crowded=crowded) or self._borrow(have)

    def _alone(self, peer: Peer, have: int) -> OpenPiece | None:
        """A peer that has not given a good piece yet, or is on parole, gets whole pieces for itself: what comes of them
        is its doing alone.
        """
        piece = self._sole.get(peer.number)
        if piece is not None and self.picker.open.get(piece.index) is piece and piece.asked != piece.all:
            return piece if bitfield.has(have, piece.index, self.picker.width) else None
        piece = self.picker.untouched(have) or self.picker.next_new(have)
        return self._claim(peer, piece) if piece is not None else None

    def _afresh(self, peer: Peer, have: int) -> OpenPiece | None:
        """All who could go on with what is open are on parole, and what several gave would prove nothing: begin one of
        the open pieces anew.
        """
        if any(not (other.suspect or other.choked or other.closing) for other in self.peers.values()):
            return None
        if any(piece.doubtful for piece in self.picker.open.values()):
            return None  # its leaves will tell who lied
        stuck = [
            piece for piece in self.picker.open.values()
            if piece.asked == piece.got != piece.all and piece.sole is None and not piece.queue
            and not self._partials.under_way(piece.index) and bitfield.has(have, piece.index, self.picker.width)
        ]
        if not stuck:
            return None
        piece = min(stuck, key=lambda piece: piece.got.bit_count())
        self.wasted += piece.got.bit_count() * BLOCK
        self.abandon(piece)
        return self._alone(peer, have)

    def _may_test(self) -> bool:
        """A few newcomers at a time get pieces for themselves; many half pieces would be of no use to anybody."""
        return len(self._sole) < _TESTED and self.picker.geometry.piece_length <= SLAB

    def _unclaim(self, piece: OpenPiece) -> None:
        if piece.sole is not None and self._sole.get(piece.sole) is piece:
            del self._sole[piece.sole]

    def _claim(self, peer: Peer, piece: OpenPiece) -> OpenPiece:
        former = self._sole.get(peer.number)
        if former is not None and former is not piece:
            former.sole = None  # a peer has one piece for itself: what it leaves may be finished by others
        piece.sole = peer.number
        self._sole[peer.number] = piece
        return piece

    def _share(self, peer: Peer) -> None:
        """What a peer began alone may be finished by others."""
        self._sole.pop(peer.number, None)
        for piece in self.picker.open.values():
            if piece.sole == peer.number:
                piece.sole = None

    def _borrow(self, have: int) -> OpenPiece | None:
        """Nothing else is left: help a newcomer with the piece it has for itself."""
        for number, piece in self._sole.items():
            if piece.sole == number and piece.asked != piece.all and self.picker.open.get(piece.index) is piece:
                holder = self.peers.get(number)
                if bitfield.has(have, piece.index, self.picker.width) and (holder is None or not holder.suspect):
                    self._unclaim(piece)
                    piece.sole = None
                    return piece
        return None

    def _guarded(self, piece: OpenPiece, peer: Peer) -> bool:
        """Somebody on parole has this piece for itself."""
        if piece.sole is None or piece.sole == peer.number:
            return False
        holder = self.peers.get(piece.sole)
        return holder is not None and holder.suspect

    def take_back(self, now: float) -> None:
        """Readers have gone elsewhere: take back what was asked of peers and is not due. `hurry` asks for what is."""
        picker = self.picker
        for peer in list(self.peers.values()):
            if not peer.am_interested or peer.closing:
                continue
            if not peer.choked:
                self._take_back(peer, [run for run in peer.owed.runs if picker.deadline(run.index) is None], now)

    def _take_back(self, peer: Peer, runs: Sequence[Run], now: float) -> None:
        """Cancel what a peer was asked for. What is on its way already may still come."""
        out: list[bytes] = []
        for run in runs:
            first = run.block + (run is peer.owed.runs[0])
            for block in range(first, run.stop):
                out.append(codec.cancel(run.index, block * BLOCK, run.piece.block_size(block)))
            peer.late += run.stop - first
            stop = run.stop
            peer.owed.cut(run, first)
            self._unask(run.piece, first, stop)
        if out:
            self.haste.taken_back(peer, len(out), now)
            peer.send(b"".join(out))

    def _last_ones(self, peer: Peer, now: float) -> tuple[OpenPiece, int] | None:
        """The end game: all that is wanted is asked, so ask this peer too for what another will be long in giving."""
        picker = self.picker
        if peer.owed.blocks > 2 or peer.snubbed or peer.choked or peer.suspect or not picker.ending:
            return None
        if peer.late and not peer.proven:
            return None  # it has not answered before
        if peer.bargain is not None and peer.bargain.paying:
            return None  # nothing is paid for twice
        longest = 2.0 * _seconds(peer, peer.owed.blocks + 1, now) + _HURRY_SECONDS
        found: tuple[OpenPiece, int] | None = None
        for other in self.peers.values():
            if other is peer or not other.owed.blocks:
                continue
            wait = FOR_EVER if silent(other, now) else _seconds(other, other.owed.blocks, now)
            if wait <= longest:
                continue
            for run in reversed(other.owed.runs):
                piece = run.piece
                if not bitfield.has(peer.have, piece.index, picker.width) or self._guarded(piece, peer):
                    continue
                among = ((1 << run.stop) - (1 << run.block)) & ~(piece.got | peer.owed.mask(piece.index))
                if among & piece.doubled:
                    among &= ~(piece.doubled & promised(self.peers, piece, now))
                if among:
                    longest, found = wait, (piece, among)
                    break
        return found

    @property
    def crowded(self) -> bool:
        """Nothing is asked for, as what has come waits to be checked and written, and fills the memory."""
        return bool(self._starved) and self.in_hand > 0 and 4 * self._pool.reserved > 3 * self._pool.size

    def pulse(self, now: float) -> None:
        """Every 50 ms: in the end game nobody who could help may be idle, nor anybody while only the disk is slow."""
        if self._starved and self.in_hand:
            self._feed(now)
        if self.picker.has_deadlines:
            self.hurry(now)
        if self.picker.open and self.picker.ending:
            for peer in list(self.peers.values()):
                if peer.am_interested and not peer.choked and peer.owed.blocks <= 2:
                    self.fill(peer, now)

    def hurry(self, now: float) -> None:
        """Readers wait: leave nobody idle who could help."""
        for peer in self.haste.look(now):
            if self.haste.hungry(peer, now):
                self.fill(peer, now)

    def release(self, peer: Peer, *, late: bool) -> None:
        """Give up what a peer owes; `late`: it may still come, and is not held against the peer."""
        if late:
            peer.late += peer.owed.blocks
        for run in peer.owed.clear():
            self._unask(run.piece, run.block, run.stop)
        peer.mine = None
        self._share(peer)
        self._starved.pop(peer.number, None)

    def _unask(self, piece: OpenPiece, first: int, stop: int) -> None:
        """Blocks will not come from whom they were asked: others may be asked, unless they were already."""
        if self.picker.open.get(piece.index) is not piece:
            return
        others = several = 0
        if piece.duplicated:
            for peer in self.peers.values():
                mask = peer.owed.mask(piece.index)
                several |= others & mask
                others |= mask
        span = (1 << stop) - (1 << first)
        piece.asked &= ~span | piece.got | others
        piece.doubled &= ~span | several  # where one is left, somebody else may be asked again
        self.picker.note_asked(piece)

    def rejected(self, peer: Peer, index: int, offset: int, now: float) -> None:
        found = peer.owed.take(index, offset)
        if found is None:
            if peer.late > 0:
                peer.late -= 1
            else:
                peer.noise += 1
            return
        piece, block = found
        self._unask(piece, block, block + 1)
        self._share(peer)
        if index in peer.allowed_in:
            peer.allowed_in.remove(index)
        if peer.choked:
            return  # a peer with much to do takes back what it allowed (BEP 6)
        peer.rejects += 1
        if peer.rejects > limits.REJECTS_IN_ROW:
            raise RemoteError("rejects what it is asked for")

    def tick(self, now: float) -> None:
        """Once a second: see who keeps us waiting, and who could be asked."""
        for peer in list(self.peers.values()):
            since = peer.waiting_since
            if since is not None and peer.owed.blocks and now - max(since, peer.owed.oldest) > _SNUB_SECONDS:
                peer.snubbed = True
                self.release(peer, late=True)
        # What they kept is asked of others first, and of them only where nobody else has it.
        for peer in sorted(self.peers.values(), key=lambda peer: peer.snubbed):
            if peer.am_interested and not peer.owed.blocks:
                self.fill(peer, now)
        self._partials.tick(now)
        self._doubts.tick(now)
        self._feed(now)

    def refill(self) -> None:
        """The rate limit allows more."""
        if self._held:
            held, self._held = self._held, {}
            for peer in held.values():
                if not peer.paused:
                    peer.connection.resume()

    def _feed(self, now: float) -> None:
        """Memory came back: ask those who went without."""
        if not self._starved:
            return
        starved, self._starved = self._starved, {}
        for peer in starved.values():
            if not peer.closing:
                self.fill(peer, now)

    def _roomy(self, peer: Peer) -> OpenPiece | None:
        """No memory is left: an open piece with blocks that need no more of it."""
        picker = self.picker
        for index in bitfield.indices(picker.unasked & peer.have, picker.width) if not peer.choked else ():
            piece = picker.open[index]
            if (piece.sole is None or piece.sole == peer.number) and piece.roomy and not peer.suspect:
                return piece
        return None

    def _reclaim(self) -> None:
        """No memory is left: give up an open piece that nobody is fetching."""
        opened = list(self.picker.open.values())
        for piece in opened:
            if not piece.got and not piece.asked:
                self.abandon(piece)
                return
        if self.in_hand or any(piece.asked != piece.got for piece in opened):
            return  # some will come back
        if any(peer.am_interested and not peer.closing and self._roomy(peer) for peer in self.peers.values()):
            return
        stuck = [piece for piece in opened if any(piece.chunks) and not piece.queue]
        if stuck:
            self.abandon(min(stuck, key=lambda piece: piece.got.bit_count()))

    # -- whole chunks

    def _hand(self, piece: OpenPiece) -> None:
        number = piece.queue[0]
        chunk = piece.chunks[number]
        spec = self._spec(piece.index)
        if chunk is None or spec is None or self._partials.under_way(piece.index):
            # A v2 piece whose hash is not known yet (`hashes_known` comes back to it), or one that waits for `ready`.
            return
        piece.handed += 1
        piece.busy = True
        job = ChunkJob(
            self.number, piece.index, number,
            piece.index * self.picker.geometry.piece_length + number * SLAB,
            piece.handed == len(piece.chunks), self._judge.wants_digests(piece.index), spec,
        )
        if not self.in_hand:
            self._ended_at = self._clock()
        self.in_hand += 1
        self._writer.submit(job, chunk, self._storage, lambda result: self._ended(piece, number, chunk, result))

    def hashes_known(self) -> None:
        """Piece hashes have come (BEP 52): check what waits for them."""
        for piece in list(self.picker.open.values()):
            self.ready(piece.index)

    def restore(self, found: Mapping[int, int]) -> None:
        """Go on with unfinished pieces: piece to the blocks of it that are on the disk."""
        self._partials.restore(found)

    # -- PartialsOwner, DoubtsOwner

    def wait_over(self) -> None:
        now = self._clock()
        for peer in list(self.peers.values()):
            if peer.am_interested and not peer.owed.blocks:
                self.fill(peer, now)

    def ready(self, index: int) -> None:
        piece = self.picker.open.get(index)
        if piece is not None and piece.queue and not piece.busy:
            self._hand(piece)

    def job(self, step: int) -> None:
        self.in_hand += step
        if step < 0 and self._idle is not None and not self.in_hand:
            self._idle()

    def failed_to_keep(self, error: StorageError) -> None:
        self._judge.broken(ChunkResult(None, errno=error.errno, error=error.message, code=error.code))

    # -- verdicts

    def _ended(self, piece: OpenPiece, number: int, chunk: Chunk, result: ChunkResult) -> None:
        self.in_hand -= 1
        self._ended_at = self._clock()
        if result.digests and result.good is not False:
            self._digests.setdefault(piece.index, {})[number] = result.digests
        piece.queue.pop(0)
        piece.busy = False
        current = self.picker.open.get(piece.index) is piece
        doubtful = current and self._doubtful(piece, result)
        if not doubtful or len(piece.chunks) > 1:
            piece.chunks[number] = None
            self._pool.give(chunk)
        if result.error:
            if current:
                self.abandon(piece, lost=False)
            self._judge.broken(result)
        elif not current:
            self._writer.forget(self.number, piece.index)
        elif result.good is None:
            piece.saved |= piece.chunk_mask(number)
            self._partials.note(piece.index, piece.saved)
            if piece.queue:
                self._hand(piece)
            elif not self.running:
                self._let_go(piece)
        else:
            self._verdict(piece, result, doubtful=doubtful)
        if self._starved:
            self._feed(self._clock())
        if self._idle is not None and not self.in_hand:
            self._idle()

    def _doubtful(self, piece: OpenPiece, result: ChunkResult) -> bool:
        """It is bad, and it is worth waiting for what its leaves tell of it."""
        return (
            result.good is False and self.running and not result.conflict and not piece.restored
            and (len(piece.chunks) > 1 or 2 * self._pool.reserved < self._pool.size)
            and self._judge.can_mend(piece.index)
        )

    def _verdict(self, piece: OpenPiece, result: ChunkResult, *, doubtful: bool) -> None:
        parts = self._digests.pop(piece.index, {})
        if result.good:
            digests = b"".join([parts[number] for number in sorted(parts)]) if len(parts) == len(piece.chunks) else b""
            if piece.duplicated:
                self._forget_requests(piece)
            for number, _, _ in piece.from_:
                giver = self.peers.get(number)
                if giver is not None:
                    giver.proven = True
            self._unclaim(piece)
            self.picker.done(piece.index)
            self._judge.passed(piece, digests)
        else:
            self.wasted += piece.size
            if doubtful:
                self._forget_requests(piece)
                self._unclaim(piece)
                self._doubts.hold(piece, self._clock())
            else:
                self.abandon(piece)
            if result.conflict or not piece.restored:
                self._judge.failed(piece, result)

    def mend(self, index: int, false: int) -> None:
        """The leaves of a bad piece have come: which of its blocks are false, as bits."""
        self.wasted -= self._doubts.mend(index, false)

    def _forget_requests(self, piece: OpenPiece) -> None:
        for peer in self.peers.values():
            peer.late += peer.owed.drop_piece(piece.index)
            if peer.mine is piece:
                peer.mine = None

    def abandon(self, piece: OpenPiece, *, lost: bool = True) -> None:
        """Let go of an open piece and all that was asked or received of it; `lost`: also of what is on the disk."""
        self._doubts.forget(piece)
        if lost:
            piece.got = 0
            if piece.saved:
                self._partials.note(piece.index, 0)
        self._forget_requests(piece)
        self._unclaim(piece)
        self.picker.again(piece.index)
        self._digests.pop(piece.index, None)
        handed = piece.queue[0] if piece.busy else -1
        for number, chunk in enumerate(piece.chunks):
            if chunk is not None and number != handed:
                self._pool.give(chunk)
                piece.chunks[number] = None
        if piece.handed and handed < 0:
            self._writer.forget(self.number, piece.index)

    def distrust(self, peer: Peer) -> None:
        """The peer is proven a liar: what it sent of pieces that are not whole yet is fetched again."""
        for piece in self.picker.open.values():
            before = piece.got.bit_count()
            saved = piece.saved
            if piece.distrust(peer.number):
                if piece.saved != saved:
                    self._partials.note(piece.index, piece.saved)
                self.wasted += (before - piece.got.bit_count()) * BLOCK
                self.picker.note_asked(piece)

    def refuse(self, index: int, false: int) -> list[int]:
        """Blocks of an open piece are proven false: they are asked for again. Returns who sent them, by number."""
        piece = self.picker.open.get(index)
        if piece is None:
            return []
        for number in piece.queue:
            false &= ~piece.chunk_mask(number)  # what the writer gets comes to its end there
        false &= piece.got
        senders = [
            number for number, first, stop in piece.from_
            if false & ((1 << stop) - (1 << first)) and not piece.restored
        ]
        if false & piece.saved and any(
            false & piece.chunk_mask(number) for number, chunk in enumerate(piece.chunks) if chunk is None
        ):
            self.wasted += piece.got.bit_count() * BLOCK  # the writer has begun to hash it
            self.abandon(piece)
        elif false:
            self.wasted += false.bit_count() * BLOCK
            piece.lose(false)
            self.picker.note_asked(piece)
        return list(dict.fromkeys(senders))

    def stop(self, *, keep: bool) -> None:
        """Ask for nothing more, and give the memory of unfinished pieces back; `keep`: they go to the disk first."""
        self.running = False
        self._keep = keep
        self._doubts.clear()
        for peer in self.peers.values():
            self.release(peer, late=True)
        for piece in list(self.picker.open.values()):
            # What the writer will get still comes to its end; what waits for hashes would wait for ever.
            if not piece.queue or not (piece.busy or self._partials.under_way(piece.index)):
                self._let_go(piece)

    def _let_go(self, piece: OpenPiece) -> None:
        if self._keep:
            self._partials.keep(piece)
        self.abandon(piece, lost=False)

    def when_idle(self, call: Callable[[], None] | None) -> None:
        """Call once no chunk is with the writer."""
        self._idle = call
        if call is not None and not self.in_hand:
            call()


def _seconds(peer: Peer, blocks: int, now: float) -> float:
    """How long a peer takes for so many blocks, by what it gave lately; a peer not known yet is taken for slow."""
    return blocks * BLOCK / max(peer.down.rate(now), 4.0 * BLOCK)
