"""What a tracker that does not serve everybody lets in: lists of torrents, and users known by a key in the URL.

A file has one entry a line; behind the first blank, and on lines that begin with `#`, stand remarks. It is read again
when it changed; where it cannot be read then, the old list stays.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wildbach.base import limits
from wildbach.base.errors import UsageError

_KEY_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_KEY_SIZE = range(8, 129)


class Refused(Exception):
    """Not allowed here; the text is for the client."""


def parse_hashes(text: str, name: str) -> frozenset[bytes]:
    """Info hashes: 40 hexadecimal digits, or 64 of a v2 hash, which trackers cut to 40. Raises UsageError."""
    out = set()
    for number, word in _entries(text):
        try:
            raw = bytes.fromhex(word)
        except ValueError:
            raw = b""
        if len(raw) not in (20, 32):
            raise UsageError(f"{name}, line {number}: not an info hash of 40 or 64 hexadecimal digits")
        out.add(raw[:20])
    return frozenset(out)


def parse_users(text: str, name: str) -> frozenset[str]:
    """Keys of users: 8 to 128 letters, digits, `-` and `_`. Raises UsageError."""
    out = set()
    for number, word in _entries(text):
        if len(word) not in _KEY_SIZE or not _KEY_CHARS.issuperset(word):
            raise UsageError(f"{name}, line {number}: a key has 8 to 128 letters, digits, '-' or '_'")
        out.add(word)
    return frozenset(out)


def _entries(text: str) -> list[tuple[int, str]]:
    lines = enumerate(text.splitlines(), 1)
    return [(number, line.split()[0]) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the lists are; None for no such list."""

    allow: Path | None = None
    deny: Path | None = None
    users: Path | None = None


class Access:
    """Decides for each announce. `reload` looks whether a file changed."""

    def __init__(self, files: Files | None = None) -> None:
        self._files = files or Files()
        self._allow: frozenset[bytes] | None = None
        self._deny: frozenset[bytes] = frozenset()
        self._users: frozenset[str] | None = None
        self._stamps: dict[Path, tuple[int, int, int]] = {}
        self.restricted = any((self._files.allow, self._files.deny, self._files.users))
        self.trouble = ""
        "Why the newest form of a list is not used; empty where it is."
        if self.restricted:
            self._load()

    @property
    def private(self) -> bool:
        """Whether only users are served. A scrape by datagram has no place for a key, so there are none then."""
        return self._users is not None

    def admit(self, info_hash: bytes, path: str) -> None:
        """Raises Refused. `path` is that of the URL, whose first part is the key of a user."""
        if self._users is not None and self.key(path) not in self._users:
            raise Refused("this tracker is private: the URL has no valid key")
        if not self.listed(info_hash):
            raise Refused("this tracker does not serve this torrent")

    def listed(self, info_hash: bytes) -> bool:
        """Whether the lists of torrents allow this one."""
        return info_hash not in self._deny and (self._allow is None or info_hash in self._allow)

    def known(self, path: str) -> bool:
        """Whether the URL's key is a user's, or none is needed."""
        return self._users is None or self.key(path) in self._users

    @staticmethod
    def key(path: str) -> str:
        """`/KEY/announce` has the key; empty where there is none."""
        parts = path.split("/", 2)
        return parts[1] if len(parts) == 3 and not parts[0] else ""

    def reload(self) -> bool:
        """Read again what changed; true where something did. An unreadable file leaves the old list."""
        if not self.restricted:
            return False
        try:
            changed = any(self._stamps.get(path) != _stamp(path) for path in self._paths())
            if not changed:
                return False
            self._load()
        except UsageError as error:
            self.trouble = error.message
            return False
        self.trouble = ""
        return True

    def _paths(self) -> list[Path]:
        return [path for path in (self._files.allow, self._files.deny, self._files.users) if path is not None]

    def _load(self) -> None:
        stamps = {path: _stamp(path) for path in self._paths()}
        files = self._files
        allow = None if files.allow is None else parse_hashes(_read(files.allow), str(files.allow))
        deny = frozenset[bytes]() if files.deny is None else parse_hashes(_read(files.deny), str(files.deny))
        users = None if files.users is None else parse_users(_read(files.users), str(files.users))
        self._allow, self._deny, self._users, self._stamps = allow, deny, users, stamps


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> str:
    if _stamp(path)[1] > limits.TRACKER_SERVER_LIST_BYTES:
        raise UsageError(f"{path}: longer than TRACKER_SERVER_LIST_BYTES")
    try:
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
