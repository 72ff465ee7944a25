"""Frames, credit and turns: two ends with each other, and one end with a hostile other."""

from __future__ import annotations

from random import Random
from struct import pack

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import LimitError, RemoteError, UsageError
from wildbach.protocol import mux as wire
from wildbach.protocol.mux import Accepted, Closed, Data, Event, Messages, Mux, MuxError, Opened, Refused

BATCH = 64 << 10


def frame(number: int, kind: int, payload: bytes = b"") -> bytes:
    return pack(">II", number, kind << 24 | len(payload)) + payload


class End:
    """One side, and what has happened there. It reads at once unless told not to."""

    def __init__(self, initiator: bool, *, reads: bool = True) -> None:
        self.mux = Mux(initiator)
        self.reads = reads
        self.got: dict[int, bytearray] = {}
        self.events: list[Event] = []
        self.left = b""
        self.drained: list[int] = []

    def take(self, most: int = BATCH) -> bytes:
        batch = self.mux.take(most)
        for call in batch.free:
            call()
        self.drained += batch.drained
        return batch.data

    def receive(self, data: bytes) -> None:
        self.left += data
        view = memoryview(self.left)
        events, used = self.mux.received(view)
        for event in events:
            if isinstance(event, Data):
                size = 0
                for part in event.parts:
                    self.got.setdefault(event.channel, bytearray()).extend(part)
                    size += len(part)
                if self.reads:
                    self.mux.consumed(event.channel, size)
            else:
                self.events.append(event)
                if isinstance(event, Opened):
                    self.mux.accept(event.channel)
        self.left = self.left[used:]


def pair() -> tuple[End, End]:
    return End(True), End(False)


def run(one: End, other: End, step: int = 1 << 20, most: int = BATCH) -> None:
    """Until nobody says anything more."""
    said = True
    while said:
        said = False
        for sender, receiver in ((one, other), (other, one)):
            data = sender.take(most)
            said = said or bool(data)
            for at in range(0, len(data), step):
                receiver.receive(data[at : at + step])


def test_a_channel_is_opened_accepted_used_and_closed() -> None:
    one, other = pair()
    number = one.mux.open(b"what for")
    one.mux.send(number, b"at once")
    assert one.take() == frame(1, wire.OPEN, pack(">I", limits.MUX_WINDOW_BYTES) + b"what for")
    other.receive(frame(1, wire.OPEN, pack(">I", 1 << 20) + b"what for"))
    assert other.events == [Opened(1, b"what for")]
    run(one, other)
    assert one.events == [Accepted(1)]
    assert other.got == {1: b"at once"}
    other.mux.send(number, b"back")
    run(one, other)
    assert one.got == {1: b"back"}
    assert one.mux.close(number) == []
    run(one, other)
    assert other.events[-1] == Closed(1)
    assert other.mux.channels == 1 and other.mux.forget(1) == [] and other.mux.channels == 0
    assert one.take() == other.take() == b""


def test_each_side_has_its_own_numbers() -> None:
    one, other = pair()
    assert [one.mux.open() for _ in range(3)] == [1, 3, 5]
    assert [other.mux.open() for _ in range(3)] == [2, 4, 6]
    run(one, other)
    assert one.mux.channels == other.mux.channels == 6


def test_a_channel_that_is_refused_is_gone_on_both_sides() -> None:
    one, other = pair()
    number = one.mux.open()
    freed: list[int] = []
    one.mux.send(number, b"for nothing", lambda: freed.append(1))
    events, _ = other.mux.received(memoryview(one.take()))
    assert events == [Opened(1, b"")]
    other.mux.refuse(1)
    assert other.mux.channels == 0
    one.receive(other.take())
    assert one.events == [Refused(1)]
    for call in one.mux.forget(1):
        call()
    assert freed == [1] and one.mux.channels == 0
    with pytest.raises(UsageError):
        other.mux.refuse(1)
    with pytest.raises(UsageError):
        one.mux.send(1, b"x")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 150_000)), min_size=1, max_size=12), st.integers(1, 90_000),
       st.integers(1000, 200_000))
