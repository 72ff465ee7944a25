"""Single values, of whatever kind."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.services.migrate.fields import count, moment, number, path_text, rate, tags, text, tiers

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.binary())


@given(ANYTHING)
def test_whatever_comes_is_a_value_of_the_right_kind(value: object) -> None:
    assert math.isfinite(number(value)) and 0 <= count(value) < 1 << 63 and 0 <= rate(value) < 1 << 51
    found = moment(value)
    assert found is None or 0 < found < 1 << 40
    assert len(text(value)) <= limits.IMPORT_NAME_CHARS and "\0" not in text(value)
    assert isinstance(path_text(value), str) and all(isinstance(tag, str) and tag for tag in tags(value))


@pytest.mark.parametrize(("value", "expected"), [
    (5, 5), (-5, -5), (1.5, 1.5), (True, 1), (math.nan, 0), (math.inf, 0), ("5", 0), (None, 0), (1 << 80, 1 << 62),
])
def test_numbers(value: object, expected: float) -> None:
    assert number(value) == expected


def test_limits_of_nothing_and_less_are_none() -> None:
    assert [rate(value) for value in (-1, 0, 1, 2.5, "x", math.inf)] == [0, 0, 1, 2, 0, 0]
    assert rate(5.5, 1024) == 5632


def test_text_has_nothing_that_steers_a_terminal() -> None:
    assert text(b"a\x1b[2J\xff") == "a\ufffd[2J\ufffd" and text("\ud800x") == "?x" and text(7) == ""


def test_each_tag_and_each_tracker_stands_once() -> None:
    assert tags([b" a", "a", b"", 5, b"b"]) == ("a", "b")
    assert len(tags([b"%d" % number for number in range(1000)])) == limits.IMPORT_TAGS
    assert tiers([[b"http://a/", b"http://b/"], [b"http://a/"], b"http://c/", 7, [b"a\0x"]]) == (
        ("http://a/", "http://b/"), ("http://c/",))
    assert tiers(7) == ()
