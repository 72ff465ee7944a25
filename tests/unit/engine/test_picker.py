"""The order of pieces: rarest first, priorities, deadlines, what is open first; and its books against a plain model."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import bitfield
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.picker import Focus, Picker

COUNT = 20


def picker(have: int = 0, count: int = COUNT) -> Picker:
    return Picker(Geometry.packed(4 * BLOCK, [count * 4 * BLOCK]), have, Random(1))


def some(*pieces: int) -> int:
    return bitfield.of(pieces, bitfield.width_of(COUNT))


def index(piece: OpenPiece | None) -> int:
    return piece.index if piece is not None else -1


def test_the_rarest_piece_that_the_peer_has_is_opened() -> None:
    ours = picker()
    ours.availability.add(some(1, 2, 3))
    ours.availability.add(some(1, 3))
    assert index(ours.next_new(some(1, 2, 3))) == 2
    assert index(ours.next_new(some(1, 2))) == 1
    assert ours.next_new(some(1, 2)) is None
    assert sorted(ours.open) == [1, 2]


def test_equals_are_chosen_by_chance() -> None:
    first = {index(Picker(picker().geometry, 0, Random(seed)).next_new(picker().full)) for seed in range(30)}
    assert len(first) > 5


def test_onward_goes_on_where_it_was_or_to_the_longest_row() -> None:
    ours = picker(have=some(3, 9))
    everything = bitfield.full(COUNT)
    assert index(ours.onward(everything, -1)) == 10, "the longest row begins there"
    assert index(ours.onward(everything, 10)) == 11
    assert index(ours.onward(everything, -1)) == 12 + 8 // 2, "somebody works through the row from its beginning"
    assert index(ours.onward(everything, 19)) == 4
    assert index(ours.onward(some(0, 1), 5)) == 0 and ours.onward(some(3), 2) is None


def test_sequential_takes_the_lowest() -> None:
    ours = picker(have=some(0, 1))
    ours.sequential = True
    ours.availability.add(some(2))
    assert [index(ours.next_new(ours.full)) for _ in range(3)] == [2, 3, 4]


def test_priorities_go_before_rarity_and_the_unwanted_is_never_opened() -> None:
    ours = picker(have=some(5))
    ours.set_levels([some(4, 5), some(7, 8)])
    for _ in range(3):
        ours.availability.add(some(4))
    assert ours.missing == some(4, 7, 8) and ours.interesting(some(8)) and not ours.interesting(some(5, 9))
    got = [index(ours.next_new(ours.full)) for _ in range(4)]
    assert got[0] == 4 and sorted(got[1:3]) == [7, 8] and got[3] == -1


def test_an_open_piece_is_finished_by_whoever_may() -> None:
    pool = ChunkPool(SLAB)
    ours = picker()
    piece = ours.start(3)
    piece.sole = 7
    assert ours.next_open(ours.full, 1) is None and ours.next_open(ours.full, 7) is piece
    piece.sole = None
    assert ours.next_open(ours.full, 1) is piece and ours.next_open(some(4), 1) is None
    piece.take(4, pool)
    ours.note_asked(piece)
    assert ours.next_open(ours.full, 1) is None
    piece.release(1, 2)
    ours.note_asked(piece)
    assert ours.next_open(ours.full, 1) is piece
    pool.close()


def test_untouched_pieces_are_those_nobody_was_asked_of() -> None:
    pool = ChunkPool(SLAB)
    ours = picker()
    begun, fresh, alone = ours.start(1), ours.start(2), ours.start(3)
    begun.take(1, pool)
    alone.sole = 9
    assert ours.untouched(ours.full) is fresh and ours.untouched(some(1, 3)) is None
    pool.close()


def test_deadlines_go_before_all_the_earliest_first() -> None:
    pool = ChunkPool(SLAB)
    ours = picker(have=some(0))
    for piece, when in ((9, 5.0), (4, 1.0), (6, 3.0), (0, 1.0)):
        ours.set_deadline(piece, when)
    ours.set_levels([some(1)])
    assert ours.interesting(some(9)), "a deadline makes a piece wanted"
    found = ours.urgent(some(6, 9), 1)
    assert found is not None
    urgent, blocks = found
    assert urgent.index == 6 and blocks == urgent.all and ours.urgent(some(6, 9), 1) == found
    urgent.take(4, pool)
    ours.note_asked(urgent)
    later = ours.urgent(some(6, 9), 1)
    assert later is not None and later[0].index == 9
    assert [piece.index for piece in ours.due(4.0)] == [6]
    ours.set_deadline(9, None)
    ours.done(6)
    assert ours.urgent(some(6, 9), 1) is None and ours.has_deadlines
    pool.close()


def test_what_is_lost_or_bad_is_fetched_again() -> None:
    ours = picker()
    ours.set_levels([some(2, 3)])
    ours.start(2)
    ours.done(2)
    assert ours.missing == some(3)
    ours.start(3)
    ours.again(3)
    assert not ours.open and index(ours.next_new(ours.full)) == 3
    ours.lost(some(2))
    assert ours.missing == some(2, 3) and index(ours.next_new(ours.full)) == 2


steps = st.lists(st.tuples(
    st.sampled_from(["new", "done", "again", "lost", "levels", "asked"]), st.integers(0, COUNT - 1),
    st.sets(st.integers(0, COUNT - 1)),
), max_size=60)


@given(st.sets(st.integers(0, COUNT - 1)), steps)
def test_every_piece_is_had_unwanted_open_or_waiting(have: set[int], steps: list[tuple[str, int, set[int]]]) -> None:
    pool = ChunkPool(4 * SLAB)
    ours = picker(some(*have))
    wanted = set(range(COUNT))
    for what, piece, pieces in steps:
        opened = ours.open.get(piece)
        if what == "new":
            waiting = (wanted - have - set(ours.open)) & pieces
            got = ours.next_new(some(*pieces))
            assert (got is not None) == bool(waiting)
            assert got is None or got.index in waiting
        elif what == "done" and opened is not None:
            ours.done(piece)
            have.add(piece)
        elif what == "again" and opened is not None:
            ours.again(piece)
        elif what == "asked" and opened is not None:
            opened.take(4, pool)
            ours.note_asked(opened)
        elif what == "lost":
            ours.lost(some(*(pieces & have)))
            have -= pieces
        elif what == "levels":
            wanted = pieces
            ours.set_levels([some(*[p for p in pieces if p % 2]), some(*[p for p in pieces if not p % 2])])
        assert ours.have == some(*have) and ours.missing == some(*(wanted - have))
        assert not set(ours.open) & have
        unasked = {at for at, each in ours.open.items() if each.asked != each.all}
        assert ours.unasked == some(*unasked)
        assert ours.ending == (not unasked and not wanted - have - set(ours.open))
    pool.close()


def focused(ours: Picker, when: float = 1.0, first: int = 0b1111) -> None:
    """Somebody reads piece 5 block by block, and then piece 6, which is of use once it is whole."""
    ours.set_focus(Focus({5: when, 6: when + 1}, {5: first}, {5: 0b0110}, some(7, 8), BLOCK * 4.0))


def urgent(ours: Picker, have: int, **times: float) -> tuple[int, int] | None:
    found = ours.urgent(have, 1, **times)
    return None if found is None else (found[0].index, found[1])


def test_what_is_due_first_is_urgent() -> None:
    ours = picker()
    assert ours.urgent(ours.full, 1) is None
    focused(ours)
    assert urgent(ours, ours.full) == (5, 0b1111)
    assert urgent(ours, some(6, 7)) == (6, 0b1111)
    assert urgent(ours, some(7, 8)) is None, "these are warm only"
    assert index(ours.next_warm(some(1, 8), 1)) == 8 and ours.next_warm(some(1, 2), 1) is None


def test_only_the_blocks_that_are_read_are_urgent() -> None:
    ours = picker()
    focused(ours, first=0b1100)
    assert urgent(ours, some(5)) == (5, 0b1100)
    ours.open[5].asked = 0b0100
    assert urgent(ours, some(5)) == (5, 0b1000)
    ours.open[5].asked = 0b1100
    assert urgent(ours, some(5)) is None


def test_a_slow_peer_is_given_a_later_block_it_can_give_in_time() -> None:
    ours = picker()
    focused(ours, when=1.0)
    assert urgent(ours, some(5), arrives=1.2, bound=1.5) == (5, 0b1111), "nobody is much sooner"
    assert urgent(ours, some(5), arrives=1.5, bound=0.5) == (5, 0b1100), "half a second is two blocks"
    assert urgent(ours, some(5), arrives=9.0, bound=0.5) is None


def test_a_slow_peer_helps_with_a_whole_piece_that_takes_long_anyway() -> None:
    ours = picker()
    ours.set_focus(Focus({6: 0.5}, {}, {}, 0, BLOCK * 4.0))
    assert urgent(ours, some(6), arrives=3.0, bound=0.5, now=0.0, pace=1.0) == (6, 0b1111)
    assert urgent(ours, some(6), arrives=3.0, bound=0.5, now=0.0, pace=4.0) is None


def test_what_has_a_deadline_of_its_own_is_urgent_as_a_whole() -> None:
    ours = picker()
    focused(ours, first=0b1000)
    assert ours.by_blocks(5) and not ours.by_blocks(6)
    ours.set_deadline(5, 9.0)
    assert not ours.by_blocks(5) and urgent(ours, some(5)) == (5, 0b1111) and ours.deadline(5) == 1.0
    ours.set_deadline(5, None)
    ours.set_focus(Focus())
    assert not ours.has_deadlines


def test_of_a_piece_read_by_blocks_those_before_the_first_unasked_one_press() -> None:
    ours = picker()
    focused(ours)
    piece = ours.start(5)
    piece.asked = 0b0010
    assert ours.pressing(piece) == 0b0010, "block 2 is asked of somebody before block 1 is of two"
    piece.asked = 0b1111
    assert ours.pressing(piece) == 0b0110
    whole = ours.start(6)
    whole.asked = 0b0111
    assert ours.pressing(whole) == 0
