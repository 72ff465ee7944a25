"""Transports whose connections are those of devices that share a secret: Noise, and channels in it. For tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.meeting import Meeting, Met
from wildbach.net.mux import Channel, Mux, MuxOwner
from wildbach.net.transport import Connection, Listener, Transport
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.opening import Answerer, Caller, Secrets
from wildbach.protocol.wire.handshake import LENGTH, parse

SECRET = bytes(range(32))


class _Greeted:
    """Waits for the handshake of a caller, as the door of a session does."""

    missing = LENGTH

    def __init__(self, connection: Connection, then: Callable[[bytes], None]) -> None:
        self._connection = connection
        self._then = then
        connection.start(self)

    def received(self, data: memoryview) -> int:
        if len(data) < LENGTH:
            return 0
        self._then(bytes(data[:LENGTH]))
        return LENGTH

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        pass


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
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: list[Exception] = []

    async def meet(self, remote: Endpoint) -> Met[str]:
        inner = await self._inner.dial(remote)
        return await Meeting(inner, Caller("secret", self.keys, self.callers, new_peer_id(self._rng))).over()

    async def dial(self, remote: Endpoint) -> Connection:
        return (await self.meet(remote)).connection

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        return await self.listen_for(at, lambda met: accept(met.connection))

    async def listen_for(self, at: Endpoint, met: Callable[[Met[str]], None]) -> Listener:
        def answer(inner: Connection) -> None:
            def greeted(raw: bytes) -> None:
                theirs = parse(raw)
                found = self.secrets.find(theirs)
                if found is None:
                    inner.close()
                    return
                answerer = Answerer(found, self.static, theirs, new_peer_id(self._rng))
                task = asyncio.get_running_loop().create_task(self._over(Meeting(inner, answerer), met))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

            _Greeted(inner, greeted)

        return await self._inner.listen(at, answer)

    async def _over(self, meeting: Meeting[str], met: Callable[[Met[str]], None]) -> None:
        try:
            found = await meeting.over()
        except (RemoteError, NetworkError) as error:
            self.failed.append(error)
        else:
            met(found)

    async def close(self) -> None:
        """Nothing runs on after this."""
        for task in self._tasks:
            task.cancel()
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
