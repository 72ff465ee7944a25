"""The three parts of hole punching (BEP 55), with peers that only remember what they were sent."""

from __future__ import annotations

import pytest

from fakes import peer, wire
from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.engine.holepunch import HolePunch
from wildbach.engine.peer import Peer
from wildbach.protocol.ext import holepunch
from wildbach.protocol.ext.handshake import ExtHandshake
from wildbach.protocol.ext.holepunch import Kind, Message, Refusal
from wildbach.protocol.wire import codec

OWN = Endpoint("20.9.9.9", 6881)
FAR = Endpoint("30.0.0.1", 7000)


class Connections:
    def __init__(self) -> None:
        self.called: list[Endpoint] = []
        self.room = True

    def may_punch(self, endpoint: Endpoint, *, asked: bool) -> bool:
        return self.room

    def punch(self, endpoint: Endpoint) -> None:
        self.called.append(endpoint)


class Bed:
    """A torrent's hole punching."""

    def __init__(self, count: int = 3) -> None:
        self.now = 1000.0
        self.links = Connections()
        self.called = self.links.called
        self.peers = {number: self.make(number) for number in range(1, count + 1)}
        self.punch = HolePunch(self.peers, lambda: self.now, OWN.__eq__)
        self.punch.owner = self.links
        self.punch.on = True

    def make(self, number: int, *, understands: bool = True, host: str = "") -> Peer:
        made = peer(number, host=host)
        made.says = ExtHandshake(ids={b"ut_holepunch": 9} if understands else {})
        return made

    def says(self, number: int, kind: Kind, endpoint: Endpoint, error: int = 0) -> None:
        self.punch.received(self.peers[number], holepunch.encode(Message(kind, endpoint, error)))

    def sent(self, number: int) -> list[Message]:
        """What a peer was sent since this was last asked."""
        line = wire(self.peers[number])
        found = [
            holepunch.decode(event.payload) for event in line.messages()
            if isinstance(event, codec.Extended) and event.id == 9
        ]
        line.sent.clear()
        return found


@pytest.fixture
def bed() -> Bed:
    return Bed()


# relaying


def test_two_peers_are_told_of_each_other(bed: Bed) -> None:
    one, two = bed.peers[1].remote, bed.peers[2].remote
    bed.says(1, Kind.RENDEZVOUS, two)
    assert bed.sent(1) == [Message(Kind.CONNECT, two)] and bed.sent(2) == [Message(Kind.CONNECT, one)]


def test_what_cannot_be_relayed_is_refused_with_the_reason_and_the_same_endpoint(bed: Bed) -> None:
    bed.peers[3].says = ExtHandshake()
    cases = [
        (Endpoint("20.0.3.1", 6881), Refusal.NO_SUPPORT), (FAR, Refusal.NOT_CONNECTED), (OWN, Refusal.NO_SELF),
        (Endpoint("30.0.0.1", 0), Refusal.NO_SUCH_PEER), (Endpoint("224.0.0.1", 5), Refusal.NO_SUCH_PEER),
        (bed.peers[1].remote, Refusal.NOT_CONNECTED),
    ]
    for endpoint, refusal in cases:
        bed.says(1, Kind.RENDEZVOUS, endpoint)
        assert bed.sent(1) == [Message(Kind.ERROR, endpoint, refusal)]
    assert bed.sent(2) == [] and bed.sent(3) == []


def test_nobody_is_told_of_a_third_party(bed: Bed) -> None:
    """However often somebody asks for whom we are not connected to, nothing leaves but answers to who asks."""
    for number in range(100):
        bed.says(1, Kind.RENDEZVOUS, Endpoint(f"30.0.{number}.1", 7000))
    assert bed.sent(2) == [] and bed.sent(3) == [] and bed.called == []
    assert len(bed.sent(1)) == limits.HOLEPUNCH_PER_MINUTE


def test_one_target_is_not_flooded_by_many_who_ask() -> None:
    bed = Bed(60)
    for number in range(2, 61):
        bed.says(number, Kind.RENDEZVOUS, bed.peers[1].remote)
    assert len(bed.sent(1)) == limits.HOLEPUNCH_PER_MINUTE
    bed.now += 61
    bed.says(2, Kind.RENDEZVOUS, bed.peers[1].remote)
    assert len(bed.sent(1)) == 1


def test_who_does_not_understand_is_not_answered(bed: Bed) -> None:
    bed.peers[1].says = ExtHandshake()
    bed.says(1, Kind.RENDEZVOUS, bed.peers[2].remote)
    assert bed.sent(2) == [] and not wire(bed.peers[1]).sent


def test_garbage_is_a_format_error(bed: Bed) -> None:
    with pytest.raises(FormatError):
        bed.punch.received(bed.peers[1], b"\7garbage")


# asking


def test_who_told_of_an_endpoint_is_asked_for_it_once_a_minute(bed: Bed) -> None:
    bed.punch.told(FAR, bed.peers[1])
    bed.punch.told(FAR, bed.peers[2])
    assert bed.punch.failed(FAR) and not bed.punch.failed(FAR)
    assert bed.sent(2) == [Message(Kind.RENDEZVOUS, FAR)] and bed.sent(1) == []
    # It cannot: the other one is asked.
    bed.says(2, Kind.ERROR, FAR, Refusal.NOT_CONNECTED)
    assert bed.sent(1) == [Message(Kind.RENDEZVOUS, FAR)] and bed.punch.last_error == Refusal.NOT_CONNECTED


def test_an_endpoint_that_nobody_told_of_is_not_asked_for(bed: Bed) -> None:
    assert not bed.punch.failed(FAR)
    bed.punch.told(FAR, bed.peers[1])
    del bed.peers[1]
    assert not bed.punch.failed(FAR)


def test_switched_off_nothing_is_asked_relayed_or_called(bed: Bed) -> None:
    bed.punch.on = False
    bed.punch.told(FAR, bed.peers[1])
    bed.says(1, Kind.CONNECT, FAR)
    bed.says(1, Kind.RENDEZVOUS, bed.peers[2].remote)
    assert not bed.punch.failed(FAR) and bed.called == [] and bed.sent(1) == bed.sent(2) == []


# calling


def test_who_is_told_to_calls(bed: Bed) -> None:
    bed.links.room = False
    bed.says(1, Kind.CONNECT, FAR)
    assert bed.called == []
    bed.links.room = True
    bed.says(1, Kind.CONNECT, FAR)
    assert bed.called == [FAR]


@pytest.mark.parametrize("endpoint", [
    OWN, Endpoint("20.0.2.1", 6881), Endpoint("30.0.0.1", 80), Endpoint("10.0.0.1", 7000), Endpoint("127.0.0.1", 7000),
    Endpoint("224.0.0.1", 7000), Endpoint("30.0.0.1", 0),
])
def test_nobody_makes_us_call_ourselves_who_is_there_or_what_is_not_of_the_swarm(
    bed: Bed, endpoint: Endpoint,
) -> None:
    bed.says(1, Kind.CONNECT, endpoint)
    assert bed.called == [] and not wire(bed.peers[1]).sent


def test_calls_that_others_ask_for_are_counted(bed: Bed) -> None:
    for number in range(200):
        bed.says(1, Kind.CONNECT, Endpoint(f"30.0.{number}.1", 7000))
    assert len(bed.called) == limits.HOLEPUNCH_PER_MINUTE
