"""Which of several connections with one peer stays: the one that is there, unless it is dead.

Anybody can greet with the peer id of somebody else, so a newcomer is no reason to end what is alive. A connection of
which nothing was heard for a while is asked: a keep-alive leaves by it, which any system acknowledges that is there.
Only where no answer comes has the newcomer its place, so a peer whose network went away for a moment need not wait
until we miss it. Where both sides called each other at the same moment, both keep the call of the greater peer id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import RemoteError
from wildbach.engine.peer import Peer
from wildbach.protocol.wire import codec

_LOOK_SECONDS = 0.1


class Rivals:
    """`peers`: who is connected. `own`: our peer id in this torrent."""

    def __init__(self, peers: Mapping[int, Peer], own: bytes, clock: Callable[[], float]) -> None:
        self._peers = peers
        self._own = own
        self._clock = clock
        self._asked: dict[int, None] = {}
        "Peers that somebody waits for."

    def of(self, peer: Peer, *, v2: bool) -> Sequence[Peer] | None:
        """Who has to be dead for a newcomer to come in; None where it may not. `v2`: it speaks v2 with us.

        One connection to a peer, and one to an address; those of this machine are not counted.
        """
        alone = classify(peer.remote.host) is not Reach.LOCAL
        same: list[Peer] = []
        near: list[Peer] = []
        for other in self._peers.values():
            if other.closing:
                continue
            if other.peer_id == peer.peer_id:
                same.append(other)
            elif alone and other.remote.host == peer.remote.host:
                near.append(other)
        stay = [other for other in same if not self._gives_way(other, peer, v2=v2)]
        if len(near) >= limits.CONNECTIONS_PER_IP:
            stay += near
        if any(other.number in self._asked or not self._doubtful(other) for other in stay):
            return None
        for other in same:
            if other not in stay:
                _replace(other)
        return stay

    def _gives_way(self, other: Peer, peer: Peer, *, v2: bool) -> bool:
        """It ends at once for a newcomer with the same peer id."""
        if other.v2 != v2:
            # Under the torrent's other hash, where v2 brings hashes too: from where it is already.
            return v2 and other.remote.host == peer.remote.host
        crossed = peer.outgoing and not other.outgoing and other.begun >= peer.begun
        # They refuse our call unless they keep it: where it was not crossed by theirs, they know of no other.
        return crossed and peer.peer_id < self._own

    def _doubtful(self, other: Peer) -> bool:
        return not other.web and other.connection.silence >= limits.DOUBT_SECONDS

    async def dead(self, others: Sequence[Peer]) -> bool:
        """Ask whether they are there; if none is, all of them are closed."""
        for other in others:
            self._asked[other.number] = None
            other.send(codec.KEEP_ALIVE)
        try:
            until = self._clock() + limits.DOUBT_ANSWER_SECONDS
            while any(not other.closing for other in others) and self._clock() < until:
                await asyncio.sleep(_LOOK_SECONDS)
                if any(not other.closing and not self._doubtful(other) for other in others):
                    return False
        finally:
            for other in others:
                self._asked.pop(other.number, None)
        for other in others:
            _replace(other)
        return True


def _replace(other: Peer) -> None:
    other.close(RemoteError("another connection takes its place"))
