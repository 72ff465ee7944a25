"""The door that peers knock at: who may come in, what they speak, and which torrent they want.

The first bytes tell a plain handshake from an encrypted one. An encrypted one costs half a millisecond to answer, so
nothing is computed before a whole key is here, so many are answered in a second, and where more come the networks they
come from take turns: a flood waits behind itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.addresses import neighbourhood
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.base.rate import TokenBucket
from wildbach.engine import roads
from wildbach.engine.peer import Peer, PeerOwner, Waiting
from wildbach.engine.shared import Shared
from wildbach.engine.state import State
from wildbach.engine.torrent import Torrent
from wildbach.net.mse import MseConnection
from wildbach.net.transport import Connection
from wildbach.protocol import mse
from wildbach.protocol.wire import codec, handshake
from wildbach.protocol.wire.handshake import Handshake

_ADDRESSES: Final = 10_000
"Addresses whose calls of the last second are counted."


class DoorOwner(Protocol):
    """The session."""

    def called(self, swarm: bytes) -> Torrent | None:
        """The torrent with this hash."""
        ...


class Strangers(Protocol):
    """Who knows callers that want none of our torrents."""

    def answer(self, connection: Connection, theirs: Handshake) -> bool:
        """True: the connection is theirs from now on, for another sink that they have started. It has been read up to
        the end of the handshake. False leaves all as it was, and the caller sees what it would see without them.
        """
        ...


class Door:
    """Takes in what a session's listeners accept."""

    def __init__(self, owner: DoorOwner, shared: Shared) -> None:
        self._owner = owner
        self._shared = shared
        self._named: dict[bytes, bytes] = {}
        "The info hash for what an encrypted handshake names a torrent by."
        self._inbound: dict[str, tuple[float, int]] = {}
        self._answers = TokenBucket(limits.MSE_ANSWERS_PER_SECOND)
        self._queues: dict[str, deque[_Visitor]] = {}
        "Who waits for an answer, by network; the first has its turn next."
        self.strangers: Strangers | None = None
        "Who is asked about callers that want what is no torrent here."

    def open_for(self, swarms: Sequence[bytes]) -> None:
        """Peers may call for a torrent with these hashes."""
        for swarm in swarms:
            self._named[mse.find_by(swarm)] = swarm

    def close_for(self, swarms: Sequence[bytes]) -> None:
        for swarm in swarms:
            self._named.pop(mse.find_by(swarm), None)

    def keep(self, connection: Connection) -> None:
        """One that belongs to no swarm is open from now on: it counts, and ends where the network does."""
        self._shared.guests.add(connection)

    # -- letting in

    def accept(self, connection: Connection) -> None:
        shared = self._shared
        now = shared.clock()
        remote = connection.remote
        if shared.bans.banned(remote, now) or self._too_fast(remote, now) or not self._may_greet():
            connection.close()
            return
        peer = Peer(shared.number(), connection, _Porter(self), outgoing=False, now=now)
        shared.greeting[peer.number] = peer
        connection.start(_Visitor(self, peer))
        shared.wake()

    def _may_greet(self) -> bool:
        """There is room, or a few more may say what they want: some of those who are here may have to go for them."""
        greeting = self._shared.greeting
        if self._shared.room() or len(greeting) < self._shared.settings.connections.half_open:
            return True
        for number, peer in greeting.items():
            # The first is the one that had most time.
            if not peer.outgoing and not peer.greeted:
                del greeting[number]
                peer.close(NetworkError("its place was needed"))
                return True
        return False

    def _too_fast(self, remote: Endpoint, now: float) -> bool:
        """More new connections a second than one address needs."""
        if self._shared.local(remote):
            return False
        since, count = self._inbound.get(remote.host, (now, 0))
        if now - since >= 1.0:
            since, count = now, 0
        self._inbound[remote.host] = (since, count + 1)
        if len(self._inbound) > _ADDRESSES:
            self._inbound = {host: seen for host, seen in self._inbound.items() if now - seen[0] < 1.0}
        return count >= limits.INBOUND_PER_SECOND_PER_IP

    # -- encrypted handshakes

    @property
    def policy(self) -> str:
        return self._shared.settings.peers.encryption

    def knocked(self, visitor: _Visitor) -> None:
        """A whole public key is here: answer, or have it wait for its turn."""
        if self._shared.local(visitor.peer.remote):
            self._answer(visitor)
            return
        visitor.peer.connection.pause()
        self._queues.setdefault(neighbourhood(visitor.peer.remote.host), deque()).append(visitor)
        self.tick(self._shared.clock())

    def tick(self, now: float) -> None:
        """Answer as many as may be answered, one of each network in turn."""
        queues = self._queues
        if not queues:
            return
        self._answers.refill(now)
        while queues and self._answers.tokens > 0:
            network = next(iter(queues))
            queue = queues.pop(network)
            visitor = queue.popleft()
            if queue:
                queues[network] = queue
            if not visitor.peer.closing:
                self._answers.take(1)
                self._answer(visitor)

    def _answer(self, visitor: _Visitor) -> None:
        peer = visitor.peer
        answerer = mse.Answerer(self._named.get, roads.methods(self._shared.settings), self._shared.rng)
        connection = MseConnection(peer.connection, answerer, early=visitor.said)
        peer.connection = connection
        connection.start(peer)

    # -- greeted

    def welcome(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        """It has said which torrent it wants."""
        torrent = self._owner.called(theirs.info_hash)
        if torrent is None and self.strangers is not None and self.strangers.answer(peer.connection, theirs):
            peer.handed_over = True
        if torrent is not None and torrent.asleep and torrent.state is State.SEEDING:
            # It counts as greeting until the torrent is awake.
            peer.hold()
            self._shared.scope.spawn(
                f"welcome:{peer.number}", self._wake(peer, theirs, torrent), contain=self._shared.report)
            return Waiting(self.gone)
        self.gone(peer)
        return torrent.links.admit(peer, theirs) if torrent is not None else None

    async def _wake(self, peer: Peer, theirs: Handshake, torrent: Torrent) -> None:
        await self._shared.wake_up(torrent.key)
        self.gone(peer)
        if peer.closing:
            return
        try:
            owner = None if torrent.asleep else torrent.links.admit(peer, theirs)
        except RemoteError as error:
            peer.close(error)
            return
        if owner is None:
            peer.close(RemoteError("not wanted here"))
        else:
            peer.release(owner)

    def gone(self, peer: Peer) -> None:
        """It is not greeting any more."""
        self._shared.greeting.pop(peer.number, None)

    def bug(self, peer: Peer) -> None:
        self._shared.bug(peer)


class _Visitor:
    """Hears the first bytes of a connection, and hands it to who understands them."""

    __slots__ = ("_door", "peer", "said")

    missing = 0

    def __init__(self, door: Door, peer: Peer) -> None:
        self._door = door
        self.peer = peer
        self.said = b""
        "The beginning of an encrypted handshake."

    def received(self, data: memoryview) -> int:
        peer = self.peer
        if handshake.plausible(data):
            if self._door.policy == "require":
                peer.close(RemoteError("not encrypted"))
                return len(data)
            if len(data) < len(handshake.PREFIX):
                return 0
            peer.connection.start(peer)
            return peer.received(data)
        if self.said or self._door.policy == "off":
            peer.close(RemoteError("not a BitTorrent handshake"))
            return len(data)
        if len(data) < mse.KEY:
            return 0
        self.said = bytes(data)
        self._door.knocked(self)
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.peer.closed(error)


class _Porter:
    """Owns a peer that called until its handshake says whom it wants."""

    __slots__ = ("_door",)

    def __init__(self, door: Door) -> None:
        self._door = door

    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        return self._door.welcome(peer, theirs)

    def events(self, peer: Peer, events: list[codec.Event]) -> None:
        pass

    def drained(self, peer: Peer) -> None:
        pass

    def bug(self, peer: Peer) -> None:
        self._door.bug(peer)

    def ended(self, peer: Peer, error: Exception | None) -> None:
        self._door.gone(peer)
