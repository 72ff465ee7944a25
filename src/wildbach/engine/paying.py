"""Blocks that are bought and sold, connection by connection (`wb_pay`).

It counts, and nothing else: what left by a connection, what came by it while it was metered, and how much of that is
right. What these bytes cost, who gets credit and when enough is enough, a `Till` knows, which is handed in.
Where there is none, peers see nothing of all this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.engine.choker import Standing
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Bargain, Peer
from wildbach.protocol import bencode
from wildbach.protocol.ext.handshake import Extension

_GONE: Final = 256
"Connections that ended while pieces they gave blocks of are not verified yet, at most."


class Till(Protocol):
    """Who buys and sells, for all torrents."""

    def terms(self, torrent: str) -> bencode.Value | None:
        """What our handshake says of it (`wbp`); None where the torrent with this key is neither bought nor sold."""
        ...

    def opens(self, line: Line, theirs: bencode.Value) -> Bargain | None:
        """A peer says its own terms; None where the two do not fit."""
        ...


class Line:
    """One connection, as a bargain sees it."""

    __slots__ = ("_free", "_metered", "_peer", "_pieces", "on", "piece_length", "torrent")

    def __init__(
        self, peer: Peer, torrent: str, piece_length: int, pieces: Callable[[], Mapping[int, OpenPiece]],
    ) -> None:
        self._peer = peer
        self._pieces = pieces
        self.torrent = torrent
        "Its key."
        self.piece_length = piece_length
        self.on = False
        "What comes from now on is metered."
        self._free: dict[int, int] = {}
        "Of open pieces, the blocks that came while it was not metered, as bits."
        self._metered: dict[int, int] = {}
        "Of open pieces, the blocks that came while it was, before it last stopped being so."

    @property
    def remote(self) -> Endpoint:
        return self._peer.remote

    @property
    def number(self) -> int:
        """Unique in the session."""
        return self._peer.number

    @property
    def sent(self) -> int:
        """Payload bytes of `piece` messages that left by it since its beginning."""
        return self._peer.shipped

    @property
    def received(self) -> int:
        """Payload bytes of `piece` messages that came by it since its beginning."""
        return self._peer.down.total

    @property
    def fast(self) -> bool:
        """Each request ends in a block or a reject (BEP 6), so both sides know what was answered."""
        return self._peer.fast

    def tell(self, payload: bytes) -> None:
        """Send a `wb_pay` message, in its place among the blocks."""
        self._peer.extend(Extension.WB_PAY, payload)

    def meter(self, on: bool) -> None:
        """What comes from now on is metered, or is not."""
        if on == self.on:
            return
        self.on = on
        for index, piece in self._pieces().items():
            came = blocks_of(piece, self._peer.number)
            if not came:
                continue
            if on:
                self._free[index] = came & ~self._metered.get(index, 0)
            else:
                self._metered[index] = came & ~self._free.get(index, 0)

    def metered(self, piece: OpenPiece) -> int:
        """Bytes of a piece that came by this connection while it was metered."""
        came = blocks_of(piece, self._peer.number)
        blocks = came & ~self._free.get(piece.index, 0) if self.on else came & self._metered.get(piece.index, 0)
        return size_of(piece, blocks)

    def forget(self, index: int) -> None:
        """A piece is verified, or given up."""
        self._free.pop(index, None)
        self._metered.pop(index, None)

    def tidy(self) -> None:
        """Forget pieces that are not open any more."""
        pieces = self._pieces()
        for index in [index for index in (*self._free, *self._metered) if index not in pieces]:
            self.forget(index)

    @property
    def unverified(self) -> int:
        """Metered bytes of pieces that are not verified yet."""
        if not self.on and not self._metered:
            return 0
        return sum(self.metered(piece) for piece in self._pieces().values())


class PayTalk:
    """One torrent's. `till`: None while nothing is bought or sold."""

    def __init__(
        self, till: Callable[[], Till | None], key: Callable[[], str], pieces: Callable[[], Mapping[int, OpenPiece]],
    ) -> None:
        self._till = till
        self._key = key
        self._pieces = pieces
        self._lines: dict[int, tuple[Line, Bargain]] = {}
        self._gone: dict[int, tuple[Line, Bargain]] = {}
        self.on = True
        "Not in private torrents, nor where nobody is to know which program we are."
        self.piece_length = 0
        "0 while the metadata is not known: nothing is bought or sold then."
        self.asks_again: Callable[[Peer], None] = lambda peer: None
        "A peer may be asked for more than before."
        self.review: Callable[[], None] = lambda: None
        "Lets go of peers that are of no use."
        self._unsettled = False
        self._peers: dict[int, Peer] = {}

    def terms(self) -> bencode.Value | None:
        """For our handshake."""
        till = self._till()
        return till.terms(self._key()) if till is not None and self.on and self.piece_length else None

    def hello(self, peer: Peer) -> None:
        """Its extension handshake is here."""
        till = self._till()
        says = peer.says
        if (
            till is None or not self.on or not self.piece_length or says is None
            or says.pays is None or not says.id_of(Extension.WB_PAY) or peer.closing
        ):
            return
        if peer.number in self._lines:
            self._lines[peer.number][1].again()
            return
        line = Line(peer, self._key(), self.piece_length, self._pieces)
        bargain = till.opens(line, says.pays)
        if bargain is not None:
            self._lines[peer.number] = line, bargain
            self._peers[peer.number] = peer
            peer.bargain = bargain

    def received(self, peer: Peer, payload: bytes) -> None:
        """Raises RemoteError for what is no message."""
        found = self._lines.get(peer.number)
        if found is not None:
            found[1].received(payload)

    def left(self, peer: Peer) -> None:
        found = self._lines.pop(peer.number, None)
        self._peers.pop(peer.number, None)
        peer.bargain = None
        if found is None:
            return
        line, bargain = found
        if line.unverified:
            self._gone[peer.number] = found
            if len(self._gone) > _GONE:
                del self._gone[next(iter(self._gone))]
        bargain.left()

    def passed(self, piece: OpenPiece) -> None:
        """A piece verified: what of it was metered is owed."""
        for number in dict.fromkeys(sender for sender, _, _ in piece.from_):
            found = self._lines.get(number) or self._gone.get(number)
            if found is None:
                continue
            line, bargain = found
            size = line.metered(piece)
            line.forget(piece.index)
            if size:
                bargain.verified(size)
            peer = self._peers.get(number)
            if peer is not None:
                self.asks_again(peer)

    def tick(self, now: float) -> None:
        """Once a second."""
        for _, bargain in list(self._lines.values()):
            bargain.tick(now)
        if self._gone:
            open_pieces = self._pieces()
            self._gone = {number: one for number, one in self._gone.items() if open_pieces and one[0].unverified}
        for line, _ in self._lines.values():
            line.tidy()
        before, self._unsettled = self._unsettled, any(one.unsettled for _, one in self._lines.values())
        if before and not self._unsettled:
            self.review()

    def close(self) -> None:
        """Nothing is bought or sold here any more."""
        for peer in list(self._peers.values()):
            self._lines[peer.number][1].over()
            self.left(peer)

    # -- the choker's PaymentPolicy

    def standing(self, peer: int, now: float) -> Standing:
        found = self._lines.get(peer)
        return found[1].standing(now) if found is not None else Standing.GUEST

    def price(self, peer: int) -> int:
        found = self._lines.get(peer)
        return found[1].price if found is not None else 0


def blocks_of(piece: OpenPiece, sender: int) -> int:
    """The blocks of a piece that a peer sent, as bits."""
    blocks = 0
    for number, first, stop in piece.from_:
        if number == sender:
            blocks |= (1 << stop) - (1 << first)
    return blocks & piece.got


def size_of(piece: OpenPiece, blocks: int) -> int:
    """Bytes of a set of blocks."""
    short = blocks >> (piece.blocks - 1) & 1
    return blocks.bit_count() * BLOCK - short * (BLOCK - piece.block_size(piece.blocks - 1))
