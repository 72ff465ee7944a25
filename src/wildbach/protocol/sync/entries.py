"""Entries: what one device says that a path of a folder holds, signed.

The signature covers the folder, the epoch, the author's own sequence and every field, so an entry cannot be replayed
in another folder, and who passes it on cannot change it. An entry names its content by the v2 `pieces root` (BEP 52).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol import bencode
from wildbach.protocol.metainfo.fields import take_bytes, take_int
from wildbach.protocol.sync.vectors import VersionVector

LINEAGE_BYTES: Final = 16
RESERVED: Final = ".wildbach"
"The name at the top of a folder that holds what wildbach keeps there; it is no path of the folder."
_CONTEXT: Final = b"wildbach sync entry 1\0"
_SIGNATURE: Final = b"~"
_FIRST: Final = b"d1:a16:"
"How an entry begins that has no unknown key before the author."
_KEYS: Final = frozenset((b"a", b"d", b"e", b"k", b"l", b"m", b"p", b"q", b"r", b"s", b"t", b"v", b"x", _SIGNATURE))


class EntryKind(Enum):
    """What a path is. The value is its letter on the wire."""

    FILE = "f"
    DIR = "d"
    LINK = "l"


_KINDS: Final = {kind.value.encode(): kind for kind in EntryKind}


@dataclass(frozen=True, slots=True)
class Entry:
    """One device's word on one path.

    A deleted entry (a tombstone) keeps the kind and the content of what was deleted, to tell what is gone.
    """

    path: str
    "Relative, with `/`, in Unicode's form NFC; never `.wildbach` or below it."
    kind: EntryKind
    size: int
    "Bytes of a file; 0 of what is no file."
    mtime_ns: int
    executable: bool
    root: bytes
    "The v2 `pieces root` of a file, 32 bytes; empty where the file is, or where it is no file."
    target: str
    "Where a symbolic link points, as it is written there; empty of what is none."
    lineage: bytes
    "16 bytes that stay with a file when it is renamed."
    vector: VersionVector
    deleted: bool
    author: DeviceId
    epoch: int
    "Of the roster under which it was signed."
    seq: int
    "The author's own count of its entries, over all paths: greater with each."
    signature: bytes = b""
    "64 bytes; empty while it is not signed."
    extra: Mapping[bytes, bencode.Value] = field(default_factory=dict)
    "Keys that are unknown here; they are kept and signed."
    _packed: bytes = field(default=b"", init=False, compare=False, repr=False)
    "What `pack` made, once it was asked; a replaced copy has none."

    def same_content(self, other: Entry) -> bool:
        """True where the two leave the same on a disk, times apart."""
        if self.deleted or other.deleted:
            return self.deleted == other.deleted
        return (self.kind, self.size, self.root, self.target, self.executable) == (
            other.kind, other.size, other.root, other.target, other.executable,
        )

    def signed_bytes(self, folder: FolderId) -> bytes:
        return _CONTEXT + folder + bencode.encode(self._fields())

    def sign(self, folder: FolderId, key: Ed25519PrivateKey) -> Entry:
        return replace(self, signature=key.sign(self.signed_bytes(folder)))

    def verify(self, folder: FolderId, key: Ed25519PublicKey) -> bool:
        """True where the owner of `key` signed it for this folder. `key` is looked up by `author` in the roster."""
        try:
            key.verify(self.signature, self.signed_bytes(folder))
        except InvalidSignature:
            return False
        return True

    def pack(self) -> bytes:
        """A bencoded dictionary. Raises LimitError where it is longer than SYNC_ENTRY_BYTES."""
        if not self._packed:
            raw = bencode.encode({**self._fields(), _SIGNATURE: self.signature})
            if len(raw) > limits.SYNC_ENTRY_BYTES:
                raise LimitError(f"an entry is longer than SYNC_ENTRY_BYTES = {limits.SYNC_ENTRY_BYTES}")
            object.__setattr__(self, "_packed", raw)
        return self._packed

    def _fields(self) -> dict[bytes, bencode.Value]:
        fields: dict[bytes, bencode.Value] = {
            **self.extra,
            b"a": bytes(self.author), b"e": self.epoch, b"k": self.kind.value.encode(), b"l": self.lineage,
            b"m": self.mtime_ns, b"p": self.path.encode(), b"q": self.seq, b"v": self.vector.pack(),
        }
        if self.deleted:
            fields[b"d"] = 1
        if self.size:
            fields[b"s"] = self.size
        if self.root:
            fields[b"r"] = self.root
        if self.target:
            fields[b"t"] = self.target.encode()
        if self.executable:
            fields[b"x"] = 1
        return fields

    @classmethod
    def unpack(cls, raw: bytes, *, checked: bool = False) -> Entry:
        """What `pack` made, checked but for the signature. Raises FormatError or LimitError for anything else.

        `checked`: these bytes were unpacked before, and only what is read is looked at.
        """
        if len(raw) > limits.SYNC_ENTRY_BYTES:
            raise LimitError(f"an entry is longer than SYNC_ENTRY_BYTES = {limits.SYNC_ENTRY_BYTES}")
        value = bencode.decode(raw, depth=8, tokens=limits.SYNC_ENTRY_TOKENS)
        if not isinstance(value, dict):
            raise FormatError("an entry is no dictionary")
        kind = _kind(take_bytes(value, b"k", "entry"))
        deleted, executable = _flag(value, b"d"), _flag(value, b"x")
        size = _range(value, b"s", 0, limits.SYNC_FILE_BYTES) if b"s" in value else 0
        root = take_bytes(value, b"r", "entry") if b"r" in value else b""
        target = _text(take_bytes(value, b"t", "entry"), "entry.t") if b"t" in value else ""
        vector = VersionVector.unpack(take_bytes(value, b"v", "entry"), "entry.v")
        author = _sized(value, b"a", DeviceId.SIZE)
        path = _text(take_bytes(value, b"p", "entry"), "entry.p")
        made = cls(
            path=path if checked else check_path(path), kind=kind, size=size,
            mtime_ns=_range(value, b"m", -limits.SYNC_MTIME_NS, limits.SYNC_MTIME_NS), executable=executable, root=root,
            target=target, lineage=_sized(value, b"l", LINEAGE_BYTES), vector=vector, deleted=deleted,
            author=DeviceId(author), epoch=_range(value, b"e", 0, limits.SYNC_EPOCHS),
            seq=_range(value, b"q", 1, limits.SYNC_COUNTER), signature=_sized(value, _SIGNATURE, 64),
            extra={key: each for key, each in value.items() if key not in _KEYS},
        )
        if checked:
            object.__setattr__(made, "_packed", raw)
            return made
        _consistent(made)
        if made.pack() != raw:
            raise FormatError("an entry is spelt in another way than the one there is")
        return made


def author_of(packed: bytes) -> DeviceId:
    """Of an entry that was checked, without reading all of it."""
    at = len(_FIRST)
    return DeviceId(packed[at : at + DeviceId.SIZE]) if packed.startswith(_FIRST) else Entry.unpack(packed).author


def check_path(path: str) -> str:
    """`path` where it can be one of a folder's. Raises FormatError or LimitError where not."""
    if not path:
        raise FormatError("a path is empty")
    if len(path.encode("utf-8", "surrogateescape")) > limits.SYNC_PATH_BYTES:
        raise LimitError(f"a path is longer than SYNC_PATH_BYTES = {limits.SYNC_PATH_BYTES}")
    parts = path.split("/")
    if len(parts) > limits.SYNC_PATH_DEPTH:
        raise LimitError(f"a path is deeper than SYNC_PATH_DEPTH = {limits.SYNC_PATH_DEPTH}")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise FormatError("a path has an empty part, a dot, or a zero byte")
    if any(0xD800 <= ord(char) < 0xE000 for char in path):
        raise FormatError("a path is not Unicode")
    if any(len(part.encode()) > limits.SYNC_NAME_BYTES for part in parts):
        raise LimitError(f"a name is longer than SYNC_NAME_BYTES = {limits.SYNC_NAME_BYTES}")
    if not unicodedata.is_normalized("NFC", path):
        raise FormatError("a path is not in Unicode's form NFC")
    if parts[0].casefold() == RESERVED:
        raise FormatError(f"a path lies in {RESERVED}")
    return path


