"""File lists as the metainfo holds them: the `files` of v1 (BEP 3, 47) and the `file tree` of v2 (BEP 52)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.bencode import Value, show
from wildbach.protocol.metainfo.fields import Dict, take_bytes, take_dict, take_int, take_list, wrong

_OLD_PAD = b"_____padding_file_"
"How pad files are named by creators from before BEP 47."


class Entry(NamedTuple):
    """One file as received. `raw` is empty for a pad file. Symlinks (`target`) have no bytes."""

    raw: tuple[bytes, ...]
    length: int
    attr: bytes = b""
    target: tuple[bytes, ...] | None = None
    root: bytes | None = None
    sha1: bytes | None = None

    @property
    def pad(self) -> bool:
        return b"p" in self.attr


def v1_entries(info: Dict, name: bytes) -> tuple[list[Entry], bool]:
    """The files of a v1 info dictionary, and whether it has a list of them (`files`) or is one file (`length`)."""
    if b"files" in info and b"length" in info:
        raise FormatError("contradicts info.length: a torrent has one or the other", where="info.files")
    if b"files" not in info:
        length = take_int(info, b"length", "info")
        if length < 0:
            raise FormatError(f"is negative ({length})", where="info.length")
        return [Entry((name,), length, _attributes(info), None, None, _sha1(info))], False
    files = take_list(info, b"files", "info")
    if len(files) > limits.FILES:
        raise LimitError(f"more than FILES = {limits.FILES} files", where="info.files")
    return [_v1_entry(entry, number) for number, entry in enumerate(files)], True


def _v1_entry(entry: Value, number: int) -> Entry:
    if not isinstance(entry, dict):
        raise FormatError("is not a dictionary", where=f"info.files[{number}]")
    attr = _attributes(entry) if b"attr" in entry else b""
    length = entry.get(b"length")
    target = None
    if attr and b"l" in attr:
        length, target = 0, _target(entry, f"info.files[{number}]")
    if not isinstance(length, int):
        raise wrong(f"info.files[{number}]", b"length", length, int)
    if length < 0:
        raise FormatError(f"is negative ({length})", where=f"info.files[{number}].length")
    if b"p" in attr:
        return Entry((), length, attr)
    path = entry.get(b"path.utf-8")
    if not isinstance(path, list) or not path:
        path = entry.get(b"path")
        if not isinstance(path, list):
            raise wrong(f"info.files[{number}]", b"path", path, list)
        if not path:
            raise FormatError("is empty", where=f"info.files[{number}].path")
    raw = tuple([part for part in path if isinstance(part, bytes)])
    if len(raw) != len(path):
        raise FormatError("has an element that is not a string", where=f"info.files[{number}].path")
    if raw[-1].startswith(_OLD_PAD):
        return Entry((), length, b"p")
    return Entry(raw, length, attr, target, None, _sha1(entry) if b"sha1" in entry else None)


def v2_entries(info: Dict) -> list[Entry]:
    """The files of a v2 info dictionary in the order of its tree, which is the order of their pieces."""
    tree = take_dict(info, b"file tree", "info")
    if b"" in tree:
        raise FormatError("the root is a file", where="info.file tree")
    out: list[Entry] = []
    stack: list[tuple[tuple[bytes, ...], Iterator[tuple[bytes, Value]]]] = [((), iter(tree.items()))]
    while stack:
        parent, items = stack[-1]
        for key, node in items:
            raw = (*parent, key)
            if not isinstance(node, dict):
                raise FormatError("is not a dictionary", where=_place(raw))
            if b"" in node:
                out.append(_v2_entry(node, raw))
                if len(out) > limits.FILES:
                    raise LimitError(f"more than FILES = {limits.FILES} files", where="info.file tree")
            else:
                stack.append((raw, iter(node.items())))
                break
        else:
            stack.pop()
    if not out:
        raise FormatError("has no files", where="info.file tree")
    return out


def _v2_entry(node: Dict, raw: tuple[bytes, ...]) -> Entry:
    if len(node) > 1:
        raise FormatError("is a file and a directory", where=_place(raw))
    fields = node[b""]
    if not isinstance(fields, dict):
        raise FormatError("is not a dictionary", where=_place((*raw, b"")))
    attr = _attributes(fields)
    if b"p" in attr:
        raise FormatError("a pad file, which v2 does not have", where=_place(raw))
    if b"l" in attr:
        return Entry(raw, 0, attr, _target(fields, _place(raw)))
    length = fields.get(b"length")
    if not isinstance(length, int) or length < 0:
        if isinstance(length, int):
            raise FormatError(f"is negative ({length})", where=_place((*raw, b"length")))
        raise wrong(_place(raw), b"length", length, int)
    if not length:
        return Entry(raw, 0, attr)
    root = fields.get(b"pieces root")
    if not isinstance(root, bytes) or len(root) != 32:
        root = take_bytes(fields, b"pieces root", _place(raw))
        raise FormatError(f"has {len(root)} bytes instead of 32", where=f"{_place(raw)}.pieces root")
    if not any(root):
        raise FormatError("is all zeros", where=f"{_place(raw)}.pieces root")
    return Entry(raw, length, attr, None, root)


def make_tree(files: Iterable[tuple[tuple[bytes, ...], Dict]]) -> Dict:
    """The `file tree` of files given as (raw path, properties). Raises ValueError where a file is also a directory."""
    tree: Dict = {}
    for raw, fields in files:
        node = tree
        for part in raw:
            if b"" in node:
                raise ValueError("a file is also a directory")
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError("a file is also a directory")
            node = inner
        if node:
            raise ValueError("a file stands twice or is also a directory")
        node[b""] = fields
    return tree


def _place(raw: tuple[bytes, ...]) -> str:
    return ".".join(["info.file tree", *(show(part) for part in raw[:8]), *(["…"] if len(raw) > 8 else [])])


def _attributes(fields: Dict) -> bytes:
    value = fields.get(b"attr")
    return value[:16] if isinstance(value, bytes) else b""


def _sha1(fields: Dict) -> bytes | None:
    value = fields.get(b"sha1")
    return value if isinstance(value, bytes) and len(value) == 20 else None


def _target(fields: Dict, where: str) -> tuple[bytes, ...]:
    """A symlink's target. An absent or odd one becomes the empty path, which leads nowhere."""
    value = fields.get(b"symlink path")
    if not isinstance(value, list) or len(value) > limits.PATH_DEPTH:
        return ()
    return _elements(value, f"{where}.symlink path")


def _elements(value: list[Value], where: str) -> tuple[bytes, ...]:
    raw = tuple([part for part in value if isinstance(part, bytes)])
    if len(raw) != len(value):
        raise FormatError("has an element that is not a string", where=where)
    return raw
