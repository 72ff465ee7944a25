"""Sealed records: only members read them, only the device writes its own, and nothing in them can be recognised."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import DeviceId, Endpoint
from wildbach.protocol.dht import items
from wildbach.protocol.sync import rendezvous as rv
from wildbach.protocol.sync import tags

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
PUBLIC = KEY.public_key().public_bytes_raw()
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\2")
DEVICE = DeviceId(b"d" * 16)
HERE = (Endpoint("9.9.9.9", 6881), Endpoint("192.168.1.4", 6881), Endpoint("2a00::1", 50_000))
RECORD = rv.Record(PUBLIC, 1_800_000_000_000, HERE, (Endpoint("8.8.4.4", 6990),))


def place(secret: bytes = SECRET, day: int = 20_000) -> rv.Place:
    return rv.member_place(secret, DEVICE, day)


def test_members_read_what_a_device_wrote() -> None:
    item = rv.write(place(), RECORD, KEY.sign, os.urandom)
    assert items.genuine(item.key, item.signature, item.raw, item.seq, item.salt)
    assert len(item.raw) <= limits.DHT_ITEM_BYTES and item.target == place().target
    assert item.seq == RECORD.time
    assert rv.read(place(), item, {PUBLIC}) == RECORD


def test_who_knocks_is_not_known_before_and_signs_all_the_same() -> None:
    at = rv.knock_place(SECRET, 7)
    record = rv.read(at, rv.write(at, RECORD, KEY.sign, os.urandom), None)
    assert record.device == PUBLIC
    with pytest.raises(FormatError):
        rv.read(at, rv.write(at, RECORD, STRANGER.sign, os.urandom), None)


def test_neither_another_device_nor_another_place_makes_a_record() -> None:
    elsewhere = rv.member_place(SECRET, DeviceId(b"e" * 16), 20_000)
    theirs = rv.Record(STRANGER.public_key().public_bytes_raw(), 1)
    for item, signers in (
        (rv.write(place(), theirs, STRANGER.sign, os.urandom), {PUBLIC}),
        (rv.write(place(), RECORD, STRANGER.sign, os.urandom), {PUBLIC}),
        (rv.write(elsewhere, RECORD, KEY.sign, os.urandom), {PUBLIC}),
        (rv.write(place(OTHER), RECORD, KEY.sign, os.urandom), {PUBLIC}),
        (rv.write(place(day=20_001), RECORD, KEY.sign, os.urandom), {PUBLIC}),
        (items.signed(place()._seed, b"blank", 1 << 62, place().salt), {PUBLIC}),
        (items.signed(place()._seed, bytes(rv.SEALED_BYTES), 1 << 62, place().salt), {PUBLIC}),
        (items.signed(place()._seed, [b"x"], 1 << 62, place().salt), {PUBLIC}),
    ):
        with pytest.raises(FormatError):
            rv.read(place(), item, signers)


def test_a_member_cannot_move_a_record_to_another_place() -> None:
    """It can open and seal at will; what it cannot do is sign."""
    item = rv.write(place(), RECORD, KEY.sign, os.urandom)
    value = item.value
    assert isinstance(value, bytes)
    plain = ChaCha20Poly1305(place()._seal).decrypt(value[:12], value[12:], place().public + place().salt)
    there = place(day=20_001)
    nonce = bytes(12)
    sealed = nonce + ChaCha20Poly1305(there._seal).encrypt(nonce, plain, there.public + there.salt)
    with pytest.raises(FormatError, match="signature"):
        rv.read(there, items.signed(there._seed, sealed, 5, there.salt), {PUBLIC})


@pytest.mark.parametrize(("host", "port", "good"), [
    ("9.9.9.9", 6881, True), ("192.168.1.1", 6881, True), ("10.0.0.1", 1024, True), ("2a00::1", 6881, True),
    ("9.9.9.9", 80, False), ("9.9.9.9", 1023, False), ("127.0.0.1", 6881, False), ("::1", 6881, False),
    ("169.254.169.254", 6881, False), ("224.0.0.1", 6881, False), ("fe80::1", 6881, False), ("0.0.0.0", 6881, False),
])
def test_only_sane_endpoints_are_called(host: str, port: int, good: bool) -> None:
    record = rv.Record(PUBLIC, 1, (Endpoint(host, port),), (Endpoint(host, port),))
    read = rv.read(place(), rv.write(place(), record, KEY.sign, os.urandom), {PUBLIC})
    assert read.endpoints == read.relays == ((Endpoint(host, port),) if good else ())


def test_this_machine_counts_where_nothing_else_does() -> None:
    record = rv.Record(PUBLIC, 1, (Endpoint("127.0.0.1", 6881),))
    item = rv.write(place(), record, KEY.sign, os.urandom)
    assert rv.read(place(), item, {PUBLIC}, loopback=True).endpoints == record.endpoints


def test_what_no_reader_takes_is_not_written() -> None:
    many = tuple(Endpoint("9.9.9.9", 2000 + n) for n in range(5))
    for record in (
        rv.Record(PUBLIC, 1, many), rv.Record(PUBLIC, 1, many[:2], many[2:]), rv.Record(b"short", 1),
        rv.Record(PUBLIC, -1), rv.Record(PUBLIC, 1, (Endpoint("name.example", 5),)),
    ):
        with pytest.raises(UsageError):
            rv.write(place(), record, KEY.sign, os.urandom)
    with pytest.raises(UsageError):
        rv.member_place(b"short", DEVICE, 1)


def test_secrets_do_not_show() -> None:
    assert place()._seed.hex() not in repr(place()) and repr(place()._seal) not in repr(place())


def constant(values: list[bytes]) -> int:
    """The longest run of bytes that one value has in common with another, wherever it stands in them."""
    most = 0
    for one, other in pairwise(values):
        seen = {one[at : at + size] for size in range(1, 9) for at in range(len(one) - size + 1)}
        for size in range(1, 9):
            if any(other[at : at + size] in seen for at in range(len(other) - size + 1)):
                most = max(most, size)
    return most


def test_nothing_in_the_dht_is_the_same_on_two_days_or_in_two_folders() -> None:
    """What a node stores, or sees on the wire beside the words of BEP 44 itself: nothing over four bytes recurs."""
    token = OTHER
    places = [place(), place(day=20_001), place(OTHER), rv.member_place(SECRET, DeviceId(b"e" * 16), 20_002)]
    places += [rv.join_place(token, 1), rv.join_place(token, 2), rv.knock_place(token, 1), rv.knock_place(SECRET, 2)]
    made = [rv.write(at, RECORD, KEY.sign, os.urandom) for at in places]
    assert len({len(item.raw) for item in made}) == 1
    for field in ("raw", "salt", "signature"):
        assert constant([getattr(item, field) for item in made]) <= 4
    targets = [item.target for item in made]
    assert len(set(targets)) == len(targets) and constant(targets) <= 4
    days = [rv.member_place(secret, DEVICE, day).public for secret in (SECRET, OTHER) for day in (1, 2)]
    assert len(set(days)) == 4 and constant(days) <= 4


def test_tags_and_tokens_are_known_to_both_sides_alone() -> None:
    a, b = DeviceId(b"a" * 16), DeviceId(b"b" * 16)
    today = tags.member_tokens(SECRET, a, b, 20_000 * 86400.0)
    assert today == tags.member_tokens(SECRET, b, a, 20_000 * 86400.0 + 100)
    assert len(set(today)) == 3 and all(len(token) == 32 for token in today)
    # Clocks that differ by two days still have one token in common; by three, none.
    assert set(today) & set(tags.member_tokens(SECRET, a, b, 20_002 * 86400.0))
    assert not set(today) & set(tags.member_tokens(SECRET, a, b, 20_003 * 86400.0))
    assert not set(today) & set(tags.member_tokens(OTHER, a, b, 20_000 * 86400.0))
    assert not set(today) & set(tags.link_tokens(SECRET, 20_000 * 86400.0))
    assert tags.tag(SECRET, b"one") != tags.tag(SECRET, b"two") != tags.tag(OTHER, b"two")
    assert constant([tags.tag(SECRET, os.urandom(8)) for _ in range(8)]) <= 4


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_clock_has_days(wall: float) -> None:
    today, yesterday, tomorrow = tags.days_around(wall)
    assert (yesterday, tomorrow) == (today - 1, today + 1)
    assert len(tags.day_bytes(tomorrow)) == 8


@given(st.binary(max_size=400), st.booleans())
def test_any_value_is_read_or_refused(raw: bytes, sealed: bool) -> None:
    at = place()
    if sealed:  # by a member, who can seal what it wants
        nonce = bytes(12)
        raw = nonce + ChaCha20Poly1305(at._seal).encrypt(nonce, raw[:192].ljust(192, b"\0"), at.public + at.salt)
    with pytest.raises(FormatError):
        rv.read(at, items.signed(at._seed, raw, 1, at.salt), None)


slots = st.lists(st.tuples(st.integers(0, 255), st.binary(min_size=18, max_size=18)), max_size=4)


@given(slots, st.integers(0, (1 << 63) - 1), st.integers(0, 4))
def test_a_device_that_signs_nonsense_leads_nowhere(parts: list[tuple[int, bytes]], time: int, count: int) -> None:
    at = place()
    body = b"\1" + time.to_bytes(8, "big") + PUBLIC + bytes([count])
    body += b"".join(bytes([kind]) + rest for kind, rest in parts)
    body = body.ljust(128, b"\0")[:128]
    plain = body + KEY.sign(rv._signed(at, body))
    nonce = bytes(12)
    value = nonce + ChaCha20Poly1305(at._seal).encrypt(nonce, plain, at.public + at.salt)
    record = rv.read(at, items.signed(at._seed, value, 1, at.salt), {PUBLIC})
    assert record.time == time
    found = record.endpoints + record.relays
    assert len(found) <= count and all(rv.sane(endpoint) for endpoint in found)
    # What was read can be written, and reads the same.
    assert rv.read(at, rv.write(at, record, KEY.sign, os.urandom), {PUBLIC}) == record
