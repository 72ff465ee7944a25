"""How an endpoint is called: over which transport, encrypted or not, and what was learned about that.

Transports are raced: the better one gets a head start, the other joins where it is not there by then or has failed;
who connects first stays, the other is closed. Far away uTP is better, as it gives way to everything else on the link of
a home; on this machine and in the local network, where there is nothing to give way to, TCP is. The encrypted
handshake goes first where encryption is preferred, and a plain one follows in a new connection where that failed. What
worked is tried first the next time. A call is one call of the limits, however many connections it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple, Protocol

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.engine.settings import Settings
from wildbach.net.mse import encrypt
from wildbach.net.transport import Connection, Transport
from wildbach.protocol.mse import Method
from wildbach.protocol.proxy import ProxyError
from wildbach.runtime.tasks import Scope

HEAD_START: Final = 0.25
"Seconds; most of the world is within one round trip of that, so the second transport is rarely needed."
_METHODS: Final = {"rc4": (Method.RC4,), "plain": (Method.PLAIN,), "either": (Method.RC4, Method.PLAIN)}


def methods(settings: Settings) -> Sequence[Method]:
    """What may follow an encrypted handshake, the better one first."""
    return _METHODS[settings.peers.encryption_payload]


class Reached(NamedTuple):
    """An open connection."""

    connection: Connection
    said: bool
    "The greeting went along with the encrypted handshake."


class _Learned:
    """What is known of one endpoint; None where nothing is."""

    __slots__ = ("encrypted", "failed", "kind")

    def __init__(self) -> None:
        self.kind: str | None = None
        self.encrypted: bool | None = None
        self.failed = False
        "The encrypted handshake was tried and led to nothing."


class Roads:
    """Calls endpoints for all torrents of a session."""

    def __init__(self, transports: Mapping[str, Transport], settings: Callable[[], Settings], rng: Random) -> None:
        """The names of the transports are the `kind` of their connections."""
        self._transports = transports
        self._settings = settings
        self._rng = rng
        self._learned: dict[Endpoint, _Learned] = {}

    # -- what was learned

    def hint(self, endpoint: Endpoint, *, encrypted: bool, utp: bool) -> None:
        """Somebody says how an endpoint can be reached (BEP 11). What we saw ourselves counts more."""
        if endpoint not in self._learned and (encrypted or utp):
            learned = self._of(endpoint)
            learned.kind = "utp" if utp else None
            learned.encrypted = True if encrypted else None

    def worked(self, endpoint: Endpoint, kind: str) -> None:
        """A call was taken and greeted; `kind` is that of its connection."""
        learned = self._of(endpoint)
        learned.kind, plus, _ = kind.partition("+")
        learned.encrypted = bool(plus)
        learned.failed = False

    def turned_away(self, endpoint: Endpoint, kind: str) -> bool:
        """A connection ended before it was greeted. True where another way is left that shall be tried at once."""
        if self._settings().peers.encryption != "prefer" or "+" in kind:
            return False
        learned = self._of(endpoint)
        if learned.failed:
            del self._learned[endpoint]  # neither way: the next call begins anew
            return False
        learned.encrypted = True
        return True

    def _of(self, endpoint: Endpoint) -> _Learned:
        learned = self._learned.pop(endpoint, None) or _Learned()
        self._learned[endpoint] = learned  # the latest stand last
        if len(self._learned) > limits.ROADS_REMEMBERED:
            del self._learned[next(iter(self._learned))]
        return learned

    # -- calling

    async def call(self, endpoint: Endpoint, skey: bytes, greeting: bytes) -> Reached:
        """Connect to an endpoint for the torrent with this info hash. Raises NetworkError, RemoteError or TimeoutError.

        Where the handshake is encrypted, `greeting` is said within it.
        """
        learned = self._learned.get(endpoint)
        near = classify(endpoint.host) in (Reach.LOCAL, Reach.PRIVATE)
        kinds = self._kinds(near, learned)
        policy = self._settings().peers.encryption
        if policy == "off" or (policy == "prefer" and not self._encrypted_first(endpoint, learned)):
            return Reached(await self._connect(endpoint, kinds), said=False)
        connection = await self._connect(endpoint, kinds)
        try:
            async with asyncio.timeout(limits.MSE_SECONDS):
                encrypted = await encrypt(connection, skey, greeting, methods(self._settings()), self._rng)
        except (NetworkError, RemoteError, TimeoutError):
            self._of(endpoint).failed = True
            if policy == "require":
                raise
        else:
            self._of(endpoint).failed = False
            return Reached(encrypted, said=True)
        first = connection.kind if connection.kind in kinds else kinds[0]
        return Reached(await self._connect(endpoint, (first,)), said=False)

    async def reach(self, endpoint: Endpoint) -> Connection:
        """Connect to an endpoint, and say nothing. Raises NetworkError or TimeoutError."""
        near = classify(endpoint.host) in (Reach.LOCAL, Reach.PRIVATE)
        return await self._connect(endpoint, self._kinds(near, self._learned.get(endpoint)))

    async def meet(self, transport: Transport, endpoint: Endpoint, skey: bytes, greeting: bytes) -> Reached:
        """Connect to who calls us at the same moment (BEP 55), by this transport. Raises as `call`."""
        settings = self._settings()
        async with asyncio.timeout(settings.connections.dial_seconds):
            connection = await transport.dial(endpoint)
        if settings.peers.encryption != "require":
            return Reached(connection, said=False)
        async with asyncio.timeout(limits.MSE_SECONDS):
            encrypted = await encrypt(connection, skey, greeting, methods(settings), self._rng)
        return Reached(encrypted, said=True)

    def _encrypted_first(self, endpoint: Endpoint, learned: _Learned | None) -> bool:
        if learned is not None and learned.encrypted is not None:
            return learned.encrypted
        return classify(endpoint.host) is not Reach.LOCAL  # on this machine nobody is in between

    def _kinds(self, near: bool, learned: _Learned | None) -> Sequence[str]:
        kinds = [kind for kind in (("tcp", "utp") if near else ("utp", "tcp")) if kind in self._transports]
        if learned is not None and learned.kind in kinds:
            kinds.sort(key=lambda kind: kind != learned.kind)
        return kinds

    async def _connect(self, endpoint: Endpoint, kinds: Sequence[str]) -> Connection:
        async with asyncio.timeout(self._settings().connections.dial_seconds):
            if len(kinds) == 1:
                return await self._transports[kinds[0]].dial(endpoint)
            return await _Race(endpoint).run([self._transports[kind] for kind in kinds])


class _Dialer(Protocol):
    async def dial(self, remote: Endpoint) -> Connection: ...


class _Race:
    """Several transports call one endpoint; the first connection wins."""

    __slots__ = ("_endpoint", "_error", "_open", "_won")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._open = 0
        self._error: NetworkError | None = None
        self._won: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    async def run(self, transports: Sequence[_Dialer]) -> Connection:
        self._open = len(transports)
        try:
            async with Scope("race") as scope:
                go = asyncio.Event()
                go.set()
                for transport in transports:
                    after, go = go, asyncio.Event()
                    scope.spawn("dial", self._dial(transport, after, go))
                return await self._won
        except BaseException:
            if self._won.done() and not self._won.cancelled() and self._won.exception() is None:
                self._won.result().close()
            raise

    async def _dial(self, transport: _Dialer, go: asyncio.Event, failed: asyncio.Event) -> None:
        """Call when the one before has failed, or its head start is over."""
        try:
            async with asyncio.timeout(HEAD_START):
                await go.wait()
        except TimeoutError:
            pass
        try:
            connection = await transport.dial(self._endpoint)
        except NetworkError as error:
            self._open -= 1
            failed.set()
            if self._error is None or isinstance(error, ProxyError):
                self._error = error  # what a proxy did wrong explains what the other one met
            if not self._open and not self._won.done():
                self._won.set_exception(self._error)
            return
        if self._won.done():
            connection.close()
        else:
            self._won.set_result(connection)
