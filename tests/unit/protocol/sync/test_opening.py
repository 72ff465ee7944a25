"""The opening between two devices: whole ones, parted ones, and those of who does not know the secret."""

from __future__ import annotations

import hmac
from importlib import import_module
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, RemoteError, UsageError
from wildbach.protocol import bencode
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.opening import Answerer, Caller, MeetingKeys, Opening, Secrets
from wildbach.protocol.sync.secrets import derive
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse

SECRET = b"a secret that two devices share."
ONE = X25519PrivateKey.from_private_bytes(bytes([1]) * 32)
OTHER = X25519PrivateKey.from_private_bytes(bytes([2]) * 32)


def secrets(*more: bytes) -> Secrets[str]:
    out = Secrets[str]()
    for number, secret in enumerate((*more, SECRET)):
        out.put("folder" if secret == SECRET else f"other {number}", secret)
    return out


def call(secret: bytes = SECRET, seed: int = 1, hello: bytes = b"from one") -> Caller[str]:
    return Caller("mine", MeetingKeys.of(secret), ONE, new_peer_id(Random(seed)), hello)


def answer(caller: Caller[str], table: Secrets[str] | None = None) -> tuple[Answerer[str], bytes]:
    """The answerer to a caller, and what the caller said behind its handshake."""
    said = caller.take()
    theirs = parse(said[:LENGTH])
    found = (table or secrets()).find(theirs)
    assert found is not None
    return Answerer(found, OTHER, theirs, new_peer_id(Random(9)), b"from other"), said[LENGTH:]


def play(caller: Opening[str], answerer: Opening[str], step: int = 1 << 20) -> tuple[bytes, bytes]:
    """Until nobody says anything more; what was not used up on each side."""
    left = [b"", b""]
    sides = (caller, answerer)
    said = True
    while said:
        said = False
        for number, side in enumerate(sides):
            data = side.take()
            said = said or bool(data)
            for at in range(0, len(data), step):
                left[1 - number] += data[at : at + step]
                used = sides[1 - number].received(left[1 - number])
                left[1 - number] = left[1 - number][used:]
    return left[0], left[1]


@given(st.integers(1, 400), st.integers(0, 1000))
@examples(max_examples=25)
def test_both_learn_who_the_other_is_however_the_bytes_are_parted(step: int, seed: int) -> None:
    caller = call(seed=seed)
    answerer, _ = answer(caller)
    assert play(caller, answerer, step) == (b"", b"")
    mine, theirs = caller.opened, answerer.opened
    assert mine is not None and theirs is not None
    assert (mine.name, theirs.name) == ("mine", "folder")
    assert (mine.device, theirs.device) == (OTHER.public_key().public_bytes_raw(), ONE.public_key().public_bytes_raw())
    assert mine.hash == theirs.hash
    assert (mine.initiator, theirs.initiator) == (True, False)
    assert (mine.hello, theirs.hello) == (b"from other", b"from one")
    assert theirs.ciphers.receive.decrypt(mine.ciphers.send.encrypt(b"there")) == b"there"
    assert mine.ciphers.receive.decrypt(theirs.ciphers.send.encrypt(b"back")) == b"back"


def test_what_is_seen_of_it_is_two_clients_that_know_wb_noise() -> None:
    caller = call()
    first = parse(caller.take())
    assert first.extension and first.fast and first.v2
    found = secrets().find(first)
    assert found is not None
    said = Answerer(found, OTHER, first, new_peer_id(Random(9))).take()
    assert parse(said[:LENGTH]).info_hash == first.info_hash
    events, used = codec.Decoder().decode(memoryview(said[LENGTH:]))
    assert events == [codec.Extended(0, bencode.encode({b"m": {b"wb_noise": 1}}))]
    assert LENGTH + used == len(said)


def test_nothing_behind_the_opening_is_used() -> None:
    caller = call()
    answerer, _ = answer(caller)
    assert caller.received(answerer.take()) > 0
    assert answerer.received(caller.take()) > 0
    assert caller.received(answerer.take()) > 0
    last = caller.take()
    assert answerer.received(last + b"records") == len(last)
    assert caller.received(b"records") == 0


