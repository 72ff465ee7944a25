"""The names that browsers know codecs by (RFC 6381), made of what a container keeps of each track.

Pure, and sure of nothing: what is too short or odd to be understood has the empty name, and a page that cannot ask its
browser by name just tries. Everything is bounded by the length of what is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

COPIED_VIDEO: Final = frozenset(("h264", "hevc", "av1", "vp9"))
"Codecs that may stand in a fragmented MP4 as they are; whether a browser plays one is for the browser to say."
COPIED_AUDIO: Final = frozenset(("aac", "opus"))
"All else becomes AAC: no browser plays DTS, few play AC-3, and FLAC in MP4 is not played by all."
TEXT_SUBTITLES: Final = frozenset(("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"))
_PLAIN: Final = {
    "opus": "opus", "flac": "flac", "vorbis": "vorbis", "mp3": "mp4a.6B", "mp2": "mp4a.6B", "ac3": "ac-3",
    "eac3": "ec-3", "dts": "dtsc", "vp8": "vp8", "alac": "alac", "mpeg4": "mp4v.20.9",
}
_AVC_SPS: Final = 7
_HEVC_SPS: Final = 33
_VP9_LEVELS: Final = (
    (36_864, 10), (73_728, 11), (122_880, 20), (245_760, 21), (552_960, 30), (983_040, 31), (2_228_224, 40),
    (8_912_896, 50), (35_651_584, 60))


def codec_string(
    codec: str, extra: bytes, *, width: int = 0, height: int = 0, bits: int = 8, profile: str = "",
) -> str:
    """As in `avc1.64001f`; empty where it cannot be told. `extra` is the set-up data of the track, in the form of MP4
    or Matroska (avcC, hvcC, av1C, AudioSpecificConfig) or as it stands in a stream.
    """
    if codec == "h264":
        return _avc(extra)
    if codec == "hevc":
        return _hevc(extra)
    if codec == "av1":
        return _av1(extra, bits)
    if codec == "vp9":
        return _vp9(width * height, bits, profile)
    if codec == "aac":
        return f"mp4a.40.{_aac(extra)}"
    return _PLAIN.get(codec, "")


def _avc(extra: bytes) -> str:
    if extra[:1] == b"\x01" and len(extra) >= 4:
        return f"avc1.{extra[1:4].hex()}"
    sps = _unit(extra, lambda head: head & 0x1F == _AVC_SPS)
    return f"avc1.{sps[1:4].hex()}" if len(sps) >= 4 else ""


def _hevc(extra: bytes) -> str:
    if len(extra) >= 13 and extra[0] == 1:
        general = extra[1:13]
    else:
        sps = _unit(extra, lambda head: head >> 1 & 0x3F == _HEVC_SPS)
        general = _unescaped(sps)[3:15]
    if len(general) < 12:
        return ""
    space = ("", "A", "B", "C")[general[0] >> 6]
    tier = "H" if general[0] & 0x20 else "L"
    # The flags stand in the opposite order in the name.
    flags = int(f"{int.from_bytes(general[1:5]):032b}"[::-1], 2)
    constraints = general[5:11].rstrip(b"\0")
    ends = "".join(f".{byte:X}" for byte in constraints)
    return f"hvc1.{space}{general[0] & 0x1F}.{flags:X}.{tier}{general[11]}{ends}"


def _av1(extra: bytes, bits: int) -> str:
    if len(extra) < 4 or extra[0] != 0x81:
        return ""
    tier = "H" if extra[2] & 0x80 else "M"
    depth = 8
    if extra[2] & 0x40:
        depth = 12 if extra[2] & 0x20 else 10
    return f"av01.{extra[1] >> 5}.{extra[1] & 0x1F:02d}{tier}.{max(depth, bits):02d}"


def _vp9(pixels: int, bits: int, profile: str) -> str:
    level = next((level for most, level in _VP9_LEVELS if pixels <= most), 62)
    number = profile[-1:] if profile[-1:] in ("0", "1", "2", "3") else "0" if bits == 8 else "2"
    return f"vp09.0{number}.{level:02d}.{bits:02d}"


def _aac(extra: bytes) -> int:
    """The object type of an AudioSpecificConfig; 2 is AAC-LC, which streams without one are as a rule."""
    if len(extra) < 2:
        return 2
    kind = extra[0] >> 3
    if kind == 31:
        kind = 32 + ((extra[0] & 7) << 3 | extra[1] >> 5)
    return kind or 2


def _unit(stream: bytes, wanted: Callable[[int], bool]) -> bytes:
    """The first unit of a byte stream (Annex B) whose first byte is wanted."""
    for part in stream[:65_536].split(b"\0\0\1"):
        unit = part.rstrip(b"\0")
        if unit and wanted(unit[0]):
            return unit
    return b""


def _unescaped(unit: bytes) -> bytes:
    return unit.replace(b"\0\0\3", b"\0\0")
