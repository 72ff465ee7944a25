"""Files without an index of every second: their length, and that bytes and time go at about the same pace.

Known are mp3, FLAC, Ogg, WAV, AVI and MPEG transport streams. Seek points of FLAC are used where it has them.
"""

from __future__ import annotations

from typing import Final

from wildbach.base import limits
from wildbach.protocol.media.index import Mark, MediaIndex, MediaTrack, made
from wildbach.protocol.media.source import WINDOW, Pull, Source

_MP3_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_BITS: Final = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"Kilobits a second of layer III, by whether it is MPEG 1."
_TS_PACKET: Final = 188
_PCR_HZ: Final = 90_000
_OGG_TAIL: Final = 64 * limits.KIB
"A page has at most so many bytes."


def scan(source: Source, head: bytes) -> Pull[MediaIndex | None]:
    """What can be told of a file that begins with `head`; None where that is nothing."""
    if head[:3] == b"ID3":
        return (yield from _behind_id3(source, head))
    if head[:4] == b"fLaC":
        return (yield from _flac(source, 0))
    if head[:4] == b"OggS":
        return (yield from _ogg(source, head))
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav(source.size, head)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _avi(source.size, head)
    if head[0] == 0x47 and head[_TS_PACKET : _TS_PACKET + 1] == b"\x47":
        return (yield from _transport_stream(source, head))
    return _mp3(source.size, head, 0)


def _behind_id3(source: Source, head: bytes) -> Pull[MediaIndex | None]:
    """Tags may hold pictures, so what follows them is read on its own."""
    start = 10 + (head[6] & 127) * (1 << 21) + (head[7] & 127) * (1 << 14) + (head[8] & 127) * 128 + (head[9] & 127)
    if start + 16 > source.size:
        return None
    raw = yield from source.get(start, min(source.size - start, 4 * limits.KIB))
    if raw[:4] == b"fLaC":
        return (yield from _flac(source, start))
    return _mp3(source.size, raw, start)


def _mp3(size: int, raw: bytes, start: int) -> MediaIndex | None:
    """The first frame says the rate; one with a table of contents how many frames follow (Xing, Info, VBRI)."""
    at = next((at for at in range(min(len(raw) - 4, 2 * limits.KIB)) if _is_frame(raw[at : at + 4])), None)
    if at is None:
        return None
    version = raw[at + 1] >> 3 & 3
    newer = version == 3
    bits = _MP3_BITS[newer][raw[at + 2] >> 4] * 1000
    rate = _MP3_RATES[version][raw[at + 2] >> 2 & 3]
    mono = raw[at + 3] >> 6 == 3
    table = at + 4 + ((17 if mono else 32) if newer else (9 if mono else 17))
    frames = 0
    if raw[table : table + 4] in (b"Xing", b"Info") and len(raw) >= table + 12 and raw[table + 7] & 1:
        frames = int.from_bytes(raw[table + 8 : table + 12], "big")
    elif raw[at + 36 : at + 40] == b"VBRI":
        frames = int.from_bytes(raw[at + 50 : at + 54], "big")
    duration = frames * (1152 if newer else 576) / rate if frames else (size - start - at) * 8 / bits
    return made("mp3", size, duration, [MediaTrack(1, "audio", "mp3")], start=start + at)


def _is_frame(raw: bytes) -> bool:
    """Whether that is the head of a frame of layer III."""
    return (
        raw[0] == 0xFF and raw[1] & 0xE6 == 0xE2 and raw[1] >> 3 & 3 != 1
        and raw[2] >> 4 not in (0, 15) and raw[2] >> 2 & 3 != 3
    )


