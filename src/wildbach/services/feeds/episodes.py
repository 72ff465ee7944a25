"""Which episode a title is of: the episode filter of a rule, and the names by which episodes are remembered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from wildbach.base.errors import FormatError
from wildbach.services.feeds import patterns

_FILTER: Final = re.compile(r"(\d{1,4})x([^x]*);", re.ASCII)
_PART: Final = re.compile(r"(\d{1,9})(?:(-)(\d{1,9})?)?", re.ASCII)
_IN_TITLE: Final = re.compile(
    r"(?<![a-z0-9])s(\d{1,5})[ ._-]?e(\d{1,5})(?!\d)|(?<![a-z0-9])(\d{1,4})x(\d{1,5})(?!\d)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """Episodes of one season; an open range goes on into later seasons."""

    season: int
    ranges: tuple[tuple[int, int | None], ...]
    "First and last episode; None for no last one."

    @classmethod
    def parse(cls, text: str) -> EpisodeFilter:
        """`1x2;8-15;30-;`: season 1, episodes 2, 8 to 15, and from 30 on. Raises FormatError."""
        found = _FILTER.fullmatch(text.strip())
        if found is None:
            raise FormatError("not of the form 1x2;8-15;30-; (each part ends with a semicolon)", where="episode filter")
        ranges: list[tuple[int, int | None]] = []
        for part in found[2].split(";"):
            part = part.strip()
            if not part:
                continue
            one = _PART.fullmatch(part)
            if one is None:
                raise FormatError(f"{part[:20]!r} is neither an episode nor a range", where="episode filter")
            first = int(one[1])
            ranges.append((first, int(one[3]) if one[3] else None if one[2] else first))
        return cls(int(found[1]), tuple(ranges))

    def takes(self, season: int, episode: int) -> bool:
        for first, last in self.ranges:
            if last is None and (season > self.season or (season == self.season and episode >= first)):
                return True
            if last is not None and season == self.season and first <= episode <= last:
                return True
        return False


@lru_cache(2000)
def filter_of(text: str) -> EpisodeFilter:
    """Raises FormatError."""
    return EpisodeFilter.parse(text)


def in_title(title: str) -> list[tuple[int, int]]:
    """Season and episode, as in `S01E02`, `s1 e2` or `1x02`; all that the title names."""
    return [(int(a or c), int(b or d)) for a, b, c, d in _IN_TITLE.findall(title)]


def name_of(title: str, expressions: Sequence[str]) -> str:
    """The episode by which the smart filter remembers: `1x2`, `2026.11.26`; empty where the title is of none.

    Raises BadPattern or SlowPattern.
    """
    if not expressions:
        return ""
    found = patterns.expression(_joined(tuple(expressions))).groups(title)
    return "x".join(str(int(text)) if _is_number(text) else text for text in found or ())


@lru_cache(16)
def _joined(expressions: tuple[str, ...]) -> str:
    return rf"(?:_|\b)(?:{'|'.join(f'(?:{one})' for one in expressions)})(?:_|\b)"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
