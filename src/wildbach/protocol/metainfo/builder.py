"""Torrents made from files: v1, v2 and hybrid (BEP 3, 47, 52). Pure: who reads and hashes the files calls in here.

    plan = BuildPlan("name", files, kind="hybrid")
    for pieces in plan.jobs():                      # ranges of pieces; in any order, in parallel
        v1, v2 = hash_pieces(plan, pieces, read)    # or another hasher that gives the same bytes
        plan.add(pieces, v1, v2)                    # on one thread
    data = plan.finish(trackers=[["http://..."]]).to_bytes()

The same files and arguments give the same bytes, whatever order the files are given in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Literal

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.protocol import bencode, layers
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.fields import Dict
from wildbach.protocol.metainfo.filetree import make_tree
from wildbach.protocol.metainfo.info import Info

Kind = Literal["v1", "v2", "hybrid"]

_WANTED_PIECES = 1600
_AUTO_PIECE_LENGTH = 16 * limits.MIB


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to put in a torrent."""

    path: tuple[str, ...]
    "From the folder that becomes the torrent, or (name,) for a single file. As `os.fsdecode` gives it."
    length: int
    "Bytes; 0 for a symlink."
    executable: bool = False
    hidden: bool = False
    symlink: tuple[str, ...] | None = None
    "The target of a symlink, from that folder, without `..` (BEP 47)."

    @property
    def raw(self) -> tuple[bytes, ...]:
        return tuple(_raw(part) for part in self.path)


def choose_piece_length(size: int) -> int:
    """A piece length for `size` bytes: at most 1600 pieces or so, of 16 KiB to 16 MiB."""
    length = BLOCK
    while length < _AUTO_PIECE_LENGTH and size > length * _WANTED_PIECES:
        length *= 2
    while size > length * limits.PIECES // 2:
        length *= 2
    return length


