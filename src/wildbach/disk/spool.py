"""Rows of bytes that wait until they are all there: few are in memory, many in a file without a name, which goes when
the process does.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from wildbach.base.errors import StorageError
from wildbach.disk.system import storage_error

_MEMORY: Final = 256 * 1024
"Bytes that are not worth a file."
_ROW: Final = 4


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Spool:
    """In the order in which they were added. Blocks; raises StorageError. `folder`: where the file is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.size = 0
        "Bytes, with what each row costs."

    def add(self, rows: Iterable[bytes]) -> None:
        """After an error nothing is in it any more: how much was written is not known."""
        packed = b"".join(len(row).to_bytes(_ROW, "big") + row for row in rows)
        if not packed:
            return
        try:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - `clear` closes it
                    max_size=_MEMORY, mode="w+b", dir=str(self._folder))
            self._file.write(packed)
        except OSError as error:
            self.clear()
            raise storage_error(error, "write", str(self._folder)) from error
        self.size += len(packed)

    def rows(self) -> Iterator[bytes]:
        """All of them. Nothing is added meanwhile. Raises StorageError, code `damaged`, where the disk gives less."""
        file = self._file
        if file is None:
            return
        try:
            file.seek(0)
            try:
                yield from rows_of(file, self.size)
            finally:
                file.seek(0, os.SEEK_END)
        except OSError as error:
            raise storage_error(error, "read", str(self._folder)) from error

    def clear(self) -> None:
        """Idempotent; it can be added to again."""
        file, self._file = self._file, None
        self.size = 0
        if file is not None:
            # What is in it is not wanted any more, also where it cannot be written.
            with contextlib.suppress(OSError):
                file.close()


def rows_of(file: _Reads, size: int) -> Iterator[bytes]:
    """The rows in the next `size` bytes of a file. Raises StorageError, code `damaged`, where it is not made of rows:
    one that is missing would never be sent again.
    """
    left = size
    while left:
        head = file.read(_ROW)
        length = int.from_bytes(head, "big")
        left -= _ROW + length
        # Looked at before it is read, as memory is taken for it at once.
        row = file.read(length) if len(head) == _ROW and left >= 0 else b""
        if left < 0 or len(head) < _ROW or len(row) < length:
            raise StorageError("rows that wait on the disk cannot be read", code="damaged")
        yield row
