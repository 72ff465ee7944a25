import random

from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base import bitfield
from wildbach.engine.superseed import SuperSeed


def test_each_newcomer_is_told_of_pieces_nobody_else_has() -> None:
    seed = SuperSeed[str](8, open_pieces=1)
    for name in "abc":
        seed.on_peer(name)
    assert seed.offers() == [("a", 0), ("b", 1), ("c", 2)]
    assert seed.offers() == []
    assert seed.allowed("a", 0) and not seed.allowed("a", 1) and not seed.allowed("x", 0)


def test_a_peer_hears_of_another_piece_once_its_own_was_passed_on() -> None:
    seed = SuperSeed[str](8, open_pieces=1)
    seed.on_peer("a")
    seed.on_peer("b")
    seed.offers()
    seed.on_have("a", 0)
    assert seed.offers() == []
    seed.on_have("b", 0)
    assert seed.offers() == [("a", 2)]


def test_a_lone_peer_is_not_kept_waiting() -> None:
    seed = SuperSeed[str](4, open_pieces=1)
    seed.on_peer("a")
    assert seed.offers() == [("a", 0)]
    seed.on_have("a", 0)
    assert seed.offers() == [("a", 1)]


def test_a_peer_that_waits_for_complete_ones_only_goes_on() -> None:
    seed = SuperSeed[str](4, open_pieces=1)
    seed.on_peer("full", bitfield.full(4))
    seed.on_peer("a")
    assert seed.offers() == [("a", 0)]
    seed.on_have("a", 0)
    assert seed.offers() == [("a", 1)]


def test_pieces_of_a_peer_that_left_are_rare_again() -> None:
    seed = SuperSeed[str](2, open_pieces=1)
    seed.on_peer("a")
    assert seed.offers() == [("a", 0)]
    seed.on_peer_gone("a")
    seed.on_peer("b")
    assert seed.offers() == [("b", 0)]


def test_it_is_done_when_the_peers_have_everything_between_them() -> None:
    seed = SuperSeed[str](9)
    seed.on_peer("a", bitfield.of(range(5), 16))
    assert not seed.done
    seed.on_peer("b", bitfield.of(range(4, 9), 16))
    assert seed.done


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 8), st.integers(0, 1000))
def test_a_swarm_that_shares_gets_everything_for_little_upload(pieces: int, peers: int, number: int) -> None:
    rng = random.Random(number)
    seed = SuperSeed[int](pieces)
    have: dict[int, set[int]] = {peer: set() for peer in range(peers)}
    for peer in have:
        seed.on_peer(peer)
    sent = 0
    for _ in range(20 * pieces):
        for peer, piece in seed.offers():
            assert seed.allowed(peer, piece) and piece not in have[peer]
            sent += 1
            have[peer].add(piece)
            seed.on_have(peer, piece)
        taker = rng.randrange(peers)
        for piece in sorted({p for other in have.values() for p in other} - have[taker])[:2]:
            have[taker].add(piece)
            seed.on_have(taker, piece)
        if seed.done:
            break
    assert seed.done
    assert sent <= pieces + 2 * peers
