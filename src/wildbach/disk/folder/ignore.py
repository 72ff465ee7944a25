"""What is not kept the same: patterns in the syntax of gitignore(5).

`.wbignore` is this device's own and never sent; `.wbignore.shared` is an ordinary file of the folder and comes first,
so that a device can take back with `!` what all leave out. Both stand at the top alone. Before them comes what
Syncthing keeps for itself in a folder that is or was its. Matching is by characters, not bytes, with case. Each
pattern becomes a regular expression that never goes back over what it matched, so no pattern takes longer than its
length times that of the path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import LimitError
from wildbach.disk.folder.fs import Fs
from wildbach.disk.folder.local import IGNORE, IGNORE_SHARED
from wildbach.disk.folder.staging import doing

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "\\x21-\\x7e", "lower": "a-z", "print": "\\x20-\\x7e",
    "punct": "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e", "space": " \\t-\\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}
_SYNCTHING: Final = (".stfolder", ".stversions", ".stignore")
_OF_SYNCTHING: Final = b"/.stfolder\n/.stversions\n/.stignore\n.syncthing.*.tmp\n~syncthing~*.tmp\n"
"What Syncthing keeps for itself in a folder that it has as well, or had."
_NEVER: Final = "(?!)"
_ANY: Final = "[^/]"


class _Wrong(Exception):
    """A pattern that matches nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line."""

    line: int
    "From 1."
    text: str
    negated: bool
    folders_only: bool
    anchored: bool
    "It is matched with the whole path, else with the last name."
    regex: re.Pattern[str]
    literal: str = ""
    "A name without special characters, for a quick look."
    suffix: str = ""
    "`*` and a text without special characters."

    def matches(self, path: str, name: str, folder: bool) -> bool:
        if self.folders_only and not folder:
            return False
        if self.literal:
            return name == self.literal
        if self.suffix:
            return name.endswith(self.suffix)
        return self.regex.fullmatch(path if self.anchored else name) is not None


class Ignores:
    """The rules of a folder; the last that matches decides. A directory that is ignored ends the matter for all below
    it, as in git.
    """

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self.rules = rules
        self._backwards = tuple(reversed(rules))
        self._files = _Quick([rule for rule in rules if not rule.folders_only])
        self._folders = _Quick(rules)

    @classmethod
    def parse(cls, *texts: str | bytes) -> Ignores:
        """Of `.wbignore.shared`, then of `.wbignore`. Raises LimitError; every line is a pattern of some kind."""
        rules: list[Rule] = []
        for text in texts:
            raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
            if len(raw) > limits.SYNC_IGNORE_BYTES:
                raise LimitError(f"patterns are longer than SYNC_IGNORE_BYTES = {limits.SYNC_IGNORE_BYTES}")
            decoded = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
            for number, line in enumerate(decoded.split("\n"), 1):
                rule = _rule(line.removesuffix("\r"), number)
                if rule is not None:
                    rules.append(rule)
        if len(rules) > limits.SYNC_IGNORE_RULES:
            raise LimitError(f"more than SYNC_IGNORE_RULES = {limits.SYNC_IGNORE_RULES} patterns")
        return cls(tuple(rules))

    def ignored(self, path: str, *, folder: bool) -> bool:
        """For any path, with all directories above it."""
        if not self.rules:
            return False
        parts = path.split("/")
        at = ""
        for depth, part in enumerate(parts):
            at = f"{at}/{part}" if at else part
            if self.here(at, folder=folder or depth < len(parts) - 1):
                return True
        return False

    def here(self, path: str, *, folder: bool) -> bool:
        """The same where no directory above it is ignored."""
        rule = self.rule(path, folder=folder)
        return rule is not None and not rule.negated

    def rule(self, path: str, *, folder: bool) -> Rule | None:
        """The rule that decides, to show it to who asks why."""
        name = path.rpartition("/")[2]
        if not (self._folders if folder else self._files).may_match(path, name):
            return None
        for rule in self._backwards:
            if rule.matches(path, name, folder):
                return rule
        return None


def read(fs: Fs) -> Ignores:
    """The patterns of a folder as they stand on its disk now; none where there are no files of them.

    Raises StorageError where one cannot be read (a link, no permission) and LimitError where it is too long: a scan
    without the patterns would send what should stay here.
    """
    syncthing = _OF_SYNCTHING if any(_there(fs, name) for name in _SYNCTHING) else b""
    return Ignores.parse(syncthing, *(text(fs, path) for path in (IGNORE_SHARED, IGNORE)))


def _there(fs: Fs, name: str) -> bool:
    try:
        fs.lstat(name)
    except OSError:
        return False
    return True


def text(fs: Fs, path: str) -> bytes:
    """One file of patterns as it stands, cut where it is too long; empty where there is none. Raises StorageError, also
    for a link: another device may have made it, and it could lead to any file of this machine.
    """
    with doing("read", path):
        try:
            handle = fs.open_read(path)
        except FileNotFoundError:
            return b""
        try:
            view = memoryview(bytearray(limits.SYNC_IGNORE_BYTES + 1))
            return bytes(view[: fs.read_into(handle, 0, view)])
        finally:
            fs.close(handle)


class _Quick:
    """Whether any rule matches, in a few steps however many there are: most paths are named by none."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._literals = frozenset(rule.literal for rule in rules if rule.literal)
        self._suffixes = tuple(rule.suffix for rule in rules if rule.suffix)
        plain = [rule for rule in rules if not rule.literal and not rule.suffix]
        self._names = _either([rule for rule in plain if not rule.anchored])
        self._paths = _either([rule for rule in plain if rule.anchored])

    def may_match(self, path: str, name: str) -> bool:
        return (
            name in self._literals or name.endswith(self._suffixes)
            or (self._names is not None and self._names.fullmatch(name) is not None)
            or (self._paths is not None and self._paths.fullmatch(path) is not None)
        )


