"""Playlists of HLS (RFC 8216): what a player is told of a film that is cut while it is watched.

Pure. A `Choice` says which tracks go in and how; it stands in the path of every segment, so that a segment is known by
its address alone. All segments of a film are listed from the start, whether their bytes have come or not.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from wildbach.base.errors import UsageError
from wildbach.services.stream.probe import Probe, Track

TYPE: Final = "application/vnd.apple.mpegurl"
HEIGHTS: Final = (360, 480, 720, 1080)
"To which pictures may be made anew."
USUAL_HEIGHT: Final = 720
_VARIANT: Final = re.compile(r"(?:v(\d{1,4}))?(?:a(\d{1,4}))?(?:h(\d{3,4}))?")
_MADE_SOUND: Final = "mp4a.40.2"
_MADE_BITS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Indexes of tracks, -1 for none; with a height pictures are made anew."""

    video: int
    audio: int
    height: int = 0

    @property
    def variant(self) -> str:
        """As it stands in a path: `v0a1`, `v0a1h720`, `a0`."""
        return "".join((
            f"v{self.video}" if self.video >= 0 else "", f"a{self.audio}" if self.audio >= 0 else "",
            f"h{self.height}" if self.height else ""))


def choose(probe: Probe, *, audio: int | None = None, height: int = 0) -> Choice:
    """What to play: the first pictures, and sound `audio` or the one that the file prefers. Raises UsageError
    (`needs_transcode`: these pictures go into no segment as they are; `no_track`; `no_length`).
    """
    pictures, sounds = probe.of("video"), probe.of("audio")
    if not probe.plan.starts or not (pictures or sounds):
        raise UsageError("this file does not say how long it is, or has nothing to play", code="no_length")
    sound = next((track for track in sounds if track.default), sounds[0] if sounds else None)
    if audio is not None:
        sound = next((track for track in sounds if track.index == audio), None)
        if sound is None:
            raise UsageError(f"there is no sound track {audio}", code="no_track")
    if not pictures:
        return Choice(-1, sound.index if sound else -1)
    if height not in (0, *HEIGHTS):
        raise UsageError(f"a height is one of {', '.join(map(str, HEIGHTS))}", code="bad_height")
    if not height and not pictures[0].copied:
        raise UsageError(f"pictures in {pictures[0].codec or 'an unknown codec'} have to be made anew for a browser",
                         code="needs_transcode")
    return Choice(pictures[0].index, sound.index if sound else -1, height)


def parse(probe: Probe, variant: str) -> Choice:
    """The choice that a path names. Raises UsageError: it is none of this film."""
    found = _VARIANT.fullmatch(variant)
    if found is None or not variant:
        raise UsageError("no such playlist", code="no_track")
    choice = choose(probe, audio=int(found[2]) if found[2] else None, height=int(found[3] or 0))
    if choice.variant != variant:
        raise UsageError("no such playlist", code="no_track")
    return choice


def master(probe: Probe, choice: Choice) -> str:
    """The playlist of playlists; there is one. Its addresses are relative to the folder it lies in."""
    pictures, sound = probe.track(choice.video), probe.track(choice.audio)
    bits = _MADE_BITS if choice.height else max(probe.bitrate, 100_000)
    line = f"#EXT-X-STREAM-INF:BANDWIDTH={bits}"
    codecs = codec_names(probe, choice)
    if codecs:
        line += f',CODECS="{codecs}"'
    if pictures is not None and pictures.width and pictures.height:
        width, height = _size(pictures, choice.height)
        line += f",RESOLUTION={width}x{height}"
    if pictures is not None and pictures.rate:
        line += f",FRAME-RATE={pictures.rate:.3f}"
    if pictures is None and sound is None:
        raise UsageError("there is nothing to play", code="no_track")
    return f"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n{line}\n{choice.variant}/media.m3u8\n"


def codec_names(probe: Probe, choice: Choice) -> str:
    """What is in the segments, in the browser's words; empty where one of them has no name."""
    names = []
    pictures, sound = probe.track(choice.video), probe.track(choice.audio)
    if pictures is not None:
        made = "avc1.42c028" if choice.height > USUAL_HEIGHT else "avc1.42c01f"
        names.append(made if choice.height else pictures.codecs)
    if sound is not None:
        names.append(sound.codecs if sound.copied else _MADE_SOUND)
    return ",".join(names) if all(names) else ""


def media(probe: Probe) -> str:
    """The playlist of the segments: `init.mp4`, `0.m4s`, `1.m4s` and so on."""
    times = (*probe.plan.times, probe.duration)
    lengths = [max(0.001, end - start) for start, end in itertools.pairwise(times)]
    parts = [
        "#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{max(1, int(max(lengths) + 0.999))}",
        "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-PLAYLIST-TYPE:VOD", '#EXT-X-MAP:URI="init.mp4"']
    for number, length in enumerate(lengths):
        parts += (f"#EXTINF:{length:.3f},", f"{number}.m4s")
    return "\n".join((*parts, "#EXT-X-ENDLIST", ""))


def _size(track: Track, height: int) -> tuple[int, int]:
    if not height:
        return track.width, track.height
    made = max(2, min(height, track.height) // 2 * 2)
    return max(2, round(track.width * made / track.height / 2) * 2), made
