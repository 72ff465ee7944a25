"""Addresses of TRON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.channels import tron

KNOWN = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
"The contract of a token, as everybody writes it."


def test_a_known_address_is_one() -> None:
    assert tron.is_address(KNOWN)


@given(st.binary(min_size=20, max_size=20))
def test_what_is_made_is_one_and_begins_with_t(raw: bytes) -> None:
    text = tron.address_of(raw)
    assert tron.is_address(text) and text[0] == "T" and len(text) == 34


@pytest.mark.parametrize("at", range(34))
def test_a_slip_of_the_pen_is_found(at: int) -> None:
    assert not tron.is_address(KNOWN[:at] + ("a" if KNOWN[at] != "a" else "b") + KNOWN[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "T", KNOWN + "1", "1" + KNOWN, KNOWN.lower(), "0" * 34, "1" * 34, "ü" * 34, "z" * 9999])
def test_other_text_is_none(text: str) -> None:
    assert not tron.is_address(text)


@given(st.text(max_size=50))
def test_any_text_is_answered(text: str) -> None:
    tron.is_address(text)
