"""The words that a wallet is written down as (BIP-39, English), in a type that does not print them."""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Final

from mnemonic import Mnemonic

from wildbach.base import limits
from wildbach.base.errors import FormatError

_ENTROPY: Final = (16, 20, 24, 28, 32)
_COUNTS: Final = (12, 15, 18, 21, 24)


class BadPhrase(FormatError):
    """These words are no wallet's. The message never has a word in it."""

    code = "bad_phrase"


class Phrase:
    """`entropy`: what the words stand for, 16 to 32 bytes. Raises BadPhrase."""

    __slots__ = ("_entropy",)

    def __init__(self, entropy: bytes) -> None:
        if len(entropy) not in _ENTROPY:
            raise BadPhrase("a wallet has 12, 15, 18, 21 or 24 words")
        self._entropy = entropy

    @classmethod
    def random(cls, words: int = 12) -> Phrase:
        if words not in _COUNTS:
            raise BadPhrase("a wallet has 12, 15, 18, 21 or 24 words")
        return cls(secrets.token_bytes(words * 4 // 3))

    @classmethod
    def parse(cls, text: str) -> Phrase:
        """Of what people write, in any case and with any space between. Raises BadPhrase, which names the place of a
        wrong word and not the word.
        """
        if len(text) > limits.WALLET_PHRASE_CHARS:
            raise BadPhrase("this is longer than 24 words")
        words = text.lower().split()
        if len(words) not in _COUNTS:
            raise BadPhrase(f"a wallet has 12, 15, 18, 21 or 24 words, not {len(words)}")
        places = _places()
        unknown = [number for number, word in enumerate(words, 1) if word not in places]
        if unknown:
            raise BadPhrase(f"not in the English list of BIP-39: word {', '.join(map(str, unknown))}")
        bits = 0
        for word in words:
            bits = bits << 11 | places[word]
        check = len(words) // 3
        entropy = (bits >> check).to_bytes(len(words) * 4 // 3, "big")
        if bits & (1 << check) - 1 != hashlib.sha256(entropy).digest()[0] >> 8 - check:
            raise BadPhrase("the words do not belong together: one is wrong, or two changed places")
        return cls(entropy)

    @property
    def entropy(self) -> bytes:
        """For whoever keeps it encrypted."""
        return self._entropy

    def words(self) -> tuple[str, ...]:
        """To be shown once, and written down."""
        return tuple(_list().to_mnemonic(self._entropy).split())

    def seed(self, extension: str = "") -> bytes:
        """64 bytes, the root of all keys. `extension`: a further word that some people add."""
        return Mnemonic.to_seed(" ".join(self.words()), extension)

    def is_written(self, text: str) -> bool:
        """Somebody typed these words again."""
        try:
            return secrets.compare_digest(Phrase.parse(text).entropy, self._entropy)
        except BadPhrase:
            return False

    def __repr__(self) -> str:
        return f"Phrase({len(self._entropy) * 3 // 4} words)"

    def __reduce__(self) -> str:
        raise TypeError("a phrase is not pickled")


@functools.cache
def _list() -> Mnemonic:
    return Mnemonic("english")


@functools.cache
def _places() -> dict[str, int]:
    return {word: number for number, word in enumerate(_list().wordlist)}