@examples(max_examples=30)
def test_streams_arrive_whole_however_the_bytes_are_parted(
    sends: list[tuple[int, int]], step: int, most: int,
) -> None:
    one, other = pair()
    numbers = [one.mux.open() for _ in range(4)]
    run(one, other)
    expected: dict[int, bytes] = {}
    freed: list[int] = []
    for at, (which, size) in enumerate(sends):
        data = Random(at).randbytes(size)
        expected[numbers[which]] = expected.get(numbers[which], b"") + data
        one.mux.send(numbers[which], data, lambda at=at: freed.append(at))  # type: ignore[misc]  # bound early
    run(one, other, step, most)
    assert {number: bytes(data) for number, data in other.got.items()} == {
        number: data for number, data in expected.items() if data}
    assert sorted(freed) == list(range(len(sends)))
    assert all(one.mux.queued(number) == 0 for number in numbers)


def test_messages_come_whole() -> None:
    one, other = pair()
    sent = [bytes([number % 256]) * size for number, size in enumerate((1, 70_000, limits.MUX_MESSAGE_BYTES, 5) * 4)]
    for payload in sent:
        one.mux.message(payload)
    reader = Messages()
    got = []
    while data := one.take():
        other.got.clear()
        other.receive(data)
        reader.put(bytes(other.got.get(0, b"")))
        while (whole := reader.next()) is not None:
            got.append(whole)
        one.receive(other.take())
    assert got == sent
    for wrong in (b"", bytes(limits.MUX_MESSAGE_BYTES + 1)):
        with pytest.raises(UsageError):
            one.mux.message(wrong)
    for length in (0, limits.MUX_MESSAGE_BYTES + 1):
        reader.put(pack(">I", length))
        with pytest.raises(MuxError):
            reader.next()
        reader = Messages()


def test_nobody_sends_more_than_its_credit() -> None:
    one, other = End(True), End(False, reads=False)
    number = one.mux.open()
    run(one, other)
    one.mux.send(number, bytes(20 << 20))
    run(one, other)
    assert len(other.got[number]) == limits.MUX_WINDOW_BYTES
    assert one.mux.queued(number) == (20 << 20) - limits.MUX_WINDOW_BYTES
    second = one.mux.open()
    one.mux.send(second, b"not held up")
    run(one, other)
    assert other.got[second] == b"not held up"
    other.reads = True
    other.mux.consumed(number, len(other.got[number]))
    run(one, other)
    assert len(other.got[number]) == 20 << 20


def test_a_window_grows_where_the_reader_keeps_up() -> None:
    one, other = pair()
    number = one.mux.open()
    run(one, other)
    one.mux.send(number, bytes(200 << 20))
    biggest = 0
    for _ in range(40):
        # As over a long way: all that may be sent is sent before anything comes back.
        said = b""
        while data := one.take(1 << 20):
            said += data
        biggest = max(biggest, len(said))
        other.receive(said)
        one.receive(other.take())
    assert biggest > 0.9 * limits.MUX_WINDOW_MOST_BYTES
    assert len(other.got[number]) == 200 << 20


def test_all_windows_together_are_bounded() -> None:
    one, other = pair()
    for _ in range(limits.MUX_CHANNELS):
        one.mux.open()
    run(one, other)
    assert other.mux._buffered <= limits.MUX_BUFFERED_BYTES + limits.MUX_CHANNELS * limits.MUX_WINDOW_LEAST_BYTES
    with pytest.raises(LimitError):
        one.mux.open()
    one.mux.close(1)
    assert one.mux.open() == 2 * limits.MUX_CHANNELS + 1
    run(one, other)
    with pytest.raises(LimitError):
        one.mux.open(bytes(limits.MUX_REQUEST_BYTES + 1))


def test_a_message_waits_for_one_slice_at_most_however_much_is_queued() -> None:
    one, other = pair()
    numbers = [one.mux.open() for _ in range(5)]
    run(one, other)
    for number in numbers:
        one.mux.send(number, bytes(1 << 20))
    one.take(BATCH)
    one.mux.message(b"urgent")
    data = one.take(1)
    assert data.startswith(frame(0, wire.DATA, pack(">I", 6) + b"urgent"))


