"""Whom to call, how often, and how many in a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.engine.dialing import DialBudget, Dialing
from wildbach.engine.flows import FlowBudget


def book(*hosts: str, source: str = "tracker", priority: int = 0) -> Dialing:
    budget = DialBudget(FlowBudget(lambda: 0.0))
    made = Dialing(budget, lambda endpoint: priority or int(endpoint.host.rpartition(".")[2]))
    made.add([Endpoint(host, 6881) for host in hosts], source)
    return made


def host(of: Dialing, now: float = 0.0, *, want_seeds: bool = True) -> str:
    known = of.next(now, want_seeds=want_seeds)
    return known.endpoint.host if known is not None else ""


def test_the_users_peers_come_first_then_by_priority() -> None:
    ours = book("8.1.1.3", "8.1.2.9", "8.1.3.5")
    ours.add([Endpoint("8.1.4.1", 6881)], "user")
    assert [host(ours) for _ in range(5)] == ["8.1.4.1", "8.1.2.9", "8.1.3.5", "8.1.1.3", ""]


def test_who_failed_waits_longer_each_time_and_is_given_up() -> None:
    ours = book("8.1.1.3")
    endpoint = Endpoint("8.1.1.3", 6881)
    now = 0.0
    for wait in (15.0, 30.0, None):
        assert host(ours, now) == "8.1.1.3"
        ours.failed(endpoint, now)
        assert ours.soonest() == (None if wait is None else now + wait)
        now += wait or 0
    assert host(ours, now + 1e6) == ""
    ours.add([endpoint], "pex")
    assert host(ours, now + 1e6) == "", "hearsay does not bring it back"
    ours.add([endpoint], "tracker")
    assert host(ours, now + 1e6) == "8.1.1.3"


def test_whom_the_user_named_is_never_given_up() -> None:
    ours = book("8.1.1.3", source="user")
    for turn in range(20):
        now = turn * 1000.0
        assert host(ours, now) == "8.1.1.3"
        ours.failed(Endpoint("8.1.1.3", 6881), now)
        soonest = ours.soonest()
        assert soonest is not None and soonest - now <= 600.0


def test_a_connection_that_ended_may_be_made_again_after_a_while() -> None:
    ours = book("8.1.1.3")
    endpoint = Endpoint("8.1.1.3", 6881)
    assert host(ours) == "8.1.1.3" and host(ours, 99.0) == ""
    ours.connected(endpoint)
    ours.ended(endpoint, 100.0, seed=True)
    assert host(ours, 110.0) == "" and host(ours, 115.0, want_seeds=False) == ""
    assert host(ours, 115.0) == "8.1.1.3"
    ours.ended(endpoint, 115.0, seed=False)
    ours.again(endpoint)
    assert host(ours, 115.0) == "8.1.1.3"


def test_after_a_pause_those_who_were_there_are_called_at_once() -> None:
    ours = book("8.1.1.3", "8.1.2.4")
    there, gone = Endpoint("8.1.1.3", 6881), Endpoint("8.1.2.4", 6881)
    assert host(ours) and host(ours)
    ours.connected(there)
    ours.ended(there, 100.0, seed=True)
    ours.failed(gone, 100.0)
    assert host(ours, 101.0) == ""
    ours.all_again(101.0)
    assert host(ours, 101.0) == "8.1.1.3" and host(ours, 101.0) == ""


def test_who_was_there_when_we_went_is_called_more_often_and_not_given_up() -> None:
    ours = book("8.1.1.3", "8.1.2.4")
    there, never = Endpoint("8.1.1.3", 6881), Endpoint("8.1.2.4", 6881)
    assert host(ours) and host(ours)
    ours.connected(there)
    for endpoint in (there, never):
        ours.ended(endpoint, 100.0, seed=False)
    ours.all_again(100.0)
    now, calls = 100.0, dict.fromkeys(("8.1.1.3", "8.1.2.4"), 0)
    while now < 230.0:
        while called := host(ours, now):
            calls[called] += 1
            ours.failed(Endpoint(called, 6881), now)
        now += 1.0
    assert 5 <= calls["8.1.1.3"] <= 8 and calls["8.1.2.4"] == limits.DIAL_TRIES
    ours.callers([Endpoint("8.1.3.5", 6881)])
    ours.all_again(now)
    assert host(ours, now) == "8.1.3.5"


def test_who_could_not_be_called_for_want_of_an_ip_version_is_called_when_it_comes() -> None:
    ours = book("8.1.1.3", "2a01:db::3", priority=1)
    for at in (0.0, 20.0, 60.0):
        while called := host(ours, at):
            ours.failed(Endpoint(called, 6881), at)
    assert ours.soonest() is None
    ours.all_again(70.0, (6,))
    assert host(ours, 70.0) == "2a01:db::3" and host(ours, 70.0) == ""


def test_what_cannot_be_dialled_is_not_remembered() -> None:
    ours = book()
    assert ours.add([
        Endpoint("8.8.8.8", 0), Endpoint("8.8.8.8", 70_000), Endpoint("224.0.0.1", 6881), Endpoint("0.0.0.0", 6881),
        Endpoint("router.lan", 6881),
    ], "user") == 0
    assert ours.add([Endpoint("127.0.0.1", 80), Endpoint("192.168.1.1", 6881)], "user") == 2
    ours.forget(Endpoint("127.0.0.1", 80))
    assert ours.endpoints() == [Endpoint("192.168.1.1", 6881)]
    ours.clear()
    assert len(ours) == 0 and ours.soonest() is None


def test_a_full_book_forgets_who_failed_most() -> None:
    ours = book(*[f"9.{n // 250}.{n % 250}.1" for n in range(limits.KNOWN_PEERS)], priority=1)
    bad = Endpoint("9.0.7.1", 6881)
    ours.failed(bad, 0.0)
    assert ours.add([Endpoint("8.8.8.8", 6881)], "pex") == 1
    assert len(ours) == limits.KNOWN_PEERS and bad not in ours.endpoints()


def test_hearsay_has_a_budget_for_all_torrents_together() -> None:
    budget = DialBudget(FlowBudget(lambda: 0.0))
    first, second = Dialing(budget, lambda _: 1), Dialing(budget, lambda _: 1)
    for number, each in enumerate((first, second)):
        each.add([Endpoint(f"9.{number}.{n}.1", 6881) for n in range(200)], "pex")
    called = 0
    for turn in range(60):
        for each in (first, second):
            while each.next(float(turn), want_seeds=True) is not None:
                called += 1
    assert called == limits.DIALS_HEARSAY_PER_MINUTE
    second.add([Endpoint("8.8.8.8", 6881)], "tracker")
    assert host(second, 59.0) == "8.8.8.8"
    assert host(first, 75.0) != ""


def test_a_network_has_a_budget_but_neighbours_and_the_user_have_not() -> None:
    ours = book(*[f"9.9.9.{n}" for n in range(1, 100)])
    assert sum(host(ours) != "" for _ in range(99)) == limits.DIALS_PER_NETWORK_PER_MINUTE
    lan = book(*[f"192.168.1.{n}" for n in range(1, 100)])
    assert sum(host(lan) != "" for _ in range(99)) == 99
    named = book(*[f"9.9.9.{n}" for n in range(1, 100)], source="user")
    assert sum(host(named) != "" for _ in range(99)) == 99


def test_the_budget_forgets_old_networks() -> None:
    budget = DialBudget(FlowBudget(lambda: 0.0))
    for n in range(3 * limits.KNOWN_PEERS):
        assert budget.take(Endpoint(f"9.{n // 250}.{n % 250}.1", 6881), "tracker", n * 1.0)
    assert len(budget._networks) <= limits.KNOWN_PEERS + 1


acts = st.lists(st.tuples(
    st.sampled_from(["add", "next", "failed", "ended", "forget", "again", "wait"]), st.integers(1, 9),
    st.integers(1, 99),
), max_size=80)


@given(acts)
def test_nobody_is_called_twice_at_once_nor_before_the_time(acts: list[tuple[str, int, int]]) -> None:
    ours = Dialing(DialBudget(FlowBudget(lambda: 0.0)), lambda endpoint: endpoint.port)
    now = 0.0
    busy: set[Endpoint] = set()
    until: dict[Endpoint, float] = {}
    for what, number, value in acts:
        endpoint = Endpoint(f"8.{number}.1.1", 6881)
        if what == "add":
            ours.add([endpoint], "tracker" if value % 2 else "pex")
        elif what == "next":
            known = ours.next(now, want_seeds=True)
            if known is not None:
                assert known.endpoint not in busy and until.get(known.endpoint, 0.0) <= now
                busy.add(known.endpoint)
        elif what == "failed" and endpoint in busy:
            busy.discard(endpoint)
            ours.failed(endpoint, now)
            until[endpoint] = now + 15.0
        elif what == "ended" and endpoint in busy:
            busy.discard(endpoint)
            ours.ended(endpoint, now, seed=False)
            until[endpoint] = now + 15.0
        elif what in ("forget", "again") and endpoint not in busy:
            ours.forget(endpoint) if what == "forget" else ours.again(endpoint)
            until.pop(endpoint, None)
        elif what == "wait":
            now += value
        soonest = ours.soonest()
        able = ours.next(now, want_seeds=True) if soonest is not None and soonest > now else None
        assert able is None, "nobody before the soonest"


def test_when_too_many_flows_were_opened_only_whom_the_user_named_is_called() -> None:
    flows = FlowBudget(lambda: 1.0)
    ours = Dialing(DialBudget(flows), lambda endpoint: 0)
    ours.add([Endpoint(f"8.{n}.1.1", 6881) for n in range(10)], "tracker")
    assert len([known for _ in range(10) if (known := ours.next(0.0, want_seeds=True)) is not None]) == 3
    ours.add([Endpoint("9.9.9.9", 6881), Endpoint("127.0.0.1", 6881)], "user")
    named = [ours.next(0.0, want_seeds=True), ours.next(0.0, want_seeds=True)]
    assert {known.endpoint.host for known in named if known is not None} == {"9.9.9.9", "127.0.0.1"}
    assert ours.next(0.0, want_seeds=True) is None
    # A moment later it goes on, where it stopped; the call for the user counted.
    assert ours.next(1.0, want_seeds=True) is None and ours.next(2.0, want_seeds=True) is not None


def test_what_became_of_calls_into_the_world_is_told_to_the_guard() -> None:
    flows = FlowBudget(lambda: 0.0)
    budget = DialBudget(flows)
    for turn in range(20):
        budget.ended(Endpoint("8.1.1.1", 6881), turn % 2 == 0, turn)
        budget.ended(Endpoint("192.168.1.1", 6881), False, turn)
    assert flows.view().usual == 6 / 11
