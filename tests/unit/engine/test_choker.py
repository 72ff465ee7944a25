from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from wildbach.engine.choker import Candidate, Choker, Decision, SeedPolicy, Standing


def peer(name: str, rate_in: float = 0.0, *, unchoked: bool = False, **more: object) -> Candidate[str]:
    return replace(Candidate(name, True, unchoked, rate_in), **more)  # type: ignore[arg-type]


class Swarm:
    """Keeps candidates and does what the choker decides."""

    def __init__(self, choker: Choker[str], *candidates: Candidate[str]) -> None:
        self.choker = choker
        self.candidates = {c.peer: c for c in candidates}

    def decide(self, now: float, *, seeding: bool = False) -> Decision[str]:
        decision = self.choker.decide(self.candidates.values(), now, seeding=seeding)
        for name in decision.unchoke:
            self.set(name, unchoked=True, changed_at=now, sent=0)
        for name in decision.choke:
            self.set(name, unchoked=False, changed_at=now)
        return decision

    def set(self, name: str, **values: object) -> None:
        self.candidates[name] = replace(self.candidates[name], **values)  # type: ignore[arg-type]

    @property
    def served(self) -> str:
        return "".join(name for name, c in self.candidates.items() if c.unchoked)


class Payers:
    def __init__(self, **standings: Standing) -> None:
        self.standings = standings

    def standing(self, peer: str, now: float) -> Standing:
        return self.standings.get(peer, Standing.GUEST)

    def price(self, peer: str) -> int:
        return ord(peer[0])


def test_a_leecher_serves_those_who_give_most_and_one_optimistically() -> None:
    swarm = Swarm(Choker(3), peer("a", 10), peer("b", 50), peer("c", 0), peer("d", 90), peer("e", 0, changed_at=-50))
    decision = swarm.decide(0.0)
    assert swarm.served == "bde" and decision.optimistic == "e" and decision.choke == ()


def test_the_optimistic_slot_moves_on_after_thirty_seconds() -> None:
    names = [peer("a", 100), *(peer(n, changed_at=float(i), connected_at=-99) for i, n in enumerate("bcd"))]
    swarm = Swarm(Choker(2), *names)
    trace = []
    for now in range(100, 220, 10):
        swarm.decide(float(now))
        trace.append(swarm.served[1:])
    assert "".join(trace) == "bbbcccdddbbb"


def test_a_newcomer_counts_three_times_in_the_rotation() -> None:
    swarm = Swarm(
        Choker(2), peer("a", 100), peer("old", connected_at=0, changed_at=60),
        peer("new", connected_at=80, changed_at=80),
    )
    assert swarm.decide(100.0).optimistic == "new"


def test_a_peer_that_starts_to_give_gets_a_regular_slot() -> None:
    swarm = Swarm(Choker(2), peer("a", 10), peer("b", 0))
    swarm.decide(0.0)
    swarm.candidates["c"] = peer("c", 0)
    swarm.set("b", rate_in=99.0)
    decision = swarm.decide(10.0)
    assert swarm.served == "bc" and decision.optimistic == "c"  # "a" was served already: "c" has waited


def test_a_snubbing_peer_loses_its_slot_however_fast_it_was() -> None:
    swarm = Swarm(Choker(2), peer("fast", 1000, waiting_since=0.0), peer("slow", 1), peer("new"))
    swarm.decide(59.0)
    assert "fast" in swarm.served
    swarm.decide(69.0)
    assert swarm.served == "slownew"


def test_slots_lost_by_snubbing_are_optimistic() -> None:
    snubs = [peer(n, 100, waiting_since=0.0) for n in "abc"]
    swarm = Swarm(Choker(4), *snubs, *(peer(n) for n in "wxyz"))
    swarm.decide(100.0)
    assert swarm.served == "wxyz"


def test_equals_do_not_take_turns_every_round() -> None:
    swarm = Swarm(Choker(4), *(peer(n) for n in "abcdefgh"))
    changes = 0
    for now in range(0, 30, 10):
        decision = swarm.decide(float(now))
        changes += len(decision.choke)
    assert changes == 0 and len(swarm.served) == 4


def test_nothing_changes_between_rounds_but_free_slots_are_filled() -> None:
    swarm = Swarm(Choker(2), peer("a", 10), peer("b", 5), peer("c", 0))
    swarm.decide(-3.0)
    assert not swarm.choker.due(-0.1) and swarm.choker.due(0.0)
    swarm.decide(0.0)
    assert not swarm.choker.due(9.0) and swarm.choker.due(10.0)
    swarm.set("c", rate_in=1000.0)
    assert swarm.decide(5.0) == Decision((), (), "c" if "c" in swarm.served else "b")
    before = swarm.served
    del swarm.candidates["a"]
    assert len(swarm.decide(6.0).unchoke) == 1 and swarm.served != before and len(swarm.served) == 2


