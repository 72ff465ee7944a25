"""Hash trees of BEP 52: roots and layers against a plain definition, proofs against every request."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.protocol import layers


def plain_levels(length: int, seed: bytes = b"") -> list[list[bytes]]:
    """All levels of a tree with pads, as BEP 52 words it."""
    blocks = -(-length // BLOCK)
    row = [sha256(seed + b"%d" % i).digest() for i in range(blocks)]
    row += [bytes(32)] * ((1 << (blocks - 1).bit_length()) - blocks)
    out = [row]
    while len(row) > 1:
        row = [sha256(a + b).digest() for a, b in zip(row[::2], row[1::2], strict=True)]
        out.append(row)
    return out


LENGTHS = st.integers(1, 40 * BLOCK)
PIECES = st.sampled_from([BLOCK, 2 * BLOCK, 4 * BLOCK, 8 * BLOCK])


def leaves_of(length: int) -> bytes:
    return b"".join(plain_levels(length)[0][: -(-length // BLOCK)])


@given(LENGTHS)
def test_file_root_is_the_root_of_the_padded_tree(length: int) -> None:
    assert layers.file_root(leaves_of(length)) == plain_levels(length)[-1][0]
    assert layers.height_of(length) == len(plain_levels(length)) - 1


@given(LENGTHS, PIECES)
def test_piece_layer_is_a_level_without_its_pads(length: int, piece_length: int) -> None:
    if length <= piece_length:
        assert layers.piece_root(leaves_of(length), length, piece_length) == plain_levels(length)[-1][0]
        return
    level = layers.piece_level(piece_length)
    pieces = -(-length // piece_length)
    wanted = plain_levels(length)[level][:pieces]
    layer = layers.piece_layer(leaves_of(length), piece_length)
    assert layer == b"".join(wanted)
    for piece in range(pieces):
        per = piece_length // BLOCK * 32
        assert layers.piece_root(leaves_of(length)[piece * per :][:per], length, piece_length) == wanted[piece]
    layers.check_layer(layer, plain_levels(length)[-1][0], length, piece_length)
    for wrong in (layer[:-32], layer + bytes(32), layer[32:] + layer[:32], b""):
        if wrong != layer:
            with pytest.raises(FormatError, match="piece layers"):
                layers.check_layer(wrong, plain_levels(length)[-1][0], length, piece_length)


def test_leaves_are_hashes_of_blocks() -> None:
    data = bytes(range(256)) * 100
    assert layers.leaf_hashes(data) == sha256(data[:BLOCK]).digest() + sha256(data[BLOCK:]).digest()
    assert layers.leaf_hashes(bytearray(data)) == layers.leaf_hashes(memoryview(data))
    assert layers.leaf_hashes(b"") == b""


def test_a_published_root() -> None:
    """The pieces root of one zero block of 16 KiB, and of two, from the definition in BEP 52."""
    one = sha256(bytes(BLOCK)).digest()
    assert layers.file_root(layers.leaf_hashes(bytes(BLOCK))) == one
    assert layers.file_root(layers.leaf_hashes(bytes(2 * BLOCK))) == sha256(one + one).digest()
    assert layers.pad_hash(1) == sha256(bytes(64)).digest()
    assert layers.pad_hash(0) == bytes(32)


def test_roots_refuse_what_is_no_layer() -> None:
    for layer in (b"", b"x" * 31):
        with pytest.raises(ValueError, match="bytes"):
            layers.layer_root(layer, 0)
    with pytest.raises(ValueError, match="too wide"):
        layers.layer_root(bytes(32 * 3), 0, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24 * BLOCK), PIECES)
def test_every_valid_request_is_answered_and_its_proof_holds(length: int, piece_length: int) -> None:
    plain = plain_levels(length)
    height = len(plain) - 1
    known = min(layers.piece_level(piece_length), height)
    leaves = leaves_of(length)
    per = 32 << known
    tree = layers.HashTree(length, piece_length, b"".join(plain[known][: layers.level_count(length, known)]))
    for base in range(height):
        count = 2
        while count <= len(plain[base]):
            for index in range(0, len(plain[base]), count):
                for proof in range(height - base):
                    answer = tree.answer(base, index, count, proof, lambda p: leaves[p * per : (p + 1) * per])
                    assert answer is not None
                    assert answer[: 32 * count] == b"".join(plain[base][index : index + count])
                    level, position, node = layers.climb(base, index, count, proof, answer)
                    assert plain[level][position] == node
                    if proof == layers.full_proof(length, base):
                        assert level == height
                        got = layers.check_hashes(plain[-1][0], length, base, index, count, proof, answer)
                        assert got == answer[: 32 * count]
            count *= 2


def test_answers_that_lie_are_refused() -> None:
    length = 20 * BLOCK
    plain = plain_levels(length)
    tree = layers.HashTree(length, BLOCK, b"".join(plain[0][:20]))
    root = plain[-1][0]
    good = tree.answer(0, 8, 4, 4, lambda _: None)
    assert good is not None
    assert len(good) == 32 * (4 + 3)
    for at in range(0, len(good), 32):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises(FormatError, match="root"):
            layers.check_hashes(root, length, 0, 8, 4, 4, bad)
    for wrong in (good[:-32], good + bytes(32), good[:-1], b""):
        with pytest.raises(FormatError, match="bytes of hashes"):
            layers.check_hashes(root, length, 0, 8, 4, 4, wrong)
    with pytest.raises(FormatError, match="reach the root"):
        layers.check_hashes(root, length, 0, 8, 4, 3, good[:-32])
    with pytest.raises(FormatError, match="root"):
        layers.check_hashes(root, length, 0, 12, 4, 4, good)


@pytest.mark.parametrize(
    "request_",
    [
        (-1, 0, 2, 0), (5, 0, 2, 0), (0, 0, 1, 0), (0, 0, 3, 0), (0, 1, 2, 0), (0, -2, 2, 0), (0, 32, 2, 0),
        (0, 0, 1024, 0), (0, 0, 2, 5), (0, 0, 2, -1), (0, 0, 0, 0), (0, 0, 64, 0), (4, 0, 4, 0), (2**31, 2**31, 2, 9),
    ],
)
def test_wrong_requests_are_rejected(request_: tuple[int, int, int, int]) -> None:
    length = 20 * BLOCK
    tree = layers.HashTree(length, BLOCK, leaves_of(length))
    assert layers.check_request(length, *request_)
    assert tree.answer(*request_, lambda _: b"") is None


def test_a_request_below_the_piece_layer_is_rejected_without_leaves() -> None:
    length = 20 * BLOCK
    layer = layers.piece_layer(leaves_of(length), 4 * BLOCK)
    tree = layers.HashTree(length, 4 * BLOCK, layer)
    assert tree.answer(0, 0, 4, 0, lambda _: None) is None
    assert tree.answer(2, 0, 4, 0, lambda _: None) == layer[: 4 * 32]


def test_a_file_of_one_block_has_no_hashes_to_ask_for() -> None:
    tree = layers.HashTree(100, 4 * BLOCK, sha256(b"x").digest())
    assert tree.answer(0, 0, 2, 0, lambda _: b"") is None


def test_piece_hashes_come_from_layers_or_from_roots() -> None:
    geometry = Geometry.aligned(2 * BLOCK, [5 * BLOCK, 0, 10, 2 * BLOCK, 4 * BLOCK])
    a, b, c, d = (sha256(bytes([i])).digest() for i in range(4))
    known: dict[bytes, bytes] = {}
    hashes = layers.PieceHashes(geometry, [a, None, b, c, d], known)
    assert [hashes.get(i) for i in range(geometry.piece_count)] == [None] * 3 + [b, c] + [None] * 2
    assert hashes.missing() == [a, d]
    known[a] = b"".join(bytes([i]) * 32 for i in range(3))
    assert hashes.missing() == [d]
    assert [hashes.get(i) for i in range(3)] == [b"\0" * 32, b"\1" * 32, b"\2" * 32]
