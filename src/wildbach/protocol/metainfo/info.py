"""The info dictionary of a torrent: v1 (BEP 3), v2 and hybrid (BEP 52)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.geometry import BLOCK, Geometry
from wildbach.base.ids import InfoHashes
from wildbach.protocol import bencode
from wildbach.protocol.metainfo import links
from wildbach.protocol.metainfo.fields import Dict, bytes_or, strings, take_bytes, take_int
from wildbach.protocol.metainfo.filetree import Entry, v1_entries, v2_entries
from wildbach.protocol.metainfo.paths import Names, SafePath, printable, safe_element

HINTS = 1000
"Entries of `similar` and `collections` (BEP 38) that are kept."


class File(NamedTuple):
    """One file of a torrent. Its place in the address space is `Info.geometry.files` at the same index."""

    path: SafePath
    "From the torrent's own folder; of a single-file torrent from the download folder."
    length: int
    "Bytes; 0 for a symlink."
    pad: bool = False
    "A pad file of v1 (BEP 47): zeros that are never written."
    executable: bool = False
    hidden: bool = False
    symlink: SafePath | None = None
    "The target of a symlink, from the torrent's own folder (BEP 47)."
    dropped: bool = False
    "A symlink that leads outside the torrent or nowhere: nothing is written for it."
    root: bytes | None = None
    "The root of the file's hash tree (v2 `pieces root`), None for an empty file and in v1."
    sha1: bytes | None = None
    "A hint to find the same file elsewhere (BEP 47), never a proof."

    @property
    def written(self) -> bool:
        """True where the file exists on disk as a regular file."""
        return not self.pad and not self.dropped and self.symlink is None


@dataclass(frozen=True, slots=True, eq=False)
class Info:
    """An info dictionary that was checked; immutable. Made by `Info.parse`."""

    name: str
    "The suggested name of the folder, or of the single file: one safe element."
    raw: bytes = field(repr=False)
    "The dictionary as received; its hashes are the info hashes."
    hashes: InfoHashes
    geometry: Geometry = field(repr=False)
    files: tuple[File, ...] = field(repr=False)
    "v1: in order, pad files among them. v2 and hybrid: in the order of the file tree, without pad files."
    piece_length: int
    pieces: bytes | None = field(repr=False)
    "v1: the SHA-1 of each piece, 20 bytes each. None in v2."
    multi_file: bool
    "True where the files lie in a folder named `name`."
    private: bool = False
    source: str = ""
    similar: tuple[bytes, ...] = ()
    "Info hashes of torrents that share files (BEP 38)."
    collections: tuple[str, ...] = ()
    ssl: bool = False
    "The torrent wants peers with certificates of its own, which this engine does not have."
    name_raw: bytes = b""
    "The name as received."
    sorted: bool = True
    "False for a v1 dictionary whose keys are out of order."

    @property
    def has_v1(self) -> bool:
        return self.hashes.v1 is not None

    @property
    def has_v2(self) -> bool:
        return self.hashes.v2 is not None

    @property
    def size(self) -> int:
        """Bytes of content, pad files not counted."""
        return self.geometry.size

    @property
    def roots(self) -> list[bytes | None]:
        """The v2 root of each file."""
        return [file.root for file in self.files]

    @property
    def changed(self) -> tuple[int, ...]:
        """The files whose name or symlink was not taken as received."""
        return tuple(i for i, file in enumerate(self.files) if file.dropped or file.path.changed)

    @classmethod
    def parse(cls, raw: bytes) -> Info:
        """Check an info dictionary as received from a peer or a file.

        Raises FormatError that names the key, LimitError where a bound is passed. Accepts v1 dictionaries whose keys
        are out of order, because other clients do; v2 is strict (BEP 52).
        """
        try:
            value, sorted_ = bencode.decode(raw), True
        except LimitError:
            raise
        except FormatError:
            value, sorted_ = bencode.decode(raw, strict=False), False
        if not isinstance(value, dict):
            raise FormatError("is not a dictionary", where="info")
        return cls.build(raw, value, sorted_)

    @classmethod
    def build(cls, raw: bytes, fields: Dict, sorted_: bool) -> Info:
        """Check a dictionary that was decoded from `raw`; `sorted_` says whether its keys are in order."""
        version = fields.get(b"meta version")
        v2 = version is not None
        if v2 and version != 2:
            raise FormatError(f"is {version!r:.20}: this torrent needs a newer client", where="info.meta version")
        if v2 and not sorted_:
            bencode.decode(raw)  # raises with the place of the disorder
        v1 = not v2 or b"pieces" in fields
        name = _name(fields)
        piece_length = _piece_length(fields, v2)
        hashes = InfoHashes(sha1(raw).digest() if v1 else None, sha256(raw).digest() if v2 else None)
        v1_list, multi_file = v1_entries(fields, name) if v1 else ([], False)
        if v2:
            entries = v2_entries(fields)
            single = len(entries) == 1 and len(entries[0].raw) == 1
            multi_file = multi_file or not single
            geometry = _aligned(entries, piece_length, v1_list, v1, multi_file)
            if v1:
                entries = _merged(entries, v1_list)
        else:
            entries = v1_list
            geometry = _packed(entries, piece_length)
        return cls(
            name=safe_element(name) or hashes.key,
            raw=raw,
            hashes=hashes,
            geometry=geometry,
            files=_files(entries, "info.file tree" if v2 else "info.files"),
            piece_length=piece_length,
            pieces=_pieces(fields, geometry) if v1 else None,
            multi_file=multi_file,
            private=fields.get(b"private", 0) != 0,
            source=printable(bytes_or(fields, b"source"), 1000),
            similar=similar(fields),
            collections=collections(fields),
            ssl=b"ssl-cert" in fields,
            name_raw=name,
            sorted=sorted_,
        )


def similar(fields: Dict) -> tuple[bytes, ...]:
    """The info hashes under `similar` (BEP 38), in the info dictionary or beside it."""
    return tuple(item for item in strings(fields.get(b"similar"))[:HINTS] if len(item) in (20, 32))


def collections(fields: Dict) -> tuple[str, ...]:
    """The names under `collections` (BEP 38)."""
    return tuple(printable(item, 500) for item in strings(fields.get(b"collections"))[:HINTS])


def _name(fields: Dict) -> bytes:
    return bytes_or(fields, b"name.utf-8") or take_bytes(fields, b"name", "info")


def _piece_length(fields: Dict, v2: bool) -> int:
    length = take_int(fields, b"piece length", "info")
    if length < 1:
        raise FormatError(f"is {length}", where="info.piece length")
    if length > limits.PIECE_LENGTH:
        raise LimitError(f"is {length}, over PIECE_LENGTH = {limits.PIECE_LENGTH}", where="info.piece length")
    if v2 and (length < BLOCK or length & (length - 1)):
        raise FormatError(f"is {length}, not a power of two of at least 16 KiB", where="info.piece length")
    return length


def _pieces(fields: Dict, geometry: Geometry) -> bytes:
    if b"root hash" in fields and b"pieces" not in fields:
        raise FormatError("a Merkle torrent (BEP 30) is not supported", where="info.root hash")
    pieces = take_bytes(fields, b"pieces", "info")
    if len(pieces) != 20 * geometry.piece_count:
        wanted = f"{20 * geometry.piece_count} for {geometry.piece_count} pieces"
        raise FormatError(f"has {len(pieces)} bytes instead of {wanted}", where="info.pieces")
    return pieces


def _check_size(total: int, piece_length: int, where: str) -> None:
    if total > limits.PIECES * piece_length:
        raise LimitError(f"{total} bytes make more than PIECES = {limits.PIECES} pieces", where=where)


def _packed(entries: list[Entry], piece_length: int) -> Geometry:
    where = "info.files" if len(entries) != 1 else "info.length"
    lengths = [entry.length for entry in entries]
    pads = [entry.pad for entry in entries] if any(entry.attr for entry in entries) else []
    _check_size(sum(lengths), piece_length, where)
    geometry = Geometry.packed(piece_length, lengths, pads)
    if not geometry.size:
        raise FormatError("there are no bytes of content", where=where)
    return geometry


def _aligned(
    entries: list[Entry], piece_length: int, v1_list: list[Entry], v1: bool, multi_file: bool
) -> Geometry:
    lengths = [entry.length for entry in entries]
    count = sum(-(-length // piece_length) for length in lengths)
    _check_size(count * piece_length, piece_length, "info.file tree")
    if not count:
        raise FormatError("there are no bytes of content", where="info.file tree")
    if not v1:
        return Geometry.aligned(piece_length, lengths)
    last_pad = _last_pad(entries, v1_list, piece_length, multi_file)
    return Geometry.aligned(piece_length, lengths, hybrid=True, last_pad=last_pad)


def _last_pad(entries: list[Entry], v1_list: list[Entry], piece_length: int, multi_file: bool) -> int:
    """Check that both file lists of a hybrid describe the same bytes (BEP 52); returns the padding after the last."""
    place = "info.files" if multi_file else "info.length"
    offset = aligned = end = number = 0
    for index, old in enumerate(v1_list):
        if not old.pad:
            where = f"{place}[{index}]" if multi_file else place
            if number == len(entries):
                raise FormatError("is not in info.file tree", where=where)
            new = entries[number]
            if old.raw != new.raw or old.length != new.length:
                raise FormatError("differs from info.file tree in name, order or length", where=where)
            if old.length:
                if offset != aligned:
                    raise FormatError("does not begin where info.file tree says (pad files)", where=where)
                aligned += -(-old.length // piece_length) * piece_length
                end = offset + old.length
            number += 1
        offset += old.length
    if number != len(entries):
        raise FormatError("lacks files that info.file tree has", where=place)
    if offset > aligned:
        raise FormatError("goes on behind the last piece of info.file tree", where=place)
    return offset - end


def _merged(entries: list[Entry], v1_list: list[Entry]) -> list[Entry]:
    """The files of a hybrid, with what only the v1 list says of them."""
    old = [entry for entry in v1_list if not entry.pad]
    return [
        new._replace(attr=new.attr + was.attr, sha1=was.sha1) if was.attr or was.sha1 else new
        for new, was in zip(entries, old, strict=True)
    ]


def _files(entries: list[Entry], where: str) -> tuple[File, ...]:
    names = Names([None if entry.attr and entry.pad else entry.raw for entry in entries], where)
    targets = links.resolve(entries, names)
    out = []
    for number, (entry, path) in enumerate(zip(entries, names.paths, strict=True)):
        _, length, attr, target, root, digest = entry
        if not attr and path is not None:
            out.append(File(path, length, False, False, False, None, False, root, digest))
            continue
        link = targets.get(number)
        out.append(
            File(
                path=path or SafePath((".pad", str(length))),
                length=length,
                pad=path is None,
                executable=b"x" in attr,
                hidden=b"h" in attr,
                symlink=link,
                dropped=link is None and target is not None,
                root=root,
                sha1=digest,
            )
        )
    return tuple(out)
