from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.syncsim.made import DEVICES, A, B, C, entry
from tests.syncsim.memory import GlobalTree

from wildbach.base import limits
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync.merge import merged, union, wanted, winner


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """What honest devices sign for one path: each knows of what it chose to hear, and of all its own."""
    signed: list[Entry] = []
    known: dict[bytes, tuple[Entry, ...]] = dict.fromkeys(DEVICES, ())
    for seq in range(1, draw(st.integers(1, 7)) + 1):
        author = draw(st.sampled_from(DEVICES))
        heard = [each for each in signed if draw(st.booleans())]
        known[author] = merged(known[author], *heard)
        made = entry(
            "p", draw(st.sampled_from("xyz")), author, seq=seq, vector=union(known[author]).bumped(author, seq),
            deleted=draw(st.booleans()), mtime_ns=draw(st.integers(0, 2)))
        known[author] = merged(known[author], made)
        signed.append(made)
    return signed


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_heads_do_not_depend_on_order_grouping_or_repeats(
    signed: list[Entry], rng: object, data: st.DataObject
) -> None:
    whole = merged((), *signed)
    shuffled = data.draw(st.permutations(signed))
    cut = data.draw(st.integers(0, len(signed)))
    one, other = merged((), *shuffled[:cut]), merged((), *shuffled[cut:], *shuffled[:1])
    assert merged(one, *other) == merged(other, *one) == whole
    assert merged(whole, *whole) is whole


@given(histories())
def test_no_head_knew_of_another(signed: list[Entry]) -> None:
    heads = merged((), *signed)
    assert heads
    assert not any(one.vector.knew(other.vector) for one, other in itertools.permutations(heads, 2))
    assert all(any(head.vector.knew(each.vector) for head in heads) for each in signed)


def test_an_author_that_forgot_what_it_signed_has_two_heads_and_none_is_lost() -> None:
    first = entry("p", "x", A, seq=5, vector=VersionVector({A: 5, B: 7}))
    again = entry("p", "y", A, seq=9, vector=VersionVector({A: 9}))
    known = entry("p", "z", B, seq=7, vector=VersionVector({B: 7}))
    for order in itertools.permutations((first, again, known)):
        assert {each.root for each in merged((), *order)} == {first.root, again.root}


def test_the_same_vector_with_another_content_is_a_conflict_and_with_the_same_content_is_one() -> None:
    one = entry("p", "x", A, seq=5, vector=VersionVector({A: 5, B: 2}))
    assert len(merged((one,), replace(one, root=entry("p", "y", A).root, signature=b"2" * 64))) == 2
    assert len(merged((one,), replace(one, author=B, seq=8))) == 1


def test_one_author_cannot_fill_a_path_with_heads() -> None:
    many = [entry("p", str(n), A, seq=n, vector=VersionVector({A: n, B: 100 - n})) for n in range(1, 50)]
    heads = merged((), *many)
    assert [each.seq for each in heads] == list(range(50 - limits.SYNC_HEADS, 50))


def test_live_wins_over_deleted_then_the_newer_then_the_greater_author() -> None:
    old = entry("p", "x", B, mtime_ns=1)
    gone = entry("p", "y", C, mtime_ns=9, deleted=True)
    new = entry("p", "z", A, mtime_ns=2)
    assert winner((gone, old)) is old
    assert winner((new, old, gone)) is new
    assert winner((entry("p", "z", A, mtime_ns=1), old)) is old
    assert winner(()) is None


def test_a_directory_that_something_needs_wins_over_a_newer_file() -> None:
    world = GlobalTree({"p": (entry("p", "x", A, mtime_ns=9),), "p/y": (entry("p/y", "y", B),)})
    want = wanted(world, "p")
    assert want.kind is EntryKind.DIR and want.losers == world.get("p")
    world.put("p/y", (replace(entry("p/y", "y", B), deleted=True),))
    assert wanted(world, "p").kind is EntryKind.FILE


def test_a_deleted_directory_stays_while_something_in_it_lives() -> None:
    world = GlobalTree({"p": (entry("p", "", A, kind=EntryKind.DIR, deleted=True),), "p/y": (entry("p/y", "y", B),)})
    assert wanted(world, "p").kind is EntryKind.DIR
    assert wanted(world, "p").losers == ()
