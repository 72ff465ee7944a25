"""Blocks in: who is asked for what, and what becomes of it. Peers are fed by hand."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest

from fakes import FakeJudge, FakeWriter, peer, wire
from wildbach.base import bitfield
from wildbach.base.errors import RemoteError, StorageError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.base.rate import TokenBucket
from wildbach.disk.piecework import ChunkResult, PieceSpec
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.downloads import Downloads
from wildbach.engine.peer import Peer
from wildbach.engine.picker import Picker
from wildbach.engine.ratelimits import Gate
from wildbach.protocol.wire import codec
from wildbach.testing.storage import SharedStorage


class Holes(SharedStorage):
    """Reads zeros where nothing was written, as a sparse file does."""

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        for view in buffers:
            for at in range(0, len(view), BLOCK):
                part = view[at : at + BLOCK]
                try:
                    super().read_into(offset + at, [part])
                except StorageError:
                    part[:] = bytes(len(part))
            offset += len(view)


class Bed:
    """A torrent's downloads with everything around them made up. Time is what the test says."""

    def __init__(self, pieces: int = 8, blocks: int = 4, *, memory: int = 8 * SLAB, tail: int = 0) -> None:
        self.data = Random(1).randbytes((pieces * blocks * BLOCK) - tail)
        self.length = blocks * BLOCK
        self.geometry = Geometry.packed(self.length, [len(self.data)])
        self.pool = ChunkPool(memory)
        self.storage = Holes(self.data)
        self.picker = Picker(self.geometry, 0, Random(1))
        self.picker.sequential = True
        self.writer = FakeWriter()
        self.judge = FakeJudge()
        self.now = 0.0
        self.known = True
        self.gate: Gate | None = None
        self.later: deque[tuple[Callable[[], None], Callable[[BaseException | None], None]]] = deque()
        self.notes: dict[int, int] = {}
        "Blocks of unfinished pieces that are on the disk."
        self.open()

    def open(self) -> None:
        self.downloads = Downloads(
            1, self.picker, self.pool, self.writer, self.storage, self.spec, self.judge, lambda: self.now,
            lambda _peer: self.gate, lambda work, done: self.later.append((work, done)), self.note,
        )

    def note(self, piece: int, blocks: int) -> None:
        self.notes[piece] = blocks

    def work(self) -> None:
        """What was handed to the writer and to threads gets done."""
        while self.later or self.writer.waiting:
            while self.later:
                work, done = self.later.popleft()
                work()
                done(None)
            self.writer.run()

    def spec(self, piece: int) -> PieceSpec | None:
        if not self.known:
            return None
        size = self.geometry.piece_size(piece)
        start = piece * self.length
        return PieceSpec(size, hashlib.sha1(self.data[start : start + size]).digest(), 0, None, 0)

    def peer(self, number: int, have: int | None = None, *, choked: bool = False, proven: bool = True) -> Peer:
        made = peer(number, now=self.now)
        made.have = self.picker.full if have is None else have
        made.am_interested = True
        made.choked = choked
        made.proven = proven
        self.downloads.peers[number] = made
        return made

    def close(self) -> None:
        """Let go of all memory, so that the pool goes with its descriptor."""
        self.writer.waiting.clear()
        self.later.clear()
        for each in self.downloads.peers.values():
            each.owed.clear()
            each.mine = None
        self.picker.open.clear()
        self.downloads._sole.clear()
        self.downloads._doubts._held.clear()
        self.pool.close()

    def ask(self, of: Peer) -> list[tuple[int, int, int]]:
        self.downloads.fill(of, self.now)
        return wire(of).asked()

    def give(self, of: Peer, items: list[tuple[int, int, int]], *, bad: bool = False) -> None:
        blocks = []
        for index, offset, length in items:
            start = index * self.length + offset
            data = bytes(length) if bad else self.data[start : start + length]
            blocks.append((index, offset, memoryview(data)))
        self.downloads.blocks(of, blocks, self.now)

    def all_but_written(self, of: Peer) -> None:
        """The peer gives whatever it is asked for, and the writer ends nothing."""
        asked = self.ask(of)
        while asked:
            self.give(of, asked)
            asked = wire(of).asked()

    def all(self, of: Peer) -> None:
        """The peer gives whatever it is asked for."""
        asked = self.ask(of)
        while asked:
            self.give(of, asked)
            self.work()
            asked = wire(of).asked()


