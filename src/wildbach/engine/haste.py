"""Whom to ask for what somebody waits for: blocks with a deadline, and how much a peer may owe meanwhile.

It knows how fast each peer is when it is asked (`base.rate.Pace`). A peer gets what it can give in time; what is late
goes to the fastest, and what a slow one owes of the next moments is asked of a second one. Queues are short, since
what somebody jumps to would wait behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from wildbach.base import bitfield
from wildbach.base.geometry import BLOCK
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Peer
from wildbach.engine.picker import Picker

_HURRY_SECONDS: Final = 0.2
"How much sooner a second peer has to be."
_DUE_SECONDS: Final = 2.0
"What has a deadline so soon is asked of a second peer too."
_AT_A_TIME: Final = 0.5
"Of what is due, a peer is asked for as much at a time as it gives in so many seconds: others shall help."
_HEAD: Final = 8
"The first so many blocks of what somebody waits for hold up all that follow."
_HEAD_SECONDS: Final = 0.05
_QUEUE_SECONDS: Final = 0.1
"While readers wait, a peer owes no more than it gives in this time and a round trip: deep queues make seeks slow."
_SPARE_SECONDS: Final = 0.1
"The next block is asked of a slow peer so long before it has to be."
_KNOWN_SECONDS: Final = 2.0
"Until then nobody knows well how fast a peer is."
_WEB_QUEUE_SECONDS: Final = 0.3
"A web server is asked for one range after the other, so each has to be longer than a round trip."
_WEB_BLOCKS: Final = 16
_SPARED: Final = 1.2
"Web servers are let go of where the other peers give so many times what is read."
_PATIENCE: Final = 1.5
"What is late goes to peers that are not slower than the best by this factor."
_WAIT_SECONDS: Final = 1.0
"In the end game a peer that owes and is silent for so long is no hope: what it owes is asked of one more."
FOR_EVER: Final = float("inf")


class Haste:
    """Of one torrent's downloads. `guarded`: whether a piece belongs to somebody else alone."""

    def __init__(
        self, picker: Picker, peers: Mapping[int, Peer], clock: Callable[[], float],
        guarded: Callable[[OpenPiece, Peer], bool],
    ) -> None:
        self._picker = picker
        self._peers = peers
        self._clock = clock
        self._guarded = guarded
        self._soonest = FOR_EVER
        "Seconds in which the best peer could have a block here."
        self._pace = 0.0
        "Blocks a second that all peers give together."

    def look(self, now: float) -> Sequence[Peer]:
        """See who is how fast. Returns who could help, whoever is soonest first."""
        able = [
            peer for peer in self._peers.values()
            if peer.am_interested and not (peer.choked or peer.snubbed or peer.suspect or peer.closing)
        ]
        for peer in able:
            peer.pace.see(now, peer.down.total, busy=peer.owed.blocks > 0)
        waits = {peer.number: _wait(peer, peer.owed.blocks + 1, now) for peer in able}
        self._soonest = min(waits.values(), default=FOR_EVER)
        self._pace = sum(peer.pace.rate for peer in able) / BLOCK
        return sorted(able, key=lambda peer: waits[peer.number])

    def at_a_time(self, peer: Peer) -> int:
        """Blocks of what is due that a peer is asked for at a time."""
        return max(1, int(peer.pace.rate * _AT_A_TIME / BLOCK))

    def taken_back(self, peer: Peer, blocks: int, now: float) -> None:
        """So many blocks need not come any more; some are on their way."""
        peer.clear_at = max(peer.clear_at, now) + blocks * BLOCK / _rate(peer)

    def window(self, peer: Peer, now: float) -> int:
        """Blocks to keep asked."""
        window = peer.window(now)
        if self._picker.has_deadlines and not peer.snubbed:
            rate = peer.pace.rate
            if peer.web:
                most = 2 + int(rate * (_WEB_QUEUE_SECONDS + peer.rtt) / BLOCK) if rate else _WEB_BLOCKS
            else:
                # Its round trip was seen with a block, which takes its time too.
                most = 2 + int(rate * (_QUEUE_SECONDS + peer.rtt) / BLOCK - 1.0) if rate else 2
                if most <= 2 and peer.owed.blocks == 1 and self._early(peer, now):
                    return min(window, 1)
            window = min(window, max(most, 2))
        return window

    def _early(self, peer: Peer, now: float) -> bool:
        """A slow peer owes one block, and will for longer than it takes to ask for the next."""
        if not peer.pace.rate or now - peer.created < _KNOWN_SECONDS:
            return False
        block = BLOCK / peer.pace.rate
        return block - (now - (peer.waiting_since or now)) > max(peer.rtt - block, 0.0) + _SPARE_SECONDS

    def hungry(self, peer: Peer, now: float) -> bool:
        """It owes so little that it could be idle soon."""
        window, owes = self.window(peer, now), peer.owed.blocks
        return owes * 2 <= window or (owes < min(window, 8) and self._picker.has_deadlines)

    def pressing(
        self, peer: Peer, now: float,
    ) -> tuple[tuple[OpenPiece, int] | None, tuple[OpenPiece, int] | None]:
        """What has a deadline and this peer should be asked for: blocks of a piece; or blocks that somebody else owes
        too.
        """
        if peer.suspect or peer.snubbed:
            return None, None
        picker = self._picker
        have = bitfield.of(peer.allowed_in, picker.width) & peer.have if peer.choked else peer.have
        eta = _wait(peer, peer.owed.blocks + 1, now)
        late = None if peer.choked else self._overdue(peer, now, eta)
        if late is not None:
            return None, late
        found = picker.urgent(
            have, peer.number, now + eta, now + _PATIENCE * self._soonest + _HURRY_SECONDS, now, self._pace)
        if found is not None and peer.web and self.enough(peer):
            due = picker.deadline(found[0].index)
            return (found if due is not None and due <= now + _DUE_SECONDS else None), None
        return found, None

    def _overdue(self, peer: Peer, now: float, eta: float) -> tuple[OpenPiece, int] | None:
        """Blocks are due soon, and who owes them takes much longer than this peer, which needs `eta` seconds: ask it
        as well.
        """
        picker = self._picker
        for piece in picker.due(now + _DUE_SECONDS):
            pressing = picker.pressing(piece) & piece.missing
            if not pressing or not bitfield.has(peer.have, piece.index, picker.width):
                continue
            among = pressing & ~peer.owed.mask(piece.index)
            if among & piece.doubled:
                among &= ~(piece.doubled & promised(self._peers, piece, now))
            if among and not self._guarded(piece, peer):
                head = pressing if picker.timing(piece)[0] <= now else 0
                if picker.by_blocks(piece.index):
                    head = _lowest(head, _HEAD)  # of others all have to be here before one is of use
                among &= self._late(piece, peer, eta, now, head)
                if among:
                    return piece, among
        return None

    def _late(self, piece: OpenPiece, asking: Peer, eta: float, now: float, head: int) -> int:
        """Blocks of a piece that others owe and will have given neither when they are due, nor long after `asking`
        could, in `eta` seconds. Of those at the `head`, which somebody waits for, it may be sooner.
        """
        out = 0
        longest, shortest = 2.5 * eta + _HURRY_SECONDS, eta + _HEAD_SECONDS
        due, row, each = self._picker.timing(piece)
        due -= now
        for peer in self._peers.values():
            if peer is asking or not peer.owed.blocks:
                continue
            if silent(peer, now):
                out |= peer.owed.mask(piece.index)
                continue
            more = BLOCK / _rate(peer)
            # What it sends now began when the last block came; who is late already will be later than that.
            waited = now - (peer.waiting_since or now)
            comes = abs(more + peer.rtt - waited) - more
            for run in peer.owed.runs:
                if run.index == piece.index:
                    for block in range(run.block, run.stop):
                        comes += more
                        if comes > (shortest if head >> block & 1 else longest) and comes > due + (block - row) * each:
                            out |= 1 << block
                else:
                    comes += more * (run.stop - run.block)
        return out

    def enough(self, web: Peer) -> bool:
        """The other peers give what is read and a little more: the web server is spared (it helps at the start)."""
        focus, now = self._picker.focus, self._clock()
        if not focus.rate:
            return False
        rate = sum(peer.down.rate(now) for peer in self._peers.values() if not peer.web)
        return rate > _SPARED * focus.rate

    def delay(self, number: int) -> float:
        """Seconds until an answer of this peer could be here, behind what it owes; for ever where it serves nobody."""
        peer = self._peers.get(number)
        if peer is None or peer.snubbed or peer.choked:
            return FOR_EVER
        return _wait(peer, peer.owed.blocks, self._clock())


def promised(peers: Mapping[int, Peer], piece: OpenPiece, now: float) -> int:
    """Blocks of a piece that somebody owes who does not keep us waiting."""
    out = 0
    for peer in peers.values():
        if peer.owed.blocks and not silent(peer, now):
            out |= peer.owed.mask(piece.index)
    return out


def silent(peer: Peer, now: float) -> bool:
    """It owes blocks and has not sent any for so long that it is no hope."""
    return peer.snubbed or now - max(peer.waiting_since or 0.0, peer.owed.oldest) > _WAIT_SECONDS


def _lowest(blocks: int, count: int) -> int:
    """The first of a set of blocks."""
    out = 0
    while blocks and count:
        out |= blocks & -blocks
        blocks &= blocks - 1
        count -= 1
    return out


def _rate(peer: Peer) -> float:
    """Bytes a second that a peer gives when it is asked; one not known yet is taken for slow."""
    return max(peer.pace.rate, 1024.0) if peer.pace.rate else 2.0 * BLOCK


def _wait(peer: Peer, blocks: int, now: float) -> float:
    """Seconds until a peer has given so many blocks more, behind what it cannot take back any more."""
    return peer.rtt + blocks * BLOCK / _rate(peer) + max(peer.clear_at - now, 0.0)
