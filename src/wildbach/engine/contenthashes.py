"""Answers to hash requests for one content (BEP 52), for devices that compare what they have with it.

Devices of a person ask for the leaves of thousands of pieces in a row. They wait for their turn: a worker hashes some
pieces at a time, and what does not hash to what the piece must be is never sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import StorageError
from wildbach.disk.storage import Storage
from wildbach.engine.contentid import ContentId
from wildbach.engine.hashes import HashServer
from wildbach.engine.peer import Peer
from wildbach.protocol import layers
from wildbach.protocol.ext import hashes
from wildbach.protocol.wire import codec
from wildbach.runtime.workers import Threads

_BATCH_BYTES: Final = 4 << 20


class ContentHashes:
    """`has` says of a piece whether it is here, `expected` what it hashes to, `broken` is told where reading fails."""

    def __init__(
        self, content: ContentId, known: Mapping[bytes, bytes], storage: Storage, threads: Threads,
        has: Callable[[int], bool], expected: Callable[[int], bytes | None], clock: Callable[[], float],
        broken: Callable[[StorageError], None],
    ) -> None:
        self._content = content
        self._storage = storage
        self._threads = threads
        self._has = has
        self._expected = expected
        self._clock = clock
        self._broken = broken
        self._server: HashServer[int] = HashServer(
            [content.tree], known, lambda _root, piece: self._kept.get(piece),
            burst=limits.CONTENT_HASH_REQUESTS, rate=limits.CONTENT_HASH_REQUESTS_PER_SECOND,
        )
        self._kept: dict[int, bytes] = {}
        self._bytes = 0
        self._waiting: deque[tuple[Peer, hashes.HashRequest, list[int]]] = deque()
        self._working = False

    def left(self, peer: Peer) -> None:
        self._server.on_peer_gone(peer.number)

    def request(self, peer: Peer, request: hashes.HashRequest) -> None:
        """Answer, at once or when its leaves are hashed; with a reject where it is wrong or cannot be answered."""
        lacking = [piece for piece in self._server.lacking(peer.number, request) if piece not in self._kept]
        if not lacking or len(self._waiting) >= limits.CONTENT_HASHES_WAITING or not all(map(self._has, lacking)):
            self._answer(peer, request)
            return
        self._waiting.append((peer, request, lacking))
        if not self._working:
            self._work()

    def _work(self) -> None:
        """Hash for the first of those who wait, some megabytes at a time."""
        batch: list[tuple[Peer, hashes.HashRequest]] = []
        pieces: dict[int, None] = {}
        content = self._content
        while self._waiting and (not batch or len(pieces) * content.piece_length < _BATCH_BYTES):
            peer, request, lacking = self._waiting.popleft()
            batch.append((peer, request))
            pieces |= dict.fromkeys(piece for piece in lacking if piece not in self._kept)
        self._working = True
        storage = self._storage

        def work() -> list[tuple[int, bytes]]:
            return [(piece, leaves_of(storage, content.size, piece, content.piece_length)) for piece in pieces]

        def ended(outcome: list[tuple[int, bytes]] | BaseException) -> None:
            self._working = False
            if isinstance(outcome, StorageError):
                self._broken(outcome)
                return
            if isinstance(outcome, BaseException):
                raise outcome
            for piece, leaves in outcome:
                if layers.piece_root(leaves, content.size, content.piece_length) == self._expected(piece):
                    self._keep(piece, leaves)
            for peer, request in batch:
                self._answer(peer, request)
            self._trim()
            if self._waiting:
                self._work()

        self._threads.submit(work, ended)

    def _answer(self, peer: Peer, request: hashes.HashRequest) -> None:
        if peer.closing:
            return
        answer = self._server.answer(peer.number, request, self._clock())
        if answer is None:
            peer.send(codec.hash_message(codec.HASH_REJECT, hashes.encode_reject(request)))
        else:
            peer.noise = max(0, peer.noise - 1)
            peer.send(codec.hash_message(codec.HASHES, hashes.encode_hashes(answer)))

    def _keep(self, piece: int, leaves: bytes) -> None:
        self._bytes += len(leaves) - len(self._kept.pop(piece, b""))
        self._kept[piece] = leaves

    def _trim(self) -> None:
        while self._bytes > limits.LEAF_CACHE_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.pop(next(iter(self._kept))))


def leaves_of(storage: Storage, size: int, piece: int, piece_length: int) -> bytes:
    """The leaves of a piece of a file of `size` bytes; nothing of what lies beyond its end. Blocks. StorageError."""
    at = piece * piece_length
    end = min(at + piece_length, size)
    out = []
    while at < end:
        part = memoryview(bytearray(min(1 << 20, end - at)))
        storage.read_into(at, [part])
        out.append(layers.leaf_hashes(part))
        at += len(part)
    return b"".join(out)
