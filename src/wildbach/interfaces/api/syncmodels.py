"""What goes in and out of the Api about folders that are kept the same on several devices.

Times are seconds since 1970. Secrets never come out, with two exceptions that people ask for: a link, which lets a
device join, and the words of the recovery key, until they are said to be saved.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from wildbach.base import limits
from wildbach.interfaces.api.models import Amount, Line, Model, PathText
from wildbach.interfaces.api.walletmodels import Confided

SyncRole = Literal["owner", "rw", "ro"]
SyncMode = Literal["both", "send"]
"`send`: changes of others are shown and not made here."
SyncState = Literal["starting", "scanning", "syncing", "idle", "paused", "asking", "stopped"]
"""`asking`: it waits for a yes or no of its owner, `question` says for which. `stopped`: it cannot go on, `reason` says
why.
"""
SyncRecovery = Literal["unsaved", "saved", "used"]
SyncItemState = Literal["here", "coming", "waiting", "excluded", "shadowed", "local"]
SyncPath = Annotated[str, Meta(min_length=1, max_length=limits.SYNC_PATH_BYTES)]
SyncName = Annotated[str, Meta(min_length=1, max_length=limits.SYNC_NAME_CHARS)]
SyncWords = Annotated[str, Meta(min_length=1, max_length=limits.WALLET_PHRASE_CHARS)]


class SyncDevice(Model, frozen=True):
    """Another device that has the folder, or this one."""

    id: str
    "16 bytes in hex."
    name: str
    role: SyncRole
    me: bool
    connected: bool
    way: str
    "How it is reached now: `lan`, `tcp`, `utp`, `relay`; empty where it is not."
    endpoint: str
    seen_at: int
    "When it was last connected; 0: never."
    state: str
    "What it says of itself: `idle`, `syncing`, `paused`, `stopped`; empty where it said nothing."
    reason: str
    "Why it waits, in its words."
    need_files: int
    "What it lacks of what is here, as far as it said."
    need_bytes: int
    down: int
    up: int
    "Bytes a second, for all folders that both have."
    received: int
    sent: int
    "Bytes since it was connected."


class SyncFolder(Model, frozen=True):
    """A folder of this device that is kept the same on others."""

    id: str
    "32 bytes in hex."
    name: str
    path: str
    role: SyncRole
    mode: SyncMode
    state: SyncState
    reason: str
    "What is wrong or waited for, in plain words with what to do; empty where nothing is."
    question: str
    "What is asked, in plain words; empty where nothing is."
    files: int
    size: int
    "Bytes of all files that all devices agree on."
    need_files: int
    need_bytes: int
    "What is still to come to this device."
    progress: float
    conflicts: int
    problems: int
    "Paths that cannot be kept the same, each with its reason."
    local: int
    "Changes that were made here and are not sent, because this device only reads."
    down: int
    up: int
    "Bytes a second."
    devices: tuple[SyncDevice, ...]
    links: int
    "That are open."
    excluded: tuple[str, ...]
    "Folders in it that are not kept here."
    owners: int
    recovery: SyncRecovery
    "Of the recovery key: while it is not saved and there is one owner alone, losing that device closes the folder."
    scanned_at: int
    changed_at: int
    versions_size: int
    "Bytes of old versions that are kept here."


class SyncFolders(Model, frozen=True):
    device: str
    "The id of this device, in hex."
    name: str
    "What this device calls itself."
    folders: tuple[SyncFolder, ...]


class SyncSelf(Model, frozen=True):
    name: SyncName


class SyncMaking(Model, frozen=True):
    """Begin to keep a folder the same. It may have files already."""

    path: PathText
    name: Annotated[str, Meta(max_length=limits.SYNC_NAME_CHARS)] = ""
    "Empty: that of the folder."


class SyncJoining(Confided, frozen=True):
    """Join with a link that somebody made. `path`: a folder; files that are in it stay."""

    link: Annotated[str, Meta(min_length=1, max_length=limits.SYNC_LINK_CHARS)]
    path: PathText
    mode: SyncMode = "both"


class SyncLinkMaking(Model, frozen=True):
    role: Literal["rw", "ro"] = "rw"
    hours: Annotated[int, Meta(ge=1, le=24 * 365)] = 24
    reusable: bool = False
    "It lets in as many devices as use it, until it is taken back."


class SyncLink(Confided, frozen=True):
    """`text` lets a device join: whoever has it may. It is shown once, when it is made."""

    id: str
    role: SyncRole
    reusable: bool
    made_at: int
    expires_at: int
    used: int
    "Devices that came by it."
    text: str = ""
    qr: str = ""
    "The same as a picture: an SVG."


class SyncLinks(Model, frozen=True):
    links: tuple[SyncLink, ...]


class SyncPatch(Model, frozen=True):
    """What is to be different. What is left out stays."""

    name: SyncName | UnsetType = UNSET
    path: PathText | UnsetType = UNSET
    "Where the folder is now: one that was moved already, or an empty place that it is moved to."
    mode: SyncMode | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    excluded: Annotated[tuple[SyncPath, ...], Meta(max_length=limits.SYNC_EXCLUDED)] | UnsetType = UNSET
    "Files of folders that are excluded now stay where they are until `tidy`."
    ignores: Annotated[str, Meta(max_length=limits.SYNC_IGNORE_BYTES)] | UnsetType = UNSET
    "The text of `.wbignore`."


class SyncAnswer(Model, frozen=True):
    """To what the folder asks. A yes counts on this device; others ask for themselves."""

    yes: bool


class SyncLeaving(Model, frozen=True):
    """Files stay. `erase_versions`: old versions that are kept here go."""

    erase_versions: bool = False


class SyncRevoking(Model, frozen=True):
    device: Annotated[str, Meta(min_length=1, max_length=limits.SYNC_NAME_CHARS)]
    "Its name, or the beginning of its id."


class SyncRoleChange(Model, frozen=True):
    device: Annotated[str, Meta(min_length=1, max_length=limits.SYNC_NAME_CHARS)]
    role: SyncRole


class SyncQuery(Model, frozen=True):
    """A part of a list: paths after `after`, at most `limit`."""

    under: Annotated[str, Meta(max_length=limits.SYNC_PATH_BYTES)] = ""
    after: Annotated[str, Meta(max_length=limits.SYNC_PATH_BYTES)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class SyncItem(Model, frozen=True):
    """A path right below `under`."""

    path: str
    kind: Literal["file", "dir", "link"]
    size: int
    changed_at: int
    by: str
    "The name of the device that changed it last."
    here: bool
    "This device has it as all agree on."
    state: SyncItemState
    reason: str


class SyncItems(Model, frozen=True):
    items: tuple[SyncItem, ...]
    more: bool


class SyncTrouble(Model, frozen=True):
    """What is missing here and why, or cannot be kept the same."""

    path: str
    what: Literal["missing", "unreadable", "shadowed", "no_room", "failed", "local", "unsupported", "changing"]
    reason: str
    size: int
    since: int


class SyncTroubles(Model, frozen=True):
    troubles: tuple[SyncTrouble, ...]
    more: bool


class SyncConflict(Model, frozen=True):
    """Two contents of one path, of which neither knew of the other. Both are in the folder: the one under its name, the
    other as the copy.
    """

    path: str
    copy: str
    by: str
    "Who wrote the copy's content."
    at: int
    size: int
    copy_size: int
    text: bool
    "Both are short enough for `sync_difference`, if they are texts."


class SyncConflicts(Model, frozen=True):
    conflicts: tuple[SyncConflict, ...]


class SyncCopy(Model, frozen=True):
    copy: SyncPath
    "Of a conflict."


SyncLineKind: TypeAlias = Literal["same", "place", "copy", "gap"]


class SyncLine(Model, frozen=True):
    what: SyncLineKind
    "In both, only in the file under its name, only in the copy; or a number of equal lines that are left out."
    text: str


class SyncDifference(Model, frozen=True):
    """Where the two contents of a conflict differ."""

    lines: tuple[SyncLine, ...]
    reason: Literal["", "binary", "large", "gone", "cut"]
    "Why there are none: they are no texts, too long, or one is not here. `cut`: more of them follow."


class SyncResolving(Model, frozen=True):
    copy: SyncPath
    keep: Literal["this", "copy", "both"]
    "`this`: the copy goes; `copy`: it takes the other's place; `both`: it stays, under another name."


class SyncVersion(Model, frozen=True):
    """What a change by another device replaced."""

    id: str
    path: str
    size: int
    at: int
    "When it was replaced."
    by: str
    "The device whose change replaced it; empty where that is not known any more."
    why: Literal["changed", "deleted"]


class SyncVersions(Model, frozen=True):
    versions: tuple[SyncVersion, ...]
    more: bool


class SyncRestoring(Model, frozen=True):
    """Bring an old version back. What is at its path now becomes a version itself. `to`: another path of the folder."""

    id: Annotated[str, Meta(min_length=1, max_length=limits.SYNC_PATH_BYTES)]
    to: Annotated[str, Meta(max_length=limits.SYNC_PATH_BYTES)] = ""


class SyncReverting(Model, frozen=True):
    """Take back what was changed here on a device that only reads. Empty: all of it."""

    paths: Annotated[tuple[SyncPath, ...], Meta(max_length=1000)] = ()


class SyncRecoveryKey(Confided, frozen=True):
    words: str


class SyncRecovering(Confided, frozen=True):
    """Take over a folder whose owners are lost, with the words that were saved."""

    words: SyncWords


class SyncIgnores(Model, frozen=True):
    text: str
    shared: str
    "The text of `.wbignore.shared`, which is kept the same like any file."
    problems: tuple[str, ...]


class SyncthingWhere(Model, frozen=True):
    path: Annotated[str, Meta(max_length=4096)] = ""
    "The state folder of Syncthing, or its config.xml; empty: where it is usually."


class SyncthingFolder(Model, frozen=True):
    label: str
    path: str
    mode: Literal["both", "send", "receive"]
    paused: bool
    devices: tuple[str, ...]
    ignores: int
    "Patterns that are taken over."
    notes: tuple[str, ...]
    taken: bool
    "The folder is kept by wildbach already."


class SyncthingFound(Model, frozen=True):
    path: str
    folders: tuple[SyncthingFolder, ...]
    notes: tuple[str, ...]


class SyncthingImport(Model, frozen=True):
    """Take over folders, by their paths. Syncthing must not keep them at the same time."""

    path: Annotated[str, Meta(max_length=4096)] = ""
    folders: Annotated[tuple[Line, ...], Meta(max_length=limits.SYNC_FOLDERS)] = ()
    "Empty: all."


class SyncEvent(Model, frozen=True):
    """What happened in a folder. `what`: received, deleted, renamed, conflict, restored, joined, revoked, rekeyed."""

    at: int
    what: str
    path: str
    by: str
    size: Amount = 0


class SyncHistory(Model, frozen=True):
    events: tuple[SyncEvent, ...]
    "The newest first."
