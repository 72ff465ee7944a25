"""uTP as a Transport: streams of `protocol.utp` over the datagrams that everything else uses too.

What came in one turn of the loop is handed on, acknowledged and answered once for each stream, so a stream costs per
train and not per packet. A closed stream stays a while, until its last packets are acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection, Landing, Sink, land
from wildbach.net.udp import DatagramSocket, Singly, Trains
from wildbach.protocol.utp import packet as wire
from wildbach.protocol.utp.door import Door
from wildbach.protocol.utp.packet import HEADER, Packet
from wildbach.protocol.utp.stream import REFUSED, Free, Phase, Stream

_LAND_FROM: Final = 32768
"Bytes that came in one turn: such a peer is fast, and its bytes go straight where they belong."
_ROUNDS: Final = 64
"Trains of one stream that leave before others have their turn."
_HOUSEKEEPING: Final = 5.0
_SMALL: Final = 64 << 10
"What a stream may hold where all streams together hold too much."

_Key = tuple[tuple[str, int], int]


class UtpConnection:
    """One stream. `send` queues; what may leave does so at the end of the turn."""

    __slots__ = (
        "_error", "_frees", "_full", "_hot", "_key", "_loop", "_paused", "_rest", "_sink", "_soon", "_stuck", "_timer",
        "_told", "_transport", "_waiting", "closing", "kind", "landing", "local", "opened", "queued",
        "remote", "stream",
    )

    def __init__(
        self, transport: UtpTransport, loop: asyncio.AbstractEventLoop, key: _Key, stream: Stream, local: Endpoint,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._key = key
        self.stream = stream
        self.remote = Endpoint(*key[0])
        self.local = local
        self.kind = "utp"
        self.closing = False
        self.landing: Landing | None = None
        self.opened: asyncio.Future[None] | None = None
        "Set while a call waits for its answer."
        self.queued = 0
        self._sink: Sink | None = None
        self._paused = False
        self._rest = b""
        self._error: Exception | None = None
        self._told = False
        self._frees: list[Free] = []
        self._soon = False
        self._hot = False
        "It has something of this turn's datagrams."
        self._full = False
        "Something was queued since the sink heard that all had left."
        self._waiting = False
        self._stuck: tuple[memoryview, int] | None = None
        "Packets that the system would not take."
        self._timer: asyncio.TimerHandle | None = None

    @property
    def silence(self) -> float:
        return self._loop.time() - self.stream.heard

    def start(self, sink: Sink) -> None:
        self._sink = sink
        self.resume()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._sink is not None and not self.closing:
            self._later()

    def send(self, data: bytes | bytearray | memoryview, free: Free | None = None) -> None:
        if self.closing:
            if free is not None:
                free()
            return
        self.stream.write(data, free)
        self.queued = self.stream.queued
        self._full = True
        self._later()

    def close(self, error: Exception | None = None) -> None:
        if self.closing:
            return
        self.closing = True
        self._error = error
        self._rest = b""
        self._frees = self.stream.leave(self._loop.time())
        self._transport.leaving(self._key, self)
        self._later()
        self._loop.call_soon(self._ended)

    def _ended(self) -> None:
        self.queued = 0
        frees, self._frees = self._frees, []
        for free in frees:
            free()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)

    # -- turns

    def touched(self) -> bool:
        """Something came for it; true the first time in this turn."""
        if self._hot:
            return False
        self._hot = True
        return True

    def _later(self) -> None:
        if not self._soon:
            self._soon = True
            self._loop.call_soon(self._go)

    def _go(self) -> None:
        self._soon = False
        if not self._hot:
            self.turn()

    def turn(self) -> None:
        """Hand on what came, send what may leave."""
        self._hot = False
        stream = self.stream
        if self.opened is not None:
            self._opening()
        if stream.incoming.ready:
            self._deliver()
        self._look_for_the_end()
        self.flush()

    def _look_for_the_end(self) -> None:
        if self.closing:
            return
        stream = self.stream
        if stream.error:
            self.close(NetworkError(stream.error))
        elif stream.incoming.ended and not stream.incoming.ready and not self._paused and self._sink is not None:
            self.close(NetworkError("the peer closed the connection"))

    def _opening(self) -> None:
        opened = self.opened
        if opened is None or opened.done():
            return
        if self.stream.phase is Phase.OPEN:
            opened.set_result(None)
        elif self.stream.over:
            code = "refused" if self.stream.error == REFUSED else None
            opened.set_exception(NetworkError(self.stream.error or "closed", code=code))

    def _deliver(self) -> None:
        sink, incoming = self._sink, self.stream.incoming
        if sink is None or self._paused or self.closing:
            if self.closing:
                incoming.clear()
            incoming.keep()
            return
        rest, fresh = self._rest, incoming.take()
        view = memoryview(b"".join((rest, *fresh)) if rest or len(fresh) != 1 else fresh[0])
        size = len(view)
        lead = len(rest) + sink.missing if rest else 0
        places: Sequence[memoryview] = ()
        if self.landing is not None and size - len(rest) > _LAND_FROM and lead < size:
            places = self.landing.places(rest, size - lead)
        if places and self.landing is not None:
            count = _fill(places, view[lead:])
            self._rest = land(sink, self.landing, view[:lead], places, count)
            view = view[lead + count :]
            if len(view) and not self.closing:
                self._feed(sink, b"".join((self._rest, view)) if self._rest else view)
        else:
            self._feed(sink, view)
        if not self.closing:
            incoming.used(size - len(self._rest))
            self.stream.window_opened()

    def _feed(self, sink: Sink, data: bytes | memoryview) -> None:
        view = memoryview(data)
        used = sink.received(view)
        self._rest = bytes(view[used:]) if used < len(view) and not self.closing else b""

    def flush(self) -> None:
        """Send what may leave now, and see when to come again."""
        stream = self.stream
        if self._waiting:
            return
        if self._stuck is not None:
            data, segment = self._stuck
            self._stuck = None
            if not self._out(data, segment, False):
                return
        now = self._loop.time()
        for _ in range(_ROUNDS):
            out = stream.transmit(now)
            if out is None:
                break
            if not self._out(*out):
                break
        else:
            self._later()
        stream.settle()
        self.queued = stream.queued
        if stream.over:
            self._finish()
            return
        if self._full and not stream.queued and not self.closing and not self._waiting:
            self._full = False
            if self._sink is not None:
                self._sink.drained()
        self._arm(now)

    def _out(self, data: bytes | bytearray | memoryview, segment: int, whole: bool) -> bool:
        trains = self._transport.trains
        gone = trains.send_train(self.remote, data, segment, whole=whole)
        if gone >= len(data):
            return True
        self._stuck = (memoryview(data)[gone:], segment)
        self._waiting = True
        trains.writable(self.remote, self._again)
        return False

    def _again(self) -> None:
        self._waiting = False
        self.flush()

    def _arm(self, now: float) -> None:
        when = self.stream.deadline(now)
        timer = self._timer
        if timer is not None:
            if timer.when() <= when:
                return  # it comes early and looks again
            timer.cancel()
            self._timer = None
        if when < float("inf"):
            self._timer = self._loop.call_at(when, self._due)

    def _due(self) -> None:
        self._timer = None
        out = self.stream.tick(self._loop.time())
        if out is not None and not self._waiting:
            self._out(*out)
        self.turn()

    def _finish(self) -> None:
        """The stream is over; what its sink has not heard it hears now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.closing:
            self.close(NetworkError(self.stream.error) if self.stream.error else None)
        self._opening()
        self._transport.forget(self._key, self)

    def abort(self) -> None:
        """End at once, telling the remote."""
        self.close()
        if not self.stream.over:
            self._transport.trains.send_train(self.remote, self.stream.reset(self._loop.time()), wire.HEADER_BYTES)
        self._finish()


