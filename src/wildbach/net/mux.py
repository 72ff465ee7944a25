"""Many connections in one (protocol.mux): whole messages on the control channel, and channels that are Connections.

    mux = Mux(met.connection, met.opened.initiator, owner)
    mux.send(b"a message")                  to the other side's `owner.message`
    channel = mux.open(b"what it is for")   a Connection; the other side's `owner.opened` gets one as well

A channel may be sent to at once; what is sent leaves when the other side has let it be open, and where it did not, the
channel ends with a NetworkError whose code is `refused`. What comes of a channel is handed on where it was decrypted,
all slices of one read in one go, or put where it belongs (`Landing`). A channel that is paused holds what comes, as far
as its credit goes; the others are not held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import NetworkError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.base.rate import RateMeter
from wildbach.net.noise import READ
from wildbach.net.transport import Connection, Landing, Sink, feed
from wildbach.protocol import mux as wire
from wildbach.protocol.mux import CONTROL, Accepted, Closed, Data, Free, Messages, Opened, Refused

_BATCH: Final = 2 * (wire.SLICE + wire.HEADER)
"Bytes that are sent at once: two slices, which is one record."
_AHEAD: Final = 64 << 10
"With so much waiting below nothing more is sent: what is urgent would stand behind it."
_TURN: Final = 1 << 20
"Bytes that are sent in one turn of the loop."
_TICK: Final = 15.0


class MuxOwner(Protocol):
    """Who has a mux. Calls come one at a time; a WildbachError that leaves one ends the connection."""

    def message(self, payload: bytes) -> None:
        """A message of the control channel, whole."""
        ...

    def opened(self, channel: Channel, request: bytes) -> bool:
        """The other side opens a channel. True lets it be open: `start` it now or later. False refuses it."""
        ...

    def drained(self) -> None:
        """All messages have left."""
        ...

    def closed(self, error: Exception | None) -> None:
        """The connection has ended, and with it all channels: each of them says so itself. Called once."""
        ...


class Mux:
    """All channels of one connection. It owns the connection, and starts it."""

    def __init__(self, connection: Connection, initiator: bool, owner: MuxOwner) -> None:
        """`initiator`: this side called; both sides must know it alike."""
        self._inner = connection
        self._core = wire.Mux(initiator)
        self._owner = owner
        self._messages = Messages()
        self._channels: dict[int, Channel] = {}
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._held = False
        self._handing = False
        self._over = False
        self._heard = self._moved = self._loop.time()
        self._asking: list[asyncio.Future[bool]] = []
        "Who waits to hear anything."
        self.down = RateMeter()
        "Bytes that came, of all channels."
        self.up = RateMeter()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(_TICK, self._tick)
        connection.start(self)

    @property
    def connection(self) -> Connection:
        """The one below, for its endpoints."""
        return self._inner

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Those that are open, in the order they were opened."""
        return tuple(self._channels.values())

    @property
    def queued(self) -> int:
        """Bytes of messages that have not left yet."""
        return self._core.queued(CONTROL)

    @property
    def closing(self) -> bool:
        return self._inner.closing

    def send(self, payload: bytes) -> None:
        """A message to the other side, 1 to limits.MUX_MESSAGE_BYTES bytes. Nothing happens after the end.

        Who sends much looks at `queued`: with more than limits.MUX_QUEUE_BYTES the connection ends. Raises UsageError.
        """
        if self._inner.closing:
            return
        self._core.message(payload)
        if self.queued > limits.MUX_QUEUE_BYTES:
            self.close(NetworkError("the other side does not read its messages"))
        self._soon()

    def open(self, request: bytes = b"") -> Channel:
        """A channel of our own; `request` says what it is for. Raises LimitError, and NetworkError after the end."""
        if self._inner.closing:
            raise NetworkError("the connection was closed")
        channel = Channel(self, self._core.open(request))
        self._channels[channel.number] = channel
        self._soon()
        return channel

    async def answers(self, seconds: float) -> bool:
        """Is the other side there? False where nothing comes of it for so long, or the connection ends."""
        if self._inner.closing:
            return False
        heard: asyncio.Future[bool] = self._loop.create_future()
        self._asking.append(heard)
        self._core.ping()
        self._soon()
        try:
            async with asyncio.timeout(seconds):
                return await heard
        except TimeoutError:
            return False
        finally:
            if heard in self._asking:
                self._asking.remove(heard)

    def _answer(self, there: bool) -> None:
        asking, self._asking = self._asking, []
        for each in asking:
            if not each.done():
                each.set_result(there)

    def hold(self) -> None:
        """Hand on no more messages: the other side is slowed down by its credit. Channels go on."""
        self._held = True

    def go_on(self) -> None:
        """The opposite of `hold`."""
        if self._held:
            self._held = False
            self._loop.call_soon(self.guard, self._hand)

    def close(self, error: Exception | None = None) -> None:
        """End the connection and all channels now; what is queued may be lost. Idempotent."""
        self._inner.close(error)

    # -- Sink of the connection below

    @property
    def missing(self) -> int:
        return self._core.missing

    def received(self, data: memoryview) -> int:
        self._heard = self._loop.time()
        if self._asking:
            self._answer(True)
        used = len(data)

        def take() -> None:
            nonlocal used
            events, used = self._core.received(data)
            for event in events:
                if self._inner.closing:
                    return
                self._happened(event)

        self.guard(take)
        self._soon()
        used = len(data) if self._inner.closing else used
        self.down.add(used)
        return used

    def drained(self) -> None:
        self._moved = self._loop.time()
        self._pump()

    def closed(self, error: Exception | None) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._answer(False)
        for channel in list(self._channels.values()):
            channel.over(error if error is not None else NetworkError("the connection was closed"))
        self._owner.closed(error)

    # -- what comes

    def guard(self, work: Callable[[], None]) -> None:
        """Do what follows from what the other side sent: it goes where it broke a rule, or a bug passes through."""
        sound = False
        try:
            work()
            sound = True
        except WildbachError as error:
            self.close(error)
            sound = True
        finally:
            if not sound:
                self.close()

    def _happened(self, event: wire.Event) -> None:
        if isinstance(event, Data):
            if event.channel == CONTROL:
                for part in event.parts:
                    self._messages.put(part)
                self._hand()
            elif (channel := self._channels.get(event.channel)) is not None:
                channel.came(event.parts)
            return
        if isinstance(event, Opened):
            self._opened(event)
        elif isinstance(event, Closed | Refused):
            channel = self._channels.get(event.channel)
            if channel is not None:
                channel.over(NetworkError("the other side does not want this channel", code="refused")
                             if isinstance(event, Refused) else NetworkError("the other side closed the channel"))
        elif isinstance(event, Accepted):
            self._soon()

    def _opened(self, event: Opened) -> None:
        channel = Channel(self, event.channel)
        self._channels[event.channel] = channel
        wanted = self._owner.opened(channel, event.request)
        if channel.closing or self._inner.closing:
            return
        if wanted:
            self._core.accept(event.channel)
        else:
            del self._channels[event.channel]
            channel.closing = True
            self._core.refuse(event.channel)
        self._soon()

    def _hand(self) -> None:
        """Hand on whole messages. The owner may hold in between, or come back here."""
        if self._handing:
            return
        self._handing = True
        try:
            while not self._held and not self._inner.closing:
                payload = self._messages.next()
                if payload is None:
                    break
                self._core.consumed(CONTROL, 4 + len(payload))
                self._owner.message(payload)
        finally:
            self._handing = False
        self._soon()

    # -- what goes

    def _soon(self) -> None:
        if not self._scheduled and not self._over:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._pump()

    def _pump(self) -> None:
        """Send in turns as long as the connection below takes it."""
        inner = self._inner
        left = _TURN
        while inner.queued < _AHEAD and not inner.closing:
            if left <= 0:
                self._soon()
                break
            batch = self._core.take(_BATCH)
            if batch.data:
                inner.send(batch.data)
            for call in batch.free:
                call()
            for number in batch.drained:
                if number == CONTROL:
                    self._owner.drained()
                elif (channel := self._channels.get(number)) is not None:
                    channel.emptied()
            if not batch.data:
                break
            self._moved = self._loop.time()
            self.up.add(len(batch.data))
            left -= len(batch.data)

    def _tick(self) -> None:
        """Is the other side there, and does it read?"""
        now = self._loop.time()
        self._timer = self._loop.call_later(_TICK, self._tick)
        if not self._inner.queued:
            self._moved = now
        if now - self._heard >= limits.MUX_SILENT_SECONDS:
            self.close(NetworkError("the other side is silent", code="timed_out"))
        elif now - self._moved >= limits.MUX_SILENT_SECONDS:
            self.close(NetworkError("the other side does not read", code="timed_out"))
        elif now - self._heard >= limits.MUX_PING_SECONDS:
            self._core.ping()
            self._soon()

    # -- for channels

    def queued_of(self, number: int) -> int:
        return self._core.queued(number)

    def send_on(self, number: int, data: bytes | bytearray | memoryview, free: Free) -> None:
        self._core.send(number, data, free)
        self._soon()

    def consumed(self, number: int, count: int) -> None:
        self._core.consumed(number, count)
        self._soon()

    def leave(self, number: int) -> list[Callable[[], None]]:
        """A channel is closed by us, or at its end; returns what is to be called for buffers of it."""
        self._channels.pop(number, None)
        free = self._core.close(number)
        self._soon()
        return free


