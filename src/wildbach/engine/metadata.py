"""Fetching the info dictionary of a magnet link from peers, and serving ours (BEP 9).

Nothing a peer says can be checked before the last piece is there. So the fetcher keeps apart what could not both be
true: each claimed size is an *attempt* of its own, and once a shared attempt has failed its hash, peers of that size
are tried alone, where failure is proof. When an attempt succeeds, all pieces of failed ones are compared with it and
exactly those who sent a wrong one are guilty.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from wildbach.base import limits
from wildbach.base.errors import RemoteError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import InfoHashes
from wildbach.base.words import plural
from wildbach.protocol.ext.metadata import MetadataData, MetadataReject, piece_count

K = TypeVar("K", bound=Hashable)

_ATTEMPTS = 16
"Attempts that are worked on at once;"
_MEMORY_FACTOR = 3
"their claimed sizes together are at most so many times the limit."
_IN_FLIGHT = 8
"Requests to one peer at once."
_DOUBLE_SECONDS = 2.0
"A piece that is asked for and late by this is asked from a second peer too."
_PAUSE_SECONDS = 15.0
"How long a peer that rejected is left alone: it may be fetching the metadata itself."
_FAILED_KEPT = 4


class _Attempt(Generic[K]):
    """One try at an info dictionary of one size, from everybody who claims it or from one peer alone."""

    __slots__ = ("asked", "pieces", "size", "solo", "sources", "todo")

    def __init__(self, size: int, solo: K | None) -> None:
        self.size = size
        self.solo = solo
        self.pieces: dict[int, bytes] = {}
        self.sources: dict[int, K] = {}
        self.asked: dict[int, dict[K, float]] = {}
        self.todo = deque(range(piece_count(size)))

    def store(self, key: K, piece: int, data: bytes) -> bool:
        """Keep a piece; True where it was the last one."""
        if piece not in self.pieces:
            self.pieces[piece] = data
            self.sources[piece] = key
            self.asked.pop(piece, None)
        return len(self.pieces) == piece_count(self.size)

    def release(self, key: K, piece: int) -> None:
        """A request came to nothing: the piece is wanted again unless somebody else was asked too."""
        asked = self.asked.get(piece)
        if asked is None or asked.pop(key, None) is None:
            return
        if not asked:
            del self.asked[piece]
            self.todo.appendleft(piece)


class _Peer(Generic[K]):
    __slots__ = ("asked", "heard", "not_before", "owed", "silent", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.asked: dict[int, tuple[_Attempt[K], float]] = {}
        self.owed: dict[int, int] = {}
        "Answers still to come for each piece: a request that timed out may be answered after all."
        self.heard = float("-inf")
        self.not_before = float("-inf")
        self.silent = 0

    def answered(self, piece: int) -> bool:
        """Count an answer; False where none was owed."""
        owed = self.owed.get(piece, 0)
        if owed > 1:
            self.owed[piece] = owed - 1
        else:
            self.owed.pop(piece, None)
        return owed > 0


class MetadataFetcher(Generic[K]):
    """Fetches and verifies one info dictionary. `K` names a peer: use its endpoint, so that guilt
    outlives a connection.

    Call `tick` after every other call and about once a second; send what it returns. Look at `result` and
    `take_guilty()` after `on_data`.
    """

    def __init__(self, hashes: InfoHashes, *, limit: int = limits.METADATA_BYTES) -> None:
        self.result: bytes | None = None
        "The info dictionary as received, once its hash is right: both hashes where the magnet has both (BEP 52)."
        self.conflict = False
        "The magnet's two hashes name different torrents: no peer is at fault and nothing can be fetched."
        self._hashes = hashes
        self._limit = limit
        self._now = 0.0
        self._peers: dict[K, _Peer[K]] = {}
        self._tries: dict[K, int] = {}
        self._attempts: dict[tuple[int, K | None], _Attempt[K]] = {}
        self._alone: dict[int, None] = {}
        self._failed: deque[tuple[int, list[tuple[K, int, bytes]]]] = deque(maxlen=_FAILED_KEPT)
        self._guilty: list[K] = []
        self._too_large = 0

    def on_peer(self, key: K, size: int) -> bool:
        """A peer serves an info dictionary of `size` bytes (`metadata_size`). False where it is of no use."""
        if self._over or size <= 0 or self._tries.get(key, 0) >= limits.METADATA_TRIES:
            return False
        if size > self._limit:
            self._too_large += 1
            return False
        known = self._peers.get(key)
        if known is not None and known.size == size:
            return True
        if known is not None:
            self.on_peer_gone(key)
        self._peers[key] = _Peer(size)
        return True

    def on_peer_gone(self, key: K) -> None:
        """The connection ended; what it sent stays."""
        peer = self._peers.pop(key, None)
        if peer is not None:
            for piece, (attempt, _) in peer.asked.items():
                attempt.release(key, piece)
            self._attempts.pop((peer.size, key), None)

    def on_data(self, key: K, piece: int, total: int, data: bytes) -> None:
        """A piece arrived. Raises RemoteError where it was not asked for or contradicts what the peer said."""
        peer = self._peers.get(key)
        if peer is None or self._over:
            return
        asked = peer.asked.pop(piece, None)
        if asked is not None:
            asked[0].release(key, piece)
        if not peer.answered(piece):
            raise RemoteError("sent metadata that was not asked for", where="ut_metadata", piece=piece)
        if total != peer.size or len(data) != min(BLOCK, total - piece * BLOCK):
            raise RemoteError("metadata size changed", where="ut_metadata", piece=piece, total=total)
        peer.heard = self._now
        if peer.silent:
            peer.silent = 0
            peer.not_before = self._now
        attempt = self._attempts.get((total, key)) or self._attempts.get((total, None))
        if attempt is not None and attempt.store(key, piece, data):
            self._judge(attempt)

    def on_reject(self, key: K, piece: int) -> None:
        """The peer does not serve this piece; it is left alone for a while."""
        peer = self._peers.get(key)
        if peer is None:
            return
        peer.answered(piece)
        asked = peer.asked.pop(piece, None)
        if asked is not None:
            asked[0].release(key, piece)
            peer.not_before = self._now + _PAUSE_SECONDS

    @property
    def _over(self) -> bool:
        return self.result is not None or self.conflict

    def take_guilty(self) -> list[K]:
        """The peers proven to have sent false metadata since the last call, whether still connected or not."""
        guilty, self._guilty = self._guilty, []
        return guilty

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes received and bytes expected by the attempt that is furthest; (0, 0) while no size is known."""
        if self.result is not None:
            return len(self.result), len(self.result)
        best = max(self._attempts.values(), key=lambda a: len(a.pieces), default=None)
        return (sum(map(len, best.pieces.values())), best.size) if best is not None else (0, 0)

    @property
    def reason(self) -> str:
        """Why there is no result yet, in plain words."""
        if self.result is not None:
            return ""
        if self.conflict:
            return "the two hashes of the magnet link belong to different torrents"
        if not self._peers:
            if self._too_large:
                return f"peers claim metadata of more than METADATA_BYTES ({self._limit})"
            return "no connected peer has the metadata"
        if all(peer.silent or peer.not_before > self._now for peer in self._peers.values()):
            return f"{len(self._peers)} peers have the metadata but do not send it"
        done, total = self.progress
        return f"fetching metadata: {done} of {total} bytes from {plural(len(self._peers), 'peer')}"

    def tick(self, now: float) -> list[tuple[K, int]]:
        """The requests to send now, as (peer, piece)."""
        self._now = now
        if self._over:
            return []
        self._expire(now)
        out: list[tuple[K, int]] = []
        for attempt in self._plan(now):
            self._ask(attempt, now, out)
        return out

    def _expire(self, now: float) -> None:
        for key, peer in self._peers.items():
            before = now - limits.METADATA_REQUEST_SECONDS
            overdue = [p for p, (_, at) in peer.asked.items() if max(at, peer.heard) <= before]
            for piece in overdue:
                attempt, _ = peer.asked.pop(piece)
                attempt.release(key, piece)
            if overdue:
                peer.silent += 1
                peer.not_before = now + min(peer.silent, 6) * limits.METADATA_REQUEST_SECONDS

    def _plan(self, now: float) -> list[_Attempt[K]]:
        """The attempts to work on. Sizes come by how many peers claim them; peers that are silent do not count."""
        by_size: dict[int, list[K]] = {}
        for key, peer in self._peers.items():
            if now >= peer.not_before:
                by_size.setdefault(peer.size, []).append(key)
        ranked = sorted(by_size, key=lambda size: -sum(1 for k in by_size[size] if not self._peers[k].silent))
        wanted: list[tuple[int, K | None]] = []
        for place in range(_ATTEMPTS):
            for size in ranked:
                if size not in self._alone:
                    if place == 0:
                        wanted.append((size, None))
                elif place < len(by_size[size]):
                    wanted.append((size, self._by_merit(size, by_size[size])[place]))
        chosen: list[tuple[int, K | None]] = []
        room = _MEMORY_FACTOR * self._limit
        for name in wanted[:_ATTEMPTS]:
            if name[0] <= room:
                room -= name[0]
                chosen.append(name)
        self._forget_resting(chosen, room)
        for name in chosen:
            if name not in self._attempts:
                self._attempts[name] = _Attempt(*name)
        return [self._attempts[name] for name in chosen]

    def _by_merit(self, size: int, keys: list[K]) -> list[K]:
        """Peers to try alone: those whose answer is under way first, then those who failed least."""
        return sorted(keys, key=lambda key: ((size, key) not in self._attempts, self._tries.get(key, 0)))

    def _forget_resting(self, chosen: list[tuple[int, K | None]], room: int) -> None:
        """Keep what other attempts have only as far as there is room for it, the latest first."""
        claimed = {peer.size for peer in self._peers.values()}
        for name in reversed(list(self._attempts)):
            if name in chosen:
                continue
            attempt = self._attempts[name]
            room -= attempt.size
            if room < 0 or not (attempt.pieces or attempt.size in claimed):
                del self._attempts[name]

    def _helpers(self, attempt: _Attempt[K], now: float) -> list[tuple[K, _Peer[K]]]:
        if attempt.solo is not None:
            peer = self._peers.get(attempt.solo)
            return [(attempt.solo, peer)] if peer is not None else []
        return [(k, p) for k, p in self._peers.items() if p.size == attempt.size and now >= p.not_before]

    def _ask(self, attempt: _Attempt[K], now: float, out: list[tuple[K, int]]) -> None:
        """Spread the missing pieces over the peers, one each in turn."""
        helpers = self._helpers(attempt, now)
        while helpers:
            busy: list[tuple[K, _Peer[K]]] = []
            for key, peer in helpers:
                # After a silence one request is enough to see whether the peer is back.
                if len(peer.asked) >= (1 if peer.silent else _IN_FLIGHT):
                    continue
                piece = self._next_piece(attempt, key, now)
                if piece < 0:
                    continue
                attempt.asked.setdefault(piece, {})[key] = now
                if piece not in peer.asked:
                    peer.owed[piece] = peer.owed.get(piece, 0) + 1
                    out.append((key, piece))
                # An answer that an abandoned attempt waited for serves this one.
                peer.asked[piece] = (attempt, now)
                busy.append((key, peer))
            helpers = busy

    def _next_piece(self, attempt: _Attempt[K], key: K, now: float) -> int:
        while attempt.todo:
            piece = attempt.todo.popleft()
            if piece not in attempt.pieces:
                return piece
        for piece, asked in attempt.asked.items():
            if key not in asked and len(asked) == 1 and now - next(iter(asked.values())) >= _DOUBLE_SECONDS:
                return piece
        return -1

    def _judge(self, attempt: _Attempt[K]) -> None:
        raw = b"".join(attempt.pieces[piece] for piece in range(len(attempt.pieces)))
        del self._attempts[attempt.size, attempt.solo]
        right = self._right_hashes(raw)
        if right == len(self._hashes.swarms):
            self.result = raw
            self._compare(raw)
            self._attempts.clear()
            self._peers.clear()
            return
        if right:
            self.conflict = True
            return
        contributors = list(dict.fromkeys(attempt.sources.values()))
        for key in contributors:
            self._tries[key] = self._tries.get(key, 0) + 1
        if len(contributors) == 1:
            self._convict(contributors[0])
        else:
            self._alone[attempt.size] = None
            self._failed.append((attempt.size, [
                (key, piece, hashlib.sha256(attempt.pieces[piece]).digest()) for piece, key in attempt.sources.items()
            ]))
        for key in contributors:
            if self._tries[key] >= limits.METADATA_TRIES:
                self.on_peer_gone(key)

    def _right_hashes(self, raw: bytes) -> int:
        """How many of the magnet's hashes these bytes have."""
        # SHA-1 is what a v1 info hash is; a hybrid magnet is checked by both.
        v1 = hashlib.sha1(raw, usedforsecurity=False).digest() if self._hashes.v1 is not None else b""
        v2 = hashlib.sha256(raw).digest() if self._hashes.v2 is not None else b""
        return (v1 == self._hashes.v1) + (v2 == self._hashes.v2)

    def _compare(self, raw: bytes) -> None:
        for size, pieces in self._failed:
            for key, piece, digest in pieces:
                right = raw[piece * BLOCK : (piece + 1) * BLOCK]
                if size != len(raw) or hashlib.sha256(right).digest() != digest:
                    self._convict(key)
        self._failed.clear()

    def _convict(self, key: K) -> None:
        if self._tries.get(key, 0) <= limits.METADATA_TRIES:
            self._tries[key] = limits.METADATA_TRIES + 1
            self._guilty.append(key)
            self.on_peer_gone(key)


