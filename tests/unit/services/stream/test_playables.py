from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.services.stream.kinds import Kind
from wildbach.services.stream.playables import Named, Playable, after, best, playables

GIB = 1 << 30


def found(*paths: str, size: int = GIB) -> tuple[Playable, ...]:
    return playables(Named(index, tuple(path.split("/")), size) for index, path in enumerate(paths))


def order(*paths: str) -> list[str]:
    return ["/".join(one.path) for one in found(*paths)]


def test_a_season_is_in_order_specials_behind_it() -> None:
    assert order(
        "Show.S01E10.mkv", "Show.S00E01.mkv", "Show.S01E02.mkv", "Show.S02E01.mkv", "Show.1x01.mkv", "notes.txt",
    ) == ["Show.1x01.mkv", "Show.S01E02.mkv", "Show.S01E10.mkv", "Show.S02E01.mkv", "Show.S00E01.mkv"]


def test_samples_and_trailers_are_last_and_only_small_ones_are() -> None:
    films = playables([
        Named(0, ("sample.mkv",), 20), Named(1, ("Film.mkv",), 1000), Named(2, ("Film-trailer.mkv",), 100),
        Named(3, ("Extras", "Making of.mkv"), 900),
    ])
    assert [(one.index, one.extra) for one in films] == [(1, False), (3, True), (2, True), (0, True)]
    assert not found("The Trailer.mkv")[0].extra
    assert best(films) == films[0]


def test_with_a_film_its_music_comes_behind_and_alone_it_plays() -> None:
    mixed = found("a.mp3", "Film.mkv")
    assert [one.kind for one in mixed] == [Kind.VIDEO, Kind.AUDIO]
    assert after(mixed, 1) is None
    album = found("CD/10 z.flac", "CD/9 y.flac", "CD/1 x.flac")
    assert [one.path[-1] for one in album] == ["1 x.flac", "9 y.flac", "10 z.flac"]
    assert best(album) == album[0] and after(album, album[0].index) == album[1]


def test_one_begins_with_the_first_episode_that_was_not_seen() -> None:
    season = found("S01E01.mkv", "S01E02.mkv", "S01E03.mkv")
    assert best(season) == season[0]
    assert best(season, lambda one: one.index == 0) == season[1]
    assert best(season, lambda one: True) == season[0]
    assert best(()) is None


def test_of_films_one_begins_with_the_longest() -> None:
    films = playables([Named(0, ("a.mkv",), 100), Named(1, ("b.mkv",), 300), Named(2, ("c.mkv",), 200)])
    assert best(films) == films[1]


def test_the_next_one_is_the_next_episode_and_nothing_follows_the_last() -> None:
    season = found("S01E02.mkv", "S01E01.mkv", "sample-S01E01.mkv")
    assert after(season, 1) == season[1]
    assert after(playables([Named(0, ("S01E01.mkv",), 100), Named(1, ("sample.mkv",), 1)]), 0) is None
    assert after(season, 99) is None


def subtitles(*paths: str) -> dict[str, list[tuple[str, str]]]:
    return {one.path[-1]: [("/".join(text.path), text.language) for text in one.subtitles] for one in found(*paths)}


def test_a_subtitle_belongs_to_the_video_whose_name_it_has() -> None:
    assert subtitles(
        "Show.S01E01.mkv", "Show.S01E02.mkv", "Show.S01E01.srt", "Show.S01E01.de.srt", "Show.S01E02.en.forced.ass",
    ) == {
        "Show.S01E01.mkv": [("Show.S01E01.srt", ""), ("Show.S01E01.de.srt", "de")],
        "Show.S01E02.mkv": [("Show.S01E02.en.forced.ass", "en")],
    }


def test_or_to_the_one_that_its_folder_is_named_after() -> None:
    assert subtitles(
        "S/Show.S01E01.mkv", "S/Show.S01E02.mkv", "S/Subs/Show.S01E01/2_English.srt", "S/Subs/Show.S01E02/3_German.srt",
    ) == {
        "Show.S01E01.mkv": [("S/Subs/Show.S01E01/2_English.srt", "en")],
        "Show.S01E02.mkv": [("S/Subs/Show.S01E02/3_German.srt", "de")],
    }


def test_or_to_the_same_episode_or_to_the_only_film() -> None:
    assert subtitles("Show 1x01.mkv", "Show 1x02.mkv", "other.name.s01e02.en.srt")["Show 1x02.mkv"] == [
        ("other.name.s01e02.en.srt", "en")]
    assert subtitles("Film.2026.mkv", "Subs/English.srt", "Sample/Film.mkv")["Film.2026.mkv"] == [
        ("Subs/English.srt", "en")]


def test_and_to_none_where_nobody_can_tell() -> None:
    assert subtitles("a.mkv", "b.mkv", "c.srt") == {"a.mkv": [], "b.mkv": []}


NAME = st.text(st.sampled_from("aS0E1x2 .-_sample") | st.characters(), min_size=1, max_size=30)
FILES = st.lists(st.tuples(
    st.lists(NAME, max_size=2), NAME, st.sampled_from(["mkv", "mp4", "mp3", "srt", "txt"]), st.integers(0, GIB)),
    max_size=30)


@given(FILES)
def test_whatever_the_names_all_that_plays_is_there_once_and_next_comes_to_an_end(
    files: list[tuple[list[str], str, str, int]],
) -> None:
    given = [
        Named(index, (*folders, f"{name}.{end}"), size) for index, (folders, name, end, size) in enumerate(files)]
    made = playables(given)
    assert sorted(one.index for one in made) == [
        one.index for one, (_, _, end, _) in zip(given, files, strict=True) if end in ("mkv", "mp4", "mp3")]
    texts = [text.index for one in made for text in one.subtitles]
    assert len(texts) == len(set(texts))
    at, steps = best(made), 0
    while at is not None:
        at, steps = after(made, at.index), steps + 1
        assert steps <= len(made)


def test_of_very_many_files_the_first_are_looked_at() -> None:
    many = playables(Named(index, (f"{index}.mkv",), 1) for index in range(limits.PLAY_FILES + 5))
    assert len(many) == limits.PLAY_FILES