def test_a_peer_that_pauses_keeps_its_place_until_the_round_is_over() -> None:
    swarm = Swarm(Choker(1), peer("a"), peer("b"))
    swarm.decide(0.0, seeding=True)
    swarm.set("a", interested=False)
    assert swarm.decide(1.0, seeding=True) == Decision(("b",), (), None)
    swarm.set("a", interested=True)
    assert swarm.decide(2.0, seeding=True).choke in (("a",), ("b",))
    swarm.set("a", interested=False)
    swarm.set("b", interested=False)
    swarm.decide(10.0, seeding=True)
    assert swarm.served == ""


def test_a_giving_peer_that_wants_nothing_stays_unchoked() -> None:
    idle = [peer("idle", 50, interested=False), peer("c", interested=False)]
    swarm = Swarm(Choker(2), peer("a", 10), peer("b", 5), *idle)
    swarm.decide(0.0)
    assert swarm.served == "abidle"


def test_seeds_are_not_served() -> None:
    swarm = Swarm(Choker(4), peer("a", 99, upload_only=True), peer("b", unchoked=True, upload_only=True))
    assert swarm.decide(0.0) == Decision((), ("b",), None)


def test_a_seed_serves_everybody_in_turn() -> None:
    swarm = Swarm(Choker(2), *(peer(n, changed_at=float(i)) for i, n in enumerate("abcdef")))
    trace = []
    for now in range(10, 400, 10):
        swarm.decide(float(now), seeding=True)
        for name in swarm.served:
            swarm.set(name, sent=swarm.candidates[name].sent + (8 << 20))
        trace.append(swarm.served)
    order = list(dict.fromkeys(trace))
    assert order == ["ab", "cd", "ef"]
    assert trace[:7] == ["ab"] * 6 + ["cd"]


def test_a_turn_of_a_slow_peer_ends_too() -> None:
    swarm = Swarm(Choker(1), peer("slow"), peer("b"))
    trace = []
    for now in range(0, 400, 10):
        swarm.decide(float(now), seeding=True)
        trace.append(swarm.served)
    assert trace.count("slow") >= 18 and trace.count("b") >= 18


def test_a_turn_that_is_over_goes_on_while_nobody_waits() -> None:
    swarm = Swarm(Choker(1), peer("a", unchoked=True, changed_at=0.0, sent=1 << 30))
    assert swarm.decide(500.0, seeding=True) == Decision((), (), None)


def test_the_fastest_takers_are_served_by_that_policy() -> None:
    choker = Choker[str](3, seed_policy=SeedPolicy.FASTEST)
    swarm = Swarm(choker, *(peer(n, rate_out=float(i)) for i, n in enumerate("abcd")), peer("w", changed_at=-99))
    assert swarm.decide(0.0, seeding=True).optimistic == "w" and swarm.served == "cdw"


def test_beginners_and_the_nearly_done_are_served_by_the_anti_leech_policy() -> None:
    choker = Choker[str](3, seed_policy=SeedPolicy.ANTI_LEECH)
    middle = [peer(f"m{n}", progress=0.4 + n / 20, rate_out=99) for n in range(4)]
    swarm = Swarm(choker, *middle, peer("begin", progress=0.0), peer("end", progress=0.98))
    swarm.decide(0.0, seeding=True)
    assert "begin" in swarm.served and "end" in swarm.served


def test_who_paid_goes_first_and_who_owes_gets_nothing() -> None:
    choker = Choker[str](2, payment=Payers(paid=Standing.PAID, owing=Standing.OWING))
    swarm = Swarm(choker, peer("fast", 100), peer("paid", 0), peer("owing", 500), peer("x", 0))
    swarm.decide(0.0)
    assert "paid" in swarm.served and "owing" not in swarm.served
    alone = Swarm(Choker[str](2, payment=Payers(owing=Standing.OWING)), peer("owing", unchoked=True))
    assert alone.decide(0.0).choke == ("owing",)


