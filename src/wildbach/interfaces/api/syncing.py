"""Folders that are kept the same on several devices."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import UNSET

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.base.ids import DeviceId
from wildbach.disk.folder.local import IGNORE, IGNORE_SHARED
from wildbach.disk.folder.staging import Range
from wildbach.disk.folder.versions import SECOND, Version
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import syncdiff
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.interfaces.api.syncviews import folder_model, item_state, qr_picture
from wildbach.protocol.sync.entries import EntryKind, check_path
from wildbach.protocol.sync.roster import Role
from wildbach.services.migrate import PathMap, syncthing
from wildbach.services.sync import conflicts
from wildbach.services.sync.hands import file_of
from wildbach.services.sync.merge import winner
from wildbach.services.sync.place import write_text
from wildbach.services.sync.planner import Why
from wildbach.services.sync.service import Kept, SyncService
from wildbach.services.sync.store import below
from wildbach.services.sync.trees import ancestors

_ROLES: Final = {"owner": Role.OWNER, "rw": Role.READ_WRITE, "ro": Role.READ_ONLY}
_HOUR: Final = 3600
_WRITTEN_MS: Final = 120_000
"After a version was put aside it is noted for whose change, with all others of the same step."


class Syncing:
    """A part of the Api."""

    core: Core
    sync: SyncService

    # -- folders

    async def synced_folders(self) -> sy.SyncFolders:
        return sy.SyncFolders(
            self.sync.keys.id.hex(), self.sync.name, tuple(folder_model(one, self.sync) for one in self.sync.folders))

    async def name_sync_device(self, patch: sy.SyncSelf) -> sy.SyncFolders:
        name = _worded(patch.name)
        if not name:
            raise UsageError("a device has a name that can be read", code="bad_request")
        await self.sync.rename_device(name)
        return await self.synced_folders()

    async def create_synced(self, making: sy.SyncMaking) -> sy.SyncFolder:
        path = await self.core.apart(_path(making.path))
        one = await self.sync.create(path, _worded(making.name or path.name))
        self.core.log.write("info", f"{one.folder.path} is kept the same from now on")
        return folder_model(one, self.sync)

    async def join_synced(self, joining: sy.SyncJoining) -> m.Job:
        path = await self.core.apart(_path(joining.path))
        return self.core.jobs.start("join", str(path), partial(self._join, joining, path))

    async def _join(self, joining: sy.SyncJoining, path: Path, progress: Progress) -> None:
        def told(words: str) -> None:
            progress.message = words

        one = await self.sync.join(joining.link, path, joining.mode, told)
        progress.message = ""
        progress.result |= {"id": one.folder.id.hex(), "name": one.name, "path": str(path)}
        self.core.log.write("info", f"joined the folder {one.name} at {path}")

    async def synced_folder(self, word: str) -> sy.SyncFolder:
        return folder_model(self.sync.find(word), self.sync)

    async def change_synced(self, word: str, patch: sy.SyncPatch) -> sy.SyncFolder:
        one = self.sync.find(word)
        if patch.path is not UNSET:
            one = await self.sync.move(one, await self.core.apart(_path(patch.path)))
        if patch.ignores is not UNSET:
            await self._leave_out(one, patch.ignores)
        await self.sync.change(
            one, name=None if patch.name is UNSET else _worded(patch.name),
            mode=None if patch.mode is UNSET else patch.mode, paused=None if patch.paused is UNSET else patch.paused,
            excluded=None if patch.excluded is UNSET else tuple(_relative(each) for each in patch.excluded))
        return folder_model(one, self.sync)

    async def _leave_out(self, one: Kept, patterns: str) -> None:
        # Its place is there when its turn comes: a folder that was just made is still being opened.
        await one.folder.call(lambda: write_text(one.folder.place, IGNORE, patterns))
        one.folder.look()

    async def leave_synced(self, word: str, leaving: sy.SyncLeaving) -> None:
        one = self.sync.find(word)
        if leaving.erase_versions:
            await one.folder.call(one.folder.place.versions.erase)
        name = one.name
        await self.sync.leave(one)
        self.core.log.write("info", f"left the folder {name}")

    async def answer_synced(self, word: str, answer: sy.SyncAnswer) -> sy.SyncFolder:
        one = self.sync.find(word)
        await one.folder.call(lambda: one.folder.answer(answer.yes))
        return folder_model(one, self.sync)

    async def scan_synced(self, word: str) -> None:
        self.sync.find(word).folder.look()

    # -- who has it

    async def sync_links(self, word: str) -> sy.SyncLinks:
        one = self.sync.find(word)
        view = one.folder.membership.view
        given = [
            sy.SyncLink(each.token.hash.hex()[:16], "ro" if each.role is Role.READ_ONLY else "rw", False, 0,
                        int(each.until), 0)
            for each in one.links.open(view, self.sync.wall())]
        opened = [
            sy.SyncLink(name.hex()[:16], "ro" if each.role is Role.READ_ONLY else "rw", True, 0, 0,
                        sum(member.link == name for member in view.state.members.values()))
            for name, each in sorted(view.state.links.items())]
        return sy.SyncLinks((*given, *opened))

    async def share_synced(self, word: str, making: sy.SyncLinkMaking) -> sy.SyncLink:
        one = self.sync.find(word)
        link = await self.sync.share(
            one, _ROLES[making.role], making.hours * _HOUR, reusable=making.reusable)
        return sy.SyncLink(
            link.token.hash.hex()[:16], making.role, making.reusable, int(self.sync.wall()),
            link.until, 0, link.text(), qr_picture(link.qr()))

    async def unshare_synced(self, word: str, id: str) -> None:
        one = self.sync.find(word)
        view = one.folder.membership.view
        hashes = [*view.state.links, *(each.token.hash for each in one.links.open(view, self.sync.wall()))]
        found = [each for each in hashes if each.hex().startswith(id) and len(id) >= 4]
        if len(found) != 1:
            raise UsageError("there is no such link", code="not_found")
        await self.sync.unshare(one, found[0])

    async def revoke_synced(self, word: str, revoking: sy.SyncRevoking) -> sy.SyncFolder:
        one = self.sync.find(word)
        await self.sync.revoke(one, self.sync.device(one, revoking.device))
        return folder_model(one, self.sync)

    async def set_sync_role(self, word: str, change: sy.SyncRoleChange) -> sy.SyncFolder:
        one = self.sync.find(word)
        await self.sync.set_role(one, self.sync.device(one, change.device), _ROLES[change.role])
        return folder_model(one, self.sync)

    async def sync_recovery_key(self, word: str) -> sy.SyncRecoveryKey:
        one = self.sync.find(word)
        words = await one.folder.read(lambda: one.folder.membership.recovery_words)
        if not words:
            raise UsageError("this device has no recovery key of the folder: it was saved elsewhere, or another device "
                             "made the folder", code="not_found")
        return sy.SyncRecoveryKey(words)

    async def sync_recovery_saved(self, word: str) -> sy.SyncFolder:
        one = self.sync.find(word)
        await one.folder.call(one.folder.forget_recovery)
        return folder_model(one, self.sync)

    async def recover_synced(self, word: str, recovering: sy.SyncRecovering) -> sy.SyncFolder:
        one = self.sync.find(word)
        await self.sync.recover(one, recovering.words)
        return folder_model(one, self.sync)

    # -- what is in it

    async def synced_items(self, word: str, query: sy.SyncQuery) -> sy.SyncItems:
        one = self.sync.find(word)
        return await one.folder.read(lambda: self._items(one, query))

    def _items(self, one: Kept, query: sy.SyncQuery) -> sy.SyncItems:
        store = one.folder.store
        under = _relative(query.under) if query.under else ""
        low, high = below(under)
        start = len(under) + 1 if under else 0
        after = query.after if query.after > low else low
        found: list[sy.SyncItem] = []
        while len(found) <= query.limit:
            rows = store.read(
                "SELECT path FROM paths WHERE live AND path > ? AND path < ? ORDER BY path LIMIT 1", after, high)
            if not rows:
                break
            path = rows[0][0]
            name = path[start:].partition("/")[0]
            whole = path[:start] + name
            found.append(self._synced_item(one, whole))
            # What is below it is passed over.
            after = below(whole)[1] if whole != path or self._is_dir(one, whole) else path
        return sy.SyncItems(tuple(found[: query.limit]), len(found) > query.limit)

    def _is_dir(self, one: Kept, path: str) -> bool:
        best = winner(one.folder.store.world.get(path))
        return best is not None and best.kind is EntryKind.DIR

    def _synced_item(self, one: Kept, path: str) -> sy.SyncItem:
        store = one.folder.store
        best = winner(store.world.get(path))
        seen = store.local.get(path)
        state, reason = item_state(one, path, best, seen)
        if best is None or best.deleted:
            return sy.SyncItem(path, "dir", 0, 0, "", seen is not None, state, reason)
        kind = {EntryKind.FILE: "file", EntryKind.DIR: "dir", EntryKind.LINK: "link"}[best.kind]
        return sy.SyncItem(
            path, kind, best.size, max(0, best.seq // 1000),  # type: ignore[arg-type]  # one of the three words
            one.folder.membership.name_of(best.author) or best.author.hex()[:8], state == "here", state, reason)

    async def sync_troubles(self, word: str, query: sy.SyncQuery) -> sy.SyncTroubles:
        one = self.sync.find(word)
        return await one.folder.read(lambda: self._troubles(one, query))

    def _troubles(self, one: Kept, query: sy.SyncQuery) -> sy.SyncTroubles:
        store = one.folder.store
        found: dict[str, sy.SyncTrouble] = {}
        held = store.read(
            "SELECT path, why, since FROM holds WHERE path > ? ORDER BY path LIMIT ?", query.after, query.limit + 1)
        for path, why, since in held:
            best = winner(store.world.get(path))
            refusal = one.folder.refusals.get(path, "") if why in ("DISK", "NO_ROOM") else ""
            found[path] = sy.SyncTrouble(
                path, _WHATS.get(why, "missing"),  # type: ignore[arg-type]  # one of the words
                refusal or Why[why].value, best.size if best is not None else 0, since)
        for path, skipped in list(one.folder.skipped.items()):
            if path > query.after and path not in found:
                found[path] = sy.SyncTrouble(
                    path, _SKIPPED.get(skipped.why.value, "unreadable"),  # type: ignore[arg-type]  # one of the words
                    skipped.detail or skipped.why.value.replace("_", " "), 0, int(one.folder.scanned_at))
        rows = [found[path] for path in sorted(found)]
        return sy.SyncTroubles(tuple(rows[: query.limit]), len(rows) > query.limit)

    async def sync_conflicts(self, word: str) -> sy.SyncConflicts:
        one = self.sync.find(word)
        return await one.folder.read(lambda: self._conflicts(one))

    def _conflicts(self, one: Kept) -> sy.SyncConflicts:
        store = one.folder.store
        found: list[sy.SyncConflict] = []
        for each in store.conflicts():
            if not conflicts.is_open(store.world, each):
                continue
            best, copy = winner(store.world.get(each.path)), winner(store.world.get(each.copy))
            if copy is None:
                continue
            size = best.size if best is not None and not best.deleted else 0
            # Whoever met the conflict signed the copy; what is in it is by another.
            by = DeviceId(each.by) if each.by else copy.author
            found.append(sy.SyncConflict(
                each.path, each.copy, one.folder.membership.name_of(by) or by.hex()[:8],
                max(0, copy.mtime_ns // SECOND), size, copy.size,
                0 < size <= syncdiff.MOST_BYTES and copy.size <= syncdiff.MOST_BYTES))
        return sy.SyncConflicts(tuple(found))

    async def sync_difference(self, word: str, query: sy.SyncCopy) -> sy.SyncDifference:
        one = self.sync.find(word)
        return await one.folder.read(lambda: self._difference(one, query.copy))

    def _difference(self, one: Kept, copy: str) -> sy.SyncDifference:
        store, place = one.folder.store, one.folder.place
        found = next((each for each in store.conflicts() if each.copy == copy), None)
        if found is None:
            raise UsageError("there is no such conflict", code="not_found")
        raws: list[bytes] = []
        for path in (found.path, found.copy):
            seen = store.local.get(path)
            if seen is None or seen.kind is not EntryKind.FILE:
                return sy.SyncDifference((), "gone")
            if seen.size > syncdiff.MOST_BYTES:
                return sy.SyncDifference((), "large")
            try:
                raw = place.read(path, seen.size)
            except (StorageError, OSError):
                return sy.SyncDifference((), "gone")
            if len(raw) != seen.size:
                return sy.SyncDifference((), "gone")
            raws.append(raw)
        return syncdiff.difference(*raws)

    async def resolve_sync_conflict(self, word: str, resolving: sy.SyncResolving) -> None:
        one = self.sync.find(word)
        await one.folder.call(lambda: self._resolve(one, resolving))
        one.folder.look((resolving.copy,))

    def _resolve(self, one: Kept, resolving: sy.SyncResolving) -> None:
        folder, store = one.folder, one.folder.store
        found = next((each for each in store.conflicts() if each.copy == resolving.copy), None)
        if found is None:
            raise UsageError("there is no such conflict", code="not_found")
        seen = store.local.get(found.copy)
        if seen is None:
            store.drop_conflict(found)
            store.commit()
            return
        copy = file_of(found.copy, seen)
        installer = folder.place.installer
        if resolving.keep == "both":
            by = folder.membership.name_of(DeviceId(found.by)) if found.by else ""
            free = next((path for path in conflicts.kept_names(found, by) if not store.world.get(path)
                         and store.local.get(path) is None), None)
            if free is None:
                raise UsageError("there are too many files of this name already", code="in_use")
            installer.move(copy, free)
            folder.look((found.copy, free))
            return
        if resolving.keep == "this":
            installer.delete(copy)
        else:
            before = store.local.get(found.path)
            with installer.staging.file() as made:
                if copy.size:
                    made.copy(copy, [Range(0, 0, copy.size)])
                installer.install(
                    made, found.path, file_of(found.path, before) if before is not None else None, root=copy.root,
                    size=copy.size, mtime_ns=copy.mtime_ns, executable=copy.executable)
            installer.delete(copy)
        folder.look((found.path, found.copy))

    # -- old versions

    async def sync_versions(self, word: str, query: sy.SyncQuery) -> sy.SyncVersions:
        one = self.sync.find(word)
        return await one.folder.read(lambda: self._versions(one, query))

    def _versions(self, one: Kept, query: sy.SyncQuery) -> sy.SyncVersions:
        under = _relative(query.under) if query.under else ""
        found = sorted(one.folder.place.versions.history(under), key=lambda each: (-each.when_ns, each.place))
        rows = [self._version(one, each) for each in found]
        if query.after:
            at = next((number for number, each in enumerate(rows) if each.id == query.after), len(rows))
            rows = rows[at + 1 :]
        return sy.SyncVersions(tuple(rows[: query.limit]), len(rows) > query.limit)

    def _version(self, one: Kept, version: Version) -> sy.SyncVersion:
        at = version.when_ns // 1_000_000
        found = one.folder.store.replaced(version.path, at - 1000, at + _WRITTEN_MS)
        by = (one.folder.membership.name_of(found[0]) or found[0].hex()[:8]) if found is not None else ""
        return sy.SyncVersion(
            _version_id(version), version.path, version.size, version.when_ns // SECOND, by,
            "deleted" if found is not None and found[1] else "changed")

    async def restore_synced(self, word: str, restoring: sy.SyncRestoring) -> None:
        one = self.sync.find(word)
        path = await one.folder.call(lambda: self._restore(one, restoring))
        one.folder.look((path,))
        one.folder.happened("restored", path)

    def _restore(self, one: Kept, restoring: sy.SyncRestoring) -> str:
        folder = one.folder
        path = restoring.id.rpartition("@")[0] or restoring.id
        found = [
            each for each in folder.place.versions.history(_relative(path))
            if restoring.id in (_version_id(each), each.path)]
        if not found:
            raise UsageError("there is no such version", code="not_found")
        version = max(found, key=lambda each: each.when_ns)
        to = _relative(restoring.to) if restoring.to else version.path
        seen = folder.store.local.get(to)
        for above in reversed(list(ancestors(to))):
            folder.place.installer.make_dir(above)
        folder.place.installer.restore(version, to, file_of(to, seen) if seen is not None else None)
        return to

    async def revert_synced(self, word: str, reverting: sy.SyncReverting) -> None:
        one = self.sync.find(word)
        paths = tuple(_relative(each) for each in reverting.paths)

        def revert() -> None:
            wanted = paths or tuple(one.folder.store.held(Why.CHANGED_HERE))
            one.folder.core.revert(wanted)

        await one.folder.call(revert)

    async def sync_history(self, word: str) -> sy.SyncHistory:
        one = self.sync.find(word)
        return sy.SyncHistory(tuple(
            sy.SyncEvent(int(each.at), each.what, each.path, each.by, each.size)
            for each in reversed(one.folder.events)))

    async def sync_ignores(self, word: str) -> sy.SyncIgnores:
        one = self.sync.find(word)

        def read() -> sy.SyncIgnores:
            place = one.folder.place
            own, shared = (place.patterns(name).decode(errors="replace") for name in (IGNORE, IGNORE_SHARED))
            return sy.SyncIgnores(own, shared, (place.ignore_problem,) if place.ignore_problem else ())

        return await one.folder.read(read)

    # -- Syncthing

    async def look_at_syncthing(self, where: sy.SyncthingWhere) -> sy.SyncthingFound:
        place, config = await self._syncthing(where.path)
        taken = {str(one.folder.path) for one in self.sync.folders}
        return sy.SyncthingFound(str(place), tuple(
            sy.SyncthingFolder(
                each.label, str(each.path), each.role, each.paused,  # type: ignore[arg-type]  # one of three
                each.devices, len(each.ignores), each.notes, str(each.path) in taken)
            for each in config.folders), config.notes)

    async def _syncthing(self, path: str) -> tuple[Path, syncthing.Config]:
        home = Path.home()
        place = _path(path) if path else await self.core.threads.run(syncthing.find, home)
        if place is None:
            raise UsageError("no state of Syncthing was found in the usual places: name its folder", code="not_found")
        return place, await self.core.threads.run(syncthing.read_config, place, PathMap(), home)

    async def import_syncthing(self, request: sy.SyncthingImport) -> sy.SyncFolders:
        _, config = await self._syncthing(request.path)
        taken = {str(one.folder.path) for one in self.sync.folders}
        unknown = set(request.folders) - {str(each.path) for each in config.folders}
        if unknown:
            raise UsageError(f"Syncthing has no folder {min(unknown)}", code="not_found")
        for each in config.folders:
            if str(each.path) in taken or (request.folders and str(each.path) not in request.folders):
                continue
            patterns = "".join(line + "\n" for line in each.ignores)
            one = await self.sync.create(await self.core.apart(each.path), _worded(each.label), patterns)
            await self.sync.change(
                one, mode="send" if each.role == "send" else "both", paused=True if each.paused else None)
        return await self.synced_folders()


_WHATS: Final = {
    "CHANGED_HERE": "local", "SHADOWED": "shadowed", "UNSTORABLE": "unsupported", "NO_ROOM": "no_room",
    "DISK": "failed", "NOT_SCANNED": "changing",
}
_SKIPPED: Final = {"changing": "changing", "special": "unsupported", "bad_name": "unsupported", "clash": "shadowed"}


def _version_id(version: Version) -> str:
    return f"{version.path}@{version.when_ns}"


def _path(text: str) -> Path:
    """Of this machine. Raises UsageError."""
    try:
        path = Path(text).expanduser()
        path.lstat()
    except (ValueError, RuntimeError):
        raise UsageError("this cannot be a path", code="bad_request") from None
    except OSError:
        pass  # what cannot be there is said by whoever goes there
    if not path.is_absolute():
        # Where the daemon was started is nobody's business, and may be full of what nobody meant.
        raise UsageError("a folder is named by its whole path, from / or ~ on", code="bad_request")
    return path


def _relative(text: str) -> str:
    """A path in the folder. Raises UsageError."""
    from_wildbach = text.strip("/")
    with contextlib.suppress(FormatError):
        return check_path(from_wildbach)
    raise UsageError("this cannot be a path of a folder", code="bad_request")


def _worded(text: str) -> str:
    """A name as rosters take it."""
    words = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return words[: limits.SYNC_NAME_CHARS]
