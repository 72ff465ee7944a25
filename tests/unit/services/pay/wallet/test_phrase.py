"""The words of a wallet, beside the package that other wallets use."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from wildbach.services.pay.wallet.phrase import BadPhrase, Phrase

JUNK = "test test test test test test test test test test test junk"
ENTROPIES = st.sampled_from([16, 20, 24, 28, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


def test_the_published_vectors_give_their_words_and_seeds() -> None:
    # Trezor's vectors of BIP-39, passphrase TREZOR.
    first = Phrase(bytes(16))
    assert " ".join(first.words()) == "abandon " * 11 + "about"
    assert first.seed("TREZOR").hex() == (
        "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141"
        "630c7a3c4ab7c81b2f001698e7463b04")
    assert " ".join(Phrase(bytes([0x7F] * 16)).words()) == (
        "legal winner thank year wave sausage worth useful legal winner thank yellow")


@given(ENTROPIES)
def test_words_are_as_the_package_has_them_and_read_back(entropy: bytes) -> None:
    phrase = Phrase(entropy)
    words = " ".join(phrase.words())
    assert words == Mnemonic("english").to_mnemonic(entropy)
    assert Phrase.parse(words).entropy == entropy
    assert Phrase.parse("  " + words.upper().replace(" ", "\n ") + "\t").entropy == entropy


@given(st.lists(st.sampled_from(Mnemonic("english").wordlist), min_size=12, max_size=12))
def test_what_is_taken_is_what_the_package_takes(words: list[str]) -> None:
    text = " ".join(words)
    try:
        Phrase.parse(text)
        taken = True
    except BadPhrase:
        taken = False
    assert taken == Mnemonic("english").check(text)


@given(st.text(max_size=200))
def test_anything_else_is_refused(text: str) -> None:
    try:
        phrase = Phrase.parse(text)
    except BadPhrase:
        return
    assert Phrase.parse(" ".join(phrase.words())).entropy == phrase.entropy


def test_a_wrong_word_is_told_by_its_place_and_not_shown() -> None:
    with pytest.raises(BadPhrase, match="word 3, 5") as caught:
        Phrase.parse(JUNK.replace("test test test test test", "test test secretword test otherword", 1))
    assert "secretword" not in str(caught.value)
    with pytest.raises(BadPhrase, match="not 11"):
        Phrase.parse("test " * 11)
    with pytest.raises(BadPhrase, match="belong together"):
        Phrase.parse("test " * 12)
    with pytest.raises(BadPhrase, match="longer"):
        Phrase.parse("test " * 100)


def test_written_again_is_the_same_words_alone() -> None:
    phrase = Phrase.parse(JUNK)
    assert phrase.is_written(JUNK.upper())
    assert not phrase.is_written("test " * 11)
    assert not phrase.is_written(" ".join(Phrase.random().words()))


@pytest.mark.parametrize("words", [12, 15, 18, 21, 24])
def test_new_words_are_of_the_length_that_was_asked_for_and_others_each_time(words: int) -> None:
    phrases = {Phrase.random(words).words() for _ in range(5)}
    assert len(phrases) == 5 and {len(one) for one in phrases} == {words}


def test_other_lengths_do_not_exist() -> None:
    for wrong in (0, 11, 13, 25):
        with pytest.raises(BadPhrase):
            Phrase.random(wrong)
    with pytest.raises(BadPhrase):
        Phrase(bytes(17))


def test_it_does_not_print_itself() -> None:
    phrase = Phrase.parse(JUNK)
    assert f"{phrase} {phrase!r}" == "Phrase(12 words) Phrase(12 words)"
    with pytest.raises(TypeError):
        pickle.dumps(phrase)
