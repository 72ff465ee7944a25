"""One content on its way to us: what of it is here already, what still comes, and what would survive a power cut.

Blocks that are said to be on the disk (from an earlier run, or copied from an older file) are never believed: whole
pieces are hashed, and a piece that lacks some is hashed when the others have come. Such pieces are opened a few at a
time, as each needs memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from wildbach.base import bitfield
from wildbach.base.errors import StorageError, UsageError, WildbachError
from wildbach.disk.hasher import Checked, Expected
from wildbach.disk.storage import Storage
from wildbach.engine.contentid import ContentId
from wildbach.engine.contentswarm import ContentSwarm, Left
from wildbach.engine.delta import Delta, compare
from wildbach.engine.hashes import Fetched
from wildbach.engine.shared import Shared
from wildbach.net.transport import Connection
from wildbach.runtime.tasks import Scope

_OPEN_PIECES: Final = 64
"Pieces with blocks on the disk that are open at a time."


class Progress(NamedTuple):
    """Bytes of one content."""

    size: int
    had: int
    "Verified and written."
    received: int
    "Payload of blocks that came."
    wasted: int
    "Of those, what was of no use."
    peers: int


class Fetch:
    """A content that is being fetched. Made by `engine.contents.Contents.fetch`."""

    def __init__(
        self, swarm: ContentSwarm, shared: Shared, storage: Storage, scope: Scope,
        over: Callable[[Fetch], None],
    ) -> None:
        self.swarm = swarm
        self._shared = shared
        self._storage = storage
        self._scope = scope
        self._over = over
        self._partial: dict[int, int] = {}
        "Pieces with blocks on the disk that are not open yet."
        self._restored: dict[int, None] = {}
        self._unchecked = 0
        self._held = 0
        "Pieces that nobody is asked for yet: unchecked, or with blocks here."
        self._noted: dict[int, int] = {}
        "Blocks of open pieces that are on the disk."
        self._had = 0
        self._changed = asyncio.Event()
        self._leaves: dict[int, asyncio.Future[bytes]] = {}
        self._begun = False
        self._ready = False
        "The file has its full length, so that what is there can be read."
        self._closed = False
        self._received = self._wasted = 0
        self._layer = asyncio.Event()
        swarm.on_passed = self._passed
        swarm.on_blocks = self._note
        swarm.on_layer = self._layer.set
        swarm.on_leaves = self._found_leaves
        swarm.on_tick = self._tick
        swarm.on_fail = self._failed
        if swarm.layer is not None:
            self._layer.set()

    @property
    def id(self) -> ContentId:
        return self.swarm.id

    @property
    def complete(self) -> bool:
        content = self.swarm.content
        return content is not None and content.picker.have == content.picker.full

    @property
    def progress(self) -> Progress:
        content = self.swarm.content
        if content is not None:
            self._received, self._wasted = content.downloads.received, content.downloads.wasted
        return Progress(
            self.id.size, self.id.info.geometry.bytes_in(self._had), self._received, self._wasted,
            len(self.swarm.peers),
        )

    def attach(self, connection: Connection, left: Left | None = None) -> None:
        """One more device that may have it, greeted elsewhere. Raises as `ContentSwarm.join`."""
        self.swarm.join(connection, left)

    # -- before it begins

    async def layer(self) -> bytes:
        """The v2 hash of each piece, in a row: from the peers, where it was not known. Raises what ended the fetch."""
        self.swarm.want_layer()
        await self._wait(self._layer)
        found = self.swarm.layer
        if found is None:
            raise UsageError("the fetch was closed")
        return found

    def leaves(self, piece: int) -> asyncio.Future[bytes]:
        """The leaves of a piece, from the peers, once the layer is here. Raises UsageError before that."""
        expected = self.swarm.expected(piece) if 0 <= piece < self.id.pieces else None
        if expected is None or self._closed:
            raise UsageError(f"there is no piece {piece}, its hash is not known yet, or the fetch was closed")
        future = self._leaves.get(piece)
        if future is None:
            future = self._leaves[piece] = asyncio.get_running_loop().create_future()
            self.swarm.fetcher.want_leaves(self.id.tree, piece, expected)
            self.swarm.ask_for_hashes()
        return future

    async def compare(self, old: ContentId, storage: Storage, layer: bytes | None = None) -> Delta:
        """Which blocks of an older file are blocks of this content too, so that they need not come: its hashes are
        compared with those of peers, pieces first.

        `layer` is the piece layer of the old file, where it is known; without, the file is hashed in workers. Raises
        StorageError where it cannot be read.
        """
        return await compare(self, old, storage, layer, self._shared.hasher, self._shared.threads)

    # -- running

    def begin(self, known: bytes = b"") -> None:
        """Ask for blocks from now on. `known`: a bit for each block that is on the disk already, the first the highest
        of the first byte, as `Delta.same` and `durable` have it.
        """
        if self._begun or self._closed:
            raise UsageError("the fetch has begun already, or is closed")
        self._begun = True
        content = self.swarm.begin(0)
        picker = content.picker
        for piece, blocks in self.id.by_piece(known).items():
            if blocks == self.id.whole(piece):
                self._unchecked |= bitfield.bit(piece, picker.width)
            else:
                self._partial[piece] = blocks
        self._held = self._unchecked | bitfield.of(self._partial, picker.width)
        picker.set_levels([picker.full & ~self._held], self._held)
        self.swarm.want_layer()
        self.swarm.start()
        if self._unchecked or self._partial:
            self._scope.spawn(f"known:{self.id.key[:8]}", self._check(), contain=self._broken)

    async def _check(self) -> None:
        """Go on with what is on the disk: hash the pieces that should be here whole, open the others."""
        await self._shared.threads.run(self._take_over)
        self._ready = True
        self._more()
        await self.layer()
        content, pieces = self.swarm.content, self._unchecked
        if content is None or not pieces:
            return
        told = 0

        def progress(_done: int, _total: int, good: int) -> None:
            nonlocal told
            self._checked(good & ~told, good & ~told)
            told |= good

        checked: Checked = await self._shared.hasher.check(
            self.id.info.geometry, self._storage, Expected(None, self.swarm.expected), pieces=pieces, progress=progress)
        self._checked(pieces & ~told, checked.good & ~told)

    def _take_over(self) -> None:
        """What the caller put there is to be synced as well, and the file has its full length. Blocks."""
        self._storage.found(0, self.id.size)
        first = self._storage.targets(0, 1)
        if first is not None:
            self._storage.release(first)

    def _checked(self, pieces: int, good: int) -> None:
        self._unchecked &= ~pieces
        content = self.swarm.content
        if content is None or not pieces:
            return
        self.swarm.found(good)
        self._let(pieces)

    def _let(self, pieces: int) -> None:
        """These may be asked for from now on, as far as they are not here."""
        content = self.swarm.content
        if content is not None:
            self._held &= ~pieces
            content.picker.set_levels([content.picker.full & ~self._held], self._held)
            self._fill()

    def _fill(self) -> None:
        now = self._shared.clock()
        for peer in list(self.swarm.peers.values()):
            if self.swarm.content is not None:
                self.swarm.content.downloads.fill(peer, now)

    def _tick(self, now: float) -> None:
        if self._partial:
            self._more()

    def _more(self) -> None:
        """Open some of the pieces of which blocks are here, as far as somebody has the others."""
        content, pool = self.swarm.content, self._shared.pool
        if content is None or not self._partial or not self._ready:
            return
        self._restored = {piece: None for piece in self._restored if piece in content.picker.open}
        room = _OPEN_PIECES - len(self._restored)
        if room <= 0:
            return
        theirs = 0
        for peer in self.swarm.peers.values():
            theirs |= peer.have
        width = content.picker.width
        memory = pool.size // 3 - pool.reserved
        chosen: dict[int, int] = {}
        for piece, blocks in self._partial.items() if theirs else ():
            need = min(self.id.piece_length, self.id.size)
            if room <= len(chosen) or (memory < need and (chosen or self._restored)):
                break
            if bitfield.has(theirs, piece, width):
                chosen[piece] = blocks
                memory -= need
        if not chosen:
            return
        for piece in chosen:
            del self._partial[piece]
            self._restored[piece] = None
        self._noted.update(chosen)
        content.downloads.restore(chosen)
        self._let(bitfield.of(chosen, width))

    # -- what came of it

    async def done(self) -> None:
        """Returns when every piece is verified and written. Raises what ended it before: StorageError, or UsageError
        where it was closed.
        """
        while not self.complete:
            if self.swarm.error is not None:
                raise self.swarm.error
            if self._closed:
                raise UsageError("the fetch was closed")
            self._changed.clear()
            await self._changed.wait()

    async def durable(self) -> bytes:
        """Bring what was written to the disk. Returns the blocks that are there now, for `begin` of another run.
        Raises StorageError.
        """
        content = self.id
        known = dict(self._partial) | {piece: blocks for piece, blocks in self._noted.items() if blocks}
        both = self._had | self._unchecked
        known |= {
            piece: content.whole(piece)
            for piece in bitfield.indices(both, bitfield.width_of(content.info.geometry.piece_count))
        }
        await self._shared.threads.run(self._storage.sync)
        return content.joined(known)

    async def close(self) -> bytes:
        """Stop, and write what came. Returns what is durable, as `durable`; where the disk failed nothing."""
        if not self._closed:
            self._closed = True
            _ = self.progress
            self._cancel_leaves()
            self._changed.set()
            self._layer.set()
            await self.swarm.close()
        try:
            return await self.durable()
        except StorageError:
            return b""
        finally:
            self._over(self)

    # -- told by the swarm

    def _passed(self, piece: int) -> None:
        self._had |= bitfield.bit(piece, bitfield.width_of(self.id.info.geometry.piece_count))
        self._noted.pop(piece, None)
        self._restored.pop(piece, None)
        if self._partial:
            self._more()
        if self.complete:
            self._changed.set()

    def _note(self, piece: int, blocks: int) -> None:
        self._noted[piece] = blocks

    def _found_leaves(self, found: Fetched) -> None:
        future = self._leaves.pop(found.piece, None)
        if future is not None and not future.done():
            future.set_result(found.hashes)

    def _broken(self, error: Exception) -> None:
        if isinstance(error, WildbachError):
            self.swarm.fail(error)
        else:
            self._shared.report(error)
            self.swarm.fail(StorageError(f"internal error: {error!r}", code="internal_error"))

    def _failed(self, error: WildbachError) -> None:
        self._cancel_leaves()
        self._changed.set()
        self._layer.set()

    def _cancel_leaves(self) -> None:
        waiting, self._leaves = self._leaves, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(self.swarm.error or UsageError("the fetch was closed"))
                future.exception()  # whoever asked may have gone

    async def _wait(self, event: asyncio.Event) -> None:
        await event.wait()
        if self.swarm.error is not None:
            raise self.swarm.error
