"""Entries for tests."""

from __future__ import annotations

import hashlib

from tests.syncsim.disk import root_of

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry, EntryKind
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.services.sync.trees import Base, Seen

A, B, C = DEVICES = tuple(DeviceId(bytes([each]) * 16) for each in (1, 2, 3))


def entry(
    path: str, content: str, author: DeviceId = A, *, seq: int = 1, vector: VersionVector | None = None,
    kind: EntryKind = EntryKind.FILE, mtime_ns: int = 0, deleted: bool = False, executable: bool = False,
    lineage: bytes | None = None,
) -> Entry:
    data = content.encode() if kind is EntryKind.FILE else b""
    return Entry(
        path, kind, len(data), mtime_ns, executable, root_of(data), content if kind is EntryKind.LINK else "",
        lineage or hashlib.sha256(path.encode()).digest()[:16], vector or VersionVector({author: seq}), deleted, author,
        0, seq, hashlib.sha512(f"{path}{content}{author.hex()}{seq}{deleted}".encode()).digest())


def seen(each: Entry, inode: int = 0) -> Seen:
    mtime = each.mtime_ns if each.kind is EntryKind.FILE else 0
    return Seen(each.kind, each.size, mtime, each.executable, each.root, each.target, 1, inode, 0)


def base(each: Entry, inode: int = 0) -> Base:
    return Base.of(each, each.vector, None if each.deleted else seen(each, inode))
