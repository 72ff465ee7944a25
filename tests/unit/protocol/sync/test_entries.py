from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import DeviceId, FolderId
from wildbach.protocol import bencode
from wildbach.protocol.sync.entries import Entry, EntryKind, check_path
from wildbach.protocol.sync.vectors import VersionVector

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
AUTHOR = DeviceId(b"a" * 16)
FOLDER = FolderId(b"f" * 32)
FILE = Entry(
    path="a/ä.txt", kind=EntryKind.FILE, size=5, mtime_ns=-7, executable=True, root=b"r" * 32, target="",
    lineage=b"l" * 16, vector=VersionVector({AUTHOR: 3}), deleted=False, author=AUTHOR, epoch=2, seq=9,
).sign(FOLDER, KEY)
DIR = replace(FILE, kind=EntryKind.DIR, size=0, root=b"", executable=False)
LINK = replace(DIR, kind=EntryKind.LINK, target="../x")


def test_an_entry_survives_the_wire_with_what_is_unknown_here() -> None:
    later = replace(FILE, extra={b"ct": b"c" * 32, b"zz": [1, b"two"]}).sign(FOLDER, KEY)
    for entry in (FILE, replace(DIR), LINK, replace(FILE, deleted=True), later):
        assert Entry.unpack(entry.pack()) == entry
    assert Entry.unpack(later.pack()).verify(FOLDER, KEY.public_key())


def test_the_signature_covers_folder_and_every_field() -> None:
    public = KEY.public_key()
    assert FILE.verify(FOLDER, public)
    assert not FILE.verify(FolderId(b"g" * 32), public)
    changed = (
        {"path": "a/b"}, {"kind": EntryKind.DIR}, {"size": 6}, {"mtime_ns": 8}, {"executable": False},
        {"root": b"s" * 32}, {"target": "x"}, {"lineage": b"m" * 16}, {"vector": VersionVector({AUTHOR: 4})},
        {"deleted": True}, {"author": DeviceId(b"b" * 16)}, {"epoch": 3}, {"seq": 10}, {"extra": {b"zz": 1}},
    )
    for change in changed:
        assert not replace(FILE, **change).verify(FOLDER, public), change


@pytest.mark.parametrize("path", [
    "", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b", ".wildbach", ".wildbach/tmp", ".WildBach/x",
    "a\u0308", "x" * 256, "/".join("x" * 200 for _ in range(30)), "/".join("x" for _ in range(101)), "a\udc80",
])
def test_what_is_no_path_of_a_folder_is_refused(path: str) -> None:
    with pytest.raises(FormatError):
        check_path(path)


@pytest.mark.parametrize("entry", [
    replace(FILE, size=0), replace(FILE, root=b""), replace(FILE, root=b"r" * 31), replace(FILE, target="x"),
    replace(DIR, executable=True), replace(DIR, size=1), replace(LINK, target=""), replace(LINK, target="a\0b"),
    replace(FILE, lineage=b"short"), replace(FILE, seq=0), replace(FILE, epoch=-1), replace(FILE, signature=b""),
    replace(FILE, vector=VersionVector({DeviceId(b"b" * 16): 1})), replace(FILE, path="a/../b"),
    replace(FILE, mtime_ns=1 << 63), replace(FILE, size=limits.SYNC_FILE_BYTES + 1),
])
def test_what_does_not_fit_together_is_refused(entry: Entry) -> None:
    with pytest.raises(FormatError):
        Entry.unpack(entry.pack())


def test_another_spelling_is_refused() -> None:
    value = bencode.decode(FILE.pack())
    assert isinstance(value, dict)
    for key, false in ((b"d", 0), (b"x", 2), (b"r", b""), (b"s", 0), (b"k", b"q"), (b"p", b"\xff")):
        with pytest.raises(FormatError):
            Entry.unpack(bencode.encode({**value, key: false}))


@given(st.binary(max_size=300))
def test_bytes_are_an_entry_or_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        Entry.unpack(raw)


@given(st.binary(min_size=1, max_size=4), st.integers(0, 400))
def test_a_changed_entry_is_refused_or_not_as_it_was_signed(patch: bytes, at: int) -> None:
    raw = bytearray(FILE.pack())
    raw[at % len(raw) : at % len(raw) + len(patch)] = patch
    try:
        found = Entry.unpack(bytes(raw))
    except FormatError:
        return
    assert found == FILE or not found.verify(FOLDER, KEY.public_key())


def test_same_content_looks_at_what_lies_on_the_disk() -> None:
    assert FILE.same_content(replace(FILE, mtime_ns=0, seq=99, lineage=b"m" * 16))
    assert not FILE.same_content(replace(FILE, root=b"s" * 32))
    assert not FILE.same_content(replace(FILE, executable=False))
    assert not FILE.same_content(replace(FILE, deleted=True))
    assert replace(FILE, deleted=True).same_content(replace(DIR, deleted=True))
