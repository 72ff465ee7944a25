"""Who is guilty of a bad piece: alone, by a later good try, by the leaves of v2; and who is on parole."""

from __future__ import annotations

import hashlib
from random import Random

from fakes import peer
from nodes import make
from wildbach.base import limits
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.hashes import Fetched, HashFetcher
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Peer
from wildbach.engine.verdicts import Verdicts
from wildbach.protocol import layers


class Bed:
    def __init__(self) -> None:
        self.banned: list[tuple[Endpoint, str]] = []
        self.mended: dict[int, int] = {}
        self.peers: dict[int, Peer] = {}
        self.fetcher: HashFetcher[int] = HashFetcher()
        self.verdicts = Verdicts(self, self.peers, self.fetcher)

    def ban(self, endpoint: Endpoint, reason: str) -> None:
        self.banned.append((endpoint, reason))

    def mend(self, piece: int, false: int) -> None:
        self.mended[piece] = false

    def join(self, number: int) -> Peer:
        made = self.peers[number] = peer(number)
        self.verdicts.joined(made)
        return made

    @property
    def guilty(self) -> list[Endpoint]:
        return [endpoint for endpoint, _ in self.banned]


def sent(index: int, *senders: int) -> OpenPiece:
    """A whole piece, block by block from these."""
    pool = ChunkPool(SLAB)
    piece = OpenPiece(index, len(senders) * BLOCK)
    piece.take(len(senders), pool)
    for at, number in enumerate(senders):
        piece.arrived(number, at, at + 1)
    piece.chunks[0] = None
    pool.close()
    return piece


def digests(*blocks: str, width: int = 20) -> bytes:
    return b"".join(hashlib.sha256(block.encode()).digest()[:width] for block in blocks)


def test_who_sent_all_of_a_bad_piece_is_guilty() -> None:
    bed = Bed()
    one = bed.join(1)
    bed.verdicts.failed(sent(0, 1, 1), digests("x", "y"))
    assert bed.banned == [(one.remote, "sent a bad piece")] and not one.suspect


def test_of_several_the_next_good_try_says_who() -> None:
    bed = Bed()
    one, two, three = bed.join(1), bed.join(2), bed.join(3)
    bed.verdicts.failed(sent(0, 1, 2, 1), digests("a", "x", "c"))
    assert bed.guilty == [] and one.suspect and two.suspect and not three.suspect
    assert bed.verdicts.wants_digests(0) and not bed.verdicts.wants_digests(1)
    # Whoever left meanwhile is known all the same, and who comes back is still on parole.
    del bed.peers[2]
    again = peer(9, host=two.remote.host)
    bed.verdicts.joined(again)
    assert again.suspect
    bed.verdicts.passed(sent(0, 3, 3, 3), digests("a", "b", "c"))
    assert bed.guilty == [two.remote] and not one.suspect and not bed.verdicts.wants_digests(0)


def test_without_digests_a_good_piece_clears_nobody_and_bans_nobody() -> None:
    bed = Bed()
    one = bed.join(1)
    bed.join(2)
    bed.verdicts.failed(sent(0, 1, 2), digests("a", "x"))
    bed.verdicts.passed(sent(0, 1, 1), b"")
    assert bed.guilty == [] and not one.suspect
    bed.verdicts.passed(sent(5, 1, 1), b"")


def test_the_leaves_say_who_at_once_in_every_file_of_these_contents() -> None:
    bed = Bed()
    one, two = bed.join(1), bed.join(2)
    made = make("v2", {"a": 3 * 4 * BLOCK, "z": BLOCK}, piece_length=4 * BLOCK)
    info = made.metainfo.info
    hashes = layers.PieceHashes(info.geometry, info.roots, made.metainfo.piece_layers)
    bed.verdicts.know(info, hashes)
    bed.fetcher.on_peer(1)
    right = layers.leaf_hashes(made.piece(1))
    false = right[:32] + bytes(32) + right[64:]
    bed.verdicts.failed(sent(1, 1, 2, 1, 1), false)
    requests = bed.fetcher.tick(0.0)
    assert [(request.root, request.base, request.index, request.length) for _, request in requests] == [
        (info.files[0].root, 0, 4, 4)]
    tree = next(job.tree for job in bed.fetcher._jobs.values())
    bed.verdicts.leaves(Fetched(tree, 0, right))
    assert bed.guilty == [], "of another piece"
    bed.verdicts.leaves(Fetched(tree, 1, right))
    assert bed.guilty == [two.remote] and not one.suspect and not two.suspect
    assert bed.mended == {1: 0b0010}


def test_the_leaves_name_the_false_blocks_of_a_piece_from_one_peer_too() -> None:
    bed = Bed()
    one = bed.join(1)
    made = make("v2", {"a": 3 * 4 * BLOCK}, piece_length=4 * BLOCK)
    info = made.metainfo.info
    assert not bed.verdicts.can_mend(2)
    bed.verdicts.know(info, layers.PieceHashes(info.geometry, info.roots, made.metainfo.piece_layers))
    assert not bed.verdicts.can_mend(2), "nobody can be asked"
    bed.fetcher.on_peer(1)
    assert bed.verdicts.can_mend(2)
    right = layers.leaf_hashes(made.piece(2))
    bed.verdicts.failed(sent(2, 1, 1, 1, 1), bytes(32) + right[32:96] + bytes(32))
    assert bed.guilty == [one.remote]
    tree = next(job.tree for job in bed.fetcher._jobs.values())
    bed.verdicts.leaves(Fetched(tree, 2, right))
    assert bed.mended == {2: 0b1001} and bed.guilty == [one.remote]


def test_a_flood_of_bad_pieces_is_remembered_within_bounds() -> None:
    bed = Bed()
    bed.join(1)
    made = make("v2", {"a": 200 * BLOCK}, piece_length=BLOCK)
    info = made.metainfo.info
    bed.verdicts.know(info, layers.PieceHashes(info.geometry, info.roots, made.metainfo.piece_layers))
    for piece in range(200):
        bed.verdicts.failed(sent(piece, 1), bytes(32))
    assert len(bed.verdicts._digests) == limits.DOUBTFUL_PIECES


def test_leaves_are_not_asked_for_any_more_once_the_piece_is_good() -> None:
    bed = Bed()
    bed.join(1)
    bed.join(2)
    made = make("v2", {"a": 3 * 4 * BLOCK}, piece_length=4 * BLOCK)
    info = made.metainfo.info
    bed.verdicts.know(info, layers.PieceHashes(info.geometry, info.roots, made.metainfo.piece_layers))
    right = layers.leaf_hashes(made.piece(0))
    bed.verdicts.failed(sent(0, 1, 2, 1, 1), Random(1).randbytes(128))
    assert not bed.fetcher.idle
    bed.verdicts.passed(sent(0, 2, 2, 2, 2), right)
    assert bed.fetcher.idle and len(bed.guilty) == 2


def test_a_sender_long_forgotten_is_not_banned_for_another() -> None:
    bed = Bed()
    one = bed.join(1)
    bed.verdicts.failed(sent(0, 1, 77), digests("x", "y"))
    bed.verdicts.passed(sent(0, 1, 1), digests("x", "b"))
    assert one.remote not in bed.guilty and {endpoint.port for endpoint in bed.guilty} <= {0}
