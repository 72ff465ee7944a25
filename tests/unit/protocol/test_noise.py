"""Noise_XXpsk0_25519_ChaChaPoly_SHA256 against published vectors, against dissononce, and against what is broken."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from wildbach.base.errors import RemoteError, UsageError
from wildbach.protocol import noise
from wildbach.protocol.noise import Ciphers, CipherState, Handshake, NoiseError, RecordOpener, RecordSealer

PSK = b"a key that both sides know, 32 B"


class Vector(NamedTuple):
    prologue: bytes
    payloads: tuple[bytes, bytes, bytes]
    messages: tuple[str, str, str]


# The four of this pattern and suite in `vectors.txt` of github.com/flynn/noise: keys, then payloads and messages.
STATICS = bytes(range(0x20)), bytes(range(0x01, 0x21))
EPHEMERALS = bytes(range(0x20, 0x40)), bytes(range(0x41, 0x61))
PUBLISHED_PSK = b"!verysecretverysecretverysecret!"
AFTER = (
    (b"yellowsubmarine", "75fff8afebd2f14da1cac9cc5b5201395cdf2ad65f3a97804e360c16f4e2ac"),
    (b"submarineyellow", "150cc85f79f9ca0f0730b8b4707805ed1969ff6b2770a5d466cd2754802805"),
)
_NONE = (b"", b"", b"")
_SOME = (b"test_msg_0", b"test_msg_1", b"test_msg_2")
_E = "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254"
_ES = (
    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
    "22df46c0ac1e0fc71795a84e37cc0e963d131c8e84c02cd5cfcfe8def3fe128b"
)
_S = "462127adbe047db3d1fce0581b5447d99b606c591545a7719132e0c91fe93d12"
VECTORS = {
    "plain": Vector(b"", _NONE, (
        _E + "555f63b2499511e3b299a5649351a5b7",
        _ES + "324ab54fd3be59ac143dfdc68996211170078c960e051d6ed971da20bde0fcf1",
        _S + "3be3fe89ffd8af56e02cefda863080ecee5651dcecddde76b8237c66740d7c8f",
    )),
    "payloads": Vector(b"", _SOME, (
        _E + "7f533cf20723ac4407c8e51516d7c7382d8aa777424dba78813d",
        _ES + "1146c1820dc4d08bf16b5c682badf2ef2dc6c1642ae7e8ae8c8e1e38a06064341a604c21b70227181c04",
        _S + "2132c2cde2bc69209884f77756f265744111b0bfa4fdeb4704a42c7f8750279908327b545416cf81f828",
    )),
    "prologue": Vector(b"notsecret", _NONE, (
        _E + "54a218352d64c1f8c239416ccb542aec",
        _ES + "58733b0ab529b3f48ed3fbe90840f1a27404f52be696831ccb795d1bdee31d33",
        _S + "fb91ca67cf72f381bab072bd9e6efef157067416654408489b43ba2fb6173b66",
    )),
}


def key(raw: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(raw)


def public(raw: bytes) -> bytes:
    return key(raw).public_key().public_bytes_raw()


def sides(
    psk: bytes = PSK, other_psk: bytes | None = None, prologue: bytes = b"", other_prologue: bytes | None = None,
) -> tuple[Handshake, Handshake]:
    return (
        Handshake(True, psk, key(STATICS[0]), prologue),
        Handshake(
            False, psk if other_psk is None else other_psk, key(STATICS[1]),
            prologue if other_prologue is None else other_prologue,
        ),
    )


def shake(one: Handshake, other: Handshake) -> tuple[Ciphers, Ciphers]:
    other.read(one.write())
    one.read(other.write())
    other.read(one.write())
    return one.split(), other.split()


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name: str) -> None:
    vector = VECTORS[name]
    both = [
        Handshake(
            number == 0, PUBLISHED_PSK, key(STATICS[number]), vector.prologue, ephemeral=key(EPHEMERALS[number]))
        for number in (0, 1)
    ]
    for turn, (payload, message) in enumerate(zip(vector.payloads, vector.messages, strict=True)):
        writer, reader = both[turn % 2], both[1 - turn % 2]
        assert writer.writes and not reader.writes
        assert writer.write(payload).hex() == message
        assert reader.read(bytes.fromhex(message)) == payload
    assert both[0].done and both[1].done
    assert both[0].hash == both[1].hash
    assert both[0].remote_static == public(STATICS[1]) and both[1].remote_static == public(STATICS[0])
    ciphers = [side.split() for side in both]
    for turn, (plain, sealed) in enumerate(AFTER):
        sender, receiver = ciphers[turn], ciphers[1 - turn]
        assert sender.send.encrypt(plain).hex() == sealed
        assert receiver.receive.decrypt(bytes.fromhex(sealed)) == plain


def test_a_second_implementation_understands_each_message() -> None:
    x25519 = import_module("dissononce.dh.x25519.x25519")
    private = import_module("dissononce.dh.x25519.private").PrivateKey
    state = import_module("dissononce.processing.impl.handshakestate").HandshakeState
    symmetric = import_module("dissononce.processing.impl.symmetricstate").SymmetricState
    cipher = import_module("dissononce.processing.impl.cipherstate").CipherState
    chacha = import_module("dissononce.cipher.chachapoly").ChaChaPolyCipher
    sha256 = import_module("dissononce.hash.sha256").SHA256Hash
    pattern = import_module("dissononce.processing.handshakepatterns.interactive.XX").XXHandshakePattern
    modifier = import_module("dissononce.processing.modifiers.psk").PSKPatternModifier
    for initiator in (True, False):
        dh = x25519.X25519DH()
        foreign = state(symmetric(cipher(chacha()), sha256()), dh)
        foreign.initialize(
            modifier(0).modify(pattern()), not initiator, b"prologue",
            s=dh.generate_keypair(private(STATICS[1])), psks=[PSK])
        ours = Handshake(initiator, PSK, key(STATICS[0]), b"prologue")
        split: Any = None
        for turn in range(3):
            payload = b"payload" * turn
            if (turn % 2 == 0) == initiator:
                read = bytearray()
                split = foreign.read_message(ours.write(payload), read)
                assert bytes(read) == payload
            else:
                message = bytearray()
                split = foreign.write_message(payload, message)
                assert ours.read(message) == payload
        assert ours.remote_static == public(STATICS[1])
        assert foreign.rs.data == public(STATICS[0])
        assert ours.hash == foreign.symmetricstate.get_handshake_hash()
        assert split is not None
        first, second = split
        to_responder, to_initiator = first, second
        theirs_in, theirs_out = (to_responder, to_initiator) if initiator else (to_initiator, to_responder)
        ciphers = ours.split()
        for count in range(5):
            plain = bytes([count]) * 1000 * count
            assert theirs_in.decrypt_with_ad(b"", ciphers.send.encrypt(plain)) == plain
            assert ciphers.receive.decrypt(theirs_out.encrypt_with_ad(b"", plain)) == plain
            if count == 2:
                for one in (theirs_in, theirs_out):
                    # Its state does not keep the new key, and Noise takes the first 32 bytes of it.
                    one._key = chacha().rekey(one._key)[:32]
                ciphers.send.rekey()
                ciphers.receive.rekey()


@given(st.binary(max_size=300), st.binary(max_size=200))
@examples(max_examples=30)
def test_both_sides_agree_and_know_each_other(payload: bytes, prologue: bytes) -> None:
    one, other = sides(prologue=prologue)
    assert other.read(one.write(payload)) == payload
    assert one.read(other.write(payload[::-1])) == payload[::-1]
    assert other.read(one.write(payload)) == payload
    assert one.hash == other.hash
    assert (one.remote_static, other.remote_static) == (public(STATICS[1]), public(STATICS[0]))
    mine, theirs = one.split(), other.split()
    assert theirs.receive.decrypt(mine.send.encrypt(payload, b"ad"), b"ad") == payload
    assert mine.receive.decrypt(theirs.send.encrypt(payload)) == payload


def test_the_responder_refuses_the_first_message_of_who_does_not_know_the_key() -> None:
    one, other = sides(other_psk=bytes(32))
    with pytest.raises(NoiseError):
        other.read(one.write())
    with pytest.raises(UsageError):
        other.write()  # so its static key is never sent


def test_another_prologue_is_refused() -> None:
    one, other = sides(prologue=b"one", other_prologue=b"other")
    with pytest.raises(NoiseError):
        other.read(one.write())


@given(st.integers(0, 2), st.integers(0, 10_000), st.integers(1, 255))
@examples(max_examples=60)
def test_a_changed_bit_in_any_message_is_refused(turn: int, at: int, change: int) -> None:
    pair = sides()
    for number in range(3):
        message = bytearray(pair[number % 2].write(b"payload"))
        if number == turn:
            at %= len(message)
            message[at] ^= change
            # The top bit of a public key is ignored by X25519, and yet the hash of the handshake covers it.
            with pytest.raises(RemoteError):
                pair[1 - number % 2].read(message)
            return
        pair[1 - number % 2].read(message)


@given(st.integers(0, 2), st.integers(0, 96))
@examples(max_examples=60)
def test_a_message_cut_short_is_refused(turn: int, length: int) -> None:
    pair = sides()
    for number in range(turn):
        pair[1 - number % 2].read(pair[number % 2].write())
    whole = pair[turn % 2].write()
    reader = pair[1 - turn % 2]
    with pytest.raises(NoiseError):
        reader.read(whole[: min(length, len(whole) - 1)])
    with pytest.raises(NoiseError, match="turn"):
        reader.read(whole)  # no second try


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), (2**255 - 20).to_bytes(32, "little"),
                                   (2**255 - 19).to_bytes(32, "little"), (2**255 - 18).to_bytes(32, "little")])
def test_points_whose_secret_is_all_zeros_are_refused(point: bytes) -> None:
    one, other = sides()

    class Degenerate:
        def public_key(self) -> X25519PublicKey:
            return X25519PublicKey.from_public_bytes(point)

    one._ephemeral = Degenerate()  # type: ignore[assignment]  # no honest key has such a public half
    other.read(one.write())
    with pytest.raises(NoiseError, match="no honest side"):
        other.write()


def test_calls_out_of_turn_are_refused() -> None:
    one, other = sides()
    with pytest.raises(UsageError):
        other.write()
    with pytest.raises(NoiseError):
        one.read(bytes(48))
    with pytest.raises(UsageError):
        one.split()
    with pytest.raises(UsageError):
        _ = one.hash
    one, other = sides()
    shake(one, other)
    with pytest.raises(UsageError):
        one.split()
    with pytest.raises(NoiseError):
        one.read(bytes(48))
    with pytest.raises(UsageError):
        Handshake(True, b"short", key(STATICS[0]))
    with pytest.raises(UsageError):
        Handshake(True, PSK, key(STATICS[0])).write(bytes(65_500))


def test_a_key_ends_before_its_numbers_do() -> None:
    cipher = CipherState(bytes(32))
    cipher.count = (1 << 64) - 2
    cipher.encrypt(b"the last one")
    with pytest.raises(NoiseError, match="one key"):
        cipher.encrypt(b"too many")
    assert "00" not in repr(cipher)


def record_pair() -> tuple[RecordSealer, RecordOpener]:
    mine, theirs = shake(*sides())
    return RecordSealer(mine.send), RecordOpener(theirs.receive)


def sealed(sealer: RecordSealer, plain: bytes) -> bytearray:
    out = bytearray(sealer.size(len(plain)))
    assert sealer.seal(memoryview(plain), memoryview(out)) == len(out)
    return out


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=5), st.integers(1, 100_000))
@examples(max_examples=25)
def test_records_come_out_as_they_went_in_however_they_are_parted(sizes: list[int], step: int) -> None:
    sealer, opener = record_pair()
    plain = [bytes([number]) * size for number, size in enumerate(sizes)]
    stream = b"".join(sealed(sealer, part) for part in plain)
    kept, got = b"", b""
    for start in range(0, len(stream), step):
        kept += stream[start : start + step]
        out = bytearray(len(kept))
        used, filled = opener.open(memoryview(kept), memoryview(out))
        got += out[:filled]
        kept = kept[used:]
        if len(kept) >= 2:
            assert opener.missing == 2 + int.from_bytes(kept[:2], "big") - len(kept)
    assert got == b"".join(plain) and not kept


def test_keys_change_and_both_sides_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "REKEY_RECORDS", 3)
    sealer, opener = record_pair()
    keys = set()
    for number in range(10):
        keys.add(opener._cipher._key)
        data = sealed(sealer, bytes([number]) * 10)
        out = bytearray(len(data))
        assert opener.open(memoryview(data), memoryview(out)) == (len(data), 10)
        assert out[:10] == bytes([number]) * 10
    assert len(keys) == 4


@given(st.binary(max_size=100), st.integers(0, 10_000), st.integers(1, 255))
@examples(max_examples=60)
def test_a_changed_record_is_refused(plain: bytes, at: int, change: int) -> None:
    sealer, opener = record_pair()
    data = sealed(sealer, plain + b"x")
    data[at % len(data)] ^= change
    stream = data + sealed(sealer, bytes(70_000))
    with pytest.raises(NoiseError):
        opener.open(memoryview(stream), memoryview(bytearray(len(stream))))


def test_records_in_another_order_or_twice_are_refused() -> None:
    sealer, opener = record_pair()
    first, second = sealed(sealer, b"first"), sealed(sealer, b"second")
    with pytest.raises(NoiseError):
        opener.open(memoryview(second), memoryview(bytearray(100)))
    sealer, opener = record_pair()
    first = sealed(sealer, b"first")
    twice = first + first
    with pytest.raises(NoiseError):
        opener.open(memoryview(twice), memoryview(bytearray(len(twice))))


def test_an_empty_record_is_refused() -> None:
    _, opener = record_pair()
    with pytest.raises(NoiseError, match="empty"):
        opener.open(memoryview(b"\x00\x10" + bytes(16)), memoryview(bytearray(18)))
