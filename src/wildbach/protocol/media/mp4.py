"""mp4 and QuickTime files: the tables of `moov` say where each sample stands (ISO/IEC 14496-12).

`moov` is looked for by jumping from box to box, so it costs a few reads wherever it stands. A file in fragments has
empty tables; `fragments` goes on there.
"""

from __future__ import annotations

from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.media import fragments
from wildbach.protocol.media.boxes import boxes, first, number, read_head, signed
from wildbach.protocol.media.index import Mark, MediaIndex, MediaTrack, made, text, within
from wildbach.protocol.media.samples import Samples
from wildbach.protocol.media.source import Pull, Source

FIRST: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
"The boxes such a file may begin with."
_KINDS: Final = {b"vide": "video", b"soun": "audio", b"sbtl": "subtitle", b"text": "subtitle", b"subt": "subtitle",
                 b"clcp": "subtitle"}
_CODECS: Final = {
    b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"dvh1": "hevc", b"dvhe": "hevc",
    b"av01": "av1", b"vp08": "vp8", b"vp09": "vp9", b"mp4v": "mpeg4", b"ac-3": "ac3", b"ec-3": "eac3",
    b"Opus": "opus", b"fLaC": "flac", b"alac": "alac", b".mp3": "mp3", b"tx3g": "mov_text", b"wvtt": "webvtt",
    b"stpp": "ttml", b"jpeg": "mjpeg", b"apcn": "prores", b"apch": "prores", b"dtsc": "dts", b"dtse": "dts",
}
_OBJECTS: Final = {0x20: "mpeg4", 0x40: "aac", 0x66: "aac", 0x67: "aac", 0x68: "aac", 0x69: "mp3", 0x6B: "mp3",
                   0xA5: "ac3", 0xA6: "eac3", 0xA9: "dts", 0xAD: "opus", 0xDD: "vorbis"}


def scan(source: Source) -> Pull[MediaIndex | None]:
    """The index of the file; None where there is none in it."""
    at = 0
    while (box := (yield from read_head(source, at))) is not None:
        if box.kind == b"moov":
            within(box.end - box.start, limits.MEDIA_INDEX_BYTES, "moov")
            moov = memoryview((yield from source.get(box.start, box.end - box.start)))
            movie = fragments.Movie(moov)
            tracks = _tracks(moov, movie.timescale)
            if movie.fragmented:
                return (yield from _in_fragments(source, box.end, movie, tracks))
            return _whole(source.size, tracks, movie)
        at = box.end
    return None


class _Track:
    """A track as `moov` describes it."""

    def __init__(self, trak: memoryview, movie_scale: int) -> None:
        tkhd, mdia = first(trak, b"tkhd"), first(trak, b"mdia")
        mdhd = first(mdia, b"mdhd")
        wide = number(tkhd, 0, 1) == 1
        self.number = number(tkhd, 20 if wide else 12, 4)
        wide = number(mdhd, 0, 1) == 1
        self.scale = number(mdhd, 20 if wide else 12, 4)
        if self.scale == 0:
            raise FormatError("a track counts in no time", where="mdhd")
        length = number(mdhd, 24 if wide else 16, 8 if wide else 4)
        self.duration = 0.0 if length >= (1 << (64 if wide else 32)) - 1 else length / self.scale
        packed = number(mdhd, 32 if wide else 20, 2)
        self.language = _language(packed)
        self.kind = _KINDS.get(bytes(first(mdia, b"hdlr")[8:12]), "other")
        self.table = first(mdia, b"minf", b"stbl")
        self.codec = _codec(first(self.table, b"stsd"))
        self.title = text(bytes(first(trak, b"udta", b"name")[:1000]))
        self.shift = _shift(first(trak, b"edts", b"elst"), movie_scale, self.scale)
        "Seconds that are added to the times of the samples."

    def described(self) -> MediaTrack:
        return MediaTrack(self.number, self.kind, self.codec, self.language, self.title)


def _tracks(moov: memoryview, movie_scale: int) -> list[_Track]:
    found: list[_Track] = []
    for kind, content in boxes(moov):
        if kind == b"trak":
            within(len(found) + 1, limits.MEDIA_TRACKS, "tracks")
            found.append(_Track(content, movie_scale))
    return found