class BuildPlan:
    """One torrent in the making. Holds 52 bytes a piece."""

    def __init__(
        self, name: str, files: Iterable[SourceFile], *, kind: Kind = "hybrid", piece_length: int = 0,
        single: bool = False,
    ) -> None:
        """Plan a torrent of `files`, in a folder `name`, or with `single` of one file of that name.

        `piece_length` is in bytes, 0 to choose one; a power of two of at least 16 KiB, for v1 alone any. Raises
        UsageError for what cannot be a torrent: no bytes, a name twice, a file that is also a directory, ...
        """
        self.name = name
        self.files = tuple(sorted(files, key=lambda file: file.raw))
        "In the order of the torrent; `geometry.files` has the same indices."
        self.kind = kind
        self.has_v1 = kind != "v2"
        self.has_v2 = kind != "v1"
        self.single = single
        size = sum(file.length for file in self.files)
        self.piece_length = piece_length or choose_piece_length(size)
        self._check(size)
        lengths = [file.length for file in self.files]
        if self.has_v2:
            self.geometry = Geometry.aligned(self.piece_length, lengths, hybrid=self.has_v1)
        else:
            self.geometry = Geometry.packed(self.piece_length, lengths)
        if self.geometry.piece_count > limits.PIECES:
            raise UsageError(f"more than PIECES = {limits.PIECES} pieces: take a greater piece length")
        count = self.geometry.piece_count
        self._v1 = bytearray(20 * count if self.has_v1 else 0)
        self._v2 = bytearray(32 * count if self.has_v2 else 0)
        self._left = bytearray(b"\1" * count)

    def _check(self, size: int) -> None:
        if not size:
            raise UsageError("there are no bytes to make a torrent of")
        if self.single and (len(self.files) != 1 or self.files[0].path != (self.name,)):
            raise UsageError("a single-file torrent has one file with the torrent's name")
        if len(self.files) > limits.FILES:
            raise UsageError(f"more than FILES = {limits.FILES} files")
        for part in {self.name, *(part for file in self.files for part in (*file.path, *(file.symlink or ())))}:
            if part in ("", ".", "..") or "/" in part or "\0" in part:
                raise UsageError(f"{part!r} cannot be a name in a torrent")
        if any(not file.path or file.length < 0 or (file.symlink is not None and file.length) for file in self.files):
            raise UsageError("a file without a name, or with an impossible length")
        length = self.piece_length
        if not 0 < length <= limits.PIECE_LENGTH or (self.has_v2 and (length < BLOCK or length & (length - 1))):
            raise UsageError(f"{length} is not a piece length: a power of two from 16 KiB to 512 MiB")
        try:
            make_tree((file.raw, {}) for file in self.files)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def jobs(self, size: int = 64 * limits.MIB) -> list[range]:
        """The work, cut into runs of pieces of about `size` bytes each (at least one piece)."""
        step = max(1, size // self.piece_length)
        count = self.geometry.piece_count
        return [range(at, min(at + step, count)) for at in range(0, count, step)]

    def add(self, pieces: range, v1: bytes, v2: bytes) -> None:
        """Take the hashes of a run of pieces.

        `v1` has 20 bytes a piece: the SHA-1 of its bytes, in a hybrid followed by `geometry.v1_tail(piece)` zeros;
        empty for a v2 torrent. `v2` has 32 bytes a piece: its `layers.piece_root`; empty for a v1 torrent.
        """
        start, stop = pieces.start, pieces.stop
        wanted = (20 * len(pieces) * self.has_v1, 32 * len(pieces) * self.has_v2)
        if pieces.step != 1 or not 0 <= start <= stop <= len(self._left) or (len(v1), len(v2)) != wanted:
            raise ValueError("not the hashes of these pieces")
        if self.has_v1:
            self._v1[20 * start : 20 * stop] = v1
        if self.has_v2:
            self._v2[32 * start : 32 * stop] = v2
        self._left[start:stop] = bytes(len(pieces))

    @property
    def left(self) -> int:
        """Pieces whose hashes are still to be added."""
        return sum(self._left)

    def finish(
        self,
        *,
        trackers: Iterable[Sequence[str]] = (),
        web_seeds: Iterable[str] = (),
        private: bool = False,
        source: str = "",
        comment: str = "",
        created_by: str = "",
        creation_date: int | None = None,
        nodes: Iterable[tuple[str, int]] = (),
        similar: Iterable[bytes] = (),
        collections: Iterable[str] = (),
    ) -> Metainfo:
        """The torrent, checked like one from elsewhere. `warnings` says which names clients will change.

        `trackers` are tiers of URLs (BEP 12), `creation_date` is in seconds since 1970, None to leave it out. `private`
        (BEP 27), `source`, `similar` and `collections` (BEP 38) change the info hash. Raises UsageError while hashes
        are missing, FormatError where a name or a path is beyond the limits.
        """
        if self.left:
            raise UsageError(f"{self.left} pieces are not hashed yet")
        info: Dict = {b"name": _raw(self.name), b"piece length": self.piece_length}
        found: dict[bytes, bytes] = {}
        if self.has_v2:
            info[b"meta version"] = 2
            info[b"file tree"] = make_tree((file.raw, self._leaf(i, file, found)) for i, file in enumerate(self.files))
        if self.has_v1:
            info[b"pieces"] = bytes(self._v1)
            if self.single:
                info[b"length"] = self.files[0].length
                if _attributes(self.files[0]):
                    info[b"attr"] = _attributes(self.files[0])
            else:
                info[b"files"] = self._v1_files()
        if private:
            info[b"private"] = 1
        if source:
            info[b"source"] = _raw(source)
        if hints := list[Value](similar):
            info[b"similar"] = hints
        if names := [_raw(item) for item in collections]:
            info[b"collections"] = list[Value](names)
        return Metainfo.from_info(
            Info.parse(bencode.encode(info)),
            trackers=trackers,
            web_seeds=web_seeds,
            nodes=nodes,
            comment=comment,
            created_by=created_by,
            creation_date=creation_date,
            piece_layers=found,
        )

    def _leaf(self, index: int, file: SourceFile, found: dict[bytes, bytes]) -> Dict:
        """A file's properties in the file tree; its piece layer goes to `found`."""
        fields = _properties(file)
        if file.length:
            pieces = self.geometry.file_pieces(index)
            layer = bytes(self._v2[32 * pieces.start : 32 * pieces.stop])
            root = layer
            if len(pieces) > 1:
                root = layers.layer_root(layer, layers.piece_level(self.piece_length), layers.height_of(file.length))
                found[root] = layer
            fields[b"pieces root"] = root
        return fields

    def _v1_files(self) -> list[Value]:
        """The `files` of v1. In a hybrid a pad file goes before each file that would not begin on a piece (BEP 47)."""
        out: list[Value] = []
        at = 0
        for file in self.files:
            pad = -at % self.piece_length
            if self.has_v2 and file.length and pad:
                out.append({b"attr": b"p", b"length": pad, b"path": [b".pad", b"%d" % pad]})
                at += pad
            out.append({**_properties(file), b"path": list[Value](file.raw)})
            at += file.length
        return out


def hash_pieces(plan: BuildPlan, pieces: range, read: Callable[[int, int, int], bytes]) -> tuple[bytes, bytes]:
    """What `BuildPlan.add` wants, hashed plainly. `read(file, offset, length)` gives bytes of `plan.files[file]`."""
    v1, v2 = [], []
    geometry = plan.geometry
    for piece in pieces:
        extents = geometry.extents(piece * plan.piece_length, geometry.piece_size(piece))
        data = b"".join(read(extent.file, extent.offset, extent.length) for extent in extents)
        if plan.has_v1:
            v1.append(sha1(data + bytes(geometry.v1_tail(piece))).digest())
        if plan.has_v2:
            length = plan.files[extents[0].file].length
            v2.append(layers.piece_root(layers.leaf_hashes(data), length, plan.piece_length))
    return b"".join(v1), b"".join(v2)


def _raw(text: str) -> bytes:
    """Names that are not UTF-8 on disk come as surrogates, and go out as the bytes they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError(f"{text!a} is not text") from None


def _attributes(file: SourceFile) -> bytes:
    return b"h" * file.hidden + b"l" * (file.symlink is not None) + b"x" * file.executable


def _properties(file: SourceFile) -> Dict:
    fields: Dict = {b"length": file.length}
    if attr := _attributes(file):
        fields[b"attr"] = attr
    if file.symlink is not None:
        fields[b"symlink path"] = [_raw(part) for part in file.symlink]
    return fields
