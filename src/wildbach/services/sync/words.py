"""Which folder or device a person means by a word.

Names are given by others: a member may call itself like the id of another one. A whole id is therefore that id and
nothing else, and a word that is somebody's name and the beginning of another one's id is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from wildbach.base.errors import UsageError

T = TypeVar("T")
SHORTEST: Final = 4
"Digits of an id that are taken for one."


def meant(word: str, all_of: Iterable[tuple[T, str, tuple[str, ...]]], none: str, several: str) -> T:
    """Of (what, its id in hexadecimal digits, its names) the one that is meant, by its id or its beginning, or by one
    of its names. Raises UsageError with the text `none`, code `not_found`, or `several`, code `ambiguous`.
    """
    there = list(all_of)
    low = word.lower()
    whole = [what for what, id, _ in there if id == low]
    if whole:
        return whole[0]
    found = [what for what, id, names in there
             if word in names or (len(word) >= SHORTEST and id.startswith(low))]
    if not found:
        raise UsageError(none, code="not_found")
    if len(found) > 1:
        raise UsageError(several, code="ambiguous")
    return found[0]