@pytest.fixture
def make() -> Iterator[Callable[..., Bed]]:
    made: list[Bed] = []

    def make(*args: int, **sizes: int) -> Bed:
        made.append(Bed(*args, **sizes))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def bed(make: Callable[..., Bed]) -> Bed:
    return make()


@pytest.mark.parametrize("blocks", [1, 3, 4, 70, 130])
def test_everything_comes_from_one_peer(blocks: int, make: Callable[..., Bed]) -> None:
    bed = make(5, blocks, tail=BLOCK // 2, memory=16 * SLAB)
    bed.all(bed.peer(1))
    assert bed.storage.whole and sorted(bed.judge.good) == list(range(5)) and not bed.judge.bad
    assert bed.pool.reserved == 0 and bed.downloads.wasted == 0 and not bed.picker.missing
    assert bed.downloads.received == len(bed.data)


def test_who_is_not_interesting_or_chokes_is_asked_nothing(bed: Bed) -> None:
    first = bed.peer(1, choked=True)
    second = bed.peer(2)
    second.am_interested = False
    third = bed.peer(3)
    wire(third).close()
    assert [bed.ask(each) for each in (first, second, third)] == [[], [], []]


def test_a_choked_peer_gives_what_it_allows(bed: Bed) -> None:
    first = bed.peer(1, choked=True)
    first.allowed_in = [5]
    assert {index for index, _, _ in bed.ask(first)} == {5}


def test_where_all_are_on_parole_a_piece_is_begun_anew(make: Callable[..., Bed]) -> None:
    """What is open has blocks of several: no more of it would prove anything, and there is nothing else."""
    bed = make(1, 4)
    first, second, fresh = bed.peer(1), bed.peer(2), bed.peer(3)
    first.grown = 2
    bed.give(first, bed.ask(first)[:2])
    for each in (first, second):
        bed.downloads.release(each, late=True)
        wire(each).asked()
        each.suspect = True
    assert bed.ask(second) == []  # the third can go on with it
    fresh.choked = True
    second.grown = 8
    assert bed.ask(second) == [(0, at * BLOCK, BLOCK) for at in range(4)]
    assert bed.downloads.wasted == 2 * BLOCK and bed.ask(first) == []


def test_the_last_block_of_a_piece_is_as_short_as_it_is(make: Callable[..., Bed]) -> None:
    bed = make(1, 3, tail=100)
    assert bed.ask(bed.peer(1)) == [(0, 0, BLOCK), (0, BLOCK, BLOCK), (0, 2 * BLOCK, BLOCK - 100)]


def test_two_peers_share_a_piece_but_no_block(make: Callable[..., Bed]) -> None:
    bed = make(1, 64)
    one, two = bed.peer(1), bed.peer(2)
    first, second = bed.ask(one), bed.ask(two)
    assert len(first) == len(second) == 8 and not set(first) & set(second)


def test_a_newcomer_fetches_a_piece_alone_until_it_has_given_a_good_one(bed: Bed) -> None:
    one, two = bed.peer(1, proven=False), bed.peer(2, proven=False)
    assert {index for index, _, _ in bed.ask(one)} == {0, 1}
    assert {index for index, _, _ in bed.ask(two)} == {2, 3}
    bed.give(one, [(0, at * BLOCK, BLOCK) for at in range(4)])
    bed.work()
    assert one.proven and not two.proven


def test_a_lone_newcomers_piece_is_shared_where_nothing_else_is_left(make: Callable[..., Bed]) -> None:
    bed = make(1, 64)
    one, two = bed.peer(1, proven=False), bed.peer(2)
    assert len(bed.ask(one)) == 8
    assert bed.ask(two) == [(0, at * BLOCK, BLOCK) for at in range(8, 16)]


def test_on_parole_nobody_shares(bed: Bed) -> None:
    suspect, honest = bed.peer(1), bed.peer(2)
    suspect.suspect = True
    suspect.grown = 3
    assert bed.ask(suspect) == [(0, at * BLOCK, BLOCK) for at in range(3)]
    assert {index for index, _, _ in bed.ask(honest)} == {1, 2}
    # It leaves: others may finish what it began.
    bed.downloads.release(suspect, late=False)
    assert bed.picker.next_open(bed.picker.full, 2) is bed.picker.open[0]


def test_blocks_out_of_order_are_taken(bed: Bed) -> None:
    one = bed.peer(1)
    bed.give(one, list(reversed(bed.ask(one))))
    bed.work()
    assert sorted(bed.judge.good) == [0, 1] and bed.downloads.wasted == 0


def test_unasked_blocks_are_wasted_and_too_many_of_them_end_it(bed: Bed) -> None:
    one = bed.peer(1)
    for _ in range(32):
        bed.give(one, [(7, 0, BLOCK)])
    assert bed.downloads.wasted == 32 * BLOCK
    with pytest.raises(RemoteError):
        bed.give(one, [(7, 0, BLOCK)])


def test_a_block_of_the_wrong_length_ends_it_and_is_asked_again(bed: Bed) -> None:
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    with pytest.raises(RemoteError):
        bed.give(one, [(0, 0, BLOCK - 1)])
    bed.downloads.release(one, late=False)
    assert bed.ask(two) == asked


def test_what_a_choking_peer_owes_is_asked_elsewhere_and_may_still_come(bed: Bed) -> None:
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    bed.downloads.release(one, late=True)
    assert bed.ask(two) == asked
    bed.give(one, asked)  # crossed on the way
    assert one.late == 0 and one.odd_pieces == 0 and bed.downloads.wasted == 0
    assert not two.owed.blocks and two.late == len(asked), "it is told"


def test_a_rejected_block_is_asked_elsewhere(bed: Bed) -> None:
    one, two = bed.peer(1), bed.peer(2)
    bed.ask(one)
    bed.downloads.rejected(one, 0, BLOCK, 0.0)
    assert (0, BLOCK, BLOCK) in bed.ask(two)


def test_who_rejects_everything_is_sent_away(make: Callable[..., Bed]) -> None:
    bed = make(1, 64)
    one = bed.peer(1)
    with pytest.raises(RemoteError):
        for _ in range(10):
            for index, offset, _ in bed.ask(one):
                bed.downloads.rejected(one, index, offset, 0.0)


def test_in_the_end_two_are_asked_and_the_loser_is_told(make: Callable[..., Bed]) -> None:
    bed = make(1, 4)
    slow, fast = bed.peer(1), bed.peer(2)
    asked = bed.ask(slow)
    assert bed.ask(fast) == asked, "all is asked: the end game"
    bed.give(fast, asked)
    cancels = [event for event in wire(slow).messages() if isinstance(event, codec.Cancel)]
    assert [(event.piece, event.offset, event.length) for event in cancels] == asked
    bed.work()
    assert bed.judge.good == [0] and slow.owed.blocks == 0
    bed.give(slow, asked[:1])
    assert slow.odd_pieces == 0


def test_a_silent_peer_is_snubbed_once_and_trusted_again_when_it_speaks(bed: Bed) -> None:
    one = bed.peer(1)
    asked = bed.ask(one)
    bed.now = 19.0
    bed.downloads.tick(bed.now)
    assert not one.snubbed
    bed.now = 21.0
    bed.downloads.tick(bed.now)
    assert one.snubbed and len(wire(one).asked()) == 1
    since = one.waiting_since
    bed.now = 30.0
    bed.downloads.tick(bed.now)
    assert one.owed.blocks == 1 and one.waiting_since == since == 0.0
    bed.now = 42.0
    bed.downloads.tick(bed.now)
    assert len(wire(one).asked()) == 1, "asked anew, every twenty seconds"
    bed.give(one, asked[:1])
    assert not one.snubbed and one.waiting_since == 42.0


def test_a_peer_that_was_just_asked_has_not_waited_long(bed: Bed) -> None:
    one = bed.peer(1)
    bed.give(one, bed.ask(one)[:1])
    bed.downloads.release(one, late=True)
    wire(one).messages()
    bed.now = 500.0
    bed.ask(one)
    assert one.waiting_since == 500.0


def test_a_bad_piece_is_reported_with_its_digests_and_fetched_again(bed: Bed) -> None:
    one = bed.peer(1)
    asked = bed.ask(one)
    bed.give(one, asked[:3])
    bed.give(one, asked[3:4], bad=True)
    bed.work()
    (index, digests), = bed.judge.bad
    right = [hashlib.sha1(bed.data[at * BLOCK : (at + 1) * BLOCK]).digest() for at in range(4)]
    got = [digests[20 * at : 20 * at + 20] for at in range(4)]
    assert index == 0 and got[:3] == right[:3] and got[3] != right[3]
    bed.judge.wanted.add(0)
    again = asked[4:] + wire(one).asked()
    while again:
        bed.give(one, again)
        bed.work()
        again = wire(one).asked()
    assert bed.judge.digests[0] == b"".join(right) and bed.judge.digests[1] == b""
    assert bed.storage.whole


def test_a_bad_piece_of_several_chunks_has_the_digests_of_all_its_blocks(make: Callable[..., Bed]) -> None:
    bed = make(1, 130)
    one = bed.peer(1)
    one.grown = 200
    asked = bed.ask(one)
    assert len(asked) == 130
    bed.give(one, asked[:5], bad=True)
    bed.give(one, asked[5:])
    bed.work()
    (_, digests), = bed.judge.bad
    assert len(digests) == 130 * 20
    assert digests[:20] == hashlib.sha1(bytes(BLOCK)).digest()
    assert digests[100:120] == hashlib.sha1(bed.data[5 * BLOCK : 6 * BLOCK]).digest()
    bed.all(one)
    assert bed.judge.good == [0]


def test_of_a_bad_piece_only_the_false_blocks_are_fetched_again_where_they_are_named(bed: Bed) -> None:
    bed.judge.mends = True
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    bed.give(one, asked[:2])
    bed.give(one, asked[2:3], bad=True)
    bed.give(one, asked[3:4])
    bed.work()
    assert [index for index, _ in bed.judge.bad] == [0]
    bed.downloads.distrust(one)
    bed.downloads.release(one, late=True)
    one.choked = True
    wire(two).messages()
    bed.downloads.mend(0, 0b0100)
    bed.downloads.fill(two, bed.now)
    requests = wire(two).asked()
    assert [item for item in requests if item[0] == 0] == [(0, 2 * BLOCK, BLOCK)]
    assert bed.downloads.wasted == BLOCK
    while requests:
        bed.give(two, requests)
        bed.work()
        requests = wire(two).asked()
    assert bed.storage.whole and bed.pool.reserved == 0


def test_of_a_large_bad_piece_the_good_blocks_come_back_from_the_disk(make: Callable[..., Bed]) -> None:
    bed = make(1, 200)
    bed.judge.mends = True
    one = bed.peer(1)
    one.grown = 300
    asked = bed.ask(one)
    bed.give(one, asked[:70])
    bed.give(one, asked[70:72], bad=True)
    bed.give(one, asked[72:])
    bed.work()
    assert [index for index, _ in bed.judge.bad] == [0]
    bed.downloads.mend(0, 0b11 << 70)
    bed.work()
    bed.downloads.fill(one, bed.now)
    again = wire(one).asked()
    assert again == [(0, 70 * BLOCK, BLOCK), (0, 71 * BLOCK, BLOCK)]
    assert bed.downloads.wasted == 2 * BLOCK
    bed.give(one, again)
    bed.work()
    assert bed.storage.whole and bed.judge.good == [0] and bed.pool.reserved == 0


def test_a_false_block_that_is_false_again_is_named_again(bed: Bed) -> None:
    bed.judge.mends = True
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    bed.give(one, asked[:3])
    bed.give(one, asked[3:4], bad=True)
    bed.work()
    bed.downloads.release(one, late=True)
    one.choked = True
    bed.downloads.mend(0, 0b1000)
    bed.downloads.fill(two, bed.now)
    mine = [item for item in wire(two).asked() if item[0] == 0]
    senders = bed.picker.open[0].from_
    assert senders == [(1, 0, 3)]
    bed.give(two, mine, bad=True)
    bed.work()
    assert [index for index, _ in bed.judge.bad] == [0, 0]
    assert bed.picker.open[0].from_ == [(1, 0, 3), (2, 3, 4)]


def test_leaves_that_do_not_come_are_not_waited_for(bed: Bed) -> None:
    bed.judge.mends = True
    one = bed.peer(1)
    asked = bed.ask(one)
    bed.give(one, asked[:4], bad=True)
    bed.work()
    held = bed.picker.open[0]
    assert held.doubtful
    bed.now += 1.0
    bed.downloads.tick(bed.now)
    assert bed.picker.open[0] is held
    bed.now += 2.0
    bed.downloads.tick(bed.now)
    assert bed.picker.open.get(0) is not held and bed.downloads.wasted == 4 * BLOCK
    bed.downloads.mend(0, 0b0001)  # too late: changes nothing
    assert bed.downloads.wasted == 4 * BLOCK


def test_a_stop_does_not_keep_what_is_doubtful(bed: Bed) -> None:
    bed.judge.mends = True
    one = bed.peer(1)
    asked = bed.ask(one)
    bed.give(one, asked[:4], bad=True)
    bed.work()
    bed.downloads.stop(keep=True)
    bed.work()
    assert not bed.picker.open and not bed.notes.get(0) and bed.pool.reserved == 0


def test_in_the_end_game_a_third_is_asked_where_two_are_silent(make: Callable[..., Bed]) -> None:
    bed = make(1, 4)
    one, two, three = bed.peer(1), bed.peer(2), bed.peer(3)
    assert len(bed.ask(one)) == 4
    bed.now = 2.0
    assert len(bed.ask(two)) == 4
    assert bed.ask(three) == []
    bed.now = 4.0
    assert len(bed.ask(three)) == 4
    assert bed.ask(one) == bed.ask(two) == []
    bed.give(three, [(0, at * BLOCK, BLOCK) for at in range(4)])
    bed.work()
    assert bed.storage.whole and not one.owed.blocks and not two.owed.blocks
    # Who never answered is not asked as the second of others again.
    assert one.late == two.late == 4


def test_what_a_liar_gave_of_unfinished_pieces_is_fetched_again(bed: Bed) -> None:
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    bed.give(one, asked[:2], bad=True)
    bed.downloads.distrust(one)
    bed.downloads.release(one, late=False)
    del bed.downloads.peers[1]
    assert bed.downloads.wasted == 2 * BLOCK
    bed.all(two)
    assert bed.storage.whole and not bed.judge.bad


def test_pieces_wait_for_their_hashes(bed: Bed) -> None:
    bed.known = False
    one = bed.peer(1)
    bed.give(one, bed.ask(one))
    bed.work()
    assert not bed.judge.good
    bed.known = True
    bed.downloads.hashes_known()
    bed.work()
    assert sorted(bed.judge.good) == [0, 1]


def test_a_full_disk_is_told_and_the_piece_is_not_had(bed: Bed) -> None:
    one = bed.peer(1)
    bed.writer.fail = ChunkResult(None, errno=28, error="no space left", code="disk_full")
    bed.give(one, bed.ask(one))
    bed.work()
    assert [result.code for result in bed.judge.errors] == ["disk_full", "disk_full"]
    assert not bed.picker.have and bed.picker.missing == bed.picker.full


def test_without_memory_nobody_is_asked_until_some_comes_back(make: Callable[..., Bed]) -> None:
    bed = make(8, 64, memory=2 * SLAB)
    one, two = bed.peer(1), bed.peer(2)
    one.grown = two.grown = 1000
    first = bed.ask(one)
    assert len(first) == 128 and bed.ask(two) == []
    bed.give(one, first[:64])
    bed.work()
    assert wire(two).asked() or wire(one).asked(), "the memory that came back is used"


def test_a_limit_holds_the_reading_and_the_window(bed: Bed) -> None:
    shared = TokenBucket(0)
    bed.gate = Gate(shared)
    bed.gate.own.limit = 4 * BLOCK
    bed.gate.own.refill(0.0)
    bed.gate.own.refill(0.05)
    one = bed.peer(1)
    asked = bed.ask(one)
    assert len(asked) == 2
    bed.give(one, asked)
    assert wire(one).paused
    bed.gate.own.refill(5.0)
    bed.downloads.refill()
    assert not wire(one).paused


def test_what_is_due_soon_is_asked_of_a_second_peer(bed: Bed) -> None:
    slow, fast = bed.peer(1), bed.peer(2)
    asked = [item for item in bed.ask(slow) if item[0] == 0]
    paced(slow, 2 * BLOCK)
    paced(fast, 20 * BLOCK)
    bed.picker.set_deadline(0, 1.2)
    assert bed.ask(fast)[:2] == asked[2:4], "what the other one is about to send is not worth asking for"
    assert bed.downloads.doubled == 2 * BLOCK


def paced(of: Peer, rate: float) -> None:
    """It is known to be so fast, in bytes a second."""
    of.pace.see(0.0, -int(rate), busy=True)
    of.pace.see(1.0, 0, busy=True)


def test_what_somebody_waits_for_is_asked_of_a_second_peer_sooner(bed: Bed) -> None:
    slow, fast = bed.peer(1), bed.peer(2)
    asked = [item for item in bed.ask(slow) if item[0] == 0]
    paced(slow, 15 * BLOCK)
    paced(fast, 20 * BLOCK)
    bed.picker.set_deadline(0, 0.1)
    assert not set(bed.ask(fast)) & set(asked), "a fifteenth of a second each is soon enough"
    bed.downloads.release(fast, late=False)
    bed.picker.set_deadline(0, 0.0)
    assert bed.ask(fast)[:2] == asked[1:3]


def test_what_was_taken_back_and_comes_all_the_same_is_used(bed: Bed) -> None:
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    bed.picker.set_deadline(7, 0.0)
    bed.downloads.take_back(bed.now)
    wire(one).messages()
    assert one.owed.blocks == 1 and one.late == len(asked) - 1 and one.clear_at > bed.now
    bed.give(one, asked[:4])
    assert bed.downloads.wasted == 0 and bed.picker.open[0].whole, "the first had to come, three came all the same"
    bed.give(one, asked[4:])
    other = [item for item in bed.ask(two) if item[0] == 7]
    bed.give(one, other[:1])
    assert bed.downloads.wasted == BLOCK, "that was never asked of it"


def test_what_was_taken_back_comes_while_somebody_else_owes_it(bed: Bed) -> None:
    one, two = bed.peer(1), bed.peer(2)
    asked = bed.ask(one)
    bed.picker.set_deadline(7, 0.0)
    bed.downloads.take_back(bed.now)
    bed.picker.set_deadline(7, None)
    again = bed.ask(two)
    assert asked[1] in again
    bed.give(one, asked[:2])
    assert bed.downloads.wasted == 0 and two.late == 1 and two.owed.mask(0) & 0b10 == 0
    bed.give(two, [asked[1]])
    assert bed.downloads.wasted == BLOCK and two.late == 0


def test_while_somebody_reads_a_slow_peer_owes_little(bed: Bed) -> None:
    slow, fast = bed.peer(1), bed.peer(2)
    paced(slow, 2 * BLOCK)
    paced(fast, 100 * BLOCK)
    bed.picker.set_deadline(0, 5.0)
    assert len(bed.ask(slow)) == 2 < len(bed.ask(fast))
    slow.created, bed.now = -9.0, 0.5
    bed.give(slow, [(slow.owed.runs[0].index, slow.owed.runs[0].offset, BLOCK)])
    assert slow.owed.blocks == 1, "half a second a block: the next one is asked for when this one nearly is here"
    bed.now += 0.45
    bed.ask(slow)
    assert slow.owed.blocks == 2


def test_stopping_gives_the_memory_back(bed: Bed) -> None:
    one = bed.peer(1)
    asked = bed.ask(one)
    bed.give(one, asked[:6])
    idle: list[bool] = []
    bed.downloads.stop(keep=True)
    bed.downloads.when_idle(lambda: idle.append(True))
    assert not idle and bed.downloads.in_hand == 2, "a whole piece for the writer, two blocks for the next run"
    bed.work()
    wire(one).messages()
    assert idle == [True] and bed.pool.reserved == 0 and bed.ask(one) == [] and bed.notes[1] == 0b11


def test_an_unfinished_piece_goes_on_where_it_was_left(bed: Bed, make: Callable[..., Bed]) -> None:
    one = bed.peer(1)
    bed.give(one, bed.ask(one)[:6])
    bed.downloads.stop(keep=True)
    bed.work()
    again = make()
    again.storage = bed.storage
    again.open()
    again.picker.done(0)
    again.downloads.restore(bed.notes)
    again.work()
    two = again.peer(1)
    assert again.ask(two)[:2] == [(1, 2 * BLOCK, BLOCK), (1, 3 * BLOCK, BLOCK)]
    again.give(two, [(1, 2 * BLOCK, BLOCK), (1, 3 * BLOCK, BLOCK)])
    again.work()
    assert 1 in again.judge.good


def test_stopping_lets_go_of_what_waits_for_hashes(bed: Bed) -> None:
    bed.known = False
    one = bed.peer(1)
    bed.give(one, bed.ask(one))
    bed.downloads.stop(keep=False)
    bed.work()
    assert bed.pool.reserved == 0


@pytest.mark.parametrize("seed", range(40))
def test_the_books_are_right_whatever_happens(seed: int, make: Callable[..., Bed]) -> None:
    """Blocks asked and not come, added up over the peers, are those that the pieces say are asked and not got."""
    rng = Random(seed)
    bed = make(rng.choice([3, 9]), rng.choice([1, 4, 70]), tail=rng.choice([0, 9]), memory=rng.choice([2, 8]) * SLAB)
    bed.picker.sequential = rng.random() < 0.5
    peers = [bed.peer(n, proven=rng.random() < 0.5) for n in range(1, 5)]
    queues: dict[int, list[tuple[int, int, int]]] = {each.number: [] for each in peers}
    for _ in range(400):
        bed.now += rng.choice([0.0, 0.1, 3.0])
        one = rng.choice(peers)
        queue = queues[one.number]
        act = rng.random()
        if act < 0.3:
            bed.downloads.fill(one, bed.now)
        elif act < 0.75 and queue:
            count = rng.randrange(1, len(queue) + 1)
            rows, queue[:count] = queue[:count], []
            if rng.random() < 0.2:
                rng.shuffle(rows)
            bed.give(one, rows, bad=rng.random() < 0.1)
        elif act < 0.8:
            bed.downloads.release(one, late=True)
            queue.clear()
        elif act < 0.85 and queue:
            index, offset, _ = queue.pop(0)
            bed.downloads.rejected(one, index, offset, bed.now)
            one.rejects = 0
        elif act < 0.9:
            bed.downloads.tick(bed.now)
        elif act < 0.93:
            one.suspect = not one.suspect
        elif act < 0.95:
            bed.downloads.distrust(one)
        elif act < 0.97 and bed.later:
            work, ended = bed.later.popleft()
            work()
            ended(None)
        else:
            bed.writer.run()
        for each in peers:
            queues[each.number] += wire(each).asked()
            each.odd_pieces = 0
        _check(bed, peers)
    for each in peers:
        each.suspect = False
        each.late = 10_000
    bed.now += 100
    for _ in range(1000):
        if not bed.picker.missing:
            break
        for each in peers:
            bed.downloads.tick(bed.now)
            bed.now += 1.0
            queues[each.number] += wire(each).asked()
            rows, queues[each.number] = queues[each.number], []
            bed.give(each, rows)
            queues[each.number] += wire(each).asked()
        bed.work()
    assert bed.storage.whole, [
        (p.index, p.sole, p.busy, p.queue, p.handed, bin(p.got), bin(p.asked), [c is not None for c in p.chunks])
        for p in bed.picker.open.values()
    ]
    bed.work()
    assert bed.pool.reserved == 0


def _check(bed: Bed, peers: list[Peer]) -> None:
    for each in peers:
        assert each.owed.blocks == sum(run.stop - run.block for run in each.owed.runs)
    for index, piece in bed.picker.open.items():
        owed = 0
        for each in peers:
            mask = each.owed.mask(index)
            assert not owed & mask & ~piece.doubled, "one block, two peers, outside of the end game"
            owed |= mask
        assert owed | piece.got == piece.asked, (index, bin(owed), bin(piece.got), bin(piece.asked))
        assert piece.got & ~piece.asked == 0
    unasked = [index for index, piece in bed.picker.open.items() if piece.asked != piece.all]
    assert bed.picker.unasked == bitfield.of(unasked, bed.picker.width)


def test_a_writer_that_gets_on_is_not_buried(make: Callable[..., Bed]) -> None:
    """More than it can take would only fill fresh memory; but a disk that stands still does not stop the peers."""
    bed = make(40, 64, memory=64 * SLAB)
    one = bed.peer(1)
    one.grown = 250
    bed.now = 10.0
    bed.all_but_written(one)
    first = len(bed.writer.waiting)
    assert 16 <= first < 24 and not one.owed.blocks
    bed.now += 0.05
    bed.downloads.pulse(bed.now)
    bed.all_but_written(one)
    assert len(bed.writer.waiting) == 40
    bed.work()
    assert bed.storage.whole and bed.pool.reserved == 0


def test_a_piece_that_is_written_makes_room_for_the_next(make: Callable[..., Bed]) -> None:
    bed = make(40, 64, memory=64 * SLAB)
    bed.now = 10.0
    bed.all(bed.peer(1))
    assert bed.storage.whole and bed.pool.reserved == 0
