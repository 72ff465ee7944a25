"""Questions of strangers, read."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.devbed import A

from wildbach.base.errors import FormatError
from wildbach.protocol.tron.abi import selector
from wildbach.services.devchain.asking import Asked

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=8)


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(FormatError):
        assert isinstance(Asked.of_body(body).document, dict)


@given(anything)
def test_any_value_is_read_or_refused(value: object) -> None:
    asked = Asked({"key": value, "function_selector": value, "parameter": value})
    for read in (asked.text, asked.number, asked.hex, asked.hash, asked.address, asked.maybe_address):
        try:
            found = read("key")
        except FormatError:
            continue
        assert not isinstance(found, int) or 0 <= found < 1 << 63
    with contextlib.suppress(FormatError):
        assert isinstance(asked.call_data(), bytes)
    assert isinstance(asked.flag("key"), bool)


@given(st.text(max_size=100))
def test_any_query_is_read_or_refused(query: str) -> None:
    with contextlib.suppress(FormatError):
        Asked.of_query(query)


def test_values_come_in_both_ways() -> None:
    for asked in (
        Asked.of_query(f"address={A}&num=5&visible=true&value=0xab"),
        Asked.of_body(json.dumps({"address": A.full.hex(), "num": 5, "visible": True, "value": "ab"}).encode()),
    ):
        assert (asked.address("address"), asked.number("num"), asked.visible) == (A, 5, True)
        assert asked.hex("value") == b"\xab"
    assert Asked({"function_selector": "f(uint8)", "parameter": "01"}).call_data() == selector("f(uint8)") + b"\1"
    assert Asked.of_body(b" ").document == {} and Asked({}).number("x", 7) == 7
    with pytest.raises(FormatError, match="more than 1 bytes"):
        Asked({"x": "abcd"}).hex("x", 1)
    with pytest.raises(FormatError):
        Asked.of_query("&".join(f"a{number}=1" for number in range(100)))
