from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.net.ranges import Part, part_of


def got(size: int = 100, **headers: str) -> tuple[int, int, int, str | None]:
    part = part_of({name.replace("_", "-"): value for name, value in headers.items()}, size, "tag")
    return part.status, part.first, part.length, dict(part.headers).get("Content-Range")


@pytest.mark.parametrize("asked, status, first, length, said", [
    ("bytes=0-9", 206, 0, 10, "bytes 0-9/100"), ("bytes=90-", 206, 90, 10, "bytes 90-99/100"),
    ("bytes=-10", 206, 90, 10, "bytes 90-99/100"), ("bytes=0-", 206, 0, 100, "bytes 0-99/100"),
    ("bytes=50-1000", 206, 50, 50, "bytes 50-99/100"), ("bytes=-1000", 206, 0, 100, "bytes 0-99/100"),
    ("bytes=99-99", 206, 99, 1, "bytes 99-99/100"), ("bytes=100-", 416, 0, 0, "bytes */100"),
    ("bytes=100-200", 416, 0, 0, "bytes */100"), ("bytes=-0", 416, 0, 0, "bytes */100"),
    ("BYTES = 1 - 2", 206, 1, 2, "bytes 1-2/100"),
    # What is no range, or several, is passed over.
    ("bytes=5-2", 200, 0, 100, None), ("bytes=0-1,5-6", 200, 0, 100, None), ("bytes=-", 200, 0, 100, None),
    ("seconds=0-9", 200, 0, 100, None), ("bytes=a-b", 200, 0, 100, None), ("bytes=0-9" + " " * 300, 200, 0, 100, None),
    ("bytes=99999999999999999999999-", 200, 0, 100, None), ("bytes=\u0661-", 200, 0, 100, None),
])
def test_one_range(asked: str, status: int, first: int, length: int, said: str | None) -> None:
    assert got(range=asked) == (status, first, length, said)


def test_of_an_empty_file_there_is_no_range() -> None:
    assert got(0) == (200, 0, 0, None)
    assert got(0, range="bytes=0-")[0] == 416


def test_a_part_is_given_only_of_the_content_that_is_meant() -> None:
    assert got(range="bytes=5-", if_range='"tag"')[0] == 206
    for other in ('"other"', 'W/"tag"', "Fri, 27 Nov 2026 13:00:00 GMT", "tag"):
        assert got(range="bytes=5-", if_range=other)[:3] == (200, 0, 100)


def test_who_has_it_already_gets_nothing() -> None:
    for named in ('"tag"', 'W/"tag"', '"a", "tag"', "*"):
        assert part_of({"if-none-match": named, "range": "bytes=0-1"}, 100, "tag").status == 304
    assert got(if_none_match='"other"')[0] == 200


def test_each_answer_says_what_it_is_of() -> None:
    for headers in ({}, {"range": "bytes=0-1"}, {"range": "bytes=200-"}, {"if-none-match": "*"}):
        assert {("Accept-Ranges", "bytes"), ("ETag", '"tag"')} <= set(part_of(headers, 100, "tag").headers)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.integers(0, 1 << 45))
def test_whatever_a_client_sends_the_part_lies_in_the_file(asked: str, named: str, unless: str, size: int) -> None:
    for text in (asked, f"bytes={asked}"):
        part: Part = part_of({"range": text, "if-range": named, "if-none-match": unless}, size, "tag")
        assert part.status in (200, 206, 304, 416)
        assert part.first >= 0 and part.first + part.length <= size
        assert (part.length > 0) == (part.status == 206 or (part.status == 200 and size > 0))
