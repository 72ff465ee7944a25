"""Subtitles of any kind become WebVTT with nothing else in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import mediafiles, pace

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.services.stream import subtitles
from wildbach.services.stream.subtitles import Cue, of_track, parse, webvtt

SRT = ("1\r\n00:00:01,000 --> 00:00:02,500\r\nHello <i>you</i>\r\nthere\r\n\r\n"
       "2\r\n00:01:00,000 --> 00:01:01,000\r\nBye\r\n")
_CLOCK = r"\d{2,}:\d\d:\d\d\.\d{3}"
_LINE = r"(?:&(?:amp|lt|gt);|</?[biu]>|[^&<>\n\r])+"
FILE = re.compile(rf"WEBVTT\n(?:\n{_CLOCK} --> {_CLOCK}\n(?:{_LINE}\n)+)*")


def texts(raw: bytes | str) -> list[str]:
    return [cue.text for cue in parse(raw.encode() if isinstance(raw, str) else raw)]


@pytest.mark.parametrize("make", [mediafiles.srt, mediafiles.vtt, mediafiles.ass])
def test_the_same_lines_are_read_from_every_kind_of_file(make: object) -> None:
    cues = parse(make(5.0).encode())  # type: ignore[operator]
    assert cues[3] == Cue(3.0, 3.9, "Line 3: Wildbäche rauschen &amp; fließen, 3 &gt; 2")
    assert len(cues) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    assert texts(mediafiles.srt(4.0).encode(encoding))[2] == "Line 2: Wildbäche rauschen &amp; fließen, 3 &gt; 2"


def test_lines_stay_lines_and_italics_stay_italics() -> None:
    assert texts(SRT) == ["Hello <i>you</i>\nthere", "Bye"]


@pytest.mark.parametrize(("said", "shown"), [
    ("<script>alert(1)</script>", "alert(1)"), ("<font color='red'>a</font>", "a"),
    ("a <b onclick='x'>b</b>", "a <b>b</b>"),
    ("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"), ("x --> y", "x --&gt; y"), ("{\\an8}top", "top"),
    ("a\x00b\x1bc", "abc"),
    ("<<i>b>", "&lt;<i>b&gt;"), ("\ue000b\ue001", "b"),
])
def test_what_could_mean_more_than_its_text_is_escaped_or_gone(said: str, shown: str) -> None:
    assert texts(f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n") == [shown]


def test_a_file_of_webvtt_may_have_notes_settings_and_short_times() -> None:
    raw = ("WEBVTT - a title\n\nNOTE\nnothing\n\nSTYLE\n::cue { color: red }\n\n"
           "id\n00:01.000 --> 00:02.000 align:start\n"
           "<v Anna>A &amp; B</v> <00:01.500><c.x>now</c>\n")
    assert parse(raw.encode()) == [Cue(1.0, 2.0, "A &amp; B now")]


def test_styling_and_drawings_of_substation_alpha_are_left_out() -> None:
    head = mediafiles.ASS_HEAD
    raw = (head + "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\pos(1,2)}One,\\Ntwo\r\n"
           "Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,not shown\r\n"
           "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}\r\n")
    assert parse(raw.encode()) == [Cue(1.0, 2.0, "One,\ntwo")]


def test_a_missing_empty_line_does_not_show_the_next_number() -> None:
    raw = "1\n00:00:01,000 --> 00:00:02,000\na\n2\n00:00:03,000 --> 00:00:04,000\nb\n"
    assert texts(raw) == ["a", "b"]


def test_an_offset_moves_all_and_leaves_out_what_would_end_before_the_film() -> None:
    cues = [Cue(1.0, 2.0, "a"), Cue(4.0, 5.0, "b"), Cue(5.5, 7.0, "c")]
    assert webvtt(cues, offset=-5.0) == "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nc\n"
    assert "01:00:01.000 --> 01:00:02.000\na" in webvtt(cues, offset=3600.0)


@pytest.mark.parametrize("raw", [
    b"", b"\x89PNG", b"just a text\n\nwith lines\n", b"1\n00:00:02,000 --> 00:00:01,000\nback\n",
])
def test_a_file_without_subtitles_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        parse(raw)


def test_bombs_are_refused_before_they_cost_much() -> None:
    many = b"1\n00:00:01,000 --> 00:00:02,000\nx\n\n" * (limits.SUBTITLE_CUES + 1)

    def read() -> None:
        for raw in (many, b"x" * (limits.SUBTITLE_BYTES + 1)):
            with pytest.raises(LimitError):
                parse(raw)
        for piece in (b"<", b"{\\", b"<i ", b"-->", b"00:00:01,000 --> ", b"&amp;", b"\n1"):
            raw = b"1\n00:00:01,000 --> 00:00:02,000\n" + piece * (1_000_000 // len(piece))
            try:
                cues = parse(raw)
            except FormatError:
                continue  # it was nothing but styling
            assert all(len(cue.text) <= 5 * limits.SUBTITLE_CUE_CHARS for cue in cues)

    pace.takes_at_most(10, read)


@given(st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from([
        "WEBVTT\n", "1\n", "00:00:01,000 --> 00:00:02,000\n", "0:1:1.5-->1:1:1.5", "\n", "<i>", "</b>", "<", ">",
        "&amp;", "&", "{\\", "}", "\\N", "[Events]\n", "Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,",
        "Format: Start, End, Text\n", "-->", "\x00", "\u2028", "\x85", "\ue000",
        "a"]), max_size=30).map(lambda parts: "".join(parts).encode())))
def test_whatever_comes_in_what_goes_out_is_webvtt(raw: bytes) -> None:
    try:
        cues = parse(raw)
    except FormatError:
        return
    assert FILE.fullmatch(webvtt(cues)), webvtt(cues)


@given(st.sampled_from(["subrip", "ass", "ssa", "webvtt", "mov_text", "text"]),
       st.lists(st.tuples(st.floats(-10, 1e7), st.floats(-10, 1e7), st.binary(max_size=100)), max_size=5))
def test_whatever_a_track_says_what_goes_out_is_webvtt(codec: str, rows: list[tuple[float, float, bytes]]) -> None:
    assert FILE.fullmatch(webvtt(of_track(codec, rows)))


def test_a_subtitle_without_a_length_is_shown_for_a_while() -> None:
    assert of_track("subrip", [(1.0, 1.0, b"a")]) == [Cue(1.0, 4.0, "a")]
    assert subtitles.SUFFIXES == (".srt", ".vtt", ".ass", ".ssa")


def test_a_subtitle_that_is_cut_at_the_end_of_a_line_has_no_empty_one() -> None:
    line = "x" * 99
    raw = ("1\n00:00:01,000 --> 00:00:02,000\n" + f"{line}\n" * 40).encode()
    (cue,) = subtitles.parse(raw)
    assert cue.text == "\n".join([line] * (limits.SUBTITLE_CUE_CHARS // 100))


def test_a_subtitle_that_is_cut_in_a_tag_has_no_half_of_it() -> None:
    raw = ("1\n00:00:01,000 --> 00:00:02,000\n" + "<i>a</i>\n" * 400).encode()
    for cut in range(9):
        (cue,) = subtitles.parse(raw.replace(b"<i>", b"x" * cut + b"<i>", 1))
        assert cue.text.count("<") == cue.text.count(">")
        assert cue.text.splitlines()[-1] in {"<i>a</i>", "<i>a", "<i>", "a"}