def test_the_info_hash_is_another_on_each_connection_and_finds_its_secret_among_many() -> None:
    table = secrets(*(bytes([number]) * 32 for number in range(50)))
    seen = set()
    for seed in range(20):
        theirs = parse(call(seed=seed).take())
        seen.add(theirs.info_hash)
        found = table.find(theirs)
        assert found is not None and found.name == "folder"
    assert len(seen) == 20


def test_what_was_overheard_opens_nothing() -> None:
    table = secrets()
    theirs = parse(call().take())
    assert table.find(theirs) is not None
    assert table.find(theirs) is None
    assert table.find(Handshake(theirs.info_hash, new_peer_id(Random(5)))) is None


def test_so_many_handshakes_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_SEEN", 3)
    table = secrets()
    handshakes = [parse(call(seed=seed).take()) for seed in range(5)]
    for theirs in handshakes:
        assert table.find(theirs) is not None
    assert len(table._seen) == 3
    assert table.find(handshakes[-1]) is None


def test_a_stranger_and_an_old_client_find_no_secret() -> None:
    table = secrets()
    assert table.find(Handshake(bytes(20), new_peer_id(Random(3)))) is None
    theirs = parse(call(secret=bytes(32)).take())
    assert table.find(theirs) is None
    known = parse(call().take())
    assert table.find(Handshake(known.info_hash, known.peer_id, extension=False)) is None


def test_so_many_secrets_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_SECRETS", 2)
    table = Secrets[int]()
    table.put(1, bytes(32))
    table.put(2, SECRET)
    table.put(2, SECRET)
    with pytest.raises(LimitError):
        table.put(3, SECRET)
    assert table.drop(1) is not None and table.drop(1) is None
    table.put(3, SECRET)
    assert len(table) == 2 and 3 in table
    with pytest.raises(UsageError):
        table.put(3, b"short")


def test_keys_of_a_secret_are_as_the_documentation_says_and_are_not_shown() -> None:
    keys = MeetingKeys.of(SECRET)
    # HKDF of RFC 5869 with an empty salt, as the standard library computes it.
    extracted = hmac.digest(bytes(32), SECRET, "sha256")
    assert keys.hs == hmac.digest(extracted, b"hs\1", "sha256") == derive(SECRET, "hs")
    assert keys.psk == hmac.digest(extracted, b"psk\1", "sha256")
    assert keys.mse == hmac.digest(extracted, b"mse\1", "sha256")[:20]
    assert keys.info_hash(b"p" * 20) == hmac.digest(keys.hs, b"p" * 20, "sha256")[:20]
    assert repr(keys) == "MeetingKeys()"


def test_who_knows_the_info_hash_and_not_the_secret_gets_no_answer_to_its_first_message() -> None:
    genuine = call()
    answerer, _ = answer(genuine)
    forger = call(secret=bytes(32))
    forger.greeting = genuine.greeting
    forger.take()
    forger.received(answerer.take())
    with pytest.raises(RemoteError):
        answerer.received(forger.take())
    assert answerer.take() == b""
    assert answerer.opened is None


def test_a_device_does_not_meet_itself() -> None:
    caller = Caller("mine", MeetingKeys.of(SECRET), OTHER, new_peer_id(Random(1)))
    answerer, _ = answer(caller)
    with pytest.raises(RemoteError, match="itself"):
        play(caller, answerer)


@pytest.mark.parametrize("peers", [
    b"\x13BitTorrent protocoX" + bytes(48),
    Handshake(bytes(20), b"p" * 20).to_bytes(),
    b"HTTP/1.1 200 OK\r\n",
])
def test_a_caller_that_is_answered_by_something_else_goes(peers: bytes) -> None:
    caller = call()
    caller.take()
    with pytest.raises(RemoteError):
        caller.received(peers)


def test_a_caller_goes_where_wb_noise_is_not_spoken() -> None:
    for greeting, payload in (
        (Handshake(call().greeting[28:48], b"p" * 20, extension=False).to_bytes(), b""),
        (Handshake(call().greeting[28:48], b"p" * 20).to_bytes(), codec.extended(0, b"d1:md6:ut_pexi1eee")),
    ):
        caller = call()
        caller.take()
        with pytest.raises(RemoteError, match="wb_noise"):
            caller.received(greeting + payload)


