"""Addresses of TRON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.tron.address import NOBODY, Address, BadAddress, is_address

KNOWN = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
"The contract of a token, as everybody writes it."


def test_a_known_address_is_one() -> None:
    assert is_address(KNOWN)


@given(st.binary(min_size=20, max_size=20))
def test_what_is_made_is_one_and_begins_with_t(raw: bytes) -> None:
    text = str(Address(raw))
    assert is_address(text) and text[0] == "T" and len(text) == 34
    address = Address(raw)
    assert Address.parse(text) == Address.parse(address.full.hex()) == Address.of(address.full) == address


def test_the_address_of_nobody_is_as_everybody_writes_it() -> None:
    assert str(NOBODY) == "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"


@pytest.mark.parametrize("text", ["", KNOWN + "x", "41" + "0" * 39 + "g", "42" + "0" * 40, "0" * 42])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        Address.parse(text)


@pytest.mark.parametrize("full", [b"", bytes(21), b"A" + bytes(19), b"A" + bytes(21)])
def test_bytes_that_are_none_are_refused(full: bytes) -> None:
    with pytest.raises(BadAddress):
        Address.of(full)


@pytest.mark.parametrize("at", range(34))
def test_a_slip_of_the_pen_is_found(at: int) -> None:
    assert not is_address(KNOWN[:at] + ("a" if KNOWN[at] != "a" else "b") + KNOWN[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "T", KNOWN + "1", "1" + KNOWN, KNOWN.lower(), "0" * 34, "1" * 34, "ü" * 34, "z" * 9999])
def test_other_text_is_none(text: str) -> None:
    assert not is_address(text)


@given(st.text(max_size=50))
def test_any_text_is_answered(text: str) -> None:
    is_address(text)
