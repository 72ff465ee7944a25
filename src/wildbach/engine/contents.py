"""Contents that are sent and fetched apart from torrents: single files, each named by its v2 root.

A swarm is made when a content is opened and gone when it is closed; nothing of it is in the database, in lists, or
told to anybody. Its peers are connections that were greeted elsewhere (docs/sync-protocol.md, "Content").
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wildbach.base import bitfield, limits
from wildbach.base.errors import FormatError, LimitError, StorageError, UsageError, WildbachError
from wildbach.disk.files import FileOptions, FileStorage
from wildbach.disk.inplace import Look
from wildbach.disk.served import ServedFile, layout_of
from wildbach.disk.storage import CHANGED, Storage
from wildbach.engine.contentid import ContentId, piece_length_for
from wildbach.engine.contentswarm import ContentSwarm, Left, Liar
from wildbach.engine.delta import Delta
from wildbach.engine.fetching import Fetch, Progress
from wildbach.engine.shared import Shared
from wildbach.net.transport import Connection
from wildbach.protocol import layers
from wildbach.runtime.tasks import Scope

__all__ = ["ContentId", "Contents", "Delta", "Fetch", "Progress", "Serving", "piece_length_for"]


class Serving:
    """A file that is sent to whoever is attached. Made by `Contents.serve`."""

    def __init__(self, swarm: ContentSwarm, storage: Storage, over: Callable[[Serving], None]) -> None:
        self.swarm = swarm
        self.storage = storage
        self._over = over

    @property
    def id(self) -> ContentId:
        return self.swarm.id

    @property
    def sent(self) -> int:
        """Bytes of blocks that were sent."""
        content = self.swarm.content
        return content.uploads.sent if content is not None else 0

    @property
    def error(self) -> WildbachError | None:
        """Why it is not sent any more: a StorageError, with code `changed` where the file is another one now."""
        return self.swarm.error

    def attach(self, connection: Connection, left: Left | None = None) -> None:
        """One more device that wants it, greeted elsewhere. Raises as `ContentSwarm.join`."""
        self.swarm.join(connection, left)

    async def close(self) -> None:
        await self.swarm.close()
        self._over(self)


class Contents:
    """The contents of one session that are open."""

    def __init__(self, shared: Shared, scope: Scope, retired: Callable[[int], None] | None = None) -> None:
        """`retired` is told, from any thread, which files worker processes must close."""
        self._shared = shared
        self._scope = scope
        self._retired = retired
        self._open: dict[ContentId, Serving | Fetch] = {}
        self._opening: dict[ContentId, None] = {}
        self._own: dict[ContentId, Storage] = {}
        "Storages that were opened here."

    @property
    def swarms(self) -> list[ContentSwarm]:
        return [one.swarm for one in self._open.values()]

    def get(self, content: ContentId) -> Serving | Fetch | None:
        return self._open.get(content)

    def attach(self, content: ContentId, connection: Connection, left: Left | None = None) -> bool:
        """Speak of this content on a connection, as after a handshake. False where it is not open here: the
        connection is as it was. Raises LimitError where it has too many.
        """
        one = self._open.get(content)
        if one is None or one.swarm.error is not None:
            return False
        one.attach(connection, left)
        return True

    def storage(self, content: ContentId, path: Path) -> FileStorage:
        """The file at `path` as a place to write this content to. What is there stays as far as it is not written
        over. The caller closes it.
        """
        return FileStorage(content.info, layout_of(path), options=FileOptions(key=content.key, retired=self._retired))

    async def serve(
        self, content: ContentId, source: Path | Storage, *, layer: bytes | None = None, look: Look | None = None,
        leaves: bytes | None = None, ended: Callable[[WildbachError], None] | None = None,
    ) -> Serving:
        """Send a content to whoever is attached, read only.

        `look` (`disk.inplace.look_of_path`) is how the file looked when it was hashed last, `layer` the piece layer
        that came of it: where it still looks so, and was not changed in the last two seconds before, it is sent
        without being read first; else it is hashed. `leaves` of all blocks, where they are known, prove what is read
        after the file began to look otherwise. `ended` is told when it cannot be sent any more.

        Raises StorageError, code `changed` where the file is not this content; UsageError where it is open already.
        """
        self._claim(content)
        own: ServedFile | None = None
        if isinstance(source, Path):
            own = ServedFile(content.info, source, options=FileOptions(key=content.key, retired=self._retired))
            storage: Storage = own
        else:
            storage = source
        try:
            if own is not None:
                layer = await self._examine(content, own, layer, look, leaves)
            else:
                layer = await self._hash(content, storage)
            swarm = ContentSwarm(content, storage, self._shared, layer)
            if ended is not None:
                swarm.on_fail = ended
            swarm.begin(bitfield.full(content.info.geometry.piece_count))
            swarm.start()
            serving = Serving(swarm, storage, self._over)
        except BaseException:
            if own is not None:
                own.close()
            raise
        finally:
            self._opening.pop(content, None)
        if own is not None:
            self._own[content] = own
        self._open[content] = serving
        return serving

    def fetch(
        self, content: ContentId, into: Path | Storage, *, layer: bytes | None = None, known: bytes | None = b"",
        on_liar: Liar | None = None,
    ) -> Fetch:
        """Fetch a content from whoever is attached, and give on at once what is verified.

        `into`: a file of its own, or a storage that the caller closes. `known`: the blocks that are there already
        (see `Fetch.begin`); None: nothing is asked for but hashes until `begin`. `on_liar` is told who sent what is
        proven false; that connection is closed. Raises UsageError where it is open already, FormatError for a false
        `layer`.
        """
        self._claim(content)
        try:
            if layer is not None and content.pieces > 1:
                layers.check_layer(layer, content.root, content.size, content.piece_length)
            storage = into if not isinstance(into, Path) else self.storage(content, into)
            swarm = ContentSwarm(content, storage, self._shared, layer, on_liar=on_liar)
            fetch = Fetch(swarm, self._shared, storage, self._scope, self._over)
        finally:
            self._opening.pop(content, None)
        if isinstance(into, Path):
            self._own[content] = storage
        self._open[content] = fetch
        if known is not None:
            fetch.begin(known)
        return fetch

    async def close(self) -> None:
        """End all that is open; what came is durable."""
        for one in list(self._open.values()):
            await one.close()

    def _claim(self, content: ContentId) -> None:
        if content in self._open or content in self._opening:
            raise UsageError(f"{content.key} is open already")
        if len(self._open) + len(self._opening) >= limits.CONTENTS_OPEN:
            raise LimitError(f"over CONTENTS_OPEN = {limits.CONTENTS_OPEN} contents")
        self._opening[content] = None

    def _over(self, one: Serving | Fetch) -> None:
        if self._open.get(one.id) is one:
            del self._open[one.id]
            storage = self._own.pop(one.id, None)
            if storage is not None:
                storage.close()

    async def _examine(
        self, content: ContentId, storage: ServedFile, layer: bytes | None, look: Look | None, leaves: bytes | None,
    ) -> bytes:
        """See that a file is what it is said to be. Returns its piece layer."""
        run = self._shared.threads.run
        now = await run(storage.settle)
        if leaves is not None and layers.file_root(leaves) == content.root:
            storage.leaves = leaves
            layer = layer or layers.piece_layer(leaves, content.piece_length)
        known = layer if layer is not None else content.root if content.pieces == 1 else None
        if now == look and known is not None and not storage.racy:
            return _right(content, known)
        if storage.racy:
            # What its look cannot prove its leaves can, of every block that is read.
            storage.leaves = found = await run(storage.hash_leaves)
            if layers.file_root(found) != content.root:
                raise _other(content)
            return layers.piece_layer(found, content.piece_length) if content.pieces > 1 else content.root
        hashed = await self._hash(content, storage)
        if not await run(storage.unchanged):
            raise _other(content)
        return hashed

    async def _hash(self, content: ContentId, storage: Storage) -> bytes:
        found = await self._shared.hasher.digest(content.info.geometry, storage, v1=False, v2=True)
        return _right(content, found.v2)


def _right(content: ContentId, layer: bytes) -> bytes:
    """The layer, where it leads to the root. Raises StorageError."""
    if content.pieces == 1:
        good = layer == content.root
    else:
        try:
            layers.check_layer(layer, content.root, content.size, content.piece_length)
            good = True
        except FormatError:
            good = False
    if not good:
        raise _other(content)
    return layer


def _other(content: ContentId) -> StorageError:
    return StorageError(f"the file is not the content {content.key} (any more)", code=CHANGED)
