"""Patterns of users: what they find, and that none of them holds up anything."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pace

from wildbach.base import limits
from wildbach.runtime.workers import Threads
from wildbach.services.feeds.patterns import BadPattern, Pattern, SlowPattern, expression, wildcard

CATASTROPHE = r"(a+)+$"
TITLE = "a" * 400 + "!"


@pytest.mark.parametrize(("text", "title", "found"), [
    ("show", "My Show S01E02", True), ("SHOW", "my show", True), ("show", "shw", False),
    ("s*e", "some", True), ("my*s0?e02", "My.Show.S01E02", True), ("s0?e02", "S1E02", False),
    ("*", "", True), ("", "x", True), ("a*a", "a", False), ("**a**", "xax", True),
    ("[ab]c", "xbc", True), ("[!ab]c", "bc", False), ("[ab", "x[ab", True), ("a.c", "abc", False), ("a.c", "A.C", True),
    ("[]x]", "]", True), ("[a-c]1", "b1", True), ("[!]", "[!]", True), ("(x", "(X", True), ("\\d", "5", False),
])
def test_wildcards(text: str, title: str, found: bool) -> None:
    assert wildcard(text).found_in(title) is found


@pytest.mark.parametrize(("text", "title", "found"), [
    (r"s\d\de\d\d", "Show S01E02", True), ("^show", "my show", False), ("a|", "b", True),
    (r"(?<=my )show", "My Show", True), (r"\bü", "x ü", True), (r"(?i)x(?-i:Y)", "Xy", False),
])
def test_regular_expressions(text: str, title: str, found: bool) -> None:
    assert expression(text).found_in(title) is found


@pytest.mark.parametrize("text", ["(", "[", "*a", "(?P<x", "(?:" * 2000, "x" * (limits.FEED_PATTERN_CHARS + 1)],
                         ids=range(6))
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(text)


@pytest.mark.parametrize("text", [
    "[b]{2147483647}", "(?:a{1000}){1000}", "(?:(?:a{100}){100}){100}", "(?:b{1000})(?#c){1000}",
    "(?x)(?:b{1000}) {1000}", "(?x)(?:b{1000})#c\n{1000}", "(?:[)]b{1000}){1000}", "(?:[(]b{1000}){1000}",
    "(?:x(?:[)]b{1000}){1000}){1000}", "a{1000}" * 50, "a{ 99999999 }", "a{99999999,}", r"\d{50000,}",
], ids=range(13))
def test_patterns_that_would_fill_the_memory_are_refused(text: str) -> None:
    with pytest.raises(BadPattern, match=r"repeats too much|cannot be read"):
        Pattern(text)


@pytest.mark.parametrize("text", [
    r"\d{4}[.-]\d{1,2}[.-]\d{1,2}" * 50, r"(?:S\d{2}E\d{2,3}|\d{1,2}x\d{2}){1,3}", "a{0,1000000}", r"(?x) a b {3} # c",
    "|".join(["some show"] * 1000), r"x{,5}y\{9999999}",
], ids=range(6))
def test_patterns_of_every_day_are_taken(text: str) -> None:
    Pattern(text)


def test_a_pattern_without_end_is_stopped() -> None:
    def search() -> None:
        with pytest.raises(SlowPattern, match="took more than"):
            expression(CATASTROPHE).found_in(TITLE)

    pace.takes_at_most(20 * limits.FEED_PATTERN_SECONDS, search)


def test_wildcards_never_go_back() -> None:
    title = "ab" * (limits.FEED_TITLE_CHARS // 2)

    def search() -> None:
        for _ in range(10):
            assert not wildcard("a*b*" * 200 + "z").found_in(title)

    pace.takes_at_most(0.1, search)


def test_the_loop_goes_on_while_a_pattern_searches() -> None:
    def search() -> None:
        with pytest.raises(SlowPattern):
            expression(CATASTROPHE).found_in(TITLE)

    async def main() -> int:
        threads = Threads(1)
        work = threads.run(search)
        task = asyncio.get_running_loop().create_task(work)
        turns = 0
        while not task.done():
            await asyncio.sleep(0.001)
            turns += 1
        threads.close()
        return turns

    # What would hold the interpreter would do so the whole time: there would be a turn before it and one after it.
    assert max(asyncio.run(main()) for _ in range(pace.TRIES)) > 5


@given(st.text(st.sampled_from("ab*?[]!-^x"), max_size=12), st.text(st.sampled_from("abx-^]["), max_size=20))
def test_any_wildcard_is_a_pattern(text: str, title: str) -> None:
    try:
        found = wildcard(text).found_in(title)
    except BadPattern:
        assert "[" in text  # a range that goes backwards
        return
    if not set(text) & set("*?["):
        assert found == (text.lower() in title.lower())