@pytest.mark.parametrize("said", [
    codec.plain(codec.HAVE_NONE) + bytes(1),
    codec.extended(3, b"de"),
    codec.extended(1, bytes(48)) + codec.extended(0, b"d1:md8:wb_noisei1eee"),
    codec.extended(0, b"d1:md8:wb_noisei1eee") * 2,
    codec.extended(0, b"x" * 3000),
    bytes(6),
    (1 << 31).to_bytes(4, "big") + b"\x14\0",
    codec.extended(0, b"not a dictionary"),
])
def test_messages_that_belong_to_no_opening_end_it(said: bytes) -> None:
    answerer, _ = answer(call())
    answerer.take()
    with pytest.raises((FormatError, RemoteError)):
        answerer.received(said)


def test_a_hello_is_bounded_on_both_sides() -> None:
    with pytest.raises(UsageError):
        call(hello=bytes(limits.SYNC_HELLO_BYTES + 1))
    caller = call(hello=bytes(limits.SYNC_HELLO_BYTES))
    answerer, _ = answer(caller)
    caller._hello = bytes(limits.SYNC_HELLO_BYTES + 1)
    with pytest.raises(LimitError):
        play(caller, answerer)


@given(st.binary(max_size=300))
@examples(max_examples=80)
def test_nothing_but_a_remote_error_comes_out(data: bytes) -> None:
    caller = call()
    answerer, _ = answer(caller)
    for side in (caller, answerer):
        side.take()
        try:
            assert 0 <= side.received(data) <= len(data)
        except RemoteError:
            assert side.opened is None


def test_a_second_implementation_of_noise_opens_by_the_documentation_alone() -> None:
    """The caller is written here from docs/sync-protocol.md, over dissononce."""
    dh = import_module("dissononce.dh.x25519.x25519").X25519DH()
    private = import_module("dissononce.dh.x25519.private").PrivateKey
    impl = "dissononce.processing.impl"
    state = import_module(f"{impl}.handshakestate").HandshakeState(
        import_module(f"{impl}.symmetricstate").SymmetricState(
            import_module(f"{impl}.cipherstate").CipherState(
                import_module("dissononce.cipher.chachapoly").ChaChaPolyCipher()),
            import_module("dissononce.hash.sha256").SHA256Hash()),
        dh)
    pattern = import_module("dissononce.processing.handshakepatterns.interactive.XX").XXHandshakePattern()
    psk0 = import_module("dissononce.processing.modifiers.psk").PSKPatternModifier(0).modify(pattern)

    extracted = hmac.digest(b"", SECRET, "sha256")
    hs, psk = (hmac.digest(extracted, label + b"\1", "sha256") for label in (b"hs", b"psk"))
    peer_id = b"-XX0001-anotherclien"
    info_hash = hmac.digest(hs, peer_id, "sha256")[:20]
    theirs = parse(b"\x13BitTorrent protocol" + b"\0\0\0\0\0\x10\0\0" + info_hash + peer_id)
    found = secrets().find(theirs)
    assert found is not None
    ours = Answerer(found, OTHER, theirs, b"-WB0100-abcdefghijkl", b"hello")
    said = ours.take()
    assert said[28:48] == info_hash and said[LENGTH:] == b"\0\0\0\x16\x14\0d1:md8:wb_noisei1eee"

    state.initialize(
        psk0, True, b"wb_noise 1" + info_hash + peer_id + said[48:68], s=dh.generate_keypair(private(bytes([7]) * 32)),
        psks=[psk])

    def extended(number: int, payload: bytes) -> bytes:
        return (2 + len(payload)).to_bytes(4, "big") + bytes((20, number)) + payload

    first, read, third = bytearray(), bytearray(), bytearray()
    state.write_message(b"", first)
    ours.received(extended(0, b"d1:md8:wb_noisei9eee") + extended(1, bytes(first)))
    said = ours.take()
    assert said[4:6] == b"\x14\x09"
    state.read_message(said[6:], read)
    assert read == b"hello"
    to_us, from_us = state.write_message(b"from another", third)
    ours.received(extended(1, bytes(third)))
    opened = ours.opened
    assert opened is not None and opened.hello == b"from another"
    assert opened.device == dh.generate_keypair(private(bytes([7]) * 32)).public.data
    assert state.rs.data == OTHER.public_key().public_bytes_raw()
    assert opened.ciphers.receive.decrypt(to_us.encrypt_with_ad(b"", b"there")) == b"there"
    assert from_us.decrypt_with_ad(b"", opened.ciphers.send.encrypt(b"back")) == b"back"
