"""Looks into a media file: its tracks, chapters and plan of segments. Runs in the process of `mediaworker` alone.

Nothing is believed further than it is needed: counts are cut, texts cleaned, and an index that does not cover the film
is not used.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av.container
import av.stream

from wildbach.base import limits
from wildbach.base.words import clean
from wildbach.services.stream.codecs import COPIED_AUDIO, COPIED_VIDEO, TEXT_SUBTITLES, codec_string
from wildbach.services.stream.probe import Chapter, Plan, Probe, Track

FORMATS: Final = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,flv,asf,ogg,mp3,flac,wav,aac,ac3,eac3,dts,ape,wv,tta,aiff,"
    "rm,amr")
"Those that are one file and name no other: a playlist of a hostile torrent could have any file of this machine read."
TARGET_SECONDS: Final = 4.0
"A segment ends at the first key frame after so many."
_UNKNOWN_SECONDS: Final = 6.0
"Where there is no index."
_INDEX_GAP: Final = 60.0
_INDEX_SLACK: Final = 10.0
"An index that ends more seconds before the film does, and more than two of its own gaps, is not whole."
_INDEXED: Final = frozenset(("mov", "mp4", "matroska", "webm", "avi"))
"Containers that keep an index; of others FFmpeg has one of what it came across."
_BY_DECODING: Final = frozenset(("mov", "mp4", "avi", "flv", "asf"))
"Containers whose index counts by the time of decoding; the others' by that of showing."
_NAME: Final = re.compile(r"[^A-Za-z0-9_.,+ -]")


def open_media(file: Any) -> av.container.InputContainer:
    opened: av.container.InputContainer = av.open(
        file, "r", metadata_errors="replace", buffer_size=1 << 16,
        options={"format_whitelist": FORMATS, "protocol_whitelist": "none", "max_streams": "200",
                 "probesize": "4000000", "analyzeduration": "5000000"})
    return opened


def by_decoding(container: av.container.InputContainer) -> bool:
    return not _BY_DECODING.isdisjoint(container.format.name.split(","))


def indexed(container: av.container.InputContainer) -> bool:
    return not _INDEXED.isdisjoint(container.format.name.split(","))


def origin(container: av.container.InputContainer) -> Fraction:
    """The time in the file that a player shows as 0, in seconds."""
    return Fraction(container.start_time or 0, 1_000_000)


def leading(container: av.container.InputContainer) -> Any:
    """The stream by which the file is cut: the first with moving pictures, else the first with sound, or None."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return container.streams.audio[0] if container.streams.audio else None


def probe(container: av.container.InputContainer) -> Probe:
    duration = _bounded((container.duration or 0) / 1_000_000, limits.PLAYED_SECONDS)
    rate = container.bit_rate or (container.size * 8 / duration if duration else 0)
    # Matroska reads its index when it is first sought in.
    lead = leading(container)
    if lead is not None and duration:
        container.seek(0)
    return Probe(
        container=_name(container.format.name), duration=duration, bitrate=int(_bounded(rate, 1 << 40)),
        tracks=tuple(itertools.islice(_tracks(container), limits.MEDIA_TRACKS)), chapters=_chapters(container),
        plan=_plan(container, lead, duration))


def _tracks(container: av.container.InputContainer) -> Iterator[Track]:
    for stream in container.streams:
        if stream.type not in ("video", "audio", "subtitle"):
            continue
        if stream.disposition & (av.stream.Disposition.attached_pic | av.stream.Disposition.still_image):
            continue
        yield _track(container, stream)


