"""Torrent files: what loads has safe, distinct names, keeps its info hash, and loads again from its own bytes."""

from __future__ import annotations

from fuzz.degenerate import CASES

from wildbach.protocol.metainfo import Info, Metainfo
from wildbach.protocol.metainfo.paths import fold

SEEDS = [case.data for case in CASES if len(case.data) < 20_000]
TOKENS = [
    b"4:infod", b"5:filesl", b"4:pathl", b"6:lengthi1e", b"9:file treed", b"0:d", b"12:meta versioni2e", b"e", b"ee",
    b"12:piece lengthi16384e", b"4:attr1:p", b"4:attr1:l", b"12:symlink pathl", b"2:..", b"1:/", b"3:CON", b"1:\\",
    b"3:\xe2\x80\xae", b"0:", b"11:pieces root32:", b"12:piece layersd", b"7:privatei1e", b"6:sourcei1e", b"de", b"le",
]


def one_input(data: bytes) -> None:
    torrent = Metainfo.parse(data)
    info = torrent.info
    seen = set()
    for file in info.files:
        for part in file.path.parts:
            if part in ("", ".", "..") or any(c in part for c in "/\\\0\u202e") or len(part.encode()) > 240:
                raise AssertionError(f"unsafe name {part!r}")
        if file.pad:
            continue
        key = "/".join(map(fold, file.path.parts))
        if key in seen:
            raise AssertionError(f"{file.path} stands twice")
        seen.add(key)
    geometry = info.geometry
    if len(geometry.files) != len(info.files) or not geometry.size:
        raise AssertionError("files and geometry disagree")
    last = geometry.piece_count - 1
    geometry.extents(last * info.piece_length, geometry.piece_size(last))
    if Info.parse(info.raw).hashes != info.hashes:
        raise AssertionError("the info dictionary alone has other hashes")
    again = torrent.to_bytes()
    if Metainfo.parse(again).info.hashes != info.hashes or Metainfo.parse(again).to_bytes() != again:
        raise AssertionError("does not load again")
