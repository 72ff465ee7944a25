"""The hash trees of BitTorrent v2 (BEP 52): roots, piece layers, and the proofs of hash requests.

Each file has a binary tree of SHA-256 hashes. Level 0 holds one leaf for each 16 KiB block; hashes beyond the end of
the file are zero there. A level is written as one `bytes` of 32-byte hashes, without those that cover only the space
beyond the end: `pad_hash` gives them. The level whose hashes cover a piece each is the *piece layer*. A file of at
most one piece has none: its root, over as many leaves as the next power of two, is the hash of its only piece.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.geometry import BLOCK, Geometry

HASH = 32
"Bytes in a SHA-256 hash."


def _pads(levels: int) -> tuple[bytes, ...]:
    out = [bytes(HASH)]
    for _ in range(levels - 1):
        out.append(sha256(out[-1] * 2).digest())
    return tuple(out)


_PADS = _pads(64)


def pad_hash(level: int) -> bytes:
    """The root of 2 ** level zero leaves: what stands at `level` beyond the end of a file."""
    return _PADS[level]


def height_of(length: int) -> int:
    """The level of the root for a file of `length` bytes: 0 where one block holds it."""
    return max(0, -(-length // BLOCK) - 1).bit_length()


def piece_level(piece_length: int) -> int:
    """The level at which one hash covers `piece_length` bytes (a power of two of at least 16 KiB)."""
    return (piece_length // BLOCK).bit_length() - 1


def level_count(length: int, level: int) -> int:
    """How many hashes of a level cover bytes of a file of `length` bytes."""
    return -(-length // (BLOCK << level))


def leaf_hashes(data: bytes | bytearray | memoryview) -> bytes:
    """The leaves of consecutive blocks; only the last block may be short."""
    view = memoryview(data)
    return b"".join([sha256(view[at : at + BLOCK]).digest() for at in range(0, len(view), BLOCK)])


def fold(level_hashes: bytes, level: int) -> bytes:
    """The level above: `level_hashes` stand at `level`, an odd one at the end is paired with the pad hash."""
    if len(level_hashes) % (2 * HASH):
        level_hashes += _PADS[level]
    return b"".join([sha256(level_hashes[at : at + 64]).digest() for at in range(0, len(level_hashes), 64)])


def layer_root(layer: bytes, base: int, height: int | None = None) -> bytes:
    """The root over the hashes `layer` of level `base`, as it stands at level `height`.

    By default that is the lowest level at which one hash covers all. More hashes than fit under one raise ValueError.
    """
    if not layer or len(layer) % HASH:
        raise ValueError(f"a layer of {len(layer)} bytes")
    level = base
    while len(layer) > HASH:
        layer = fold(layer, level)
        level += 1
    if height is not None:
        if level > height:
            raise ValueError(f"the layer is too wide for a root at level {height}")
        while level < height:
            layer = sha256(layer + _PADS[level]).digest()
            level += 1
    return layer


def file_root(leaves: bytes) -> bytes:
    """The `pieces root` of a file from its leaves."""
    return layer_root(leaves, 0)


def piece_root(leaves: bytes, length: int, piece_length: int) -> bytes:
    """The v2 hash of one piece from its leaves, in a file of `length` bytes."""
    return layer_root(leaves, 0, min(piece_level(piece_length), height_of(length)))


def piece_layer(leaves: bytes, piece_length: int) -> bytes:
    """The piece layer of a file of more than one piece, from all its leaves."""
    for level in range(piece_level(piece_length)):
        leaves = fold(leaves, level)
    return leaves


def check_layer(layer: bytes, root: bytes, length: int, piece_length: int, where: str = "piece layers") -> None:
    """Raise FormatError unless `layer` is the piece layer of the file of `length` bytes whose root is `root`."""
    level = piece_level(piece_length)
    wanted = HASH * level_count(length, level)
    if len(layer) != wanted:
        raise FormatError(f"the layer of {root.hex()} has {len(layer)} bytes instead of {wanted}", where=where)
    if layer_root(layer, level, height_of(length)) != root:
        raise FormatError(f"the layer of {root.hex()} does not hash to its root", where=where)


class PieceHashes:
    """The v2 hash of each piece of a torrent, looked up in the piece layers.

    `layers` is used as it is then: a torrent from a magnet link fills it while peers send the layers.
    """

    __slots__ = ("_first", "_geometry", "_layers", "_lengths", "_roots")

    def __init__(self, geometry: Geometry, roots: Sequence[bytes | None], layers: Mapping[bytes, bytes]) -> None:
        self._geometry = geometry
        self._layers = layers
        self._first: list[int] = []
        self._lengths: list[int] = []
        self._roots: list[tuple[bytes, bool]] = []
        for number, root in enumerate(roots):
            if root is not None and geometry.files[number].length:
                self._first.append(geometry.files[number].offset // geometry.piece_length)
                self._lengths.append(geometry.files[number].length)
                self._roots.append((root, geometry.files[number].length <= geometry.piece_length))

    def get(self, piece: int) -> bytes | None:
        """The hash, or None while the piece layer of its file is not known."""
        at = bisect_right(self._first, piece) - 1
        root, single = self._roots[at]
        if single:
            return root
        layer = self._layers.get(root)
        if layer is None:
            return None
        inner = (piece - self._first[at]) * HASH
        return layer[inner : inner + HASH]

    def height(self, piece: int) -> int:
        """The level of a piece's hash above the leaves."""
        file = self._lengths[bisect_right(self._first, piece) - 1]
        return min(piece_level(self._geometry.piece_length), height_of(file))

    def missing(self) -> list[bytes]:
        """The roots, in file order and each once, of files whose piece layer is not known."""
        return list(dict.fromkeys(r for r, single in self._roots if not single and r not in self._layers))


