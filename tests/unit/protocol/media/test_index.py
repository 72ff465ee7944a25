"""A map of seconds and bytes answers for every number, and exactly at keyframes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.media.index import Keyframe, Mark, MediaIndex, made, text

SIZE = 10_000


def index(*keyframes: tuple[float, int], duration: float = 10.0, marks: tuple[Mark, ...] = ()) -> MediaIndex:
    found = made("mp4", SIZE, duration, keyframes=keyframes, marks=marks)
    assert found is not None
    return found


FILM = index((0.0, 1000), (4.0, 3000), (8.0, 9000))


def test_keyframes_tell_how_long_they_go() -> None:
    assert FILM.keyframes == (Keyframe(0.0, 1000, 2000), Keyframe(4.0, 3000, 6000), Keyframe(8.0, 9000, 1000))


@pytest.mark.parametrize(("seconds", "keyframe"), [(-1, 0), (0, 0), (3.9, 0), (4, 4), (7.9, 4), (8, 8), (99, 8)])
def test_the_keyframe_at_or_before(seconds: float, keyframe: float) -> None:
    assert FILM.keyframe(seconds) == keyframe


@pytest.mark.parametrize(("seconds", "offset"), [(0, 1000), (2, 2000), (4, 3000), (6, 6000), (9, 9500), (99, SIZE)])
def test_between_keyframes_bytes_go_at_an_even_pace(seconds: float, offset: int) -> None:
    assert FILM.offset(seconds) == offset


@pytest.mark.parametrize(("offset", "seconds"), [
    (0, 0), (1000, 0), (2000, 2), (3000, 4), (6000, 6), (9500, 9), (SIZE, 10),
])
def test_the_time_at_a_byte(offset: int, seconds: float) -> None:
    assert FILM.seconds(offset) == seconds


def test_without_keyframes_the_pace_is_even() -> None:
    song = made("mp3", SIZE, 10.0, start=1000)
    assert song is not None
    assert (song.offset(0.0), song.offset(5.0), song.offset(10.0)) == (1000, 5500, SIZE)
    assert (song.seconds(500), song.seconds(5500)) == (0.0, 5.0)
    assert song.keyframe(3.3) == 3.3


def test_sound_behind_the_picture_has_its_own_times() -> None:
    film = index((0.0, 0), (100.0, 4000), duration=200.0,
                 marks=(Mark(0, 0.0), Mark(4000, 100.0), Mark(8000, 0.0), Mark(9000, 100.0)))
    assert (film.seconds(2000), film.seconds(8000), film.seconds(9500)) == (0.0, 0.0, 150.0)


def test_places_beyond_the_file_are_left_out() -> None:
    assert index((0.0, 0), (4.0, SIZE), (5.0, -1)).keyframes == (Keyframe(0.0, 0, SIZE),)


def test_of_too_many_keyframes_some_are_kept() -> None:
    found = made("mp4", 1 << 40, 100_000.0, keyframes=((n / 2, n * 100) for n in range(100_000)))
    assert found is not None
    assert limits.MEDIA_KEYFRAMES // 2 < len(found.times) <= limits.MEDIA_KEYFRAMES
    assert found.times[-1] > 49_990


@pytest.mark.parametrize("duration", [-1.0, float("nan"), float("inf"), limits.MEDIA_SECONDS * 2])
def test_a_length_that_cannot_be(duration: float) -> None:
    with pytest.raises(FormatError, match="duration"):
        made("mp4", SIZE, duration)


def test_a_file_without_a_length_has_no_index() -> None:
    assert made("mp4", SIZE, 0.0) is None


def test_texts_are_short_and_printable() -> None:
    assert text(b"Gr\xc3\xbc\xc3\x9fe\x1b[31m\xff\0rest") == "Grüße[31m\ufffd"
    assert len(text(b"x" * 10_000)) == limits.MEDIA_TEXT_CHARS


@given(
    st.lists(st.tuples(st.floats(-10, 1e7), st.integers(-5, SIZE + 5)), max_size=30),
    st.lists(st.builds(Mark, st.integers(-5, SIZE + 5), st.floats(-10, 1e7)), max_size=30),
    st.floats(0, 1e7), st.floats(-1e9, 1e9), st.integers(-10, SIZE * 2),
)
def test_every_answer_lies_within(
    keyframes: list[tuple[float, int]], marks: list[Mark], duration: float, seconds: float, offset: int
) -> None:
    found = made("mp4", SIZE, duration, keyframes=keyframes, marks=marks)
    if found is None:
        return
    assert 0 <= found.offset(seconds) <= SIZE
    assert 0 <= found.seconds(offset) <= found.duration
    assert 0 <= found.keyframe(seconds) <= found.duration
    for key in found.keyframes:
        assert key.length > 0
        assert found.offset(key.seconds) == key.offset
