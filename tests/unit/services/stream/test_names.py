from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pace

from wildbach.base import limits
from wildbach.services.stream import names
from wildbach.services.stream.names import Episode

NAMES = st.text(st.sampled_from("sSeExX0123456789 ._-()[]épisode٣\u0665") | st.characters(), min_size=1, max_size=500)


@pytest.mark.parametrize("path, episode", [
    ("Show.S01E02.1080p.x264.mkv", (1, 2, 2)), ("show s1 e2.mkv", (1, 2, 2)), ("Show - 1x02 - Name.avi", (1, 2, 2)),
    ("Show.S02E05E06.mkv", (2, 5, 6)), ("Show.S02E05-E06.mkv", (2, 5, 6)), ("Show S02E05-06.mkv", (2, 5, 6)),
    ("Show.S01E02.1920x1080.mkv", (1, 2, 2)), ("Show.s2026e103.mkv", (2026, 103, 103)),
    ("Season 3/Episode 7.mkv", (3, 7, 7)), ("Staffel 2/Folge 04.mkv", (2, 4, 4)), ("Season 1/03 - Name.mkv", (1, 3, 3)),
    ("Ep 12.mkv", (1, 12, 12)), ("Specials/02 - Making.mkv", (0, 2, 2)), ("Show.S00E01.mkv", (0, 1, 1)),
    ("S1E1 Show.S04E09.mkv", (4, 9, 9)), ("Show Season 2 Episode 3.mkv", (2, 3, 3)),
    ("Film.1080p.x265.mkv", None), ("1917.mkv", None), ("03 - Track.flac", None), ("Film (1920x1080).mkv", None),
    ("Se7en.mkv", None), ("Blade Runner 2049.mkv", None), ("Ocean's 8.mkv", None),
])
def test_an_episode_is_known_by_its_name(path: str, episode: tuple[int, int, int] | None) -> None:
    assert names.episode_of(path.split("/")) == (Episode(*episode) if episode else None)


@given(st.integers(0, 9999), st.integers(0, 9999), NAMES)
def test_whatever_stands_before_it_an_episode_is_found(season: int, number: int, before: str) -> None:
    before = before[:limits.PLAY_NAME_CHARS - 40]
    found = names.episode_of([f"{before} S{season:02}E{number:02}.mkv"])
    assert found is not None and (found.season, found.number) == (season, number)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_any_name_gives_an_answer(path: list[str]) -> None:
    found = names.episode_of(path)
    assert found is None or 0 <= found.number <= found.last < 10_000
    assert names.is_extra(path) in (True, False)
    assert isinstance(names.tongue_of(names.words_of(path[-1])).language, str)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=20))
def test_any_names_can_be_put_in_order(paths: list[list[str]]) -> None:
    once = sorted(paths, key=lambda path: (names.natural(path), path))
    again = list(reversed(once))
    again.sort(key=lambda path: (names.natural(path), path))
    assert again == once


def test_people_count_2_before_10() -> None:
    given = ["track 10.mp3", "Track 2.mp3", "track 1.mp3", "B.mp3"]
    assert sorted(given, key=lambda one: names.natural([one])) == [
        "B.mp3", "track 1.mp3", "Track 2.mp3", "track 10.mp3"]


@pytest.mark.parametrize("hostile", ["s" * 100_000, "s1e" * 30_000, "1x" * 50_000, "9" * 100_000, " ._-" * 20_000])
def test_a_hostile_name_costs_little(hostile: str) -> None:
    def read() -> None:
        names.episode_of([hostile, hostile])
        names.is_extra([hostile, hostile])
        names.natural([hostile])

    pace.takes_at_most(0.5, read)


@pytest.mark.parametrize("words, tongue", [
    ("english", ("en", False, False)), ("2_English", ("en", False, False)), ("en.forced", ("en", True, False)),
    ("eng.sdh", ("en", False, True)), ("pt-BR", ("pt-BR", False, False)), ("ger", ("de", False, False)),
    ("Deutsch (forced)", ("de", True, False)), ("español", ("es", False, False)), ("", ("", False, False)),
    ("en.hi", ("en", False, True)), ("hindi", ("hi", False, False)),
])
def test_a_subtitle_says_its_language(words: str, tongue: tuple[str, bool, bool]) -> None:
    assert names.tongue_of(names.words_of(words)) == tongue