def test_channels_take_turns() -> None:
    one, other = pair()
    numbers = [one.mux.open() for _ in range(5)]
    run(one, other)
    for number in numbers:
        one.mux.send(number, bytes(300_000))
    one.mux.message(bytes(300_000))
    order = []
    data = one.take(1 << 20)
    at = 0
    while at < len(data):
        number, size = int.from_bytes(data[at : at + 4], "big"), int.from_bytes(data[at + 5 : at + 8], "big")
        assert size <= limits.MUX_SLICE_BYTES
        order.append(number)
        at += 8 + size
    streams = [number for number in order if number]
    assert streams[:20] == numbers * 4
    # Between two slices of streams one of the control channel goes, as long as there is something in it.
    assert order[:12] == [0, 1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 1]


def test_a_channel_closed_by_us_may_still_be_sent_to_as_far_as_its_credit_went() -> None:
    one, other = pair()
    number = one.mux.open()
    run(one, other)
    other.mux.send(number, bytes(1 << 20))
    late = b""
    while data := other.take():
        late += data
    one.mux.close(number)
    one.receive(late)
    assert number not in one.got
    one.receive(frame(number, wire.CREDIT, pack(">I", 5)) + frame(number, wire.CLOSE))
    with pytest.raises(MuxError, match="closed"):
        for _ in range(1000):
            one.receive(frame(number, wire.DATA, bytes(32_000)))


def test_pings_come_back_and_only_the_last_is_answered() -> None:
    one, other = pair()
    one.mux.ping()
    assert one.take() == frame(0, wire.PING, bytes(8))
    other.receive(frame(0, wire.PING, b"first..."))
    other.receive(frame(0, wire.PING, b"a second"))
    assert other.take() == frame(0, wire.PONG, b"a second")
    one.receive(frame(0, wire.PONG, b"a second"))
    assert one.take() == b""


