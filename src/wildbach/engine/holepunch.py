"""Hole punching of one torrent (BEP 55): peers that cannot be called are called through a peer that both know.

Three parts are played. Who wants somebody it could not call, and of whom PEX said that it can be reached so, asks one
of those who told of it (`failed`). Who is asked tells both to call each other, if both are its peers and understand
(`_relay`). Who is told calls by uTP (`_connect`). As anybody can name anybody, all three are counted, and nobody is
told of who is not connected.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify, may_dial
from wildbach.base.ids import Endpoint
from wildbach.engine.peer import Peer
from wildbach.protocol.ext import holepunch
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.ext.holepunch import Kind, Message, Refusal

_AGAIN_SECONDS: Final = 60.0
"An endpoint is not asked for more often."
_ASKED_SECONDS: Final = 30.0
"A relay's call to meet an endpoint that we asked for is expected so long."


class PunchOwner(Protocol):
    """The torrent's connections."""

    def punch(self, endpoint: Endpoint) -> None:
        """Call an endpoint by uTP, now."""
        ...

    def may_punch(self, endpoint: Endpoint, *, asked: bool) -> bool:
        """There is room for one more call, and nobody of this endpoint is connected or being called."""
        ...


def punched_at(peer: Peer) -> Endpoint | None:
    """Where others may call a peer by uTP: where its own datagrams come from, or else the port it listens on."""
    if peer.web:
        return None  # a web seed is called by its URL
    if peer.outgoing or by_utp(peer):
        return peer.remote
    if peer.says is not None and peer.says.port:
        return Endpoint(peer.remote.host, peer.says.port)
    return None


def by_utp(peer: Peer) -> bool:
    return peer.connection.kind.partition("+")[0] == "utp"


class _Minute:
    """At most so many in a minute."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def take(self, now: float) -> bool:
        while self._times and now - self._times[0] >= 60.0:
            self._times.popleft()
        if len(self._times) >= limits.HOLEPUNCH_PER_MINUTE:
            return False
        self._times.append(now)
        return True


class HolePunch:
    """All three parts, for one torrent. `own` says whether an endpoint is our own."""

    def __init__(
        self, peers: Mapping[int, Peer], clock: Callable[[], float], own: Callable[[Endpoint], bool],
    ) -> None:
        self._peers = peers
        self._clock = clock
        self._own = own
        self.owner: PunchOwner | None = None
        self.on = False
        "We have uTP, and may."
        self._relays: OrderedDict[Endpoint, dict[int, None]] = OrderedDict()
        "Who told of an endpoint that can be met: numbers of peers, the latest last."
        self._asked: OrderedDict[Endpoint, float] = OrderedDict()
        self._calls = _Minute()
        self._relayed: dict[int, _Minute] = {}
        self.counts = {"asked": 0, "called": 0, "relayed": 0, "refused": 0}
        self.last_error = 0

    # -- who wants to meet

    def told(self, endpoint: Endpoint, relay: Peer) -> None:
        """A peer is connected to somebody who can be met (the PEX flag)."""
        relays = self._relays.pop(endpoint, {})
        relays.pop(relay.number, None)
        relays[relay.number] = None
        while len(relays) > limits.HOLEPUNCH_RELAYS:
            del relays[next(iter(relays))]
        self._relays[endpoint] = relays
        if len(self._relays) > limits.HOLEPUNCH_KNOWN:
            self._relays.popitem(last=False)

    def left(self, peer: Peer) -> None:
        self._relayed.pop(peer.number, None)

    def failed(self, endpoint: Endpoint) -> bool:
        """A call was not taken: ask somebody who knows it, at most once a minute. True where somebody was asked."""
        now = self._clock()
        if not self.on or now - self._asked.get(endpoint, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
            return False
        return self._ask(endpoint, now)

    def _ask(self, endpoint: Endpoint, now: float) -> bool:
        relays = self._relays.get(endpoint, {})
        while relays:
            number, _ = relays.popitem()
            peer = self._peers.get(number)
            if peer is None or peer.closing or not _understands(peer) or _six(peer.remote) != _six(endpoint):
                continue
            if not self._calls.take(now):
                return False
            self._asked[endpoint] = now
            self._asked.move_to_end(endpoint)
            while len(self._asked) > limits.HOLEPUNCH_KNOWN:
                self._asked.popitem(last=False)
            self.counts["asked"] += 1
            _send(peer, Message(Kind.RENDEZVOUS, endpoint))
            return True
        self._relays.pop(endpoint, None)
        return False

    # -- messages

    def received(self, peer: Peer, payload: bytes) -> None:
        """A message. Raises FormatError. Of who does not understand them itself, it is passed over (BEP 55)."""
        message = holepunch.decode(payload)
        if not self.on or not _understands(peer):
            return
        if message.kind is Kind.RENDEZVOUS:
            self._relay(peer, message.endpoint)
        elif message.kind is Kind.CONNECT:
            self._connect(peer, message.endpoint)
        elif message.endpoint in self._asked:
            self.counts["refused"] += 1
            self.last_error = message.error
            self._ask(message.endpoint, self._clock())

    def _connect(self, relay: Peer, endpoint: Endpoint) -> None:
        now = self._clock()
        asked = now - self._asked.get(endpoint, -_ASKED_SECONDS) < _ASKED_SECONDS
        if (
            self.owner is None or not may_dial(endpoint, classify(relay.remote.host)) or self._own(endpoint)
            or any(endpoint in (other.remote, punched_at(other)) for other in self._peers.values())
            or not self.owner.may_punch(endpoint, asked=asked) or (not asked and not self._calls.take(now))
        ):
            return  # silently, as BEP 55 wants
        self.counts["called"] += 1
        self.owner.punch(endpoint)

    def _relay(self, peer: Peer, endpoint: Endpoint) -> None:
        now = self._clock()
        if not self._relayed.setdefault(peer.number, _Minute()).take(now):
            return
        refusal: Refusal | None = None
        target = self._find(endpoint)
        if not endpoint.port or classify(endpoint.host) is Reach.FORBIDDEN:
            refusal = Refusal.NO_SUCH_PEER
        elif self._own(endpoint):
            refusal = Refusal.NO_SELF
        elif target is None or target is peer:
            refusal = Refusal.NOT_CONNECTED
        elif not _understands(target):
            refusal = Refusal.NO_SUPPORT
        at = punched_at(peer)
        if refusal is None and (at is None or _six(at) != _six(endpoint)):
            refusal = Refusal.NO_SUCH_PEER
        # Somebody whom many want to meet is not flooded through us.
        if refusal is None and target is not None and not self._relayed.setdefault(target.number, _Minute()).take(now):
            refusal = Refusal.NOT_CONNECTED
        if refusal is not None or target is None or at is None:
            _send(peer, Message(Kind.ERROR, endpoint, int(refusal or Refusal.NOT_CONNECTED)))
            return
        self.counts["relayed"] += 1
        _send(peer, Message(Kind.CONNECT, endpoint))
        _send(target, Message(Kind.CONNECT, at))

    def _find(self, endpoint: Endpoint) -> Peer | None:
        second = None
        for other in self._peers.values():
            if other.closing:
                continue
            if other.remote == endpoint:
                return other
            if second is None and punched_at(other) == endpoint:
                second = other
        return second


def _understands(peer: Peer) -> bool:
    return peer.says is not None and peer.says.id_of(Extension.UT_HOLEPUNCH) > 0


def _six(endpoint: Endpoint) -> bool:
    return ":" in endpoint.host


def _send(peer: Peer, message: Message) -> None:
    peer.extend(Extension.UT_HOLEPUNCH, holepunch.encode(message))