class UtpListener:
    def __init__(self, transport: UtpTransport, endpoint: Endpoint) -> None:
        self._transport = transport
        self.endpoint = endpoint

    def close(self) -> None:
        self._transport.unlisten(self)


class UtpTransport:
    """Dials and listens where the datagrams are. `close` before these."""

    def __init__(self, datagrams: DatagramSocket, *, rng: Random | None = None) -> None:
        self.trains: Trains = datagrams if isinstance(datagrams, Trains) else Singly(datagrams)
        self._rng = rng if rng is not None else SystemRandom()
        self._streams: dict[_Key, UtpConnection] = {}
        self._leaving: dict[_Key, UtpConnection] = {}
        self._door = Door()
        self._listeners: dict[int, tuple[UtpListener, Callable[[Connection], None]]] = {}
        self._turn: list[UtpConnection] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._housekeeper: asyncio.TimerHandle | None = None
        self._own = 0
        "Streams to this machine itself, which share the receive buffer of its socket."
        self._closed = False

    # -- Transport

    async def dial(self, remote: Endpoint) -> Connection:
        """Raises NetworkError where nobody answers, or refuses."""
        loop = self._begin()
        local = self._local(remote)
        if self._closed or len(self._streams) >= limits.UTP_STREAMS:
            raise NetworkError("too many streams" if not self._closed else "closed")
        address = (remote.host, remote.port)
        for _ in range(100):
            id = self._rng.randrange(65536)
            if (address, id) not in self._streams and not self._door.waits(address, id):
                break
        else:
            raise NetworkError("too many streams to one peer")
        own = _own_machine(remote)
        stream = Stream(id, id + 1 & 0xFFFF, self._rng.randrange(1, 65536), loop.time(), local=own)
        connection = UtpConnection(self, loop, (address, id), stream, local)
        self._add(connection, (address, id), own)
        connection.opened = loop.create_future()
        connection.flush()
        try:
            await connection.opened
        except BaseException:
            connection.opened.cancel()
            connection.opened = None
            connection.abort()
            raise
        connection.opened = None
        return connection

    async def listen(self, at: Endpoint, accept: Callable[[Connection], None]) -> UtpListener:
        """At the endpoint of the datagrams; port 0 is theirs. Raises NetworkError where that is another one."""
        self._begin()
        version = 6 if ":" in at.host else 4
        endpoint = self._local(at)
        if at.port not in (0, endpoint.port):
            raise NetworkError(f"cannot listen on {at} (uTP): the datagrams are at {endpoint}", code="not_our_address")
        if version in self._listeners:
            raise NetworkError(f"cannot listen on {at} (uTP): address already in use", code="port_in_use")
        listener = UtpListener(self, endpoint)
        self._listeners[version] = (listener, accept)
        return listener

    def unlisten(self, listener: UtpListener) -> None:
        for version, (known, _) in list(self._listeners.items()):
            if known is listener:
                del self._listeners[version]

    def close(self) -> None:
        """End all streams now, telling those at the other end."""
        if self._closed:
            return
        self._closed = True
        self.cut()
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        self.trains.detach_trains(self._received)

    def cut(self) -> None:
        """End all streams now, and take no calls until `listen`."""
        self._listeners.clear()
        for connection in list(self._streams.values()):
            connection.abort()

    def _begin(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self.trains.attach_trains(self._received, self._after)
            self._housekeeper = loop.call_later(_HOUSEKEEPING, self._keep_house)
        return loop

    def _local(self, remote: Endpoint) -> Endpoint:
        six = ":" in remote.host
        for endpoint in self.trains.endpoints:
            if (":" in endpoint.host) == six:
                return endpoint
        raise NetworkError(f"there is no IPv{6 if six else 4} here")

    def _add(self, connection: UtpConnection, key: _Key, own: bool) -> None:
        self._streams[key] = connection
        if own:
            self._own += 1
            room = self.trains.room
            if room:
                # What is not read in time the kernel drops: on this machine nothing else slows a sender down.
                connection.stream.incoming.capacity = max(_SMALL, min(limits.UTP_RECEIVE_BYTES, room) // self._own)

    def leaving(self, key: _Key, connection: UtpConnection) -> None:
        """A stream was closed on this side."""
        if key in self._streams:
            self._leaving[key] = connection
            if len(self._leaving) > limits.UTP_LINGERING:
                self._leaving[next(iter(self._leaving))].abort()

    def forget(self, key: _Key, connection: UtpConnection) -> None:
        if self._streams.get(key) is connection:
            del self._streams[key]
            self._leaving.pop(key, None)
            if _own_machine(connection.remote):
                self._own -= 1

    # -- datagrams

    def _received(self, address: tuple[str, int], buffer: bytearray, start: int, stop: int, segment: int) -> bool:
        if not wire.plausible(buffer[start] if stop > start else 255, min(stop - start, segment)):
            return False
        loop = self._loop
        if loop is None:
            return False
        now = loop.time()
        view = memoryview(buffer)
        if stop - start > segment:
            connection = self._streams.get((address, buffer[start + 2] << 8 | buffer[start + 3]))
            if connection is not None:
                count = wire.row(buffer, start, stop, segment)
                if count and self._row(connection, view, start, stop, segment, count, now):
                    return True
        for at in range(start, stop, segment):
            self._packet(address, view[at : min(at + segment, stop)], now)
        return True

    def _row(
        self, connection: UtpConnection, view: memoryview, start: int, stop: int, segment: int, count: int, now: float,
    ) -> bool:
        _, _, id, timestamp, difference, window, _, ack = HEADER.unpack_from(view, start + (count - 1) * segment)
        seq = view[start + 16] << 8 | view[start + 17]
        payloads = [
            view[at : at + segment - wire.HEADER_BYTES]
            for at in range(start + wire.HEADER_BYTES, stop, segment)
        ]
        payloads[-1] = view[start + (count - 1) * segment + wire.HEADER_BYTES : stop]
        first = Packet(wire.DATA, id, timestamp, difference, window, seq, ack, 0, payloads[0])
        if not connection.stream.row(first, payloads, stop - start - count * wire.HEADER_BYTES, now):
            return False
        if connection.touched():
            self._turn.append(connection)
        return True

    def _packet(self, address: tuple[str, int], data: memoryview, now: float) -> None:
        try:
            packet = wire.parse(data)
        except FormatError:
            return
        if packet.kind == wire.SYN:
            self._called(address, packet, now)
            return
        connection = self._streams.get((address, packet.id))
        if connection is None and packet.kind == wire.RESET:
            connection = self._reset_of(address, packet)
        if connection is None:
            connection = self._proven(address, packet, now)
        if connection is None:
            if not self._door.waits(address, packet.id):
                self._answer(address, self._door.turned_away(packet, self._rng.randrange(65536), now))
            return
        connection.stream.received(packet, now)
        if connection.touched():
            self._turn.append(connection)

    def _called(self, address: tuple[str, int], packet: Packet, now: float) -> None:
        connection = self._streams.get((address, packet.id + 1 & 0xFFFF))
        if connection is not None:
            connection.stream.received(packet, now)
            if connection.touched():
                self._turn.append(connection)
        elif (6 if ":" in address[0] else 4) in self._listeners and len(self._streams) < limits.UTP_STREAMS:
            self._answer(address, self._door.called(address, packet, self._rng.randrange(65536), now))
        else:
            self._answer(address, self._door.turned_away(packet, self._rng.randrange(65536), now))

    def _reset_of(self, address: tuple[str, int], packet: Packet) -> UtpConnection | None:
        """Some name the connection by the number that they got, not by the one they use."""
        for id in (packet.id - 1 & 0xFFFF, packet.id + 1 & 0xFFFF):
            connection = self._streams.get((address, id))
            if connection is not None and connection.stream.send_id == packet.id:
                return connection
        return None

    def _proven(self, address: tuple[str, int], packet: Packet, now: float) -> UtpConnection | None:
        """A caller's address is proven: it is a peer from now on."""
        caller = self._door.proven(address, packet, now)
        listening = self._listeners.get(6 if ":" in address[0] else 4)
        if caller is None or listening is None or self._loop is None:
            return None
        remote = Endpoint(*address)
        own = _own_machine(remote)
        stream = Stream(packet.id, packet.id - 1 & 0xFFFF, caller.seq, now, ack=caller.ack, local=own)
        key = (address, packet.id)
        connection = UtpConnection(self, self._loop, key, stream, self._local(remote))
        self._add(connection, key, own)
        listening[1](connection)
        return connection

    def _answer(self, address: tuple[str, int], data: bytes | None) -> None:
        if data is not None:
            self.trains.send_train(Endpoint(*address), data, len(data))

    def _after(self) -> None:
        """All datagrams of a turn are here."""
        turn, self._turn = self._turn, []
        for connection in turn:
            connection.turn()

    def _keep_house(self) -> None:
        loop = self._loop
        if loop is None:
            return
        now = loop.time()
        self._door.expire(now)
        held = sum(c.stream.incoming.ready_bytes + c.stream.incoming.held_bytes for c in self._streams.values())
        for connection in list(self._streams.values()):
            stream = connection.stream
            if not _own_machine(connection.remote):
                stream.incoming.capacity = _SMALL if held > limits.UTP_RECEIVE_BYTES_ALL else limits.UTP_RECEIVE_BYTES
            if stream.keepalive_due(now):
                stream.keep_alive()
                connection.flush()
        self._housekeeper = loop.call_later(_HOUSEKEEPING, self._keep_house)


def _fill(places: Sequence[memoryview], data: memoryview) -> int:
    """Copy into places; returns the bytes that had one."""
    at = 0
    size = len(data)
    for place in places:
        part = data[at : at + len(place)]
        place[: len(part)] = part
        at += len(part)
        if at >= size:
            break
    return at


def _own_machine(remote: Endpoint) -> bool:
    return classify(remote.host) is Reach.LOCAL
