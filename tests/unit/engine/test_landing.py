"""Blocks that are received straight into their places, whatever else comes between them and however reads cut them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pytest

from fakes import FakeJudge, FakeWriter, peer, wire
from wildbach.base.errors import WildbachError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.disk.piecework import PieceSpec
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.downloads import Downloads
from wildbach.engine.landing import FRAME, Landing
from wildbach.engine.peer import Peer, PeerOwner
from wildbach.engine.picker import Picker
from wildbach.net.transport import land
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.codec import Event
from wildbach.protocol.wire.handshake import Handshake
from wildbach.testing.storage import SharedStorage

PIECES, BLOCKS = 6, 96
SIZE = (PIECES * BLOCKS - 3) * BLOCK - 777


class Owner:
    """Hands blocks to the downloads, and remembers what else came."""

    def __init__(self, downloads: Downloads) -> None:
        self.downloads = downloads
        self.haves: list[int] = []
        self.bugs = 0

    def greeted(self, peer: Peer, theirs: Handshake) -> PeerOwner | None:
        return None

    def bug(self, peer: Peer) -> None:
        self.bugs += 1

    def events(self, peer: Peer, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, codec.Blocks):
                self.downloads.blocks(peer, event.items, 1.0)
            elif isinstance(event, codec.Haves):
                self.haves += event.items

    def drained(self, peer: Peer) -> None:
        pass

    def ended(self, peer: Peer, error: Exception | None) -> None:
        pass


@dataclass
class Bed:
    data: bytes
    downloads: Downloads
    judge: FakeJudge
    writer: FakeWriter
    storage: SharedStorage
    pool: ChunkPool
    picker: Picker
    giver: Peer
    owner: Owner


@pytest.fixture
def bed() -> Iterator[Bed]:
    data = Random(3).randbytes(SIZE)
    geometry = Geometry.packed(BLOCKS * BLOCK, [SIZE])
    pool = ChunkPool(32 * SLAB)
    storage = SharedStorage(data)
    picker = Picker(geometry, 0, Random(1))
    writer, judge = FakeWriter(), FakeJudge()

    def spec(piece: int) -> PieceSpec:
        start, size = piece * BLOCKS * BLOCK, geometry.piece_size(piece)
        return PieceSpec(size, hashlib.sha1(data[start : start + size]).digest(), 0, None, 0)

    downloads = Downloads(
        1, picker, pool, writer, storage, spec, judge, lambda: 1.0, lambda _peer: None,
        lambda work, done: done(work()), lambda _piece, _blocks: None,
    )
    giver = peer(1)
    giver.have, giver.am_interested, giver.choked, giver.proven, giver.grown = picker.full, True, False, True, 250
    giver.owner = owner = Owner(downloads)
    downloads.peers[1] = giver
    yield Bed(data, downloads, judge, writer, storage, pool, picker, giver, owner)
    giver.owed.clear()
    giver.mine = giver.connection.landing = wire(giver).error = None
    picker.open.clear()
    writer.waiting.clear()
    pool.close()


def block(bed: Bed, piece: int, offset: int, length: int) -> bytes:
    start = piece * BLOCKS * BLOCK + offset
    return header(length, piece, offset) + bed.data[start : start + length]


def header(length: int, piece: int, offset: int) -> bytes:
    head = bytearray(codec.BLOCK_HEADER)
    codec.put_block_header(head, 0, length + 9, codec.PIECE, piece, offset)
    return bytes(head)


def deliver(giver: Peer, rest: bytes, data: bytes) -> bytes:
    """One read of a connection that asks for places. Returns what is kept."""
    landing = giver.connection.landing
    lead = giver.missing if rest else 0
    places: Sequence[memoryview] = landing.places(rest, len(data) - lead) if landing is not None else ()
    if not places or landing is None:
        both = rest + data
        return both[giver.received(memoryview(both)) :]
    at = lead
    for place in places:
        part = data[at : at + len(place)]
        place[: len(part)] = part
        at += len(part)
    kept = land(giver, landing, memoryview(rest + data[:lead]), places, at - lead)
    both = kept + data[at:]
    return both[giver.received(memoryview(both)) :] if len(both) > len(kept) and not giver.closing else kept


def finish(bed: Bed, stream: Random, *, disorder: float, noise: float, reads: tuple[int, int]) -> list[int]:
    """Answer all requests, some out of order and with other messages between; returns the `have`s that were sent."""
    giver, said, rest, landed = bed.giver, [], b"", 0
    waiting: list[tuple[int, int, int]] = []
    bed.downloads.fill(giver, 1.0)
    out = b""
    while True:
        waiting += wire(giver).asked()
        if not waiting and not out:
            break
        while waiting and len(out) < reads[1]:
            at = stream.randrange(min(len(waiting), 9)) if stream.random() < disorder else 0
            out += block(bed, *waiting.pop(at))
            if stream.random() < noise:
                said.append(stream.randrange(PIECES))
                out += codec.have(said[-1])
        size = stream.randint(*reads)
        part, out = out[:size], out[size:]
        landed += giver.connection.landing is not None
        rest = deliver(giver, rest, part)
        bed.writer.run()
    assert landed and not rest
    return said


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("disorder", "noise"), [(0.0, 0.0), (0.05, 0.05), (1.0, 0.3)])
def test_every_stream_gives_the_same_content(bed: Bed, seed: int, disorder: float, noise: float) -> None:
    reads = [(1, 3 * FRAME), (2 * FRAME, 40 * FRAME), (FRAME, FRAME)][seed % 3]
    said = finish(bed, Random(seed), disorder=disorder, noise=noise, reads=reads)
    assert wire(bed.giver).error is None
    assert bed.owner.haves == said and not bed.owner.bugs and not bed.giver.closing
    assert sorted(bed.judge.good) == list(range(PIECES)) and not bed.judge.bad
    whole = bytearray(SIZE)
    bed.storage.read_into(0, [memoryview(whole)])
    assert whole == bed.data
    assert (bed.downloads.received, bed.downloads.wasted, bed.giver.owed.blocks) == (SIZE, 0, 0)


def test_places_are_those_of_the_blocks_behind_the_open_message(bed: Bed) -> None:
    bed.downloads.fill(bed.giver, 1.0)
    landing = bed.giver.connection.landing
    assert landing is not None
    run = bed.giver.owed.runs[0]
    assert len(landing.places(b"", 5 * FRAME)) == len(landing.places(b"", 6 * FRAME - 1)) == 10
    first = landing.places(b"", 2 * FRAME)[1]
    first[:5] = b"hello"
    assert bytes(run.view[run.offset : run.offset + 5]) == b"hello"
    due = block(bed, run.index, run.offset, BLOCK)
    second = landing.places(due[:100], 2 * FRAME)[1]
    second[:5] = b"world"
    assert bytes(run.view[run.offset + BLOCK : run.offset + BLOCK + 5]) == b"world"


def test_what_another_peer_was_asked_too_has_no_place(bed: Bed) -> None:
    bed.downloads.fill(bed.giver, 1.0)
    landing = bed.giver.connection.landing
    assert landing is not None
    bed.giver.owed.runs[0].piece.duplicated = True
    assert not landing.places(b"", 64 * FRAME)


def test_no_places_behind_a_message_that_is_not_the_block_due(bed: Bed) -> None:
    """Its own place might be one of them."""
    bed.downloads.fill(bed.giver, 1.0)
    landing = bed.giver.connection.landing
    assert landing is not None
    due = bed.giver.owed.runs[0]
    for kept in (block(bed, due.index, due.offset + BLOCK, BLOCK)[:99], codec.have(1)[:6], codec.have(1)[:3]):
        assert not landing.places(kept, 64 * FRAME)


def test_a_short_read_fills_nothing(bed: Bed) -> None:
    bed.downloads.fill(bed.giver, 1.0)
    landing = bed.giver.connection.landing
    assert landing is not None
    assert not landing.places(b"", FRAME)
    assert landing.places(b"", 2 * FRAME) and landing.landed(FRAME - 1) == 0


def test_a_liar_in_the_places_is_sent_away(bed: Bed) -> None:
    """A block of the wrong length among those that were expected."""
    bed.downloads.fill(bed.giver, 1.0)
    asked = wire(bed.giver).asked()
    good = [block(bed, *item) for item in asked[:3]]
    index, offset, _ = asked[3]
    stream = b"".join(good) + header(BLOCK - 1, index, offset) + bytes(BLOCK - 1) + bytes(2 * FRAME)
    deliver(bed.giver, b"", stream)
    assert bed.giver.closing and isinstance(wire(bed.giver).error, WildbachError)
    assert not bed.owner.bugs


def test_a_stream_that_goes_does_not_land(bed: Bed) -> None:
    bed.downloads.fill(bed.giver, 1.0)
    landing = bed.giver.connection.landing
    assert isinstance(landing, Landing) and landing.places(b"", 4 * FRAME)
    bed.giver.close()
    assert landing.landed(4 * FRAME) == 0 and bed.downloads.received == 0


def test_what_lies_behind_a_part_that_ended_the_peer_is_not_heard(bed: Bed) -> None:
    """The open message is whole, its block ends the stream, and good blocks lie in the places behind it."""
    bed.downloads.fill(bed.giver, 1.0)
    asked = wire(bed.giver).asked()
    first, *others = [block(bed, *item) for item in asked[:4]]
    assert bed.giver.received(memoryview(first[:100])) == 0
    blocks = bed.downloads.blocks

    def end(peer: Peer, items: list[tuple[int, int, memoryview]], now: float) -> None:
        blocks(peer, items, now)
        peer.close()

    bed.downloads.blocks = end  # type: ignore[method-assign]  # the stream ends while a block is taken
    assert deliver(bed.giver, first[:100], first[100:] + b"".join(others)) == b""
    assert bed.giver.closing and bed.downloads.received == BLOCK
