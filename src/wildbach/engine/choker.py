"""Who is unchoked: decided in rounds of ten seconds, from a list of candidates and nothing else.

While we download, slots go to those who give most (tit for tat); while we seed, by the chosen policy. One slot is
optimistic and moves on every thirty seconds, so that newcomers are tried. Between rounds free slots are filled at once,
and nobody is choked who keeps to the rules. The same candidates in the same order give the same answer.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)

ROUND_SECONDS = 10.0
FIRST_ROUND_SECONDS = 3.0
"The first round of a start is shorter: when it is over, who gives and who takes how much is known."
OPTIMISTIC_SECONDS = 30.0
SNUBBED_SECONDS = 60.0
"A peer that lets our requests wait for so long loses its slot and can only get the optimistic one."
NEWCOMER_SECONDS = 60.0
"So long a new connection counts three times in the optimistic rotation (BEP 3)."
TURN_SECONDS = 60.0
TURN_BYTES = 16 << 20
"In round-robin seeding a turn lasts until both are used up, but"
TURN_SECONDS_MOST = 180.0
"no longer than this, however slow the peer is."
WIDEST = 8
"Slots that are opened for a fast uplink are at most so many times those chosen."


class Standing(IntEnum):
    """What a payment policy says of a peer; higher goes first."""

    OWING = -1
    "Not unchoked at all."
    GUEST = 0
    PAID = 1


class PaymentPolicy(Protocol[K_contra]):
    """The seam for paid slots: asked once for each candidate in each decision, so it must be quick."""

    def standing(self, peer: K_contra, now: float) -> Standing: ...

    def price(self, peer: K_contra) -> int:
        """What who is PAID pays, in any unit: by this and the rate it takes at they are ranked."""
        ...


class FreeForAll:
    """Nobody pays."""

    def standing(self, peer: Hashable, now: float) -> Standing:
        return Standing.GUEST

    def price(self, peer: Hashable) -> int:
        return 0


class SeedPolicy(Enum):
    """Who is served while we seed."""

    FASTEST = "fastest"
    "Those we upload to fastest: most bytes leave."
    ROUND_ROBIN = "round_robin"
    "Everybody in turn, for a minute and 16 MiB: even copies."
    ANTI_LEECH = "anti_leech"
    "Those who just began or are nearly done: the middle is served by the swarm."


@dataclass(frozen=True, slots=True)
class Candidate(Generic[K]):
    """A connected peer as the choker sees it. Rates are payload bytes a second, times seconds of the same clock."""

    peer: K
    interested: bool
    unchoked: bool
    "As we left it."
    rate_in: float = 0.0
    "From the peer to us."
    rate_out: float = 0.0
    connected_at: float = 0.0
    changed_at: float = 0.0
    "When we last choked or unchoked it; its connection time before that."
    sent: int = 0
    "Bytes sent since it was unchoked."
    waiting_since: float | None = None
    "Since when requests of ours wait without any block from it; None where none do."
    progress: float = 0.0
    "Share of the torrent it has, 0 to 1."
    upload_only: bool = False
    "A seed or partial seed: it wants nothing."


@dataclass(frozen=True, slots=True)
class Decision(Generic[K]):
    """What to change, in order. `optimistic` is the peer in the optimistic slot after it."""

    unchoke: tuple[K, ...]
    choke: tuple[K, ...]
    optimistic: K | None = None


class Choker(Generic[K]):
    """The choker of one torrent.

    Call `decide` when `due` says so, and also after a peer became interested, lost interest or left, which fills free
    slots. `slots` may be changed at any time; None means no limit, 0 that nobody is served. With a `slot_rate` in bytes
    a second more of them are opened, for the length of a round, where each would get that much.
    """

    __slots__ = (
        "_next_optimistic", "_next_round", "_optimistic", "_wider", "payment", "seed_policy", "slot_rate", "slots",
    )

    def __init__(
        self, slots: int | None = 8, *, seed_policy: SeedPolicy = SeedPolicy.ROUND_ROBIN,
        payment: PaymentPolicy[K] | None = None, slot_rate: float = 0.0,
    ) -> None:
        self.slots = slots
        self.slot_rate = slot_rate
        self._wider = 0
        self.seed_policy = seed_policy
        self.payment: PaymentPolicy[K] = payment if payment is not None else FreeForAll()
        self._optimistic: K | None = None
        self._next_round = float("-inf")
        self._next_optimistic = float("-inf")

    def due(self, now: float) -> bool:
        """True where a round of ten seconds is over."""
        return now >= self._next_round

    def restart(self) -> None:
        """Make the next decision a whole round: after `slots` or a policy changed, or the download completed."""
        self._next_round = float("-inf")

    def decide(self, candidates: Iterable[Candidate[K]], now: float, *, seeding: bool) -> Decision[K]:
        """Decide a round where one is due, else only fill free slots and choke who must be."""
        everyone = list(candidates)
        standings = [self.payment.standing(c.peer, now) for c in everyone]
        willing = [
            (c, s) for c, s in zip(everyone, standings, strict=True)
            if c.interested and not c.upload_only and s is not Standing.OWING
        ]
        if self.slots is None:
            chosen = [c for c, _ in willing] + _idle(everyone, standings)
            self._optimistic = None
        elif self.due(now):
            self._next_round = now + (ROUND_SECONDS if self._next_round > float("-inf") else FIRST_ROUND_SECONDS)
            if self.slot_rate > 0:
                rate = sum(c.rate_out for c in everyone)
                self._wider = max(self.slots, min(int(rate / self.slot_rate), WIDEST * self.slots)) - self.slots
            chosen = self._round(willing, self.slots + self._wider, now, seeding)
            least = min((c.rate_in for c in chosen), default=float("inf")) if not seeding else float("inf")
            chosen += [c for c in _idle(everyone, standings) if c.rate_in > least and not _snubbed(c, now)]
        else:
            chosen = self._fill(willing, self.slots + self._wider, now, seeding)
            # Interest comes and goes with every piece: a peer that pauses keeps its place until the round is over.
            chosen += [c for c in _idle(everyone, standings) if c.unchoked]
        serve = dict.fromkeys(c.peer for c in chosen)
        if self._optimistic not in serve:
            self._optimistic = None
        return Decision(
            tuple(c.peer for c in everyone if c.peer in serve and not c.unchoked),
            tuple(c.peer for c in everyone if c.peer not in serve and c.unchoked),
            self._optimistic,
        )

    def _round(
        self, willing: Sequence[tuple[Candidate[K], Standing]], slots: int, now: float, seeding: bool
    ) -> list[Candidate[K]]:
        if slots <= 0:
            self._optimistic = None
            return []
        ranked = self._ranked(willing, slots // 2, now, seeding)
        if seeding and self.seed_policy is SeedPolicy.ROUND_ROBIN:
            # The rotation itself tries everybody.
            self._optimistic = None
            return ranked[:slots]
        # Somebody must be tried before anybody gives; a lone slot stays with a peer that does.
        proven = slots == 1 and bool(ranked) and (seeding or ranked[0].rate_in > 0)
        chosen = [c for c in ranked[: slots - 1 + proven] if seeding or not _snubbed(c, now)]
        rest = [c for c in ranked if c not in chosen]
        optimistic = self._rotate(rest, now) if len(chosen) < slots else None
        if optimistic is not None:
            chosen.append(optimistic)
            rest.remove(optimistic)
        # Slots that snubbed peers lost are optimistic too (BEP 3).
        rest.sort(key=lambda c: (not _settling(c, now), -_patience(c, now)))
        return chosen + rest[: slots - len(chosen)]

    def _fill(
        self, willing: Sequence[tuple[Candidate[K], Standing]], slots: int, now: float, seeding: bool
    ) -> list[Candidate[K]]:
        kept = [(c, s) for c, s in willing if c.unchoked]
        most = slots + slots // 2
        if len(kept) > most:
            # Peers that wanted nothing stayed unchoked beyond the slots, and many of them want something again.
            return self._ranked(kept, slots // 2, now, seeding)[:most]
        free = max(0, slots - len(kept))
        waiting = [(c, s) for c, s in willing if not c.unchoked]
        for_sale = slots // 2 - sum(s is Standing.PAID for _, s in kept)
        return [c for c, _ in kept] + self._ranked(waiting, for_sale, now, seeding)[:free]

    def _ranked(
        self, willing: Sequence[tuple[Candidate[K], Standing]], for_sale: int, now: float, seeding: bool
    ) -> list[Candidate[K]]:
        """Best first. Ties go to who has waited longest, then to the order of the candidates.

        Who pays comes first, but only so many slots are for sale: beyond these, payers are guests like all others.
        """
        if not seeding:
            key = _giving_most
        else:
            key = {
                SeedPolicy.FASTEST: _taking_most, SeedPolicy.ROUND_ROBIN: _in_turn, SeedPolicy.ANTI_LEECH: _at_the_ends,
            }[self.seed_policy]
        payers = [c for c, standing in willing if standing is Standing.PAID]
        bought: list[Candidate[K]] = []
        if payers and for_sale > 0:
            payers.sort(key=lambda c: (-self.payment.price(c.peer) * max(c.rate_out, 1.0), *key(c, now)))
            bought = payers[:for_sale]
        firsts = {id(c) for c in bought}
        return bought + sorted((c for c, _ in willing if id(c) not in firsts), key=lambda c: key(c, now))

    def _rotate(self, rest: list[Candidate[K]], now: float) -> Candidate[K] | None:
        """The peer for the optimistic slot: the same for thirty seconds, then who has waited longest."""
        current = next((c for c in rest if c.peer == self._optimistic), None)
        if current is not None and now < self._next_optimistic:
            return current
        others = [c for c in rest if c is not current]
        if not others:
            others = rest
        if not others:
            self._optimistic = None
            return None
        chosen = max(others, key=lambda c: _patience(c, now))
        self._optimistic = chosen.peer
        self._next_optimistic = now + OPTIMISTIC_SECONDS
        return chosen


def _idle(everyone: Sequence[Candidate[K]], standings: Sequence[Standing]) -> list[Candidate[K]]:
    """Peers that want nothing just now. Those that give more than the worst we serve are unchoked all the same (BEP 3):
    they cost nothing, and when they do want something they need not wait for a round.
    """
    return [
        c for c, standing in zip(everyone, standings, strict=True)
        if not c.interested and not c.upload_only and standing is not Standing.OWING
    ]


def _snubbed(candidate: Candidate[K], now: float) -> bool:
    return candidate.waiting_since is not None and now - candidate.waiting_since >= SNUBBED_SECONDS


def _patience(candidate: Candidate[K], now: float) -> float:
    """How long a peer has waited; newcomers count three times. Somebody who is served has not waited."""
    if candidate.unchoked:
        return -1.0
    waited = now - candidate.changed_at
    return 3 * waited + 3 if now - candidate.connected_at < NEWCOMER_SECONDS else waited


def _settling(candidate: Candidate[K], now: float) -> bool:
    """Just unchoked: it gets the time to show what it gives, or equals would take turns every round."""
    return candidate.unchoked and now - candidate.changed_at < OPTIMISTIC_SECONDS


# How candidates are ordered, best first, beneath their standing. Further ties follow the order of the candidates.


def _giving_most(c: Candidate[K], now: float) -> tuple[float, ...]:
    return _snubbed(c, now), -c.rate_in, not _settling(c, now), -_patience(c, now)


def _taking_most(c: Candidate[K], now: float) -> tuple[float, ...]:
    return -c.rate_out, not _settling(c, now), -_patience(c, now)


def _in_turn(c: Candidate[K], now: float) -> tuple[float, ...]:
    if not c.unchoked:
        return 1, c.changed_at
    served = now - c.changed_at
    over = (served >= TURN_SECONDS and c.sent >= TURN_BYTES) or served >= TURN_SECONDS_MOST
    return 2 if over else 0, c.changed_at


def _at_the_ends(c: Candidate[K], now: float) -> tuple[float, ...]:
    return -round(2 * abs(c.progress - 0.5), 1), -c.rate_out, not _settling(c, now), -_patience(c, now)