def check_request(length: int, base: int, index: int, count: int, proof_layers: int) -> str:
    """Why a hash request (BEP 52) for a file of `length` bytes is wrong, or an empty string.

    `index` and `count` are in hashes of level `base`; `proof_layers` counts the levels above `base`.
    """
    height = height_of(length)
    if not 0 <= base < height:
        return f"base layer {base} of a tree of height {height}"
    if count < 2 or count & (count - 1) or count > limits.HASHES_PER_REQUEST:
        return f"length {count} is not a power of two from 2 to {limits.HASHES_PER_REQUEST}"
    if index < 0 or index % count or index + count > 1 << (height - base):
        return f"index {index} with length {count} at base layer {base}"
    if not 0 <= proof_layers < height - base:
        return f"{proof_layers} proof layers above base layer {base} of a tree of height {height}"
    return ""


def full_proof(length: int, base: int) -> int:
    """The proof layers to ask for so that the answer can be checked against the root alone."""
    return max(0, height_of(length) - base - 1)


def uncle_count(count: int, proof_layers: int) -> int:
    """Uncle hashes in an answer: the levels below the root of the requested hashes are not sent."""
    return max(0, proof_layers - (count.bit_length() - 2))


def check_hashes(
    root: bytes, length: int, base: int, index: int, count: int, proof_layers: int, hashes: bytes
) -> bytes:
    """Check the payload of a `hashes` message against the root of the file. Returns the `count` hashes of level `base`.

    Needs a full proof (see `full_proof`). Hashes beyond the end of the file must be pad hashes, which the root
    guarantees. Raises FormatError for anything else.
    """
    reason = check_request(length, base, index, count, proof_layers)
    if reason:
        raise FormatError(reason, where="hashes")
    if proof_layers != full_proof(length, base):
        raise FormatError(f"{proof_layers} proof layers do not reach the root", where="hashes")
    level, position, top = climb(base, index, count, proof_layers, hashes)
    if (level, position) != (height_of(length), 0) or top != root:
        raise FormatError("the proof does not lead to the root", where="hashes")
    return hashes[: count * HASH]


def climb(base: int, index: int, count: int, proof_layers: int, hashes: bytes) -> tuple[int, int, bytes]:
    """Fold an answer's hashes and uncles. Returns (level, position in the level, hash) of the node they prove.

    The caller compares that node with one it trusts. Raises FormatError where the answer has the wrong size.
    """
    wanted = HASH * (count + uncle_count(count, proof_layers))
    if len(hashes) != wanted:
        raise FormatError(f"{len(hashes)} bytes of hashes instead of {wanted}", where="hashes")
    node = layer_root(hashes[: count * HASH], base)
    level = base + count.bit_length() - 1
    position = index // count
    for at in range(count * HASH, len(hashes), HASH):
        uncle = hashes[at : at + HASH]
        node = sha256(uncle + node if position & 1 else node + uncle).digest()
        position >>= 1
        level += 1
    return level, position, node


class HashTree:
    """The upper part of one file's tree, to answer hash requests from: the piece layer and all levels above it.

    `layer` must have been checked; for a file of at most one piece it is the root. Leaves are not held here.
    """

    __slots__ = ("_height", "_known", "_length", "_levels", "_per_piece")

    def __init__(self, length: int, piece_length: int, layer: bytes) -> None:
        self._length = length
        self._height = height_of(length)
        self._known = min(piece_level(piece_length), self._height)
        self._per_piece = 1 << self._known
        self._levels = [layer]
        for level in range(self._known, self._height):
            self._levels.append(fold(self._levels[-1], level))

    def _take(self, hashes: bytes, level: int, start: int, count: int) -> bytes:
        """`count` hashes of a level from `start` on, pads included; `hashes` is the level without them."""
        part = hashes[start * HASH : (start + count) * HASH]
        return part + _PADS[level] * (count - len(part) // HASH)

    def answer(
        self, base: int, index: int, count: int, proof_layers: int, leaves: Callable[[int], bytes | None]
    ) -> bytes | None:
        """The payload of the `hashes` message for a request, or None: reject it.

        `leaves` gives the leaf hashes of a piece of this file (its blocks only, without pads), or None where they are
        not at hand. It is called only for requests below the piece layer, for the pieces that the request covers.
        """
        if check_request(self._length, base, index, count, proof_layers):
            return None
        lower: list[bytes] = []  # for requests below the piece layer: levels `base` to `_known` over the pieces
        first = 0  # the first of those pieces
        if base < self._known:
            first = (index << base) >> self._known
            last = min((((index + count) << base) - 1) >> self._known, self._pieces() - 1)
            parts = [leaves(piece) for piece in range(first, last + 1)]
            if any(part is None for part in parts):
                return None
            row = b"".join([part for part in parts if part is not None])
            for level in range(self._known):
                if level >= base:
                    lower.append(row)
                row = fold(row, level) if row else row
        out = [self._row(lower, first, base, base, index, count)]
        position = index // count
        start = base + count.bit_length() - 1
        for level in range(start, start + uncle_count(count, proof_layers)):
            out.append(self._row(lower, first, base, level, position ^ 1, 1))
            position >>= 1
        return b"".join(out)

    def _pieces(self) -> int:
        return level_count(self._length, self._known)

    def _row(self, lower: list[bytes], first: int, base: int, level: int, start: int, count: int) -> bytes:
        if level >= self._known:
            return self._take(self._levels[level - self._known], level, start, count)
        inside = start - (first << (self._known - level))
        return self._take(lower[level - base], level, inside, count)
