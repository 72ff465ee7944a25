from __future__ import annotations

import pytest

from fakes import peer
from wildbach.base import bitfield, limits
from wildbach.base.errors import RemoteError
from wildbach.engine.assumed import Assumed

WIDTH = 16


def of(*pieces: int) -> int:
    return bitfield.of(pieces, WIDTH)


def bed(*pieces: int) -> tuple[Assumed, list[int]]:
    asked: list[int] = []
    assumed = Assumed(of(*pieces), 12, lambda: asked.append(1))
    return assumed, asked


def test_requests_for_what_was_hashed_pass_and_others_wait() -> None:
    assumed, asked = bed(1, 2)
    one = peer(1)
    assert assumed.sift(one, [(0, 0, 5), (1, 0, 5), (1, 5, 5), (3, 0, 5)]) == [(0, 0, 5), (3, 0, 5)]
    assert assumed.due == of(1)
    assert asked == [1]
    assert assumed.sift(one, [(2, 0, 5)]) == []
    assert asked == [1], "who hashes looks again when it is done"
    assert assumed.due == of(1, 2)
    assert assumed.settle(of(1)) == [(one, [(1, 0, 5), (1, 5, 5)])]
    assert assumed.settle(of(2)) == [(one, [(2, 0, 5)])]
    assert assumed.due == 0
    assert assumed.sift(one, [(1, 0, 5)]) == [(1, 0, 5)], "once is enough"


def test_a_piece_is_asked_for_anew_once_all_was_hashed() -> None:
    assumed, asked = bed(1, 2)
    assumed.sift(peer(1), [(1, 0, 5)])
    assumed.settle(of(1))
    assumed.sift(peer(1), [(2, 0, 5)])
    assert asked == [1, 1]


def test_what_was_cancelled_or_whose_peer_left_is_not_answered() -> None:
    assumed, _ = bed(1)
    one, two = peer(1), peer(2)
    assumed.sift(one, [(1, 0, 5), (1, 5, 5)])
    assumed.sift(two, [(1, 0, 5)])
    assert assumed.cancel(one, (1, 0, 5))
    assert not assumed.cancel(one, (0, 0, 5))
    two.close()
    assert assumed.settle(of(1)) == [(one, [(1, 5, 5)])]


def test_pieces_that_do_not_exist_are_left_to_others() -> None:
    assumed, _ = bed(1)
    assert assumed.sift(peer(1), [(12, 0, 5), (1000, 0, 5)]) == [(12, 0, 5), (1000, 0, 5)]


def test_who_piles_up_requests_is_dropped() -> None:
    assumed, _ = bed(1)
    one = peer(1)
    assumed.sift(one, [(1, 0, 5)] * limits.REQUESTS_QUEUED)
    with pytest.raises(RemoteError):
        assumed.sift(one, [(1, 0, 5)])
