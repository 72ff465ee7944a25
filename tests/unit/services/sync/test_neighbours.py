"""Tags on the local network, and those who repeat what they heard."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.sync.tags import keyed_tag, tag_key
from wildbach.services.sync import neighbours
from wildbach.services.sync.neighbours import Neighbours

SECRET = b"s" * 32
GENUINE = Endpoint("192.168.0.2", 6881)


def at(number: int) -> Endpoint:
    return Endpoint(f"192.168.1.{number}", 7000)


def packet(number: int, secret: bytes = SECRET) -> tuple[bytes, list[bytes]]:
    cookie = b"%016x" % number
    return cookie, [keyed_tag(tag_key(secret), cookie), bytes(20)]


class Ear:
    """Who listens for one folder."""

    def __init__(self) -> None:
        self.now = 0.0
        self.called: list[Endpoint] = []
        self.neighbours = Neighbours(lambda: self.now)
        self.neighbours.add("folder", (b"o" * 32, SECRET), self.called.append)


def test_a_packet_of_the_folder_leads_to_who_sent_it_and_one_of_others_to_nobody() -> None:
    ear = Ear()
    assert ear.neighbours.heard(*packet(1), GENUINE)
    assert not ear.neighbours.heard(*packet(2, b"x" * 32), at(1))
    assert not ear.neighbours.heard(b"another cookie!!", packet(1)[1], at(1))
    assert ear.called == [GENUINE]


def test_who_repeats_what_it_heard_does_not_keep_others_from_being_called() -> None:
    ear = Ear()
    for number in range(250):
        assert ear.neighbours.heard(*packet(1), at(number))
        assert ear.neighbours.heard(*packet(1), GENUINE)
    assert len(ear.called) <= 4
    ear.neighbours.heard(*packet(2), GENUINE)
    assert ear.called[-1] == GENUINE and ear.neighbours.dropped >= 490


def test_one_packet_comes_by_several_networks() -> None:
    ear = Ear()
    for place in (GENUINE, at(2), Endpoint("fe80::2", 6881)):
        ear.neighbours.heard(*packet(1), place)
    assert len(ear.called) == 3


def test_packets_of_a_member_that_floods_are_followed_so_often_in_a_minute() -> None:
    ear = Ear()
    for number in range(neighbours._REMEMBERED + 10):
        ear.neighbours.heard(*packet(number), at(number % 250))
    assert len(ear.called) == limits.SYNC_TAG_CALLS_PER_MINUTE
    assert len(ear.neighbours._followed) == neighbours._REMEMBERED
    ear.now = 61.0
    ear.neighbours.heard(*packet(10_000), GENUINE)
    assert ear.called[-1] == GENUINE
