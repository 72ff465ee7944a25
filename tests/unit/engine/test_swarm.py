"""What peers say and are told: who has what, who is interested, what waits for the metadata, who is let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import cast

import pytest

from fakes import FakeJudge, FakeWriter, peer, wire
from wildbach.base import bitfield
from wildbach.base.errors import RemoteError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.disk.pool import SLAB, ChunkPool
from wildbach.engine.downloads import Downloads
from wildbach.engine.peer import Peer
from wildbach.engine.picker import Picker
from wildbach.engine.settings import PeerSettings, Settings
from wildbach.engine.superseed import SuperSeed
from wildbach.engine.swarm import Content, Swarm
from wildbach.engine.uploads import SendBuffers, Uploads
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.codec import Event
from wildbach.runtime.workers import Threads
from wildbach.testing.storage import SharedStorage

COUNT = 20
WIDTH = bitfield.width_of(COUNT)


def some(*pieces: int) -> int:
    return bitfield.of(pieces, WIDTH)


class Bed:
    """A swarm; it is its own torrent."""

    def __init__(self, *have: int, content: bool = True, settings: Settings | None = None) -> None:
        self.now = 0.0
        self.left: list[int] = []
        self.told: list[Event] = []
        chosen = settings or Settings()
        self.swarm = Swarm(self, lambda: chosen, lambda: self.now)
        self.pool = ChunkPool(4 * SLAB)
        self.content = self.make(*have)
        if content:
            self.swarm.start(self.content)

    def make(self, *have: int) -> Content:
        geometry = Geometry.packed(4 * BLOCK, [COUNT * 4 * BLOCK])
        picker = Picker(geometry, some(*have), Random(1))
        storage = SharedStorage(bytes(COUNT * 4 * BLOCK), complete=True)
        downloads = Downloads(
            1, picker, self.pool, FakeWriter(), storage, lambda _piece: None, FakeJudge(), lambda: self.now,
            lambda _peer: None, lambda _work, _done: None, lambda _piece, _blocks: None,
        )
        uploads = Uploads(
            geometry, storage, cast(Threads, None), SendBuffers(),
            lambda piece: bitfield.has(picker.have, piece, WIDTH),
            lambda _peer: None, lambda error: None,
        )
        return Content(picker, downloads, uploads)

    def unchoked(self, peer: Peer) -> None:
        assert not peer.choked

    def peer_left(self, peer: Peer, error: Exception | None) -> None:
        self.left.append(peer.number)

    def extended(self, peer: Peer, message: codec.Extended) -> None:
        self.told.append(message)

    def hash_message(self, peer: Peer, message: codec.HashMessage) -> None:
        self.told.append(message)

    def bug(self, peer: Peer) -> None:
        raise AssertionError("a bug")

    def join(self, number: int, *said: Event, fast: bool = True) -> Peer:
        made = peer(number, now=self.now, fast=fast)
        self.swarm.join(made)
        self.say(made, *said)
        return made

    def say(self, of: Peer, *said: Event) -> None:
        self.swarm.events(of, list(said))

    @property
    def counts(self) -> list[int]:
        return self.content.picker.availability.counts(COUNT)

    def close(self) -> None:
        for each in list(self.swarm.peers.values()):
            self.swarm.ended(each, None)
        self.content.picker.open.clear()
        self.content.downloads._sole.clear()
        self.pool.close()


@pytest.fixture
def make() -> Iterator[Callable[..., Bed]]:
    made: list[Bed] = []

    def make(*have: int, **options: object) -> Bed:
        made.append(Bed(*have, **options))  # type: ignore[arg-type]  # passed on as it came
        return made[-1]

    yield make
    for each in made:
        each.close()


def kinds(of: Peer) -> list[str]:
    return [type(event).__name__ for event in wire(of).messages()]


def of(*pieces: int) -> codec.Bitfield:
    return codec.Bitfield(bitfield.to_wire(some(*pieces), COUNT))


def test_what_we_have_is_said_first(make: Callable[..., Bed]) -> None:
    assert kinds(make().join(1)) == ["HaveNone"]
    assert kinds(make(1, 2).join(1))[:2] == ["Bitfield", "AllowedFast"]
    assert kinds(make(*range(COUNT)).join(1))[:2] == ["HaveAll", "AllowedFast"]
    assert kinds(make().join(1, fast=False)) == []
    assert kinds(make(1).join(1, fast=False)) == ["Bitfield"]
    assert kinds(make(content=False).join(1)) == ["HaveNone"]


def test_interest_follows_what_they_have_and_we_want(make: Callable[..., Bed]) -> None:
    bed = make(0, 1)
    one = bed.join(1, of(0, 1))
    assert not one.am_interested
    bed.say(one, codec.Haves([1, 5]))
    assert one.am_interested and "Interested" in kinds(one)
    bed.say(one, codec.Haves([6]))
    assert "Interested" not in kinds(one), "said once"
    bed.content.picker.set_levels([some(0, 1, 7)])
    bed.swarm.review_interest()
    assert not one.am_interested and "NotInterested" in kinds(one)
    bed.content.picker.set_levels([some(5)])
    bed.swarm.review_interest()
    assert one.am_interested


def test_an_unchoke_brings_requests_and_a_choke_gives_them_up(make: Callable[..., Bed]) -> None:
    bed = make()
    one = bed.join(1, codec.HaveAll())
    wire(one).messages()
    bed.say(one, codec.Unchoke())
    assert "RequestRow" in kinds(one) and one.owed.blocks
    owed = one.owed.blocks
    bed.say(one, codec.Choke())
    assert not one.owed.blocks and one.late == owed


def test_availability_is_the_sum_of_what_peers_have(make: Callable[..., Bed]) -> None:
    bed = make()
    one, two, three = bed.join(1, of(0, 1)), bed.join(2, codec.HaveAll()), bed.join(3, codec.HaveNone())
    bed.say(three, codec.Haves([1, 1, 2]))
    assert bed.counts == [2, 3, 2] + [1] * (COUNT - 3)
    bed.say(one, of(3))  # against the rules, and counted right all the same
    assert bed.counts == [1, 2, 2, 2] + [1] * (COUNT - 4)
    bed.swarm.dont_have(two, 5)
    assert bed.counts[5] == 0 and not two.seed
    bed.say(two, codec.Haves([5]))
    assert two.seed and bed.counts[5] == 1
    for each in (one, two, three):
        bed.swarm.ended(each, None)
    assert bed.counts == [0] * COUNT and bed.left == [1, 2, 3]


@pytest.mark.parametrize("said", [
    codec.Haves([COUNT]), codec.Haves([2**32 - 1]), codec.Bitfield(b"\xff\xff\xff"), codec.Bitfield(b""),
    codec.Requests([(COUNT, 0, BLOCK)]),
])
def test_nonsense_ends_the_connection(make: Callable[..., Bed], said: Event) -> None:
    bed = make()
    with pytest.raises(Exception) as raised:
        bed.join(1, said)
    assert type(raised.value).__name__ in ("RemoteError", "FormatError")


def test_what_is_said_before_the_metadata_is_known_counts_afterwards(make: Callable[..., Bed]) -> None:
    bed = make(content=False)
    one = bed.join(1, of(0, 1), codec.Unchoke(), codec.Haves([2]), codec.Extended(0, b"de"), codec.KeepAlive())
    two = bed.join(2, codec.Haves([COUNT + 5]))
    assert len(bed.told) == 1 and not one.have
    wire(one).messages()
    bed.swarm.start(bed.content)
    assert one.have == some(0, 1, 2) and not one.choked and "RequestRow" in kinds(one)
    assert wire(two).closing
    with pytest.raises(RemoteError):
        make(content=False).join(3, codec.Requests([(0, 0, BLOCK)]))
    with pytest.raises(RemoteError):
        make(content=False).join(4, *[codec.Choke()] * 3000)


def test_seeds_do_not_keep_each_other(make: Callable[..., Bed]) -> None:
    bed = make(*range(COUNT))
    assert wire(bed.join(1, codec.HaveAll())).closing
    assert not wire(bed.join(2, of(1))).closing
    kept = make(*range(COUNT), settings=Settings(peers=PeerSettings(close_redundant=False)))
    assert not wire(kept.join(1, codec.HaveAll())).closing
    partial = bed.join(3, of(1))
    partial.upload_only = True
    bed.swarm.review_interest()
    assert wire(partial).closing


def test_new_pieces_are_told_in_one_write_and_not_to_seeds(make: Callable[..., Bed]) -> None:
    bed = make()
    one, two = bed.join(1, of(4)), bed.join(2, codec.HaveAll())
    wire(one).messages(), wire(two).messages()
    bed.swarm.have(4)
    bed.swarm.have(5)
    assert bed.swarm.news
    bed.swarm.tell()
    assert wire(one).messages() == [codec.Haves([4, 5])] and wire(two).messages() == []
    assert not bed.swarm.news


def test_a_rechoke_serves_who_is_interested(make: Callable[..., Bed]) -> None:
    bed = make(*range(COUNT))
    one, two = bed.join(1, codec.HaveNone(), codec.Interested()), bed.join(2, codec.HaveNone())
    assert "Unchoke" in kinds(one) and "Unchoke" not in kinds(two)
    bed.say(one, codec.Requests([(3, 0, BLOCK)]))
    assert "Blocks" in kinds(one)
    bed.content.uploads.running = False
    bed.swarm.rechoke()
    bed.swarm.choke_round(100.0)
    assert one.am_choking and "Choke" in kinds(one)


def test_a_silent_peer_is_let_go_and_a_quiet_one_is_kept_alive(make: Callable[..., Bed]) -> None:
    bed = make()
    one, two = bed.join(1, codec.HaveNone()), bed.join(2, codec.HaveNone())
    wire(one).messages()
    bed.now = 110.0
    bed.say(one, codec.KeepAlive())
    bed.swarm.tick(bed.now)
    assert kinds(one) == ["KeepAlive"]
    bed.now = 125.0
    bed.swarm.tick(bed.now)
    assert wire(two).closing and not wire(one).closing


def test_a_super_seed_says_little_and_serves_what_it_said(make: Callable[..., Bed]) -> None:
    bed = make(*range(COUNT), content=False)
    bed.swarm.super_seed = SuperSeed(COUNT)
    early = bed.join(1)
    bed.swarm.start(bed.content)
    late = bed.join(2, codec.HaveNone(), codec.Interested())
    told = [event for each in (early, late) for event in wire(each).messages() if isinstance(event, codec.Haves)]
    pieces = [piece for event in told for piece in event.items]
    assert pieces and len(set(pieces)) == len(pieces) < COUNT
    late.am_choking = False
    mine = [p for p in range(COUNT) if bed.swarm.super_seed.allowed(2, p)]
    other = next(p for p in range(COUNT) if p not in mine)
    bed.say(late, codec.Requests([(mine[0], 0, BLOCK), (other, 0, BLOCK)]))
    assert sorted(kinds(late)) == ["Blocks", "Reject"]
    bed.say(early, codec.HaveAll())
    bed.swarm.tick(1.0)
    assert bed.swarm.super_seed is None
    assert any(isinstance(e, codec.Haves) and len(e.items) == COUNT for e in wire(late).messages())


def test_a_swarm_that_stopped_can_begin_again(make: Callable[..., Bed]) -> None:
    bed = make()
    one = bed.join(1, of(1, 2))
    bed.swarm.stop()
    bed.swarm.close_all(RemoteError("checking"))
    bed.content = bed.make(3)
    bed.swarm.start(bed.content)
    assert wire(one).closing
    bed.swarm.ended(one, None)
    assert bed.counts == [0] * COUNT
