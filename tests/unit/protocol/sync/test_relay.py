"""The relay as a machine: who is joined with whom, and what hostile callers cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.sync import relay as protocol
from wildbach.protocol.sync.relay import Caps, End, Relay, Say, Status


def token(number: int) -> bytes:
    return number.to_bytes(32, "big")


def hello(side: int, *days: int) -> bytes:
    return protocol.hello([token(day) for day in days], side)


def ends(orders: list[protocol.Order]) -> set[int]:
    return {order.number for order in orders if isinstance(order, End)}


def said(orders: list[protocol.Order]) -> list[tuple[int, Status]]:
    return [(order.number, order.status) for order in orders if isinstance(order, Say)]


def joined(caps: Caps | None = None) -> Relay:
    relay = Relay(caps)
    for number, side in ((1, 0), (2, 1)):
        relay.opened(number, f"20.0.0.{number}", 0.0)
        relay.received(number, hello(side, 1, 2, 3), 0.0)
    assert relay.partner(1) == 2 and relay.partner(2) == 1
    return relay


def test_two_with_a_token_in_common_are_joined() -> None:
    relay = Relay()
    relay.opened(1, "20.0.0.1", 0.0)
    relay.opened(2, "20.0.0.2", 0.0)
    assert said(relay.received(1, hello(0, 1, 2, 3), 0.0)) == [(1, Status.WAIT)]
    assert said(relay.received(2, hello(1, 3, 4, 5), 0.0)) == [(1, Status.JOINED), (2, Status.JOINED)]
    assert (relay.partner(1), relay.partner(2)) == (2, 1)
    assert (relay.stats().pairs, relay.stats().waiting) == (1, 0)
    assert ends(relay.closed(1)) == {2}
    assert relay.stats() == replace(relay.stats(), connections=0, pairs=0, joined=1)


@pytest.mark.parametrize("other", [hello(0, 1, 2, 3), hello(1, 7, 8, 9)], ids=["the same side", "another token"])
def test_others_are_not(other: bytes) -> None:
    relay = Relay()
    relay.opened(1, "20.0.0.1", 0.0)
    relay.opened(2, "20.0.0.2", 0.0)
    relay.received(1, hello(0, 1, 2, 3), 0.0)
    relay.received(2, other, 0.0)
    assert relay.partner(2) is None and relay.stats().pairs == 0


def test_who_comes_again_takes_the_place_of_its_dead_connection() -> None:
    relay = Relay()
    for number in (1, 2, 3):
        relay.opened(number, "20.0.0.1", 0.0)
    relay.received(1, hello(0, 1, 2, 3), 0.0)
    orders = relay.received(2, hello(0, 2, 3, 4), 1.0)
    assert said(orders) == [(1, Status.REPLACED), (2, Status.WAIT)] and ends(orders) == {1}
    relay.received(3, hello(1, 1, 2, 3), 2.0)
    assert relay.partner(3) == 2


def test_a_third_waits_for_somebody_else() -> None:
    relay = joined()
    relay.opened(3, "20.0.0.3", 1.0)
    assert said(relay.received(3, hello(1, 1, 2, 3), 1.0)) == [(3, Status.WAIT)]
    assert (relay.partner(1), relay.partner(3)) == (2, None)


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\n", b"WBr2", b"WBr1\2", b"\x13BitTorrent protocol", hello(0, 1, 2, 3) + b"x",
    b"WBr1\0" + token(1) * 3,
])
def test_what_is_no_greeting_ends_at_once(data: bytes) -> None:
    relay = Relay()
    relay.opened(1, "20.0.0.1", 0.0)
    assert ends(relay.received(1, data, 0.0)) == {1}
    assert relay.stats().refused == 1 and relay.stats().connections == 0


def test_nothing_is_passed_on_before_somebody_is_there() -> None:
    relay = Relay()
    relay.opened(1, "20.0.0.1", 0.0)
    relay.received(1, hello(0, 1, 2, 3), 0.0)
    assert not relay.may_read(1, 0.0) and relay.passed(1, 5, 0, 0.0) == []
    assert ends(relay.received(1, b"x", 0.0)) == {1}
    assert relay.stats().moved == 0


def test_silence_ends() -> None:
    relay = Relay(Caps(hello_seconds=5, wait_seconds=60, idle_seconds=100))
    relay.opened(1, "20.0.0.1", 0.0)
    assert relay.received(1, hello(0, 1, 2, 3)[:50], 0.0) == []
    relay.opened(2, "20.0.0.2", 0.0)
    relay.received(2, hello(0, 1, 2, 3), 0.0)
    assert relay.tick(4.9) == []
    assert ends(relay.tick(5.0)) == {1}
    assert said(relay.tick(25.0)) == [(2, Status.WAIT)]
    orders = relay.tick(60.0)
    assert said(orders) == [(2, Status.NOBODY)] and ends(orders) == {2}
    assert (relay.stats().refused, relay.stats().nobody, relay.stats().connections) == (1, 1, 0)
    pair = joined(Caps(idle_seconds=100))
    pair.passed(1, 10, 0, 50.0)
    assert pair.tick(149.0) == []
    assert ends(pair.tick(150.0)) == {1, 2}


def test_one_address_has_so_many_connections_and_calls() -> None:
    relay = Relay(Caps(per_address=2, calls_per_minute=4))
    assert [said(relay.opened(n, "20.0.0.1", 0.0)) for n in range(3)] == [[], [], [(2, Status.TOO_MANY)]]
    assert relay.opened(3, "20.0.0.2", 0.0) == []
    relay.closed(0)
    assert relay.opened(4, "20.0.0.1", 1.0) == []
    relay.closed(4)
    assert said(relay.opened(5, "20.0.0.1", 1.0)) == [(5, Status.TOO_MANY)]  # the fifth call of this minute
    assert relay.opened(6, "20.0.0.1", 61.0) == []
    six = Relay(Caps(per_address=1))
    six.opened(1, "2a00:1:2:3::1", 0.0)
    assert said(six.opened(2, "2a00:1:2:3:4::9", 0.0)) == [(2, Status.TOO_MANY)]  # one /64
    assert six.opened(3, "2a00:1:2:4::1", 0.0) == []


def test_silent_connections_give_way_and_others_do_not() -> None:
    relay = Relay(Caps(connections=2))
    relay.opened(1, "20.0.0.1", 0.0)
    relay.opened(2, "20.0.0.2", 0.0)
    relay.received(2, hello(0, 1, 2, 3), 0.0)
    assert ends(relay.opened(3, "20.0.0.3", 0.0)) == {1}
    relay.received(3, hello(1, 1, 2, 3), 0.0)
    assert relay.partner(2) == 3
    assert said(relay.opened(4, "20.0.0.4", 0.0)) == [(4, Status.FULL)]


def test_rates_hold_for_a_pair_and_for_all() -> None:
    relay = joined(Caps(rate=0, pair_rate=1000))
    moved, now = 0, 0.0
    while now < 60.0:
        if relay.may_read(1, now):
            relay.passed(1, 100, 0, now)
            moved += 100
        now += 0.05
    assert 54_000 <= moved <= 61_000
    relay = joined(Caps(rate=1000, pair_rate=0))
    moved, now = 0, 0.0
    while now < 60.0:
        for number in (1, 2):
            if relay.may_read(number, now):
                relay.passed(number, 100, 0, now)
                moved += 100
        now += 0.05
    assert 54_000 <= moved <= 61_000 and relay.stats().moved == moved


def test_a_pair_that_has_sent_enough_has_to_call_again() -> None:
    relay = joined(Caps(pair_bytes=1000))
    assert relay.passed(1, 600, 0, 0.0) == []
    assert ends(relay.passed(2, 400, 0, 0.0)) == {1, 2}
    assert relay.stats().cut == 1


def test_slow_readers_stop_their_partner_and_then_end() -> None:
    relay = joined(Caps(stall_seconds=30, rate=0, pair_rate=0))
    relay.passed(1, 100, limits.RELAY_QUEUED_BYTES + 1, 0.0)
    assert not relay.may_read(1, 0.0) and relay.may_read(2, 0.0)
    relay.left(2, limits.RELAY_QUEUED_BYTES, 20.0)
    assert relay.may_read(1, 20.0)
    relay.passed(2, 5, 0, 49.0)
    assert relay.tick(49.0) == []
    assert ends(relay.tick(50.0)) == {1, 2}


def test_what_waits_for_all_is_bounded() -> None:
    relay = Relay(Caps(rate=0, pair_rate=0))
    each = 4 * limits.RELAY_QUEUED_BYTES
    cut: set[int] = set()
    for pair in range(200):
        for side in (0, 1):
            number = 2 * pair + side
            relay.opened(number, f"20.0.{pair}.1", 0.0)
            relay.received(number, hello(side, 3 * pair, 3 * pair + 1, 3 * pair + 2), 0.0)
        cut |= ends(relay.passed(2 * pair, each, each, 0.0))
        assert relay._queued <= limits.RELAY_QUEUED_ALL
    assert cut


def test_addresses_are_forgotten_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RELAY_ADDRESSES", 3)
    relay = Relay()
    for number in range(5):
        relay.opened(number, f"20.0.0.{number}", 0.0)
        relay.closed(number)
    assert len(relay._networks) == 3
    relay.tick(61.0)
    assert relay._networks == {}


def test_what_a_relay_says_is_read_up_to_the_other_sides_bytes() -> None:
    assert list(protocol.statuses(b"\0\0\1\7\7")) == [Status.WAIT, Status.WAIT, Status.JOINED]
    with pytest.raises(FormatError):
        list(protocol.statuses(b"\0H"))
    for tokens, side in (([token(1)] * 2, 0), ([token(1), token(2), token(3)], 2), ([b"x"] * 3, 0)):
        with pytest.raises(UsageError):
            protocol.hello(tokens, side)
    shown = protocol.Hello(0, (token(1), token(2), token(3)))
    assert "\\x01" not in repr(shown) and protocol.parse_hello(shown.to_bytes()) == shown


@given(st.binary(max_size=120))
def test_any_greeting_is_read_or_refused(data: bytes) -> None:
    for raw in (data, b"WBr1" + data):
        try:
            found = protocol.parse_hello(raw)
        except FormatError:
            continue
        assert found is None or found.to_bytes() == raw[: protocol.HELLO_BYTES]


class Anybody(RuleBasedStateMachine):
    """Whatever many callers do, who is counted is here, and pairs are of two sides with a token in common."""

    @initialize()
    def begin(self) -> None:
        self.relay = Relay(Caps(connections=6, per_address=4, pair_bytes=5000, wait_seconds=50, idle_seconds=40))
        self.now = 0.0
        self.last = 0
        self.open: dict[int, bytes] = {}

    def do(self, orders: list[protocol.Order]) -> None:
        for order in orders:
            if isinstance(order, End):
                assert order.number in self.open
                del self.open[order.number]

    @rule(host=st.integers(1, 3))
    def call(self, host: int) -> None:
        self.last += 1
        self.open[self.last] = b""
        self.do(self.relay.opened(self.last, f"20.0.0.{host}", self.now))

    @rule(which=st.integers(0, 9), side=st.integers(0, 1), day=st.integers(0, 3))
    def greet(self, which: int, side: int, day: int) -> None:
        if self.open:
            number = list(self.open)[which % len(self.open)]
            if self.relay.partner(number) is None:
                greeting = hello(side, day, day + 1, day + 2)
                self.open[number] = greeting
                self.do(self.relay.received(number, greeting, self.now))

    @rule(which=st.integers(0, 9), size=st.integers(1, 3000), queued=st.integers(0, 10_000))
    def say(self, which: int, size: int, queued: int) -> None:
        if self.open:
            number = list(self.open)[which % len(self.open)]
            self.do(self.relay.passed(number, size, queued, self.now))

    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        if self.open:
            number = list(self.open)[which % len(self.open)]
            del self.open[number]
            self.do(self.relay.closed(number))

    @rule(seconds=st.integers(1, 70))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.do(self.relay.tick(self.now))

    @invariant()
    def all_is_counted(self) -> None:
        stats = self.relay.stats()
        assert stats.connections == len(self.open) <= 6
        paired = [number for number in self.open if self.relay.partner(number) is not None]
        assert len(paired) == 2 * stats.pairs and stats.waiting + len(paired) <= stats.connections
        for number in paired:
            partner = self.relay.partner(number)
            assert partner is not None and self.relay.partner(partner) == number
            one, other = protocol.parse_hello(self.open[number]), protocol.parse_hello(self.open[partner])
            assert one is not None and other is not None and {one.side, other.side} == {0, 1}
            assert set(one.tokens) & set(other.tokens)


TestAnybody = Anybody.TestCase
