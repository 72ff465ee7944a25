"""Names are given by those who would like to be taken for others."""

from __future__ import annotations

import pytest

from wildbach.base.errors import UsageError
from wildbach.services.sync.words import meant

GOOD, EVIL = "ab12" + "0" * 28, "cd34" + "1" * 28


def said(word: str, evil: str) -> str:
    """Who is meant, or the code of the error."""
    try:
        return meant(word, (("evil", EVIL, (evil,)), ("good", GOOD, ("laptop",))), "none", "several")
    except UsageError as error:
        return error.code


@pytest.mark.parametrize(("word", "evil", "who"), [
    ("laptop", "evil", "good"), ("ab12", "evil", "good"), ("AB12", "evil", "good"), ("cd34", "evil", "evil"),
    (GOOD, GOOD, "good"), (GOOD.upper(), GOOD, "good"), (EVIL, GOOD, "evil"),
    ("ab12", "ab12", "ambiguous"), ("laptop", "laptop", "ambiguous"), ("ab1", "evil", "not_found"),
    ("ab1", "ab1", "evil"), ("", "evil", "not_found"), ("", "", "evil"), ("nobody", "evil", "not_found"),
])
def test_nobody_is_taken_for_another_one_by_its_name(word: str, evil: str, who: str) -> None:
    assert said(word, evil) == who
