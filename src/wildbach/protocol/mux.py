"""Many streams in one: frames, credit and turns, bytes in and bytes out.

A frame is eight bytes (channel, 4; kind, 1; length, 3) and what it carries. Channel 0 is there from the start and
carries whole messages, each behind four bytes of length; the others are streams that either side opens, the side that
called with odd numbers and the other with even ones, each higher than the one before. What is sent of a stream goes in
slices, one of each channel in turn, and the control channel's slice goes before each of them. Nobody sends more of a
stream than the receiver has given credit for, so a stream that is not read holds up itself alone.

| kind | carries |
| --- | --- |
| 0 data | bytes of the stream, at most 32 KiB |
| 1 open | credit (4 bytes), and what the opener says of the channel, at most 4 KiB |
| 2 accept | credit (4 bytes); before it nothing is sent in either direction |
| 3 credit | so many bytes more (4 bytes) |
| 4 close | nothing; no more comes, and nothing more is taken |
| 5 reset | nothing; the channel that was to be opened is not wanted |
| 6 blocked | nothing; there is more to send than credit for it, so a reader that keeps up may give more |
| 7 ping, 8 pong | eight bytes, which come back |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import LimitError, RemoteError, UsageError

DATA: Final = 0
OPEN: Final = 1
ACCEPT: Final = 2
CREDIT: Final = 3
CLOSE: Final = 4
RESET: Final = 5
BLOCKED: Final = 6
PING: Final = 7
PONG: Final = 8

HEADER: Final = 8
CONTROL: Final = 0
"The channel of whole messages."
_HEAD: Final = Struct(">II")
_NUMBER: Final = Struct(">I")
_SIZES: Final = {ACCEPT: 4, CREDIT: 4, CLOSE: 0, RESET: 0, BLOCKED: 0, PING: 8, PONG: 8}
SLICE: Final = 32_751
"Bytes of a slice that we send: two of them with their headers fill one record of protocol.noise."
_WORTH: Final = 1024
"Less credit than this is not used up while there is more to send: slices would shrink to nothing."
_CREDIT_MOST: Final = 1 << 31
_STRAYS_EACH: Final = 16

Free = Callable[[], None] | None


class MuxError(RemoteError):
    """The other side broke a rule of the channels."""

    code = "mux"


@dataclass(frozen=True, slots=True)
class Data:
    channel: int
    parts: list[memoryview]
    "Borrowed from the input."


@dataclass(frozen=True, slots=True)
class Opened:
    """The other side wants a channel: `accept` or `refuse` it."""

    channel: int
    request: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    channel: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The other side has closed the channel; `forget` it when what came before was read."""

    channel: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side does not want the channel, and it is forgotten."""

    channel: int


Event = Data | Opened | Accepted | Closed | Refused


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be sent next."""

    data: bytes
    "Whole frames; empty where there is nothing to send, or no credit for it."
    free: list[Callable[[], None]]
    "Of buffers that were sent to their end; call them."
    drained: list[int]
    "Channels all of whose bytes have been taken."


class _Channel:
    __slots__ = (
        "accepted", "allowed", "blocked", "credit", "number", "ours", "owed", "queue", "queued", "ready",
        "starved", "theirs_ended", "window",
    )

    def __init__(self, number: int, ours: bool) -> None:
        self.number = number
        self.ours = ours
        "We opened it."
        self.accepted = False
        self.credit = 0
        "Bytes that we may send."
        self.window = 0
        "Bytes of theirs that may be on their way or unread."
        self.allowed = 0
        "Bytes that they may still send."
        self.owed = 0
        "Bytes that were read and not given back as credit."
        self.queue: deque[tuple[memoryview, Free]] = deque()
        self.queued = 0
        self.ready = False
        "It stands in the queue of those who may send."
        self.blocked = False
        "They know that we wait for credit."
        self.starved = False
        "They wait for credit; whether a larger window would help shows when what has just come is read."
        self.theirs_ended = False


