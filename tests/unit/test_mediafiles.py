"""The films and songs that the tests of playing use are what they say, read back with PyAV."""

from __future__ import annotations

from hashlib import sha256

import av
import pytest
from tests import mediafiles
from tests.mediafiles import Shape, Sound, Words, brightness


@pytest.mark.parametrize("layout", ["first", "last", "fragments", "sidx"])
def test_layouts_of_mp4(layout: str) -> None:
    head = mediafiles.mp4(layout).read_bytes()
    boxes = []
    at = 0
    while at < len(head):
        boxes.append(head[at + 4 : at + 8])
        at += int.from_bytes(head[at : at + 4], "big")
    wanted = {
        "first": [b"ftyp", b"moov", b"free", b"mdat"],
        "last": [b"ftyp", b"free", b"mdat", b"moov"],
        "fragments": [b"ftyp", b"moov", *[b"moof", b"mdat"] * 10, b"mfra"],
        "sidx": [b"ftyp", b"moov", b"sidx", b"sidx", *[b"moof", b"mdat"] * 10, b"mfra"],
    }
    assert boxes == wanted[layout]


@pytest.mark.parametrize("gop", [2.0, 10.0])
def test_keyframes_stand_where_asked_for(gop: float) -> None:
    times = [round(at) for at, _ in mediafiles.seen(mediafiles.mp4(gop=gop)).keyframes]
    assert times == list(range(0, 20, int(gop)))


def test_matroska_has_two_languages_and_two_kinds_of_subtitles() -> None:
    assert mediafiles.seen(mediafiles.mkv()).codecs == [
        ("video", "h264", ""), ("audio", "ac3", "eng"), ("audio", "aac", "ger"),
        ("subtitle", "srt", "eng"), ("subtitle", "ssa", "ger"),
    ]


def test_subtitles_can_be_read() -> None:
    with av.open(str(mediafiles.mkv())) as source:
        texts: dict[int, list[str]] = {0: [], 1: []}
        for packet in source.demux(source.streams.subtitles):
            for shown in packet.decode():
                texts[packet.stream_index - 3].append(shown.dialogue.decode())
    assert texts[0][7] == mediafiles.line(7)
    assert texts[1][7] == "{\\i1}" + mediafiles.line(7) + "{\\i0}"
    assert len(texts[0]) == len(texts[1]) == 20


def test_brightness_tells_the_time() -> None:
    with av.open(str(mediafiles.mkv())) as source:
        for frame in source.decode(video=0):
            plane = frame.planes[0]
            data = bytes(plane)
            rows = [sum(data[at : at + frame.width]) for at in range(0, len(data), plane.line_size)]
            assert abs(sum(rows) / (frame.width * frame.height) - brightness(frame.time)) < 12


def test_a_bit_rate_is_kept() -> None:
    path = mediafiles.mp4(bit_rate=2_000_000)
    assert path.stat().st_size == pytest.approx(20 * 250_000, rel=0.05)


def test_webm() -> None:
    seen = mediafiles.seen(mediafiles.webm())
    assert seen.codecs == [("video", "vp8", ""), ("audio", "opus", "")]
    assert [round(at) for at, _ in seen.keyframes] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "opus", "m4a", "wav", "mka"])
def test_songs(kind: str) -> None:
    assert mediafiles.seen(mediafiles.song(kind)).duration == pytest.approx(20.0, abs=0.1)


def test_a_season() -> None:
    folder = mediafiles.season()
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "The.Stream.S01E01.1080p.mkv", "The.Stream.S01E01.1080p.srt", "The.Stream.S01E02.1080p.mkv",
        "The.Stream.S01E02.1080p.srt", "The.Stream.S01E03.1080p.mkv", "The.Stream.S01E03.1080p.srt",
        "The.Stream.nfo",
    ]


def test_the_same_arguments_give_the_same_bytes() -> None:
    shape = Shape(seconds=3.0, container="matroska", sounds=(Sound("ac3"),), words=(Words("ass"),), seed=7)
    again = Shape(seconds=3.0, container="matroska", sounds=(Sound("ac3"),), words=(Words("ass"),), seed=7)
    first = mediafiles.film(shape)
    mediafiles.film.cache_clear()
    second = mediafiles.film(again)
    assert first != second
    assert sha256(first.read_bytes()).digest() == sha256(second.read_bytes()).digest()
