"""Super-seeding (BEP 16): an initial seed hides what it has and hands out each piece once.

A peer is told of one or two pieces that nobody else has. It hears of another one when a piece it was given has been
seen at a different peer: those who pass pieces on are served, and little is sent twice.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from wildbach.base import bitfield

K = TypeVar("K", bound=Hashable)


class _Peer:
    __slots__ = ("have", "offered", "open")

    def __init__(self) -> None:
        self.have = 0
        self.offered = 0
        self.open: dict[int, None] = {}


class SuperSeed(Generic[K]):
    """Which pieces we admit to have, to whom. Send a `have` for everything that `offers` returns, and no bitfield.

    Sets of pieces are masks of `base.bitfield`. `done` tells when every piece is out: then seed as usual.
    """

    __slots__ = ("_all", "_copies", "_count", "_open_most", "_peers", "_width")

    def __init__(self, pieces: int, *, open_pieces: int = 2) -> None:
        self._count = pieces
        self._width = bitfield.width_of(pieces)
        self._all = bitfield.full(pieces)
        self._copies = [0] * pieces
        "Peers that have each piece, and offers of it that are open."
        self._open_most = open_pieces
        self._peers: dict[K, _Peer] = {}

    @property
    def done(self) -> bool:
        """True once the connected peers have every piece between them."""
        got = 0
        for peer in self._peers.values():
            got |= peer.have
        return got == self._all

    def on_peer(self, key: K, have: int = 0) -> None:
        """A peer connected, or sent its bitfield."""
        peer = self._peers.setdefault(key, _Peer())
        fresh = have & ~peer.have
        peer.have |= fresh
        for piece in bitfield.indices(fresh, self._width):
            if piece not in peer.open:
                self._copies[piece] += 1
        for other in self._peers.values():
            if other is not peer:
                for piece in list(other.open):
                    if bitfield.has(other.have & fresh, piece, self._width):
                        del other.open[piece]
        for piece in list(peer.open):
            mask = bitfield.bit(piece, self._width)
            if fresh & mask and any(other is not peer and other.have & mask for other in self._peers.values()):
                del peer.open[piece]

    def on_have(self, key: K, piece: int) -> None:
        """A peer has a piece now. If others were offered it, that it arrived here shows that they pass it on."""
        self.on_peer(key, bitfield.bit(piece, self._width))

    def on_peer_gone(self, key: K) -> None:
        peer = self._peers.pop(key, None)
        if peer is not None:
            for piece in bitfield.indices(peer.have, self._width):
                self._copies[piece] -= 1
            for piece in peer.open:
                if not bitfield.has(peer.have, piece, self._width):
                    self._copies[piece] -= 1

    def allowed(self, key: K, piece: int) -> bool:
        """Whether a request of this peer is served: only for what it was told of."""
        peer = self._peers.get(key)
        return peer is not None and bitfield.has(peer.offered, piece, self._width)

    def offers(self) -> list[tuple[K, int]]:
        """The `have` messages to send now, in the order in which peers came: call after every change."""
        out: list[tuple[K, int]] = []
        for key, peer in self._peers.items():
            # Somebody must be there to pass pieces on to; else holding back only delays.
            stuck = len(self._peers) == 1 or not self._anyone_wants(key)
            while True:
                waiting = [p for p in peer.open if not (stuck and bitfield.has(peer.have, p, self._width))]
                if len(waiting) >= self._open_most:
                    break
                piece = self._rarest(peer)
                if piece < 0:
                    break
                peer.open = dict.fromkeys([*waiting, piece])
                peer.offered |= bitfield.bit(piece, self._width)
                self._copies[piece] += 1
                out.append((key, piece))
        return out

    def _anyone_wants(self, but: K) -> bool:
        return any(key != but and peer.have != self._all for key, peer in self._peers.items())

    def _rarest(self, peer: _Peer) -> int:
        """The piece with the fewest copies and offers that this peer neither has nor was told of; -1 for none."""
        best, fewest = -1, 0
        for piece in bitfield.indices(self._all & ~peer.have & ~peer.offered, self._width):
            if best < 0 or self._copies[piece] < fewest:
                best, fewest = piece, self._copies[piece]
                if not fewest:
                    break
        return best
