"""Keys in files under a passphrase, and recovery keys on paper."""

from __future__ import annotations

import contextlib
from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.protocol import bencode
from wildbach.protocol.keyfile import KeyCopy, of_words, seal, to_words, unseal

COPY = KeyCopy("news", bytes(range(32)), bytes(range(32, 64)))
SEALED = seal(COPY, "correct horse", bytes(16), bytes(12))


def changed(**fields: bencode.Value) -> str:
    """The file with other fields outside the box."""
    first, _, body = SEALED.partition("\n")
    outer = bencode.decode(b64decode(body))
    assert isinstance(outer, dict)
    return f"{first}\n" + b64encode(bencode.encode({**outer, **{k.encode(): v for k, v in fields.items()}})).decode()


def test_what_is_sealed_comes_back_by_its_passphrase_alone() -> None:
    assert unseal(SEALED, "correct horse") == COPY
    with pytest.raises(UsageError) as caught:
        unseal(SEALED, "correct horsf")
    assert caught.value.code == "wrong_passphrase"
    assert COPY.secret.hex() not in SEALED and all(len(line) <= 76 for line in SEALED.splitlines())


def test_a_file_survives_what_mail_does_to_text() -> None:
    assert unseal("\r\n  " + SEALED.replace("\n", "\r\n") + "\r\n\r\n", "correct horse") == COPY


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(UsageError, match="passphrase"):
        seal(COPY, "", bytes(16), bytes(12))


def test_how_the_passphrase_is_stretched_cannot_be_changed() -> None:
    how = bencode.encode({b"n": 2, b"salt": bytes(16)})
    with pytest.raises(UsageError) as caught:
        unseal(changed(how=how), "correct horse")
    assert caught.value.code == "wrong_passphrase"


@pytest.mark.parametrize("cost", [0, 1, 3, limits.KEY_SCRYPT_COST * 2, 1 << 40, -8])
def test_no_file_makes_us_work_more_than_the_limit(cost: int) -> None:
    with pytest.raises(LimitError):
        unseal(changed(how=bencode.encode({b"n": cost, b"salt": bytes(16)})), "x")


@pytest.mark.parametrize("text", [
    "", "wildbach-key 2\nAAAA", "wildbach-key 1", "wildbach-key 1\n****", changed(nonce=b"short"), changed(box=5),
    changed(how=b"de"), changed(how=b"x"),
])
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        unseal(text, "x")


def test_a_file_that_is_too_long_is_not_read() -> None:
    with pytest.raises(LimitError):
        unseal(SEALED + " " * limits.KEY_FILE_BYTES, "correct horse")


def test_the_words_of_a_recovery_key_are_for_hands_and_eyes() -> None:
    words = to_words(bytes(range(32)))
    assert words == "wbr-0400-20g3-0g2g-c1r8-1450-p30d-1r7h-048j-2ca1-a5gq-30ch-m6rw-3mf1-ye17"
    assert of_words(words) == bytes(range(32))
    assert of_words(words.upper().replace("-", " ").replace("0", "O").replace("1", "l")) == bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
def test_words_come_back(secret: bytes) -> None:
    assert of_words(to_words(secret)) == secret


@given(st.binary(min_size=32, max_size=32), st.integers(4, 72), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
def test_one_wrong_letter_is_found(secret: bytes, at: int, letter: str) -> None:
    words = to_words(secret)
    if words[at] == "-" or words[at] == letter:
        return
    try:
        found = of_words(words[:at] + letter + words[at + 1 :])
    except UsageError as error:
        assert error.code == "wrong_words"
        return
    # A checksum of 16 bits lets one in 65,000 through; then it is another key, which the public half tells.
    assert found != secret


@pytest.mark.parametrize("text", ["", "wbr", "wbr-" + "u" * 56, "0" * 56, "x" * 5000, "wbr-" + "é" * 56])
def test_what_are_no_words_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        of_words(text)
    assert caught.value.code == "wrong_words"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (of_words, lambda body: unseal("wildbach-key 1\n" + body, "x")):
        with contextlib.suppress(FormatError, UsageError):
            read(text)
