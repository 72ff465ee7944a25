"""Which files are wanted, and which first: Transmission's three priorities and our 0 to 7.

Ours has nothing below the usual. Where some file is to come later than the others, these are raised to 2; so 1 is low
where anything is at 2 to 4, and normal elsewhere. A file that is not wanted has no priority.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

LOW, NORMAL, HIGH = -1, 0, 1
_UNWANTED, _USUAL, _RAISED, _RAISED_MOST, _FIRST = 0, 1, 2, 4, 6
NAMES: Final = {"priority_low": LOW, "priority_normal": NORMAL, "priority_high": HIGH}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of one file."""

    wanted: bool = True
    priority: int = NORMAL


def wishes_of(priorities: Sequence[int]) -> list[Wish]:
    """In Transmission's terms."""
    raised = any(_RAISED <= value <= _RAISED_MOST for value in priorities)
    return [
        Wish(value != _UNWANTED, NORMAL if value == _UNWANTED else HIGH if value > _RAISED_MOST else
             LOW if raised and value == _USUAL else NORMAL)
        for value in priorities
    ]


def priorities_of(wishes: Sequence[Wish]) -> list[int]:
    """In ours."""
    lows = any(wish.wanted and wish.priority == LOW for wish in wishes)
    level = {LOW: _USUAL, NORMAL: _RAISED if lows else _USUAL, HIGH: _FIRST}
    return [level[wish.priority] if wish.wanted else _UNWANTED for wish in wishes]


def choose(
    wishes: Sequence[Wish], *, wanted: Iterable[int] | None = None, unwanted: Iterable[int] | None = None,
    priorities: dict[int, Iterable[int]] | None = None,
) -> list[Wish]:
    """With other wishes for files at these places; none at all stands for every file. Raises IndexError."""
    made = list(wishes)

    def each(places: Iterable[int]) -> Iterable[int]:
        chosen = list(places)
        for place in chosen:
            if not 0 <= place < len(made):
                raise IndexError(place)
        return chosen or range(len(made))

    for priority, places in (priorities or {}).items():
        for place in each(places):
            made[place] = replace(made[place], priority=priority)
    for flag, chosen in ((False, unwanted), (True, wanted)):
        for place in each(chosen) if chosen is not None else ():
            made[place] = replace(made[place], wanted=flag)
    return made
