"""Any connection, encrypted: the handshake of protocol.mse on it, and then its stream.

What comes in is decrypted where it was received, in the scratch or in its place (`Landing`), and what goes out where
it lies, if its buffer may be changed. So RC4 costs its own time and no copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection, Landing, Sink
from wildbach.protocol.mse import Caller, Handshake, Method, Rc4

Free = Callable[[], None] | None


class MseConnection:
    """A connection on top of another one. It may be started before or after its handshake is over."""

    __slots__ = (
        "_clear", "_ended", "_error", "_handshake", "_held", "_inner", "_landing", "_places", "_receive", "_send",
        "_settled", "_sink", "_unsent",
    )

    def __init__(
        self, inner: Connection, handshake: Handshake, settled: Callable[[Exception | None], None] | None = None,
        early: bytes = b"",
    ) -> None:
        """`settled` is called once, when the handshake is over or has failed. `early` was received before."""
        self._inner = inner
        self._handshake: Handshake | None = handshake
        self._settled = settled
        self._sink: Sink | None = None
        self._send: Rc4 | None = None
        self._receive: Rc4 | None = None
        self._held = bytearray()
        "During the handshake what is not used up of it; then what the sink left, in the clear, while there is any."
        self._clear = 0
        "Bytes that the inner connection keeps for us and that are decrypted already."
        self._unsent: list[tuple[bytes | bytearray | memoryview, Free]] = []
        self._landing: Landing | None = None
        self._places: Sequence[memoryview] = ()
        self._ended = False
        self._error: Exception | None = None
        self._say(handshake)
        inner.start(self)
        if early:
            self._greet(early)

    # -- Connection

    @property
    def remote(self) -> Endpoint:
        return self._inner.remote

    @property
    def local(self) -> Endpoint:
        return self._inner.local

    @property
    def kind(self) -> str:
        """Of the connection below, and what is encrypted: all (`+rc4`), or only the handshake (`+handshake`)."""
        return self._inner.kind + ("+handshake" if self._send is None else "+rc4")

    @property
    def queued(self) -> int:
        return self._inner.queued

    @property
    def closing(self) -> bool:
        return self._inner.closing

    @property
    def silence(self) -> float:
        return self._inner.silence

    @property
    def landing(self) -> Landing | None:
        return self._landing

    @landing.setter
    def landing(self, landing: Landing | None) -> None:
        self._landing = landing
        self._inner.landing = self if landing is not None else None

    def start(self, sink: Sink) -> None:
        self._sink = sink
        if self._ended:
            asyncio.get_running_loop().call_soon(self.closed, self._error)
            return
        self._inner.resume()
        if self._handshake is None:
            self._deliver()

    def send(self, data: bytes | bytearray | memoryview, free: Free = None) -> None:
        if self._handshake is not None and not self._inner.closing:
            self._unsent.append((data, free))
            return
        cipher = self._send
        if cipher is None or self._inner.closing:
            self._inner.send(data, free)
        elif free is not None and not (view := memoryview(data)).readonly:
            cipher.over(view)
            self._inner.send(view, free)
        else:
            self._inner.send(cipher.of(data))
            if free is not None:
                free()

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()

    def close(self, error: Exception | None = None) -> None:
        self._inner.close(error)

    # -- Sink of the connection below

    @property
    def missing(self) -> int:
        return self._sink.missing if self._sink is not None and self._handshake is None else 0

    def received(self, data: memoryview) -> int:
        if self._handshake is not None:
            self._greet(data)
            return len(data)
        sink = self._sink
        if sink is None or self._held or data.readonly:
            self._hold(data)
            return len(data)
        if self._receive is not None:
            fresh = data[self._clear :] if self._clear else data
            if len(fresh):
                self._receive.over(fresh)
        used = sink.received(data)
        self._clear = len(data) - used
        return used

    def drained(self) -> None:
        if self._handshake is None and self._sink is not None:
            self._sink.drained()

    def closed(self, error: Exception | None) -> None:
        self._ended = True
        self._error = error
        for _, free in self._unsent:
            if free is not None:
                free()
        self._unsent = []
        settled, self._settled = self._settled, None
        if settled is not None:
            settled(error or NetworkError("the connection was closed"))
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(error)

    # -- Landing of the connection below

    def places(self, kept: bytes, most: int) -> Sequence[memoryview]:
        if self._landing is None or self._held or self._clear != len(kept):
            return ()
        self._places = self._landing.places(kept, most)
        return self._places

    def landed(self, count: int) -> int:
        if self._landing is None:
            return 0
        places, self._places = self._places, ()
        cipher = self._receive
        if cipher is not None:
            left = count
            for place in places:
                if left < len(place):
                    if left:
                        cipher.over(place[:left])
                    break
                cipher.over(place)
                left -= len(place)
        taken = self._landing.landed(count)
        self._clear = count - taken
        return taken

    # -- the handshake

    def _say(self, handshake: Handshake) -> None:
        said = handshake.take()
        if said:
            self._inner.send(said)

    def _greet(self, data: bytes | memoryview) -> None:
        handshake = self._handshake
        if handshake is None or self._inner.closing:
            return
        self._held += data
        try:
            used = handshake.received(self._held)
        except RemoteError as error:
            self.close(error)
            return
        self._say(handshake)
        agreed = handshake.agreed
        rest = bytes(self._held[used:])
        if agreed is None:
            self._held = bytearray(rest)
            return
        self._handshake = None
        self._send, self._receive = agreed.send, agreed.receive
        self._held = bytearray(agreed.initial)
        unsent, self._unsent = self._unsent, []
        for piece, free in unsent:
            self.send(piece, free)
        if self._sink is None:
            self._inner.pause()  # whoever dialled starts it soon
        settled, self._settled = self._settled, None
        if settled is not None:
            settled(None)
        self._hold(memoryview(rest))

    # -- what cannot be handed on where it was received

    def _hold(self, data: memoryview) -> None:
        clear, self._clear = self._clear, 0
        fresh = bytearray(data)
        if self._receive is not None and len(fresh) > clear:
            self._receive.over(memoryview(fresh)[clear:])
        self._held += fresh
        self._deliver()

    def _deliver(self) -> None:
        if self._sink is None or not self._held or self._inner.closing:
            return
        held, self._held = self._held, bytearray()
        used = self._sink.received(memoryview(held))
        self._held = held[used:] if used else held


async def encrypt(
    inner: Connection, skey: bytes, initial: bytes, provide: Sequence[Method], rng: Random,
) -> MseConnection:
    """Make an outgoing connection an encrypted one; `initial` is said within the handshake.

    Raises RemoteError or NetworkError where the other side does not speak it. The connection is closed then, and also
    when this is cancelled.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def settled(error: Exception | None) -> None:
        if over.done():
            return
        if error is None:
            over.set_result(None)
        else:
            over.set_exception(error)

    connection = MseConnection(inner, Caller(skey, initial, provide, rng), settled)
    try:
        await over
    except BaseException as error:
        connection.close(error if isinstance(error, RemoteError | NetworkError) else None)
        raise
    return connection
