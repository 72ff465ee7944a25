"""Small files that come from other devices, in bundles. Large ones have swarms of their own (`transfers`)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError
from wildbach.base.ids import DeviceId
from wildbach.protocol import layers
from wildbach.protocol.sync.entries import EntryKind
from wildbach.protocol.sync.listpages import Page
from wildbach.protocol.sync.roster import Cut
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.sync.planner import Act, Op
from wildbach.services.sync.session import Link

T = TypeVar("T")

SMALL: Final = 256 * 1024
"Bytes of a file that comes in a bundle."
_GROUP_BYTES: Final = 8 * limits.MIB
_GROUP_OPS: Final = 512
_KEPT: Final = 8192
"Contents that came and are not used yet."
_AT_ONCE: Final = 4
"Bundles that are asked for before the first is here."

PATIENCE_SECONDS: Final = 2.0
"Without any answer, after which the folder goes on and others are asked."
_LATE_SECONDS: Final = 600.0
"In which a device is not asked that did not answer at all."

File = tuple[bytes, int]
"Root and size."


def is_small(op: Op) -> bool:
    """Its content has to come, and comes in a bundle."""
    entry = op.entry
    return (
        op.act in (Act.INSTALL, Act.COPY) and op.source is None and entry is not None
        and entry.kind is EntryKind.FILE and 0 < entry.size <= SMALL)


@dataclass(slots=True, eq=False)
class _Coming:
    """One content that was asked for and is not here."""

    file: File
    links: list[Link]
    "Who may have it, in the order in which they are asked."
    asked: set[Link] = field(default_factory=set)
    pending: set[Link] = field(default_factory=set)
    "Those of them whose answer is to come."
    paths: set[str] = field(default_factory=set)
    "To be looked at when it is here, as nobody waits for it any more."


class Fetching:
    """Of one folder. Each bundle is a task: who does not answer holds up nobody else. What is not here in a moment is
    asked of others as well, and comes when it comes (`late`); meanwhile the folder goes on.
    """

    def __init__(
        self, threads: Threads, scope: Scope, wake: Callable[[], None], report: Callable[[Exception], None]
    ) -> None:
        self._threads = threads
        self._scope = scope
        self._wake = wake
        self._report = report
        self._refusing: dict[DeviceId, float] = {}
        "Until when each is not asked."
        self._slow: set[DeviceId] = set()
        "Those that let us wait, until they answer."
        self._late: set[DeviceId] = set()
        "Those that let us wait for a page of a list."
        self._coming: dict[File, _Coming] = {}
        self._asked: dict[DeviceId, int] = {}
        "Bytes that each was asked for."
        self._turns: dict[Link, asyncio.Semaphore] = {}
        self._came: dict[bytes, bytes] = {}
        self._kept = 0
        self._nowhere: set[File] = set()
        "Who could have them did not send them; whoever asks next is told so, once."
        self._paths: deque[str] = deque()
        self._later: deque[str] = deque()
        "Those whose contents wait for room."
        self._new: dict[Link, list[_Coming]] = {}
        "To be asked for."
        self._news = asyncio.Event()
        self._over = False

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

    async def small(self, ops: Sequence[Op], order: Callable[[Op], list[Link]]) -> tuple[dict[bytes, bytes], set[File]]:
        """Contents of small files by their roots, each checked; and which are late. Others nobody has who is connected.
        """
        # A writer may have signed a true root with a false size, so what is asked for is both.
        wanted: dict[File, set[str]] = {}
        late: set[File] = set()
        for op in ops:
            if not is_small(op) or op.entry is None:
                continue
            file = op.entry.root, op.entry.size
            wanted.setdefault(file, set()).add(op.path)
            if file in self._coming or file[0] in self._came:
                continue
            if file in self._nowhere:
                self._nowhere.discard(file)
                continue
            links = sorted(filter(self._answers, order(op)), key=lambda each: each.device in self._slow)
            if not links:
                continue
            there = next((each for each in links if self._has_room(each.device, file[1])), None)
            if there is None:
                late.add(file)
                self._later.append(op.path)
                continue
            one = self._coming[file] = _Coming(file, links)
            self._note(one, there)
        self._ask_all()
        await self._patience([file for file in wanted if file in self._coming])
        found: dict[bytes, bytes] = {}
        for file, paths in wanted.items():
            coming = self._coming.get(file)
            if coming is not None:
                coming.paths |= paths
                late.add(file)
            elif file[0] in self._came:
                found[file[0]] = raw = self._came.pop(file[0])
                self._kept -= len(raw)
            else:
                self._nowhere.discard(file)
        return found, late

    def take_arrived(self) -> list[str]:
        """Paths to be looked at again: their late contents are here, or nobody has them, or there is room to ask."""
        found = list(self._paths)
        self._paths.clear()
        return found

    def _has_room(self, device: DeviceId, size: int) -> bool:
        return self._asked.get(device, 0) + size <= _GROUP_BYTES or device not in self._slow

    async def _patience(self, files: list[File]) -> None:
        """Until they are here, or whoever has them lets us wait."""
        while waiting := [
                one for file in files if (one := self._coming.get(file)) is not None
                and any(each.device not in self._slow for each in one.pending)]:
            self._news.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                for one in waiting:
                    self._slow.update(each.device for each in one.pending)
                for one in waiting:
                    self._ask_another(one)
                self._ask_all()

    def _ask_another(self, one: _Coming) -> bool:
        found = next((each for each in one.links if each not in one.asked and self._answers(each)), None)
        if found is not None:
            self._note(one, found)
        return found is not None

    def _note(self, one: _Coming, link: Link) -> None:
        one.asked.add(link)
        one.pending.add(link)
        self._asked[link.device] = self._asked.get(link.device, 0) + one.file[1]
        self._new.setdefault(link, []).append(one)

    def _ask_all(self) -> None:
        new, self._new = self._new, {}
        for link, wanted in new.items():
            known = {one.file: one for one in wanted}
            for files in _bundles(known):
                self._scope.spawn("bundle", self._bundle(link, [known[each] for each in files]), contain=self._report)

    async def _bundle(self, link: Link, wanted: list[_Coming]) -> None:
        found: dict[bytes, bytes] = {}
        try:
            turn = self._turns.setdefault(link, asyncio.Semaphore(_AT_ONCE))
            await self._ask(link, [one.file for one in wanted], found, turn, limits.SYNC_BUNDLE_SECONDS)
        except asyncio.CancelledError:
            self._over = True
            raise
        finally:
            self._ended(link, wanted, found)

    def _ended(self, link: Link, wanted: list[_Coming], found: dict[bytes, bytes]) -> None:
        device = link.device
        self._asked[device] -= sum(one.file[1] for one in wanted)
        if not self._asked[device]:
            del self._asked[device]
            self._turns.pop(link, None)
        if found:
            self._slow.discard(device)
        for one in wanted:
            one.pending.discard(link)
            if self._coming.get(one.file) is not one:
                continue
            if one.file[0] in found:
                self._keep(one.file[0], found[one.file[0]])
            elif one.pending or (not self._over and self._ask_another(one)):
                continue
            else:
                self._nowhere.add(one.file)
            del self._coming[one.file]
            self._paths.extend(sorted(one.paths))
        if not self._over:
            self._ask_all()
        # Where nothing is asked of anybody, no other end would bring the rest.
        for _ in range(min(_GROUP_OPS, len(self._later)) if self._asked else len(self._later)):
            self._paths.append(self._later.popleft())
        self._news.set()
        if self._paths:
            self._wake()

    def _keep(self, root: bytes, raw: bytes) -> None:
        """Until it is taken. What is not taken, as it is wanted no more, makes room for others."""
        if root not in self._came:
            self._came[root] = raw
            self._kept += len(raw)
        while self._kept > 2 * _GROUP_BYTES or len(self._came) > _KEPT:
            self._kept -= len(self._came.pop(next(iter(self._came))))

    async def page(self, links: Sequence[Link], cut: Cut, number: int) -> Page | None:
        """A page of a list of what was accepted, checked; None where nobody has it. Who let us wait for one is waited
        for when the others were asked.
        """
        for seconds in (PATIENCE_SECONDS, limits.SYNC_BUNDLE_SECONDS):
            for link in links:
                if not self._answers(link) or (seconds == PATIENCE_SECONDS and link.device in self._late):
                    continue
                came = await self._answer(link, link.page(cut.root, cut.count, number), seconds)
                if came is None:
                    self._late.add(link.device)
                elif came.content:
                    if await self._threads.run(_is_page, came, cut, number):
                        return came
                    link.session.close(RemoteError("sent another page of a list than its root says"))
        return None

    def _answers(self, link: Link) -> bool:
        return asyncio.get_running_loop().time() >= self._refusing.get(link.device, 0.0)

    async def _ask(
        self, link: Link, files: list[File], found: dict[bytes, bytes], turn: asyncio.Semaphore, seconds: float
    ) -> None:
        async with turn:
            came = await self._answer(link, link.bundle(files), seconds)
        if came is None:
            return
        good = await self._threads.run(_good, files, came)
        found.update(good)
        if len(good) < sum(map(bool, came)):
            link.session.close(RemoteError("sent another content than its hash says"))

    async def _answer(self, link: Link, asked: Coroutine[Any, Any, T], seconds: float) -> T | None:
        """None where there is none in time, or ever. Who does not answer for long is left."""
        try:
            async with asyncio.timeout(seconds):
                return await asked
        except TimeoutError:
            if seconds >= limits.SYNC_BUNDLE_SECONDS:
                self._refusing[link.device] = asyncio.get_running_loop().time() + _LATE_SECONDS
                link.session.close(NetworkError("sent no files that were asked for", code="timed_out"))
        except (NetworkError, RemoteError):
            pass
        return None


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


def _is_page(page: Page, cut: Cut, number: int) -> bool:
    try:
        page.check(cut, number)
    except FormatError:
        return False
    return True
