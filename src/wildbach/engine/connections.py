"""Who is connected: calls to endpoints we know, callers we let in, and whom we let go when there is no room.

A peer belongs to one torrent once, whichever of a hybrid's two hashes it came by and whoever called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine import events
from wildbach.engine.dialing import Dialing
from wildbach.engine.peer import Parted, Peer, PeerOwner, Waiting
from wildbach.engine.rivals import Rivals
from wildbach.engine.roads import Reached
from wildbach.engine.shared import Shared
from wildbach.engine.swarm import Swarm
from wildbach.engine.talk import Talk, listening_at
from wildbach.engine.verdicts import Verdicts
from wildbach.engine.webseeds import WebSeeds
from wildbach.net.transport import Connection
from wildbach.protocol.peer_id import client_name
from wildbach.protocol.peer_priority import peer_priority
from wildbach.protocol.proxy import ProxyError
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import Handshake
from wildbach.runtime.tasks import Scope


class ConnectionsOwner(Protocol):
    """What the torrent says about itself."""

    key: str
    hashes: InfoHashes

    @property
    def open_to_peers(self) -> bool:
        """False while it is paused or stopped."""
        ...

    @property
    def wants(self) -> bool:
        """Something is missing: seeds are of use."""
        ...

    @property
    def private(self) -> bool:
        """Only its trackers may name peers (BEP 27)."""
        ...

    def bug(self, peer: Peer) -> None: ...


class Connections:
    """The connections of one torrent."""

    def __init__(
        self, owner: ConnectionsOwner, shared: Shared, scope: Scope, swarm: Swarm, talk: Talk, verdicts: Verdicts,
        peer_id: bytes, web: WebSeeds,
    ) -> None:
        self._owner = owner
        self._shared = shared
        self._scope = scope
        self._swarm = swarm
        self._talk = talk
        self._verdicts = verdicts
        self._peer_id = peer_id
        self._web = web
        self.known = Dialing(shared.dials, self._priority)
        self._rivals = Rivals(swarm.peers, peer_id, shared.clock)
        self.blocked: dict[Endpoint, str] = {}
        "Endpoints that the IP filter has, with who named them."
        self.calling = 0
        "Calls on their way."
        self._joined: dict[int, None] = {}
        self._punching: dict[Endpoint, None] = {}
        "Being called through a common peer."
        self._recall: dict[Endpoint, None] = {}
        "Whom to call again as soon as the connection that is there has ended."

    @property
    def active(self) -> bool:
        """There is a connection, or there may be one by itself."""
        return bool(self._swarm.peers or self.calling or self._web.active or self.known.soonest() is not None)

    @property
    def obstacle(self) -> str:
        """Why no call can be made, in plain words; empty where one can."""
        return self._shared.network.obstacle

    def add(self, endpoints: Sequence[Endpoint], source: str) -> None:
        """Remember endpoints to call, and call them as there is room."""
        free = [endpoint for endpoint in endpoints if not self._blocked(endpoint, source)]
        if self.known.add(free, source):
            self._shared.wake()

    def _blocked(self, endpoint: Endpoint, source: str) -> bool:
        """Whether the IP filter has it; then it is remembered apart, to say so, and for when it has not."""
        if not self._shared.bans.blocked(endpoint):
            return False
        if len(self.blocked) < limits.KNOWN_PEERS:
            self.blocked.setdefault(endpoint, source)
        return True

    def filter_changed(self) -> None:
        """Other addresses are blocked than before."""
        before, self.blocked = self.blocked, {}
        for endpoint, source in before.items():
            self.add([endpoint], source)

    def forget_all(self) -> None:
        """Forget whom we know; connections stay."""
        self.known.clear()
        self.blocked.clear()
        self._recall.clear()

    def ban(self, endpoint: Endpoint, reason: str) -> None:
        """Have nothing to do with who is proven guilty, connected or not."""
        if self._web.ban(endpoint, reason):
            return
        now = self._shared.clock()
        if not endpoint.port or self._shared.bans.banned(endpoint, now):
            return
        self._shared.bans.ban(endpoint, reason, now)
        self._shared.bus.publish(events.PeerBanned(self._owner.key, str(endpoint), reason))
        content = self._swarm.content
        for peer in list(self._swarm.peers.values()):
            if self._shared.bans.banned(peer.remote, now):
                peer.close(RemoteError(reason))
                if content is not None:
                    content.downloads.distrust(peer)
        self.known.forget(endpoint)

    def handshake(self, info_hash: bytes) -> Handshake:
        dht = self._shared.dht.running and not self._owner.private
        return Handshake(info_hash, self._peer_id, v2=self._owner.hashes.v2 is not None, dht=dht)

    # -- calling

    def call(self, now: float) -> None:
        """Call whom we know, as far as the limits allow."""
        settings = self._shared.settings.connections
        if not self._owner.open_to_peers or self._shared.network.shut:
            return
        heads = self._talk.heads
        wants = self._owner.wants or (heads is not None and heads.seeking)
        while (
            self.calling < settings.half_open and self._shared.room()
            and len(self._swarm.peers) + self.calling < settings.per_torrent
        ):
            known = self.known.next(now, want_seeds=wants)
            if known is None:
                return
            if self._blocked(known.endpoint, known.source) or self._shared.bans.banned(known.endpoint, now):
                self.known.forget(known.endpoint)
                continue
            self.calling += 1
            self._scope.spawn(f"dial:{known.endpoint}", self._dial(known.endpoint), contain=self._shared.report)

    async def _dial(self, endpoint: Endpoint) -> None:
        shared = self._shared
        # The v1 hash first: every client knows it, and a v2 bit in the answer upgrades a hybrid.
        greeting = self.handshake(self._owner.hashes.swarms[0])
        begun = shared.clock()
        try:
            reached = await shared.roads.call(endpoint, greeting.info_hash, greeting.to_bytes())
        except (NetworkError, RemoteError, TimeoutError) as error:
            if isinstance(error, ProxyError) or shared.network.shut:
                # Nobody's fault who was called.
                self.known.ended(endpoint, shared.clock(), seed=False)
                return
            self.known.failed(endpoint, shared.clock())
            shared.dials.ended(endpoint, getattr(error, "code", "") == "refused", shared.clock())
            self._talk.punch.failed(endpoint)
            return
        finally:
            self.calling -= 1
        shared.dials.ended(endpoint, True, shared.clock())
        self._called(reached, greeting, begun)

    def _called(self, reached: Reached, greeting: Handshake, begun: float) -> None:
        """A call was taken: greet, where that is not done yet."""
        shared = self._shared
        peer = Peer(shared.number(), reached.connection, _Caller(self), outgoing=True, now=shared.clock(), begun=begun)
        shared.greeting[peer.number] = peer
        reached.connection.start(peer)
        if not reached.said:
            peer.send(greeting.to_bytes())

    # -- calling through a common peer (BEP 55)

    def may_punch(self, endpoint: Endpoint, *, asked: bool) -> bool:
        shared = self._shared
        now = shared.clock()
        return (
            self._owner.open_to_peers and shared.utp is not None and endpoint not in self._punching
            and self.calling < shared.settings.connections.half_open and shared.room()
            and len(self._swarm.peers) + self.calling < shared.settings.connections.per_torrent
            and not shared.bans.banned(endpoint, now) and (asked or shared.dials.take(endpoint, "holepunch", now))
        )

    def punch(self, endpoint: Endpoint) -> None:
        self.calling += 1
        self._punching[endpoint] = None
        self._scope.spawn(f"punch:{endpoint}", self._punch(endpoint), contain=self._shared.report)

    async def _punch(self, endpoint: Endpoint) -> None:
        """Call by uTP; the other side does the same at this moment."""
        shared = self._shared
        greeting = self.handshake(self._owner.hashes.swarms[0])
        begun = shared.clock()
        try:
            if shared.utp is None:
                return
            reached = await shared.roads.meet(shared.utp, endpoint, greeting.info_hash, greeting.to_bytes())
        except (NetworkError, RemoteError, TimeoutError):
            return
        finally:
            self.calling -= 1
            self._punching.pop(endpoint, None)
        self._called(reached, greeting, begun)

    def reconnect_as_v2(self) -> None:
        """Hashes are missing that only v2 peers may be asked for (BEP 52). Those we met under the v1 hash, before we
        knew that the torrent is a hybrid, are called anew.
        """
        for peer in list(self._swarm.peers.values()):
            at = listening_at(peer)
            if peer.v2_able and not peer.v2 and at is not None:
                self._recall[at] = None
                peer.close(RemoteError("continues as v2"))

    # -- greeted

    def admit(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        """A peer that called or was called has greeted: take it in, or not (None)."""
        hashes = self._owner.hashes
        if theirs.peer_id == self._peer_id or not self._owner.open_to_peers:
            return None
        if theirs.info_hash not in hashes.swarms:
            raise RemoteError("answers for another torrent")
        v2_able = theirs.v2 or (hashes.v2 is not None and theirs.info_hash == hashes.v2[:20])
        rivals = self._rivals.of(peer, v2=hashes.v2 is not None and v2_able)
        if rivals is None:
            return None
        if not rivals:
            return self._take_in(peer, theirs, v2_able=v2_able)
        peer.hold()
        self._scope.spawn(
            f"rivals:{peer.number}", self._wait(peer, theirs, rivals, v2_able=v2_able), contain=self._shared.report)
        return Waiting(self._gone)

    async def _wait(self, peer: Peer, theirs: Handshake, rivals: Sequence[Peer], *, v2_able: bool) -> None:
        """It comes in if its rivals are dead."""
        owner: PeerOwner | None = None
        try:
            if await self._rivals.dead(rivals) and self._owner.open_to_peers and not peer.closing:
                owner = self._take_in(peer, theirs, v2_able=v2_able)
        finally:
            if owner is None:
                peer.close(RemoteError("not wanted here"))
        if owner is not None:
            peer.release(owner)

    def _gone(self, peer: Peer) -> None:
        """Somebody left before it was let in."""
        if peer.outgoing:
            self.left(peer, None)

    def _take_in(self, peer: Peer, theirs: Handshake, *, v2_able: bool) -> PeerOwner | None:
        hashes = self._owner.hashes
        if not self._has_room(peer):
            return None
        if not peer.outgoing:
            peer.begun = self._shared.clock()
            answer = theirs.info_hash
            if hashes.v1 is not None and hashes.v2 is not None and theirs.v2:
                # A hybrid is spoken as v2 where both can (BEP 52).
                answer = hashes.v2[:20]
            peer.send(self.handshake(answer).to_bytes())
            peer.info_hash = answer
        peer.v2 = hashes.v2 is not None and peer.info_hash == hashes.v2[:20]
        peer.v2_able = v2_able
        peer.client = client_name(theirs.peer_id)
        self._joined[peer.number] = None
        self._verdicts.joined(peer)
        if peer.outgoing:
            self.known.connected(peer.remote)
            self._shared.roads.worked(peer.remote, peer.connection.kind)
        self._talk.joined(peer)
        self._swarm.join(peer)
        port = self._shared.dht.port_for(peer.remote) if theirs.dht and not self._owner.private else 0
        if port:
            peer.send(codec.port(port))
        self._talk.speaks_v2(peer)
        self._shared.bus.publish(events.PeerConnected(self._owner.key, str(peer.remote), peer.client))
        self._shared.wake()
        return self._swarm

    def _has_room(self, newcomer: Peer) -> bool:
        """Where all slots are taken, somebody who is of no use goes.

        Those who neither have nor want anything come first, the one who had longest to say so. So whoever comes gets
        in, and keeps its place if it says soon what it wants, however many only hold one. Others get time to show what
        they give; then the least canonical goes (BEP 40).
        """
        peers = [
            peer for peer in self._swarm.peers.values() if not peer.closing and not peer.web
        ]
        if len(peers) < self._shared.settings.connections.per_torrent and self._shared.room():
            return True
        now = self._shared.clock()
        fetching = self._talk.fetcher is not None  # then whoever speaks to us may have the metadata
        useless = [
            peer for peer in peers
            if not peer.interested and not peer.am_interested and not (fetching and peer.says is not None)
        ]
        idle = [
            peer for peer in peers
            if now - peer.created > limits.SILENT_PEER_SECONDS and not peer.down.rate(now) and not peer.up.rate(now)
        ]
        if useless:
            worst = min(useless, key=lambda peer: peer.created)
        elif idle:
            worst = min(idle, key=lambda peer: (peer.down.total + peer.up.total, self._priority(peer.remote)))
        else:
            return False
        worst.close(Parted("its place was needed"))
        return True

    def _priority(self, remote: Endpoint) -> int:
        six = ":" in remote.host
        ours = self._shared.external.get(6 if six else 4) or ("::" if six else "0.0.0.0")
        return peer_priority(Endpoint(ours, self._talk.port), remote)

    def join_web(self, lane: Connection, name: str, number: int) -> Peer | None:
        """A lane of a web seed is a peer of the swarm that needs no greeting; None where there is no room."""
        if not self._shared.room() or len(self._swarm.peers) >= self._shared.settings.connections.per_torrent:
            return None
        peer = Peer(number, lane, self._swarm, outgoing=True, now=self._shared.clock())
        peer.source = "web_seed"
        peer.client = name
        peer.web = True
        peer.reqq = limits.REQUESTS_QUEUED
        peer.open(Handshake(self._owner.hashes.swarms[0], bytes(20), extension=False, fast=False))
        self._joined[number] = None
        self._verdicts.joined(peer)
        self._swarm.join(peer)
        lane.start(peer)
        self._shared.bus.publish(events.PeerConnected(self._owner.key, str(peer.remote), name))
        return peer

    def went(self, error: NetworkError) -> None:
        """Our network is away. Who called us cannot do so where we will be, so we call."""
        peers = list(self._swarm.peers.values())
        if not self._owner.private:
            called = [listening_at(peer) for peer in peers if not peer.outgoing]
            self.known.callers(at for at in called if at is not None)
        self._swarm.close_all(error)

    # -- over

    def greeted(self, peer: Peer) -> None:
        """The greeting of a called peer is over, one way or the other."""
        self._shared.greeting.pop(peer.number, None)

    def left(self, peer: Peer, error: Exception | None) -> None:
        """A connection has ended."""
        self._talk.left(peer, parted=isinstance(error, Parted))
        now = self._shared.clock()
        at = listening_at(peer) if self._recall else None
        if at is not None and self._recall.pop(at, 0) is None:
            self.known.again(at)
        elif peer.outgoing:
            if peer.number in self._joined:
                self.known.ended(peer.remote, now, seed=peer.upload_only)
            else:
                self.known.failed(peer.remote, now)
                if not peer.greeted and self._shared.roads.turned_away(peer.remote, peer.connection.kind):
                    self.known.again(peer.remote)
        if self._joined.pop(peer.number, 0) is None:
            self._shared.bus.publish(events.PeerDropped(self._owner.key, str(peer.remote), str(error or "")))
        self._shared.wake()

    def bug(self, peer: Peer) -> None:
        self._owner.bug(peer)


class _Caller:
    """Owns a peer we called until it has greeted."""

    __slots__ = ("_connections",)

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        self._connections.greeted(peer)
        return self._connections.admit(peer, theirs)

    def events(self, peer: Peer, events: list[codec.Event]) -> None:
        pass

    def drained(self, peer: Peer) -> None:
        pass

    def bug(self, peer: Peer) -> None:
        self._connections.bug(peer)

    def ended(self, peer: Peer, error: Exception | None) -> None:
        self._connections.greeted(peer)
        self._connections.left(peer, error)
