"""One uTP stream (BEP 29) without sockets and clocks: packets and time go in, packets and ordered bytes come out.

The driver calls `received` or `row` for what came, takes `incoming.take()`, then calls `transmit` until it gives None,
and calls `tick` at `deadline`. A stream never sends to an address that has not shown that it hears us: who calls sends
one SYN at a time, who is called exists only once the caller's address is proven (`protocol.utp.door`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from wildbach.base import limits
from wildbach.protocol.utp import packet as wire
from wildbach.protocol.utp.flight import Acked, Flight, Train
from wildbach.protocol.utp.ledbat import Congestion
from wildbach.protocol.utp.packet import HEADER_BYTES, Packet, ahead
from wildbach.protocol.utp.pathmtu import PathMtu
from wildbach.protocol.utp.receiving import Receiver

TRAIN_BYTES: Final = 63 << 10
TRAIN_PACKETS: Final = 64
_QUANTUM: Final = 0.002
"Seconds of the rate that leave in one go."
_SYN_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 0.010
_KEEPALIVE: Final = 29.0
_FOREVER: Final = float("inf")
_BEHIND: Final = 2048
"Acknowledgements so far behind the newest one are not even old."

Free = Callable[[], None]
Out = tuple[bytes | bytearray | memoryview, int, bool]
"What to send, the bytes of each packet in it (the last may be shorter), and whether it must not be cut on its way."


REFUSED: Final = "the peer refused the connection"


class Phase(Enum):
    CALLING = "calling"
    OPEN = "open"
    LEAVING = "leaving"
    "Closed on this side: what is on its way may still arrive."
    OVER = "over"


class Stream:
    __slots__ = (
        "_ack_due", "_alarm", "_dup_acks", "_fin", "_flight", "_last_sent", "_leave_by", "_next_send",
        "_probed", "_queue", "_recovery", "_reply", "_timeouts", "_timer", "_told_window", "_tries", "congestion",
        "error", "heard", "incoming", "mtu", "phase", "queued", "recv_id", "send_id", "their_window",
    )

    def __init__(
        self, recv_id: int, send_id: int, seq: int, now: float, *, ack: int | None = None, local: bool = False,
        packet_bytes: int = limits.UTP_PACKET_BYTES,
    ) -> None:
        """`seq` is the number of our first packet. `ack`: the number of their SYN, where they called. `local`: there is
        no path to explore, and packets are as large as can be."""
        self.recv_id = recv_id
        self.send_id = send_id
        self.phase = Phase.CALLING if ack is None else Phase.OPEN
        self.error = ""
        "Why the stream broke."
        self.mtu = PathMtu(packet_bytes, sure=local)
        size = self.mtu.packet - HEADER_BYTES
        self._flight = Flight(seq, size)
        self.incoming = Receiver(ack or 0)
        self.congestion = Congestion(size, now)
        self.queued = 0
        "Bytes given to `write` that are in no packet so far."
        self.their_window = limits.UTP_RECEIVE_BYTES
        self._queue: deque[tuple[memoryview, Free | None]] = deque()
        self._reply = 0
        self._ack_due = False
        self._told_window = 0
        self.heard = now
        "When something of it came last."
        self._alarm = now
        self._last_sent = now
        self._dup_acks = 0
        self._recovery = seq
        "Losses of packets before this one are known to the congestion control already."
        self._timer = _FOREVER
        self._timeouts = 0
        self._probed = False
        self._next_send = 0.0
        self._fin = False
        self._leave_by = _FOREVER
        self._tries = 0
        if ack is None:
            self._timer = now

    # -- what is asked of it

    @property
    def over(self) -> bool:
        return self.phase is Phase.OVER

    def write(self, data: bytes | bytearray | memoryview, free: Free | None = None) -> None:
        """Queue bytes. They are copied into packets when these leave; then `free` is called."""
        view = memoryview(data)
        if not len(view):
            if self._queue:
                self._queue.append((view, free))
            elif free is not None:
                free()
            return
        self._queue.append((view, free))
        self.queued += len(view)

    def leave(self, now: float) -> list[Free]:
        """Close: what is in packets may still arrive, the rest is dropped. Returns how to free that."""
        frees = [free for _, free in self._queue if free is not None]
        self._queue.clear()
        self.queued = 0
        self.incoming.clear()
        if self.phase is Phase.CALLING or self.phase is Phase.OVER:
            self.phase = Phase.OVER
        else:
            self.phase = Phase.LEAVING
            self._leave_by = now + limits.UTP_LINGER_SECONDS
        return frees

    def reset(self, now: float) -> bytes:
        """The packet that says there is nobody here any more."""
        return wire.header(
            wire.RESET, self.send_id, _micros(now), self._reply, 0, self._flight.next & 0xFFFF, self.incoming.ack)

    # -- what came

    def row(self, first: Packet, payloads: Sequence[memoryview], size: int, now: float) -> bool:
        """As `received`, for data packets in a row: `first` has the header of the last of them and the number of the
        first. False where they must be looked at one by one."""
        if self.phase is not Phase.OPEN or not self._plausible(first.ack):
            return False
        if not self.incoming.row(first.seq, payloads, size):
            return False
        self._ack_due = True
        self._header(first, now)
        return True

    def received(self, packet: Packet, now: float) -> None:
        """Take one packet. Forged, late and foolish ones change nothing."""
        kind = packet.kind
        if self.phase is Phase.CALLING:
            self._answered(packet, now)
            return
        if kind == wire.RESET:
            self._reset(packet)
            return
        if kind == wire.SYN:
            if ahead(packet.seq, self.incoming.ack) == 0:
                self._ack_due = True  # our answer to it was lost
            return
        if self.phase is Phase.OVER or not self._plausible(packet.ack):
            return
        incoming = self.incoming
        if kind == wire.DATA or kind == wire.FIN:
            self._ack_due = True
            if ahead(packet.seq, incoming.ack) > limits.UTP_REORDER_PACKETS:
                return
            if self.phase is Phase.OPEN or kind == wire.FIN:
                incoming.packet(packet.seq, packet.payload, fin=kind == wire.FIN)
        self._header(packet, now)

    def _answered(self, packet: Packet, now: float) -> None:
        """Something came while we call: only what acknowledges our SYN opens the stream, or ends it as refused."""
        if packet.ack != self._flight.next - 1 & 0xFFFF or not self._tries:
            return
        if packet.kind in (wire.RESET, wire.FIN):
            self._break(REFUSED)
        elif packet.kind in (wire.STATE, wire.DATA):
            self.phase = Phase.OPEN
            self.incoming.ack = packet.seq - 1 & 0xFFFF
            self._timer = _FOREVER
            self._timeouts = 0
            if self._tries == 1:
                self.congestion.round_trip(now - self._last_sent)
            self._flight.oldest = self._flight.next
            self._ack_due = True  # it shows them that we hear what they send
            if packet.kind == wire.DATA:
                self.incoming.packet(packet.seq, packet.payload)
            self._header(packet, now)

    def _plausible(self, ack: int) -> bool:
        """It acknowledges what was sent, and nothing that was not."""
        place = ahead(ack, self._flight.oldest - 1 & 0xFFFF)
        return -_BEHIND < place <= self._flight.count

    def _reset(self, packet: Packet) -> None:
        """Only who knows what was sent lately may end the stream."""
        flight = self._flight
        if -3 <= ahead(packet.ack, flight.oldest - 1 & 0xFFFF) <= flight.count + 1:
            self._break("the peer has reset the connection")

    def _header(self, packet: Packet, now: float) -> None:
        """What every packet tells: their clock, what they have, how much more they take."""
        self.heard = now
        if packet.timestamp:
            self._reply = _micros(now) - packet.timestamp & 0xFFFFFFFF
        self.their_window = packet.window
        flight = self._flight
        upto = flight.oldest + ahead(packet.ack + 1 & 0xFFFF, flight.oldest & 0xFFFF)
        if not flight.count:
            return
        outside = flight.outside
        congestion = self.congestion
        told = flight.acknowledged(upto, packet.sack, now, congestion.least_rtt, congestion.answer)
        if not told.packets and upto == flight.oldest and packet.kind == wire.STATE and not packet.sack:
            self._dup_acks += 1
            if self._dup_acks == flight.reorder:
                flight.first_is_lost(told)
        elif told.packets:
            self._dup_acks = 0
        self._learn(packet, told, outside, now)

    def _learn(self, packet: Packet, told: Acked, outside: int, now: float) -> None:
        congestion, flight = self.congestion, self._flight
        trip = None
        if told.sent is not None:
            trip = now - told.sent
            congestion.round_trip(trip)
        if told.packets:
            self._timeouts = 0
            self._probed = False
            if packet.difference and packet.difference != 0x7FFFFFFF:
                congestion.one_way(packet.difference, trip)
            if told.spurious:
                congestion.undo(now)
            if flight.oldest >= self._recovery or congestion.slow_start or not told.lost:
                congestion.acked(told.bytes, outside, now)
            self._arm(now)
        if told.got_probe and self.mtu.arrived(told.got_probe):
            flight.size = congestion.size = self.mtu.packet - HEADER_BYTES
        if told.lost_probe:
            self.mtu.lost(told.lost_probe)
        if told.lost:
            fresh = flight.oldest >= self._recovery
            congestion.lost(now, fresh)
            if fresh:
                self._recovery = flight.next

    # -- what leaves

    def transmit(self, now: float) -> Out | None:
        """The next to send, or None where nothing may leave now."""
        if self.phase is Phase.OVER:
            return None
        if self.phase is Phase.CALLING:
            return self._call(now)
        if self._ack_due and (self.incoming.gaps or not self._queue):
            return self._acknowledge(now)
        out = self._send(now)
        if out is None and self._ack_due:
            return self._acknowledge(now)
        return out

    def _send(self, now: float) -> Out | None:
        flight = self._flight
        if flight.losses:
            if flight.outside + flight.size > max(self.congestion.window, flight.size) or self._paced(now):
                return None
            again = flight.again(now)
            return self._repeat(*again, now) if again is not None else None
        if not self._queue:
            if self.phase is Phase.LEAVING and not self._fin:
                return self._finish(now)
            return None
        return self._new(now)

    def _room(self) -> int:
        """Payload bytes that may leave now."""
        flight = self._flight
        window = min(int(self.congestion.window), self.their_window, limits.UTP_FLIGHT_BYTES)
        return window - flight.outside if flight.count < limits.UTP_FLIGHT_PACKETS else 0

    def _paced(self, now: float) -> bool:
        return self._next_send > now

    def _new(self, now: float) -> Out | None:
        """A train of new packets."""
        flight = self._flight
        room = self._room()
        payload = self.mtu.packet - HEADER_BYTES
        if room < min(payload, self.queued):
            # A closed window is knocked at by one packet, now and then; see `tick`.
            if flight.count:
                return None
            if self._timer == _FOREVER:
                self._arm(now)
            if self.their_window < payload and not self._probed:
                return None
        if self._paced(now):
            return None
        rate = self.congestion.rate
        most = min(TRAIN_PACKETS, TRAIN_BYTES // self.mtu.packet)
        if rate:
            most = min(most, max(1, int(rate * _QUANTUM) // payload))
        probe = self.mtu.probe(self.queued, flight.count)
        if probe:
            payload, most = probe - HEADER_BYTES, 1
        size = min(self.queued, max(1, min(most, room // payload)) * payload)
        data, frees = self._gather(size)
        count = -(-size // payload)
        head = wire.header(
            wire.DATA, self.send_id, _micros(now), self._reply, self._tell_window(), 0, self.incoming.ack)
        parts: list[bytes | memoryview] = [head] * (2 * count)
        parts[1::2] = [data[at : at + payload] for at in range(0, size, payload)]
        buffer = bytearray().join(parts)
        for free in frees:
            free()
        segment = payload + HEADER_BYTES
        wire.number(buffer, count, segment, flight.next)
        self._sent(Train(flight.next, count, buffer, segment, now, bool(probe)), now)
        if rate:
            self._next_send = max(self._next_send, now - _QUANTUM) + size / rate
        self._ack_due = False
        return buffer, segment, bool(probe)

    def _gather(self, size: int) -> tuple[memoryview, list[Free]]:
        """The next `size` bytes of the queue in one piece, and what to call once they are copied."""
        queue = self._queue
        parts: list[memoryview] = []
        frees: list[Free] = []
        self.queued -= size
        while size:
            view, free = queue[0]
            if len(view) > size:
                parts.append(view[:size])
                queue[0] = (view[size:], free)
                break
            size -= len(view)
            parts.append(view)
            queue.popleft()
            if free is not None:
                frees.append(free)
        while queue and not len(queue[0][0]):
            _, free = queue.popleft()
            if free is not None:
                frees.append(free)
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts)), frees

    def _sent(self, train: Train, now: float) -> None:
        self._flight.add(train)
        self._last_sent = now
        if self._timer == _FOREVER:
            self._arm(now)

    def _finish(self, now: float) -> Out:
        self._fin = True
        flight = self._flight
        packet = bytearray(wire.header(
            wire.FIN, self.send_id, _micros(now), self._reply, self._tell_window(), flight.next & 0xFFFF,
            self.incoming.ack))
        self._sent(Train(flight.next, 1, packet, HEADER_BYTES, now, False), now)
        self._ack_due = False
        return packet, HEADER_BYTES, False

    def _repeat(self, train: Train, number: int, now: float) -> Out:
        """Send one packet again, with what is new in its header."""
        packet = train.packet(number)
        wire.HEADER.pack_into(
            packet, 0, packet[0], packet[1], self.send_id, _micros(now), self._reply, self._tell_window(),
            number & 0xFFFF, self.incoming.ack)
        self._last_sent = now
        rate = self.congestion.rate
        if rate:
            self._next_send = max(self._next_send, now - _QUANTUM) + len(packet) / rate
        if not self.incoming.gaps:
            self._ack_due = False
        return packet, len(packet), False

    def _acknowledge(self, now: float) -> Out:
        self._ack_due = False
        incoming = self.incoming
        data = wire.state(
            self.send_id, _micros(now), self._reply, self._tell_window(), self._flight.next & 0xFFFF, incoming.ack,
            incoming.sack())
        self._last_sent = now
        return data, len(data), False

    def _tell_window(self) -> int:
        self._told_window = self.incoming.window
        return self._told_window

    def window_opened(self) -> None:
        """Bytes were read: tell it where the remote may be waiting for that."""
        window = self.incoming.window
        if window - self._told_window > self.incoming.capacity // 4 or self._told_window < 2 * self.mtu.packet < window:
            self._ack_due = True

    def _call(self, now: float) -> Out | None:
        if now < self._timer:
            return None
        if self._tries >= limits.UTP_SYN_TRIES:
            self._break("the peer does not answer")
            return None
        flight = self._flight
        if not self._tries:
            flight.next += 1
        self._tries += 1
        self._last_sent = now
        self._timer = now + _SYN_SECONDS * (1 << self._tries - 1)
        syn = wire.header(
            wire.SYN, self.recv_id, _micros(now), 0, self.incoming.window, flight.oldest & 0xFFFF, 0)
        return syn, HEADER_BYTES, False

    # -- time

    def _arm(self, now: float) -> None:
        """Acknowledgements are awaited from now on, where something is on its way."""
        if not self._flight.count and not self._queue:
            self._timer = _FOREVER
            return
        congestion = self.congestion
        wait = congestion.timeout * (1 << self._timeouts)
        if not self._probed and not self._timeouts and congestion.rtt and not self._flight.losses:
            wait = min(wait, 2 * congestion.answer + _PROBE_SECONDS)
        self._timer = now + wait

    def deadline(self, now: float) -> float:
        """When `tick` and `transmit` have to be called; infinite where nothing is awaited."""
        when = min(self._timer, self._leave_by)
        if now < self._next_send < when and (self._flight.losses or (self._queue and self._room() > 0)):
            return self._next_send
        return when

    def keepalive_due(self, now: float) -> bool:
        """Nothing left for so long that a router may forget the stream."""
        return self.phase is Phase.OPEN and now - self._last_sent > _KEEPALIVE

    def keep_alive(self) -> None:
        self._ack_due = True

    def tick(self, now: float) -> Out | None:
        """Time has passed; returns a packet to send at once. `transmit` may have more."""
        if self.phase is Phase.LEAVING and now >= self._leave_by:
            self.phase = Phase.OVER
        if self.phase is Phase.OVER or self.phase is Phase.CALLING or now < self._timer:
            return None
        flight = self._flight
        if not flight.count:
            # Their window is closed, or so small that nothing fits.
            self._probed = True
            self._timeouts = min(self._timeouts + 1, 5)
            self._timer = _FOREVER
            return None
        if not self._probed and not self._timeouts and self.congestion.rtt and not flight.losses:
            self._probed = True
            last = flight.last(now)
            self._arm(now)
            return self._repeat(*last, now) if last is not None else None
        if self.heard > self._alarm:
            self._timeouts = min(self._timeouts, 3)  # it is there, but takes nothing
        self._alarm = now
        self._timeouts += 1
        if self._timeouts > (2 if self.phase is Phase.LEAVING else limits.UTP_TIMEOUTS):
            self._break("the peer does not answer any more")
            return None
        self.mtu.timed_out(self._timeouts)
        self.congestion.timed_out(self._timeouts > 1)
        flight.all_lost()
        self._recovery = flight.next
        self._next_send = 0.0
        self._arm(now)
        again = flight.again(now)
        return self._repeat(*again, now) if again is not None else None

    def settle(self) -> None:
        """After everything else in a turn: a closed stream whose last packet arrived is over."""
        if self.phase is Phase.LEAVING and self._fin and not self._flight.count:
            self.phase = Phase.OVER

    def _break(self, why: str) -> None:
        self.error = self.error or why
        self.phase = Phase.OVER
        self._timer = _FOREVER


def _micros(now: float) -> int:
    return int(now * 1e6) & 0xFFFFFFFF
