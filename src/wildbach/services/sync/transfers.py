"""Large files of a folder, fetched and sent in swarms of their own (`engine.contents`) while the folder goes on.

What is fetched lies in `.wildbach/tmp` under its root. Of a file that only changed in places the rest is taken from the
old one. Whoever fetches gives on what is verified.

A content is its root and its size: a writer may have signed a true root with a false size, and nobody has that one.
What does not come gives way to what waits, and the authors of what waits take turns, so that no writer holds up others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import LimitError, NetworkError, StorageError, UsageError, WildbachError
from wildbach.base.ids import DeviceId
from wildbach.disk.folder.local import TMP
from wildbach.disk.folder.staging import Range, Staged, partial
from wildbach.disk.inplace import Look
from wildbach.disk.served import ServedFile
from wildbach.engine.contentid import ContentId
from wildbach.engine.contents import Contents, Fetch
from wildbach.net.mux import Channel
from wildbach.net.transport import Connection
from wildbach.protocol.sync.entries import Entry
from wildbach.protocol.sync.pieces import piece_length_for
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.sync.fetching import File
from wildbach.services.sync.giving import Giving, Held
from wildbach.services.sync.hands import Outcome, failed, file_of
from wildbach.services.sync.place import Place
from wildbach.services.sync.planner import Op, Why
from wildbach.services.sync.session import Link
from wildbach.services.sync.store import FolderStore

_AGAIN_SECONDS: Final = 3.0
"Before a device that has not all of a file is asked again."
_IDLE_SECONDS: Final = 20.0
"That a file is held open which nobody wants any more."
AT_ONCE: Final = 3
"Files that are fetched at a time."


@dataclass(slots=True)
class Coming:
    """One that is being fetched."""

    id: ContentId
    paths: set[str]
    author: DeviceId
    "Who signed the entry that it is fetched for."
    since: float
    "When something of it came last."
    came: int = 0
    working: bool = False
    "It is copied from the old file: nothing is waited for."
    fetch: Fetch | None = None
    task: asyncio.Task[None] | None = None
    linked: set[Link] = field(default_factory=set)
    "Devices that it is spoken of with, or were a moment ago."

    def end(self) -> None:
        """Once: what is closed then is closed in peace."""
        task, self.task = self.task, None
        if task is not None:
            task.cancel()


class Transfers:
    """Of one folder. For the loop, but for `want` and `staged`."""

    def __init__(
        self, contents: Contents, scope: Scope, giving: Giving, wake: Callable[[], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._contents = contents
        self._scope = scope
        self._giving = giving
        self._threads = Threads(1, "copy")
        "Apart from all others: to copy what a large file has already takes long."
        self._wake = wake
        self._report = report
        self._links: list[Link] = []
        self._wanted: deque[tuple[Op, Entry, Place, FolderStore]] = deque()
        self._waiting: dict[DeviceId, dict[File, tuple[Op, Place, FolderStore, set[str]]]] = {}
        "By who signed it; whose turn was last is the last."
        self.coming: dict[File, Coming] = {}
        self._arrived: dict[File, Staged] = {}
        self._refused: dict[File, StorageError] = {}
        "What the disk said of files that could not come; told once, then they are tried again."
        self._paths: deque[str] = deque()
        self._serving: dict[File, list[Channel]] = {}
        "Channels on which others wait until a content was looked for, is open, or begins to come."
        self._look_again: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
        for one in list(self.coming.values()):
            if one.fetch is not None:
                await one.fetch.close()

    def end(self) -> None:
        """After `close`; blocks."""
        self._threads.close()

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes of files that are coming, and those that are here of them."""
        found = [one.fetch.progress for one in self.coming.values() if one.fetch is not None]
        return sum(each.size for each in found), sum(each.had for each in found)

    @property
    def names(self) -> list[str]:
        """Of the files that are coming, that are here and have no place yet, and those that wait for their turn."""
        waiting = (file for each in self._waiting.values() for file in each)
        return [partial(*file) for file in (*self.coming, *self._arrived, *waiting)] + [
            partial(entry.root, entry.size) for _, entry, _, _ in self._wanted]

    def met(self, link: Link) -> None:
        self._links.append(link)
        for one in self.coming.values():
            self._attach(one)

    def parted(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
        for one in self.coming.values():
            one.linked.discard(link)

    # -- from the folder's thread

    def want(self, op: Op, entry: Entry, place: Place, store: FolderStore) -> Outcome:
        """Have the content of an operation come, or why it does not: nobody is to be asked, or the disk said no the
        last time. Raises StorageError.
        """
        refused = self._refused.pop((entry.root, entry.size), None)
        if refused is not None:
            return failed(op, refused)
        if entry.size > place.capacity:
            return Outcome(op, None, Why.NO_ROOM)
        if not self._links or not _can_be(entry.root, entry.size):
            return Outcome(op, None, Why.NOWHERE)
        self._wanted.append((op, entry, place, store))
        return Outcome(op, None, Why.COMING)

    def staged(self, root: bytes, size: int) -> Staged | None:
        """A content that came, to be installed; it is used up."""
        return self._arrived.pop((root, size), None)

    # -- the loop

    def take_arrived(self) -> list[str]:
        """Paths to be looked at again: their content came, or does not."""
        found = list(self._paths)
        self._paths.clear()
        return found

    def pump(self) -> None:
        """Begin what waits, as far as there is room."""
        while self._wanted:
            op, entry, place, store = self._wanted.popleft()
            file = entry.root, entry.size
            if file in self.coming:
                self.coming[file].paths.add(op.path)
                continue
            waiting = self._waiting.setdefault(entry.author, {})
            if file in waiting:
                waiting[file][3].add(op.path)
            else:
                waiting[file] = op, place, store, {op.path}
        while self._waiting and len(self.coming) < AT_ONCE:
            self._begin_next()
        if self._waiting:
            self._give_way()

    def _begin_next(self) -> None:
        """What waits longest of the author of whom least is coming; of several, whose turn is longest ago."""
        busy = [one.author for one in self.coming.values()]
        author = min(self._waiting, key=busy.count)
        waiting = self._waiting.pop(author)
        file = next(iter(waiting))
        op, place, store, paths = waiting.pop(file)
        if waiting:
            self._waiting[author] = waiting
        for other, more in list(self._waiting.items()):
            if file in more:
                paths |= more.pop(file)[3]
                if not more:
                    del self._waiting[other]
        root, size = file
        id = ContentId(root, size, piece_length_for(size))
        one = self.coming[file] = Coming(id, paths, author, asyncio.get_running_loop().time())
        one.task = self._scope.spawn("fetch", self._fetch(one, op, place, store), contain=self._report)

    def _give_way(self) -> None:
        """Others wait: what has not moved for a while goes behind them. What came of it stays."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in self.coming.values():
            came = sum(one.fetch.progress[1:3]) if one.fetch is not None else 0
            if came != one.came or one.working:
                one.came, one.since = came, now
            elif now - one.since >= limits.SYNC_FETCH_SECONDS:
                one.end()
        if self._look_again is None:
            self._look_again = loop.call_later(limits.SYNC_FETCH_SECONDS / 4, self._again_looked)

    def _again_looked(self) -> None:
        self._look_again = None
        self._wake()

    def give_up(self, files: Iterable[File]) -> None:
        """These are not wanted any more, as their files are others now: nobody may have them."""
        for file in files:
            one = self.coming.get(file)
            if one is not None:
                one.end()

    async def _fetch(self, one: Coming, op: Op, place: Place, store: FolderStore) -> None:
        file = one.id.root, one.id.size
        name = partial(*file)
        try:
            here = await self._threads.run(place.installer.staging.begun, name)
            fetch = one.fetch = self._contents.fetch(one.id, place.path / TMP / name, known=None)
            self._attach(one)
            # What came of it before is hashed anew before it counts; without that, what the old file has is taken.
            everything = b"\xff" * -(-one.id.blocks // 8)
            known = everything if here else await self._take_over(one, fetch, op, place, store, name)
            fetch.begin(known)
            for channel in self._serving.pop(file, []):
                fetch.attach(channel)
            await fetch.done()
            await fetch.close()
            self._arrived[file] = place.installer.staging.existing(name)
            self._look_at(one)
        except WildbachError as error:
            # It is tried again in a moment, and goes on from what is here.
            if isinstance(error, StorageError) and len(self._refused) < limits.CONTENTS_OPEN:
                self._refused[file] = error
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._look_at, one)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_soon(self._look_at, one)
            raise
        finally:
            self.coming.pop(file, None)
            for channel in self._serving.pop(file, []):
                channel.close()
            if one.fetch is not None:
                await one.fetch.close()
            self._wake()

    def _look_at(self, one: Coming) -> None:
        self._paths.extend(one.paths)
        self._wake()

    async def _take_over(
        self, one: Coming, fetch: Fetch, op: Op, place: Place, store: FolderStore, name: str,
    ) -> bytes:
        """Blocks that the file at the path has already, copied to where the new one is made. Returns which."""
        seen, size = op.expect, fetch.id.size
        if seen is None or not seen.root or seen.size < fetch.id.piece_length:
            return b""
        old = ContentId(seen.root, seen.size, piece_length_for(seen.size))
        layer = await self._giving.read(lambda: store.layer(seen.root))
        source = ServedFile(old.info, place.path / op.path)
        try:
            delta = await fetch.compare(old, source, layer)
        finally:
            source.close()
        if not delta.ranges or size - delta.missing < fetch.id.piece_length:
            return b""

        def copy() -> bytes:
            staged = place.installer.staging.existing(name)
            try:
                staged.copy(file_of(op.path, seen), [Range(at, at, length) for at, length in delta.ranges])
            finally:
                staged.keep()
            return delta.same

        one.working = True
        try:
            return await self._threads.run(copy)
        finally:
            one.working = False

    def _attach(self, one: Coming) -> None:
        """Speak of it with all devices that are connected."""
        if one.fetch is None:
            return
        for link in self._links:
            if link in one.linked:
                continue
            one.linked.add(link)
            with contextlib.suppress(WildbachError):
                one.fetch.attach(link.content(one.id.root, one.id.size), self._again(one, link))

    def _again(self, one: Coming, link: Link) -> Callable[[Connection, Exception | None], None]:
        """What is done when the other side ends the channel: it has it not, or not any more, and may have it later."""
        def left(_connection: Connection, _error: Exception | None) -> None:
            asyncio.get_running_loop().call_later(_AGAIN_SECONDS, again)

        def again() -> None:
            one.linked.discard(link)
            if self.coming.get((one.id.root, one.id.size)) is one:
                self._attach(one)

        return left

    # -- for others

    def serve(self, root: bytes, size: int, channel: Channel, place: Place) -> bool:
        """Somebody wants to speak of a content: what is whole or coming in this folder. The same content may be open
        for another folder, which is none of theirs. True: the channel is kept, and closed where it turns out that the
        content is not here.
        """
        if not _can_be(root, size):
            return False
        id, file = ContentId(root, size, piece_length_for(size)), (root, size)
        if file in self._serving:
            self._serving[file].append(channel)
        elif file not in self.coming:
            self._serving[file] = [channel]
            self._scope.spawn("serve", self._serve(id, place), contain=self._report)
        elif not self._attached(id, channel):
            self._serving[file] = [channel]
        return True

    async def _serve(self, id: ContentId, place: Place) -> None:
        file, held = (id.root, id.size), None
        error: WildbachError = NetworkError("the content is not in this folder", code="refused")
        try:
            held = await self._giving.find(*file)
        except StorageError as failed:
            error = failed
        if file in self.coming:
            # It has begun to come meanwhile: who waits gets it from there.
            return
        waiting = [each for each in self._serving.pop(file, []) if not each.closing]
        if held is None:
            for channel in waiting:
                channel.close(error)
        elif waiting and self._attached(id, waiting[0]):
            for channel in waiting[1:]:
                self._attached(id, channel)
        elif waiting:
            self._serving[file] = waiting
            await self._open(id, held, place)

    def _attached(self, id: ContentId, channel: Channel) -> bool:
        """False where the content is not open. Where it is and has no room for one more, the channel is closed."""
        try:
            return self._contents.attach(id, channel)
        except WildbachError as error:
            channel.close(error)
            return True

    async def _open(self, id: ContentId, held: Held, place: Place) -> None:
        """Serve it to all that wait, as long as anybody wants it."""
        look: Look = (held.seen.size, held.seen.mtime_ns, held.seen.inode)
        try:
            serving = await self._contents.serve(id, place.path / held.path, layer=held.layer, look=look)
        except (StorageError, UsageError, LimitError) as error:
            for channel in self._serving.pop((id.root, id.size), []):
                channel.close(error)
            return
        for channel in self._serving.pop((id.root, id.size), []):
            try:
                serving.attach(channel)
            except WildbachError as error:
                channel.close(error)
        # It is let go when nobody wants it any more: the file may be moved and changed.
        idle = 0.0
        while serving.error is None and idle < _IDLE_SECONDS:
            await asyncio.sleep(_IDLE_SECONDS / 4)
            idle = 0.0 if serving.swarm.swarm.peers else idle + _IDLE_SECONDS / 4
        await serving.close()


def _can_be(root: bytes, size: int) -> bool:
    """A writer may sign any root and size; of some there is no content."""
    try:
        ContentId(root, size, piece_length_for(size))
    except UsageError:
        return False
    return True
