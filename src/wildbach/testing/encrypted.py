"""A transport whose connections are all encrypted, for one torrent: for scripted peers and tests."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from wildbach.base.ids import Endpoint
from wildbach.net.mse import MseConnection, encrypt
from wildbach.net.transport import Connection, Listener, Transport
from wildbach.protocol.mse import Answerer, Method


class EncryptedTransport:
    """Wraps a transport. Callers are told to `accept` when their handshake is over; who fails it is never seen."""

    def __init__(self, inner: Transport, rng: Random, method: Method = Method.RC4, skey: bytes = bytes(20)) -> None:
        self._inner = inner
        self._rng = rng
        self._method = method
        self._skey = skey

    async def dial(self, remote: Endpoint) -> Connection:
        return await encrypt(await self._inner.dial(remote), self._skey, b"", (self._method,), self._rng)

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Listener:
        def answer(inner: Connection) -> None:
            def settled(error: Exception | None) -> None:
                if error is None:
                    accept(connection)

            answerer = Answerer(lambda _: self._skey, (self._method,), self._rng)
            connection = MseConnection(inner, answerer, settled)

        return await self._inner.listen(at, answer)
