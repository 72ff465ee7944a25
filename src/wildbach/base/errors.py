"""Errors say whose fault it is; each has a stable `code` and carries its facts as attributes.

Only these leave a public function. A bug is never one of them. Exceptions of libraries and of the operating system
are translated once, at the edge where they occur.
"""

from __future__ import annotations

from typing import ClassVar


class WildbachError(Exception):
    """Base of everything wildbach raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        return self.message


class RemoteError(WildbachError):
    """The other side broke a rule: drop it, and blame it where there is proof."""

    code = "remote_error"


class FormatError(RemoteError):
    """Bytes that do not follow their format. `where` names the key or the offset that is wrong."""

    code = "bad_format"

    def __init__(self, message: str, *, where: str = "", **facts: object) -> None:
        super().__init__(f"{where}: {message}" if where else message, where=where, **facts)
        self.where = where


class LimitError(FormatError):
    """Well-formed, but larger than a limit of `base.limits` permits. The message names the limit."""

    code = "over_limit"


class NetworkError(WildbachError):
    """A connection or a name failed: try again later, with back-off."""

    code = "network_error"

    def __init__(self, message: str, *, code: str | None = None, **facts: object) -> None:
        super().__init__(message, **facts)
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may name a finer code than its class


class StorageError(WildbachError):
    """The disk said no: the torrent stops and shows the reason. `errno` is the system's number or 0."""

    code = "storage_error"

    def __init__(self, message: str, *, path: str = "", errno: int = 0, code: str | None = None) -> None:
        super().__init__(message, path=path, errno=errno)
        self.path = path
        self.errno = errno
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may name a finer code than its class


class UsageError(WildbachError):
    """The caller asked for something that cannot be: an HTTP 4xx, or exit code 2 on the command line."""

    code = "usage_error"

    def __init__(self, message: str, *, code: str | None = None, **facts: object) -> None:
        super().__init__(message, **facts)
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may name a finer code than its class
