"""Folders with everything that makes trouble, and their torrents, for transfers with other programs."""

from __future__ import annotations

import random
from pathlib import Path

from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, hash_pieces
from wildbach.protocol.metainfo.document import Metainfo

PIECE = 65536
BLOCK = 16384
SIZES = {
    "a/empty.bin": 0,
    "a/one byte": 1,
    "b/exact.bin": PIECE,
    "b/more than a piece.bin": 3 * PIECE + 1,
    "b/zero again": 0,
    "c/Ωμέγα.txt": BLOCK + 7,
    "c/файл.dat": 5 * PIECE - 3,
    "c/文件 🎬.bin": 20 * PIECE + 12_345,
    "last": 777,
}
KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")


def make_folder(parent: Path, name: str = "content", sizes: dict[str, int] | None = None, seed: int = 1) -> Path:
    rng = random.Random(seed)
    folder = parent / name
    for path, size in (SIZES if sizes is None else sizes).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(rng.randbytes(size))
    return folder


def make_torrent(folder: Path, kind: Kind, piece_length: int = PIECE) -> Metainfo:
    """The torrent of a folder, made by this program."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sources = [SourceFile(path.relative_to(folder).parts, path.stat().st_size) for path in files]
    plan = BuildPlan(folder.name, sources, kind=kind, piece_length=piece_length)
    contents = [folder.joinpath(*source.path).read_bytes() for source in plan.files]
    for pieces in plan.jobs():
        plan.add(pieces, *hash_pieces(plan, pieces, lambda file, at, length: contents[file][at : at + length]))
    return plan.finish()


def same(left: Path, right: Path) -> list[str]:
    """What differs between two folders, file by file; pad files of other programs do not count."""
    def all_files(folder: Path) -> dict[str, Path]:
        return {
            str(path.relative_to(folder)): path for path in folder.rglob("*")
            if path.is_file() and ".pad" not in path.parts
        }

    ours, theirs = all_files(left), all_files(right)
    out = [f"only in one: {name}" for name in sorted(ours.keys() ^ theirs.keys())]
    return out + [
        f"differs: {name}" for name in sorted(ours.keys() & theirs.keys())
        if ours[name].read_bytes() != theirs[name].read_bytes()
    ]
