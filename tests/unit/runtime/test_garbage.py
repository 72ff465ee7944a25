"""The collector looks at everything seldom while anybody asks for that, and as ever afterwards."""

from __future__ import annotations

import gc

import pytest

from wildbach.runtime import garbage


def test_it_is_as_before_when_the_last_one_is_done() -> None:
    before = gc.get_threshold()
    with garbage.seldom():
        assert gc.get_threshold() == (*before[:2], 1000)
        garbage.begin()
    assert gc.get_threshold()[2] == 1000
    garbage.end()
    assert gc.get_threshold() == before


def test_work_that_fails_ends_it_too() -> None:
    before = gc.get_threshold()
    with pytest.raises(ZeroDivisionError), garbage.seldom():
        print(1 // 0)
    assert gc.get_threshold() == before


def test_a_wish_counts_once_until_it_is_taken_back() -> None:
    before = gc.get_threshold()
    wish = garbage.Wish()
    wish.set(True)
    wish.set(True)
    assert gc.get_threshold()[2] == 1000
    wish.set(False)
    wish.set(False)
    assert gc.get_threshold() == before
