"""Rows of bytes that wait until they are all there: few are in memory, many in a file without a name, which goes when
the process does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from wildbach.disk.system import storage_error

_MEMORY: Final = 256 * 1024
"Bytes that are not worth a file."
_ROW: Final = 4


class Spool:
    """In the order in which they were added. Blocks; raises StorageError. `folder`: where the file is made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.size = 0
        "Bytes, with what each row costs."

    def add(self, rows: Iterable[bytes]) -> None:
        packed = b"".join(len(row).to_bytes(_ROW, "big") + row for row in rows)
        if not packed:
            return
        try:
            if self._file is None:
                self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - `clear` closes it
                    max_size=_MEMORY, mode="w+b", dir=str(self._folder))
            self._file.write(packed)
        except OSError as error:
            raise storage_error(error, "write", str(self._folder)) from error
        self.size += len(packed)

    def rows(self) -> Iterator[bytes]:
        """All of them. Nothing is added meanwhile."""
        file = self._file
        if file is None:
            return
        try:
            file.seek(0)
            try:
                while head := file.read(_ROW):
                    yield file.read(int.from_bytes(head, "big"))
            finally:
                file.seek(0, os.SEEK_END)
        except OSError as error:
            raise storage_error(error, "read", str(self._folder)) from error

    def clear(self) -> None:
        """Idempotent; it can be added to again."""
        file, self._file = self._file, None
        self.size = 0
        if file is not None:
            file.close()
