from fakes import peer, wire
from wildbach.base import limits
from wildbach.engine.peer import Peer
from wildbach.engine.rivals import Rivals
from wildbach.protocol.wire import codec
from wildbach.testing.loop import sim, simloop

OURS = b"-WB0001-mmmmmmmmmmmm"
LESS, MORE = b"-WB0001-aaaaaaaaaaaa", b"-WB0001-zzzzzzzzzzzz"


def one(
    number: int, peer_id: bytes, *, outgoing: bool = False, begun: float = 0.0, silence: float = 0.0, host: str = "",
) -> Peer:
    made = peer(number, host=host)
    made.peer_id, made.outgoing, made.begun = peer_id, outgoing, begun
    wire(made).silence = silence
    return made


def among(*others: Peer) -> Rivals:
    return Rivals({other.number: other for other in others}, OURS, lambda: simloop().time())


def test_who_is_new_comes_in() -> None:
    assert among(one(1, LESS)).of(one(2, MORE), v2=False) == []


def test_whoever_greets_with_the_id_of_a_live_peer_is_refused() -> None:
    """Whichever way the calls went, and however the ids compare, and also when it speaks v2."""
    for peer_id in (LESS, MORE):
        for outgoing in (True, False):
            for called in (True, False):
                there = one(1, peer_id, outgoing=outgoing, begun=5.0, silence=limits.DOUBT_SECONDS - 0.1)
                newcomer = one(2, peer_id, outgoing=called, begun=6.0)
                for v2 in (True, False):
                    assert among(there).of(newcomer, v2=v2) is None and not there.closing


def test_of_two_calls_that_crossed_both_sides_keep_the_one_of_the_greater_id() -> None:
    """We called first, they were let in meanwhile, and now they answer."""
    for peer_id, kept in ((LESS, True), (MORE, False)):
        there = one(1, peer_id, begun=5.0)
        answer = one(2, peer_id, outgoing=True, begun=4.9)
        assert among(there).of(answer, v2=False) == ([] if kept else None)
        assert there.closing is kept


def test_v2_takes_the_place_of_v1_from_where_that_is() -> None:
    there = one(1, LESS, host="20.0.1.1")
    assert among(there).of(one(2, LESS, host="20.0.1.1"), v2=True) == [] and there.closing
    better = one(1, LESS, host="20.0.1.1")
    better.v2 = True
    assert among(better).of(one(2, LESS, host="20.0.1.1"), v2=False) is None and not better.closing


def test_a_silent_one_has_to_be_dead() -> None:
    there = one(1, LESS, silence=limits.DOUBT_SECONDS)
    same_place = one(3, MORE, silence=60.0, host="20.0.2.1")
    ours = among(there, same_place)
    assert ours.of(one(2, LESS, host="20.0.2.1"), v2=False) == [there, same_place]


def test_who_does_not_answer_gives_way() -> None:
    async def story() -> None:
        there = one(1, LESS, silence=60.0)
        ours = among(there)
        assert await ours.dead([there])
        assert there.closing and wire(there).messages() == [codec.KeepAlive()]
        assert simloop().time() >= limits.DOUBT_ANSWER_SECONDS

    sim(1).run(story())


def test_who_answers_stays_and_nobody_else_is_kept_waiting() -> None:
    async def story() -> None:
        there = one(1, LESS, silence=60.0)
        ours = among(there)
        refused: list[bool] = []
        simloop().call_later(0.15, lambda: refused.append(ours.of(one(2, LESS), v2=False) is None))
        simloop().call_later(0.25, setattr, wire(there), "silence", 0.0)
        assert not await ours.dead([there]) and not there.closing and simloop().time() < 0.5
        assert refused == [True]

    sim(1).run(story())


def test_who_goes_meanwhile_is_not_waited_for() -> None:
    async def story() -> None:
        there = one(1, LESS, silence=60.0)
        simloop().call_later(0.25, there.close)
        assert await among(there).dead([there]) and simloop().time() < 0.5

    sim(1).run(story())