class Channel:
    """One stream of a mux, as a Connection."""

    __slots__ = (
        "_end", "_ended", "_error", "_free", "_held", "_mux", "_reading", "_rest", "_sink", "closing", "landing",
        "number",
    )

    def __init__(self, mux: Mux, number: int) -> None:
        self._mux = mux
        self.number = number
        self._sink: Sink | None = None
        self._reading = False
        self._held = bytearray()
        "What came while it was not read; credit bounds it."
        self._rest = b""
        "What the sink left."
        self._end: Exception | None = None
        "Why no more comes, once it is so."
        self._free: list[Callable[[], None]] = []
        self._error: Exception | None = None
        self._ended = False
        self.closing = False
        self.landing: Landing | None = None

    def __repr__(self) -> str:
        return f"Channel({self.number})"

    @property
    def remote(self) -> Endpoint:
        return self._mux.connection.remote

    @property
    def local(self) -> Endpoint:
        return self._mux.connection.local

    @property
    def kind(self) -> str:
        return self._mux.connection.kind + "+mux"

    @property
    def queued(self) -> int:
        """Bytes that had no turn so far, or no credit."""
        return self._mux.queued_of(self.number)

    @property
    def silence(self) -> float:
        return self._mux.connection.silence

    def start(self, sink: Sink) -> None:
        self._sink = sink
        if self._ended:
            self._later(self._tell)
        self.resume()

    def pause(self) -> None:
        self._reading = False

    def resume(self) -> None:
        if not self._reading and not self.closing and self._sink is not None:
            self._reading = True
            if self._held or self._end is not None:
                self._later(self._catch_up)

    def send(self, data: bytes | bytearray | memoryview, free: Free = None) -> None:
        if self.closing or self._end is not None:
            if free is not None:
                free()
            return
        self._mux.send_on(self.number, data, free)

    def close(self, error: Exception | None = None) -> None:
        if self.closing:
            return
        self.closing = True
        self._reading = False
        self._error = error
        self._held = bytearray()
        self._rest = b""
        self._free += self._mux.leave(self.number)
        self._later(self._finish)

    # -- for the mux

    def emptied(self) -> None:
        if self._sink is not None and not self.closing:
            self._sink.drained()

    def over(self, error: Exception) -> None:
        """No more comes. What is held is still read."""
        if self._end is None:
            self._end = error
        if not self._held and not self.closing:
            self.close(error)

    def came(self, parts: list[memoryview]) -> None:
        """The next bytes of the stream, borrowed."""
        if self.closing:
            return
        if not self._reading or self._held:
            for part in parts:
                self._held += part
            return
        self._deliver(parts)

    def _catch_up(self) -> None:
        if not self._reading or self.closing:
            return
        if self._held:
            held, self._held = self._held, bytearray()
            self._mux.guard(lambda: self._deliver([memoryview(held)]))
        if self._end is not None and not self._held and not self.closing:
            self.close(self._end)

    def _deliver(self, parts: list[memoryview]) -> None:
        sink = self._sink
        if sink is None:
            return
        rest = self._rest
        kept = len(rest)
        fresh = sum(map(len, parts))
        size = kept + fresh
        buffer = None
        if not kept and len(parts) == 1:
            whole = parts[0]
        else:
            buffer = READ.take(size)
            whole = memoryview(buffer)[:size]
            whole[:kept] = rest
            at = kept
            for part in parts:
                whole[at : at + len(part)] = part
                at += len(part)
        self._rest = b""
        used = feed(sink, self.landing, whole, kept)
        if used < size and self._sink is not None and self.landing is not None and not self.closing:
            # Behind the places, or for a sink that took over.
            used += self._sink.received(whole[used:])
        if not self.closing:
            self._rest = bytes(whole[used:])
            self._mux.consumed(self.number, fresh)
        if buffer is not None:
            READ.give(buffer)

    def _later(self, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(call)

    def _finish(self) -> None:
        free, self._free = self._free, []
        for call in free:
            call()
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)