def _whole(size: int, tracks: list[_Track], movie: fragments.Movie) -> MediaIndex | None:
    main = _main(tracks)
    keyframes: list[tuple[float, int]] = []
    marks: list[Mark] = []
    for track in tracks:
        if track.kind not in ("video", "audio"):
            continue
        samples = Samples(track.table, track.scale)
        marks += (Mark(place, at + track.shift) for at, place in samples.chunks(limits.MEDIA_MARKS))
        if track is main:
            keyframes = [(at + track.shift, place) for at, place in samples.keyframes()]
            marks += (Mark(place, at) for at, place in keyframes[:: 1 + len(keyframes) // limits.MEDIA_MARKS])
    duration = movie.duration or max((track.duration for track in tracks), default=0.0)
    return made("mp4", size, duration, (track.described() for track in tracks), title=movie.title,
                keyframes=keyframes, marks=marks)


def _in_fragments(
    source: Source, end: int, movie: fragments.Movie, tracks: list[_Track]
) -> Pull[MediaIndex | None]:
    main = _main(tracks)
    if main is None:
        return None
    found = yield from fragments.scan(source, end, movie, main.number, main.scale)
    duration = movie.duration or max((track.duration for track in tracks), default=0.0) or found.duration
    if not duration and found.keyframes:
        # Nobody says how long it is: the part that was walked through tells how much a second takes.
        at, place = found.keyframes[-1]
        duration = at * source.size / place if place else 0.0
    return made("mp4", source.size, duration, (track.described() for track in tracks), title=movie.title,
                keyframes=((at + main.shift, place) for at, place in found.keyframes), start=end)


def _main(tracks: list[_Track]) -> _Track | None:
    """The track whose keyframes matter: the first picture, or else the first sound."""
    for kind in ("video", "audio"):
        for track in tracks:
            if track.kind == kind:
                return track
    return None


def _language(packed: int) -> str:
    letters = "".join(chr(0x60 + (packed >> shift & 31)) for shift in (10, 5, 0))
    return letters if letters.isalpha() and letters.islower() and letters != "und" else ""


def _codec(stsd: memoryview) -> str:
    """The codec of the first sample entry; `mp4a` holds several, and says which deep inside."""
    name = bytes(stsd[12:16])
    if name in (b"mp4a", b"mp4v"):
        entry = bytes(stsd[16:400])
        at = entry.find(b"esds")
        found = _object(entry, at + 8) if at >= 0 else None
        if found is not None:
            return _OBJECTS.get(found, name.decode("latin-1"))
    return _CODECS.get(name, text(name).strip())


def _object(entry: bytes, at: int) -> int | None:
    """The kind that an ES descriptor says, which holds the descriptor of the decoder (ISO/IEC 14496-1, 7.2.6)."""
    at = _behind_length(entry, at + 1) + 3
    if at >= len(entry):
        return None
    flags = entry[at - 1]
    if flags & 0x80:
        at += 2
    if flags & 0x40 and at < len(entry):
        at += 1 + entry[at]
    if flags & 0x20:
        at += 2
    if entry[at : at + 1] != b"\x04":
        return None
    at = _behind_length(entry, at + 1)
    return entry[at] if at < len(entry) else None


def _behind_length(entry: bytes, at: int) -> int:
    """Lengths of descriptors have seven bits in each byte, and a mark where another one follows."""
    while at < len(entry) and entry[at] & 0x80:
        at += 1
    return at + 1


def _shift(elst: memoryview, movie_scale: int, scale: int) -> float:
    """What the edit list does to the beginning: an empty edit delays the track, another one cuts its start off."""
    if len(elst) < 8:
        return 0.0
    wide = elst[0] == 1
    width = 8 if wide else 4
    delay = 0.0
    for n in range(min(number(elst, 4, 4), 2)):
        at = 8 + n * (2 * width + 4)
        if at + 2 * width > len(elst):
            break
        media = signed(elst, at + width, width)
        if media >= 0:
            return delay - media / scale
        delay += number(elst, at, width) / movie_scale if movie_scale else 0.0
    return delay
