"""Where words go: results and progress to stdout, errors to stderr; one JSON object a line where a program reads.

Errors name URLs, so users and passwords are taken out of all that goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping

from wildbach.base.errors import WildbachError
from wildbach.base.logins import hide_logins
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


_failures: list[str] = []
"What this command failed of, in the order in which it was said."


def begin() -> None:
    """A command begins."""
    _failures.clear()


def finished(code: Exit) -> None:
    """The last event of a command whose output is events; with the first failure, where one was said."""
    why = {"error": _failures[0]} if _failures else {}
    record({"event": "finished", "code": int(code), "meaning": code.name.lower(), **why})


def warn(words: str) -> None:
    print(f"wildbach: {hide_logins(words)}", file=sys.stderr, flush=True)


def fail(words: str) -> None:
    """Say what the command fails of."""
    note_failure(words)
    warn(words)


def note_failure(words: str) -> None:
    """Somebody else says it."""
    _failures.append(hide_logins(words))


def explain(error: WildbachError, of: str = "") -> Exit:
    """Say on stderr what went wrong (with the torrent of this name) and what to do; the exit code that fits."""
    fail(text.clean(f"{of}: {error.message}" if of else error.message))
    hint = hint_for(error)
    if hint:
        advise(hint)
    return code_for(error)


def advise(words: str) -> None:
    """What a person can do, below a `warn`."""
    print(f"  {words}", file=sys.stderr, flush=True)
