"""Patterns that users write, bounded: none can hold up anything for longer than FEED_PATTERN_SECONDS.

A wildcard pattern becomes a regular expression that never goes back: after `*` the first place that fits is as good as
any later one, because what stands between two stars always has the same length. A regular expression of a user can be
as slow as it likes; it is stopped. Searches let go of the interpreter, so in a thread they hold up nobody.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import regex

from wildbach.base import limits
from wildbach.base.errors import UsageError

_TOKENS: Final = re.compile(r"\\.|\(\?#[^)]*\)|\{\s*(\d+)[^{}]*\}|.", re.DOTALL)
_VERBOSE: Final = re.compile(r"\(\?[A-Za-z0-9]*x")
_FLAGS: Final = regex.IGNORECASE | regex.VERSION0


class BadPattern(UsageError):
    """It is no regular expression."""

    code = "bad_pattern"


class SlowPattern(UsageError):
    """It took longer than FEED_PATTERN_SECONDS with a title."""

    code = "slow_pattern"


class Pattern:
    """Found anywhere in a title, in capitals or not."""

    def __init__(self, expression: str) -> None:
        """Raises BadPattern."""
        if len(expression) > limits.FEED_PATTERN_CHARS:
            raise BadPattern(f"the pattern is longer than FEED_PATTERN_CHARS = {limits.FEED_PATTERN_CHARS}")
        if _written_out(expression) > 2 * limits.FEED_PATTERN_CHARS:
            raise BadPattern("the pattern repeats too much")
        try:
            self._compiled = regex.compile(expression, _FLAGS, cache_pattern=False)
        except (regex.error, OverflowError, ValueError) as error:
            raise BadPattern(f"the pattern cannot be read: {error}") from None
        except (RecursionError, MemoryError):
            raise BadPattern("the pattern is too large") from None

    def groups(self, title: str) -> list[str] | None:
        """What the groups hold that took part, or None where it is not found. Raises SlowPattern."""
        try:
            found = self._compiled.search(title, timeout=limits.FEED_PATTERN_SECONDS)
        except TimeoutError:
            raise SlowPattern(f"the pattern took more than {limits.FEED_PATTERN_SECONDS:g} s with one title") from None
        except (MemoryError, RecursionError):
            raise SlowPattern("the pattern takes too much memory") from None
        return None if found is None else [text for text in found.groups() if text]

    def found_in(self, title: str) -> bool:
        """Raises SlowPattern."""
        return self.groups(title) is not None


def _written_out(text: str) -> int:
    """About how long an expression is when what is repeated is written out, as the library does before it searches:
    `(?:a{9}){9}` is 81. Where it is not clear what a repeat is of, of as much as it can be.
    """
    loose = _VERBOSE.search(text) is not None
    levels, last = [0], 0
    for found in _TOKENS.finditer(text):
        token = found[0]
        if found[1]:
            times = max(int(found[1][:9]), 1)
            part = levels[-1] if loose else last
            levels[-1] += part * (times - 1)
            last = part * times
        elif token.startswith("(?#") or token.isspace():
            continue  # nothing, or nothing in between
        elif token == "(":
            levels.append(0)
            last = 0
        elif token == ")":
            # One too many was no end but a character: then all so far may be in the group.
            last = max(levels.pop(), 1)
            levels = levels or [0]
            levels[-1] += last
        else:
            last = 1
            levels[-1] += 1
    return sum(levels)


@lru_cache(2000)
def expression(text: str) -> Pattern:
    """A regular expression. Raises BadPattern."""
    return Pattern(text)


@lru_cache(2000)
def wildcard(text: str) -> Pattern:
    """`*` for any characters, `?` for one, `[abc]` for one of these. Raises BadPattern."""
    return Pattern(_translated(text))


def _translated(text: str) -> str:
    parts = [""]
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            parts.append("")
        elif char == "?":
            parts[-1] += "."
        elif char == "[" and (end := text.find("]", at + 1)) > 0:
            inside = text[at:end]
            at = end + 1
            turned = inside[0] in "!^"
            members = inside[1:] if turned else inside
            if not members:
                parts[-1] += regex.escape(f"[{inside}]")
                continue
            escaped = "".join(f"\\{c}" if c in r"\]^[&~|" else c for c in members)
            parts[-1] += f"[{'^' if turned else ''}{escaped}]"
        else:
            parts[-1] += regex.escape(char)
    return parts[0] + "".join(f"(?>.*?{part})" for part in parts[1:] if part)
