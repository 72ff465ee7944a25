"""Blocks out: what is served, refused, kept waiting; rows of requests, cold reads, limits, a hybrid's padding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

import pytest

from fakes import peer, wire
from wildbach.base import limits
from wildbach.base.errors import RemoteError, StorageError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.base.rate import TokenBucket
from wildbach.engine.peer import Peer
from wildbach.engine.ratelimits import Gate
from wildbach.engine.uploads import SendBuffers, Uploads
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.codec import Decoder
from wildbach.runtime.workers import Threads
from wildbach.testing.storage import SharedStorage


class Later:
    """Threads whose calls run when the test says."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()

    def submit(self, call: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.waiting.append((call, done))

    def run(self) -> None:
        while self.waiting:
            call, done = self.waiting.popleft()
            try:
                outcome = call()
            except StorageError as error:
                outcome = error
            done(outcome)


class Cold(SharedStorage):
    """Nothing is in the page cache."""

    def try_read(self, offset: int, buffers: Sequence[memoryview]) -> bool:
        return False


class Bed:
    def __init__(self, *, pieces: int = 8, blocks: int = 4, tail: int = 0, cold: bool = False) -> None:
        self.length = blocks * BLOCK
        self.data = Random(1).randbytes(pieces * self.length - tail)
        self.geometry = Geometry.packed(self.length, [len(self.data)])
        self.storage = (Cold if cold else SharedStorage)(self.data, complete=True)
        self.threads = Later()
        self.gate: Gate | None = None
        self.errors: list[StorageError] = []
        self.lacking: set[int] = set()
        self.uploads = Uploads(
            self.geometry, self.storage, cast(Threads, self.threads), SendBuffers(),
            lambda piece: piece not in self.lacking, lambda _peer: self.gate, self.errors.append,
        )

    def peer(self, number: int = 1, *, fast: bool = True, choked: bool = False) -> Peer:
        made = peer(number, fast=fast)
        made.am_choking = choked
        return made

    def right(self, items: list[tuple[int, int, int]]) -> list[tuple[int, int, bytes]]:
        starts = [(index, offset, index * self.length + offset, length) for index, offset, length in items]
        return [(index, offset, self.data[at : at + length]) for index, offset, at, length in starts]


def got(of: Peer) -> list[tuple[int, int, bytes]]:
    raw = bytes(wire(of).sent)
    wire(of).sent.clear()
    events, used = Decoder().decode(memoryview(raw))
    assert used == len(raw)
    return [
        (index, offset, bytes(data)) for event in events if isinstance(event, codec.Blocks)
        for index, offset, data in event.items
    ]


def refused(of: Peer) -> list[tuple[int, int, int]]:
    return [(e.piece, e.offset, e.length) for e in wire(of).messages() if isinstance(e, codec.Reject)]


ROW = [(piece, at * BLOCK, BLOCK) for piece in range(3) for at in range(4)]


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("items", [
    ROW, list(reversed(ROW)), ROW[:1], [(0, 5, 100), (0, 105, 1), (1, 0, BLOCK), (0, 5, 100)],
    [(7, 3 * BLOCK, BLOCK - 9)], [(7, 2 * BLOCK, BLOCK), (7, 3 * BLOCK, 7)],
])
def test_what_is_asked_is_sent_in_order(cold: bool, items: list[tuple[int, int, int]]) -> None:
    bed = Bed(tail=9, cold=cold)
    one = bed.peer()
    bed.uploads.requests(one, items)
    bed.threads.run()
    assert got(one) == bed.right(items)
    assert bed.uploads.sent == sum(length for _, _, length in items) and not one.uploads


@pytest.mark.parametrize("item", [
    (8, 0, BLOCK), (0, 0, 0), (0, 0, BLOCK + 1), (0, 3 * BLOCK + 1, BLOCK), (2**32 - 1, 0, 1), (7, 3 * BLOCK, BLOCK),
    (0, 2**32 - 1, 1),
])
def test_a_request_for_what_does_not_exist_ends_the_connection(item: tuple[int, int, int]) -> None:
    bed = Bed(tail=9)
    with pytest.raises(RemoteError):
        bed.uploads.requests(bed.peer(), [item])


def test_what_we_lack_and_what_choked_peers_ask_is_refused_aloud() -> None:
    bed = Bed()
    bed.lacking = {1}
    one, two, old = bed.peer(1), bed.peer(2, choked=True), bed.peer(3, choked=True, fast=False)
    bed.uploads.requests(one, [(1, 0, BLOCK)])
    bed.uploads.requests(two, [(0, 0, BLOCK)])
    bed.uploads.requests(old, [(0, 0, BLOCK)])
    assert refused(one) == [(1, 0, BLOCK)] and refused(two) == [(0, 0, BLOCK)] and not wire(old).sent


def test_a_choked_peer_gets_what_it_is_allowed_but_not_without_end() -> None:
    bed = Bed()
    one = bed.peer(choked=True)
    one.allowed_out = [2]
    one.allowance = 8
    for _ in range(3):
        bed.uploads.requests(one, [(2, at * BLOCK, BLOCK) for at in range(4)])
    events = wire(one).messages()
    blocks = sum(len(event.items) for event in events if isinstance(event, codec.Blocks))
    assert blocks == 8 and sum(isinstance(event, codec.Reject) for event in events) == 4


def test_a_choke_clears_the_queue_and_says_so() -> None:
    bed = Bed(cold=True)
    one = bed.peer()
    one.allowed_out = [2]
    bed.uploads.requests(one, ROW[:1])
    bed.uploads.requests(one, [(1, 0, BLOCK), (2, 0, BLOCK)])
    one.am_choking = True
    bed.uploads.choke(one)
    assert refused(one) == [(1, 0, BLOCK)] and list(one.uploads) == [(2, 0, BLOCK)]


def test_what_is_cancelled_in_time_is_not_sent() -> None:
    bed = Bed(cold=True)
    one = bed.peer()
    bed.uploads.requests(one, ROW[:1])
    bed.uploads.requests(one, ROW[1:3])
    bed.uploads.cancel(one, *ROW[2])
    bed.uploads.cancel(one, *ROW[0])  # on its way already
    assert refused(one) == [ROW[2]]
    bed.threads.run()
    assert got(one) == bed.right(ROW[:2])


def test_over_the_limit_the_answer_is_no_or_nothing_is_read() -> None:
    bed = Bed(cold=True)
    many = [ROW[0]] * (limits.REQUESTS_QUEUED + 40)
    new, old = bed.peer(1), bed.peer(2, fast=False)
    bed.uploads.requests(new, many[:1])
    bed.uploads.requests(new, many)
    assert len(refused(new)) == 40 and not wire(new).paused
    bed.uploads.requests(old, many[:1])
    bed.uploads.requests(old, many)
    assert wire(old).paused
    bed.threads.run()
    assert not wire(old).paused and len(got(old)) == len(many) + 1


def test_who_asks_on_without_reading_is_sent_away() -> None:
    bed = Bed()
    one = bed.peer(choked=True)
    wire(one).queued = limits.SEND_QUEUE_BYTES + 1
    with pytest.raises(RemoteError):
        bed.uploads.requests(one, ROW)


def test_a_slow_peer_holds_no_more_than_its_share() -> None:
    bed = Bed(pieces=100)
    one = bed.peer()
    wire(one).queued = 10 << 20
    bed.uploads.requests(one, ROW)
    assert not wire(one).sent and len(one.uploads) == len(ROW)
    wire(one).queued = 0
    bed.uploads.drained(one)
    assert got(one) == bed.right(ROW)


def test_a_limit_lets_through_what_it_allows() -> None:
    bed = Bed(pieces=100)
    bed.gate = Gate(TokenBucket(0))
    bed.gate.own.limit = 2 * BLOCK
    bed.gate.own.refill(0.0)
    one = bed.peer()
    sent = 0
    for tick in range(1, 201):
        if tick == 1:
            bed.uploads.requests(one, [(piece, 0, BLOCK) for piece in range(100)])
        bed.gate.own.refill(tick * 0.05)
        if bed.gate.open:
            bed.uploads.refill()
        sent += len(got(one))
    assert 18 <= sent <= 23, "ten seconds at two blocks a second"
    bed.uploads.gone(one)
    bed.gate.own.refill(100.0)
    bed.uploads.refill()
    assert not wire(one).sent


def test_the_padding_of_a_hybrid_is_zeros() -> None:
    bed = Bed()
    geometry = Geometry.aligned(4 * BLOCK, [BLOCK + 100, 4 * BLOCK], hybrid=True)
    storage = SharedStorage(bytes([7]) * (8 * BLOCK), complete=True)
    uploads = Uploads(
        geometry, storage, cast(Threads, bed.threads), SendBuffers(), lambda _piece: True, lambda _peer: None,
        bed.errors.append,
    )
    one = bed.peer()
    uploads.requests(one, [(0, at * BLOCK, BLOCK) for at in range(4)] + [(1, 0, BLOCK)])
    data = [block for _, _, block in got(one)]
    assert data[0] == bytes([7]) * BLOCK and data[1] == bytes([7]) * 100 + bytes(BLOCK - 100)
    assert data[2:4] == [bytes(BLOCK)] * 2 and data[4] == bytes([7]) * BLOCK


def test_a_disk_that_fails_stops_it() -> None:
    bed = Bed(cold=True)
    bed.storage._blocks[0] = 0
    one = bed.peer()
    bed.uploads.requests(one, ROW[:1])
    bed.threads.run()
    assert [error.code for error in bed.errors] == ["missing"] and not wire(one).sent


def test_a_peer_that_left_while_its_block_was_read_is_forgotten() -> None:
    bed = Bed(cold=True)
    one = bed.peer()
    bed.uploads.requests(one, ROW[:2])
    wire(one).close()
    bed.uploads.gone(one)
    bed.threads.run()
    assert not one.uploads


@pytest.mark.parametrize("seed", range(20))
def test_everything_asked_is_answered_once(seed: int) -> None:
    rng = Random(seed)
    bed = Bed(cold=rng.random() < 0.5, tail=rng.choice([0, 77]))
    bed.lacking = {5}
    one = bed.peer()
    asked: list[tuple[int, int, int]] = []
    answers: list[tuple[int, int, bytes] | tuple[int, int, int]] = []
    for _ in range(60):
        act = rng.random()
        if act < 0.5:
            piece = rng.randrange(8)
            size = bed.geometry.piece_size(piece)
            items = [
                (piece, at, min(BLOCK, size - at)) for at in range(0, size, rng.choice([BLOCK, 1000, 20_000]))
            ][: rng.randrange(1, 20)]
            asked += items
            bed.uploads.requests(one, items)
        elif act < 0.7:
            bed.threads.run()
        elif act < 0.8 and one.uploads:
            bed.uploads.cancel(one, *rng.choice(list(one.uploads)))
        elif act < 0.9:
            wire(one).queued = rng.choice([0, 2 << 20])
        else:
            wire(one).queued = 0
            bed.uploads.drained(one)
    wire(one).queued = 0
    bed.uploads.drained(one)
    bed.threads.run()
    raw = bytes(wire(one).sent)
    events, used = Decoder().decode(memoryview(raw))
    assert used == len(raw)
    for event in events:
        if isinstance(event, codec.Blocks):
            answers += [(index, offset, bytes(data)) for index, offset, data in event.items]
        elif isinstance(event, codec.Reject):
            answers.append((event.piece, event.offset, event.length))
    kinds = sorted((a[0], a[1], len(a[2]) if isinstance(a[2], bytes) else a[2]) for a in answers)
    assert kinds == sorted(asked)
    sent = [answer for answer in answers if isinstance(answer[2], bytes)]
    assert sent == bed.right([(a, b, len(c)) for a, b, c in sent])  # type: ignore[arg-type]  # narrowed above


def test_under_a_limit_who_asks_for_much_does_not_keep_others_waiting() -> None:
    bed = Bed()
    bed.gate = Gate(TokenBucket(0))
    bed.gate.own.limit = 40 * BLOCK
    bed.gate.own.refill(0.0)
    greedy, modest = bed.peer(1), bed.peer(2)
    bed.uploads.requests(greedy, ROW * 8)
    bed.uploads.requests(modest, ROW[:4])
    for tick in range(1, 6):
        bed.gate.own.refill(tick * 0.05)
        bed.uploads.refill()
    assert not modest.uploads, "the second in line was served"
    assert greedy.uploads
