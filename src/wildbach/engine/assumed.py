"""Pieces that are taken as good because somebody said so. Each is hashed before it is first sent.

Requests for such pieces wait here; what they ask for is hashed in batches, and then they go on, or are refused.
"""

from __future__ import annotations

from collections.abc import Callable

from wildbach.base import bitfield, limits
from wildbach.base.errors import RemoteError
from wildbach.engine.peer import Peer

Request = tuple[int, int, int]
"Piece, offset, length."


class Assumed:
    """`ask` is called when there are `due` pieces to hash and none were before."""

    def __init__(self, pieces: int, count: int, ask: Callable[[], None]) -> None:
        self._bits = bytearray(bitfield.to_wire(pieces, count))
        self._width = bitfield.width_of(count)
        self._ask = ask
        self._due: dict[int, None] = {}
        self._held: dict[int, tuple[Peer, list[Request]]] = {}

    def sift(self, peer: Peer, items: list[Request]) -> list[Request]:
        """The requests that need not wait. Raises RemoteError for a peer that piles up too many that do."""
        out = []
        known, waits = -1, False
        idle = not self._due
        for item in items:
            if item[0] != known:
                known = item[0]
                waits = known >> 3 < len(self._bits) and bool(self._bits[known >> 3] & (0x80 >> (known & 7)))
                if waits:
                    self._due[known] = None
            if not waits:
                out.append(item)
                continue
            held = self._held.setdefault(peer.number, (peer, []))[1]
            if len(held) >= limits.REQUESTS_QUEUED:
                raise RemoteError("asks on without waiting for answers")
            held.append(item)
        if idle and self._due:
            self._ask()
        return out

    def cancel(self, peer: Peer, item: Request) -> bool:
        """It need not be answered any more. False where it does not wait here."""
        held = self._held.get(peer.number)
        if held is None or item not in held[1]:
            return False
        held[1].remove(item)
        return True

    @property
    def due(self) -> int:
        """The pieces somebody waits for."""
        return bitfield.of(self._due, self._width)

    def settle(self, pieces: int) -> list[tuple[Peer, list[Request]]]:
        """These pieces were hashed, whatever came of it. Returns the requests that waited for them."""
        for piece in bitfield.indices(pieces, self._width):
            self._bits[piece >> 3] &= ~(0x80 >> (piece & 7)) & 0xFF
            self._due.pop(piece, None)
        out = []
        for peer, held in list(self._held.values()):
            ready = [item for item in held if item[0] not in self._due]
            if ready and not peer.closing:
                out.append((peer, ready))
            held[:] = [item for item in held if item[0] in self._due]
            if not held or peer.closing:
                del self._held[peer.number]
        return out
