"""The files of a torrent as a tree: folders that are open or shut, what is wanted of each, and how far it is.

Plain values without a widget. A folder is named by its path, a file by its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from wildbach.interfaces.api import models as m

Want = Literal["all", "some", "none"]
OPEN_AT_FIRST: Final = 30
"Torrents with no more files show all of them at first."
_STEPS: Final = (0, 1, 6, 7)
"Priorities that people choose: not wanted, usual, high, highest."


@dataclass(slots=True)
class Node:
    name: str
    path: str
    depth: int
    file: m.FileRow | None = None
    children: dict[str, Node] = field(default_factory=dict)
    size: int = 0
    have: int = 0
    wanted: int = 0
    "Files of it that are wanted."
    files: int = 0

    @property
    def want(self) -> Want:
        return "none" if not self.wanted else "all" if self.wanted == self.files else "some"

    @property
    def share(self) -> float:
        return self.have / self.size if self.size else 1.0


def build(files: Sequence[m.FileRow]) -> Node:
    """The root, which stands for all of them."""
    root = Node("", "", -1)
    for file in files:
        node = root
        parts = file.path.split("/")
        way = [root]
        for depth, part in enumerate(parts[:-1]):
            below = node.children.get(part + "/")
            if below is None:
                path = f"{node.path}/{part}" if node.path else part
                below = node.children[part + "/"] = Node(part, path, depth)
            node = below
            way.append(node)
        leaf = Node(parts[-1], file.path, len(parts) - 1, file)
        # Two files of one path would be one line; their numbers tell them apart.
        node.children[parts[-1] if parts[-1] not in node.children else f"{parts[-1]}\0{file.index}"] = leaf
        for one in (*way, leaf):
            one.size += file.size
            one.have += file.have
            one.files += 1
            one.wanted += file.priority > 0
    return root


def visible(root: Node, shut: set[str], opened: set[str]) -> list[Node]:
    """The lines, folders first. Folders are open but for those in `shut`; in large torrents those in `opened` alone."""
    large = root.files > OPEN_AT_FIRST
    out: list[Node] = []
    stack = _ordered(root)
    while stack:
        node = stack.pop()
        out.append(node)
        if node.file is None and is_open(node, shut, opened, large=large):
            stack += _ordered(node)
    return out


def is_open(node: Node, shut: set[str], opened: set[str], *, large: bool) -> bool:
    if node.path in shut:
        return False
    return node.path in opened or not large or node.depth == 0


def _ordered(node: Node) -> list[Node]:
    """Last first, for a stack."""
    return sorted(node.children.values(), key=lambda one: (one.file is not None, one.name.casefold()), reverse=True)


def toggled(node: Node) -> dict[str, int]:
    """Priorities that make it wanted where it is not wholly, else not wanted. What is wanted keeps its place."""
    want = 0 if node.want == "all" else 1
    return {
        str(file.index): want for file in _files(node) if (file.priority > 0) != bool(want)}


def stepped(node: Node, up: int) -> dict[str, int]:
    """Priorities of its files one step higher (1) or lower (-1)."""
    found = {}
    for file in _files(node):
        at = max(place for place, step in enumerate(_STEPS) if step <= file.priority)
        new = _STEPS[max(0, min(len(_STEPS) - 1, at + up))]
        if new != file.priority:
            found[str(file.index)] = new
    return found


def _files(node: Node) -> Iterator[m.FileRow]:
    stack = [node]
    while stack:
        one = stack.pop()
        if one.file is not None:
            yield one.file
        stack.extend(one.children.values())
