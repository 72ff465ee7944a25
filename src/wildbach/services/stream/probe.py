"""What a media file is made of, in values: its tracks, its chapters, and where it may be cut into segments.

They are made by a process that read hostile bytes (`mediaworker`), so they are checked again where they arrive: texts
are clean and short, numbers are in bounds. What does not fit is refused as a whole.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError

Text = Annotated[str, msgspec.Meta(max_length=limits.MEDIA_TEXT_CHARS)]
Name = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9_.,+ -]*$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
Index = Annotated[int, msgspec.Meta(ge=0, le=9999)]
"It stands in the paths of segments."
Seconds = Annotated[float, msgspec.Meta(ge=0, le=limits.PLAYED_SECONDS)]
Tick = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the file."""

    index: Index
    "By which it is asked for; the file's own count."
    kind: Literal["video", "audio", "subtitle"]
    codec: Name
    "As FFmpeg names it."
    codecs: Name = ""
    "As browsers name it (RFC 6381); empty where that is not known."
    language: Name = ""
    title: Text = ""
    default: bool = False
    forced: bool = False
    copied: bool = False
    "It goes into a segment as it is; another one has to be made anew."
    text: bool = False
    "Subtitles that are text; others are pictures, and cannot be shown."
    width: Count = 0
    height: Count = 0
    rate: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0
    "Pictures a second."
    channels: Count = 0
    sample_rate: Count = 0


class Chapter(msgspec.Struct, frozen=True):
    start: Seconds
    title: Text = ""


class Plan(msgspec.Struct, frozen=True):
    """Where segments begin, in ticks of the stream that leads; each but the first begins at a key frame."""

    starts: Annotated[tuple[Tick, ...], msgspec.Meta(max_length=limits.MEDIA_SEGMENTS)] = ()
    times: Annotated[tuple[Seconds, ...], msgspec.Meta(max_length=limits.MEDIA_SEGMENTS)] = ()
    "The same in seconds, from 0."
    exact: bool = False
    "From the index of the file. Otherwise evenly spaced, and a segment begins at the first key frame after its time."


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    container: Name
    "As FFmpeg names it, such as `matroska,webm`."
    duration: Seconds = 0.0
    "0 where it is not known."
    bitrate: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)] = 0
    "Bits a second of the whole file."
    tracks: Annotated[tuple[Track, ...], msgspec.Meta(max_length=limits.MEDIA_TRACKS)] = ()
    chapters: Annotated[tuple[Chapter, ...], msgspec.Meta(max_length=limits.MEDIA_CHAPTERS)] = ()
    plan: Plan = Plan()

    def of(self, kind: str) -> tuple[Track, ...]:
        return tuple(track for track in self.tracks if track.kind == kind)

    def track(self, index: int) -> Track | None:
        return next((track for track in self.tracks if track.index == index), None)

    @property
    def mime(self) -> str:
        """What a browser is asked about playing the file as it is; empty where no browser plays such a container."""
        names = self.container.split(",")
        main = "video" if self.of("video") else "audio"
        kind = next((kind for name, kind in _MIMES if name in names), "")
        if not kind:
            return ""
        codecs = ", ".join(track.codecs for track in (*self.of("video")[:1], *self.of("audio")[:1]) if track.codecs)
        return f"{main}/{kind}" + (f'; codecs="{codecs}"' if codecs and kind != "mpeg" else "")


_MIMES = (("mp4", "mp4"), ("webm", "webm"), ("mp3", "mpeg"), ("ogg", "ogg"), ("flac", "flac"), ("wav", "wav"))
_DECODER = msgspec.json.Decoder(Probe)


def decode(raw: bytes) -> Probe:
    """Raises FormatError: a value is out of bounds, or the plan is not one."""
    try:
        probe = _DECODER.decode(raw)
    except (msgspec.MsgspecError, ValueError) as error:
        raise FormatError(str(error), where="probe") from None
    plan = probe.plan
    if len(plan.starts) != len(plan.times):
        raise FormatError("as many times as starts are needed", where="plan")
    for values in (plan.starts, plan.times):
        if any(later <= earlier for earlier, later in itertools.pairwise(values)):
            raise FormatError("segments must follow each other", where="plan")
    if plan.times and (plan.times[0] != 0 or not math.isfinite(plan.times[-1])):
        raise FormatError("segments begin at 0", where="plan")
    return probe
