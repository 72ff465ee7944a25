from __future__ import annotations

import pytest

from wildbach.base.words import plural, span


def test_one_is_one_and_many_are_many() -> None:
    assert plural(1, "file") == "1 file" and plural(0, "file") == "0 files" and plural(2000, "file") == "2,000 files"
    assert plural(1, "leech", "leeches") == "1 leech" and plural(2, "leech", "leeches") == "2 leeches"

@pytest.mark.parametrize(("seconds", "words"), [
    (0, "0 seconds"), (45, "45 seconds"), (60, "1 minute"), (5400, "1.5 hours"), (86_400, "24 hours"),
    (7 * 86_400, "7 days"),
])
def test_times_are_in_the_unit_that_fits(seconds: int, words: str) -> None:
    assert span(seconds) == words
