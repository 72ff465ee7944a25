"""The relay service: what came in on one connection goes out on another one, within what `Caps` allow.

Nothing is dialled here, nothing is read of what is passed on, and no more is held for one side than it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from wildbach.base.ids import Endpoint
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection, Landing, Listener
from wildbach.protocol.sync.relay import HELLO_BYTES, Caps, End, Order, Relay, RelayStats, Say

_TICK_SECONDS: Final = 1.0
_PACE_SECONDS: Final = 0.05
"Between two looks at those who may not be read from now."
_LINGERING: Final = 64
"Connections that still get the last bytes of one that has ended."
_LINGER_SECONDS: Final = 20.0


class Listens(Protocol):
    """What a relay needs of a transport: it takes calls, and makes none."""

    def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> Awaitable[Listener]: ...


class RelayServer:
    """Use it with `async with`, and `start` it at one or more addresses."""

    def __init__(self, caps: Caps | None = None, *, transport: Listens | None = None) -> None:
        self._relay = Relay(caps)
        self._transport: Listens = transport if transport is not None else TcpTransport()
        self._listeners: list[Listener] = []
        self._guests: dict[int, _Guest] = {}
        self._held: dict[int, None] = {}
        "Those that are not read from until their partner or the rates allow it."
        self._lingering: dict[int, float] = {}
        "Connections that the relay knows no more, and until when they may take what is left for them."
        self._last = 0
        self._loop = asyncio.get_running_loop()
        self._ticked = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: str, port: int) -> Endpoint:
        """Listen at a literal address; port 0 takes any. Raises NetworkError."""
        listener = await self._transport.listen(Endpoint(host, port), self._accept)
        self._listeners.append(listener)
        if self._timer is None:
            self._arm()
        return listener.endpoint

    @property
    def listening(self) -> Sequence[Endpoint]:
        return [listener.endpoint for listener in self._listeners]

    def stats(self) -> RelayStats:
        return self._relay.stats()

    async def close(self) -> None:
        """End everything. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for guest in list(self._guests.values()):
            guest.connection.close()
        # Connections tell their end in the next turn.
        await asyncio.sleep(0)

    async def __aenter__(self) -> RelayServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- connections

    def _accept(self, connection: Connection) -> None:
        self._last += 1
        guest = self._guests[self._last] = _Guest(self, self._last, connection)
        connection.start(guest)
        self._do(self._relay.opened(guest.number, connection.remote.host, self._loop.time()))

    def received(self, guest: _Guest, data: memoryview) -> int:
        now = self._loop.time()
        number = guest.number
        partner = self._relay.partner(number)
        if partner is None:
            self._do(self._relay.received(number, data, now))
            return len(data) if guest.connection.closing or len(data) >= HELLO_BYTES else 0
        other = self._guests[partner].connection
        other.send(bytes(data))
        self._do(self._relay.passed(number, len(data), other.queued, now))
        if not guest.connection.closing and not self._relay.may_read(number, now):
            guest.connection.pause()
            self._hold(number)
        return len(data)

    def drained(self, guest: _Guest) -> None:
        if guest.number in self._lingering:
            guest.connection.close()
            return
        self._relay.left(guest.number, guest.connection.queued, self._loop.time())
        partner = self._relay.partner(guest.number)
        if partner is not None and partner in self._held:
            self._release(partner)

    def closed(self, guest: _Guest) -> None:
        self._guests.pop(guest.number, None)
        self._held.pop(guest.number, None)
        self._lingering.pop(guest.number, None)
        self._do(self._relay.closed(guest.number))

    # -- orders

    def _do(self, orders: Sequence[Order]) -> None:
        for order in orders:
            match order:
                case Say(number, status):
                    guest = self._guests.get(number)
                    if guest is not None:
                        guest.connection.send(bytes([status]))
                case End(number, _):
                    self._end(number)

    def _end(self, number: int) -> None:
        guest = self._guests.get(number)
        if guest is None:
            return
        self._held.pop(number, None)
        if not guest.connection.queued or number in self._lingering:
            guest.connection.close()
            return
        guest.connection.pause()
        self._lingering[number] = self._loop.time() + _LINGER_SECONDS
        if len(self._lingering) > _LINGERING:
            self._guests[next(iter(self._lingering))].connection.close()

    # -- time

    def _hold(self, number: int) -> None:
        self._held[number] = None
        if self._timer is not None and self._timer.when() > self._loop.time() + _PACE_SECONDS:
            self._timer.cancel()
            self._arm()

    def _release(self, number: int) -> None:
        if self._relay.may_read(number, self._loop.time()):
            del self._held[number]
            self._guests[number].connection.resume()

    def _arm(self) -> None:
        self._timer = self._loop.call_later(_PACE_SECONDS if self._held else _TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        for number in list(self._held):
            partner = self._relay.partner(number)
            if partner is None:
                self._held.pop(number, None)
                continue
            self._relay.left(partner, self._guests[partner].connection.queued, now)
            self._release(number)
        if now - self._ticked >= _TICK_SECONDS * 0.9:
            self._ticked = now
            for number, guest in self._guests.items():
                self._relay.left(number, guest.connection.queued, now)
            self._do(self._relay.tick(now))
            for number in [number for number, until in self._lingering.items() if now >= until]:
                self._guests[number].connection.close()
        self._arm()


class _Guest:
    """One connection, as a sink."""

    __slots__ = ("_server", "connection", "landing", "number")

    def __init__(self, server: RelayServer, number: int, connection: Connection) -> None:
        self._server = server
        self.number = number
        self.connection = connection
        self.landing: Landing | None = None

    @property
    def missing(self) -> int:
        return 0

    def received(self, data: memoryview) -> int:
        return self._server.received(self, data)

    def drained(self) -> None:
        self._server.drained(self)

    def closed(self, error: Exception | None) -> None:
        self._server.closed(self)