def _flac(source: Source, start: int) -> Pull[MediaIndex | None]:
    """STREAMINFO says how long it is, SEEKTABLE where some samples stand (RFC 9639)."""
    at = start + 4
    rate = total = 0
    points: list[tuple[int, int]] = []
    while at + 4 <= source.size:
        source.look()
        raw = yield from source.get(at, 4)
        kind, length = raw[0] & 127, int.from_bytes(raw[1:4], "big")
        if at + 4 + length > source.size:
            return None
        if kind == 0 and length >= 34:
            info = yield from source.get(at + 4, 34)
            packed = int.from_bytes(info[10:18], "big")
            rate, total = packed >> 44, packed & ((1 << 36) - 1)
        elif kind == 3 and length <= limits.MIB:
            table = yield from source.get(at + 4, length)
            points = [
                (int.from_bytes(table[n : n + 8], "big"), int.from_bytes(table[n + 8 : n + 16], "big"))
                for n in range(0, length - length % 18, 18)
            ]
        at += 4 + length
        if raw[0] & 128:
            break
    if not rate:
        return None
    known = [Mark(at, 0.0)]
    known += [Mark(at + place, sample / rate) for sample, place in points if 0 < sample <= total]
    return made("flac", source.size, total / rate, [MediaTrack(1, "audio", "flac")],
                keyframes=[(mark.seconds, mark.offset) for mark in known] if points else (), marks=known)


def _ogg(source: Source, head: bytes) -> Pull[MediaIndex | None]:
    """The first page says codec and rate, the last one how many samples there were (RFC 3533, 7845)."""
    body = 27 + head[26]
    packet = head[body : body + 64]
    skipped = 0
    if packet[:8] == b"OpusHead" and len(packet) >= 12:
        codec, rate, skipped = "opus", 48_000, int.from_bytes(packet[10:12], "little")
    elif packet[:7] == b"\x01vorbis" and len(packet) >= 16:
        codec, rate = "vorbis", int.from_bytes(packet[12:16], "little")
    elif packet[:5] == b"\x7fFLAC" and len(packet) >= 31:
        codec, rate = "flac", int.from_bytes(packet[27:30], "big") >> 4
    else:
        return None
    length = min(source.size, _OGG_TAIL + 282)
    tail = yield from source.get(source.size - length, length)
    at = tail.rfind(b"OggS\0")
    if at < 0 or at + 14 > len(tail) or not rate:
        return None
    granule = int.from_bytes(tail[at + 6 : at + 14], "little", signed=True)
    if granule <= skipped:
        return None
    return made("ogg", source.size, (granule - skipped) / rate, [MediaTrack(1, "audio", codec)])


def _wav(size: int, head: bytes) -> MediaIndex | None:
    at, rate = 12, 0
    while at + 8 <= len(head):
        kind, length = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if kind == b"fmt ":
            rate = int.from_bytes(head[at + 16 : at + 20], "little")
        elif kind == b"data":
            if not rate:
                return None
            start = at + 8
            return made("wav", size, min(length, size - start) / rate, [MediaTrack(1, "audio", "pcm")], start=start)
        at += 8 + length + length % 2
    return None


def _avi(size: int, head: bytes) -> MediaIndex | None:
    at = head.find(b"avih", 12, 400)
    if at < 0 or at + 28 > len(head):
        return None
    each, count = int.from_bytes(head[at + 8 : at + 12], "little"), int.from_bytes(head[at + 24 : at + 28], "little")
    return made("avi", size, each * count / 1_000_000)


def _transport_stream(source: Source, head: bytes) -> Pull[MediaIndex | None]:
    """From the first clock of a programme to its last (ISO/IEC 13818-1)."""
    whole = source.size - source.size % _TS_PACKET
    start = max(0, whole - WINDOW // _TS_PACKET * _TS_PACKET)
    tail = yield from source.get(start, whole - start)
    first, last = _clocks(head), _clocks(tail)
    for pid, ticks in first.items():
        if pid in last:
            gone = (last[pid][1] - ticks[0]) % (1 << 33)
            return made("mpegts", source.size, gone / _PCR_HZ)
    return None


def _clocks(data: bytes) -> dict[int, tuple[int, int]]:
    """The first and last clock of each stream of packets."""
    found: dict[int, tuple[int, int]] = {}
    for at in range(0, len(data) - _TS_PACKET + 1, _TS_PACKET):
        if data[at] != 0x47:
            break
        if data[at + 3] & 0x20 and data[at + 4] >= 7 and data[at + 5] & 0x10:
            pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
            ticks = int.from_bytes(data[at + 6 : at + 10], "big") << 1 | data[at + 10] >> 7
            found[pid] = (found.get(pid, (ticks, 0))[0], ticks)
    return found
