"""How well a peer serves a torrent of v2 whoever comes: an ordinary download of a few blocks at random places.

The blocks are proven by the hashes of their leaves, asked of the same peer, against the roots in the info dictionary,
so nothing else of the torrent has to be at hand. What a stranger gets is measured from the first request to the last
block, the time in which the peer chokes included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wildbach.base import bitfield, limits
from wildbach.base.errors import FormatError, LimitError, NetworkError, RemoteError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.engine.visiting import Call, Visit
from wildbach.protocol import layers
from wildbach.protocol.ext import hashes
from wildbach.protocol.ext.hashes import HashRequest
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.wire import codec
from wildbach.runtime.rng import Rng

SECONDS: Final = 4.0
"A probe is so long at the agreed rate, half as much more or less."
GRACE_SECONDS: Final = 2.0
"For round trips and disks: it is not held against the peer."
UNCHOKE_SECONDS: Final = 120.0
"So long a stranger waits for a slot."
HASH_SECONDS: Final = 30.0
_IN_FLIGHT: Final = 128
_HASHES_IN_FLIGHT: Final = 1
_REJECTS: Final = 3
"Hash requests that a busy peer may reject; they are asked again."
_SPOTS: Final = 16
_LEAST_SPOTS: Final = 4
_SPOT_BYTES: Final = 16 << 20
"Of pieces that the peer has to hash for a probe."
_SPARE: Final = 1 << 20
"Bytes that may come beside blocks and hashes."


class Why(StrEnum):
    """What came of a probe."""

    PASSED = "passed"
    UNREACHABLE = "unreachable"
    "No connection, or no greeting for this torrent."
    CHOKED = "choked"
    "No slot in time."
    INCOMPLETE = "incomplete"
    "It does not claim a piece, or rejects a request for it."
    ENDED = "ended"
    "It ended the connection, or sent nothing any more."
    BROKE = "broke"
    "It broke a rule of the protocol."
    FALSE = "false"
    "Blocks or hashes that the root disproves."
    NO_HASHES = "no_hashes"
    "It rejects the hash request, or does not answer it."
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Probed:
    """`size`: bytes of blocks that came. `rate`: bytes a second over `seconds`, 0 where nothing came."""

    why: Why
    size: int = 0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.why is Why.PASSED

    @property
    def rate(self) -> int:
        return int(self.size / self.seconds) if self.seconds > 0 else 0


@dataclass(frozen=True, slots=True)
class Spot:
    """Blocks in a row in one file. `first`, `count`: in leaves of its tree; `count` is a power of two, and leaves
    beyond the end of the file have no block. `start`: byte of the torrent at which the file begins.
    """

    root: bytes
    length: int
    start: int
    first: int
    count: int

    def blocks(self, piece_length: int) -> Iterator[tuple[int, int, int]]:
        """Piece, offset in it, and length of each."""
        for leaf in range(self.first, min(self.first + self.count, layers.level_count(self.length, 0))):
            piece, offset = divmod(self.start + leaf * BLOCK, piece_length)
            yield piece, offset, min(BLOCK, self.length - leaf * BLOCK)

    @property
    def request(self) -> HashRequest | None:
        """For its leaves and what proves them; None where the file is a block, and its root the leaf."""
        if layers.height_of(self.length) == 0:
            return None
        return HashRequest(self.root, 0, self.first, self.count, layers.full_proof(self.length, 0))


def plan(info: Info, rate: int, rng: Rng) -> list[Spot]:
    """Where a probe looks, for an agreed `rate` in bytes a second: each block of the torrent is as likely as another.
    Raises FormatError where it is not of v2.
    """
    if not info.has_v2:
        raise FormatError("is no torrent of v2, whose blocks could be proven one by one", where="info")
    size = min(limits.PROBE_BYTES, int(rate * SECONDS * rng.uniform(0.5, 1.5)))
    spots = max(_LEAST_SPOTS, min(_SPOTS, _SPOT_BYTES // info.piece_length))
    row = 1 << max(1, -(-size // (spots * BLOCK)) - 1).bit_length()
    files = [(number, file) for number, file in enumerate(info.files) if file.root is not None and file.length]
    weights = [layers.level_count(file.length, 0) for _, file in files]
    found: dict[tuple[bytes, int], Spot] = {}
    for number, file in rng.choices(files, weights, k=spots):
        count = min(row, 1 << layers.height_of(file.length), limits.HASHES_PER_REQUEST)
        first = rng.randrange(layers.level_count(file.length, 0)) // count * count
        start = info.geometry.files[number].offset
        found[file.root or b"", first] = Spot(file.root or b"", file.length, start, first, count)
    return list(found.values())


async def probe(
    call: Call, endpoint: Endpoint, info: Info, rate: int, rng: Rng, clock: Callable[[], float], *,
    anonymous: bool = False,
) -> Probed:
    """One probe of whoever listens there, who is to serve `rate` bytes a second. `clock`: seconds of the loop. Ends in
    bounded time, and raises nothing but FormatError for a torrent that is not of v2.
    """
    spots = plan(info, rate, rng)
    blocks = [block for spot in spots for block in spot.blocks(info.piece_length)]
    most = 2 * sum(size for _, _, size in blocks) + _SPARE + info.geometry.piece_count
    visit = Visit(
        call, endpoint, info.hashes.swarms[-1], rng, pieces=info.geometry.piece_count, most=most, anonymous=anonymous)
    look = _Look(visit, info, spots, blocks, rate, clock)
    try:
        async with visit:
            return await look.run()
    except (NetworkError, TimeoutError):
        return look.ended(Why.ENDED if look.begun else Why.UNREACHABLE)
    except (FormatError, LimitError):
        return look.ended(Why.BROKE)
    except RemoteError:
        return look.ended(Why.BROKE if look.begun else Why.UNREACHABLE)


@dataclass(slots=True)
class _Look:
    visit: Visit
    info: Info
    spots: Sequence[Spot]
    blocks: list[tuple[int, int, int]]
    rate: int
    clock: Callable[[], float]
    begun: bool = False
    first_at: float = 0.0
    last_at: float = 0.0
    size: int = 0
    claimed: int = 0
    "The set of pieces it says it has."
    unchoked: bool = False
    asked: dict[tuple[int, int, int], None] = field(default_factory=dict)
    came: dict[tuple[int, int], bytes] = field(default_factory=dict)
    "The leaf of each block."
    hashing: dict[HashRequest, Spot] = field(default_factory=dict)
    rejects: int = 0

    @property
    def pieces(self) -> int:
        return self.info.geometry.piece_count

    @property
    def width(self) -> int:
        return bitfield.width_of(self.pieces)

    def ended(self, why: Why) -> Probed:
        return Probed(why, self.size, max(0.0, self.last_at - self.first_at))

    async def run(self) -> Probed:
        self.begun = True
        self.visit.send(codec.plain(codec.INTERESTED))
        todo = list(reversed(self.blocks))
        proofs = list(reversed([spot for spot in self.spots if spot.request is not None]))
        wanted = len(self.blocks)
        try:
            async with asyncio.timeout(UNCHOKE_SECONDS):
                while not self.unchoked:
                    self._take(await self.visit.next())
        except TimeoutError:
            return self.ended(Why.CHOKED)
        if any(not bitfield.has(self.claimed, piece, self.width) for piece, _, _ in self.blocks):
            return self.ended(Why.INCOMPLETE)
        self.first_at = self.last_at = self.clock()
        allowed = sum(size for _, _, size in self.blocks) / self.rate + GRACE_SECONDS
        try:
            async with asyncio.timeout(2 * allowed):
                while len(self.came) < wanted:
                    self._ask(todo)
                    self._prove(proofs)
                    why = self._take(await self.visit.next(), todo, proofs)
                    if why is not None:
                        return self.ended(why)
        except TimeoutError:
            self.last_at = self.clock()
            return self.ended(Why.SLOW if self.came else Why.ENDED)
        seconds = self.last_at - self.first_at
        try:
            async with asyncio.timeout(HASH_SECONDS):
                while proofs or self.hashing:
                    self._prove(proofs)
                    why = self._take(await self.visit.next(), [], proofs)
                    if why is not None:
                        return self.ended(why)
        except TimeoutError:
            return self.ended(Why.NO_HASHES)
        for spot in self.spots:
            if spot.request is None and self._leaves(spot) != spot.root:
                return self.ended(Why.FALSE)
        return self.ended(Why.PASSED if seconds <= allowed else Why.SLOW)

    def _ask(self, todo: list[tuple[int, int, int]]) -> None:
        if not self.unchoked:
            return
        depth = min(_IN_FLIGHT, self.visit.says.reqq if self.visit.says is not None else _IN_FLIGHT)
        out = []
        while todo and len(self.asked) < depth:
            block = todo.pop()
            self.asked[block] = None
            out.append(codec.request(*block))
        if out:
            self.visit.send(b"".join(out))

    def _prove(self, proofs: list[Spot]) -> None:
        """Ask for the leaves of what has come."""
        while proofs and len(self.hashing) < _HASHES_IN_FLIGHT and self._whole(proofs[-1]):
            spot = proofs.pop()
            request = spot.request
            if request is not None:
                self.hashing[request] = spot
                self.visit.send(codec.hash_message(hashes.HASH_REQUEST, hashes.encode_request(request)))

    def _whole(self, spot: Spot) -> bool:
        return all((piece, at) in self.came for piece, at, _ in spot.blocks(self.info.piece_length))

    def _leaves(self, spot: Spot) -> bytes:
        return b"".join([self.came[piece, at] for piece, at, _ in spot.blocks(self.info.piece_length)])

    def _take(
        self, event: codec.Event, todo: list[tuple[int, int, int]] | None = None, proofs: list[Spot] | None = None,
    ) -> Why | None:
        """What the probe has come to; None where it goes on. Raises RemoteError."""
        match event:
            case codec.Unchoke():
                self.unchoked = True
            case codec.Choke():
                self.unchoked = False
                if not self.visit.fast and todo is not None:
                    todo.extend(reversed(list(self.asked)))
                    self.asked.clear()
            case codec.HaveAll():
                self.claimed = bitfield.full(self.pieces)
            case codec.Bitfield():
                self.claimed = bitfield.from_wire(event.raw, self.pieces)
            case codec.Haves():
                for piece in event.items:
                    if piece >= self.pieces:
                        raise RemoteError("has a piece that there is not")
                    self.claimed |= bitfield.bit(piece, self.width)
            case codec.Blocks():
                return self._blocks(event)
            case codec.Reject():
                block = (event.piece, event.offset, event.length)
                if self.asked.pop(block, 0) == 0 or todo is None:
                    return None
                if self.unchoked:
                    return Why.INCOMPLETE
                todo.append(block)
            case codec.HashMessage():
                return self._proof(event, proofs)
            case _:
                pass
        return None

    def _blocks(self, event: codec.Blocks) -> Why | None:
        for piece, offset, data in event.items:
            if self.asked.pop((piece, offset, len(data)), 0) == 0:
                raise RemoteError("sends what nobody asked for")
            self.came[piece, offset] = layers.leaf_hashes(data)
            self.size += len(data)
        self.last_at = self.clock()
        return None

    def _proof(self, event: codec.HashMessage, proofs: list[Spot] | None) -> Why | None:
        if event.id == hashes.HASH_REJECT:
            rejected = self.hashing.pop(hashes.decode_request(event.payload), None)
            if rejected is None or proofs is None:
                return None
            self.rejects += 1
            proofs.insert(0, rejected)
            return Why.NO_HASHES if self.rejects > _REJECTS else None
        if event.id != hashes.HASHES:
            return None
        answer = hashes.decode_hashes(event.payload)
        spot = self.hashing.pop(answer.request, None)
        if spot is None:
            return None
        one = answer.request
        try:
            leaves = layers.check_hashes(
                spot.root, spot.length, one.base, one.index, one.length, one.proofs, answer.hashes)
        except FormatError:
            return Why.FALSE
        ours = self._leaves(spot)
        return None if leaves[: len(ours)] == ours else Why.FALSE

