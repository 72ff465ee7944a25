"""Small files that come from other devices, in bundles. Large ones have swarms of their own (`transfers`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import DeviceId
from wildbach.protocol import layers
from wildbach.protocol.sync.entries import EntryKind
from wildbach.runtime.workers import Threads
from wildbach.services.sync.planner import Act, Op
from wildbach.services.sync.session import Link

SMALL: Final = 256 * 1024
"Bytes of a file that comes in a bundle."
_GROUP_BYTES: Final = 8 * limits.MIB
_GROUP_OPS: Final = 512
_AT_ONCE: Final = 4
"Bundles that are asked for before the first is here."

_LATE_SECONDS: Final = 600.0
"In which a device is not asked that did not answer: the folder waits for answers."

File = tuple[bytes, int]
"Root and size."


def is_small(op: Op) -> bool:
    """Its content has to come, and comes in a bundle."""
    entry = op.entry
    return (
        op.act in (Act.INSTALL, Act.COPY) and op.source is None and entry is not None
        and entry.kind is EntryKind.FILE and 0 < entry.size <= SMALL)


class Fetching:
    """Of one folder."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._late: dict[DeviceId, float] = {}
        "Until when each is not asked."

    def groups(self, ops: Sequence[Op]) -> Iterator[list[Op]]:
        """Runs of operations whose small contents are held in memory together."""
        group: list[Op] = []
        size = 0
        for op in ops:
            if is_small(op) and op.entry is not None:
                size += op.entry.size
            group.append(op)
            if size >= _GROUP_BYTES or len(group) >= _GROUP_OPS:
                yield group
                group, size = [], 0
        if group:
            yield group

    async def small(self, ops: Sequence[Op], order: Callable[[Op], list[Link]]) -> dict[bytes, bytes]:
        """Contents of small files by their roots, each checked. What is missing nobody has who is connected."""
        # A writer may have signed a true root with a false size, so what is asked for is both.
        asked: dict[Link, dict[File, None]] = {}
        wanted: dict[File, list[Link]] = {}
        for op in ops:
            if not is_small(op) or op.entry is None or (op.entry.root, op.entry.size) in wanted:
                continue
            file = op.entry.root, op.entry.size
            links = wanted[file] = [each for each in order(op) if self._answers(each)]
            if links:
                asked.setdefault(links[0], {})[file] = None
        found: dict[bytes, bytes] = {}
        tried: dict[File, set[Link]] = {}
        while asked:
            turn = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(
                self._ask(link, files, found, turn)
                for link, each in asked.items() for files in _bundles(each)))
            again: dict[Link, dict[File, None]] = {}
            for link, each in asked.items():
                for file in each:
                    if file[0] in found:
                        continue
                    tried.setdefault(file, set()).add(link)
                    other = next((each for each in wanted[file] if each not in tried[file]), None)
                    if other is not None:
                        again.setdefault(other, {})[file] = None
            asked = again
        return found

    async def accepted(self, link: Link, file: File) -> bytes:
        """A list of what was accepted, checked; empty where the other side has it not."""
        found: dict[bytes, bytes] = {}
        if not self._answers(link):
            return b""
        await self._ask(link, [file], found, asyncio.Semaphore(1))
        return found.get(file[0], b"")

    def _answers(self, link: Link) -> bool:
        return asyncio.get_running_loop().time() >= self._late.get(link.device, 0.0)

    async def _ask(self, link: Link, files: list[File], found: dict[bytes, bytes], turn: asyncio.Semaphore) -> None:
        try:
            async with turn, asyncio.timeout(limits.SYNC_BUNDLE_SECONDS):
                came = await link.bundle(files)
        except TimeoutError:
            # The folder waits for it: whoever does not answer holds up nobody else.
            self._late[link.device] = asyncio.get_running_loop().time() + _LATE_SECONDS
            link.session.close(NetworkError("sent no files that were asked for", code="timed_out"))
            return
        except (NetworkError, RemoteError):
            return
        good = await self._threads.run(_good, files, came)
        found.update(good)
        if len(good) < sum(map(bool, came)):
            link.session.close(RemoteError("sent another content than its hash says"))


def _bundles(wanted: Iterable[File]) -> Iterator[list[File]]:
    files: list[File] = []
    size = 0
    for root, each in wanted:
        if files and (size + each > limits.SYNC_BUNDLE_BYTES or len(files) >= limits.SYNC_BUNDLE_FILES):
            yield files
            files, size = [], 0
        files.append((root, each))
        size += each
    if files:
        yield files


def _good(files: Sequence[File], came: Sequence[bytes]) -> dict[bytes, bytes]:
    """Of what came, what is what it should be."""
    return {
        root: raw for (root, _), raw in zip(files, came, strict=True)
        if raw and layers.file_root(layers.leaf_hashes(raw)) == root}
