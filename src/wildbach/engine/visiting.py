"""A call to one peer that belongs to no swarm: a greeting, messages, an end. For looks at a seed and for errands.

To the other side it is a peer like any other: a fresh id, and an extension handshake such as this client always sends.
What comes is bounded in bytes and in time, and whoever breaks a rule of the protocol ends the call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.engine.roads import Reached
from wildbach.engine.talk import CLIENT
from wildbach.net.transport import Connection
from wildbach.protocol import bencode
from wildbach.protocol.ext import handshake as extensions
from wildbach.protocol.ext.handshake import NAMES, Extension, ExtHandshake
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse, plausible
from wildbach.runtime.rng import Rng

Call = Callable[[Endpoint, bytes, bytes], Awaitable[Reached]]
"`Session.call`: to an endpoint, for an info hash, with a greeting. Raises NetworkError, RemoteError, TimeoutError."
_PLAIN: Final = (Extension.UT_PEX, Extension.UT_METADATA, Extension.UPLOAD_ONLY, Extension.LT_DONTHAVE)


class Visit:
    """Use with `async with`. `most`: bytes that may come in all. `pieces`: of the torrent. Entering it raises
    NetworkError, RemoteError or TimeoutError.
    """

    missing = 0

    def __init__(
        self, call: Call, endpoint: Endpoint, info_hash: bytes, rng: Rng, *, pieces: int, most: int,
        pays: bencode.Value | None = None, anonymous: bool = False,
    ) -> None:
        """`info_hash`: 20 bytes, as in a handshake. `pays`: terms of `wb_pay`, None for a peer that knows none."""
        self._call = call
        self._endpoint = endpoint
        self._pays = pays
        self._anonymous = anonymous
        self._greeting = Handshake(info_hash, new_peer_id(rng, anonymous=anonymous), v2=True)
        self._decoder = codec.Decoder(pieces)
        self._most = most
        self._events: deque[codec.Event] = deque()
        self._greeted: Handshake | None = None
        self._changed: asyncio.Future[None] | None = None
        self._connection: Connection | None = None
        self._error: Exception | None = None
        self._ended = False
        self.says: ExtHandshake | None = None
        "What its last extension handshake says."
        self.received_bytes = 0

    async def __aenter__(self) -> Visit:
        reached = await self._call(self._endpoint, self._greeting.info_hash, self._greeting.to_bytes())
        connection = self._connection = reached.connection
        try:
            connection.start(self)
            if not reached.said:
                connection.send(self._greeting.to_bytes())
            async with asyncio.timeout(limits.HANDSHAKE_SECONDS):
                while self._greeted is None:
                    await self._news()
        except BaseException:
            connection.close()
            raise
        if self._greeted.extension:
            off = () if self._pays is None else (Extension.WB_PAY,)
            connection.send(codec.extended(0, extensions.build(
                extensions={NAMES[one]: int(one) for one in (*_PLAIN, *off)},
                client="" if self._anonymous else CLIENT, yourip=self._endpoint.host, pays=self._pays)))
        if self._greeted.fast:
            connection.send(codec.plain(codec.HAVE_NONE))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def fast(self) -> bool:
        """They speak the fast extension (BEP 6): each request is answered or rejected."""
        return self._greeted is not None and self._greeted.fast

    def send(self, data: bytes) -> None:
        """Nothing happens where the call is over."""
        if self._connection is not None and not self._ended:
            self._connection.send(data)

    async def next(self) -> codec.Event:
        """The next message; views of blocks in it are ours. Raises NetworkError or RemoteError at the end."""
        while not self._events:
            await self._news()
        return self._events.popleft()

    async def _news(self) -> None:
        """Until something came. Raises NetworkError or RemoteError at the end."""
        if self._ended:
            if isinstance(self._error, NetworkError | RemoteError):
                raise self._error
            raise NetworkError("the peer ended the connection")
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    # -- net.transport.Sink

    def received(self, data: memoryview) -> int:
        if self._ended:
            return len(data)
        try:
            used = self._read(data)
        except RemoteError as error:
            self._end(error)
            return len(data)
        self.received_bytes += used
        if self.received_bytes > self._most:
            self._end(RemoteError("sends more than it was asked for"))
        self._wake()
        return used

    def _read(self, data: memoryview) -> int:
        if self._greeted is None:
            if not plausible(data):
                raise RemoteError("not a BitTorrent handshake")
            if len(data) < LENGTH:
                self.missing = LENGTH - len(data)
                return 0
            greeted = parse(data[:LENGTH])
            if greeted.info_hash != self._greeting.info_hash:
                raise RemoteError("greets for another torrent")
            self._greeted = greeted
            return LENGTH
        events, used = self._decoder.decode(data)
        self.missing = self._decoder.missing
        for event in events:
            self._keep(event)
        return used

    def _keep(self, event: codec.Event) -> None:
        match event:
            case codec.Blocks():
                own = [(piece, at, memoryview(bytes(part))) for piece, at, part in event.items]
                self._events.append(codec.Blocks(own))
            case codec.Extended(id=0):
                says = extensions.parse(event.payload)
                self.says = says if self.says is None else self.says.updated(says)
                self._events.append(event)
            case codec.KeepAlive() | codec.Requests() | codec.RequestRow() | codec.Cancel():
                pass
            case _:
                self._events.append(event)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self._ended:
            self._ended, self._error = True, error
            if self._connection is not None:
                self._connection.close()
        self._wake()
