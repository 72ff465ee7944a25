"""Files of subtitles in odd encodings: WebVTT comes out, bounded, with nothing else in it."""

from __future__ import annotations

import re

from wildbach.base import limits
from wildbach.services.stream import subtitles

_LINE = r"(?:&(?:amp|lt|gt);|</?[biu]>|[^&<>\n\r])+"
_FILE = re.compile(rf"WEBVTT\n(?:\n[\d:.]+ --> [\d:.]+\n(?:{_LINE}\n)+)*")

SEEDS: list[bytes] = [
    b"1\r\n00:00:01,000 --> 00:00:02,500\r\nHello <i>you</i>\r\n\r\n2\r\n00:01:00,000 --> 00:01:01,000\r\nBye\r\n",
    b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v A>a &amp; b</v>\n",
    b"[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    b"Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}a\\Nb\n"
    b"Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\p1}m 0 0{\\p0}\n",
    "1\n00:00:01,000 --> 00:00:02,000\nü\n".encode("utf-16"),
    "1\n00:00:01,000 --> 00:00:02,000\nü\n".encode("utf-16-be"),
    "1\n00:00:01,000 --> 00:00:02,000\nü\n".encode("cp1252"),
]
TOKENS: list[bytes] = [
    b"\n00:00:01,000 --> 00:00:02,000\n", b"-->", b"\n\n", b"<i>", b"</", b"<00:01.000>", b"&lt;", b"{\\", b"}", b"\\N",
    b"Dialogue:", b"Format:", b",", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xee\x80\x80", b"\0", b"WEBVTT",
]


def one_input(data: bytes) -> None:
    cues = subtitles.parse(data)
    assert all(0 <= cue.start < cue.end <= limits.MEDIA_SECONDS for cue in cues)
    assert _FILE.fullmatch(subtitles.webvtt(cues))
    for codec in ("ass", "subrip", "mov_text", "webvtt"):
        assert _FILE.fullmatch(subtitles.webvtt(subtitles.of_track(codec, [(1.0, 0.0, data)])))
