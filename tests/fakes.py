"""Stand-ins for the engine's unit tests: a connection that remembers, a writer that answers when told, a judge."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.disk.piecework import ChunkJob, ChunkResult, PieceWork
from wildbach.disk.pool import Chunk
from wildbach.disk.storage import Storage
from wildbach.engine.openpiece import OpenPiece
from wildbach.engine.peer import Peer, PeerOwner
from wildbach.net.transport import Landing, Sink
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.codec import Decoder, Event
from wildbach.protocol.wire.handshake import Handshake


def requests_of(event: Event) -> list[tuple[int, int, int]]:
    """The requests that an event tells of, one by one."""
    if isinstance(event, codec.RequestRow):
        return [(event.piece, event.offset + at * BLOCK, BLOCK) for at in range(event.count)]
    return event.items if isinstance(event, codec.Requests) else []


class FakeConnection:
    """Takes everything at once, and gives it back as messages."""

    kind = "fake"

    def __init__(self, remote: Endpoint) -> None:
        self.remote = remote
        self.local = Endpoint("20.9.9.9", 6881)
        self.queued = 0
        self.silence = 0.0
        self.closing = False
        self.error: Exception | None = None
        self.paused = False
        self.sent = bytearray()
        self.sink: Sink | None = None
        self.landing: Landing | None = None

    def start(self, sink: Sink) -> None:
        self.sink = sink

    def send(self, data: bytes | bytearray | memoryview, free: Callable[[], None] | None = None) -> None:
        self.sent += data
        if free is not None:
            free()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def limit(self, size: int) -> None:
        pass

    def close(self, error: Exception | None = None) -> None:
        if not self.closing:
            self.closing = True
            self.error = error

    def messages(self) -> list[Event]:
        """What was sent since the last call."""
        raw, self.sent = bytes(self.sent), bytearray()
        events, used = Decoder().decode(memoryview(raw))
        assert used == len(raw)
        return events

    def asked(self) -> list[tuple[int, int, int]]:
        """The requests among it."""
        return [item for event in self.messages() for item in requests_of(event)]


class NoOwner:
    """Owns peers that are fed by hand."""

    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        return None

    def bug(self, peer: Peer) -> None:
        raise AssertionError("a bug")

    def events(self, peer: Peer, events: list[Event]) -> None:
        pass

    def drained(self, peer: Peer) -> None:
        pass

    def ended(self, peer: Peer, error: Exception | None) -> None:
        pass


def peer(number: int, *, now: float = 0.0, fast: bool = True, host: str = "") -> Peer:
    """A greeted peer on a fake connection."""
    connection = FakeConnection(Endpoint(host or f"20.0.{number}.1", 6881))
    made = Peer(number, connection, NoOwner(), outgoing=True, now=now)
    made.open(Handshake(bytes(20), b"-FK0001-" + number.to_bytes(12, "big"), fast=fast))
    return made


def wire(of: Peer) -> FakeConnection:
    assert isinstance(of.connection, FakeConnection)
    return of.connection


class FakeWriter:
    """Does the work at once, and tells when `run` is called."""

    def __init__(self) -> None:
        self.work = PieceWork()
        self.waiting: deque[tuple[ChunkJob, Chunk, Storage, Callable[[ChunkResult], None]]] = deque()
        self.forgotten: list[int] = []
        self.fail: ChunkResult | None = None

    def prepare(self) -> None:
        pass

    def submit(self, job: ChunkJob, chunk: Chunk, storage: Storage, done: Callable[[ChunkResult], None]) -> None:
        self.waiting.append((job, chunk, storage, done))

    def forget(self, torrent: int, piece: int) -> None:
        self.forgotten.append(piece)
        self.work.forget(torrent, piece)

    def run(self) -> int:
        count = 0
        while self.waiting:
            job, chunk, storage, done = self.waiting.popleft()
            result = self.fail
            if result is None:
                result = self.work.run(
                    job, chunk.view, lambda at, view, s=storage: s.write(at, [view]),  # type: ignore[misc]  # bound now
                    lambda at, view, s=storage: s.read_into(at, [view]),  # type: ignore[misc]  # bound now
                )
            done(result)
            count += 1
        return count

    def close(self) -> None:
        pass


@dataclass
class FakeJudge:
    """Remembers what became of pieces."""

    good: list[int] = field(default_factory=list)
    bad: list[tuple[int, bytes]] = field(default_factory=list)
    errors: list[ChunkResult] = field(default_factory=list)
    digests: dict[int, bytes] = field(default_factory=dict)
    wanted: set[int] = field(default_factory=set)
    mends: bool = False

    def passed(self, piece: OpenPiece, digests: bytes) -> None:
        self.good.append(piece.index)
        self.digests[piece.index] = digests

    def failed(self, piece: OpenPiece, result: ChunkResult) -> None:
        self.bad.append((piece.index, result.digests))

    def broken(self, result: ChunkResult) -> None:
        self.errors.append(result)

    def can_mend(self, piece: int) -> bool:
        return self.mends

    def wants_digests(self, piece: int) -> bool:
        return piece in self.wanted


class Deaf:
    """Takes all that comes on a connection or a channel, and answers nothing."""

    missing = 0

    def received(self, data: memoryview) -> int:
        return len(data)

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        pass
