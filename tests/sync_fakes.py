"""The part of the Api in memory about folders that are kept the same on several devices."""

from __future__ import annotations

import itertools

from msgspec import UNSET
from msgspec.structs import asdict, replace

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import syncmodels as sy

ME = "11" * 16
PHONE = "22" * 16
RECOVERY = "abandon ability able about above absent absorb abstract absurd abuse access accident"


def sync_device(name: str, **different: object) -> sy.SyncDevice:
    values: dict[str, object] = {
        "id": PHONE, "name": name, "role": "rw", "me": False, "connected": True, "way": "lan",
        "endpoint": "192.168.1.5:6881", "seen_at": 1_700_000_000, "state": "idle", "reason": "", "need_files": 0,
        "need_bytes": 0, "down": 0, "up": 0, "received": 0, "sent": 0, **different}
    return sy.SyncDevice(**values)  # type: ignore[arg-type]  # fields by name


def sync_folder(name: str, **different: object) -> sy.SyncFolder:
    values: dict[str, object] = {
        "id": "ab" * 32, "name": name, "path": f"/d/{name}", "role": "owner", "mode": "both", "state": "idle",
        "reason": "", "question": "", "files": 3, "size": 5_000_000, "need_files": 0, "need_bytes": 0,
        "progress": 1.0, "conflicts": 0, "problems": 0, "local": 0, "down": 0, "up": 0,
        "devices": (sync_device("laptop", id=ME, role="owner", me=True, way="", endpoint=""), sync_device("phone")),
        "links": 0, "excluded": (), "owners": 1, "recovery": "saved", "scanned_at": 1_700_000_000,
        "changed_at": 1_700_000_000, "versions_size": 0, **different}
    return sy.SyncFolder(**values)  # type: ignore[arg-type]  # fields by name


