"""Small torrents for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, hash_pieces

CONTENT = {
    ("a.bin",): bytes(range(256)) * 300,
    ("sub", "b.txt"): b"hello\n",
    ("sub", "ü 日本.bin"): b"\x07" * 40_000,
    ("zero",): b"",
}


def write_content(folder: Path, files: dict[tuple[str, ...], bytes] = CONTENT) -> None:
    for parts, data in files.items():
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def torrent_of(
    files: dict[tuple[str, ...], bytes] = CONTENT, *, name: str = "things", kind: Kind = "hybrid",
    trackers: list[list[str]] | None = None, single: bool = False, private: bool = False,
) -> Metainfo:
    plan = BuildPlan(
        name, [SourceFile(parts, len(data)) for parts, data in files.items()], kind=kind, piece_length=16384,
        single=single,
    )
    data = [files[file.path] for file in plan.files]
    pieces = range(plan.geometry.piece_count)
    v1, v2 = hash_pieces(plan, pieces, lambda file, offset, length: data[file][offset : offset + length])
    plan.add(pieces, v1, v2)
    return plan.finish(trackers=trackers or [], private=private, comment="for tests")


def raw_v1(name: bytes, files: list[list[bytes]], length: int = 10) -> bytes:
    """A v1 torrent with names as bytes, however odd."""
    total = length * len(files)
    listed = list[Value]([{b"length": length, b"path": list[Value](path)} for path in files])
    info: dict[bytes, Value] = {
        b"files": listed, b"name": name, b"piece length": 16384, b"pieces": b"\x11" * 20 * -(-total // 16384),
    }
    return bencode.encode({b"info": info})
