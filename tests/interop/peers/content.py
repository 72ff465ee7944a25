"""Folders to share: the same bytes every time, with the sizes and names that find faults."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

PIECE = 64 * 1024
BLOCK = 16 * 1024

FILES: dict[str, int] = {
    "plain.bin": 3 * PIECE + 12345,
    "empty": 0,
    "one byte": 1,
    "block less one.bin": BLOCK - 1,
    "block.bin": BLOCK,
    "block and one.bin": BLOCK + 1,
    "piece.bin": PIECE,
    "deep/a/b/c/odd.bin": PIECE + 7,
    "deep/a/b/empty too.txt": 0,
    "Überraschung/Größe.txt": 2 * PIECE - 1,
    "Русский/текст.dat": 70_001,
    "日本語/ファイル名.bin": 50_000,
    "한국어.bin": 33_333,
    "العربية/ملف.bin": 4 * PIECE + 1,
    "हिन्दी.txt": 999,
    "emoji 🎉.bin": 17,
}


def make_tree(root: Path, *, seed: int = 1, big: int = 0) -> Path:
    """Fill `root` with FILES, and with one file of `big` bytes and odd length where asked."""
    rng = random.Random(seed)
    for name, size in (FILES | ({"big.bin": big + 4321} if big else {})).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for at in range(0, size, 1 << 24):
                file.write(rng.randbytes(min(1 << 24, size - at)))
    return root


def digest_tree(root: Path, *, empty: bool = True) -> dict[str, str]:
    """Every file below `root` with the SHA-256 of its content; without files of no bytes where not `empty`."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and (empty or path.stat().st_size):
            with path.open("rb") as file:
                found[path.relative_to(root).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
