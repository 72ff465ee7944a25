"""Transports whose connections are those of devices that share a secret: Noise, and channels in it. For tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.meeting import Meeting, Met, greeted
from wildbach.net.mux import Channel, Mux, MuxOwner
from wildbach.net.transport import Connection, Listener, Transport
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.opening import Answerer, Caller, Secrets
from wildbach.runtime.tasks import Scope

SECRET = bytes(range(32))


class NoiseTransport:
    """Wraps a transport. Callers are told to `accept` when their opening is over; who fails it is never seen."""

    def __init__(self, inner: Transport, rng: Random, secret: bytes = SECRET) -> None:
        self._inner = inner
        self._rng = rng
        self.static = X25519PrivateKey.from_private_bytes(rng.randbytes(32))
        self.callers = X25519PrivateKey.from_private_bytes(rng.randbytes(32))
        "Of who dials: another device than who listens, also where one transport does both."
        self.secrets = Secrets[str]()
        self.keys = self.secrets.put("secret", secret)
        self._scope: Scope | None = None
        self._accepted: list[Connection] = []
        self.failed: list[Exception] = []

    async def meet(self, remote: Endpoint) -> Met[str]:
        inner = await self._inner.dial(remote)
        return await Meeting(inner, Caller("secret", self.keys, self.callers, new_peer_id(self._rng))).over()

    async def dial(self, remote: Endpoint) -> Connection:
        return (await self.meet(remote)).connection

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        return await self.listen_for(at, lambda met: accept(met.connection))

    async def listen_for(self, at: Endpoint, met: Callable[[Met[str]], None]) -> Listener:
        scope = self._scope
        if scope is None:
            scope = self._scope = Scope("noise")
            await scope.__aenter__()

        def answer(inner: Connection) -> None:
            self._accepted.append(inner)
            scope.spawn("opening", self._over(inner, met))

        return await self._inner.listen(at, answer)

    async def _over(self, inner: Connection, met: Callable[[Met[str]], None]) -> None:
        try:
            theirs = await greeted(inner)
            found = self.secrets.find(theirs)
            if found is None:
                raise RemoteError("calls with no secret that is known here")
            answerer = Answerer(found, self.static, theirs, new_peer_id(self._rng))
            one = await Meeting(inner, answerer).over()
        except (RemoteError, NetworkError) as error:
            self.failed.append(error)
            inner.close(error)
        else:
            met(one)

    async def close(self) -> None:
        """Nothing runs on after this. From the task that has begun to listen."""
        scope, self._scope = self._scope, None
        if scope is not None:
            await scope.__aexit__(None, None, None)
        for inner in self._accepted:
            inner.close()  # also where its opening was cancelled before it began
        await asyncio.sleep(0)
        await asyncio.sleep(0)


class _ManyStreams:
    """Owns a mux whose channels are all wanted by one."""

    def __init__(self, accept: Callable[[Channel], None] | None = None) -> None:
        self._accept = accept
        self.messages: list[bytes] = []
        self.error: Exception | None = None
        self.over = asyncio.Event()

    def message(self, payload: bytes) -> None:
        self.messages.append(payload)

    def opened(self, channel: Channel, request: bytes) -> bool:
        if self._accept is None:
            return False
        self._accept(channel)
        return True

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.error = error
        self.over.set()


class MuxTransport:
    """Wraps a transport of devices: each connection is a channel of a mux of its own, among `others` that are idle."""

    def __init__(self, inner: NoiseTransport, others: int = 0) -> None:
        self._inner = inner
        self._others = others
        self._muxes: list[Mux] = []

    def _mux(self, met: Met[str], owner: MuxOwner) -> Mux:
        mux = Mux(met.connection, met.opened.initiator, owner)
        self._muxes.append(mux)
        return mux

    async def dial(self, remote: Endpoint) -> Connection:
        mux = self._mux(await self._inner.meet(remote), _ManyStreams())
        for _ in range(self._others):
            mux.open()
        return mux.open(b"the one")

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        def met(found: Met[str]) -> None:
            def opened(channel: Channel) -> None:
                if channel.number == 2 * self._others + 1:
                    accept(channel)

            self._mux(found, _ManyStreams(opened))

        return await self._inner.listen_for(at, met)

    async def close(self) -> None:
        for mux in self._muxes:
            mux.close()
        await self._inner.close()
