"""Heads from peer to peer: who is told what, what is taken, and who is kept for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from wildbach.base import limits
from wildbach.base.errors import FormatError, RemoteError
from wildbach.engine.headtalk import HeadTalk, Room
from wildbach.protocol.dht.items import Item, public_key, signed, target
from wildbach.protocol.ext.handshake import ExtHandshake
from wildbach.protocol.ext.head import HeadMessage, decode, encode

SECRETS = [bytes([number]) * 32 for number in range(1, 30)]
PLACES = [target(public_key(secret), b"s") for secret in SECRETS]


def item(seq: int, number: int = 0) -> Item:
    return signed(SECRETS[number], b"head", seq, b"s")


class Peer:
    """What is used of a peer."""

    def __init__(self, number: int, *, speaks: bool = True, greeted: bool = True) -> None:
        self.number = number
        self.extension = True
        self.closing = False
        self.created = 0.0
        self.says = ExtHandshake(ids={b"wb_head": 5} if speaks else {}) if greeted else None
        self.got: list[HeadMessage] = []

    def extend(self, _extension: object, payload: bytes) -> bool:
        self.got.append(decode(payload))
        return True

    def taken(self) -> list[HeadMessage]:
        got, self.got = self.got, []
        return got


class Torrent:
    """One torrent's talk; `rooms` is what we follow there."""

    def __init__(self, *rooms: Room) -> None:
        self.now = 0.0
        self.peers: dict[int, Any] = {}
        self.here = {room.target: room for room in rooms}
        self.given: list[Item] = []
        self.reviews = 0
        self.talk = HeadTalk(self, lambda: "key", self.peers, lambda: self.now)
        self.talk.review = self.review

    def rooms(self, torrent: str) -> Mapping[bytes, Room]:
        assert torrent == "key"
        return self.here

    def gossiped(self, item: Item) -> None:
        self.given.append(item)

    def review(self) -> None:
        self.reviews += 1

    def peer(self, **how: bool) -> Peer:
        peer = Peer(len(self.peers) + 1, **how)
        self.peers[peer.number] = peer
        self.talk.hello(peer)  # type: ignore[arg-type]  # the little that is used
        return peer

    def hears(self, peer: Peer, known: Mapping[bytes, int] | None = None, *items: Item) -> list[HeadMessage]:
        """What a peer says, and our answer."""
        self.talk.received(peer, encode(HeadMessage(known or {}, items)))  # type: ignore[arg-type]
        return peer.taken()

    def keeps(self, peer: Peer) -> bool:
        return self.talk.keeps(peer)  # type: ignore[arg-type]


def room(seq: int, number: int = 0, *, takes: bool = True) -> Room:
    return Room(PLACES[number], item(seq, number) if seq >= 0 else None, takes)


def test_a_peer_hears_how_far_we_know_and_gets_no_item_unasked() -> None:
    torrent = Torrent(room(7), room(-1, 1))
    assert torrent.peer().taken() == [HeadMessage({PLACES[0]: 7, PLACES[1]: -1})]
    assert torrent.peer(speaks=False).taken() == torrent.peer(greeted=False).taken() == []


def test_who_knows_less_gets_the_item_once() -> None:
    torrent = Torrent(room(7))
    peer = torrent.peer()
    peer.taken()
    assert torrent.hears(peer, {PLACES[0]: 6}) == [HeadMessage(items=(item(7),))]
    assert torrent.hears(peer, {PLACES[0]: 6}) == torrent.hears(peer, {PLACES[0]: -1}) == []
    torrent.here[PLACES[0]] = room(8)
    torrent.talk.tell()
    assert peer.taken() == [HeadMessage(items=(item(8),))]
    torrent.talk.tell()
    assert peer.taken() == []


def test_who_knows_as_much_or_follows_something_else_gets_nothing() -> None:
    torrent = Torrent(room(7))
    peer = torrent.peer()
    peer.taken()
    assert torrent.hears(peer, {PLACES[0]: 7, PLACES[1]: -1}) == []
    assert torrent.hears(torrent.peer(), {PLACES[3]: -1})[1:] == []


def test_a_newer_item_is_taken_and_passed_on() -> None:
    torrent = Torrent(room(7))
    one, two = torrent.peer(), torrent.peer()
    torrent.hears(two, {PLACES[0]: 7})
    assert torrent.hears(one, {}, item(9))[1:] == []
    assert torrent.given == [item(9)]
    torrent.here[PLACES[0]] = room(9)
    torrent.talk.tell()
    assert two.taken() == [HeadMessage(items=(item(9),))]
    assert one.taken() == []  # it was its own


