"""Matroska and WebM (RFC 9559): Info and Tracks stand in front, Cues say in which cluster each keyframe is.

What does not stand before the first cluster is found through SeekHead. Each place is visited once, so seek heads that
lead in circles lead nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.media.ebml import Element, elements, floating, read_head, string, unsigned
from wildbach.protocol.media.index import MediaIndex, MediaTrack, made, within
from wildbach.protocol.media.source import PEEK, Pull, Source

MAGIC: Final = b"\x1a\x45\xdf\xa3"
_DOC_TYPE: Final = 0x4282
_SEGMENT: Final = 0x18538067
_SEEK_HEAD: Final = 0x114D9B74
_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_INFO: Final = 0x1549A966
_SCALE, _DURATION, _TITLE = 0x2AD7B1, 0x4489, 0x7BA9
_TRACKS: Final = 0x1654AE6B
_ENTRY, _NUMBER, _TYPE, _CODEC, _LANGUAGE, _BCP47, _NAME = 0xAE, 0xD7, 0x83, 0x86, 0x22B59C, 0x22B59D, 0x536E
_CUES: Final = 0x1C53BB6B
_POINT, _TIME, _POSITIONS, _CUE_TRACK, _CLUSTER_AT = 0xBB, 0xB3, 0xB7, 0xF7, 0xF1
_CLUSTER: Final = 0x1F43B675
_READ: Final = (_SEEK_HEAD, _INFO, _TRACKS, _CUES)
_KINDS: Final = {1: "video", 2: "audio", 17: "subtitle"}
_CODECS: Final = {
    "V_MPEG4/ISO/AVC": "h264", "V_MPEGH/ISO/HEVC": "hevc", "V_AV1": "av1", "V_VP8": "vp8", "V_VP9": "vp9",
    "V_MPEG4/ISO/ASP": "mpeg4", "V_MPEG4/ISO/SP": "mpeg4", "V_MPEG1": "mpeg1video", "V_MPEG2": "mpeg2video",
    "V_THEORA": "theora", "V_MJPEG": "mjpeg", "A_AC3": "ac3", "A_EAC3": "eac3", "A_DTS": "dts", "A_TRUEHD": "truehd",
    "A_OPUS": "opus", "A_VORBIS": "vorbis", "A_FLAC": "flac", "A_MPEG/L3": "mp3", "A_MPEG/L2": "mp2",
    "S_TEXT/UTF8": "subrip", "S_TEXT/ASS": "ass", "S_TEXT/SSA": "ass", "S_TEXT/WEBVTT": "webvtt",
    "S_HDMV/PGS": "pgs", "S_VOBSUB": "dvdsub", "S_DVBSUB": "dvbsub",
}


@dataclass
class _Found:
    scale: int = 1_000_000
    "Nanoseconds of a tick."
    ticks: float = 0.0
    title: str = ""
    tracks: list[MediaTrack] = field(default_factory=list)
    cues: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    "Of each track: ticks, and where the cluster stands within the segment."
    seeks: list[tuple[int, int]] = field(default_factory=list)
    "Kind of an element, and where it stands within the segment."
    clusters: int | None = None
    "Where the first stands in the file."


def scan(source: Source) -> Pull[MediaIndex | None]:
    """The index of the file; None where it tells no times."""
    head = yield from read_head(source, 0, source.size)
    if head is None or not head.known:
        return None
    within(head.end - head.start, 64 * limits.KIB, "EBML")
    described = memoryview((yield from source.get(head.start, head.end - head.start)))
    kind = next((string(content) for name, content in elements(described) if name == _DOC_TYPE), "matroska")
    segment = yield from _segment(source, head.end)
    if segment is None:
        return None
    found = _Found()
    visited = yield from _in_front(source, segment, found)
    yield from _elsewhere(source, segment, found, visited)
    return _made("webm" if kind == "webm" else "matroska", source.size, segment, found)


def _segment(source: Source, at: int) -> Pull[Element | None]:
    """The segment; one that claims more than the file has (as a file cut off does) ends with the file."""
    raw = yield from source.get(at, min(12, source.size - at))
    if raw[:4] != _SEGMENT.to_bytes(4, "big"):
        return None
    found = yield from read_head(source, at, source.size)
    if found is not None:
        return found
    start = at + 4 + 9 - raw[4].bit_length() if len(raw) == 12 else source.size
    return Element(_SEGMENT, start, source.size, False)


def _in_front(source: Source, segment: Element, found: _Found) -> Pull[set[int]]:
    """Reads what stands before the first cluster; where it has been."""
    visited: set[int] = set()
    at = segment.start
    while (element := (yield from read_head(source, at, segment.end))) is not None:
        if element.kind == _CLUSTER:
            found.clusters = at
            break
        if not element.known:
            break  # Only clusters may be of unknown length: nothing tells where this one ends.
        if element.kind in _READ:
            visited.add(at)
            yield from _take(source, element, found)
        at = element.end
    return visited


def _elsewhere(source: Source, segment: Element, found: _Found, visited: set[int]) -> Pull[None]:
    """Follows the seek heads. They may be wrong, as files are edited: then what they promise is missing."""
    done = 0
    while done < len(found.seeks):
        kind, place = found.seeks[done]
        done += 1
        at = segment.start + place
        if at in visited:
            continue
        visited.add(at)
        element = yield from read_head(source, at, segment.end)
        if element is None or element.kind != kind or not element.known:
            continue
        try:
            yield from _take(source, element, found)
        except LimitError:
            raise
        except FormatError:
            if kind in (_INFO, _TRACKS):
                raise


def _take(source: Source, element: Element, found: _Found) -> Pull[None]:
    length = element.end - element.start
    within(length, limits.MEDIA_INDEX_BYTES, "element")
    content = memoryview((yield from source.get(element.start, length, PEEK)))
    if element.kind == _SEEK_HEAD:
        _read_seeks(content, found)
    elif element.kind == _INFO:
        _read_info(content, found)
    elif element.kind == _TRACKS and not found.tracks:
        _read_tracks(content, found)
    elif element.kind == _CUES and not found.cues:
        found.cues = _read_cues(content)


def _read_seeks(content: memoryview, found: _Found) -> None:
    for name, seek in elements(content):
        if name != _SEEK:
            continue
        parts = dict(elements(seek))
        kind = unsigned(parts.get(_SEEK_ID, memoryview(b"")))
        if kind in _READ and len(found.seeks) < limits.MEDIA_TRACKS:
            found.seeks.append((kind, unsigned(parts.get(_SEEK_POSITION, memoryview(b"")))))


def _read_info(content: memoryview, found: _Found) -> None:
    for name, value in elements(content):
        if name == _SCALE:
            found.scale = unsigned(value)
        elif name == _DURATION:
            found.ticks = floating(value)
        elif name == _TITLE:
            found.title = string(value)


def _read_tracks(content: memoryview, found: _Found) -> None:
    for name, entry in elements(content):
        if name != _ENTRY:
            continue
        within(len(found.tracks) + 1, limits.MEDIA_TRACKS, "tracks")
        parts = dict(elements(entry))
        nothing = memoryview(b"")
        language = string(parts[_LANGUAGE]) if _LANGUAGE in parts else "eng"
        language = string(parts[_BCP47]) if _BCP47 in parts else language
        codec = string(parts.get(_CODEC, nothing))
        found.tracks.append(MediaTrack(
            unsigned(parts.get(_NUMBER, nothing)), _KINDS.get(unsigned(parts.get(_TYPE, nothing)), "other"),
            _CODECS.get(codec, "aac" if codec.startswith("A_AAC") else codec),
            "" if language == "und" else language, string(parts.get(_NAME, nothing)),
        ))


def _read_cues(content: memoryview) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    count = 0
    for name, point in elements(content):
        if name != _POINT:
            continue
        ticks = 0
        for part, value in elements(point):
            if part == _TIME:
                ticks = unsigned(value)
            elif part == _POSITIONS:
                count += 1
                within(count, limits.MEDIA_CUES, "cues")
                places = dict(elements(value))
                track = unsigned(places.get(_CUE_TRACK, memoryview(b"")))
                found.setdefault(track, []).append((ticks, unsigned(places.get(_CLUSTER_AT, memoryview(b"")))))
    return found


def _made(container: str, size: int, segment: Element, found: _Found) -> MediaIndex | None:
    seconds = found.scale / 1_000_000_000
    cues: list[tuple[int, int]] = []
    for kind in ("video", "audio"):
        for track in found.tracks:
            if track.kind == kind and not cues:
                cues = found.cues.get(track.number, [])
    keyframes = ((ticks * seconds, segment.start + place) for ticks, place in cues)
    start = segment.start if found.clusters is None else found.clusters
    return made(container, size, found.ticks * seconds, found.tracks, title=found.title, keyframes=keyframes,
                start=start)
