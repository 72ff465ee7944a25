"""Streams of the simulated network: a fluid cut into chunks, not packets.

A chunk waits for its turn on the sender's uplink, travels, waits for its turn on the receiver's downlink, and is
delivered; turns go round between streams. A stream has a congestion window that opens from ten segments, doubles
every round trip, and shrinks when its queue at the downlink is too long. Bytes are never lost or changed: a network
without a way through holds them until there is one.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Landing, Sink, land
from wildbach.testing.loop import SimLoop

SEGMENT = 1460
_SMALL = 2048
"A chunk up to this goes before the long ones, as fair queueing does for thin streams."
_WINDOW_START = 10 * SEGMENT

Free = Callable[[], None] | None


class Access:
    """How a machine is connected: two links, of bytes a second, 0 for no limit."""

    def __init__(self, loop: SimLoop, up: float, down: float) -> None:
        self.up = Link(loop, up)
        self.down = Link(loop, down)


class Medium:
    """What streams need of the network that carries them. Rates are bytes a second, times are seconds."""

    def __init__(
        self, loop: SimLoop, *, chunk: int, quantum: float, window: int, send_buffer: int, queue_seconds: float,
    ) -> None:
        self.loop = loop
        self.chunk = chunk
        self.quantum = quantum
        self.window = window
        self.send_buffer = send_buffer
        self.queue_seconds = queue_seconds
        self._connections: dict[MemoryConnection, None] = {}
        self._cuts: dict[tuple[Access, Access], None] = {}
        self._held: dict[Flow, None] = {}

    @property
    def connections(self) -> tuple[MemoryConnection, ...]:
        """Every open end, in the order they were made."""
        return tuple(self._connections)

    def remember(self, connection: MemoryConnection) -> None:
        self._connections[connection] = None

    def forget(self, connection: MemoryConnection) -> None:
        self._connections.pop(connection, None)

    def cut(self, one: Access, other: Access) -> None:
        """No bytes pass between two hosts until `heal`. Streams hold what they have."""
        self._cuts[one, other] = None
        self._cuts[other, one] = None

    def heal(self, one: Access, other: Access) -> None:
        self._cuts.pop((one, other), None)
        self._cuts.pop((other, one), None)
        held, self._held = self._held, {}
        for flow in held:
            # What was lost is sent again when the sender's timer ends.
            self.loop.call_later(0.2, flow.kick)

    def cut_between(self, one: Access, other: Access) -> bool:
        return bool(self._cuts) and (one, other) in self._cuts

    def hold(self, flow: Flow) -> bool:
        """True where no way is open; the flow is kicked when one is."""
        if self._cuts and (flow.sender.host, flow.receiver.host) in self._cuts:
            self._held[flow] = None
            return True
        return False

    def chunk_size(self, flow: Flow) -> int:
        rate = flow.sender.host.up.rate or flow.receiver.host.down.rate
        down = flow.receiver.host.down.rate
        if down and down < rate:
            rate = down
        if not rate:
            return self.chunk
        return max(SEGMENT, min(self.chunk, int(rate * self.quantum)))

    def noted(self, flow: Flow, data: bytes) -> None:
        mark = zlib.crc32(data[:64])
        self.loop.note(b"%d:%d:%d@%.6f" % (flow.number, len(data), mark, self.loop.time()))


class Link:
    """One direction of a host's access: `rate` in bytes a second, 0 for no limit."""

    __slots__ = ("_busy", "_long", "_loop", "_short", "backlog", "moved", "rate")

    def __init__(self, loop: SimLoop, rate: float) -> None:
        self._loop = loop
        self.rate = rate
        self.moved = 0
        "Bytes that passed."
        self.backlog = 0
        "Streams that wait."
        self._busy = False
        self._short: deque[_Turn] = deque()
        self._long: deque[_Turn] = deque()

    def join(self, turn: _Turn) -> None:
        """Stand in the queue. Each standing is for one chunk."""
        self.backlog += 1
        (self._short if turn.size() <= _SMALL else self._long).append(turn)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        while self._short or self._long:
            turn = (self._short or self._long).popleft()
            self.backlog -= 1
            size = turn.begin()
            if not size:
                continue
            self.moved += size
            self._busy = True
            if self.rate:
                self._loop.call_later(size / self.rate, self._done, turn)
                return
            turn.end()
            self._busy = False

    def _done(self, turn: _Turn) -> None:
        turn.end()
        self._busy = False
        self._next()


