"""Messages 21 to 23 of BEP 52, and a server that meets them."""

from contextlib import suppress

from wildbach.base.errors import FormatError
from wildbach.engine.hashes import FileTree, HashServer
from wildbach.protocol import layers
from wildbach.protocol.ext import hashes

_LEAVES = b"".join(bytes([n]) * 32 for n in range(11))
_LENGTH = 11 * 16384
_TREE = FileTree(layers.file_root(_LEAVES), _LENGTH, 32768)
_LAYERS = {_TREE.root: layers.piece_layer(_LEAVES, 32768)}

SEEDS: list[bytes] = [
    hashes.encode_request(hashes.HashRequest(_TREE.root, 1, 0, 8, 2)),
    hashes.encode_request(hashes.HashRequest(_TREE.root, 0, 10, 2, 3)),
    hashes.encode_hashes(hashes.Hashes(hashes.HashRequest(_TREE.root, 1, 0, 2, 2), bytes(96))),
]


def _leaves(root: bytes, piece: int) -> bytes | None:
    return _LEAVES[piece * 64 : (piece + 1) * 64] or None


def one_input(data: bytes) -> None:
    with suppress(FormatError):
        hashes.decode_hashes(data)
    try:
        request = hashes.decode_request(data)
    except FormatError:
        return
    answer = HashServer[int]([_TREE], _LAYERS, _leaves).answer(1, request, 0.0)
    if answer is not None:
        wire = hashes.encode_hashes(answer)
        assert hashes.decode_hashes(wire) == answer
