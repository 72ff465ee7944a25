"""A folder's state in memory: committed or not, killed, restored from an old copy."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.entries import Entry
from wildbach.services.sync.conflicts import Conflict
from wildbach.services.sync.merge import live
from wildbach.services.sync.planner import Why
from wildbach.services.sync.trees import Base, Heads, Seen

_GONE: Any = object()


class Tree:
    """Paths in order."""

    def __init__(self, items: dict[str, Any] | None = None) -> None:
        self.items: dict[str, Any] = dict(items or {})
        self._order = sorted(self.items)

    def get(self, path: str) -> Any:
        return self.items.get(path)

    def put(self, path: str, value: Any) -> None:
        if value is None:
            if path in self.items:
                del self.items[path]
                del self._order[bisect_left(self._order, path)]
            return
        if path not in self.items:
            insort(self._order, path)
        self.items[path] = value

    def below(self, path: str) -> Iterator[str]:
        if not path:
            yield from list(self._order)
            return
        first = path + "/"
        start = bisect_left(self._order, first)
        end = bisect_left(self._order, path + "0")
        yield from self._order[start:end]


class GlobalTree(Tree):
    """Global."""

    def __init__(self, items: dict[str, Heads] | None = None, fold: Callable[[str], str] | None = None) -> None:
        super().__init__(items)
        self.fold = fold

    def get(self, path: str) -> Heads:
        return self.items.get(path, ())

    def live_below(self, path: str) -> bool:
        return any(live(self.items[each]) for each in self.below(path))

    def alike(self, path: str) -> list[str]:
        if self.fold is None:
            return []
        key = self.fold(path)
        return [
            each for each in self._order
            if each != path and self.fold(each) == key and (live(self.items[each]) or self.live_below(each))]


class LocalTree(Tree):
    """Local."""

    def __init__(self, items: dict[str, Seen] | None = None, fold: Callable[[str], str] | None = None) -> None:
        super().__init__(items)
        self.fold = fold

    def alike(self, path: str) -> list[str]:
        if self.fold is None:
            return []
        key = self.fold(path)
        return [each for each in self._order if each != path and self.fold(each) == key]

    def holding(self, root: bytes) -> list[str]:
        return [path for path in self._order if self.items[path].root == root]


class MemoryStore:
    """Rolled back to the last commit by `crashed`."""

    def __init__(self, fold: Callable[[str], str] | None = None, on_commit: Callable[[], None] | None = None) -> None:
        self.fold = fold
        self.on_commit = on_commit
        self._undo: list[tuple[Any, str, Any]] = []
        self.world = GlobalTree(fold=fold)
        self.local = LocalTree(fold=fold)
        self.synced = Tree()
        self.sequences = Tree()
        self._marked = Tree()
        self._held = Tree()
        self._conflicted = Tree()
        self.records = Tree()
        self._numbers = Tree()
        self._losses = Tree()
        self._guards = Tree()
        self._backs = Tree()

    def _trees(self) -> tuple[Tree, ...]:
        return (
            self.world, self.local, self.synced, self.sequences, self._marked, self._held, self._conflicted,
            self.records, self._numbers, self._losses, self._guards, self._backs)

    def _put(self, tree: Tree, path: str, value: Any) -> None:
        self._undo.append((tree, path, tree.items.get(path)))
        tree.put(path, value)

    def put_heads(self, path: str, heads: Heads) -> None:
        self._put(self.world, path, heads or None)
        self.set_number("last", self.last() + 1)
        self._put(self.sequences, path, self.last() if heads else None)

    def put_seen(self, path: str, seen: Seen | None) -> None:
        self._put(self.local, path, seen)

    def put_base(self, path: str, base: Base | None) -> None:
        self._put(self.synced, path, base)

    def files(self) -> int:
        return sum(not each.deleted and each.kind.value != "d" for each in self.synced.items.values())

    def mark(self, path: str) -> None:
        if path not in self._marked.items:
            self._put(self._marked, path, True)

    def unmark(self, path: str) -> None:
        self._put(self._marked, path, None)

    def marked(self, limit: int) -> list[str]:
        return list(self._marked.below(""))[:limit]

    def related(self, path: str) -> list[str]:
        seen, base, heads = self.local.get(path), self.synced.get(path), self.world.get(path)
        found: dict[str, None] = {}
        if seen is not None and seen.inode:
            found.update(dict.fromkeys(
                each for each, other in self.synced.items.items()
                if other.seen is not None and other.seen.inode == seen.inode))
        if base is not None and base.seen is not None and base.seen.inode:
            found.update(dict.fromkeys(
                each for each, other in self.local.items.items() if other.inode == base.seen.inode))
        lineages = {head.lineage for head in heads}
        found.update(dict.fromkeys(
            each for each, others in self.world.items.items() if any(head.lineage in lineages for head in others)))
        found.pop(path, None)
        return list(found)

    def hold(self, path: str, why: Why | None) -> None:
        if self._held.get(path) is not why:
            self._put(self._held, path, why)

    def held(self, *whys: Why) -> list[str]:
        return [path for path in self._held.below("") if self._held.get(path) in whys]

    def why(self, path: str) -> Why | None:
        return self._held.get(path)

    def held_below(self, path: str) -> list[str]:
        return list(self._held.below(path))

    def note(self, path: str, conflicts: tuple[Conflict, ...]) -> None:
        if conflicts:
            self._put(self._conflicted, path, True)
            for each in conflicts:
                self._put(self.records, each.copy, each)
        elif path in self._conflicted.items:
            self._put(self._conflicted, path, None)

    def conflicted(self) -> list[str]:
        return list(self._conflicted.below(""))

    def number(self, name: str) -> int:
        return self._numbers.get(name) or 0

    def set_number(self, name: str, value: int) -> None:
        self._put(self._numbers, name, value)

    def last(self) -> int:
        return self.number("last")

    def since(self, sequence: int, limit: int) -> tuple[list[Entry], int]:
        found = sorted((at, path) for path, at in self.sequences.items.items() if at > sequence)[:limit]
        return [each for _, path in found for each in self.world.get(path)], found[-1][0] if found else sequence

    def tombstones(self) -> Iterable[str]:
        return [path for path in self.world.below("") if not live(self.world.get(path))]

    def put_back(self, path: str, back: tuple[DeviceId, int] | None) -> None:
        self._put(self._backs, path, back)

    def back(self, path: str) -> tuple[DeviceId, int] | None:
        found: tuple[DeviceId, int] | None = self._backs.get(path)
        return found

    def put_loss(self, author: DeviceId, path: str, loss: tuple[int, int] | None) -> None:
        self._put(self._losses, f"{author.hex()}/{path}", loss)

    def _of(self, author: DeviceId) -> dict[str, tuple[int, int]]:
        return {key: self._losses.get(key) for key in self._losses.below(author.hex())}

    def losses(self, author: DeviceId) -> tuple[int, int]:
        found = self._of(author)
        bases = [self.synced.get(key.partition("/")[2]) for key in found]
        return len(found), sum(each is None or each.deleted for each in bases)

    def last_loss(self, author: DeviceId) -> int:
        return max((seq for _, seq in self._of(author).values()), default=0)

    def trim_losses(self, author: DeviceId, since: int, now: int) -> None:
        for key, (at, seq) in self._of(author).items():
            if at > now:
                self._put(self._losses, key, (now, seq))
            elif at < since:
                self._put(self._losses, key, None)

    def forgive_losses(self, author: DeviceId, upto: int) -> None:
        for key, (_, seq) in self._of(author).items():
            if seq <= upto:
                self._put(self._losses, key, None)

    def guard(self, author: DeviceId) -> tuple[int, bool]:
        found: tuple[int, bool] = self._guards.get(author.hex()) or (0, False)
        return found

    def put_guard(self, author: DeviceId, allowed: int, paused: bool) -> None:
        self._put(self._guards, author.hex(), (allowed, paused))

    def guarded(self) -> list[DeviceId]:
        return [DeviceId(bytes.fromhex(key)) for key in self._guards.below("") if self._guards.get(key)[1]]

    def commit(self) -> None:
        if not self._undo:
            return
        if self.on_commit is not None:
            self.on_commit()
        self._undo.clear()

    def crashed(self) -> None:
        """What was not committed is lost."""
        for tree, path, value in reversed(self._undo):
            tree.put(path, value)
        self._undo.clear()

    def copied(self) -> list[dict[str, Any]]:
        return [dict(each.items) for each in self._trees()]

    def restore(self, copy: list[dict[str, Any]]) -> None:
        self._undo.clear()
        fold = self.fold
        (self.world, self.local, self.synced, self.sequences, self._marked, self._held, self._conflicted, self.records,
         self._numbers, self._losses, self._guards, self._backs) = (
             GlobalTree(copy[0], fold), LocalTree(copy[1], fold), *(Tree(each) for each in copy[2:]))
