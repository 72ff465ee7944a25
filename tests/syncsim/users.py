"""What users do to a folder: each call does one thing, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.syncsim.disk import Disk, Node

from wildbach.protocol.sync.entries import EntryKind
from wildbach.services.sync.trees import parent

NAMES = ("a", "b", "c", "d", "A", "é.txt", "x.tar.gz")


class User:
    """Makes contents that are never the same, and remembers which of them somebody gave up on purpose."""

    def __init__(self, rng: Random, *, names: tuple[str, ...] = NAMES, depth: int = 3, links: bool = True) -> None:
        self.rng = rng
        self.names = names
        self.depth = depth
        self.links = links
        self.saved: dict[bytes, str] = {}
        "Content → where it was saved first."
        self.given_up: set[bytes] = set()
        "Contents that a user overwrote or deleted where they stood: that is a causally later edit."
        self._count = 0

    def act(self, disk: Disk, who: str, now_ns: int) -> str:
        """One operation; a word on what it was."""
        deeds: list[tuple[int, Callable[[Disk, str, int], str]]] = [
            (6, self._create), (5, self._edit), (2, self._append), (2, self._quiet_edit), (4, self._delete),
            (4, self._rename), (1, self._swap), (2, self._upward), (2, self._switch), (1, self._chmod),
            (1, self._link if self.links else self._create), (2, self._mkdir), (1, self._recreate), (1, self._case)]
        weights = [weight for weight, _ in deeds]
        deed = self.rng.choices([each for _, each in deeds], weights)[0]
        return deed(disk, who, now_ns)

    def _content(self, where: str, before: bytes = b"") -> bytes:
        self._count += 1
        data = before + b"%d " % self._count
        self.saved[data] = where
        return data

    def _files(self, disk: Disk) -> list[str]:
        return [path for path, node in disk.walk() if node.kind is EntryKind.FILE]

    def _some(self, paths: list[str]) -> str | None:
        return self.rng.choice(paths) if paths else None

    def _free(self, disk: Disk) -> str | None:
        """A name that nothing has, in a directory that is there."""
        dirs = [""] + [path for path, node in disk.walk() if node.kind is EntryKind.DIR]
        for _ in range(8):
            above = self.rng.choice(dirs)
            path = f"{above}/{self.rng.choice(self.names)}" if above else self.rng.choice(self.names)
            if not disk.taken(path) and path.count("/") < self.depth:
                return path
        return None

    def give_up(self, disk: Disk, path: str) -> None:
        node = disk.get(path)
        if node is not None and node.kind is EntryKind.FILE and node.data:
            self.given_up.add(node.data)

    def _tear_down(self, disk: Disk, path: str) -> None:
        for each in [each for each, _ in disk.walk() if each.startswith(path + "/")][::-1]:
            self.give_up(disk, each)
            disk.remove(each)
        self.give_up(disk, path)
        disk.remove(path)

    def _create(self, disk: Disk, who: str, now: int) -> str:
        path = self._free(disk)
        if path is None:
            return "nothing"
        disk.put(path, Node(EntryKind.FILE, self._content(f"{who} {path}"), now))
        return f"create {path}"

    def _edit(self, disk: Disk, who: str, now: int) -> str:
        return self._write(disk, who, now, append=False)

    def _append(self, disk: Disk, who: str, now: int) -> str:
        return self._write(disk, who, now, append=True)

    def _quiet_edit(self, disk: Disk, who: str, now: int) -> str:
        return self._write(disk, who, None, append=False)

    def _write(self, disk: Disk, who: str, now: int | None, *, append: bool) -> str:
        path = self._some(self._files(disk))
        if path is None:
            return "nothing"
        node = disk.get(path)
        assert node is not None
        self.give_up(disk, path)
        data = self._content(f"{who} {path}", node.data if append else b"")
        disk.put(path, replace(node, data=data, mtime_ns=node.mtime_ns if now is None else now))
        return f"edit {path}"

    def _delete(self, disk: Disk, who: str, now: int) -> str:
        path = self._some([each for each, _ in disk.walk()])
        if path is None:
            return "nothing"
        self._tear_down(disk, path)
        return f"delete {path}"

    def _rename(self, disk: Disk, who: str, now: int) -> str:
        old, new = self._some([each for each, _ in disk.walk()]), self._free(disk)
        if old is None or new is None or new.startswith(old + "/"):
            return "nothing"
        disk.move(old, new)
        return f"rename {old} to {new}"

    def _swap(self, disk: Disk, who: str, now: int) -> str:
        files = self._files(disk)
        if len(files) < 2:
            return "nothing"
        one, other = self.rng.sample(files, 2)
        first, second = disk.get(one), disk.get(other)
        assert first is not None and second is not None
        disk.put(one, second)
        disk.put(other, first)
        return f"swap {one} {other}"

    def _upward(self, disk: Disk, who: str, now: int) -> str:
        """`d/d` goes where `d` was: the directory gives its name to what was in it."""
        path = self._some([each for each in self._files(disk) if "/" in each])
        if path is None:
            return "nothing"
        above, node = parent(path), disk.get(path)
        assert node is not None
        disk.remove(path)
        self._tear_down(disk, above)
        disk.put(above, node)
        return f"upward {path}"

    def _switch(self, disk: Disk, who: str, now: int) -> str:
        path = self._some([each for each, _ in disk.walk()])
        if path is None:
            return "nothing"
        node = disk.get(path)
        assert node is not None
        self._tear_down(disk, path)
        if node.kind is EntryKind.DIR:
            disk.put(path, Node(EntryKind.FILE, self._content(f"{who} {path}"), now))
        else:
            disk.put(path, Node(EntryKind.DIR))
            disk.put(f"{path}/in", Node(EntryKind.FILE, self._content(f"{who} {path}/in"), now))
        return f"switch {path}"

    def _chmod(self, disk: Disk, who: str, now: int) -> str:
        path = self._some(self._files(disk))
        if path is None:
            return "nothing"
        node = disk.get(path)
        assert node is not None
        disk.put(path, replace(node, executable=not node.executable))
        return f"chmod {path}"

    def _link(self, disk: Disk, who: str, now: int) -> str:
        path = self._free(disk)
        if path is None:
            return "nothing"
        self._count += 1
        disk.put(path, Node(EntryKind.LINK, target=f"to/{self._count}"))
        return f"link {path}"

    def _mkdir(self, disk: Disk, who: str, now: int) -> str:
        path = self._free(disk)
        if path is None:
            return "nothing"
        disk.put(path, Node(EntryKind.DIR))
        return f"mkdir {path}"

    def _recreate(self, disk: Disk, who: str, now: int) -> str:
        path = self._some(self._files(disk))
        if path is None:
            return "nothing"
        self.give_up(disk, path)
        disk.remove(path)
        disk.put(path, Node(EntryKind.FILE, self._content(f"{who} {path}"), now))
        return f"recreate {path}"

    def _case(self, disk: Disk, who: str, now: int) -> str:
        path = self._some([each for each, _ in disk.walk()])
        if path is None:
            return "nothing"
        head, slash, name = path.rpartition("/")
        new = head + slash + name.swapcase()
        if new == path or disk.get(new) is not None:
            return "nothing"
        disk.move(path, new)
        return f"case {path}"