def _consistent(entry: Entry) -> None:
    """What is no file has no size and no content; only a link has a target, and a live link one."""
    if entry.kind is EntryKind.FILE:
        if bool(entry.size) != bool(entry.root) or (entry.root and len(entry.root) != 32):
            raise FormatError("a file's size and root do not belong together", where="entry.r")
    elif entry.size or entry.root or entry.executable:
        raise FormatError("what is no file has content", where="entry")
    if entry.kind is EntryKind.LINK:
        if not entry.target or "\0" in entry.target or len(entry.target.encode()) > limits.SYNC_PATH_BYTES:
            raise FormatError("is no target of a link", where="entry.t")
    elif entry.target:
        raise FormatError("only a link has a target", where="entry.t")
    if not entry.vector.counter(entry.author):
        raise FormatError("the vector does not name the author", where="entry.v")


def _kind(raw: bytes) -> EntryKind:
    kind = _KINDS.get(raw)
    if kind is None:
        raise FormatError("is no kind of entry", where="entry.k")
    return kind


def _flag(value: dict[bytes, bencode.Value], key: bytes) -> bool:
    if key in value and value[key] != 1:
        raise FormatError("is 1 or not there", where=f"entry.{key.decode()}")
    return key in value


def _range(value: dict[bytes, bencode.Value], key: bytes, least: int, most: int) -> int:
    found = take_int(value, key, "entry")
    if not least <= found <= most:
        raise LimitError(f"is not from {least} to {most}", where=f"entry.{key.decode()}")
    return found


def _sized(value: dict[bytes, bencode.Value], key: bytes, size: int) -> bytes:
    found = take_bytes(value, key, "entry")
    if len(found) != size:
        raise FormatError(f"has {len(found)} bytes instead of {size}", where=f"entry.{key.decode()}")
    return found


def _text(raw: bytes, where: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FormatError("is not UTF-8", where=where) from None
