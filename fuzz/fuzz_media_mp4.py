"""mp4 files, whole and in fragments: bounded reads, and answers within the file."""

from __future__ import annotations

from fuzz.media import scan

SEEDS: list[bytes] = [
    b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\0mdat",
    b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\1mdat\0\0\0\0\0\0\0\x20" + bytes(40),
    b"\0\0\0\x08free" * 20,
]
TOKENS: list[bytes] = [
    b"\0\0\0\0moov", b"\0\0\0\x08trak", b"\0\0\0\x10stts\0\0\0\0\0\0\0\0", b"stss", b"stsc", b"stsz", b"stz2", b"stco",
    b"co64", b"ctts", b"elst", b"mvex", b"trex", b"moof", b"traf", b"tfhd", b"tfdt", b"trun", b"sidx", b"mfra", b"tfra",
    b"mfro", b"\0\0\0\1", b"\x80\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\2\0\0\0\1\xff\xff\xff\xff",
]


def one_input(data: bytes) -> None:
    scan(data)