def _track(container: av.container.InputContainer, stream: Any) -> Track:
    context = stream.codec_context
    # Not the name of the decoder, of which there may be several.
    codec = context.codec.canonical_name if context is not None else ""
    extra = bytes(context.extradata or b"") if context is not None else b""
    common = {
        "index": stream.index, "codec": _name(codec), "language": _name(stream.language or ""),
        "title": _text(stream.metadata.get("title", "")),
        "default": bool(stream.disposition & av.stream.Disposition.default),
        "forced": bool(stream.disposition & av.stream.Disposition.forced),
    }
    if stream.type == "video":
        width, height = _count(context.width), _count(context.height)
        bits = 10 if "10" in (context.pix_fmt or "") else 12 if "12" in (context.pix_fmt or "") else 8
        # AVI keeps no time of showing, so pictures that refer to later ones cannot be copied out of it.
        copied = codec in COPIED_VIDEO and bool(extra) and "avi" not in container.format.name
        return Track(
            kind="video", width=width, height=height, copied=copied,
            rate=_bounded(float(stream.average_rate or 0), 1000.0),
            codecs=codec_string(codec, extra, width=width, height=height, bits=bits,
                                profile="".join(filter(str.isdigit, str(stream.profile or "")))), **common)
    if stream.type == "audio":
        return Track(
            kind="audio", channels=_count(context.channels), sample_rate=_count(context.sample_rate),
            copied=codec in COPIED_AUDIO, codecs=codec_string(codec, extra), **common)
    return Track(kind="subtitle", text=codec in TEXT_SUBTITLES, **common)


def _chapters(container: av.container.InputContainer) -> tuple[Chapter, ...]:
    found = []
    for chapter in container.chapters()[:limits.MEDIA_CHAPTERS]:
        base = chapter["time_base"] or Fraction(1)
        start = _bounded(float(chapter["start"] * base), limits.PLAYED_SECONDS)
        found.append(Chapter(start, _text(chapter["metadata"].get("title", ""))))
    return tuple(found)


def _plan(container: av.container.InputContainer, lead: Any, duration: float) -> Plan:
    if lead is None or not duration or not lead.time_base:
        return Plan()
    keys = _keys(lead) if lead.type == "video" and indexed(container) else []
    if keys and _covers(keys, lead.time_base, duration):
        return _by_keys(keys, lead.time_base, duration)
    base = lead.time_base
    first = int(origin(container) / base)
    count = min(limits.MEDIA_SEGMENTS, max(1, int(duration / _UNKNOWN_SECONDS)))
    times = tuple(number * _UNKNOWN_SECONDS for number in range(count))
    return Plan(tuple(first + int(Fraction(time) / base) for time in times), times)


def _keys(lead: Any) -> list[int]:
    if len(lead.index_entries) > limits.MEDIA_INDEX_ENTRIES:
        return []
    keys: list[int] = []
    for entry in lead.index_entries:
        if entry.is_keyframe and not entry.is_discard and (not keys or entry.timestamp > keys[-1]):
            keys.append(entry.timestamp)
    return keys


def _covers(keys: list[int], base: Fraction, duration: float) -> bool:
    gap: int = max((later - earlier for earlier, later in itertools.pairwise(keys)), default=0)
    rest = duration - float((keys[-1] - keys[0]) * base)
    return rest <= min(_INDEX_GAP, max(_INDEX_SLACK, float(2 * gap * base)))


def _by_keys(keys: list[int], base: Fraction, duration: float) -> Plan:
    starts, times = [keys[0]], [0.0]
    for key in keys[1:]:
        time = float((key - keys[0]) * base)
        if time >= limits.PLAYED_SECONDS or time >= duration or len(starts) >= limits.MEDIA_SEGMENTS:
            break
        if time - times[-1] >= TARGET_SECONDS:
            starts.append(key)
            times.append(time)
    return Plan(tuple(starts), tuple(times), exact=True)


def _name(text: str) -> str:
    return _NAME.sub("", text)[:64]


def _text(text: str) -> str:
    return clean(text)[:limits.MEDIA_TEXT_CHARS]


def _count(value: int | None) -> int:
    return min(max(0, value or 0), 1 << 31)


def _bounded(value: float, most: float) -> float:
    return 0.0 if math.isnan(value) else min(max(0.0, value), most)
