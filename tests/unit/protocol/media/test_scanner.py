"""Indexes of real files are what PyAV finds in them, cost few reads, and lead nobody astray."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import mediafiles
from tests.mediafiles import Shape, Sound, Words

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.media.index import MediaIndex, MediaTrack
from wildbach.protocol.media.scanner import IndexScanner

LONG_FRAGMENTS = Shape(options=(("movflags", "+empty_moov+default_base_moof"), ("frag_duration", "5000000")))
INTRA = Shape(seconds=4.0, container="mov", gop=0.1, sounds=())
FILMS: dict[str, Shape] = {
    "mp4 first": Shape(),
    "mp4 last": Shape(layout="last"),
    "mp4 with a GOP of 10 s": Shape(gop=10.0),
    "mp4 with B-frames": Shape(bframes=3, layout="last"),
    "mp4 fragments": Shape(layout="fragments"),
    "mp4 sidx": Shape(layout="sidx"),
    "mp4 fragments with B-frames": Shape(layout="fragments", bframes=2),
    "mp4 with negative offsets": Shape(bframes=2, options=(("movflags", "+faststart+negative_cts_offsets"),)),
    "mkv": Shape(container="matroska", sounds=(Sound("ac3"), Sound()), words=(Words(), Words("ass"))),
    "mkv cues first": Shape(container="matroska", cues_first=True),
    "mkv with a GOP of 10 s": Shape(container="matroska", gop=10.0),
    "webm": Shape(seconds=10.0, container="webm", codec="libvpx", sounds=(Sound("libopus"),)),
}


@dataclass
class Scan:
    result: MediaIndex | None = None
    reads: list[tuple[int, int]] = field(default_factory=list)

    @property
    def index(self) -> MediaIndex:
        assert self.result is not None
        return self.result


def scan(data: bytes, size: int | None = None) -> Scan:
    """Feeds what is wanted, and of nothing more than the scanner may ask for."""
    found = Scan()
    scanner = IndexScanner(len(data) if size is None else size)
    while (want := scanner.wants()) is not None:
        found.reads.append((want.offset, want.length))
        assert 0 <= want.offset < want.offset + want.length <= (len(data) if size is None else size)
        scanner.feed(want.offset, data[want.offset : want.offset + want.length])
    found.result = scanner.result
    return found


def scanned(path: Path) -> MediaIndex:
    return scan(path.read_bytes()).index


@pytest.mark.foreign("pyav")
@pytest.mark.parametrize("name", FILMS)
def test_keyframes_are_those_that_pyav_finds(name: str) -> None:
    path = mediafiles.film(FILMS[name])
    index, seen = scanned(path), mediafiles.seen(path)
    assert [key.seconds for key in index.keyframes] == pytest.approx([at for at, _ in seen.keyframes], abs=0.002)
    assert index.duration == pytest.approx(seen.duration, abs=0.05)
    for key, (_, place) in zip(index.keyframes, seen.keyframes, strict=True):
        if index.container == "mp4" and FILMS[name].layout in ("first", "last"):
            assert key.offset == place
        else:
            # What has to be read for it begins a little before: the fragment or the cluster it is in.
            assert place - 6000 < key.offset <= place < key.offset + key.length


@pytest.mark.foreign("pyav")
@pytest.mark.parametrize("name", FILMS)
def test_tracks_are_those_that_pyav_finds(name: str) -> None:
    path = mediafiles.film(FILMS[name])
    index = scanned(path)
    same = {"srt": "subrip", "ssa": "ass"}
    assert [(track.kind, track.codec, track.language) for track in index.tracks] == [
        (kind, same.get(codec, codec), language.replace("und", ""))
        for kind, codec, language in mediafiles.seen(path).codecs
    ]


def test_tracks_have_languages_and_titles() -> None:
    assert scanned(mediafiles.mkv()).tracks == (
        MediaTrack(1, "video", "h264"),
        MediaTrack(2, "audio", "ac3", "eng", "Original"),
        MediaTrack(3, "audio", "aac", "ger", "Synchronfassung"),
        MediaTrack(4, "subtitle", "subrip", "eng", "English"),
        MediaTrack(5, "subtitle", "ass", "ger", "Deutsch"),
    )
    index = scanned(mediafiles.mp4(words=(Words("mov_text", "fra"),), sounds=(Sound("ac3", "ger"),)))
    assert index.tracks[1:] == (MediaTrack(2, "audio", "ac3", "ger"), MediaTrack(3, "subtitle", "mov_text", "fra"))
    assert index.title == "film-first"


@pytest.mark.parametrize(("layout", "reads"), [("first", 1), ("last", 2), ("sidx", 1), ("fragments", 2)])
def test_an_index_costs_few_reads(layout: str, reads: int) -> None:
    found = scan(mediafiles.mp4(layout).read_bytes())
    assert len(found.reads) == reads
    assert sum(length for _, length in found.reads) < 150_000


def test_matroska_costs_two_reads() -> None:
    assert len(scan(mediafiles.mkv().read_bytes()).reads) == 2
    assert len(scan(mediafiles.mkv(cues_first=True).read_bytes()).reads) == 1


def test_a_moov_behind_four_gigabytes_is_jumped_to() -> None:
    data = mediafiles.mp4("last").read_bytes()
    at = data.index(b"mdat") - 4
    end = at + int.from_bytes(data[at : at + 4], "big")
    gap = 5 << 30
    wide = b"\0\0\0\1mdat" + (16 + gap).to_bytes(8, "big")
    size = at + 16 + gap + len(data) - end

    def held(offset: int, length: int) -> bytes:
        if offset < at + 16:
            return (data[:at] + wide + bytes(length))[offset : offset + length]
        shift = size - len(data)
        return data[offset - shift : offset - shift + length]

    scanner = IndexScanner(size)
    reads = 0
    while (want := scanner.wants()) is not None:
        scanner.feed(want.offset, held(want.offset, want.length))
        reads += 1
    assert scanner.result is not None
    assert (reads, len(scanner.result.keyframes)) == (2, 10)


def test_fragments_without_any_index_are_walked_through() -> None:
    data = mediafiles.mp4("fragments").read_bytes()
    whole = scan(data).index
    cut = data[: data.rindex(b"mfra") - 4]
    walked = scan(cut).index
    assert walked.times == pytest.approx(whole.times)
    assert walked.places == whole.places


def test_fragments_may_have_several_keyframes() -> None:
    path = mediafiles.film(LONG_FRAGMENTS)
    seen = mediafiles.seen(path)
    data = path.read_bytes()
    ends = scan(data).index
    assert ends.times == pytest.approx([0.0, 5.02, 10.02, 15.02], abs=0.01)
    walked = scan(data[: data.rindex(b"mfra") - 4]).index
    assert walked.times == pytest.approx([at for at, _ in seen.keyframes], abs=0.002)
    fragments = 0
    for at, place, (_, theirs) in zip(walked.times, walked.places, seen.keyframes, strict=True):
        if place == theirs:
            continue
        fragments += 1
        assert at in ends.times or place in ends.places
    assert fragments == 4


def test_only_the_first_of_many_fragments_are_walked_through_and_the_rest_is_estimated() -> None:
    data = mediafiles.mp4("fragments", seconds=120.0).read_bytes()
    found = scan(data[: data.rindex(b"mfra") - 4])
    assert len(found.index.keyframes) == limits.MEDIA_FRAGMENTS
    assert len(found.reads) <= limits.MEDIA_FRAGMENTS + 2
    assert found.index.duration == pytest.approx(120, rel=0.1)
    assert found.index.offset(100.0) == pytest.approx(len(data) * 100 / 120, rel=0.1)


def test_matroska_without_cues_has_a_length_and_an_even_pace() -> None:
    data = mediafiles.mkv().read_bytes()
    cut = data[: data.rindex(b"\x1c\x53\xbb\x6b")]
    index = scan(cut).index
    assert index.keyframes == ()
    assert index.duration == pytest.approx(20.0, abs=0.1)
    assert index.offset(10.0) == pytest.approx(len(cut) / 2, rel=0.05)
    assert index.seconds(len(cut) // 2) == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "opus", "m4a", "wav", "mka"])
def test_songs_have_a_length(kind: str) -> None:
    path = mediafiles.song(kind)
    index = scanned(path)
    assert index.duration == pytest.approx(20.0, abs=0.1)
    middle = index.offset(10.0)
    assert middle == pytest.approx(path.stat().st_size / 2, rel=0.1)
    assert index.seconds(middle) == pytest.approx(10.0, abs=0.7)


@pytest.mark.parametrize(("container", "sound"), [("avi", "ac3"), ("mpegts", "aac")])
def test_films_without_an_index_have_a_length(container: str, sound: str) -> None:
    path = mediafiles.film(Shape(container=container, codec="mpeg4", sounds=(Sound(sound, bit_rate=96_000),)))
    assert scanned(path).duration == pytest.approx(20.0, abs=0.2)


def test_where_every_picture_is_a_keyframe_some_are_told() -> None:
    path = mediafiles.film(INTRA)
    index = scanned(path)
    seen = dict(mediafiles.seen(path).keyframes)
    assert len(index.keyframes) == 8
    assert [seen[key.seconds] for key in index.keyframes] == [key.offset for key in index.keyframes]


def test_bytes_may_come_in_bits() -> None:
    data = mediafiles.mp4("last").read_bytes()
    scanner = IndexScanner(len(data))
    while (want := scanner.wants()) is not None:
        scanner.feed(want.offset, data[want.offset : want.offset + min(want.length, 1000)])
    assert scanner.result == scan(data).result


def test_bytes_of_another_place_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="was wanted"):
        IndexScanner(1000).feed(1, b"x")


def test_a_file_that_ends_before_its_size() -> None:
    data = mediafiles.mp4("last").read_bytes()
    with pytest.raises(FormatError, match="before its size"):
        scan(data[:300_000], size=len(data))


@pytest.mark.parametrize("size", [0, 7, 63])
def test_a_file_too_short_for_anything(size: int) -> None:
    assert scan(bytes(size)) == Scan()


def test_a_text_is_no_film() -> None:
    assert scan(b"This is a text, and nothing else. " * 100).result is None


def test_boxes_without_end_end() -> None:
    with pytest.raises(LimitError, match="boxes"):
        scan(b"\0\0\0\x08free" * 20_000)


def test_a_trail_of_far_boxes_ends() -> None:
    def jump(offset: int, length: int) -> bytes:
        return (b"\0\x10\0\0free" + bytes(length))[:length]

    scanner = IndexScanner(1 << 40)
    reads = 0
    with pytest.raises(LimitError, match="reads"):
        while (want := scanner.wants()) is not None:
            scanner.feed(want.offset, jump(want.offset, want.length))
            reads += 1
    assert reads == limits.MEDIA_READS - 1
    assert scanner.wants() is None
    assert scanner.result is None


def test_a_moov_of_a_gigabyte_is_not_read() -> None:
    scanner = IndexScanner(2 << 30)
    want = scanner.wants()
    assert want is not None
    with pytest.raises(LimitError, match="moov"):
        scanner.feed(0, (b"\0\0\0\x08ftyp\x40\0\0\0moov").ljust(want.length, b"\0"))


def element(kind: int, content: bytes) -> bytes:
    raw = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    return raw + (len(content) | 1 << 56).to_bytes(8, "big") + content


def matroska(*content: bytes) -> bytes:
    return element(0x1A45DFA3, element(0x4282, b"matroska")) + element(0x18538067, b"".join(content))


def seek(kind: int, place: int) -> bytes:
    return element(0x4DBB, element(0x53AB, kind.to_bytes(4, "big")) + element(0x53AC, place.to_bytes(8, "big")))


def info(ticks: float = 20_000.0) -> bytes:
    return element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3, "big"))
                   + element(0x4489, struct.pack(">d", ticks)))


def test_seek_heads_in_a_circle() -> None:
    one = len(element(0x114D9B74, seek(0x114D9B74, 0)))
    data = matroska(element(0x114D9B74, seek(0x114D9B74, one)), element(0x114D9B74, seek(0x114D9B74, 0)), info(),
                    element(0x1F43B675, bytes(100)))
    assert scan(data).index.duration == 20.0


def test_a_seek_head_that_leads_out_of_the_file() -> None:
    data = matroska(element(0x114D9B74, seek(0x1C53BB6B, 1 << 62)), info(), element(0x1F43B675, bytes(100)))
    assert scan(data).index.keyframes == ()


def test_a_segment_of_unknown_length() -> None:
    data = bytearray(mediafiles.mkv().read_bytes())
    at = data.index(b"\x18\x53\x80\x67") + 4
    data[at : at + 8] = b"\x01" + b"\xff" * 7
    assert scan(bytes(data)).result == scan(mediafiles.mkv().read_bytes()).result


def test_a_matroska_file_that_was_cut_off_has_a_length() -> None:
    index = scan(mediafiles.mkv().read_bytes()[:300_000]).index
    assert (round(index.duration), index.keyframes) == (20, ())


@pytest.mark.parametrize("ticks", [float("inf"), float("nan"), -1.0, 1e300])
def test_a_length_that_cannot_be(ticks: float) -> None:
    with pytest.raises(FormatError):
        scan(matroska(info(ticks), element(0x1F43B675, bytes(100))))


def test_an_index_that_points_out_of_the_file_is_left_out() -> None:
    data = mediafiles.mp4("first").read_bytes()
    assert len(scan(data[:200_000]).index.keyframes) == 4
    cues = mediafiles.mkv(cues_first=True).read_bytes()
    assert len(scan(cues[:300_000]).index.keyframes) == 4


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def test_indexes_of_indexes_end() -> None:
    def entry(width: int) -> bytes:
        return (0x80000000 | width).to_bytes(4, "big") + bytes(8)

    def sidx(*entries: bytes) -> bytes:
        head = bytes(4) + (1).to_bytes(4, "big") + (1000).to_bytes(4, "big") + bytes(8)
        return box(b"sidx", head + bytes(2) + len(entries).to_bytes(2, "big") + b"".join(entries))

    plain = mediafiles.mp4("fragments").read_bytes()
    moov_end = plain.index(b"moof") - 4
    nest = b"".join(sidx(*[entry(0)] * 200) for _ in range(12))
    with pytest.raises(LimitError):
        scan(plain[:moov_end] + nest + plain[moov_end:])


@given(st.data())
def test_no_change_of_a_real_file_leads_astray(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(HEADS))
    changed = bytearray(source)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        width = data.draw(st.sampled_from([1, 2, 4, 8]))
        changed[at : at + width] = data.draw(st.binary(min_size=width, max_size=width))
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(0, len(changed))) :]
    try:
        found = scan(bytes(changed))
    except FormatError:
        return
    assert len(found.reads) <= limits.MEDIA_READS
    if found.result is not None:
        check(found.result)


@given(st.binary(max_size=400), st.sampled_from([b"\0\0\0\x18ftyp", b"\x1a\x45\xdf\xa3", b"ID3", b"fLaC", b"OggS",
                                                 b"RIFF....AVI ", b"RIFF....WAVE", b"\xff\xfb\x90\0", b"G"]))
def test_bytes_from_nowhere(data: bytes, magic: bytes) -> None:
    try:
        found = scan(magic + data)
    except FormatError:
        return
    if found.result is not None:
        check(found.result)


def check(index: MediaIndex) -> None:
    """It answers for every number, within the file and its length."""
    assert 0 < index.duration <= limits.MEDIA_SECONDS
    assert len(index.keyframes) <= limits.MEDIA_KEYFRAMES
    assert list(index.times) == sorted(set(index.times))
    for key in index.keyframes:
        assert 0 <= key.offset < key.offset + key.length <= index.size
        assert index.keyframe(key.seconds) == key.seconds
        assert index.offset(key.seconds) == key.offset
    for at in (-1, 0, 1, index.size // 2, index.size, index.size + 1):
        assert 0 <= index.seconds(at) <= index.duration
    for seconds in (-1.0, 0.0, index.duration / 3, index.duration, index.duration * 2):
        assert 0 <= index.offset(seconds) <= index.size
        assert 0 <= index.keyframe(seconds) <= index.duration
        assert index.keyframe(seconds) <= max(seconds, index.times[0] if index.times else 0.0)


def small() -> list[bytes]:
    shapes = [
        Shape(seconds=3.0, bframes=1, layout="last"), Shape(seconds=3.0), Shape(seconds=3.0, layout="fragments"),
        Shape(seconds=3.0, layout="sidx"), Shape(seconds=3.0, container="matroska", words=(Words("ass"),)),
        Shape(seconds=3.0, container="matroska", cues_first=True),
        Shape(seconds=3.0, container="webm", codec="libvpx", sounds=()),
    ]
    paths = [mediafiles.film(shape) for shape in shapes]
    paths += [mediafiles.song(kind, seconds=2.0) for kind in ("mp3", "flac", "ogg", "m4a", "wav")]
    return [path.read_bytes() for path in paths]


HEADS = small()
