"""Episodes: filters, titles and names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.services.feeds.episodes import EpisodeFilter, in_title, name_of
from wildbach.services.feeds.settings import EPISODE_PATTERNS


def takes(text: str, title: str) -> bool:
    wanted = EpisodeFilter.parse(text)
    return any(wanted.takes(*one) for one in in_title(title))


@pytest.mark.parametrize(("text", "title", "taken"), [
    ("1x2;", "Show S01E02 1080p", True), ("1x2;", "Show s1e2", True), ("1x2;", "Show.1x02.mkv", True),
    ("1x2;", "Show S01.E02", True), ("1x2;", "Show S01E20", False), ("1x2;", "Show S01E021", False),
    ("1x2;", "Show S02E02", False), ("1x2;", "Shows01e02", False), ("1x02;", "Show S01E02", True),
    ("01x2;", "Show S01E02", True), ("1x8-15;", "Show S01E08", True), ("1x8-15;", "Show S01E15v2", True),
    ("1x8-15;", "Show S01E16", False), ("1x8-15;", "Show S02E09", False), ("1x15-8;", "Show S01E09", False),
    ("1x30-;", "Show S01E29", False), ("1x30-;", "Show S01E300", True), ("1x30-;", "Show S02E01", True),
    ("2x30-;", "Show S01E99", False), ("1x2;8-15;30-;", "Show S01E12", True), ("1x0;", "Show S01E00", True),
    ("1x2;", "Show 1920x1080", False), ("1x2;", "Show", False), ("1x;", "Show S01E01", False),
])
def test_a_filter_takes_its_episodes(text: str, title: str, taken: bool) -> None:
    assert takes(text, title) is taken


@pytest.mark.parametrize("text", ["", "1x2", "x2;", "1x2;a;", "1x-5;", "12345x1;", "1x2-3-4;", "1x2;3x4;"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="episode filter"):
        EpisodeFilter.parse(text)


@given(st.integers(0, 9999), st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999) | st.none()), max_size=5))
def test_a_filter_is_read_as_it_is_written(season: int, ranges: list[tuple[int, int | None]]) -> None:
    text = f"{season}x" + "".join(f"{first}-{'' if last is None else last};" for first, last in ranges)
    assert EpisodeFilter.parse(text or "0x;") == EpisodeFilter(season, tuple(ranges)) if ranges else True


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_a_format_error_and_any_title_has_episodes_or_none(text: str) -> None:
    in_title(text)
    name_of(text, EPISODE_PATTERNS)
    try:
        EpisodeFilter.parse(text)
    except FormatError:
        return


@pytest.mark.parametrize(("title", "name"), [
    ("Show S01E02", "1x2"), ("Show 01x002", "1x2"), ("Show_s1e2_x", "1x2"), ("News 2026.11.26", "2026.11.26"),
    ("News 26-11-2026", "26-11-2026"), ("Show", ""), ("XS01E02", ""),
])
def test_names_of_episodes(title: str, name: str) -> None:
    assert name_of(title, EPISODE_PATTERNS) == name


def test_names_are_made_by_the_patterns_of_the_settings() -> None:
    assert name_of("Show ep07 [x]", (r"ep(\d+)",)) == "7"
    assert name_of("Show S01E02", ()) == ""
