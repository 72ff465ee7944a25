"""What one torrent holds on the disk: found at the start, claimed as it grows, durable before it is claimed.

Opening loads what the last run left, hashes exactly what that run wrote and did not sync, and looks at files of the
same names that are not ours. From then on every verified piece goes through the journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from wildbach.base import bitfield
from wildbach.base.errors import StorageError, UsageError
from wildbach.disk import moving
from wildbach.disk.files import FileStorage
from wildbach.disk.hasher import Checked, Expected
from wildbach.disk.inplace import InPlaceFiles
from wildbach.disk.journal import Journal
from wildbach.disk.layout import Layout, free_name, free_suffix, look
from wildbach.disk.resume import Progress, ResumeRecord
from wildbach.disk.storage import CHANGED, Storage
from wildbach.engine import reuse
from wildbach.engine.brief import FIELD, UNOPENED, new_record
from wildbach.engine.options import AddOptions
from wildbach.engine.shared import Shared
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.runtime.tasks import Scope

_ASSUMED: Final = "assumed"
"The option of a `ResumeRecord` that holds the set of pieces nobody has hashed, in hexadecimal, or `all`."
_ALL: Final = "all"
_MARK: Final = "mark"
"The option of a `ResumeRecord` that tells how files looked that are seeded in place (`InPlaceFiles.mark`)."

OpenStorage = Callable[[Metainfo, AddOptions, ResumeRecord], Storage]


class Holdings:
    """The disk side of one torrent."""

    def __init__(
        self, shared: Shared, key: str, metainfo: Metainfo, expected: Expected, options: AddOptions, scope: Scope,
        open_storage: OpenStorage, *, progress: Callable[[int, int, int], None],
        on_lost: Callable[[int, StorageError], None], on_error: Callable[[StorageError], None],
    ) -> None:
        self._shared = shared
        self._key = key
        self._metainfo = metainfo
        self._info = metainfo.info
        self._geometry = metainfo.info.geometry
        self._expected = expected
        self._options = options
        self._scope = scope
        self._open_storage = open_storage
        self._progress = progress
        self._on_lost = on_lost
        self._on_error = on_error
        self.record = ResumeRecord(key)
        self._unsaved = False
        "The record has changed since it was saved."
        self.assumed = 0
        "Pieces that were never hashed: the user said that they are good."
        self._verified = 0
        "Pieces found on the first look."
        self._storage: Storage | None = None
        self.journal: Journal

    @property
    def storage(self) -> Storage:
        """There once it was opened."""
        if self._storage is None:
            raise UsageError("the torrent has not been opened yet")
        return self._storage

    async def open(self, wanted: Sequence[int], brief: dict[str, Any] | None = None) -> int:
        """Find out what is there. `wanted` are the files to keep. Returns the set of verified pieces.

        `brief` is what a later run needs to list the torrent; None where it was written before, as the rest was.

        Raises StorageError: `target_exists` where other files are in the way, `hybrid_conflict` for a torrent that
        contradicts itself.
        """
        try:
            return await self._open(wanted, brief)
        except BaseException:
            if self._storage is not None:
                await self._shared.threads.run(self._storage.close)
            raise

    async def _open(self, wanted: Sequence[int], brief: dict[str, Any] | None) -> int:
        run = self._shared.threads.run
        known = await run(self._shared.resume.load, self._key)
        fresh = known is None or known.options.pop(UNOPENED, None) is True
        if known is None or fresh:
            since = known.added_at if known is not None else 0.0
            known = new_record(self._key, self._info.name, self._options)
            known.added_at = since or known.added_at
            known.suffix = await run(free_suffix, self._info, known.suffix)
            self._check_renames()
            known.incomplete_path = await run(self._first_folder)
        self.record = known
        storage = self._storage = self._open_storage(self._metainfo, self._options, known)
        if isinstance(storage, FileStorage):
            moving.take_up(storage, known)
        progress = known.progress
        if isinstance(storage, InPlaceFiles) and not await self._mark(storage):
            # Whoever owns the files may have changed them since.
            progress = Progress(self._geometry.piece_count, check=not fresh)
            known.options.pop(_ASSUMED, None)
        self.assumed = _assumed(known, self._geometry.piece_count)
        if self._options.skip_check:
            claimed = self._pieces_of(wanted) | progress.durable
            self.assumed |= claimed & ~progress.durable
            progress = Progress(self._geometry.piece_count, durable=claimed)
            self._note_assumed()
        elif fresh and isinstance(storage, FileStorage):
            known.options[reuse.OWN] = not (await self._first_look(storage) or self._options.in_place)
            storage, progress = self.storage, known.progress
        await run(storage.select, wanted)
        if fresh and isinstance(storage, FileStorage) and not self._options.skip_check and self._options.fetches:
            self._verified |= await self._adopt(storage, wanted)
        if brief is not None:
            known.options[FIELD] = brief
            await run(self._shared.resume.save, known, self._metainfo.to_bytes())
        self.journal = Journal(
            self._key, self._geometry, progress, storage, self._shared.resume, self._shared.threads,
            self._scope.spawn, gate=self._shared.sync_gate, on_lost=self._lost, on_error=self._on_error,
        )
        if not fresh and isinstance(storage, FileStorage) and not self._options.skip_check:
            await self._compare_sizes(storage)
        self.journal.found(self._verified)
        if self.journal.unchecked:
            await self._rehash(self.journal.unchecked)
        if isinstance(storage, InPlaceFiles):
            await self._unaltered(storage)
        await run(storage.prepare)
        return self.journal.claimed

    async def _mark(self, storage: InPlaceFiles) -> bool:
        """Note how files that are seeded in place look. True where they look as in the last run."""
        mark = await self._shared.threads.run(storage.mark)
        before = self.record.options.get(_MARK, "")
        if mark != before:
            self.record.options[_MARK] = mark
            self._unsaved = True
        return bool(mark) and mark == before

    async def _unaltered(self, storage: InPlaceFiles) -> None:
        altered = await self._shared.threads.run(storage.altered)
        if altered:
            raise StorageError(f"{altered} was changed while it was looked at", path=altered, code=CHANGED)

    def _pieces_of(self, files: Sequence[int]) -> int:
        width = bitfield.width_of(self._geometry.piece_count)
        mask = 0
        for file in files:
            pieces = self._geometry.file_pieces(file)
            mask |= bitfield.span(pieces.start, pieces.stop, width)
        return mask

    def _check_renames(self) -> None:
        """Raises UsageError where the files that are renamed are none, or a path would have two files."""
        renames = self._options.renames
        if not renames:
            return
        unknown = [index for index in renames if not 0 <= index < len(self._info.files)]
        if unknown:
            raise UsageError(f"there is no file {unknown[0]} to rename")
        layout = Layout("", self._options.layout, renames)
        taken: set[tuple[str, ...]] = set()
        for index, file in enumerate(self._info.files):
            if not file.pad:
                parts = layout.parts(self._info, index)
                if parts in taken:
                    raise UsageError(f"two files would be {'/'.join(parts)}")
                taken.add(parts)

    def _first_folder(self) -> str:
        """The folder for incomplete files where one was asked for, and nothing lies at the final place yet."""
        folder, save_path = self._options.incomplete_path, str(self._options.save_path.absolute())
        if folder is None or str(folder.absolute()) == save_path:
            return ""
        there = look(self._info, Layout(
            save_path, self._options.layout, self._options.renames, self._options.suffix))
        return "" if there.existing or there.obstacles else str(folder.absolute())

    async def _first_look(self, storage: FileStorage) -> bool:
        """Files of these names may be there: they are ours where at least one piece verifies. False where none is."""
        run = self._shared.threads.run
        present = await run(look, self._info, storage.layout)
        if present.obstacles:
            raise StorageError(
                f"{present.obstacles[0]} is in the way and is no regular file",
                path=present.obstacles[0], code="target_exists",
            )
        if not present.filled:
            return bool(present.existing)
        checked = await self.check(None)
        if checked.good or self._options.existing == "overwrite" or not self._options.fetches:
            # Whoever wrote them may not have synced them: the journal does, and claims them then.
            self._verified = checked.good
            return True
        if self._options.existing == "rename":
            layout = await run(free_name, self._info, storage.layout)
            await run(storage.close)
            self.record.renames = dict(layout.renames)
            self._storage = self._open_storage(self._metainfo, self._options, self.record)
            return False
        raise StorageError(
            f"{storage.path(present.filled[0])} exists and holds something else: choose another folder, overwrite it, "
            "or rename the new files", path=storage.path(present.filled[0]), code="target_exists",
        )

    async def _adopt(self, storage: FileStorage, wanted: Sequence[int]) -> int:
        """Take over files that other torrents have. Returns the pieces that are good."""
        way = self._shared.settings.disk.reuse
        if way == "off":
            return 0
        run = self._shared.threads.run
        missing = [file for file in wanted if not storage.exists(file)]
        found = await run(reuse.find, self._shared.resume, self._key, self._metainfo, missing, self._options.similar)
        good = whole = 0
        for file, origins in found.items():
            pieces = self._geometry.file_pieces(file)
            mask = bitfield.span(pieces.start, pieces.stop, bitfield.width_of(self._geometry.piece_count))
            for origin in origins:
                link = origin.own and (way == "link" or (origin.cache and bool(self._options.cache)))
                kept, part = await self._adopt_one(storage, file, mask, origin.path, link=link)
                if kept:
                    good |= part
                    whole |= mask
                    break
        # A piece at the border of two files is good once both are there.
        rest = whole & ~good
        return good | (await self.check(rest)).good if rest else good

    async def _adopt_one(
        self, storage: FileStorage, file: int, pieces: int, path: str, *, link: bool
    ) -> tuple[bool, int]:
        """Take a file from `path`: whether it stays, and which of its pieces are good.

        One with nothing good does not stay; neither does a link to a file that is not what it was.
        """
        run = self._shared.threads.run
        if not await run(partial(moving.adopt, storage, file, path, link=link)):
            return False, 0
        checked = await self.check(pieces)
        if checked.good == pieces or (not link and (checked.good or not checked.bad)):
            return True, checked.good
        await run(storage.drop, file)
        return await self._adopt_one(storage, file, pieces, path, link=False) if link else (False, 0)

    async def _compare_sizes(self, storage: FileStorage) -> None:
        """Pieces whose files became shorter or vanished since the last run are not there."""
        present = await self._shared.threads.run(storage.shrunk)
        gone = 0
        width = bitfield.width_of(self._geometry.piece_count)
        for file, size in present:
            span = self._geometry.files[file]
            first = (span.offset + size) // self._geometry.piece_length
            gone |= bitfield.span(first, self._geometry.file_pieces(file).stop, width)
        if gone & self.journal.claimed:
            self.journal.withdraw(gone)
            self.journal.checked(gone)

    async def _rehash(self, pieces: int) -> None:
        checked = await self.check(pieces)
        self.journal.found(checked.good)
        self.journal.checked(pieces)

    async def check(self, pieces: int | None) -> Checked:
        """Hash pieces on the disk; None for all. Raises StorageError `hybrid_conflict`."""
        checked = await self._shared.hasher.check(
            self._geometry, self.storage, self._expected, pieces=pieces, progress=self._progress
        )
        if checked.conflicts:
            raise StorageError(
                f"piece {checked.conflicts[0]} cannot be right: its v1 and v2 hashes disagree; the torrent is broken",
                code="hybrid_conflict",
            )
        return checked

    async def recheck(self) -> int:
        """Hash everything anew; the claims become what was found. Returns the verified pieces."""
        everything = bitfield.full(self._geometry.piece_count)
        await self.rest()
        if isinstance(self.storage, InPlaceFiles):
            await self._mark(self.storage)
        checked = await self.check(None)
        if isinstance(self.storage, InPlaceFiles):
            await self._unaltered(self.storage)
        self.assumed = 0
        self._note_assumed()
        self.journal.withdraw(everything & ~checked.good)
        self.journal.found(checked.good)
        self.journal.checked(everything)
        return checked.good

    def settled(self, pieces: int, good: int) -> None:
        """These assumed pieces were hashed, and so many of them are good. The others are not there."""
        self.assumed &= ~pieces
        self._note_assumed()
        if pieces & ~good:
            self.journal.withdraw(pieces & ~good)

    def _note_assumed(self) -> None:
        # Saved with the next change, or at the end: where that is missed, more is hashed than need be.
        self._unsaved = True
        if not self.assumed:
            self.record.options.pop(_ASSUMED, None)
        elif self.assumed == bitfield.full(self._geometry.piece_count):
            self.record.options[_ASSUMED] = _ALL
        else:
            self.record.options[_ASSUMED] = f"{self.assumed:x}"

    def written(self, piece: int) -> None:
        """A verified piece is on its way to the disk."""
        self.journal.written(piece, self._geometry.piece_size(piece))

    def tick(self, now: float) -> None:
        self.journal.tick(now)

    def _lost(self, pieces: int, error: StorageError) -> None:
        self._on_lost(pieces, error)

    async def finish(self, files: Sequence[int]) -> None:
        """These files are complete: durable, with their final names and attributes, when this returns."""
        await self.journal.flush()
        await self._shared.threads.run(self.storage.finish, files)
        await self.journal.flush()
        await self._shared.threads.run(self._shared.resume.offer, self._key, reuse.marks(self._metainfo, files))
        if not self.record.completed_at:
            self.record.completed_at = time.time()
            await self.save()

    async def keep(self, metainfo: Metainfo) -> None:
        """The torrent file has grown: its piece layers have come."""
        self._metainfo = metainfo
        await self._shared.threads.run(self._shared.resume.save, self.record, metainfo.to_bytes())

    @property
    def layouts(self) -> list[Layout]:
        """Where the files are: two places while they are being moved, none where they are no files."""
        storage = self.storage
        if not isinstance(storage, FileStorage):
            return []
        return [storage.layout] if storage.previous is None else [storage.layout, storage.previous]

    @property
    def final(self) -> Path | None:
        """Where the files are to go now that they are complete; None where they are there."""
        return Path(self.record.save_path) if self.record.incomplete_path else None

    def target(self, folder: Path | None, renames: Mapping[int, tuple[str, ...]]) -> Layout:
        """The layout with another folder, or other names of some files. Raises UsageError where those are no files."""
        if not isinstance(self.storage, FileStorage):
            raise UsageError("the torrent's content is not in files")
        if self._options.in_place:
            raise UsageError("its files are seeded in place: they stay where they are", code="in_place")
        unknown = [index for index in renames if not 0 <= index < len(self._info.files)]
        if unknown:
            raise UsageError(f"there is no file {unknown[0]}")
        now = self.storage.layout
        root = str(folder.absolute()) if folder is not None else now.root
        return Layout(root, now.kind, {**now.renames, **renames}, now.suffix)

    async def move(self, target: Layout | None, progress: moving.Progress) -> None:
        """Bring the files to `target`; None: go on with the move that was not finished. Raises StorageError."""
        storage = self.storage
        if not isinstance(storage, FileStorage):
            return
        run = self._shared.threads
        self._register(*self.layouts, *([target] if target is not None else []))
        try:
            if target is None:
                await moving.resume_move(storage, self.record, self._shared.resume, run, progress=progress)
            else:
                await moving.move(storage, target, self.record, self._shared.resume, run, progress=progress)
        finally:
            self._register(*self.layouts)

    def _register(self, *layouts: Layout) -> None:
        """Say which paths are this torrent's, for those who share some of them."""
        tops = [top for layout in layouts for top in layout.tops(self._info)]
        self._shared.paths.register(self._key, dict.fromkeys(tops))

    async def remember(self, brief: dict[str, Any]) -> None:
        """Write down what changed of what `open` was given."""
        if self.record.options.get(FIELD) != brief:
            self.record.options[FIELD] = brief
            self._unsaved = True
            await self.save()

    async def save(self) -> None:
        await self._shared.threads.run(self._shared.resume.save, self.record)
        self._unsaved = False

    async def rest(self) -> None:
        """Close the files until they are needed again: others may write to them meanwhile."""
        if isinstance(self.storage, FileStorage):
            await self._shared.threads.run(self.storage.rest)

    async def close(self) -> None:
        """Flush what was written and let go of the files."""
        try:
            await self.journal.close()
            if self._unsaved:
                await self.save()
        finally:
            await self._shared.threads.run(self.storage.close)


def _assumed(record: ResumeRecord, count: int) -> int:
    """What the last run had not hashed of that."""
    text = record.options.get(_ASSUMED, "")
    if text == _ALL:
        return bitfield.full(count)
    try:
        return int(text or "0", 16) & bitfield.full(count) & record.progress.durable
    except (TypeError, ValueError):
        return bitfield.full(count)