@given(st.sets(st.sampled_from("abcdefgh")), st.integers(0, 8), st.booleans(), st.integers(0, 30))
def test_payers_have_half_of_the_slots_and_no_slot_stays_empty(
    paying: set[str], slots: int, seeding: bool, turns: int,
) -> None:
    payment = Payers(**dict.fromkeys(paying, Standing.PAID))
    swarm = Swarm(Choker(slots, payment=payment), *(peer(n, 10, rate_out=10.0) for n in "abcdefgh"))
    for turn in range(turns + 1):
        swarm.decide(5.0 * turn, seeding=seeding)
        served = set(swarm.served)
        assert len(served) == slots
        if turn == 0:
            assert len(served & paying) >= min(slots // 2, len(paying))


def test_who_pays_more_goes_first_and_the_rest_of_the_payers_waits_like_all() -> None:
    payment = Payers(**dict.fromkeys("abcd", Standing.PAID))
    peers = [peer(name, 1 if name in "abcd" else 50, rate_out=5) for name in "abcdxyz"]
    swarm = Swarm(Choker(4, payment=payment), *peers)
    swarm.decide(0.0)
    assert {"d", "c", "x"} <= set(swarm.served) and len(set(swarm.served) & set("abcd")) <= 3


def test_a_lone_slot_is_not_for_sale() -> None:
    swarm = Swarm(Choker(1, payment=Payers(paid=Standing.PAID)), peer("fast", 100), peer("paid", 0))
    swarm.decide(0.0)
    assert swarm.served == "fast"


def test_between_rounds_payers_do_not_get_more_than_their_half() -> None:
    payment = Payers(**dict.fromkeys("abcd", Standing.PAID))
    swarm = Swarm(Choker(4, payment=payment), peer("a"), peer("b"))
    swarm.decide(0.0)
    for name in "cdxy":
        swarm.candidates[name] = peer(name, 9 if name in "xy" else 0)
    swarm.decide(1.0)
    assert swarm.served == "abxy"


def test_the_number_of_slots_may_change_and_zero_serves_nobody() -> None:
    swarm = Swarm(Choker(None), *(peer(n) for n in "abcdef"))
    swarm.decide(0.0)
    assert swarm.served == "abcdef"
    for slots, count in ((3, 3), (0, 0), (1, 1)):
        swarm.choker.slots = slots
        swarm.choker.restart()
        swarm.decide(1.0)
        assert len(swarm.served) == count


def test_a_lone_slot_stays_with_a_peer_that_gives_and_else_moves_on() -> None:
    swarm = Swarm(Choker(1), peer("a", changed_at=1.0), peer("b"))
    swarm.decide(100.0)
    assert swarm.served == "b"
    swarm.decide(130.0)
    assert swarm.served == "a"
    swarm.set("a", rate_in=5.0)
    for now in (140.0, 170.0, 200.0):
        swarm.decide(now)
        assert swarm.served == "a"


CANDIDATES = st.lists(
    st.builds(
        Candidate, peer=st.integers(0, 50), interested=st.booleans(), unchoked=st.booleans(),
        rate_in=st.floats(0, 1e6), rate_out=st.floats(0, 1e6), connected_at=st.floats(0, 100),
        changed_at=st.floats(0, 100), sent=st.integers(0, 1 << 30),
        waiting_since=st.none() | st.floats(0, 100), progress=st.floats(0, 1), upload_only=st.booleans(),
    ),
    max_size=20, unique_by=lambda c: c.peer,
)


@given(CANDIDATES, st.integers(0, 8), st.booleans(), st.sampled_from(SeedPolicy), st.booleans())
def test_slots_are_used_and_exceeded_only_between_rounds_by_those_who_paused(
    candidates: list[Candidate[int]], slots: int, seeding: bool, policy: SeedPolicy, round_over: bool
) -> None:
    choker = Choker[int](slots, seed_policy=policy)
    if not round_over:
        choker.decide([], 200.0, seeding=seeding)
    decision = choker.decide(candidates, 200.0, seeding=seeding)
    served = [c for c in candidates if (c.unchoked or c.peer in decision.unchoke) and c.peer not in decision.choke]
    wanting = [c for c in candidates if c.interested and not c.upload_only]
    kept = 0 if round_over else min(len([c for c in wanting if c.unchoked]), slots + slots // 2)
    assert len([c for c in served if c.interested]) == max(kept, min(slots, len(wanting)))
    assert not any(c.upload_only for c in served)
    assert not set(decision.unchoke) & set(decision.choke)
    assert all(not c.unchoked for c in candidates if c.peer in decision.unchoke)
    again = Choker[int](slots, seed_policy=policy)
    if not round_over:
        again.decide([], 200.0, seeding=seeding)
    assert again.decide(candidates, 200.0, seeding=seeding) == decision


def test_a_fast_uplink_opens_more_slots_for_a_round() -> None:
    swarm = Swarm(Choker(2, slot_rate=100.0), *(peer(name, 1, rate_out=125.0) for name in "abcdefgh"))
    swarm.decide(-3.0, seeding=True)
    swarm.decide(0.0, seeding=True)
    assert len(swarm.served) == 8
    for name in "abcdefgh":
        swarm.set(name, rate_out=50.0)
    swarm.decide(5.0, seeding=True)
    assert len(swarm.served) == 8
    swarm.decide(10.0, seeding=True)
    assert len(swarm.served) == 4


def test_a_slow_uplink_keeps_its_slots_and_a_very_fast_one_does_not_open_them_without_end() -> None:
    slow = Swarm(Choker(2, slot_rate=100.0), *(peer(name, 1, rate_out=1.0) for name in "abcd"))
    slow.decide(0.0)
    assert len(slow.served) == 2
    fast = Swarm(Choker(2, slot_rate=100.0), *(peer(chr(99 + n), 1, rate_out=1e6) for n in range(40)))
    fast.decide(0.0)
    assert len(fast.served) == 16
