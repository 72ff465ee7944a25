"""A file system in memory, by FUSE, that forgets what was not synced: bytes, lengths and directory entries.

    python powerfs.py IMAGE MOUNTPOINT CUT

It begins with what IMAGE holds (if it exists). At the CUT-th call that changes something (0: never) the power goes:
every later call fails with EIO. When it is unmounted, what was durable by then is written to IMAGE.

A file's fsync makes its bytes durable, not its name; only the fsync of a directory does that for its entries, renames
and removals included. That is the weakest behaviour POSIX permits.
"""

from __future__ import annotations

import errno
import itertools
import os
import pickle
import stat
import sys
import time
from typing import Any

import mfusepy as fuse


class Node:
    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.data: Any = {} if stat.S_ISDIR(mode) else bytearray()
        self.durable: Any = {} if stat.S_ISDIR(mode) else b""
        self.time = time.time_ns()

    @property
    def folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def sync(self) -> None:
        self.durable = dict(self.data) if self.folder else bytes(self.data)


class PowerLoss(fuse.Operations):
    use_ns = True

    def __init__(self, image: str, cut: int) -> None:
        self.image = image
        self.cut = cut
        self.calls = 0
        self.dead = False
        self.handles: dict[int, Node] = {}
        self.numbers = itertools.count(1)
        self.root = Node(stat.S_IFDIR | 0o755)
        if os.path.exists(image):
            with open(image, "rb") as file:
                self.root = pickle.load(file)  # noqa: S301  # written by this program

    def save(self) -> None:
        """Keep what survives: the durable entries and bytes, reachable from the root."""
        revert(self.root, set())
        with open(self.image, "wb") as file:
            pickle.dump(self.root, file)
        print(self.calls, flush=True)

    def node(self, path: str) -> Node:
        self.check()
        at = self.root
        for part in path.strip("/").split("/") if path != "/" else ():
            if not at.folder:
                raise fuse.FuseOSError(errno.ENOTDIR)
            if part not in at.data:
                raise fuse.FuseOSError(errno.ENOENT)
            at = at.data[part]
        return at

    def parent(self, path: str) -> tuple[Node, str]:
        above, name = os.path.split(path)
        return self.node(above), name

    def check(self) -> None:
        if self.dead:
            raise fuse.FuseOSError(errno.EIO)

    def change(self) -> None:
        """Before each call that changes something."""
        self.check()
        self.calls += 1
        if self.calls == self.cut:
            self.dead = True
            self.check()

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        node = self.handles[fh] if fh else self.node(path)
        self.check()
        size = 0 if node.folder else len(node.data)
        return {
            "st_mode": node.mode, "st_nlink": 2 if node.folder else 1, "st_size": size, "st_uid": os.getuid(),
            "st_gid": os.getgid(), "st_mtime": node.time, "st_ctime": node.time, "st_atime": node.time,
            "st_blocks": -(-size // 512),
        }

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self.node(path).data]

    def mkdir(self, path: str, mode: int) -> None:
        self.change()
        above, name = self.parent(path)
        above.data[name] = Node(stat.S_IFDIR | mode)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.change()
        above, name = self.parent(path)
        above.data[name] = Node(stat.S_IFREG | mode)
        return self.open(path, 0)

    def open(self, path: str, flags: int) -> int:
        number = next(self.numbers)
        self.handles[number] = self.node(path)
        return number

    def release(self, path: str, fh: int) -> int:
        self.handles.pop(fh, None)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self.check()
        return bytes(self.handles[fh].data[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.change()
        kept = self.handles[fh].data
        if len(kept) < offset:
            kept.extend(bytes(offset - len(kept)))
        kept[offset : offset + len(data)] = data
        self.handles[fh].time = time.time_ns()
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        self.change()
        kept = (self.handles[fh] if fh else self.node(path)).data
        del kept[length:]
        kept.extend(bytes(length - len(kept)))

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.change()
        self.handles[fh].sync()
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self.change()
        self.node(path).sync()
        return 0

    def rename(self, old: str, new: str) -> None:
        self.change()
        source, name = self.parent(old)
        target, fresh = self.parent(new)
        target.data[fresh] = source.data.pop(name)

    def unlink(self, path: str) -> None:
        self.change()
        above, name = self.parent(path)
        del above.data[name]

    def rmdir(self, path: str) -> None:
        self.unlink(path)

    def chmod(self, path: str, mode: int) -> None:
        self.change()
        node = self.node(path)
        node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        return

    def utimens(self, path: str, times: Any = None) -> int:
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 20, "f_bavail": 1 << 20, "f_bfree": 1 << 20}


def revert(node: Node, seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if node.folder:
        node.data = dict(node.durable)
        for child in node.data.values():
            revert(child, seen)
    else:
        node.data = bytearray(node.durable)


def main() -> None:
    image, mountpoint, cut = sys.argv[1:]
    system = PowerLoss(image, int(cut))
    fuse.FUSE(system, mountpoint, foreground=True, nothreads=True)
    system.save()


if __name__ == "__main__":
    main()
