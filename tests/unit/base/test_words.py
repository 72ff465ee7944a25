from __future__ import annotations

from wildbach.base.words import plural


def test_one_is_one_and_many_are_many() -> None:
    assert plural(1, "file") == "1 file" and plural(0, "file") == "0 files" and plural(2000, "file") == "2,000 files"
    assert plural(1, "leech", "leeches") == "1 leech" and plural(2, "leech", "leeches") == "2 leeches"