class FakeSyncing:
    works: dict[str, m.Job]

    def __init__(self) -> None:
        self.device_name = "laptop"
        self.synced: dict[str, sy.SyncFolder] = {}
        self.open_links: dict[str, dict[str, sy.SyncLink]] = {}
        self.texts: dict[str, str] = {}
        self.things: tuple[sy.SyncItem, ...] = ()
        self.troubles: tuple[sy.SyncTrouble, ...] = ()
        self.clashes: dict[str, sy.SyncConflict] = {}
        self.old: tuple[sy.SyncVersion, ...] = ()
        self.happened: tuple[sy.SyncEvent, ...] = ()
        self.syncthing: tuple[sy.SyncthingFolder, ...] = ()
        self.asked: list[object] = []
        self._numbers = itertools.count(1)

    def _folder(self, word: str) -> sy.SyncFolder:
        for one in self.synced.values():
            if word in (one.name, one.path) or (len(word) >= 4 and one.id.startswith(word)):
                return one
        raise UsageError(f"no folder {word} is kept the same here", code="not_found")

    def _put(self, one: sy.SyncFolder, **different: object) -> sy.SyncFolder:
        self.synced[one.id] = replace(one, **different)
        return self.synced[one.id]

    def _device(self, one: sy.SyncFolder, word: str) -> sy.SyncDevice:
        found = next((each for each in one.devices if word == each.name or each.id.startswith(word)), None)
        if found is None:
            raise UsageError("there is no such device", code="not_found")
        return found

    async def synced_folders(self) -> sy.SyncFolders:
        return sy.SyncFolders(ME, self.device_name, tuple(self.synced.values()))

    async def name_sync_device(self, patch: sy.SyncSelf) -> sy.SyncFolders:
        self.device_name = patch.name
        return await self.synced_folders()

    async def create_synced(self, making: sy.SyncMaking) -> sy.SyncFolder:
        id = f"{next(self._numbers):064x}"
        me = sync_device(self.device_name, id=ME, role="owner", me=True, way="", endpoint="")
        name = making.name or making.path.rpartition("/")[2] or "folder"
        return self._put(sync_folder(name, id=id, path=making.path, devices=(me,), recovery="unsaved"))

    async def join_synced(self, joining: sy.SyncJoining) -> m.Job:
        self.asked.append(joining)
        if not joining.link.startswith("wildbach-sync:"):
            raise UsageError("this is no link to a folder", code="bad_request")
        done = {"name": "photos", "path": joining.path, "id": "ab" * 32}
        job = m.Job("j", "join", joining.path, "done", 1.0, "", 0, dict(done))
        self.works["j"] = job
        return job

    async def synced_folder(self, word: str) -> sy.SyncFolder:
        return self._folder(word)

    async def change_synced(self, word: str, patch: sy.SyncPatch) -> sy.SyncFolder:
        one = self._folder(word)
        given = {name: value for name, value in asdict(patch).items() if value is not UNSET}
        if "ignores" in given:
            self.texts[one.id] = given.pop("ignores")
        if "paused" in given:
            given["state"] = "paused" if given.pop("paused") else "idle"
        return self._put(one, **given)

    async def leave_synced(self, word: str, leaving: sy.SyncLeaving) -> None:
        self.asked.append(leaving)
        del self.synced[self._folder(word).id]

    async def answer_synced(self, word: str, answer: sy.SyncAnswer) -> sy.SyncFolder:
        self.asked.append(answer)
        return self._put(self._folder(word), question="", state="idle")

    async def scan_synced(self, word: str) -> None:
        self._folder(word)

    async def sync_links(self, word: str) -> sy.SyncLinks:
        links = self.open_links.get(self._folder(word).id, {})
        return sy.SyncLinks(tuple(replace(each, text="", qr="") for each in links.values()))

    async def share_synced(self, word: str, making: sy.SyncLinkMaking) -> sy.SyncLink:
        one = self._folder(word)
        if one.role != "owner":
            raise UsageError("only an owner's device can let devices in", code="forbidden")
        id = f"{next(self._numbers):016x}"
        until = 0 if making.reusable else 1_700_000_000 + making.hours * 3600
        link = sy.SyncLink(
            id, making.role, making.reusable, 1_700_000_000, until, 0, f"wildbach-sync:{id}", "<svg></svg>")
        self.open_links.setdefault(one.id, {})[id] = link
        self._put(one, links=one.links + 1)
        return link

    async def unshare_synced(self, word: str, id: str) -> None:
        one = self._folder(word)
        if self.open_links.get(one.id, {}).pop(id, None) is None:
            raise UsageError("there is no such link", code="not_found")
        self._put(one, links=one.links - 1)

    async def revoke_synced(self, word: str, revoking: sy.SyncRevoking) -> sy.SyncFolder:
        one = self._folder(word)
        gone = self._device(one, revoking.device)
        return self._put(one, devices=tuple(each for each in one.devices if each != gone))

    async def set_sync_role(self, word: str, change: sy.SyncRoleChange) -> sy.SyncFolder:
        one = self._folder(word)
        found = self._device(one, change.device)
        return self._put(one, devices=tuple(
            replace(each, role=change.role) if each == found else each for each in one.devices))

    async def synced_items(self, word: str, query: sy.SyncQuery) -> sy.SyncItems:
        self._folder(word)
        start = query.under + "/" if query.under else ""
        found = [each for each in self.things if each.path.startswith(start) and each.path > query.after]
        return sy.SyncItems(tuple(found[: query.limit]), len(found) > query.limit)

    async def sync_troubles(self, word: str, query: sy.SyncQuery) -> sy.SyncTroubles:
        self._folder(word)
        found = [each for each in self.troubles if each.path > query.after]
        return sy.SyncTroubles(tuple(found[: query.limit]), len(found) > query.limit)

    async def sync_conflicts(self, word: str) -> sy.SyncConflicts:
        self._folder(word)
        return sy.SyncConflicts(tuple(self.clashes.values()))

    async def sync_difference(self, word: str, query: sy.SyncCopy) -> sy.SyncDifference:
        self._folder(word)
        if query.copy not in self.clashes:
            raise UsageError("there is no such conflict", code="not_found")
        lines = (sy.SyncLine("gap", "7"), sy.SyncLine("place", "ü"), sy.SyncLine("copy", "\x1b[2J"))
        return sy.SyncDifference(lines, "cut")

    async def resolve_sync_conflict(self, word: str, resolving: sy.SyncResolving) -> None:
        self._folder(word)
        self.asked.append(resolving)
        if self.clashes.pop(resolving.copy, None) is None:
            raise UsageError("there is no such conflict", code="not_found")

    async def sync_versions(self, word: str, query: sy.SyncQuery) -> sy.SyncVersions:
        self._folder(word)
        found = [each for each in self.old if each.path.startswith(query.under)]
        ids = [each.id for each in found]
        if query.after in ids:
            found = found[ids.index(query.after) + 1 :]
        return sy.SyncVersions(tuple(found[: query.limit]), len(found) > query.limit)

    async def restore_synced(self, word: str, restoring: sy.SyncRestoring) -> None:
        self._folder(word)
        self.asked.append(restoring)
        if restoring.id not in {name for each in self.old for name in (each.id, each.path)}:
            raise UsageError("there is no such version", code="not_found")

    async def revert_synced(self, word: str, reverting: sy.SyncReverting) -> None:
        self._put(self._folder(word), local=0)
        self.asked.append(reverting)

    async def sync_history(self, word: str) -> sy.SyncHistory:
        self._folder(word)
        return sy.SyncHistory(self.happened)

    async def sync_ignores(self, word: str) -> sy.SyncIgnores:
        return sy.SyncIgnores(self.texts.get(self._folder(word).id, ""), "*.tmp\n", ())

    async def sync_recovery_key(self, word: str) -> sy.SyncRecoveryKey:
        if self._folder(word).recovery != "unsaved":
            raise UsageError("this device has no recovery key of the folder", code="not_found")
        return sy.SyncRecoveryKey(RECOVERY)

    async def sync_recovery_saved(self, word: str) -> sy.SyncFolder:
        return self._put(self._folder(word), recovery="saved")

    async def recover_synced(self, word: str, recovering: sy.SyncRecovering) -> sy.SyncFolder:
        one = self._folder(word)
        if recovering.words != RECOVERY:
            raise UsageError("these are not the words of this folder's recovery key", code="bad_request")
        return self._put(one, role="owner", recovery="used")

    async def look_at_syncthing(self, where: sy.SyncthingWhere) -> sy.SyncthingFound:
        if not self.syncthing:
            raise UsageError("no state of Syncthing was found", code="not_found")
        return sy.SyncthingFound(where.path or "/state/syncthing", self.syncthing, ("devices are not taken",))

    async def import_syncthing(self, request: sy.SyncthingImport) -> sy.SyncFolders:
        for each in self.syncthing:
            if not request.folders or each.path in request.folders:
                await self.create_synced(sy.SyncMaking(each.path, each.label))
        return await self.synced_folders()
