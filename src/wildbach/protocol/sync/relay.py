"""A relay: joins two connections that came in and show the same token, and passes on bytes that it cannot read.

It never calls anybody, so it is no proxy. Who comes shows a token for each of three days and which side it is; one
token in common joins it with somebody of the other side. Everything is counted and bounded: connections, those of one
address, how long somebody waits, bytes a second and in all. No sockets here: what happened goes in, orders come out.

    they send    "WBr1", side (0 or 1), three tokens of 32 bytes
    we send      one byte each: WAIT now and then while nobody is there, then JOINED and the bytes of the other side;
                 or a reason, and the end
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import network_of
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.rate import TokenBucket
from wildbach.protocol.sync.tags import TOKEN_BYTES

MAGIC: Final = b"WBr1"
TOKENS: Final = 3
HELLO_BYTES: Final = len(MAGIC) + 1 + TOKENS * TOKEN_BYTES
WAIT_SECONDS: Final = 20.0
"Between two bytes to who waits: routers on the way keep a quiet connection for half a minute at least."
_MINUTE: Final = 60.0


class Status(IntEnum):
    """One byte to who came."""

    WAIT = 0
    "Nobody is there yet."
    JOINED = 1
    "What follows comes from the other side."
    FULL = 2
    "There is no room; again later."
    TOO_MANY = 3
    "This address has too many connections, or calls too often."
    NOBODY = 4
    "The other side did not come in time."
    REPLACED = 5
    "Somebody else waits with the same tokens on the same side now."


@dataclass(frozen=True, slots=True)
class Hello:
    """What somebody shows. Tokens stay out of texts."""

    side: int
    tokens: tuple[bytes, ...] = field(repr=False)

    def to_bytes(self) -> bytes:
        """Raises UsageError for another number of tokens than three, or another side than 0 and 1."""
        if self.side not in (0, 1) or len(self.tokens) != TOKENS or any(len(t) != TOKEN_BYTES for t in self.tokens):
            raise UsageError("a relay is shown three tokens of 32 bytes, and side 0 or 1")
        return MAGIC + bytes([self.side]) + b"".join(self.tokens)


def parse_hello(data: bytes | memoryview) -> Hello | None:
    """The greeting at the beginning of `data`; None where it is not whole yet. Raises FormatError."""
    raw = bytes(data[:HELLO_BYTES])
    if raw[: len(MAGIC)] != MAGIC[: len(raw)]:
        raise FormatError("is no greeting", where="relay")
    if len(raw) > len(MAGIC) and raw[len(MAGIC)] > 1:
        raise FormatError("is of no side", where="relay")
    if len(raw) < HELLO_BYTES:
        return None
    start = len(MAGIC) + 1
    tokens = tuple(raw[at : at + TOKEN_BYTES] for at in range(start, HELLO_BYTES, TOKEN_BYTES))
    if len({*tokens}) != TOKENS:
        raise FormatError("shows a token twice", where="relay")
    return Hello(raw[len(MAGIC)], tokens)


@dataclass(frozen=True, slots=True)
class Caps:
    """What a relay gives. Rates are bytes a second; 0 is no limit for rates and `pair_bytes`."""

    connections: int = limits.RELAY_CONNECTIONS
    per_address: int = limits.RELAY_PER_ADDRESS
    calls_per_minute: int = limits.RELAY_CALLS_PER_MINUTE
    rate: int = limits.RELAY_RATE
    pair_rate: int = limits.RELAY_PAIR_RATE
    pair_bytes: int = limits.RELAY_PAIR_BYTES
    hello_seconds: float = limits.RELAY_HELLO_SECONDS
    wait_seconds: float = limits.RELAY_WAIT_SECONDS
    idle_seconds: float = limits.RELAY_IDLE_SECONDS
    stall_seconds: float = limits.RELAY_STALL_SECONDS


@dataclass(frozen=True, slots=True)
class Say:
    """Send one byte to a connection."""

    number: int
    status: Status


@dataclass(frozen=True, slots=True)
class End:
    """Close a connection."""

    number: int
    reason: str


Order = Say | End


@dataclass(frozen=True, slots=True)
class RelayStats:
    """What a relay holds and has done since it started."""

    connections: int = 0
    waiting: int = 0
    pairs: int = 0
    joined: int = 0
    "Pairs since the start."
    moved: int = 0
    "Bytes that were passed on."
    refused: int = 0
    "Connections that were no greeting, or did not come to one in time."
    turned_away: int = 0
    "Connections there was no room for, or too many of one address."
    nobody: int = 0
    "Connections that waited in vain."
    cut: int = 0
    "Pairs that were ended for being idle, stalled, or above what one may send."


class _Pair:
    __slots__ = ("bucket", "left", "moved_at", "one", "other")

    def __init__(self, one: int, other: int, caps: Caps, now: float) -> None:
        self.one = one
        self.other = other
        self.bucket = TokenBucket(caps.pair_rate)
        self.bucket.refill(now - 1.0)
        self.bucket.refill(now)
        self.left = caps.pair_bytes
        self.moved_at = now


class _Guest:
    """One connection."""

    __slots__ = ("hello", "network", "pair", "queued", "since", "stalled_at", "told_at")

    def __init__(self, network: str, now: float) -> None:
        self.network = network
        self.since = now
        self.told_at = now
        self.hello: Hello | None = None
        self.pair: _Pair | None = None
        self.queued = 0
        "Bytes that wait to leave to it."
        self.stalled_at = now
        "Since when nothing of that has left."


class Relay:
    """Who is here, who waits for whom, who is joined. Connections are numbers that the caller gives."""

    def __init__(self, caps: Caps | None = None) -> None:
        self.caps = caps if caps is not None else Caps()
        self._guests: dict[int, _Guest] = {}
        self._strangers: OrderedDict[int, None] = OrderedDict()
        "Those that have shown nothing so far, the oldest first."
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._by_token: dict[tuple[int, bytes], int] = {}
        "Who waits, by side and token."
        self._pairs: dict[int, _Pair] = {}
        "By the number of its first connection."
        self._networks: dict[str, tuple[float, int, int]] = {}
        "By address: when its minute began, calls in it, connections."
        self._bucket = TokenBucket(self.caps.rate)
        self._queued = 0
        self._joined = self._moved = self._refused = self._turned_away = self._nobody = self._cut = 0

    def stats(self) -> RelayStats:
        return RelayStats(
            len(self._guests), len(self._waiting), len(self._pairs), self._joined, self._moved, self._refused,
            self._turned_away, self._nobody, self._cut,
        )

    # -- coming and going

    def opened(self, number: int, host: str, now: float) -> list[Order]:
        """Somebody called. Who is turned away is told why, and closed; its number is not known afterwards."""
        network = network_of(host)
        began, calls, open_ = self._networks.get(network, (now, 0, 0))
        if now - began >= _MINUTE:
            began, calls = now, 0
        if network not in self._networks and len(self._networks) >= limits.RELAY_ADDRESSES:
            self._turned_away += 1
            return [Say(number, Status.FULL), End(number, "too many addresses")]
        caps = self.caps
        status = None
        if calls >= caps.calls_per_minute or open_ >= caps.per_address:
            status = Status.TOO_MANY
        elif len(self._guests) >= caps.connections and not self._strangers:
            status = Status.FULL
        self._networks[network] = (began, calls + 1, open_ + (status is None))
        if status is not None:
            self._turned_away += 1
            return [Say(number, status), End(number, f"turned away: {status.name.lower()}")]
        orders: list[Order] = []
        if len(self._guests) >= caps.connections:
            # Who has shown nothing gives way, so that a flood of silent connections shuts nobody out.
            orders = self._refuse(next(iter(self._strangers)), "its place was needed")
        self._guests[number] = _Guest(network, now)
        self._strangers[number] = None
        return orders

    def received(self, number: int, data: bytes | memoryview, now: float) -> list[Order]:
        """Bytes of a connection that is not joined, all that came of it so far. More than a greeting is a fault: who
        greets waits for the answer.
        """
        guest = self._guests.get(number)
        if guest is None or guest.pair is not None:
            return []
        try:
            if guest.hello is not None or len(data) > HELLO_BYTES:
                raise FormatError("speaks before the other side is there", where="relay")
            hello = parse_hello(data)
        except FormatError as error:
            return self._refuse(number, error.message)
        if hello is None:
            return []
        guest.hello = hello
        self._strangers.pop(number, None)
        other = next(
            (found for token in hello.tokens if (found := self._by_token.get((1 - hello.side, token))) is not None),
            None)
        if other is not None:
            return self._join(other, number, now)
        orders: list[Order] = []
        for token in hello.tokens:
            before = self._by_token.get((hello.side, token))
            if before is not None:
                # The same device, whose first connection is dead as far as it knows.
                orders += [Say(before, Status.REPLACED), *self._end(before, "replaced")]
        for token in hello.tokens:
            self._by_token[hello.side, token] = number
        self._waiting[number] = None
        guest.since = guest.told_at = now
        return [*orders, Say(number, Status.WAIT)]

    def closed(self, number: int) -> list[Order]:
        """A connection ended: so does the one it is joined with."""
        guest = self._guests.get(number)
        if guest is None:
            return []
        if guest.hello is None:
            self._refused += 1
        partner = self._forget(number)
        return [End(partner, "the other side is gone")] if partner is not None else []

    def tick(self, now: float) -> list[Order]:
        """Once a second or so: what takes too long ends, who waits hears of us."""
        caps = self.caps
        orders: list[Order] = []
        while self._strangers:
            number = next(iter(self._strangers))
            if now - self._guests[number].since < caps.hello_seconds:
                break
            orders += self._refuse(number, "no greeting in time")
        for number in list(self._waiting):
            guest = self._guests[number]
            if now - guest.since >= caps.wait_seconds:
                self._nobody += 1
                orders += [Say(number, Status.NOBODY), *self._end(number, "nobody came")]
            elif now - guest.told_at >= WAIT_SECONDS:
                guest.told_at = now
                orders.append(Say(number, Status.WAIT))
        for pair in list(self._pairs.values()):
            one, other = self._guests[pair.one], self._guests[pair.other]
            stalled = any(g.queued and now - g.stalled_at >= caps.stall_seconds for g in (one, other))
            if stalled or now - pair.moved_at >= caps.idle_seconds:
                orders += self._cut_pair(pair, "stalled" if stalled else "idle")
        self._forget_networks(now)
        return orders

    # -- passing on

    def partner(self, number: int) -> int | None:
        """Whom it is joined with."""
        guest = self._guests.get(number)
        if guest is None or guest.pair is None:
            return None
        return guest.pair.other if guest.pair.one == number else guest.pair.one

    def passed(self, number: int, size: int, queued: int, now: float) -> list[Order]:
        """So many bytes of a connection were given to its partner, for whom `queued` now wait."""
        pair, partner = self._pair_of(number)
        if pair is None:
            return []
        self._moved += size
        pair.moved_at = now
        self._bucket.take(size)
        pair.bucket.take(size)
        guest = self._guests[partner]
        if not guest.queued:
            guest.stalled_at = now
        orders = self._count(guest, queued)
        if self.caps.pair_bytes:
            pair.left -= size
            if pair.left <= 0 and pair.one in self._pairs:
                orders += self._cut_pair(pair, "it has sent what one pair may")
        return orders

    def left(self, number: int, queued: int, now: float) -> None:
        """Of what waited for a connection some has left; `queued` still wait."""
        guest = self._guests.get(number)
        if guest is None:
            return
        if queued < guest.queued:
            guest.stalled_at = now
        self._queued += queued - guest.queued
        guest.queued = queued

    def may_read(self, number: int, now: float) -> bool:
        """Whether more may be read of a connection now: its partner takes what it gets, and the rates allow it."""
        pair, partner = self._pair_of(number)
        if pair is None or self._guests[partner].queued > limits.RELAY_QUEUED_BYTES:
            return False
        self._bucket.refill(now)
        pair.bucket.refill(now)
        return self._bucket.open and pair.bucket.open

    # -- inside

    def _pair_of(self, number: int) -> tuple[_Pair | None, int]:
        guest = self._guests.get(number)
        if guest is None or guest.pair is None:
            return None, 0
        pair = guest.pair
        return pair, pair.other if pair.one == number else pair.one

    def _count(self, guest: _Guest, queued: int) -> list[Order]:
        self._queued += queued - guest.queued
        guest.queued = queued
        if self._queued <= limits.RELAY_QUEUED_ALL:
            return []
        most = max(self._pairs.values(), key=lambda p: self._guests[p.one].queued + self._guests[p.other].queued)
        return self._cut_pair(most, "too much waits for it")

    def _join(self, one: int, other: int, now: float) -> list[Order]:
        pair = _Pair(one, other, self.caps, now)
        self._leave_queue(one)
        self._guests[one].pair = self._guests[other].pair = pair
        self._pairs[one] = pair
        self._joined += 1
        return [Say(one, Status.JOINED), Say(other, Status.JOINED)]

    def _leave_queue(self, number: int) -> None:
        self._waiting.pop(number, None)
        hello = self._guests[number].hello
        if hello is None:
            return
        for token in hello.tokens:
            if self._by_token.get((hello.side, token)) == number:
                del self._by_token[hello.side, token]

    def _refuse(self, number: int, reason: str) -> list[Order]:
        self._refused += 1
        return self._end(number, reason)

    def _end(self, number: int, reason: str) -> list[Order]:
        self._forget(number)
        return [End(number, reason)]

    def _cut_pair(self, pair: _Pair, reason: str) -> list[Order]:
        self._cut += 1
        self._forget(pair.one)
        return [End(pair.one, reason), End(pair.other, reason)]

    def _forget(self, number: int) -> int | None:
        """Both sides of a pair are forgotten. Returns the other one, if there is one."""
        partner = self.partner(number)
        for each in (number, partner):
            if each is None:
                continue
            self._leave_queue(each)
            guest = self._guests.pop(each)
            self._queued -= guest.queued
            self._strangers.pop(each, None)
            self._pairs.pop(each, None)
            began, calls, open_ = self._networks[guest.network]
            self._networks[guest.network] = (began, calls, open_ - 1)
        return partner

    def _forget_networks(self, now: float) -> None:
        gone = [name for name, (began, _, open_) in self._networks.items() if not open_ and now - began >= _MINUTE]
        for name in gone:
            del self._networks[name]


def statuses(data: bytes | memoryview) -> Iterator[Status]:
    """What a relay says, byte by byte, up to JOINED. Raises FormatError for what it does not say."""
    for value in bytes(data):
        try:
            status = Status(value)
        except ValueError:
            raise FormatError("says what no relay says", where="relay") from None
        yield status
        if status is Status.JOINED:
            return


def hello(tokens: Sequence[bytes], side: int) -> bytes:
    """What to send to a relay first. Raises UsageError."""
    return Hello(side, tuple(tokens)).to_bytes()
