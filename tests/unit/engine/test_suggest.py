import random

from wildbach.base import bitfield
from wildbach.engine.suggest import Suggestions

ALL = bitfield.full(20)
WIDTH = bitfield.width_of(20)


def suggestions() -> Suggestions[str]:
    return Suggestions(20, random.Random(1))


def test_nobody_is_told_what_another_was_told() -> None:
    told = suggestions()
    one, other = told.more("a", ALL), told.more("b", ALL)
    assert len(one) == len(other) == 4
    assert not set(one) & set(other)


def test_there_is_more_only_when_something_was_taken_up() -> None:
    told = suggestions()
    first = told.more("a", ALL)
    assert told.more("a", ALL) == []
    assert not told.asked("a", [next(piece for piece in range(20) if piece not in first)])
    assert told.asked("a", [first[2], first[2]])
    assert len(told.more("a", ALL)) == 1


def test_all_pieces_are_told_once_and_then_no_more() -> None:
    told = suggestions()
    seen: list[int] = []
    for name in "abcdefg":
        seen += told.more(name, ALL)
    assert sorted(seen) == list(range(20))
    told.asked("a", seen)
    assert told.more("a", ALL) == []


def test_what_came_to_the_swarm_another_way_makes_room_for_other_pieces() -> None:
    told = suggestions()
    first = told.more("a", ALL)
    left = ALL & ~bitfield.of(first, WIDTH)
    again = told.more("a", left)
    assert len(again) == 4 and not set(again) & set(first)


def test_what_a_peer_that_left_was_told_is_told_to_others() -> None:
    told = suggestions()
    first = told.more("a", bitfield.of([1, 2, 3], WIDTH))
    assert told.more("b", bitfield.of([1, 2, 3], WIDTH)) == []
    told.gone("a")
    assert not told.open("a")
    assert sorted(told.more("b", bitfield.of([1, 2, 3], WIDTH))) == sorted(first)


def test_where_the_swarm_has_all_there_is_nothing_to_suggest() -> None:
    assert suggestions().more("a", 0) == []
