"""The streams a process was started with, made fit for use: those that were closed, full, or have lost their reader."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Final

from wildbach.base.errors import StorageError

_STANDARD: Final = 3


def own() -> None:
    """Take over stdout and stderr, once, at the start of the process."""
    _occupy()
    sys.stdout = _taken(sys.stdout, 1, _refused)
    sys.stderr = _taken(sys.stderr, 2, _ignored)


def _occupy() -> None:
    """Give each standard descriptor that was closed a place where nothing goes: a file of a download that is opened
    first would get its number, and with it whatever is written there.
    """
    while True:
        fd = os.open(os.devnull, os.O_RDWR)
        if fd >= _STANDARD:
            os.close(fd)
            return


def _refused(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise error
    raise StorageError(f"cannot write to stdout: {error.strerror}", errno=error.errno or 0) from error


def _ignored(error: OSError) -> None:
    """There is no place left to complain."""


class _Out(io.RawIOBase):
    """Writes to a descriptor until that fails. Then the failure is told once and nothing more is written, so that what
    still stands in a buffer at the end of the process does not fail again.
    """

    def __init__(self, raw: io.FileIO, failed: Callable[[OSError], None]) -> None:
        self._raw = raw
        self._failed = failed
        self._broken = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def write(self, data: object, /) -> int | None:
        view = memoryview(data)  # type: ignore[arg-type]  # RawIOBase takes any buffer, which 3.11 cannot name
        if self._broken:
            return view.nbytes
        try:
            return self._raw.write(view)
        except OSError as error:
            self._broken = True
            self._failed(error)
        return view.nbytes


def _taken(stream: object, fd: int, failed: Callable[[OSError], None]) -> io.TextIOWrapper:
    raw: object = None
    if isinstance(stream, io.TextIOWrapper):
        raw = getattr(stream.buffer, "raw", stream.buffer)  # unbuffered, it is the same
        if not isinstance(raw, io.FileIO):
            return stream  # a console of Windows, which has its own ways
        stream.flush()
        encoding = stream.encoding
        buffered = stream.line_buffering
    else:
        raw = io.FileIO(fd, "w", closefd=False)
        encoding, buffered = "utf-8", False
    return io.TextIOWrapper(
        io.BufferedWriter(_Out(raw, failed)), encoding=encoding, errors="backslashreplace", line_buffering=buffered,
    )
