from __future__ import annotations

import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli import text


def test_plain_names_stay_as_they_are() -> None:
    for name in ("debian-12.iso", "Füße", "日本語.txt", "नमस्ते", "می\u200cخواهم", "👩\u200d💻"):
        assert text.clean(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\x9b31m", "\\x9b31m"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("line\u2028end", "line\\u2028end"),
        ("\udce4", "\\udce4"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_moves_the_cursor_or_the_direction_is_written_out(name: str, shown: str) -> None:
    assert text.clean(name) == shown


@given(st.text())
def test_cleaned_text_is_one_line_without_controls(name: str) -> None:
    shown = text.clean(name)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in shown)
    assert text.clean(shown) == shown


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("0", 0), ("16384", 16384), ("256K", 262144), ("256k", 262144), ("1M", 1 << 20), ("1MiB", 1 << 20),
        ("1 MB", 1 << 20), ("1.5G", 3 << 29), ("2M/s", 2 << 20),
    ],
)
def test_sizes_are_read_in_1024s(written: str, count: int) -> None:
    assert text.parse_size(written) == count


@pytest.mark.parametrize("written", ["", "K", "-1", "1X", "1..2", "1_000", "²", "1e9", ".", "9" * 30])
def test_what_is_no_size_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(UsageError, match="256K"):
        text.parse_size(written)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_usage_error(written: str) -> None:
    with contextlib.suppress(UsageError):
        assert text.parse_size(written) >= 0


def test_numbers_in_words() -> None:
    assert [text.size(n) for n in (0, 1023, 1024, 1536 * 1024**2)] == ["0 B", "1023 B", "1.0 KiB", "1.5 GiB"]
    assert text.rate(2 << 20) == "2.0 MiB/s"
    assert [text.duration(n) for n in (None, float("inf"), 42, 3723, 200000)] == ["-", "-", "0:42", "1:02:03", "2 days"]
    assert text.percent(0.99999) == "99.9 %"
    assert text.percent(1.0) == "100.0 %"


@pytest.mark.parametrize(("count", "shown"), [
    (0, ""), (0.5, ""), (1, "1"), (999, "999"), (1000, "1.0K"), (1024, "1.0K"), (10_189, "10K"), (1_022_976, "999K"),
    (1_023_999, "1.0M"), (1536 << 20, "1.5G"), (1 << 50, "1.0P"), (5000 << 50, "5000P"),
])
def test_sizes_for_a_column_have_a_unit_and_few_digits(count: float, shown: str) -> None:
    assert text.short(count) == shown


@given(st.floats(0, 1e17))
def test_sizes_for_a_column_are_short(count: float) -> None:
    assert len(text.short(count)) <= 4


def test_a_moment_that_cannot_be_is_shown_as_its_number() -> None:
    assert text.moment(0) == "" and text.moment(1e18) == "1e+18"
    assert len(text.moment(1_800_000_000)) == len("2027-01-15 08:00")
