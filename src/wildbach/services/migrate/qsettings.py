"""The settings file of a Qt program (QSettings in its INI form): sections of `key=value`, values escaped."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,4}|.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def parse(data: bytes) -> dict[str, str]:
    """`section/key` and the value of each line that has one; other lines are passed over."""
    found: dict[str, str] = {}
    section = ""
    for line in data.decode("utf-8", "replace").splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line and line[0] not in ";#":
            key, _, value = line.partition("=")
            found[f"{section}/{key.strip()}"] = _plain(value.strip())
    return found


def _plain(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]

    def one(match: re.Match[str]) -> str:
        word = match[1]
        return chr(int(word[1:], 16)) if len(word) > 1 else _SHORT.get(word, word)

    return _ESCAPE.sub(one, value)
