"""Lists in pages: the one that a roster names is told from all others, page by page."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.cuts import Accepted
from wildbach.protocol.sync.listpages import PAGE_BYTES, PAGE_HASHES, Page, in_order, page_count, page_layer, page_size
from wildbach.protocol.sync.roster import Cut

D = DeviceId(b"d" * 16)


def made(count: int) -> tuple[Cut, list[Page]]:
    accepted = Accepted(frozenset(sha256(b"%d" % each).digest() for each in range(count)))
    content = accepted.content
    layer = page_layer(content)
    return accepted.cut(D, 9), [
        Page(layer, content[at : at + PAGE_BYTES]) for at in range(0, len(content), PAGE_BYTES)]


SMALL, LONG = made(700), made(2 * PAGE_HASHES + 3)


@pytest.mark.parametrize("count", [1, 511, 512, 513, PAGE_HASHES, PAGE_HASHES + 1, 3 * PAGE_HASHES])
def test_each_page_of_a_list_is_that_page_and_no_other(count: int) -> None:
    cut, pages = made(count)
    assert len(pages) == page_count(count) and sum(len(each.content) for each in pages) == 32 * count
    for number, page in enumerate(pages):
        assert len(page.content) == page_size(count, number)
        page.check(cut, number)
        for other in (number + 1, number - 1, len(pages)):
            with pytest.raises(FormatError):
                page.check(cut, other)
    # A false count is known by the last page, if not before.
    with pytest.raises(FormatError):
        pages[-1].check(replace(cut, count=count + 1), len(pages) - 1)


@given(st.sampled_from([SMALL, LONG]), st.integers(0, 2), st.integers(0, PAGE_BYTES - 1), st.integers(1, 255))
def test_one_bit_makes_it_another_page(
    of: tuple[Cut, list[Page]], number: int, at: int, change: int,
) -> None:
    cut, pages = of
    page = pages[number % len(pages)]
    at %= len(page.content)
    content = bytearray(page.content)
    content[at] ^= change
    with pytest.raises(FormatError):
        replace(page, content=bytes(content)).check(cut, number % len(pages))
    layer = bytearray(page.layer or bytes(32))
    layer[at % len(layer)] ^= change
    with pytest.raises(FormatError):
        replace(page, layer=bytes(layer)).check(cut, number % len(pages))


@given(st.binary(max_size=96), st.binary(max_size=80), st.integers(-1, 3), st.integers(1, 40_000))
@example(b"", b"", 0, 1)
def test_bytes_are_no_page_of_a_list(layer: bytes, content: bytes, number: int, count: int) -> None:
    with pytest.raises(FormatError):
        Page(layer, content).check(replace(SMALL[0], count=count), number)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5), st.binary(min_size=32, max_size=32))
def test_hashes_that_ascend_are_in_order(hashes: list[bytes], after: bytes) -> None:
    assert in_order(b"".join(hashes), after) is (
        sorted({after, *hashes}) == [after, *hashes])