HOSTILE = {
    "an unknown kind": frame(0, 9),
    "an empty slice": frame(0, wire.DATA),
    "a slice that is too long": frame(0, wire.DATA, bytes(limits.MUX_SLICE_BYTES + 1)),
    "a number of ours": frame(1, wire.OPEN, pack(">I", 1)),
    "the control channel opened": frame(0, wire.OPEN, pack(">I", 1)),
    "a number twice": frame(2, wire.OPEN, pack(">I", 1)) * 2,
    "a lower number": frame(4, wire.OPEN, pack(">I", 1)) + frame(2, wire.OPEN, pack(">I", 1)),
    "no credit": frame(2, wire.OPEN, pack(">I", 0)),
    "too much credit": frame(2, wire.OPEN, pack(">I", 1 << 31)),
    "credit that adds up": frame(0, wire.CREDIT, pack(">I", (1 << 31) - 1)) * 2,
    "a request that is too long": frame(2, wire.OPEN, bytes(limits.MUX_REQUEST_BYTES + 5)),
    "an opening without credit": frame(2, wire.OPEN, b"abc"),
    "data for a channel that never was": frame(8, wire.DATA, b"x"),
    "close for a channel that never was": frame(8, wire.CLOSE),
    "our next number closed": frame(3, wire.CLOSE),
    "an accept of its own channel": frame(2, wire.OPEN, pack(">I", 1)) + frame(2, wire.ACCEPT, pack(">I", 1)),
    "a second accept": frame(1, wire.ACCEPT, pack(">I", 1)) * 2,
    "data before it accepted": frame(1, wire.DATA, b"x"),
    "credit before it accepted": frame(1, wire.CREDIT, pack(">I", 1)),
    "data behind its own close":
        frame(1, wire.ACCEPT, pack(">I", 9)) + frame(1, wire.CLOSE) + frame(1, wire.DATA, b"x"),
    "the control channel closed": frame(0, wire.CLOSE),
    "the control channel reset": frame(0, wire.RESET),
    "the control channel accepted": frame(0, wire.ACCEPT, pack(">I", 1)),
    "a wrong size": frame(0, wire.PING, b"short"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_broken_rule_is_the_others_fault(what: str) -> None:
    end = End(True)
    assert end.mux.open() == 1
    with pytest.raises(RemoteError):
        end.receive(HOSTILE[what])


def test_who_ignores_its_credit_goes() -> None:
    end = End(True, reads=False)
    end.receive(frame(2, wire.OPEN, pack(">I", 1)))
    with pytest.raises(MuxError, match="credit"):
        for _ in range(1 + limits.MUX_WINDOW_BYTES // limits.MUX_SLICE_BYTES):
            end.receive(frame(2, wire.DATA, bytes(limits.MUX_SLICE_BYTES)))
    assert len(end.got[2]) == limits.MUX_WINDOW_BYTES
    end = End(True, reads=False)
    with pytest.raises(MuxError, match="credit"):
        for _ in range(1 + limits.MUX_CONTROL_BYTES // limits.MUX_SLICE_BYTES):
            end.receive(frame(0, wire.DATA, bytes(limits.MUX_SLICE_BYTES)))


def test_endless_channels_are_bounded() -> None:
    end = End(True)
    with pytest.raises(MuxError, match="MUX_CHANNELS"):
        for number in range(2, 10_000, 2):
            end.receive(frame(number, wire.OPEN, pack(">I", 1)))
    assert end.mux.channels == limits.MUX_CHANNELS


def test_channels_that_it_closes_while_they_are_unread_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUX_REFUSALS", 20)
    end = End(True, reads=False)
    with pytest.raises(MuxError, match="nobody wants"):
        for number in range(2, 10_000, 2):
            end.receive(frame(number, wire.OPEN, pack(">I", 1)))
            end.take()
            end.receive(frame(number, wire.CLOSE))
    assert end.mux.channels == 2 * limits.MUX_CHANNELS
    assert end.mux._buffered <= limits.MUX_BUFFERED_BYTES + end.mux.channels * limits.MUX_WINDOW_LEAST_BYTES


def test_who_opens_what_nobody_wants_goes_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUX_REFUSALS", 20)
    end = Mux(True)
    with pytest.raises(MuxError, match="nobody wants"):
        for number in range(2, 100, 2):
            end.received(memoryview(frame(number, wire.OPEN, pack(">I", 1))))
            end.refuse(number)
    assert number == 42


def test_who_reads_no_answers_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MUX_FRAMES", 50)
    end = End(True)
    with pytest.raises(MuxError, match="reads"):
        for number in range(2, 1000, 2):
            end.receive(frame(number, wire.OPEN, pack(">I", 1)))
            end.mux.close(number)


def test_a_little_credit_does_not_make_little_slices() -> None:
    one = End(True)
    number = one.mux.open()
    one.take()
    one.mux.send(number, bytes(100_000))
    one.receive(frame(number, wire.ACCEPT, pack(">I", 1)))
    assert one.take() == frame(number, wire.BLOCKED)
    for _ in range(1000):
        one.receive(frame(number, wire.CREDIT, pack(">I", 1)))
    assert len(one.take()) < 1200 + 1030 * 8


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.binary(max_size=12)), max_size=20))
@examples(max_examples=150)
def test_nothing_but_a_remote_error_comes_out(frames: list[tuple[int, int, bytes]]) -> None:
    end = End(True)
    end.mux.open()
    try:
        for number, kind, payload in frames:
            end.receive(frame(number, kind, payload))
            end.take()
    except RemoteError:
        pass


@given(st.data())
@examples(max_examples=25)
def test_random_play_of_two_ends_keeps_to_the_rules(data: st.DataObject) -> None:
    rng = Random(data.draw(st.integers(0, 1 << 30)))
    ends = pair()
    sent: dict[tuple[int, int], bytearray] = {}
    for _ in range(data.draw(st.integers(1, 120))):
        which = rng.randrange(2)
        end = ends[which]
        numbers = [number for number in end.mux._channels if number]
        act = rng.randrange(6)
        if act == 0 and len(numbers) < 20:
            end.mux.open(rng.randbytes(5))
        elif act == 1 and numbers:
            end.mux.close(rng.choice(numbers))
        elif act == 2 and numbers:
            number = rng.choice(numbers)
            if not end.mux._channels[number].theirs_ended:
                payload = rng.randbytes(rng.randrange(1, 300_000))
                end.mux.send(number, payload)
                sent.setdefault((which, number), bytearray()).extend(payload)
        elif act == 3:
            end.mux.message(rng.randbytes(50))
        else:
            ends[1 - which].receive(end.take(rng.randrange(1, 200_000)))
    run(*ends)
    for (which, number), said in sent.items():
        got = ends[1 - which].got.get(number, bytearray())
        assert said.startswith(bytes(got))
        if number in ends[0].mux._channels and number in ends[1].mux._channels:
            assert number in ends[which].drained or ends[which].mux.queued(number) == 0
            if not any(end.mux._channels[number].theirs_ended for end in ends):
                assert got == said
