"""Which endpoint of a device is called next, and when one is left in peace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.runtime.rng import seeded
from wildbach.services.sync.candidates import Candidates, Source


def at(number: int) -> Endpoint:
    return Endpoint("20.0.0.1", 2000 + number)


def calls(one: Candidates, until: float, step: float = 1.0, now: float = 0.0) -> list[tuple[float, Endpoint]]:
    """What is called where nobody answers."""
    made = []
    while now < until:
        endpoint = one.take(now)
        if endpoint is not None:
            made.append((now, endpoint))
            one.failed(endpoint, now)
        now += step
    return made


def test_the_better_word_is_called_first() -> None:
    one = Candidates(seeded(1))
    for source in reversed(Source):
        one.named([at(source)], source, 0.0)
    assert [endpoint for _, endpoint in calls(one, 0.5, 0.1)] == [at(source) for source in Source]


def test_hearsay_is_tried_a_few_times_and_what_worked_for_ever() -> None:
    one = Candidates(seeded(1))
    one.named([at(1)], Source.RECORD, 0.0)
    one.named([at(2)], Source.WORKED, 0.0)
    made = calls(one, 86400.0)
    assert sum(endpoint == at(1) for _, endpoint in made) == limits.SYNC_CALLS_PER_NAMING
    worked = [now for now, endpoint in made if endpoint == at(2)]
    assert 200 < len(worked) < 500 and worked[-1] > 85_000
    one.named([at(1)], Source.RECORD, 86400.0)
    again = [endpoint for _, endpoint in calls(one, 90_000.0, now=86400.0)]
    assert again.count(at(1)) == limits.SYNC_CALLS_PER_NAMING


def test_one_that_is_being_called_is_not_called_twice() -> None:
    one = Candidates(seeded(1))
    one.named([at(1)], Source.GIVEN, 0.0)
    assert one.take(0.0) == at(1) and one.take(1000.0) is None and one.next_at() is None
    one.worked(at(1), 1000.0)
    assert one.take(1000.0) is None and one.take(1010.0) == at(1)


def test_after_a_loss_what_worked_is_called_at_once() -> None:
    one = Candidates(seeded(1))
    one.worked(at(1), 0.0)
    calls(one, 4000.0)
    assert one.take(4000.0) is None
    one.soon(4000.0)
    assert one.take(4000.0) == at(1)
    assert one.lasting() == (at(1),)


named = st.tuples(st.integers(0, 40), st.sampled_from(list(Source)))


@given(st.lists(st.tuples(named, st.sampled_from(["name", "take", "work", "fail"]), st.floats(0, 400))))
def test_there_are_never_more_than_are_kept_and_what_works_stays(
    steps: list[tuple[tuple[int, Source], str, float]],
) -> None:
    one = Candidates(seeded(1))
    one.worked(at(99), 0.0)
    now = 0.0
    flying: list[Endpoint] = []
    worked = 0
    for (number, source), what, seconds in steps:
        now += seconds
        if what == "name":
            one.named([at(number)], Source.RECORD if source in (Source.WORKED, Source.NEAR) else source, now)
        elif what == "take":
            endpoint = one.take(now)
            if endpoint is not None:
                assert endpoint not in flying
                flying.append(endpoint)
        elif flying:
            endpoint = flying.pop(0)
            if what == "work":
                worked += 1
                one.worked(endpoint, now)
            else:
                one.failed(endpoint, now)
        assert len(one._all) <= limits.SYNC_CANDIDATES + len(flying)
        if worked < limits.SYNC_CANDIDATES:
            assert at(99) in one.lasting()