class _Turn:
    """What queues at a link."""

    __slots__ = ()

    def size(self) -> int:
        raise NotImplementedError

    def begin(self) -> int:
        """Bytes that go now; 0 where there is nothing to send any more."""
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError


class _Departure(_Turn):
    __slots__ = ("_data", "_flow")

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._data = b""

    def size(self) -> int:
        return self._flow.ready()

    def begin(self) -> int:
        self._data = self._flow.take()
        return len(self._data)

    def end(self) -> None:
        data, self._data = self._data, b""
        self._flow.departed(data)


class _Arrival(_Turn):
    __slots__ = ("_flow",)

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def size(self) -> int:
        return len(self._flow.landed[0])

    def begin(self) -> int:
        return len(self._flow.landed[0])

    def end(self) -> None:
        self._flow.arrived()


class Flow:
    """The bytes of a stream in one direction."""

    __slots__ = (
        "_acks", "_arrival", "_calm_until", "_departure", "_heard", "_inflight", "_landed_bytes", "_network", "_queued",
        "_slow_start", "_starved", "_timer", "_travelling", "_undelivered", "_window", "buffer", "buffered", "ended",
        "landed", "latency", "number", "receiver", "sender",
    )

    def __init__(self, network: Medium, number: int, latency: float) -> None:
        self._network = network
        self.number = number
        self.latency = latency
        self.sender: MemoryConnection
        self.receiver: MemoryConnection
        self.buffer: deque[bytes] = deque()
        "What the sending system holds."
        self.buffered = 0
        self.ended = False
        "The sender has closed; when all else was delivered the receiver learns it."
        self.landed: deque[bytes] = deque()
        "What waits at the downlink."
        self._landed_bytes = 0
        self._travelling: deque[bytes] = deque()
        self._undelivered = 0
        self._acks: deque[tuple[float, int]] = deque()
        self._heard = network.loop.time()
        self._inflight = 0
        self._window = float(_WINDOW_START)
        self._slow_start = True
        self._calm_until = 0.0
        self._queued = False
        self._starved = False
        self._timer = False
        self._departure = _Departure(self)
        self._arrival = _Arrival(self)

    def kick(self) -> None:
        """There may be something to send."""
        if self._queued or not (self.buffered or self.ended):
            return
        if self._network.hold(self):
            return
        if not self.buffered:
            self.finish()
        elif self.ready():
            self._queued = True
            self._starved = False
            self.sender.host.up.join(self._departure)
        else:
            self._starve()

    def ready(self) -> int:
        """Bytes that may leave now: a chunk, or what the window allows."""
        network = self._network
        self._acknowledge(network.loop.time())
        window = min(self._window, network.window - self.receiver.unread)
        size = min(self.buffered, network.chunk_size(self))
        room = window - self._inflight
        if room >= size:
            return size
        # A full window waits until a decent part of it is free, or chunks would shrink to nothing.
        return int(room) if room >= max(SEGMENT, window / 4) else 0

    def take(self) -> bytes:
        """The chunk that leaves; nothing where the way or the window was closed meanwhile."""
        self._queued = False
        if self._network.hold(self):
            return b""
        size = self.ready()
        if not size:
            if self.buffered:
                self._starve()
            return b""
        data = self._gather(size)
        self._inflight += size
        self._undelivered += size
        return data

    def _gather(self, size: int) -> bytes:
        buffer = self.buffer
        self.buffered -= size
        if len(buffer[0]) == size:
            return buffer.popleft()
        parts = []
        while size:
            head = buffer.popleft()
            if len(head) > size:
                buffer.appendleft(head[size:])
                head = head[:size]
            parts.append(head)
            size -= len(head)
        return b"".join(parts)

    def departed(self, data: bytes) -> None:
        self._travelling.append(data)
        self._network.loop.call_later(self.latency, self._land)
        self.sender.refill()
        self.kick()

    def _land(self) -> None:
        data = self._travelling.popleft()
        self.landed.append(data)
        self._landed_bytes += len(data)
        link = self.receiver.host.down
        if not link.rate:
            self.arrived()
        elif len(self.landed) == 1:
            link.join(self._arrival)
        elif self._landed_bytes * (link.backlog + 1) > link.rate * self._network.queue_seconds:
            self._congested()

    def arrived(self) -> None:
        data = self.landed.popleft()
        self._landed_bytes -= len(data)
        self._undelivered -= len(data)
        if self.landed:
            self.receiver.host.down.join(self._arrival)
        if self.receiver.dead:
            return
        self._acks.append((self._network.loop.time() + self.latency, len(data)))
        if self._starved:
            self._starve()
        self._network.noted(self, data)
        self.receiver.deliver(data)
        if self.ended:
            self.finish()

    def finish(self) -> None:
        """The sender has closed: tell the receiver once everything before it was delivered."""
        if not self.buffered and not self._undelivered and not self._network.hold(self):
            self._network.loop.call_later(self.latency, self.receiver.remote_closed)

    def heard(self) -> float:
        """When the sender heard last that bytes have come."""
        self._acknowledge(self._network.loop.time())
        return self._heard

    def _acknowledge(self, now: float) -> None:
        acks = self._acks
        while acks and acks[0][0] <= now:
            self._heard, size = acks.popleft()
            self._inflight -= size
            if self._window < self._network.window:
                if self._slow_start:
                    self._window += size
                else:
                    # Regains what a halving took in some ten round trips, whatever the speed.
                    self._window += max(size * SEGMENT / self._window, size * 0.04)

    def _congested(self) -> None:
        now = self._network.loop.time()
        if now >= self._calm_until:
            self._slow_start = False
            self._window = max(self._window * 0.7, 2.0 * SEGMENT)
            self._calm_until = now + 2 * self.latency + self._network.queue_seconds

    def _starve(self) -> None:
        """Come back with the next acknowledgement; with none on its way, the next delivery or reading sets it."""
        self._starved = True
        if self._acks and not self._timer:
            self._timer = True
            self._network.loop.call_at(max(self._acks[0][0], self._network.loop.time()), self._wake)

    def _wake(self) -> None:
        self._timer = False
        if self._starved:
            self.kick()