@pytest.mark.parametrize("given", [item(7), item(3), item(9, 1), item(9, 2)])
def test_what_is_not_newer_not_followed_or_ours_alone_is_not_taken(given: Item) -> None:
    torrent = Torrent(room(7), room(1, 1, takes=False))
    torrent.hears(torrent.peer(), {}, given)
    assert torrent.given == []


def test_a_wrong_signature_costs_the_connection() -> None:
    torrent = Torrent(room(7))
    with pytest.raises(RemoteError, match="signature"):
        torrent.hears(torrent.peer(), {}, Item(item(9).raw, item(9).key, b"s", 10, item(9).signature))
    assert torrent.given == []


def test_what_is_no_message_costs_the_connection() -> None:
    torrent = Torrent(room(7))
    with pytest.raises(FormatError):
        torrent.talk.received(torrent.peer(), b"x")  # type: ignore[arg-type]


def test_who_says_too_much_is_not_listened_to_for_a_while() -> None:
    torrent = Torrent(room(7))
    peer = torrent.peer()
    for _ in range(limits.HEAD_MESSAGES_PER_MINUTE):
        torrent.hears(peer, {PLACES[5]: 1})
    torrent.hears(peer, {}, item(9))
    assert torrent.given == []
    torrent.now = 61.0
    torrent.hears(peer, {}, item(9))
    assert torrent.given == [item(9)]


def test_many_items_go_in_messages_that_are_not_too_large() -> None:
    torrent = Torrent(*(room(5, number) for number in range(10)))
    peer = torrent.peer()
    (known,) = peer.taken()
    got = torrent.hears(peer, dict.fromkeys(known.known, -1))
    assert [len(message.items) for message in got] == [4, 4, 2]


def test_what_is_followed_later_is_said_later() -> None:
    torrent = Torrent()
    peer = torrent.peer()
    assert torrent.hears(peer, {PLACES[0]: 3}) == []
    torrent.here[PLACES[0]] = room(7)
    torrent.talk.tell()
    assert peer.taken() == [HeadMessage({PLACES[0]: 7}, (item(7),))]


def test_in_a_private_torrent_nothing_is_said_and_nothing_heard() -> None:
    torrent = Torrent(room(7))
    torrent.talk.on = False
    peer = torrent.peer()
    assert torrent.hears(peer, {PLACES[0]: 1}, item(9)) == [] and torrent.given == []
    assert not torrent.keeps(peer)


def test_a_few_who_share_something_are_kept() -> None:
    torrent = Torrent(room(7))
    peers = [torrent.peer() for _ in range(limits.HEAD_COMPANY + 3)]
    stranger, mute, late = torrent.peer(), torrent.peer(speaks=False), torrent.peer(greeted=False)
    assert torrent.keeps(stranger) and torrent.keeps(late) and not torrent.keeps(mute)
    for peer in peers:
        torrent.hears(peer, {PLACES[0]: 7})
    torrent.hears(stranger, {PLACES[4]: 7})
    torrent.now = 30.0
    assert [torrent.keeps(peer) for peer in peers].count(True) == limits.HEAD_COMPANY
    assert not torrent.keeps(stranger) and not torrent.keeps(mute) and not torrent.keeps(late)
    torrent.talk.left(SimpleNamespace(number=peers[0].number))  # type: ignore[arg-type]
    del torrent.peers[peers[0].number]
    assert [torrent.keeps(peer) for peer in peers[1:]].count(True) == limits.HEAD_COMPANY


def test_where_nothing_is_followed_nobody_is_kept_or_looked_for() -> None:
    torrent = Torrent()
    peer = torrent.peer()
    torrent.hears(peer, {PLACES[0]: 7})
    torrent.talk.seek()
    torrent.talk.tick(100.0)
    assert not torrent.keeps(peer) and not torrent.talk.seeking and not torrent.reviews


def test_company_is_looked_for_for_a_minute() -> None:
    torrent = Torrent(room(7))
    assert not torrent.talk.seeking
    torrent.talk.seek()
    assert torrent.talk.seeking
    torrent.now = 61.0
    assert not torrent.talk.seeking
    torrent.talk.tick(61.0)
    torrent.talk.tick(62.0)
    assert torrent.reviews == 1
