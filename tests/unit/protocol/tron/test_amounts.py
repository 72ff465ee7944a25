"""Amounts in TRX, read and written."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.tron import amounts


@pytest.mark.parametrize(("words", "sun"), [("1", 1_000_000), ("0.000001", 1), ("1.50", 1_500_000), ("0", 0)])
def test_amounts_are_read_exactly(words: str, sun: int) -> None:
    assert amounts.parse(words) == sun


@pytest.mark.parametrize("words", ["", "-1", "1e3", "1.0000001", ".5", "1,5", "٣", "9999999999999", "200000000000"])
def test_what_is_no_amount_is_refused(words: str) -> None:
    with pytest.raises(FormatError):
        amounts.parse(words)


@given(st.integers(0, limits.WALLET_AMOUNT))
def test_what_is_written_is_read_again(sun: int) -> None:
    assert amounts.parse(amounts.shown(sun).replace(",", "")) == amounts.parse(amounts.exact(sun)) == sun


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_none(words: str) -> None:
    with contextlib.suppress(FormatError):
        assert 0 <= amounts.parse(words) <= limits.WALLET_AMOUNT


@pytest.mark.parametrize(("sun", "exact", "shown"), [
    (0, "0.000000", "0"), (1, "0.000001", "0.000001"), (1_500_000, "1.500000", "1.5"), (-5, "-0.000005", "-0.000005"),
    (1_234_000_000_000, "1234000.000000", "1,234,000"), (-1_234_500_000, "-1234.500000", "-1,234.5"),
    (10_000_000, "10.000000", "10"), (100_000_000_000, "100000.000000", "100,000"),
])
def test_amounts_are_written_for_programs_and_for_people(sun: int, exact: str, shown: str) -> None:
    assert (amounts.exact(sun), amounts.shown(sun)) == (exact, shown)