class MemoryConnection:
    """One end of a stream."""

    __slots__ = (
        "_ended", "_error", "_heard", "_out", "_reading", "_reset", "_rest", "_scheduled", "_sink", "_waiting",
        "closing", "dead", "host", "inward", "kind", "landing", "local", "network", "outward", "queued", "remote",
        "unread",
    )

    def __init__(self, network: Medium, host: Access, local: Endpoint, remote: Endpoint, out: Flow, back: Flow) -> None:
        self.network = network
        self.host = host
        self.local = local
        self.remote = remote
        self.kind = "memory"
        self.queued = 0
        self.unread = 0
        self.closing = False
        self.dead = False
        "The machine or the way to it is gone for good: what is sent to it vanishes."
        self.outward = out
        self.inward = back
        out.sender = self
        back.receiver = self
        self.landing: Landing | None = None
        self._sink: Sink | None = None
        self._rest = b""
        self._out: deque[tuple[memoryview, Free]] = deque()
        self._waiting: deque[bytes] = deque()
        self._reading = False
        self._scheduled = False
        self._ended = False
        self._reset = False
        self._error: Exception | None = None
        self._heard = network.loop.time()

    @property
    def silence(self) -> float:
        return self.network.loop.time() - max(self._heard, self.outward.heard())

    def start(self, sink: Sink) -> None:
        self._sink = sink
        self.resume()

    def pause(self) -> None:
        self._reading = False

    def resume(self) -> None:
        if not self._reading and not self.closing and self._sink is not None:
            self._reading = True
            if self._waiting or self._ended or self._reset:
                self._soon()

    def send(self, data: bytes | bytearray | memoryview, free: Free = None) -> None:
        if self._reset:
            self.close(NetworkError("connection reset by peer"))
        if self.closing:
            if free is not None:
                free()
            return
        view = memoryview(data).cast("B") if isinstance(data, memoryview) else memoryview(data)
        self._out.append((view, free))
        self.queued += len(view)
        if len(self._out) == 1:
            self._fill()

    def close(self, error: Exception | None = None) -> None:
        if self.closing:
            return
        self.closing = True
        self._reading = False
        self._error = error
        self._waiting.clear()
        self._rest = b""
        self.unread = 0
        self.network.forget(self)
        if not self._reset:
            self.outward.ended = True
            self.outward.finish()
            self.inward.kick()
        self.network.loop.call_soon(self._closed)

    def abort(self, error: Exception | None = None) -> None:
        """Die as if the network had: nothing more leaves, and the other side hears nothing of it."""
        self._reset = True
        self.dead = True
        self.outward.buffer.clear()
        self.outward.buffered = 0
        self.close(error or NetworkError("connection lost"))

    def refill(self) -> None:
        """The sending system has room again."""
        if self._out:
            self._fill()
            if not self._out and not self.closing and self._sink is not None:
                self.network.loop.call_soon(self._drained)

    def deliver(self, data: bytes) -> None:
        self._heard = self.network.loop.time()
        if self.closing:
            # As a system does for a socket that is gone.
            self.inward.sender.was_reset(self.inward.latency)
            return
        if self._reading and not self._waiting and not self._scheduled:
            self._feed(data)
        else:
            self._waiting.append(data)
            self.unread += len(data)
            if self._reading:
                self._soon()

    def was_reset(self, after: float) -> None:
        """Bytes of ours came to a socket that is closed."""
        if not self._reset and not self.closing:
            self._reset = True
            self.network.loop.call_later(after, self._notice)

    def remote_closed(self) -> None:
        self._ended = True
        if self._reading and not self._waiting:
            self._notice()

    def _notice(self) -> None:
        if self.closing:
            return
        if self._reset and (self._reading or self._out):
            self.close(NetworkError("connection reset by peer"))
        elif self._ended and self._reading and not self._waiting:
            self.close(NetworkError("the peer closed the connection"))

    def _fill(self) -> None:
        flow = self.outward
        out = self._out
        room = self.network.send_buffer - flow.buffered
        while out and room > 0:
            view, free = out[0]
            if len(view) > room:
                flow.buffer.append(bytes(view[:room]))
                out[0] = (view[room:], free)
                flow.buffered += room
                self.queued -= room
                break
            out.popleft()
            if len(view):
                flow.buffer.append(bytes(view))
            flow.buffered += len(view)
            self.queued -= len(view)
            room -= len(view)
            if free is not None:
                free()
        flow.kick()

    def _drained(self) -> None:
        if not self._out and not self.closing and self._sink is not None:
            self._sink.drained()

    def _soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.network.loop.call_soon(self._read)

    def _read(self) -> None:
        self._scheduled = False
        while self._waiting and self._reading:
            data = self._waiting.popleft()
            self.unread -= len(data)
            self._feed(data)
        if not self.closing:
            self.network.loop.call_later(self.inward.latency, self.inward.kick)
            if self._ended or self._reset:
                self._notice()

    def _feed(self, data: bytes) -> None:
        sink = self._sink
        if sink is None:
            return
        kept, self._rest = self._rest, b""
        lead = sink.missing if kept else 0
        places = self.landing.places(kept, len(data) - lead) if self.landing is not None else ()
        if places and self.landing is not None:
            # As a system's scattered read does it.
            at = lead
            for place in places:
                part = data[at : at + len(place)]
                place[: len(part)] = part
                at += len(part)
            rest = land(sink, self.landing, memoryview(kept + data[:lead]), places, at - lead)
            if self.closing:
                return
            kept, data = rest, data[at:]
            if not data:
                self._rest = kept
                return
        if kept:
            data = kept + data
        view = memoryview(data)
        used = sink.received(view)
        if used < len(data) and not self.closing:
            self._rest = data[used:]

    def _closed(self) -> None:
        while self._out:
            _, free = self._out.popleft()
            if free is not None:
                free()
        self.queued = 0
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)
