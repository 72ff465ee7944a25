"""mp3, FLAC, Ogg, WAV, AVI and transport streams: lengths that fit into the file, or none."""

from __future__ import annotations

from fuzz.media import scan

SEEDS: list[bytes] = [
    b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x40" + bytes(32) + b"Xing\0\0\0\1\0\0\1\0" + bytes(400),
    b"\xff\xf3\x44\xc0" + bytes(400),
    b"fLaC\x80\0\0\x22" + bytes(10) + b"\x0a\xc4\x42\xf0\0\0\xac\x44" + bytes(400),
    b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0OggS\0\4\0\xc0\x5d\0\0\0\0\0" + bytes(60),
]
TOKENS: list[bytes] = [b"ID3", b"Xing", b"Info", b"VBRI", b"fLaC", b"OggS", b"OpusHead", b"\1vorbis", b"\x7fFLAC",
                       b"RIFF", b"WAVE", b"AVI ", b"fmt ", b"data", b"avih", b"\x47", b"\xff\xfb\x90\0"]


def one_input(data: bytes) -> None:
    scan(data)
    scan(data, len(data) + (1 << 30))
