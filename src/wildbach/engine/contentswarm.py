"""The swarm of one content: the engine's own peers, picker, uploads and verdicts, and nothing else of a torrent.

Its peers are connections that are handed in and were greeted elsewhere. Nobody is called, announced or banned: who
lies loses its connection, and whoever opened the content is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from wildbach.base import bitfield, limits
from wildbach.base.errors import LimitError, NetworkError, RemoteError, StorageError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.disk.piecework import ChunkResult
from wildbach.disk.storage import Storage
from wildbach.disk.system import storage_error
from wildbach.engine.contenthashes import ContentHashes
from wildbach.engine.contentid import ContentId
from wildbach.engine.downloads import Downloads
from wildbach.engine.hashes import FalseHashes, Fetched, HashFetcher
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Peer
from wildbach.engine.picker import Picker
from wildbach.engine.piecespecs import PieceSpecs
from wildbach.engine.ratelimits import Gate, Gates
from wildbach.engine.shared import Shared
from wildbach.engine.swarm import Content, Swarm
from wildbach.engine.uploads import Uploads
from wildbach.engine.verdicts import Verdicts
from wildbach.net.transport import Connection
from wildbach.protocol.ext import hashes
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import Handshake
from wildbach.runtime.rng import derived

_IN_FLIGHT: Final = 64
"Hash requests that one device may owe answers to."
_PAUSE_SECONDS: Final = 0.5
"What a device has not yet, as it fetches it too, it may have soon."

Left = Callable[[Connection, Exception | None], None]
Liar = Callable[[Connection, str], None]


class ContentSwarm:
    """One content while it is sent or fetched. Made by `engine.contents.Contents`."""

    def __init__(
        self, content: ContentId, storage: Storage, shared: Shared, layer: bytes | None = None, *,
        on_liar: Liar | None = None,
    ) -> None:
        """`layer`: the piece layer, where it is known; the caller has checked it."""
        info = content.info
        self.id = content
        self.storage = storage
        self.number = shared.number()
        self.specs = PieceSpecs(Metainfo.from_info(info))
        self._geometry = info.geometry
        self._width = bitfield.width_of(info.geometry.piece_count)
        self._shared = shared
        swarm = (info.hashes.v2 or content.root)[:20]
        self._greeting = Handshake(swarm, bytes(20), extension=False, fast=True, v2=True)
        self._on_liar = on_liar
        self._left: dict[int, Left] = {}
        self.swarm = Swarm(self, lambda: shared.settings, shared.clock)
        self.gates = Gates(
            Gate(shared.down), Gate(shared.up),
            lambda peer: not shared.settings.rates.limit_local and shared.local(peer.remote),
        )
        self.fetcher: HashFetcher[int] = HashFetcher(in_flight=_IN_FLIGHT, pause=_PAUSE_SECONDS)
        self.verdicts = Verdicts(self, self.swarm.peers, self.fetcher)
        self.verdicts.know(info, self.specs.hashes)
        self._hashes = ContentHashes(
            content, self.specs.layers, storage, shared.threads, self.has, self.expected, shared.clock, self.fail)
        self._has_bits = bytearray()
        self._idle: asyncio.Event | None = None
        self.content: Content | None = None
        self.error: WildbachError | None = None
        "Why it ended before it was closed."
        self.closed = False
        self.on_passed: Callable[[int], None] = lambda _piece: None
        self.on_blocks: Callable[[int, int], None] = lambda _piece, _blocks: None
        "Told which blocks of an unfinished piece are on the disk; see `engine.partials`."
        self.on_layer: Callable[[], None] = lambda: None
        self.on_leaves: Callable[[Fetched], None] = lambda _found: None
        self.on_tick: Callable[[float], None] = lambda _now: None
        self.on_fail: Callable[[WildbachError], None] = lambda _error: None
        if layer is not None and content.pieces > 1:
            self.specs.layers[content.root] = layer

    # -- peers

    def join(self, connection: Connection, left: Left | None = None) -> Peer:
        """Speak the peer protocol on a connection from here on, as after a handshake. `left` is told when it ends.

        Raises LimitError where there are too many, RemoteError where the content is not open any more.
        """
        if self.closed or self.error is not None:
            raise RemoteError("the content is not open any more")
        shared = self._shared
        if len(self.swarm.peers) >= limits.CONTENT_PEERS:
            raise LimitError(f"over CONTENT_PEERS = {limits.CONTENT_PEERS} connections of one content")
        peer = Peer(shared.number(), connection, self.swarm, outgoing=False, now=shared.clock())
        # Devices behind one relay share an address: verdicts are to tell them apart all the same.
        peer.remote = Endpoint(connection.remote.host, peer.number % 65535 + 1)
        peer.open(self._greeting)
        peer.v2 = True
        if left is not None:
            self._left[peer.number] = left
        self.verdicts.joined(peer)
        self.swarm.join(peer)
        self.fetcher.on_peer(peer.number)
        self.ask_for_hashes()
        connection.start(peer)
        shared.wake()
        return peer

    def has(self, piece: int) -> bool:
        return piece >> 3 < len(self._has_bits) and bool(self._has_bits[piece >> 3] & (0x80 >> (piece & 7)))

    def expected(self, piece: int) -> bytes | None:
        return self.specs.hashes.get(piece) if self.specs.hashes is not None else None

    @property
    def layer(self) -> bytes | None:
        """The hash of each piece, in a row; None while it is on its way."""
        return self.id.root if self.id.pieces == 1 else self.specs.layers.get(self.id.root)

    # -- life

    def begin(self, have: int) -> Content:
        """Exchange blocks from now on. `have`: the pieces that are here and were hashed, as in `base.bitfield`."""
        shared = self._shared
        picker = Picker(self._geometry, have, derived(shared.rng, "content"))
        downloads = Downloads(
            self.number, picker, shared.pool, shared.writer, self.storage, self.specs.get, self, shared.clock,
            self.gates.down_of, shared.threads.submit, self.on_blocks,
        )
        uploads = Uploads(
            self._geometry, self.storage, shared.threads, shared.buffers, self.has, self.gates.up_of, self.fail)
        self._has_bits = bytearray(bitfield.to_wire(have, picker.count))
        self.content = Content(picker, downloads, uploads)
        self.specs.begin(shared.clock())
        self.fetcher.delay = downloads.haste.delay
        if picker.missing:
            shared.writer.prepare()
        return self.content

    def start(self) -> None:
        """Peers that are here already are asked and served from now on."""
        if self.content is not None:
            self.swarm.start(self.content)
            self._shared.wake()

    def want_layer(self) -> None:
        if self.layer is None:
            self.fetcher.want_layer(self.id.tree)
            self.ask_for_hashes()

    def found(self, pieces: int) -> None:
        """These pieces were hashed where they lay on the disk, and are good."""
        content = self.content
        if content is None:
            return
        for piece in bitfield.indices(pieces & ~content.picker.have, self._width):
            content.picker.done(piece)
            self._passed(piece)

    def fail(self, error: WildbachError) -> None:
        """It is over: peers are let go, and whoever opened it is told once."""
        if self.closed or self.error is not None:
            return
        self.error = error
        self._end(keep=isinstance(error, StorageError))
        self.on_fail(error)

    def _end(self, *, keep: bool) -> None:
        content, self.content = self.content, None
        if content is not None:
            self._idle = asyncio.Event()
            content.downloads.stop(keep=keep)
            content.downloads.when_idle(self._idle.set)
            content.uploads.running = False
        self.swarm.stop()
        self._has_bits = bytearray()
        self.swarm.close_all(NetworkError("the content is not open any more"))

    async def close(self) -> None:
        """Let go of the peers; returns when nothing reads or writes for it any more. What came is written."""
        if not self.closed:
            self.closed = True
            self._end(keep=True)
        if self._idle is not None:
            await self._idle.wait()

    # -- SwarmOwner

    def peer_left(self, peer: Peer, error: Exception | None) -> None:
        self.fetcher.on_peer_gone(peer.number)
        self._hashes.left(peer)
        left = self._left.pop(peer.number, None)
        self.ask_for_hashes()
        if left is not None:
            left(peer.connection, error)

    def extended(self, peer: Peer, message: codec.Extended) -> None:
        """Nothing is said beyond the protocol of blocks and hashes."""

    def hash_message(self, peer: Peer, message: codec.HashMessage) -> None:
        if message.id == codec.HASH_REQUEST:
            self._hashes.request(peer, hashes.decode_request(message.payload))
            return
        if message.id == codec.HASHES:
            peer.noise = max(0, peer.noise - 1)
            try:
                self.fetcher.on_hashes(peer.number, hashes.decode_hashes(message.payload))
            except FalseHashes as error:
                self.ban(peer.remote, error.message)
        else:
            self.fetcher.on_reject(peer.number, hashes.decode_request(message.payload))
        self.ask_for_hashes()

    def ask_for_hashes(self) -> None:
        """Send what the fetcher wants asked, and hand on what it has."""
        if self.fetcher.idle or self.closed:
            return
        for found in self.fetcher.take():
            if found.is_layer:
                self.specs.layers[found.tree.root] = found.hashes
                if self.content is not None:
                    self.content.downloads.hashes_known()
                self.on_layer()
            else:
                self.verdicts.leaves(found)
                self.on_leaves(found)
        for number, request in self.fetcher.tick(self._shared.clock()):
            peer = self.swarm.peers.get(number)
            if peer is not None:
                peer.send(codec.hash_message(codec.HASH_REQUEST, hashes.encode_request(request)))

    def unchoked(self, peer: Peer) -> None:
        pass

    def dht_port(self, peer: Peer, port: int) -> None:
        pass

    def bug(self, peer: Peer) -> None:
        if self._shared.bug(peer):
            self.fail(StorageError("internal error; see the log", code="internal_error"))

    # -- VerdictOwner

    def ban(self, endpoint: Endpoint, reason: str) -> None:
        """Have nothing to do any more, in this swarm, with who is proven guilty."""
        for peer in list(self.swarm.peers.values()):
            if peer.remote == endpoint and not peer.closing:
                peer.close(RemoteError(reason))
                if self.content is not None:
                    self.content.downloads.distrust(peer)
                if self._on_liar is not None:
                    self._on_liar(peer.connection, reason)

    def mend(self, piece: int, false: int) -> None:
        if self.content is not None:
            self.content.downloads.mend(piece, false)

    # -- Judge

    def passed(self, piece: OpenPiece, digests: bytes) -> None:
        self.verdicts.passed(piece, digests)
        self._passed(piece.index)

    def _passed(self, piece: int) -> None:
        if self._has_bits:
            self._has_bits[piece >> 3] |= 0x80 >> (piece & 7)
        self.swarm.have(piece)
        self.on_passed(piece)
        self._shared.wake()
        content = self.content
        if content is not None and content.picker.have == content.picker.full:
            self.swarm.tell()
            self.swarm.review_interest()

    def failed(self, piece: OpenPiece, result: ChunkResult) -> None:
        self.verdicts.failed(piece, result.digests)
        self.ask_for_hashes()

    def broken(self, result: ChunkResult) -> None:
        if result.code:
            self.fail(StorageError(result.error, code=result.code))
        else:
            self.fail(storage_error(OSError(result.errno, result.error), "write to", ""))

    def can_mend(self, piece: int) -> bool:
        return self.verdicts.can_mend(piece)

    def wants_digests(self, piece: int) -> bool:
        return self.verdicts.wants_digests(piece)

    # -- time

    @property
    def active(self) -> bool:
        """Something may happen by itself."""
        return bool(self.swarm.peers)

    def tick_fast(self, now: float) -> None:
        """Every 50 ms while it has peers."""
        if self.swarm.news:
            self.swarm.tell()
        self.swarm.choke_round(now)
        self.on_tick(now)
        content = self.content
        if content is None:
            return
        content.downloads.pulse(now)
        down, up = self.gates.down, self.gates.up
        if down.open:
            content.downloads.refill()
        if up.open:
            content.uploads.refill()

    def tick(self, now: float) -> None:
        """Every second while it has peers."""
        self.ask_for_hashes()
        self.swarm.tick(now)
        self.swarm.review_interest()

    @property
    def peers(self) -> Mapping[int, Peer]:
        return self.swarm.peers
