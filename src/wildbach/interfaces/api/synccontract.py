"""The part of the contract about folders that are kept the same on several devices (docs/guide-sync.md)."""

from __future__ import annotations

from typing import Protocol

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.operation import operation


class SyncApi(Protocol):
    @operation("GET", "/sync", role="guest")
    async def synced_folders(self) -> sy.SyncFolders:
        """Folders of this device that are kept the same on others, by name."""
        ...

    @operation("PATCH", "/sync")
    async def name_sync_device(self, patch: sy.SyncSelf) -> sy.SyncFolders:
        """What this device calls itself to the others."""
        ...

    @operation("POST", "/sync/folders")
    async def create_synced(self, making: sy.SyncMaking) -> sy.SyncFolder:
        """Begin to keep a folder the same. Nobody has it before a link was made and used."""
        ...

    @operation("POST", "/sync/join")
    async def join_synced(self, joining: sy.SyncJoining) -> m.Job:
        """Join with a link. The job waits for the device that made it; its `result` has the folder's `id`. Files that
        are in the folder stay: equal ones are taken as they are, different ones are kept beside.
        """
        ...

    @operation("GET", "/sync/folders/{word}", role="guest")
    async def synced_folder(self, word: str) -> sy.SyncFolder:
        """A folder by its name, its path, or the beginning of its id."""
        ...

    @operation("PATCH", "/sync/folders/{word}")
    async def change_synced(self, word: str, patch: sy.SyncPatch) -> sy.SyncFolder:
        """Rename, move, pause, choose what is kept here."""
        ...

    @operation("POST", "/sync/folders/{word}/leave")
    async def leave_synced(self, word: str, leaving: sy.SyncLeaving) -> None:
        """Keep the folder the same no longer. Its files stay."""
        ...

    @operation("POST", "/sync/folders/{word}/answer")
    async def answer_synced(self, word: str, answer: sy.SyncAnswer) -> sy.SyncFolder:
        """To what the folder asks: yes, the many deletions or changes are meant; no, they are taken back."""
        ...

    @operation("POST", "/sync/folders/{word}/scan")
    async def scan_synced(self, word: str) -> None:
        """Look through the whole folder now."""
        ...

    @operation("GET", "/sync/folders/{word}/links")
    async def sync_links(self, word: str) -> sy.SyncLinks:
        """Links that are open, without what lets in."""
        ...

    @operation("POST", "/sync/folders/{word}/links")
    async def share_synced(self, word: str, making: sy.SyncLinkMaking) -> sy.SyncLink:
        """Make a link that lets a device join. Only an owner's device can."""
        ...

    @operation("DELETE", "/sync/folders/{word}/links/{id}")
    async def unshare_synced(self, word: str, id: str) -> None:
        """Take a link back. Devices that came by it stay."""
        ...

    @operation("POST", "/sync/folders/{word}/revoke")
    async def revoke_synced(self, word: str, revoking: sy.SyncRevoking) -> sy.SyncFolder:
        """Take a device out: it gets nothing that is new from now on. What it read, it keeps."""
        ...

    @operation("POST", "/sync/folders/{word}/role")
    async def set_sync_role(self, word: str, change: sy.SyncRoleChange) -> sy.SyncFolder:
        """What a device may."""
        ...

    @operation("GET", "/sync/folders/{word}/items", role="guest")
    async def synced_items(self, word: str, query: sy.SyncQuery) -> sy.SyncItems:
        """What is right below a folder in it, here and on all devices."""
        ...

    @operation("GET", "/sync/folders/{word}/troubles", role="guest")
    async def sync_troubles(self, word: str, query: sy.SyncQuery) -> sy.SyncTroubles:
        """What is missing here and why, and what cannot be kept the same."""
        ...

    @operation("GET", "/sync/folders/{word}/conflicts", role="guest")
    async def sync_conflicts(self, word: str) -> sy.SyncConflicts:
        """Conflicts that nobody has resolved."""
        ...

    @operation("GET", "/sync/folders/{word}/difference")
    async def sync_difference(self, word: str, query: sy.SyncCopy) -> sy.SyncDifference:
        """Where the two contents of a conflict differ, if both are texts of 256 KiB at most."""
        ...

    @operation("POST", "/sync/folders/{word}/conflicts")
    async def resolve_sync_conflict(self, word: str, resolving: sy.SyncResolving) -> None:
        """Say which content counts. On all devices the conflict is gone then."""
        ...

    @operation("GET", "/sync/folders/{word}/versions", role="guest")
    async def sync_versions(self, word: str, query: sy.SyncQuery) -> sy.SyncVersions:
        """Old versions that are kept here: what changes by others replaced. The newest first."""
        ...

    @operation("POST", "/sync/folders/{word}/restore")
    async def restore_synced(self, word: str, restoring: sy.SyncRestoring) -> None:
        """Bring an old version back."""
        ...

    @operation("POST", "/sync/folders/{word}/revert")
    async def revert_synced(self, word: str, reverting: sy.SyncReverting) -> None:
        """On a device that only reads: take back what was changed here. It is kept as a version."""
        ...

    @operation("GET", "/sync/folders/{word}/history", role="guest")
    async def sync_history(self, word: str) -> sy.SyncHistory:
        """What happened in the folder lately."""
        ...

    @operation("GET", "/sync/folders/{word}/ignores", role="guest")
    async def sync_ignores(self, word: str) -> sy.SyncIgnores:
        """The patterns of what is left out."""
        ...

    @operation("POST", "/sync/folders/{word}/recovery")
    async def sync_recovery_key(self, word: str) -> sy.SyncRecoveryKey:
        """The words of the recovery key, as long as they are not said to be saved."""
        ...

    @operation("DELETE", "/sync/folders/{word}/recovery")
    async def sync_recovery_saved(self, word: str) -> sy.SyncFolder:
        """The words are saved: this device forgets them."""
        ...

    @operation("POST", "/sync/folders/{word}/recover")
    async def recover_synced(self, word: str, recovering: sy.SyncRecovering) -> sy.SyncFolder:
        """Become an owner with the recovery key, where the owners are lost."""
        ...

    @operation("GET", "/sync/syncthing")
    async def look_at_syncthing(self, where: sy.SyncthingWhere) -> sy.SyncthingFound:
        """What Syncthing keeps the same on this machine."""
        ...

    @operation("POST", "/sync/syncthing")
    async def import_syncthing(self, request: sy.SyncthingImport) -> sy.SyncFolders:
        """Take over folders of Syncthing, with labels and patterns. Its devices join by links."""
        ...
