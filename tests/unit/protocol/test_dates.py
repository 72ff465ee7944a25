"""Moments as feeds and servers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol import dates

MOMENT = 1_795_711_083.0
"26 November 2026, 16:38:03 UTC."


@pytest.mark.parametrize("text", [
    "Thu, 26 Nov 2026 16:38:03 GMT",
    "Thu, 26 Nov 2026 16:38:03 +0000",
    "26 Nov 2026 16:38:03 Z",
    "Thu, 26 Nov 2026 08:38:03 -0800 (PST)",
    "Thu, 26 Nov 2026 11:38:03 EST",
    "Thursday, 26-Nov-26 16:38:03 GMT",
    "thu,  26  november 2026  18:38:03 +02:00",
    " 2026-11-26T16:38:03Z\n",
    "2026-11-26T17:38:03.250+01:00",
    "2026-11-26 16:38:03",
    "2026-11-26t16:38:03+00",
])
def test_one_moment_in_many_spellings(text: str) -> None:
    assert dates.parse(text) == MOMENT


@pytest.mark.parametrize(("text", "seconds"), [
    ("2026-11-26", 1_795_651_200.0), ("26 Nov 2026", 1_795_651_200.0), ("2026-11", 1_793_491_200.0),
    ("Thu, 26 Nov 2026 16:38 XYZ", 1_795_711_080.0), ("1 Jan 1970 00:30:00 +0100", 0.0),
    ("30 Jun 2015 23:59:60 GMT", 1_435_708_799.0), ("1 Jan 70 00:00:01 GMT", 1.0),
])
def test_what_is_missing_is_the_beginning(text: str, seconds: float) -> None:
    assert dates.parse(text) == seconds


@pytest.mark.parametrize("text", [
    "", "yesterday", "Sat, 32 Nov 2026 00:00:00 GMT", "26 Foo 2026", "26 Nov 1969", "26 Nov 2100", "2026-13-01",
    "26 Nov 2026 25:00:00", "26 Nov 2026 10:00:00 +2500", "1795711083", "26 Nov 2026 " + " " * 100, "٢٦ Nov 2026",
])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert dates.parse(text) is None


@given(st.integers(0, 4_102_444_799))
def test_what_is_written_is_read(seconds: int) -> None:
    assert dates.parse(dates.to_rfc2822(seconds)) == seconds


@given(st.text(max_size=60) | st.from_regex(r"\d{1,4}[- ]\w{1,5}[- ]\d{1,4}[T ]\d\d:\d\d(:\d\d)? ?[+A-Z0-9:-]{0,6}"))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    found = dates.parse(text)
    assert found is None or 0 <= found < 4_102_531_200


def test_a_moment_outside_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="no moment"):
        dates.to_rfc2822(1e20)


@given(st.integers(0, 4_102_444_799))
def test_a_moment_is_read_as_it_was_written(seconds: int) -> None:
    assert dates.parse(dates.written(seconds)) == seconds


def test_a_moment_is_written_in_english_and_utc() -> None:
    assert dates.written(MOMENT) == "Thu, 26 Nov 2026 16:38:03 GMT"
    with pytest.raises(ValueError, match="9999"):
        dates.written(1e12)
