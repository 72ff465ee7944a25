"""Where words go: results and progress to stdout, errors to stderr; one JSON object a line where a program reads."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from wildbach.base.errors import WildbachError
from wildbach.interfaces.cli import text
from wildbach.interfaces.cli.exits import Exit, code_for, hint_for


def is_live() -> bool:
    """True where a picture can be redrawn in place: a real terminal that is not `dumb`."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def line(words: str = "") -> None:
    """A line for a person. The caller cleans what it did not write itself."""
    print(words, flush=True)


def record(values: Mapping[str, object]) -> None:
    """One JSON object on one line; control and non-ASCII characters are written as escapes."""
    print(json.dumps(values, separators=(",", ":"), default=_plain), flush=True)


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def warn(words: str) -> None:
    print(f"wildbach: {words}", file=sys.stderr, flush=True)


def explain(error: WildbachError, of: str = "") -> Exit:
    """Say on stderr what went wrong (with the torrent of this name) and what to do; the exit code that fits."""
    warn(text.clean(f"{of}: {error.message}" if of else error.message))
    hint = hint_for(error)
    if hint:
        advise(hint)
    return code_for(error)


def advise(words: str) -> None:
    """What a person can do, below a `warn`."""
    print(f"  {words}", file=sys.stderr, flush=True)