class Mux:
    """Both directions of one connection. Feed `received`, send what `take` gives."""

    __slots__ = (
        "_buffered", "_channels", "_control", "_frames", "_late", "_missing", "_next", "_opened", "_pong", "_ready",
        "_refusals", "_remote_open", "_starved", "_strays", "_theirs",
    )

    def __init__(self, initiator: bool) -> None:
        """`initiator`: this side opened the connection, which both must know alike."""
        self._next = 1 if initiator else 2
        self._theirs = 0
        "The highest number that they have opened."
        self._opened = 0
        "Channels that we have opened and that are open."
        self._remote_open = 0
        "The same of theirs."
        self._channels: dict[int, _Channel] = {}
        self._frames: deque[bytes] = deque()
        "Small frames, which go before all else."
        self._ready: deque[_Channel] = deque()
        self._buffered = 0
        "Windows of all channels."
        self._late = 0
        "Bytes that may still come for channels that we have closed."
        self._strays = limits.MUX_STRAYS
        self._refusals = 0
        self._pong: bytes | None = None
        self._starved: list[_Channel] = []
        self._missing = 0
        control = self._control = _Channel(CONTROL, True)
        control.accepted = True
        control.credit = control.window = control.allowed = limits.MUX_CONTROL_BYTES
        self._channels[CONTROL] = control

    # -- channels

    @property
    def missing(self) -> int:
        """Bytes that finish the frame which `received` left behind."""
        return self._missing

    @property
    def channels(self) -> int:
        """Those that are open, without the control channel."""
        return len(self._channels) - 1

    def open(self, request: bytes = b"") -> int:
        """A channel of ours. It may be sent to at once; nothing leaves before it is accepted. Raises LimitError."""
        if self._opened >= limits.MUX_CHANNELS:
            raise LimitError("more channels than limits.MUX_CHANNELS")
        if len(request) > limits.MUX_REQUEST_BYTES:
            raise LimitError("a longer request than limits.MUX_REQUEST_BYTES")
        channel = _Channel(self._next, True)
        self._next += 2
        self._opened += 1
        self._channels[channel.number] = channel
        self._frame(channel.number, OPEN, _NUMBER.pack(self._give_window(channel)) + request)
        return channel.number

    def accept(self, number: int) -> None:
        """Let the other side's channel be open. Raises UsageError where none with this number waits."""
        channel = self._waiting(number)
        channel.accepted = True
        self._refusals = 0
        self._frame(number, ACCEPT, _NUMBER.pack(self._give_window(channel)))
        self._may_send(channel)

    def refuse(self, number: int) -> None:
        """Raises MuxError where too many have been refused in a row: the other side only makes work."""
        self._drop(self._waiting(number))
        self._frame(number, RESET)
        self._refused()

    def _refused(self) -> None:
        self._refusals += 1
        if self._refusals > limits.MUX_REFUSALS:
            raise MuxError("opens channels that nobody wants")

    def _waiting(self, number: int) -> _Channel:
        channel = self._channels.get(number)
        if channel is None or channel.ours or channel.accepted:
            raise UsageError("no such channel waits to be opened")
        return channel

    def close(self, number: int) -> list[Callable[[], None]]:
        """No more goes out, and what comes is not wanted. Returns what to call for buffers that were not sent."""
        channel = self._channels.get(number)
        if channel is None or number == CONTROL:
            return []
        if not channel.theirs_ended:
            self._frame(number, CLOSE)
            self._late += channel.allowed
            self._strays += _STRAYS_EACH
        return self._drop(channel)

    def forget(self, number: int) -> list[Callable[[], None]]:
        """What the other side has closed was read to its end; as `close`."""
        return self.close(number)

    def _drop(self, channel: _Channel) -> list[Callable[[], None]]:
        del self._channels[channel.number]
        self._buffered -= channel.window
        if channel.ours:
            self._opened -= 1
        elif not channel.theirs_ended:
            self._remote_open -= 1
        free = [call for _, call in channel.queue if call is not None]
        channel.queue.clear()
        channel.queued = 0
        return free

    def _give_window(self, channel: _Channel) -> int:
        """How much they may send at first: a share of what is left for all."""
        left = limits.MUX_BUFFERED_BYTES - self._buffered
        window = max(limits.MUX_WINDOW_LEAST_BYTES, min(limits.MUX_WINDOW_BYTES, left // 4))
        channel.window = channel.allowed = window
        self._buffered += window
        return window

    # -- sending

    def queued(self, number: int) -> int:
        """Bytes of a channel that were not taken so far."""
        channel = self._channels.get(number)
        return channel.queued if channel is not None else 0

    def send(self, number: int, data: bytes | bytearray | memoryview, free: Free = None) -> None:
        """Queue bytes of a stream. `free` comes back in a `Batch` when they have been taken, or from `close`."""
        channel = self._channels.get(number)
        if channel is None:
            raise UsageError("no such channel is open")
        view = memoryview(data).cast("B")
        channel.queue.append((view, free))
        channel.queued += len(view)
        self._may_send(channel)

    def message(self, payload: bytes) -> None:
        """Queue a whole message for the control channel. Raises UsageError for one that is empty or too long."""
        if not 0 < len(payload) <= limits.MUX_MESSAGE_BYTES:
            raise UsageError("a message has 1 to limits.MUX_MESSAGE_BYTES bytes")
        self.send(CONTROL, _NUMBER.pack(len(payload)) + payload)

    def ping(self) -> None:
        """Have the other side say something."""
        self._frame(CONTROL, PING, bytes(8))

    def _frame(self, number: int, kind: int, payload: bytes = b"") -> None:
        self._frames.append(_HEAD.pack(number, kind << 24 | len(payload)) + payload)

    def _may_send(self, channel: _Channel) -> None:
        """It has something to send: let it stand in the queue, or tell them that it waits."""
        if channel.ready or not channel.queue or not channel.accepted or channel.theirs_ended:
            return
        if channel.credit < min(channel.queued, _WORTH):
            if not channel.blocked:
                channel.blocked = True
                self._frame(channel.number, BLOCKED)
            return
        channel.ready = True
        if channel is not self._control:
            self._ready.append(channel)

    def take(self, most: int) -> Batch:
        """Some `most` bytes of frames: small ones, then a slice of the control channel before each of another."""
        parts: list[bytes | memoryview] = []
        free: list[Callable[[], None]] = []
        drained: list[int] = []
        size = 0
        while size < most:
            if self._pong is not None:
                self._frame(CONTROL, PONG, self._pong)
                self._pong = None
            while self._frames:
                frame = self._frames.popleft()
                parts.append(frame)
                size += len(frame)
            if self._control.ready:
                size += self._slice(self._control, parts, free, drained)
            elif not self._ready:
                break
            if self._ready:
                channel = self._ready.popleft()
                if channel.queue:  # it was not closed meanwhile
                    size += self._slice(channel, parts, free, drained)
        return Batch(b"".join(parts), free, drained)

    def _slice(
        self, channel: _Channel, parts: list[bytes | memoryview], free: list[Callable[[], None]], drained: list[int],
    ) -> int:
        """The next slice of a channel; then it stands behind the others again."""
        count = min(channel.queued, channel.credit, SLICE)
        if count:
            parts.append(_HEAD.pack(channel.number, count))  # DATA is 0
        channel.credit -= count
        channel.queued -= count
        queue = channel.queue
        left = count
        while queue:
            view, call = queue[0]
            if len(view) > left:
                if left:
                    parts.append(view[:left])
                    queue[0] = (view[left:], call)
                break
            parts.append(view)
            left -= len(view)
            queue.popleft()
            if call is not None:
                free.append(call)
        channel.ready = False
        if queue:
            self._may_send(channel)
        else:
            drained.append(channel.number)
        return HEADER + count

    # -- receiving

    def consumed(self, number: int, count: int) -> None:
        """So many bytes of a channel were read: they may be sent anew."""
        channel = self._channels.get(number)
        if channel is None or channel.theirs_ended:
            return
        channel.owed += count
        if channel.owed >= channel.window >> 2:
            self._grant(channel, channel.owed)
            channel.owed = 0
        if channel.starved:
            self._grow(channel)

    def _grant(self, channel: _Channel, count: int) -> None:
        channel.allowed += count
        self._frame(channel.number, CREDIT, _NUMBER.pack(count))

    def received(self, view: memoryview) -> tuple[list[Event], int]:
        """All whole frames in `view`, and how many bytes they took. Raises MuxError."""
        for starved in self._starved:
            starved.starved = False  # what came with it was not read at once
        self._starved.clear()
        out: list[Event] = []
        fresh: dict[int, Data] = {}
        channels = self._channels
        head = _HEAD.unpack_from
        at = 0
        end = len(view)
        self._missing = 0
        while end - at >= HEADER:
            number, word = head(view, at)
            length = word & 0xFFFFFF
            kind = word >> 24
            stop = at + HEADER + length
            if kind == DATA:
                if not 0 < length <= limits.MUX_SLICE_BYTES:
                    raise MuxError("a slice of the wrong size", size=length)
            elif _SIZES.get(kind) != length and not (kind == OPEN and 4 <= length <= 4 + limits.MUX_REQUEST_BYTES):
                raise MuxError("a frame of an unknown kind or of the wrong size", kind=kind, size=length)
            if stop > end:
                self._missing = stop - end
                return out, at
            body = view[at + HEADER : stop]
            at = stop
            channel = channels.get(number)
            if kind == DATA and channel is not None and not channel.theirs_ended:
                if length > channel.allowed or not channel.accepted:
                    raise MuxError("sends more than it has credit for", channel=number)
                channel.allowed -= length
                data = fresh.get(number)
                if data is not None:
                    data.parts.append(body)
                else:
                    data = fresh[number] = Data(number, [body])
                    out.append(data)
            else:
                fresh.pop(number, None)
                event = self._other(number, kind, channel, body)
                if event is not None:
                    out.append(event)
        if end > at:
            self._missing = HEADER - (end - at)
        if len(self._frames) > limits.MUX_FRAMES:
            raise MuxError("wants more answers than it reads")
        return out, at

    def _other(self, number: int, kind: int, channel: _Channel | None, body: memoryview) -> Event | None:
        if kind == OPEN:
            return self._remote_opens(number, body)
        if kind == PING:
            self._pong = bytes(body)
            return None
        if kind == PONG:
            return None
        if channel is None or channel.theirs_ended:
            self._stray(number, len(body) if kind == DATA else 0)
            return None
        if kind == CREDIT:
            self._credited(channel, body)
            return None
        if kind == BLOCKED:
            if not channel.starved:
                channel.starved = True
                self._starved.append(channel)
                self._grow(channel)
            return None
        if number == CONTROL:
            raise MuxError("the control channel stays open")
        if kind == ACCEPT:
            if not channel.ours or channel.accepted:
                raise MuxError("accepts what was not asked for", channel=number)
            channel.accepted = True
            channel.credit = self._number(body)
            self._may_send(channel)
            return Accepted(number)
        channel.theirs_ended = True
        if not channel.ours:
            self._remote_open -= 1
        return Refused(number) if kind == RESET else Closed(number)

    def _number(self, body: memoryview) -> int:
        (count,) = _NUMBER.unpack(body[:4])
        if not 0 < count < _CREDIT_MOST:
            raise MuxError("a credit that cannot be")
        return int(count)

    def _remote_opens(self, number: int, body: memoryview) -> Event | None:
        if number <= self._theirs or number % 2 == self._next % 2:
            raise MuxError("opens a channel by a number that is not its to give", channel=number)
        self._theirs = number
        credit = self._number(body)
        if self._remote_open >= limits.MUX_CHANNELS:
            raise MuxError("opens more channels than limits.MUX_CHANNELS")
        if self.channels >= 2 * limits.MUX_CHANNELS:
            # Its earlier ones are closed, and what they brought is not read so far.
            self._frame(number, RESET)
            self._refused()
            return None
        channel = _Channel(number, False)
        channel.credit = credit
        self._channels[number] = channel
        self._remote_open += 1
        return Opened(number, bytes(body[4:]))

    def _stray(self, number: int, size: int) -> None:
        """A frame for a channel that is not open: it may have been on its way when we closed it."""
        known = number <= self._theirs if number % 2 != self._next % 2 else number < self._next
        if not known or not number:
            raise MuxError("a frame for a channel that never was", channel=number)
        if size:
            self._late -= size
        else:
            self._strays -= 1
        if self._late < 0 or self._strays < 0:
            raise MuxError("goes on with channels that are closed", channel=number)

    def _credited(self, channel: _Channel, body: memoryview) -> None:
        if not channel.accepted:
            raise MuxError("gives credit for a channel that is not open", channel=channel.number)
        channel.credit += self._number(body)
        if channel.credit >= _CREDIT_MOST:
            raise MuxError("gives more credit than there can be", channel=channel.number)
        channel.blocked = False
        self._may_send(channel)

    def _grow(self, channel: _Channel) -> None:
        """They have more to send than they may: where what comes is read at once, the window was too small."""
        unread = channel.window - channel.allowed - channel.owed
        left = limits.MUX_BUFFERED_BYTES - self._buffered
        more = min(channel.window, limits.MUX_WINDOW_MOST_BYTES - channel.window, left // 2)
        if channel.number == CONTROL or not channel.accepted or unread > channel.window >> 1 or more <= 0:
            return
        channel.starved = False
        channel.window += more
        self._buffered += more
        self._grant(channel, more)


class Messages:
    """Cuts the stream of the control channel into its messages."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def put(self, part: bytes | memoryview) -> None:
        """Bytes that have come; at most limits.MUX_CONTROL_BYTES of them are held, by credit."""
        self._held += part

    def next(self) -> bytes | None:
        """The next whole message; None where it is not here. Raises MuxError."""
        held = self._held
        if len(held) < 4:
            return None
        (size,) = _NUMBER.unpack_from(held)
        if not 0 < size <= limits.MUX_MESSAGE_BYTES:
            raise MuxError("a message of the wrong size", size=size)
        if len(held) < 4 + size:
            return None
        payload = bytes(memoryview(held)[4 : 4 + size])
        del held[: 4 + size]
        return payload
