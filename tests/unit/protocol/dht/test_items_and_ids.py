"""Published values: ids of addresses (BEP 42), signed items (BEP 44), filters of swarms (BEP 33)."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.published import published

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.dht import items, krpc
from wildbach.protocol.dht.bloom import Bloom
from wildbach.protocol.dht.bloom import of as bloom_of
from wildbach.protocol.dht.items import Item, ItemStore, PutRefused
from wildbach.protocol.dht.security import AddressVotes, PortVotes, is_secure, make_id

SECRET = bytes(range(32))


@pytest.mark.vector(42)
def test_the_ids_of_bep_42_fit_their_addresses() -> None:
    for address, text in published(42)["ids"].items():
        node_id = bytes.fromhex(text)
        assert is_secure(node_id, address)
        made = make_id(address, Random(1), last=node_id[19])
        assert made[:2] == node_id[:2] and made[2] & 0xF8 == node_id[2] & 0xF8 and made[19] == node_id[19]
        other = str(ip_address(address) + 1)
        assert not is_secure(node_id, other)


@pytest.mark.vector(44)
def test_the_items_of_bep_44_are_genuine_and_stand_where_it_says() -> None:
    values = published(44)
    key, raw = bytes.fromhex(values["public_key"]), values["value"].encode()
    for row in values["signed"]:
        salt, signature = row["salt"].encode(), bytes.fromhex(row["signature"])
        assert items.signed_bytes(raw, values["seq"], salt) == row["buffer"].encode()
        assert items.target(key, salt).hex() == row["target"]
        assert items.genuine(key, signature, raw, values["seq"], salt)
        assert not items.genuine(key, signature, raw, values["seq"] + 1, salt)
        assert not items.genuine(key, signature, raw, values["seq"], salt + b"x")
    assert items.immutable(b"Hello World!").target.hex() == values["immutable_target"]


@pytest.mark.vector(33)
def test_the_filter_of_bep_33_is_ours() -> None:
    values = published(33)
    addresses = []
    for first, last in values["ranges"]:
        start, stop = ip_address(first), ip_address(last)
        addresses += [(start + i).packed for i in range(int(stop) - int(start) + 1)]
    made = bloom_of(addresses)
    assert bytes(made).hex() == values["filter"]
    assert int(made.estimate() * 10_000) / 10_000 == values["estimate"]
    assert all(address in made for address in addresses)
    both = Bloom(bytes(bloom_of(addresses[:600])))
    both.merge(bloom_of(addresses[600:]))
    assert bytes(both) == bytes(made)


@given(st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_ids_fit_the_address_they_are_made_for(number: int, last: int) -> None:
    address = str(ip_address(number))
    assert is_secure(make_id(address, Random(number), last), address)


def test_votes_on_our_address_need_five_networks_and_more_than_half() -> None:
    votes = AddressVotes()
    for number in range(4):
        assert votes.vote(f"8.{number}.1.1", "9.9.9.9") is None
    assert votes.vote("8.3.1.77", "9.9.9.9") is None, "the same network has one vote"
    assert votes.vote("8.4.1.1", "9.9.9.9") == "9.9.9.9"
    assert votes.vote("8.5.1.1", "192.168.0.1") is None, "nobody is at a private address"
    for number in range(6, 10):
        assert votes.vote(f"8.{number}.1.1", "7.7.7.7") is None


def put(secret: bytes, seq: int, text: bytes = b"x", salt: bytes = b"") -> Item:
    return items.signed(secret, text, seq, salt)


def test_an_item_never_goes_back() -> None:
    store = ItemStore(0)
    store.put(put(SECRET, 5), 0.0)
    with pytest.raises(PutRefused) as refused:
        store.put(put(SECRET, 4), 1.0)
    assert refused.value.code == krpc.OLD_SEQ
    with pytest.raises(PutRefused):
        store.put(put(SECRET, 5, b"another"), 1.0)
    with pytest.raises(PutRefused) as refused:
        store.put(put(SECRET, 6), 1.0, cas=4)
    assert refused.value.code == krpc.CAS_MISMATCH
    store.put(put(SECRET, 6, b"y"), 1.0, cas=5)
    found = store.get(put(SECRET, 6).target, 2.0)
    assert found is not None and found.value == b"y" and found.seq == 6


def test_items_expire_and_there_is_room_for_the_nearest_only() -> None:
    store = ItemStore(0)
    kept = [items.immutable(b"%d" % number) for number in range(limits.DHT_ITEMS)]
    for item in kept:
        store.put(item, 0.0)
    near = min((items.immutable(b"n%d" % number) for number in range(100)), key=lambda item: item.target)
    far = max((items.immutable(b"f%d" % number) for number in range(5000)), key=lambda item: item.target)
    store.put(near, 1.0)
    assert len(store) == limits.DHT_ITEMS and store.get(near.target, 1.0) is not None
    with pytest.raises(PutRefused):
        store.put(far, 1.0)
    store.expire(limits.DHT_ITEM_SECONDS)
    assert len(store) == 1, "the one that came a second later"


def test_what_is_too_long_is_not_made() -> None:
    with pytest.raises(UsageError):
        items.immutable(bytes(1000))
    with pytest.raises(UsageError):
        items.signed(SECRET, b"x", 1, bytes(65))
    with pytest.raises(UsageError):
        items.signed(SECRET, b"x", -1)


def test_a_reply_that_is_not_what_was_wanted_is_no_item() -> None:
    item = put(SECRET, 7, b"text", b"salt")
    reply = krpc.Reply(b"aa", bytes(20), None)._replace(
        value=item.raw, key=item.key, signature=item.signature, seq=7)
    assert items.of_reply(reply, item.target, b"salt") == item
    assert items.of_reply(reply, item.target) is None
    assert items.of_reply(reply._replace(seq=8), item.target, b"salt") is None
    assert items.of_reply(reply._replace(value=b"4:lies"), item.target, b"salt") is None
    assert items.of_reply(reply._replace(signature=bytes(64)), item.target, b"salt") is None
    assert items.of_reply(krpc.Reply(b"aa", bytes(20), None)._replace(value=b"1:x"), bytes(20)) is None


def test_votes_on_our_port_need_three_networks_and_more_than_half() -> None:
    votes = PortVotes()
    for number in range(2):
        votes.vote(f"8.{number}.1.1", 40_000)
    votes.vote("8.1.1.77", 40_000)
    assert votes.winner == 0, "the same network has one vote"
    votes.vote("8.2.1.1", 40_000)
    assert votes.winner == 40_000
    for number in range(3, 6):
        votes.vote(f"8.{number}.1.1", 50_000 + number)
    assert votes.winner == 0, "a router that gives each remote another port"
    for number in range(6, 10):
        votes.vote(f"8.{number}.1.1", 40_000)
    votes.vote("nonsense", 1)
    votes.vote("8.1.1.1", 0)
    assert votes.winner == 40_000
    votes.clear()
    assert votes.winner == 0
