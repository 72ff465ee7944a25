"""The v2 hashes of a file that is read once: its `pieces root` and its piece layer (BEP 52).

Memory is one buffer and 32 bytes a piece, however long the file is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wildbach.base.geometry import BLOCK
from wildbach.disk.folder.fs import Fs
from wildbach.protocol import layers
from wildbach.protocol.metainfo.builder import choose_piece_length

BUFFER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashed:
    root: bytes
    "32 bytes; empty where the file is."
    layer: bytes = b""
    "The piece layer of a file of more than one piece, for the piece length that `piece_length_of` gives."


Hashing = Callable[[Fs, int, int], Hashed]
"(file system, open file, size) → its hashes. Raises EOFError where the file is shorter."


def piece_length_of(size: int) -> int:
    """Of a file of a folder: the same on every device, as it follows from the size alone."""
    return choose_piece_length(size)


def hash_file(fs: Fs, handle: int, size: int) -> Hashed:
    """Read `size` bytes from the beginning. Raises EOFError where there are fewer, and OSError."""
    if not size:
        return Hashed(b"")
    piece_length = piece_length_of(size)
    buffer = memoryview(bytearray(min(BUFFER, -(-size // BLOCK) * BLOCK)))
    leaves: list[bytes] = []
    pieces: list[bytes] = []
    in_piece = 0
    single = size <= piece_length
    offset = 0
    while offset < size:
        view = buffer[: min(buffer.nbytes, size - offset, piece_length - in_piece)]
        if fs.read_into(handle, offset, view) < view.nbytes:
            raise EOFError("the file is shorter than it was")
        leaves.append(layers.leaf_hashes(view))
        offset += view.nbytes
        in_piece += view.nbytes
        if in_piece == piece_length and not single:
            pieces.append(layers.piece_root(b"".join(leaves), size, piece_length))
            leaves, in_piece = [], 0
    if single:
        return Hashed(layers.file_root(b"".join(leaves)))
    if leaves:
        pieces.append(layers.piece_root(b"".join(leaves), size, piece_length))
    layer = b"".join(pieces)
    return Hashed(layers.layer_root(layer, layers.piece_level(piece_length), layers.height_of(size)), layer)
