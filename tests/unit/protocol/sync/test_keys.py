"""Keys of devices, secrets of folders, boxes, and the recovery key."""

from __future__ import annotations

import pickle
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rosterbed import RECOVERY, keys_of

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol.sync.devices import Device, DeviceKeys, check_name, signed_by
from wildbach.protocol.sync.recovery import RecoveryKey
from wildbach.protocol.sync.sealing import OVERHEAD, seal, unseal
from wildbach.protocol.sync.secrets import ReadSecret, StoreSecret, Token, derive

SECRET = ReadSecret(b"s" * 32)


def test_a_device_is_its_seed() -> None:
    keys = keys_of("a")
    again = DeviceKeys(keys.seed)
    assert again.public == keys.public
    assert keys.id == sha256(keys.public.signing + keys.public.exchange).digest()[:16]
    assert Device.unpack(keys.public.pack()) == keys.public
    assert keys.public.verify(keys.sign(b"x"), b"x")
    assert not keys.public.verify(keys.sign(b"x"), b"y")
    assert keys.static.public_key().public_bytes_raw() == keys.public.exchange
    assert keys.signing.public_key().public_bytes_raw() == keys.public.signing
    with pytest.raises(UsageError):
        DeviceKeys(b"short")


@pytest.mark.parametrize("secret", [keys_of("a"), SECRET, SECRET.store, Token(b"t" * 32), RECOVERY], ids=repr)
def test_a_secret_says_nothing_of_itself(secret: object) -> None:
    raw = secret.seed if isinstance(secret, DeviceKeys) else secret.raw  # type: ignore[attr-defined]  # all others
    for shown in (repr(secret), str(secret), f"{[secret]}"):
        assert raw.hex() not in shown
        assert repr(raw)[2:10] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secrets_are_equal_where_they_are_the_same_of_one_kind() -> None:
    assert ReadSecret(b"s" * 32) == SECRET
    assert StoreSecret(b"s" * 32) != SECRET
    assert hash(ReadSecret(b"s" * 32)) == hash(SECRET)
    with pytest.raises(FormatError):
        ReadSecret(b"short")
    with pytest.raises(UsageError):
        derive(b"short", "x")


def test_what_is_derived_is_another_for_each_use() -> None:
    store = SECRET.store
    made = {
        SECRET.raw, store.raw, SECRET.cfg, store.cfg, derive(store.raw, "hs"), derive(store.raw, "psk"),
        derive(store.raw, "mse"), Token(SECRET.raw).hash}
    assert len(made) == 8
    assert len(SECRET.commit) == 16
    assert SECRET.commit == store.commit


def test_secrets_are_derived_as_they_were_in_the_first_version() -> None:
    assert SECRET.store.raw.hex() == derive(SECRET.raw, "store").hex()
    assert SECRET.store.raw.hex() == "78333859210246472ca5848b4d189a4960f10aabf3d18e64e3c793eda5aa95ae"
    assert SECRET.commit.hex() == "190f14cb611240499823539540abc1c3"
    assert keys_of("a").id.hex() == "b8ebcdff7db44b8a866714786b657e12"


def test_an_older_secret_is_opened_by_who_has_the_newer_one() -> None:
    older = ReadSecret(b"o" * 32)
    box = SECRET.seal_older(older)
    assert SECRET.open_older(older.commit, box) == older
    for newer, commit, changed in (
        (older, older.commit, box), (SECRET, SECRET.commit, box), (SECRET, older.commit, box[:-1] + b"\0"),
    ):
        with pytest.raises(FormatError):
            newer.open_older(commit, changed)


def test_a_box_is_for_one_device_and_one_context() -> None:
    a, b = keys_of("a"), keys_of("b")
    box = seal(a.public, b"plain", b"here", Random(1).randbytes)
    assert len(box) == 5 + OVERHEAD
    assert unseal(a, box, b"here") == b"plain"
    for keys, context in ((b, b"here"), (a, b"there")):
        with pytest.raises(FormatError):
            unseal(keys, box, context)
    assert seal(a.public, b"plain", b"here", Random(2).randbytes) != box


@given(st.binary(max_size=120))
def test_bytes_are_no_box(raw: bytes) -> None:
    with pytest.raises(FormatError):
        unseal(keys_of("a"), raw, b"here")


@pytest.mark.parametrize("exchange", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"short"])
def test_a_key_with_which_every_secret_is_the_same_is_no_devices(exchange: bytes) -> None:
    with pytest.raises(FormatError):
        Device(keys_of("a").public.signing, exchange)


def test_what_is_no_key_signed_nothing() -> None:
    assert not signed_by(b"\xff" * 32, bytes(64), b"x")
    assert not signed_by(b"short", bytes(64), b"x")
    assert not signed_by(keys_of("a").public.signing, b"", b"x")


def test_names_are_for_people() -> None:
    assert check_name("Büro 2") == "Büro 2"
    with pytest.raises(LimitError):
        check_name("x" * (limits.SYNC_NAME_CHARS + 1))
    for bad in ("a\nb", "\x1b[31m", "\u202e", "a\0"):
        with pytest.raises(FormatError):
            check_name(bad)


def test_a_recovery_key_comes_back_from_paper_and_from_its_file() -> None:
    words = RECOVERY.words()
    assert len(words) == 24
    assert RecoveryKey.of_words("  ".join(words).upper() + "\n") == RECOVERY
    assert RecoveryKey.of_file(RECOVERY.file()) == RECOVERY
    assert signed_by(RECOVERY.public, RECOVERY.sign(b"x"), b"x")


def test_what_was_mistyped_is_told_and_not_repeated() -> None:
    words = list(RECOVERY.words())
    for wrong, told in (
        (words[:-1], "24 words, not 23"), (["wrongword", *words[1:]], "word 1"),
        ([words[1], words[0], *words[2:]], "belong together"), (["x" * 3000], "longer"),
    ):
        with pytest.raises(UsageError, match=told) as caught:
            RecoveryKey.of_words(" ".join(wrong))
        assert caught.value.code == "wrong_words"
        assert not any(word in str(caught.value).split() for word in wrong if len(word) > 5)
    with pytest.raises(UsageError, match="no recovery key"):
        RecoveryKey.of_file("something else\n" + " ".join(words))
