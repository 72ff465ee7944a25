"""Small files that came, written to the disk by several threads at once, before they get their names one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from wildbach.base.errors import StorageError
from wildbach.disk.folder.install import Installer
from wildbach.disk.folder.staging import Staged
from wildbach.protocol.sync.entries import Entry
from wildbach.runtime.workers import Threads
from wildbach.services.sync.fetching import is_small
from wildbach.services.sync.planner import Op

THREADS: Final = 8
_SHARE: Final = 16
"Files that a thread writes before it looks for more."

Written: TypeAlias = dict[str, Staged | StorageError]
"By the path that each is for; what is not used is to be discarded."


class Stager:
    """Of one folder."""

    def __init__(self) -> None:
        self._threads = Threads(THREADS, "stage")

    def close(self) -> None:
        self._threads.close()

    async def write(self, ops: Sequence[Op], content: Mapping[bytes, bytes], installer: Installer) -> Written:
        """Those of the operations that put a small file in place whose content is here."""
        new = [op for op in ops if is_small(op) and op.entry is not None
               and len(content.get(op.entry.root, b"")) == op.entry.size]
        found: Written = {}
        for part in await asyncio.gather(*(
                self._threads.run(_written, new[at : at + _SHARE], content, installer)
                for at in range(0, len(new), _SHARE))):
            found.update(part)
        return found


def discard(written: Written) -> None:
    """What was not used."""
    for each in written.values():
        if isinstance(each, Staged):
            each.discard()


def _written(ops: Sequence[Op], content: Mapping[bytes, bytes], installer: Installer) -> Written:
    return {op.path: _one(op.entry, content, installer) for op in ops if op.entry is not None}


def _one(entry: Entry, content: Mapping[bytes, bytes], installer: Installer) -> Staged | StorageError:
    try:
        staged = installer.staging.file()
    except StorageError as error:
        return error
    try:
        staged.write(0, content[entry.root])
        installer.seal(staged, size=entry.size, mtime_ns=entry.mtime_ns, executable=entry.executable)
    except StorageError as error:
        staged.discard()
        return error
    return staged
