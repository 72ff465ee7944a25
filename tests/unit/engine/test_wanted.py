"""The queue of one peer's requests, against a plain list of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.geometry import BLOCK
from wildbach.engine.wanted import Request, Wanted

pieces = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("row"), pieces, st.integers(0, 6), st.integers(1, 5)),
    st.tuples(st.just("odd"), pieces, st.integers(0, 6 * BLOCK), st.integers(1, BLOCK)),
    st.tuples(st.just("take"), pieces, st.integers(1, 6), pieces),
    st.tuples(st.just("remove"), pieces, st.integers(0, 30), pieces),
    st.tuples(st.just("drop"), pieces, pieces, pieces),
)


@given(st.lists(steps, max_size=40))
def test_it_is_a_list_of_requests(script: list[tuple[str, int, int, int]]) -> None:
    wanted, model = Wanted(), list[Request]()
    for step, piece, one, two in script:
        match step:
            case "row":
                wanted.add(piece, one * BLOCK, two * BLOCK)
                model += [(piece, (one + at) * BLOCK, BLOCK) for at in range(two)]
            case "odd":
                wanted.add(piece, one, two)
                model.append((piece, one, two))
            case "take" if model:
                row = wanted.take(one)
                taken = [model.pop(0) for _ in range(row.blocks)]
                assert 1 <= row.blocks <= one
                assert taken[0][:2] == (row.piece, row.offset) and sum(item[2] for item in taken) == row.length
                assert all(item == (row.piece, row.offset + at * BLOCK, item[2]) for at, item in enumerate(taken))
            case "remove" if model:
                item = model[one % len(model)]
                model.remove(item)
                before = len(wanted)
                assert wanted.remove(*item) and len(wanted) == before - 1
            case "drop":
                gone = wanted.drop(lambda index, piece=piece: index == piece)  # type: ignore[misc]  # bound now
                assert gone == [item for item in model if item[0] == piece]
                model = [item for item in model if item[0] != piece]
            case _:
                pass
        assert len(wanted) == len(model) and sorted(wanted) == sorted(model)
        model = list(wanted)  # equal requests may be taken back in any order


def test_what_was_not_asked_cannot_be_taken_back() -> None:
    wanted = Wanted()
    wanted.add(1, BLOCK, 3 * BLOCK)
    for item in ((1, 0, BLOCK), (1, 4 * BLOCK, BLOCK), (2, BLOCK, BLOCK), (1, BLOCK, 3 * BLOCK), (1, BLOCK + 1, BLOCK)):
        assert not wanted.remove(*item)
    assert wanted.remove(1, 2 * BLOCK, BLOCK) and list(wanted) == [(1, BLOCK, BLOCK), (1, 3 * BLOCK, BLOCK)]
    wanted.clear()
    assert not wanted and not list(wanted)
