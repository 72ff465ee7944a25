"""Who sent the false block: smart ban, and the list of the banned.

A v1 piece that fails its hash does not say which of its blocks is wrong. Blame remembers a digest and the sender of
each block; when the piece passes later, exactly those whose block differed are guilty. A piece that came from one peer
alone is proof at once, and so are the leaves of a v2 tree. Nobody is banned without proof: suspects are put on parole
(whole pieces from them alone), which leads to proof quickly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Generic, TypeVar

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify, parse
from wildbach.base.ids import Endpoint

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Block(Generic[K]):
    """One block as it was received: who sent it, and a digest of its bytes.

    All digests of one torrent are of one kind: SHA-1 of the block, or its SHA-256 leaf where the torrent has v2 hashes
    (which are there already).
    """

    sender: K
    digest: bytes


@dataclass(frozen=True, slots=True)
class Verdict(Generic[K]):
    """What the leaves of a failed piece prove."""

    guilty: tuple[K, ...]
    bad_blocks: tuple[int, ...]
    "Only these need to be fetched again."


class Blame(Generic[K]):
    """Block-level blame for one torrent. `K` names a peer: its endpoint, so that guilt outlives a connection."""

    __slots__ = ("_blocks", "_failed", "_most", "_suspected")

    def __init__(self, most: int = limits.BLAME_BLOCKS) -> None:
        self._most = most
        self._blocks = 0
        self._failed: dict[int, list[Sequence[Block[K]]]] = {}
        self._suspected: Counter[K] = Counter()

    def failed(self, piece: int, blocks: Sequence[Block[K]]) -> list[K]:
        """A piece failed its hash. Returns who is proven guilty: its sender, where all blocks came from one.

        Otherwise the blocks are remembered and their senders are suspects. Oldest pieces are forgotten first.
        """
        senders = list(dict.fromkeys(block.sender for block in blocks))
        if len(senders) == 1:
            return senders
        self._failed.setdefault(piece, []).append(tuple(blocks))
        self._blocks += len(blocks)
        self._suspected.update(senders)
        while self._blocks > self._most and len(self._failed) > 1:
            self.forget(next(iter(self._failed)))
        while self._blocks > self._most and len(self._failed[piece]) > 1:
            self._drop(self._failed[piece].pop(0))
        return []

    def passed(self, piece: int, blocks: Sequence[Block[K]]) -> list[K]:
        """A piece is right: returns those who sent another block in an earlier try of it. The others are cleared.

        Cheap where the piece never failed: ask `remembers` before hashing blocks for this.
        """
        guilty: dict[K, None] = {}
        for attempt in self._failed.get(piece, ()):
            for sent, right in zip(attempt, blocks, strict=True):
                if sent.digest != right.digest:
                    guilty[sent.sender] = None
        self.forget(piece)
        return list(guilty)

    def judge(self, piece: int, leaves: Sequence[bytes]) -> Verdict[K]:
        """Compare all remembered tries of a piece with its verified leaves (v2). Digests must be leaves.

        `bad_blocks` are those of the last try.
        """
        guilty: dict[K, None] = {}
        bad: tuple[int, ...] = ()
        for attempt in self._failed.get(piece, ()):
            bad = tuple(n for n, (sent, leaf) in enumerate(zip(attempt, leaves, strict=True)) if sent.digest != leaf)
            guilty.update(dict.fromkeys(attempt[n].sender for n in bad))
        self.forget(piece)
        return Verdict(tuple(guilty), bad)

    def remembers(self, piece: int) -> bool:
        """True where a try of this piece failed: the blocks of the next one must come with digests."""
        return piece in self._failed

    def suspect(self, key: K) -> bool:
        """Parole hint: this peer had a part in a failed piece that is not cleared up. Give it whole pieces alone, and
        do not let it share a piece with others.
        """
        return key in self._suspected

    def suspects(self) -> list[K]:
        return list(self._suspected)

    def forget(self, piece: int) -> None:
        """Drop what is known of a piece; its senders are no suspects for its sake any more."""
        for attempt in self._failed.pop(piece, ()):
            self._drop(attempt)

    def _drop(self, attempt: Sequence[Block[K]]) -> None:
        self._blocks -= len(attempt)
        for sender in dict.fromkeys(block.sender for block in attempt):
            self._suspected[sender] -= 1
            if not self._suspected[sender]:
                del self._suspected[sender]


@dataclass(frozen=True, slots=True)
class Ban:
    """One entry of the ban list. `until` is in seconds of the session's clock, infinite for ever."""

    who: str
    reason: str
    until: float


def ban_name(endpoint: Endpoint) -> str:
    """What a ban covers: an IPv4 address, the /64 of an IPv6 address, but on this machine only the one endpoint."""
    if classify(endpoint.host) is Reach.LOCAL:
        return str(endpoint)
    address = parse(endpoint.host.partition("%")[0])
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return endpoint.host if address is None else str(address)


BLOCKED: Final = "blocked by the IP filter"


class BanList:
    """Who may not be a peer: the banned, for a time or for ever, with the reasons counted, and those that the IP filter
    `blocks`. Bounded: the oldest ban makes room.
    """

    __slots__ = ("_bans", "_blocks", "_most", "reasons")

    def __init__(
        self, most: int = limits.BANS, *, blocks: Callable[[str], bool] = lambda _host: False,
    ) -> None:
        self._blocks = blocks
        self._bans: dict[str, Ban] = {}
        self._most = most
        self.reasons: Counter[str] = Counter()
        "How many were banned for each reason, ever."

    def ban(self, endpoint: Endpoint, reason: str, now: float, seconds: float = limits.BAN_SECONDS) -> Ban:
        """Ban an endpoint's address; `seconds` may be infinite. A longer ban that stands is not shortened."""
        who = ban_name(endpoint)
        standing = self._bans.pop(who, None)
        until = now + seconds
        if standing is None or standing.until <= now:
            self.reasons[reason] += 1
        elif standing.until > until:
            until = standing.until
        self._bans[who] = Ban(who, reason, until)
        if len(self._bans) > self._most:
            del self._bans[next(iter(self._bans))]
        return self._bans[who]

    def unban(self, who: str) -> bool:
        """Lift a ban by its name (see `Ban.who`) or by a literal address; False where there was none."""
        return self._bans.pop(who, None) is not None or self._bans.pop(ban_name(Endpoint(who, 0)), None) is not None

    def blocked(self, endpoint: Endpoint) -> bool:
        """The IP filter has its address."""
        return self._blocks(endpoint.host)

    def banned(self, endpoint: Endpoint, now: float) -> bool:
        if self._blocks(endpoint.host):
            return True
        if not self._bans:
            return False
        who = ban_name(endpoint)
        ban = self._bans.get(who)
        if ban is None:
            return False
        if ban.until <= now:
            del self._bans[who]
            return False
        return True

    def entries(self, now: float) -> tuple[Ban, ...]:
        """The bans that stand, oldest first."""
        return tuple(ban for ban in self._bans.values() if ban.until > now)
