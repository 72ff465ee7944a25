"""Heads from peer to peer in one torrent (`wb_head`), for when the DHT is silent or lies.

Peers that follow the same key in the same torrent tell each other how far they know, and who knows more gives the
signed item: once for each number and peer, only to who asked for its place, and nothing is taken that we do not follow
here. A wrong signature costs the connection. A few peers that share something are kept though neither side has pieces
for the other, so that there is somebody to hear from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import RemoteError
from wildbach.engine.peer import Peer
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.ext import head
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.ext.head import HeadMessage

_TIME_TO_SPEAK: Final = 20.0
"Seconds from the start of a connection in which a peer may still say what it follows."
_SEEKING: Final = 60.0
"Seconds in which peers are called that have no pieces for us."
_KNOWN_PLACES: Final = 4 * limits.HEAD_PLACES


@dataclass(frozen=True, slots=True)
class Room:
    """A place in the DHT that matters in a torrent: a head that is followed or published, or a rotation."""

    target: bytes
    item: Item | None
    "The newest we have; its signature is good."
    takes: bool
    "A newer one is welcome."

    @property
    def seq(self) -> int:
        return self.item.seq if self.item is not None else -1


class HeadSource(Protocol):
    """Who knows what is followed and published."""

    def rooms(self, torrent: str) -> Mapping[bytes, Room]:
        """What matters in the torrent with this key, by place."""
        ...

    def gossiped(self, item: Item) -> None:
        """A peer gave us this genuine item, which is newer than ours."""
        ...


class _State:
    """What one peer said and was told."""

    __slots__ = ("messages", "sent", "spoke", "theirs", "told")

    def __init__(self) -> None:
        self.theirs: dict[bytes, int] = {}
        self.told: dict[bytes, None] = {}
        self.sent: dict[bytes, int] = {}
        self.spoke = False
        self.messages: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Count a message; False where there were too many in the last minute."""
        while self.messages and now - self.messages[0] >= 60.0:
            self.messages.popleft()
        if len(self.messages) >= limits.HEAD_MESSAGES_PER_MINUTE:
            return False
        self.messages.append(now)
        return True


class HeadTalk:
    """One torrent's. `key` is the torrent's, and may change once its metadata is known."""

    def __init__(
        self, source: HeadSource, key: Callable[[], str], peers: Mapping[int, Peer], clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._key = key
        self._peers = peers
        self._clock = clock
        self._states: dict[int, _State] = {}
        self._seeks_until = float("-inf")
        self._next_look = 0.0
        self.on = True
        "Not in private torrents, nor where nobody is to know which program we are."
        self.review: Callable[[], None] = lambda: None
        "Lets go of peers that are of no use, where `keeps` does not keep them."

    def hello(self, peer: Peer) -> None:
        """Its extension handshake is here."""
        self._update(peer)

    def left(self, peer: Peer) -> None:
        self._states.pop(peer.number, None)

    def tell(self) -> None:
        """Something is newer than it was: tell everybody who asked."""
        for peer in list(self._peers.values()):
            self._update(peer)

    def received(self, peer: Peer, payload: bytes) -> None:
        """Raises RemoteError for what is no message, and for a wrong signature."""
        if not self.on:
            return
        message = head.decode(payload)
        state = self._states.setdefault(peer.number, _State())
        if not state.take(self._clock()):
            return
        state.spoke = True
        for target, seq in message.known.items():
            if len(state.theirs) < _KNOWN_PLACES or target in state.theirs:
                state.theirs[target] = seq
        rooms = self._source.rooms(self._key())
        for item in message.items:
            room = rooms.get(item.target)
            if room is None or not room.takes or item.seq <= room.seq:
                continue
            if not items.genuine(item.key, item.signature, item.raw, item.seq, item.salt):
                raise RemoteError("gave a head with a wrong signature")
            state.theirs[item.target] = max(item.seq, state.theirs.get(item.target, -1))
            self._source.gossiped(item)
        self._update(peer)

    def _update(self, peer: Peer) -> None:
        """Say what it has not heard yet."""
        if not self.on or peer.closing or peer.says is None or not peer.says.id_of(Extension.WB_HEAD):
            return
        rooms = list(self._source.rooms(self._key()).values())[: limits.HEAD_PLACES]
        if not rooms:
            return
        state = self._states.setdefault(peer.number, _State())
        known = {room.target: room.seq for room in rooms if room.target not in state.told}
        due = [
            room.item for room in rooms
            if room.item is not None and room.target in state.theirs
            and room.seq > max(state.theirs[room.target], state.sent.get(room.target, -1))
        ]
        state.told.update(dict.fromkeys(known))
        state.sent.update({item.target: item.seq for item in due})
        while known or due:
            message = HeadMessage(known, tuple(due[: limits.HEAD_ITEMS]))
            known, due = {}, due[limits.HEAD_ITEMS :]
            peer.extend(Extension.WB_HEAD, head.encode(message))

    # -- company

    def keeps(self, peer: Peer) -> bool:
        """Whether a peer is kept that has no pieces for us and wants none."""
        if not self.on or not peer.extension or not self._source.rooms(self._key()):
            return False
        if self._clock() - peer.created < _TIME_TO_SPEAK:
            state = self._states.get(peer.number)
            may_speak = peer.says is None or bool(peer.says.id_of(Extension.WB_HEAD))
            if may_speak and (state is None or not state.spoke):
                return True
        return peer.number in self._company()

    def _company(self) -> list[int]:
        """Those who share something with us, as many as are kept."""
        rooms = self._source.rooms(self._key())
        sharing = [
            number for number, state in self._states.items()
            if number in self._peers and any(target in rooms for target in state.theirs)
        ]
        return sharing[: limits.HEAD_COMPANY]

    def seek(self) -> None:
        """The DHT does not help: call peers for what they know, for a minute."""
        if self.on and self._source.rooms(self._key()):
            self._seeks_until = self._clock() + _SEEKING

    @property
    def seeking(self) -> bool:
        """Peers are to be called that have no pieces for us."""
        return self._clock() < self._seeks_until and len(self._company()) < limits.HEAD_COMPANY

    def tick(self, now: float) -> None:
        if now >= self._next_look and self.on:
            self._next_look = now + _TIME_TO_SPEAK / 2
            if self._source.rooms(self._key()):
                self.review()
