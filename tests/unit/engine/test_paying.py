"""How much is asked for of what is paid."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.geometry import BLOCK
from wildbach.engine.choker import Standing
from wildbach.engine.paying import room


@dataclass
class Bought:
    """A bargain, as far as it is asked here: what may be on its way, and what is here and not verified, in bytes."""

    most_unverified: int
    unverified: int = 0
    paying: bool = True
    price: int = 1
    unsettled: bool = False

    def standing(self, now: float) -> Standing:
        return Standing.GUEST

    def received(self, payload: bytes) -> None: ...

    def gave(self, size: int) -> None: ...

    def verified(self, size: int) -> None: ...

    def tick(self, now: float) -> None: ...

    def again(self) -> None: ...

    def over(self) -> None: ...

    def left(self) -> None: ...


@pytest.mark.parametrize(("unverified", "owes", "more"), [
    (0, 0, 64), (16, 32, 16), (32, 16, 16),
    (40, 16, 0),   # it has a portion to do, and less than one could be added
    (40, 15, 9),   # it will be idle soon
    (0, 48, 16), (0, 49, 0), (64, 0, 0), (48, 16, 0),
])
def test_paid_blocks_are_asked_for_in_portions_while_there_are_others_to_come(
    unverified: int, owes: int, more: int,
) -> None:
    assert room(Bought(64 * BLOCK, unverified * BLOCK), owes) == more


@given(st.integers(0, 1 << 21), st.integers(0, 1 << 21), st.integers(0, 200))
def test_there_is_never_more_on_its_way_than_may_be_and_nobody_is_idle_while_there_is_room(
    most: int, unverified: int, owes: int,
) -> None:
    more = room(Bought(most, unverified), owes)
    assert more <= 0 or (owes + more) * BLOCK + unverified <= most
    if not owes and most - unverified >= BLOCK:
        assert more == (most - unverified) // BLOCK
