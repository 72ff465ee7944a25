"""Hashes of v2 trees from peers and for peers (BEP 52, messages 21 to 23).

A magnet brings the info dictionary but no piece layers: the fetcher gets those, and after a bad piece the leaves that
show which block is false. Every batch carries a proof to a hash that is known already, so whoever sends a wrong one is
found at once, and it does not matter who is asked.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from wildbach.base import limits
from wildbach.base.errors import RemoteError
from wildbach.protocol import layers
from wildbach.protocol.ext.hashes import Hashes, HashRequest

K = TypeVar("K", bound=Hashable)

_IN_FLIGHT = 4
_PAUSE_SECONDS = 60.0
_LEAF_SECONDS = 0.5
_PIECE_LAYER = -1


class FalseHashes(RemoteError):
    """The peer's hashes are proven false: it lies."""


@dataclass(frozen=True, slots=True)
class FileTree:
    """The hash tree of one file: its `pieces root`, bytes, and the torrent's piece length."""

    root: bytes
    length: int
    piece_length: int

    @property
    def height(self) -> int:
        """The level of the root, leaves being level 0."""
        return layers.height_of(self.length)

    @property
    def piece_level(self) -> int:
        """The level whose hashes cover a piece; that of the root for a file of at most one piece."""
        return min(layers.piece_level(self.piece_length), self.height)

    @property
    def pieces(self) -> int:
        return -(-self.length // self.piece_length)

    def blocks(self, piece: int) -> int:
        """Blocks in a piece of this file."""
        return layers.level_count(min(self.piece_length, self.length - piece * self.piece_length), 0)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Verified hashes, without those beyond the end of the file: the piece layer, or the leaves of one piece."""

    tree: FileTree
    piece: int
    "The piece within its file whose leaves these are, -1 for the piece layer."
    hashes: bytes

    @property
    def is_layer(self) -> bool:
        return self.piece == _PIECE_LAYER


class _Job:
    """One piece layer, or the leaves of one piece: batches, and the hash they all must lead to."""

    __slots__ = ("count", "expected", "parts", "piece", "requests", "tree", "twice")

    def __init__(self, tree: FileTree, piece: int, expected: bytes) -> None:
        self.tree = tree
        self.piece = piece
        self.twice = False
        "Two peers are asked at once."
        if piece == _PIECE_LAYER:
            base, first, width = tree.piece_level, 0, 1 << (tree.height - tree.piece_level)
            self.count = tree.pieces
            top = tree.height
        else:
            width = 1 << tree.piece_level
            base, first = 0, piece * width
            self.count = tree.blocks(piece)
            top = tree.piece_level
        self.expected = (top, 0 if piece == _PIECE_LAYER else piece, expected)
        batch = min(width, limits.HASHES_PER_REQUEST)
        # One proof layer fewer than levels above the base: the top itself is known.
        self.requests = [
            HashRequest(tree.root, base, first + at, batch, top - base - 1) for at in range(0, self.count, batch)
        ]
        self.parts: dict[int, bytes] = {}

    def accept(self, answer: Hashes) -> bool:
        """Check one batch; True where all are there. Raises FormatError."""
        request = answer.request
        proven = layers.climb(request.base, request.index, request.length, request.proofs, answer.hashes)
        if proven != self.expected:
            raise FalseHashes("sent hashes that do not lead to the root", where="hashes", root=request.root)
        self.parts[request.index] = answer.hashes[: request.length * layers.HASH]
        return len(self.parts) == len(self.requests)

    def fetched(self) -> Fetched:
        joined = b"".join(self.parts[request.index] for request in self.requests)
        return Fetched(self.tree, self.piece, joined[: self.count * layers.HASH])


class _Batch(Generic[K]):
    __slots__ = ("asked", "job")

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.asked: dict[K, float] = {}


class _Peer(Generic[K]):
    __slots__ = ("asked", "not_before", "owed", "refused", "silent")

    def __init__(self) -> None:
        self.asked: dict[HashRequest, float] = {}
        self.owed: dict[HashRequest, int] = {}
        "Answers still to come: a request that timed out may be answered after all."
        self.refused: dict[HashRequest, float] = {}
        self.not_before = float("-inf")
        self.silent = 0

    def answered(self, request: HashRequest) -> bool:
        owed = self.owed.get(request, 0)
        if owed > 1:
            self.owed[request] = owed - 1
        else:
            self.owed.pop(request, None)
        self.asked.pop(request, None)
        return owed > 0


class HashFetcher(Generic[K]):
    """Gets piece layers and leaves from peers that speak v2. `K` names a peer.

    Call `tick` after every other call and about once a second; send what it returns. `take` gives what is done.
    """

    def __init__(self, *, in_flight: int = _IN_FLIGHT, pause: float = _PAUSE_SECONDS) -> None:
        """`in_flight`: requests that one peer may owe answers to. `pause`: seconds for which it is not asked again for
        what it rejected.
        """
        self._most = in_flight
        self._pause = pause
        self.delay: Callable[[K], float] = lambda _key: 0.0
        "Seconds until an answer of a peer could be here: somebody waits for leaves."
        self._peers: dict[K, _Peer[K]] = {}
        self._open: dict[HashRequest, _Batch[K]] = {}
        self._todo: deque[HashRequest] = deque()
        self._jobs: dict[tuple[bytes, int], _Job] = {}
        self._done: list[Fetched] = []
        self._now = 0.0

    @property
    def idle(self) -> bool:
        """True where nothing is wanted and nothing waits to be taken."""
        return not self._jobs and not self._done

    @property
    def peers(self) -> int:
        """Peers that can be asked."""
        return len(self._peers)

    @property
    def missing_layers(self) -> int:
        """Files whose piece layer is still on its way."""
        return sum(1 for _, piece in self._jobs if piece == _PIECE_LAYER)

    @property
    def reason(self) -> str:
        """Why hashes are still missing, in plain words; "" where none are."""
        if self.idle:
            return ""
        if not self._peers:
            return "no connected peer speaks v2, which the hashes of the pieces are needed from"
        if all(peer.silent or peer.refused for peer in self._peers.values()):
            return f"{len(self._peers)} v2 peers do not send the hashes of the pieces"
        return f"fetching the hashes of {len(self._jobs)} files or pieces"

    def want_layer(self, tree: FileTree) -> None:
        """Fetch the piece layer of a file. Nothing happens where it has none: at most one piece."""
        if tree.pieces > 1:
            self._start(tree, _PIECE_LAYER, tree.root)

    def want_leaves(self, tree: FileTree, piece: int, piece_hash: bytes, *, twice: bool = False) -> None:
        """Fetch the leaves of a piece (counted within its file) whose v2 hash is known, ahead of all layers. `twice`:
        from two peers at once, as somebody waits.
        """
        if tree.piece_level == 0:
            self._done.append(Fetched(tree, piece, piece_hash))
        else:
            self._start(tree, piece, piece_hash)
            self._jobs[tree.root, piece].twice |= twice

    def forget_layer(self, root: bytes) -> None:
        """The piece layer came some other way."""
        self.forget_leaves(root, _PIECE_LAYER)

    def forget_leaves(self, root: bytes, piece: int) -> None:
        """The leaves of a piece are no longer wanted."""
        job = self._jobs.pop((root, piece), None)
        if job is not None:
            for request in job.requests:
                self._open.pop(request, None)

    def take(self) -> list[Fetched]:
        """What was completed since the last call."""
        done, self._done = self._done, []
        return done

    def on_peer(self, key: K) -> None:
        """A peer that speaks v2 is there."""
        self._peers.setdefault(key, _Peer())

    def on_peer_gone(self, key: K) -> None:
        peer = self._peers.pop(key, None)
        if peer is not None:
            for request in list(peer.asked):
                self._release(key, request)

    def on_hashes(self, key: K, answer: Hashes) -> None:
        """An answer. Raises RemoteError where it was not asked for or is proven false: the sender is guilty."""
        peer = self._peers.get(key)
        if peer is None:
            return
        request = answer.request
        if not peer.answered(request):
            raise RemoteError("sent hashes that were not asked for", where="hashes")
        peer.silent = 0
        peer.not_before = float("-inf")
        batch = self._open.get(request)
        if batch is None:
            return
        try:
            complete = batch.job.accept(answer)
        except RemoteError:
            self._release(key, request)
            raise
        del self._open[request]
        if complete:
            del self._jobs[batch.job.tree.root, batch.job.piece]
            self._done.append(batch.job.fetched())

    def on_reject(self, key: K, request: HashRequest) -> None:
        """The peer does not serve this request; others are asked, and it again after a pause."""
        peer = self._peers.get(key)
        if peer is None or not peer.answered(request):
            return
        peer.silent = 0
        if len(peer.refused) < limits.REJECTS_IN_ROW:
            peer.refused[request] = self._now + self._pause
        else:
            peer.refused.clear()
            peer.not_before = self._now + self._pause
        self._release(key, request)

    def tick(self, now: float) -> list[tuple[K, HashRequest]]:
        """The requests to send now."""
        self._now = now
        self._expire(now)
        free = [(k, p) for k, p in self._peers.items() if now >= p.not_before and len(p.asked) < self._most]
        out: list[tuple[K, HashRequest]] = []
        passed: list[HashRequest] = []
        for request in self._late(now):
            self._give(request, free, now, out)
        while self._todo and free:
            request = self._todo.popleft()
            if request not in self._open:
                continue
            if not self._give(request, free, now, out):
                passed.append(request)
            elif self._open[request].job.twice:
                self._give(request, free, now, out)
        self._todo.extendleft(reversed(passed))
        return out

    def _start(self, tree: FileTree, piece: int, expected: bytes) -> None:
        name = (tree.root, piece)
        if name in self._jobs:
            return
        job = self._jobs[name] = _Job(tree, piece, expected)
        for request in job.requests:
            self._open[request] = _Batch(job)
        if piece == _PIECE_LAYER:
            self._todo.extend(job.requests)
        else:
            # Behind the leaves that were asked for before.
            ahead = sum(1 for request in self._todo if request.base < job.tree.piece_level)
            for request in reversed(job.requests):
                self._todo.insert(ahead, request)

    def _release(self, key: K, request: HashRequest) -> None:
        batch = self._open.get(request)
        if batch is not None:
            batch.asked.pop(key, None)
            if not batch.asked and request not in self._todo:
                self._todo.appendleft(request)

    def _expire(self, now: float) -> None:
        for key, peer in self._peers.items():
            overdue = [r for r, at in peer.asked.items() if now - at >= limits.HASH_REQUEST_SECONDS]
            for request in overdue:
                del peer.asked[request]
                self._release(key, request)
            if overdue:
                peer.silent += 1
                peer.not_before = now + min(peer.silent, 4) * limits.HASH_REQUEST_SECONDS
            for request in [r for r, until in peer.refused.items() if until <= now]:
                del peer.refused[request]

    def _late(self, now: float) -> list[HashRequest]:
        """Requests that one peer is slow to answer: a second one is asked too, and one more after the other where
        somebody waits.
        """
        late: dict[HashRequest, None] = {}
        for peer in self._peers.values():
            for request, at in peer.asked.items():
                batch = self._open.get(request)
                twice = batch is not None and batch.job.twice
                if batch is None or (len(batch.asked) > 1 and not twice):
                    continue
                # A bad piece waits for its leaves, and who sent it may be the one who was asked for them.
                patience = limits.HASH_REQUEST_SECONDS / 3 if batch.job.piece == _PIECE_LAYER else _LEAF_SECONDS
                if twice:
                    at, patience = max(batch.asked.values()), patience if len(batch.asked) > 1 else 0.0
                if now - at >= patience:
                    late[request] = None
        return list(late)

    def _give(
        self, request: HashRequest, free: list[tuple[K, _Peer[K]]], now: float, out: list[tuple[K, HashRequest]]
    ) -> bool:
        """Ask the least busy peer that has not refused it; False where there is none."""
        batch = self._open[request]
        able = [(k, p) for k, p in free if k not in batch.asked and request not in p.refused]
        leaves = request.base < batch.job.tree.piece_level
        if leaves:
            # Who chokes us rejects them, and would not be asked again for long.
            able = [pair for pair in able if self.delay(pair[0]) < math.inf]
        if not able:
            return False
        if leaves:
            key, peer = min(able, key=lambda pair: self.delay(pair[0]) + len(pair[1].asked) / 8 + pair[1].silent)
        else:
            key, peer = min(able, key=lambda pair: len(pair[1].asked) + pair[1].silent)
        batch.asked[key] = now
        peer.asked[request] = now
        peer.owed[request] = peer.owed.get(request, 0) + 1
        out.append((key, request))
        if len(peer.asked) >= self._most:
            free.remove((key, peer))
        return True


class HashServer(Generic[K]):
    """Answers hash requests from the piece layers and from leaves we hold; None means `hash reject`.

    `piece_layers` is looked up as it is then. `leaves(root, piece)` gives the leaf hashes of a piece of that file, or
    None where they are not at hand; it must not block. Files with equal contents share a root, so either will do.
    """

    def __init__(
        self, trees: Sequence[FileTree], piece_layers: Mapping[bytes, bytes],
        leaves: Callable[[bytes, int], bytes | None], *, burst: float = limits.HASH_REQUESTS_QUEUED,
        rate: float = limits.HASH_REQUESTS_PER_SECOND,
    ) -> None:
        """A peer gets `burst` answers at once and `rate` a second."""
        self._burst = burst
        self._rate = rate
        self._trees = {tree.root: tree for tree in trees if tree.length}
        self._layers = piece_layers
        self._leaves = leaves
        self._cache: dict[bytes, layers.HashTree] = {}
        self._cached = 0
        self._allowances: dict[K, tuple[float, float]] = {}

    def on_peer_gone(self, key: K) -> None:
        self._allowances.pop(key, None)

    def answer(self, key: K, request: HashRequest, now: float, *, choked: bool = False) -> Hashes | None:
        """The answer to a request, or None: reject it.

        A peer gets a number at once and some a second. Leaves cost a look-up and a hash for each block of their pieces:
        they count more, and a choked peer gets none.
        """
        tree = self._trees.get(request.root)
        if tree is None or (choked and request.base < tree.piece_level):
            return None
        if layers.check_request(tree.length, request.base, request.index, request.length, request.proofs):
            return None
        hashed = max(request.length, 1 << tree.piece_level) if request.base < tree.piece_level else 0
        if not self._may(key, now, 1 + hashed / limits.HASHES_PER_REQUEST):
            return None
        upper = self._upper(tree)
        if upper is None:
            return None
        root = request.root
        found = upper.answer(
            request.base, request.index, request.length, request.proofs, lambda piece: self._leaves(root, piece)
        )
        return Hashes(request, found) if found is not None else None

    def lacking(self, key: K, request: HashRequest) -> range:
        """The pieces of the file whose leaves an answer needs; none where it needs none or there will be no answer."""
        tree = self._trees.get(request.root)
        if (
            tree is None or request.base >= tree.piece_level
            or layers.check_request(tree.length, request.base, request.index, request.length, request.proofs)
            or self._allowances.get(key, (1.0, 0.0))[0] <= 0
        ):
            return range(0)
        first = request.index << request.base >> tree.piece_level
        last = ((request.index + request.length) << request.base) - 1 >> tree.piece_level
        return range(first, min(last + 1, tree.pieces))

    def _may(self, key: K, now: float, cost: float) -> bool:
        left, at = self._allowances.get(key, (float(self._burst), now))
        left = min(left + (now - at) * self._rate, self._burst)
        # The last request may go into debt, or the leaves of a huge piece could never be had.
        permitted = left > 0
        self._allowances[key] = (left - cost if permitted else left, now)
        return permitted

    def _upper(self, tree: FileTree) -> layers.HashTree | None:
        """The tree above the piece layer. A few are kept: building one costs a hash a piece."""
        known = self._cache.pop(tree.root, None)
        if known is None:
            layer = self._layers.get(tree.root) if tree.pieces > 1 else tree.root
            if layer is None:
                return None
            known = layers.HashTree(tree.length, tree.piece_length, layer)
            self._cached += _tree_bytes(tree)
        self._cache[tree.root] = known
        while self._cached > limits.HASH_TREE_CACHE_BYTES and len(self._cache) > 1:
            oldest = next(iter(self._cache))
            del self._cache[oldest]
            self._cached -= _tree_bytes(self._trees[oldest])
        return known


def _tree_bytes(tree: FileTree) -> int:
    return 2 * layers.HASH * tree.pieces + 500
