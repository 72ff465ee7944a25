"""A playlist names every segment of a film, and a path says all of a choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import UsageError
from wildbach.services.stream import hls
from wildbach.services.stream.hls import Choice
from wildbach.services.stream.probe import Plan, Probe, Track

VIDEO = Track(
    index=0, kind="video", codec="h264", codecs="avc1.4d400c", copied=True, width=1920, height=1080, rate=25.0)
ENGLISH = Track(index=1, kind="audio", codec="ac3", codecs="ac-3", language="eng")
GERMAN = Track(index=3, kind="audio", codec="aac", codecs="mp4a.40.2", language="ger", copied=True, default=True)
FILM = Probe(container="matroska,webm", duration=9.5, bitrate=8_000_000, tracks=(VIDEO, ENGLISH, GERMAN),
             plan=Plan((0, 4000, 8500), (0.0, 4.0, 8.5), exact=True))


def test_a_film_has_one_playlist_that_says_what_is_in_its_segments() -> None:
    assert hls.master(FILM, hls.choose(FILM)) == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=8000000,CODECS="avc1.4d400c,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000\n'
        "v0a3/media.m3u8\n")


def test_every_segment_is_listed_with_its_length() -> None:
    assert hls.media(FILM) == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        '#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4.000,\n0.m4s\n#EXTINF:4.500,\n1.m4s\n#EXTINF:1.000,\n2.m4s\n#EXT-X-ENDLIST\n')


def test_sound_and_height_are_chosen() -> None:
    assert hls.choose(FILM) == Choice(0, 3)
    assert hls.choose(FILM, audio=1, height=720) == Choice(0, 1, 720)
    made = hls.master(FILM, Choice(0, 1, 720))
    assert 'CODECS="avc1.42c01f,mp4a.40.2",RESOLUTION=1280x720' in made


@pytest.mark.parametrize(("probe", "wanted", "code"), [
    (FILM, {"audio": 2}, "no_track"), (FILM, {"height": 4320}, "bad_height"),
    (Probe(container="mpeg"), {}, "no_length"),
    (Probe(container="avi", plan=FILM.plan, tracks=(Track(index=0, kind="video", codec="mpeg4"),)), {},
     "needs_transcode"),
])
def test_what_cannot_be_is_refused(probe: Probe, wanted: dict[str, int], code: str) -> None:
    with pytest.raises(UsageError) as refused:
        hls.choose(probe, **wanted)
    assert refused.value.code == code


@pytest.mark.parametrize("choice", [Choice(0, 3), Choice(0, 1), Choice(0, 1, 480)])
def test_a_path_says_all_of_a_choice(choice: Choice) -> None:
    assert hls.parse(FILM, choice.variant) == choice


@given(st.text("vah0123456789", max_size=12))
def test_only_one_path_leads_to_a_choice(variant: str) -> None:
    try:
        assert hls.parse(FILM, variant).variant == variant
    except UsageError as error:
        assert error.code in ("no_track", "bad_height")