class MetadataServer(Generic[K]):
    """Serves our info dictionary. Every peer gets it a few times over in ten minutes; then it is rejected."""

    __slots__ = ("_epoch", "_raw", "_rejected", "_served")

    _PERIOD_SECONDS = 600.0

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._epoch = float("-inf")
        self._served: dict[K, int] = {}
        self._rejected: dict[K, int] = {}

    @property
    def size(self) -> int:
        """What our handshake says as `metadata_size`."""
        return len(self._raw)

    def answer(self, key: K, piece: int, now: float) -> MetadataData | MetadataReject:
        """The reply to a request. Raises RemoteError for a peer that goes on after 50 rejects in a row."""
        if now >= self._epoch + self._PERIOD_SECONDS:
            self._epoch = now
            self._served.clear()
            self._rejected.clear()
        count = piece_count(len(self._raw))
        served = self._served.get(key, 0)
        if piece >= count or served >= limits.METADATA_SERVED_TIMES * count + limits.METADATA_REQUESTS_QUEUED:
            rejected = self._rejected[key] = self._rejected.get(key, 0) + 1
            if rejected > limits.REJECTS_IN_ROW:
                raise RemoteError("floods metadata requests", where="ut_metadata", rejected=rejected)
            return MetadataReject(piece)
        self._served[key] = served + 1
        self._rejected.pop(key, None)
        start = piece * BLOCK
        return MetadataData(piece, len(self._raw), self._raw[start : start + BLOCK])