def _either(rules: Sequence[Rule]) -> re.Pattern[str] | None:
    sources = dict.fromkeys(rule.regex.pattern for rule in rules if rule.regex.pattern != _NEVER)
    return re.compile("|".join(f"(?:{source})" for source in sources), re.DOTALL) if sources else None


def _rule(line: str, number: int) -> Rule | None:
    text = line
    if not text or text.startswith("#"):
        return None
    text = _trimmed(text)
    negated = text.startswith("!")
    pattern = text[1:] if negated else text
    folders_only = pattern.endswith("/")
    if folders_only:
        pattern = pattern[:-1]
    anchored = "/" in pattern
    if anchored:
        pattern = pattern.removeprefix("/")
    elif not pattern:
        return None
    literal = suffix = ""
    if not anchored and not _special(pattern):
        literal = pattern
    elif not anchored and pattern.startswith("*") and len(pattern) > 1 and not _special(pattern[1:]):
        suffix = pattern[1:]
    try:
        source = _whole(pattern) if anchored else _segment(pattern)
    except _Wrong:
        source = _NEVER
    return Rule(number, line, negated, folders_only, anchored, re.compile(source, re.DOTALL), literal, suffix)


def _special(text: str) -> bool:
    return any(char in "*?[\\" for char in text)


def _trimmed(text: str) -> str:
    """Without the spaces at the end that no backslash stands before."""
    at, last = 0, len(text)
    space = -1
    while at < last:
        if text[at] == " ":
            space = at if space < 0 else space
        else:
            space = -1
            if text[at] == "\\":
                at += 1
        at += 1
    return text if space < 0 else text[:space]


def _whole(pattern: str) -> str:
    """A pattern with slashes. Runs of names between `**` are looked for from the left, each once."""
    parts = pattern.split("/")
    if any(not part for part in parts):
        raise _Wrong
    runs: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(part)
    out: list[str] = []
    for number, run in enumerate(runs):
        segments = "/".join(_segment(part) for part in run)
        last = number == len(runs) - 1
        if number == 0:
            out.append(segments + ("/" if run and not last else ""))
        elif not run:
            # `**` beside `**`, or at the end: there it is at least one name.
            out.append(".+" if last else "")
        elif last:
            out.append(f"(?:{_ANY}+/)*(?:{segments})")
        else:
            out.append(f"(?>(?:{_ANY}+/)*?{segments}/)")
    return "".join(out)


def _segment(text: str) -> str:
    """A pattern of one name. What stands between stars is looked for from the left, each once."""
    chunks: list[list[str]] = [[]]
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            chunks.append([])
        elif char == "?":
            chunks[-1].append(_ANY)
        elif char == "[":
            source, at = _bracket(text, at)
            chunks[-1].append(source)
        elif char == "\\":
            if at == len(text):
                raise _Wrong
            chunks[-1].append(re.escape(text[at]))
            at += 1
        else:
            chunks[-1].append(re.escape(char))
    first, *rest = ["".join(chunk) for chunk in chunks]
    if not rest:
        return first
    middle = "".join(f"(?>{_ANY}*?{chunk})" for chunk in rest[:-1] if chunk)
    # The last ends with the name, so it is looked for from there backwards.
    return f"{first}{middle}(?>{_ANY}*{rest[-1]}(?=/|\\Z))" if rest[-1] else f"{first}{middle}{_ANY}*"


def _bracket(text: str, at: int) -> tuple[str, int]:
    """A bracket expression whose `[` was before `at`; its source, and where it ends."""
    negated = text[at : at + 1] in ("!", "^")
    at += negated
    out: list[str] = []
    begin = at
    while True:
        if at >= len(text):
            raise _Wrong
        char = text[at]
        if char == "]" and at > begin:
            break
        if char == "[" and text[at + 1 : at + 2] == ":":
            end = text.find("]", at + 2)
            if end < 0:
                raise _Wrong
            if text[end - 1] == ":" and end - 1 >= at + 2:
                name = text[at + 2 : end - 1]
                if name not in _CLASSES:
                    raise _Wrong
                out.append(_CLASSES[name])
                at = end + 1
                continue
        low, at = _one(text, at)
        if text[at : at + 1] == "-" and at + 1 < len(text) and text[at + 1] != "]":
            high, at = _one(text, at + 1)
            # git takes the first of a range by itself before it sees that there is one.
            out.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else re.escape(low))
        else:
            out.append(re.escape(low))
    if not out:
        return (_ANY if negated else _NEVER), at + 1
    body = "".join(out)
    return (f"(?:(?!/)[^{body}])" if negated else f"(?:(?!/)[{body}])"), at + 1


def _one(text: str, at: int) -> tuple[str, int]:
    if text[at] == "\\":
        at += 1
        if at >= len(text):
            raise _Wrong
    return text[at], at + 1
