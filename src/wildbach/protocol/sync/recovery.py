"""The recovery key of a folder: what stands above all owners, kept off every device as 24 words (BIP-39) or in a file.

It is made with the folder. A device that has it for a moment can put itself in the place of owners that are lost.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mnemonic import Mnemonic

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.sync.secrets import Secret, derive

WORDS: Final = 24
_FIRST: Final = "wildbach-sync-recovery 1"
_LIST: Final = Mnemonic("english")


class RecoveryKey(Secret):
    """32 random bytes. Raises FormatError for another number of them."""

    __slots__ = ()

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(derive(self.raw, "recovery sign"))

    @property
    def public(self) -> bytes:
        """32 bytes, which stand in rosters."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def words(self) -> tuple[str, ...]:
        """24 of them, to be shown once and written down."""
        return tuple(_LIST.to_mnemonic(self.raw).split())

    @classmethod
    def of_words(cls, text: str) -> RecoveryKey:
        """However they were typed. Raises UsageError, code `wrong_words`, which says where, and none of the words."""
        if len(text) > limits.WALLET_PHRASE_CHARS:
            raise UsageError(f"this is longer than {WORDS} words", code="wrong_words")
        words = text.lower().split()
        if len(words) != WORDS:
            raise UsageError(f"a recovery key has {WORDS} words, not {len(words)}", code="wrong_words")
        known = set(_LIST.wordlist)
        unknown = [str(number) for number, word in enumerate(words, 1) if word not in known]
        if unknown:
            raise UsageError(f"not in the list of words: word {', '.join(unknown)}", code="wrong_words")
        if not _LIST.check(" ".join(words)):
            raise UsageError("the words do not belong together: one is wrong, or two changed places",
                             code="wrong_words")
        return cls(bytes(_LIST.to_entropy(words)))

    def file(self) -> str:
        """The same as a text for a file that is kept elsewhere."""
        return f"{_FIRST}\n{' '.join(self.words())}\n"

    @classmethod
    def of_file(cls, text: str) -> RecoveryKey:
        """What `file` wrote. Raises UsageError, code `wrong_words`."""
        first, _, rest = text.strip().partition("\n")
        if first.strip() != _FIRST:
            raise UsageError("this file holds no recovery key of a folder", code="wrong_words")
        return cls.of_words(rest)
