"""A passphrase that says nothing of itself where it is printed, logged, compared in a test or copied by pickle."""

from __future__ import annotations

from typing import Final

from wildbach.base.errors import UsageError

SHORTEST: Final = 8
_LONGEST: Final = 1024


class Passphrase:
    """What opens a keystore. Raises UsageError for an empty or endless one."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text or len(text) > _LONGEST:
            raise UsageError(f"a passphrase has 1 to {_LONGEST} characters", code="bad_passphrase")
        self._text = text

    def encoded(self) -> bytes:
        """UTF-8, as other programs stretch it."""
        return self._text.encode("utf-8", "surrogatepass")

    def check_strength(self) -> None:
        """For a keystore that is written. Raises UsageError."""
        if len(self._text) < SHORTEST:
            raise UsageError(f"a passphrase needs {SHORTEST} characters at least", code="weak_passphrase")

    def __repr__(self) -> str:
        return "Passphrase(…)"

    def __reduce__(self) -> str:
        raise TypeError("a passphrase is not pickled")
