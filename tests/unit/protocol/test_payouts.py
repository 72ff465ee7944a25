"""Where tips go: what a site's file says, and which address counts after a change."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol import payouts
from wildbach.protocol.tron.address import Address, is_address

A, B, C = (str(Address(bytes([number]) * 20)) for number in range(3))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=12)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=6), st.binary(min_size=20, max_size=20))
def test_an_address_is_put_in_and_all_else_stays(known: dict[str, object], account: bytes) -> None:
    address = str(Address(account))
    made = payouts.with_payout(msgspec.json.encode(known), address)
    assert payouts.read_facts(made).payout == address
    assert msgspec.json.decode(made) == {**known, "version": 1, "payout": address}
    assert payouts.with_payout(made, address) == made


@given(st.binary(max_size=200) | JSON.map(msgspec.json.encode) | st.text(max_size=60).map(
    lambda text: msgspec.json.encode({"payout": text})))
def test_whatever_it_says_no_address_comes_out_that_is_none(raw: bytes) -> None:
    try:
        payout = payouts.read_facts(raw).payout
    except FormatError:
        return
    assert payout == "" or is_address(payout)


def test_an_address_with_a_wrong_letter_is_left_out_and_not_put_in() -> None:
    wrong = A[:-1] + ("1" if A[-1] != "1" else "2")
    assert payouts.read_facts(msgspec.json.encode({"payout": wrong})).payout == ""
    for text in (wrong, "", " " + A, "0x" + "00" * 20):
        with pytest.raises(FormatError):
            payouts.with_payout(None, text)


def test_a_file_that_is_too_long_or_no_object_is_refused() -> None:
    long = b" " * (limits.SITE_FACTS_BYTES + 1)
    for read in (payouts.read_facts, lambda raw: payouts.with_payout(raw, A)):
        with pytest.raises(LimitError, match="SITE_FACTS_BYTES"):
            read(long)
        for raw in (b"[]", b"{", b"\xff", b"[" * 5000, b'{"version":2}' if read is payouts.read_facts else b"1"):
            with pytest.raises(FormatError):
                read(raw)


@pytest.mark.parametrize(("was", "known", "now", "asked"), [
    ("", "", A, ""),    # The first one that is named.
    ("", A, A, ""),
    ("", A, B, A),      # Changed, and nobody was asked yet.
    (A, B, B, A),       # Still nobody was.
    (A, B, C, A),       # What is held on to is what somebody knew, not what came between.
    (A, B, A, ""),      # Back to what is known.
    ("", A, "", A),     # Taken out:
    (A, "", B, A),      # naming another one after that gets nobody past the question.
])
def test_a_changed_address_is_asked_about_until_it_is_confirmed(was: str, known: str, now: str, asked: str) -> None:
    assert payouts.former(was, known, now) == asked


def test_a_tip_goes_to_an_address_that_nothing_is_asked_of() -> None:
    assert payouts.payable(A, "", "site") == A
    with pytest.raises(UsageError) as caught:
        payouts.payable("", A, "site")
    assert caught.value.code == "no_payout" and "site" in caught.value.message
    with pytest.raises(UsageError) as caught:
        payouts.payable(B, A, "channel")
    assert caught.value.code == "payout_changed" and A in caught.value.message and B in caught.value.message
