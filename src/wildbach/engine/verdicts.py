"""What bad pieces prove of whom: block by block, across tries of a piece and across connections.

A bad piece that one peer sent alone convicts it. Otherwise its senders are on parole: they get whole pieces for
themselves, where the next bad one is proof. What a v2 torrent's leaves say is fetched as well (BEP 52): they show the
false blocks at once. Where the piece verifies first, its own blocks show them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.engine.blame import Blame, Block
from wildbach.engine.hashes import Fetched, FileTree, HashFetcher
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Peer
from wildbach.protocol.layers import PieceHashes
from wildbach.protocol.metainfo.info import Info

_GONE = Endpoint("0.0.0.0", 0)
"Stands for a sender that left so long ago that its endpoint is forgotten. Banning it bans nobody."


class VerdictOwner(Protocol):
    def ban(self, endpoint: Endpoint, reason: str) -> None: ...

    def mend(self, piece: int, false: int) -> None:
        """Of a bad piece these blocks are false, as bits; all others are true."""
        ...


class Verdicts:
    """The memory of bad pieces of one torrent."""

    def __init__(self, owner: VerdictOwner, peers: Mapping[int, Peer], fetcher: HashFetcher[int]) -> None:
        self._owner = owner
        self._peers = peers
        self._fetcher = fetcher
        self._blame: Blame[Endpoint] = Blame()
        self._senders: dict[int, Endpoint] = {}
        self._hashes: Callable[[int], bytes | None] | None = None
        self._starts: list[int] = []
        self._trees: list[FileTree] = []
        self._digests: dict[int, bytes] = {}
        "Of the blocks of the last try of bad pieces whose leaves are wanted."
        self.digest = 20
        "Bytes in a digest of a block."

    def know(self, info: Info, hashes: PieceHashes | None) -> None:
        """The metadata is here."""
        if hashes is None:
            return
        self.digest = 32
        self._hashes = hashes.get
        for number, file in enumerate(info.files):
            if file.root is not None and file.length:
                self._starts.append(info.geometry.file_pieces(number).start)
                self._trees.append(FileTree(file.root, file.length, info.piece_length))

    def joined(self, peer: Peer) -> None:
        self._senders[peer.number] = peer.remote
        peer.suspect = self._blame.suspect(peer.remote)
        if len(self._senders) > 4 * limits.KNOWN_PEERS:
            self._senders = {n: e for n, e in self._senders.items() if n in self._peers}

    def wants_digests(self, piece: int) -> bool:
        """A try of this piece failed: the next one's blocks are compared with it."""
        return self._blame.remembers(piece)

    def can_mend(self, piece: int) -> bool:
        """`mend` will be called for it, should it be bad: there is who can be asked for its leaves."""
        return self._hashes is not None and self._hashes(piece) is not None and self._fetcher.peers > 0

    def failed(self, piece: OpenPiece, digests: bytes) -> None:
        """A piece did not verify. `digests` are those of all its blocks."""
        guilty = self._blame.failed(piece.index, self._blocks(piece, digests))
        for endpoint in guilty:
            self._owner.ban(endpoint, "sent a bad piece")
        self._want_leaves(piece.index, digests)
        self._review()

    def passed(self, piece: OpenPiece, digests: bytes) -> None:
        """A piece verified; `digests` of all blocks, or nothing where they were not asked for."""
        index = piece.index
        if self._digests.pop(index, None) is not None:
            at = bisect_right(self._starts, index) - 1
            self._fetcher.forget_leaves(self._trees[at].root, index - self._starts[at])
        if not self._blame.remembers(index):
            return
        if len(digests) == piece.blocks * self.digest:
            for endpoint in self._blame.passed(index, self._blocks(piece, digests)):
                self._owner.ban(endpoint, "sent bad blocks")
        else:
            self._blame.forget(index)
        self._review()

    def leaves(self, found: Fetched) -> None:
        """The verified leaves of a piece have come. Files with equal contents share them."""
        width = self.digest
        leaves = [found.hashes[at : at + width] for at in range(0, len(found.hashes), width)]
        for start, tree in zip(self._starts, self._trees, strict=True):
            piece = start + found.piece
            if tree.root != found.tree.root or piece not in self._digests:
                continue
            sent = self._digests.pop(piece)
            for endpoint in self._blame.judge(piece, leaves).guilty:
                self._owner.ban(endpoint, "sent bad blocks")
            self._owner.mend(piece, sum(
                1 << block for block, leaf in enumerate(leaves) if sent[width * block : width * (block + 1)] != leaf))
        self._review()

    def false_blocks(self, senders: Sequence[int]) -> None:
        """These sent blocks that their leaves prove false."""
        for number in senders:
            self._owner.ban(self._senders.get(number, _GONE), "sent bad blocks")

    def _want_leaves(self, piece: int, digests: bytes) -> None:
        expected = self._hashes(piece) if self._hashes is not None else None
        if expected is not None:
            self._digests[piece] = digests
            if len(self._digests) > limits.DOUBTFUL_PIECES:
                del self._digests[next(iter(self._digests))]
            at = bisect_right(self._starts, piece) - 1
            self._fetcher.want_leaves(self._trees[at], piece - self._starts[at], expected)

    def _review(self) -> None:
        for peer in self._peers.values():
            peer.suspect = self._blame.suspect(peer.remote)

    def _blocks(self, piece: OpenPiece, digests: bytes) -> list[Block[Endpoint]]:
        senders = [_GONE] * piece.blocks
        for number, first, stop in piece.from_:
            senders[first:stop] = [self._senders.get(number, _GONE)] * (stop - first)
        width = self.digest
        return [Block(sender, digests[width * i : width * (i + 1)]) for i, sender in enumerate(senders)]
