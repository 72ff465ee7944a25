"""A web server as a peer: one connection of the peer protocol on this side, ranges over HTTP on the other.

To the swarm a lane is a peer that has what the server has, and chokes nobody. So who is asked for what, the end game,
speed limits, and who is to blame for a bad piece are decided as for every peer. Requests that follow each other become
one range; what the server sends comes out as `piece` messages.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from struct import Struct
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import NetworkError, WildbachError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.base.ids import Endpoint
from wildbach.net.http import Streamed
from wildbach.net.resolve import Purpose
from wildbach.net.transport import Landing, Sink
from wildbach.protocol.webseed import Part, Shelf, Verdict, Worth, judge
from wildbach.protocol.wire import codec

_HEADER: Final = Struct(">IBII")
_ZEROS: Final = bytes(1 << 16)
Span = tuple[int, int, int]
"Piece, offset, length: a block, or several in a row."


class Refused(NetworkError):
    """What the server answered is not what was asked for."""

    code = "web_seed_refused"

    def __init__(self, part: Part, verdict: Verdict) -> None:
        super().__init__(verdict.reason, url=part.url)
        self.part = part
        self.verdict = verdict


class Fetches(Protocol):
    """`net.http.HttpClient`."""

    async def stream(
        self, url: str, take: Callable[[Streamed], Awaitable[None]], *, purpose: Purpose,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """GET a URL, and hand the reply to `take` once its head is here. Raises NetworkError."""
        ...


class LaneOwner(Protocol):
    def gave(self, count: int) -> None:
        """So many bytes came."""
        ...

    def lane_ended(self, lane: Lane, error: Exception | None) -> None: ...


class Lane:
    """A `net.transport.Connection` that never leaves this process. `run` does the work, in a task of the torrent."""

    kind = "http"

    def __init__(
        self, owner: LaneOwner, shelf: Shelf, geometry: Geometry, client: Fetches, purpose: Purpose,
        at: Endpoint, has: bytes, stall_seconds: float,
    ) -> None:
        """`has`: the bitfield of what the server can give; `at`: a name for blame, no place to connect to."""
        self.remote = at
        self.local = at
        self.queued = 0
        self.silence = 0.0
        self.closing = False
        self.landing: Landing | None = None
        self._owner = owner
        self._shelf = shelf
        self._geometry = geometry
        self._client = client
        self._purpose = purpose
        self._has = has
        self._stall = stall_seconds
        self._sink: Sink | None = None
        self._decoder = codec.Decoder(geometry.piece_count)
        self._unread = b""
        self._rows: deque[Span] = deque()
        self._coming: deque[Span] = deque()
        "Blocks of the range that is being fetched, the first perhaps in part."
        self._block = bytearray()
        "A message that is not whole yet."
        self._lack = 0
        "Bytes it lacks."
        self._work = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._error: Exception | None = None

    # -- Connection

    def start(self, sink: Sink) -> None:
        self._sink = sink
        asyncio.get_running_loop().call_soon(self._hello)

    def _hello(self) -> None:
        if self._sink is not None and not self.closing:
            self._sink.received(memoryview(codec.bitfield(self._has) + codec.plain(codec.UNCHOKE)))

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        raw = self._unread + bytes(data)
        if free is not None:
            free()
        if self.closing:
            return
        events, used = self._decoder.decode(memoryview(raw))
        self._unread = raw[used:]
        for event in events:
            match event:
                case codec.RequestRow(piece, offset, count):
                    self._rows.append((piece, offset, count * BLOCK))
                case codec.Requests(items):
                    self._rows.extend(items)
                case codec.Cancel(piece, offset, length):
                    self._cancel(piece, offset, length)
                case _:
                    pass  # a web server wants nothing
        if self._rows:
            self._work.set()

    def _cancel(self, piece: int, offset: int, length: int) -> None:
        """What is being fetched comes all the same."""
        for at, (other, begin, size) in enumerate(self._rows):
            if other == piece and begin <= offset < begin + size:
                rest = [(piece, begin, offset - begin), (piece, offset + length, begin + size - offset - length)]
                del self._rows[at]
                for row in reversed(rest):
                    if row[2] > 0:
                        self._rows.insert(at, row)
                return

    def pause(self) -> None:
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def close(self, error: Exception | None = None) -> None:
        if self.closing:
            return
        self.closing = True
        self._error = error
        self._rows.clear()
        self._work.set()
        self._reading.set()
        asyncio.get_running_loop().call_soon(self._ended)

    def _ended(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.closed(self._error)
        self._owner.lane_ended(self, self._error)

    # -- HTTP

    async def run(self) -> None:
        """Fetch what is asked for until the lane is closed."""
        try:
            while not self.closing:
                if not self._rows:
                    self._work.clear()
                    await self._work.wait()
                    continue
                piece, offset, length = self._next_range()
                for part in self._shelf.parts(piece, offset, length):
                    await self._fetch(part)
                    if self._over():
                        return
        except WildbachError as error:
            self.close(error)
        except TimeoutError:
            self.close(NetworkError(f"the web seed did not answer within {self._stall:g} seconds"))

    def _over(self) -> bool:
        """As `closing`, which may have changed while something was awaited."""
        return self.closing

    def _next_range(self) -> Span:
        """The first of the rows, and those that follow it without a gap."""
        length = self._geometry.piece_length
        first = self._rows[0]
        start = end = first[0] * length + first[1]
        while self._rows:
            piece, offset, size = self._rows[0]
            if piece * length + offset != end or end + size - start > limits.WEB_SEED_REQUEST_BYTES:
                break
            self._rows.popleft()
            end += size
            self._coming.extend(
                (piece, at, min(BLOCK, offset + size - at)) for at in range(offset, offset + size, BLOCK))
        return first[0], first[1], end - start

    async def _fetch(self, part: Part) -> None:
        if not part.url:
            for at in range(0, part.length, len(_ZEROS)):
                await self._give(memoryview(_ZEROS)[: part.length - at])
            return
        headers = {"Range": part.range} if part.range else {}

        async def take(reply: Streamed) -> None:
            verdict = judge(part, reply.status, reply.headers)
            if verdict.worth is not Worth.TAKE:
                raise Refused(part, verdict)
            head.reschedule(None)
            await self._take(part, verdict.skip, reply.chunks)

        async with asyncio.timeout(self._stall) as head:
            await self._client.stream(part.url, take, purpose=self._purpose, headers=headers)

    async def _take(self, part: Part, skip: int, chunks: AsyncIterator[bytes]) -> None:
        left = part.length
        while left and not self.closing:
            try:
                async with asyncio.timeout(self._stall):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                raise NetworkError("the web seed ended the reply too early", url=part.url) from None
            except TimeoutError:
                raise NetworkError(f"the web seed sent nothing for {self._stall:g} seconds", url=part.url) from None
            view = memoryview(chunk)
            if skip:
                view, skip = view[skip:], max(0, skip - len(view))
            view = view[:left]
            left -= len(view)
            if len(view):
                self._owner.gave(len(view))
                await self._give(view)

    async def _give(self, data: memoryview) -> None:
        """Hand bytes of the torrent to the swarm, as the messages they are awaited in."""
        await self._reading.wait()
        out, self._block = self._block, bytearray()
        at, end = 0, len(data)
        while at < end:
            if not self._lack:
                piece, offset, length = self._coming.popleft()
                out += _HEADER.pack(9 + length, codec.PIECE, piece, offset)
                self._lack = length
            size = min(self._lack, end - at)
            out += data[at : at + size]
            at += size
            self._lack -= size
        if self._sink is None or self.closing:
            return
        used = self._sink.received(memoryview(out))
        self._block = out[used:] if used < len(out) else bytearray()
