"""Where the two contents of a conflict differ, line by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api import syncdiff
from wildbach.interfaces.api.syncdiff import difference


def told(place: bytes, copy: bytes) -> list[tuple[str, str]]:
    return [(line.what, line.text) for line in difference(place, copy).lines]


def test_what_differs_is_shown_with_what_is_around_it() -> None:
    same = [f"line {number}" for number in range(20)]
    place, copy = [*same, "ours", *same], [*same, "theirs", *same]
    assert told("\n".join(place).encode(), "\n".join(copy).encode()) == [
        ("gap", "17"), *(("same", each) for each in same[-3:]), ("place", "ours"), ("copy", "theirs"),
        *(("same", each) for each in same[:3]), ("gap", "17")]
    assert told(b"a\nb\n", b"b\nc\n") == [("place", "a"), ("same", "b"), ("copy", "c")]


def test_two_places_are_shown_and_what_lies_between_is_counted() -> None:
    between = [str(number) for number in range(50)]
    found = told("\n".join(["a", *between, "b"]).encode(), "\n".join(["x", *between, "y"]).encode())
    assert [each for each in found if each[0] != "same"] == [
        ("place", "a"), ("copy", "x"), ("gap", "44"), ("place", "b"), ("copy", "y")]


def test_what_is_no_text_or_the_same_has_no_lines_and_says_so() -> None:
    assert difference(b"\xff\xfe", b"a").reason == difference(b"a\0b", b"a").reason == "binary"
    assert difference(b"a\nb\n", b"a\nb") == syncdiff.sy.SyncDifference((), "")


def test_long_lines_and_long_texts_are_cut() -> None:
    found = difference(b"a" * 5000, b"b")
    assert len(found.lines[0].text) == syncdiff.LINE_CHARS + 1
    found = difference(b"", b"\n".join(b"%d" % number for number in range(5000)))
    assert found.reason == "cut" and len(found.lines) == syncdiff.MOST_LINES


LINES = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=60)


@given(LINES, LINES)
def test_both_texts_can_be_had_back_from_what_is_shown(place: list[str], copy: list[str]) -> None:
    ours, theirs = "\n".join(place).splitlines(), "\n".join(copy).splitlines()
    one: list[str] = []
    other: list[str] = []
    for line in difference("\n".join(place).encode(), "\n".join(copy).encode()).lines:
        if line.what == "gap":
            count = int(line.text)
            assert ours[len(one) : len(one) + count] == theirs[len(other) : len(other) + count]
            one += ours[len(one) : len(one) + count]
            other += theirs[len(other) : len(other) + count]
        else:
            one += [line.text] if line.what in ("same", "place") else []
            other += [line.text] if line.what in ("same", "copy") else []
    if ours != theirs:
        assert (one, other) == (ours, theirs)
