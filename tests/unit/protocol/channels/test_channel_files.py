"""The files of a version: what of a torrent is taken, and archives that are bombs."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Item, write_item, write_items
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile

PLAIN = {
    "channel.json": 100, "head.json": 2000, "feed.xml": 10, "archive/0000.json.zst": 50, "archive/0001.json.zst": 60,
}


def version(named: dict[str, int], kind: Kind = "v2", *, private: bool = False) -> Metainfo:
    plan = BuildPlan(
        "channel", [SourceFile(tuple(path.split("/")), size) for path, size in named.items()], kind=kind,
        piece_length=1 << 20)
    pieces = range(plan.geometry.piece_count)
    v1, v2 = (b"".join(bytes([size]) * (size - 1) + bytes([piece % 256]) for piece in pieces) for size in (20, 32))
    plan.add(pieces, v1 if plan.has_v1 else b"", v2 if plan.has_v2 else b"")
    return plan.finish(private=private)


def test_the_files_of_a_version_are_found_and_others_are_not_taken() -> None:
    info = version(PLAIN | {"art.png": 9, "virus.exe": 1 << 40, "sub/head.json": 5, "archive/notes.txt": 5}).info
    parts = files.parts_of(info)
    assert set(parts.named) == {"channel.json", "head.json", "feed.xml", "art.png"}
    assert [part.length for part in parts.archives] == [50, 60]
    assert parts.size == 100 + 2000 + 10 + 9 + 110
    assert {"/".join(info.files[index].path.parts) for index in parts.wanted} == {*PLAIN, "art.png"}


@pytest.mark.parametrize(("named", "reason"), [
    ({"channel.json": 5}, "head.json"), ({"head.json": 5}, "channel.json"),
    (PLAIN | {"archive/0003.json.zst": 5}, "numbers are missing"),
    ({**PLAIN, "head.json": limits.CHANNEL_HEAD_BYTES + 1}, "longer than"),
    (PLAIN | {"archive/0001.json.zst": limits.CHANNEL_ARCHIVE_BYTES + 1}, "CHANNEL_ARCHIVE_BYTES"),
    (PLAIN | {f"archive/{number:04}.json.zst": 5 for number in range(limits.CHANNEL_ARCHIVES + 1)}, "CHANNEL_ARCHIVES"),
])
def test_what_is_no_version_is_refused(named: dict[str, int], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        files.parts_of(version(named).info)


def test_a_torrent_of_v1_or_a_private_one_is_no_channel() -> None:
    with pytest.raises(FormatError, match="no root"):
        files.parts_of(version(PLAIN, "v1").info)
    with pytest.raises(FormatError, match="private"):
        files.parts_of(version(PLAIN, private=True).info)


def archive(count: int) -> bytes:
    return files.pack(write_items([write_item(Item(f"g{number}", "x")) for number in range(count)]))


def test_an_archive_is_read_as_it_was_packed_and_packs_the_same_again() -> None:
    assert archive(200) == archive(200)
    assert [item.guid for item in files.read_archive(archive(200))] == [f"g{number}" for number in range(200)]


def test_a_bomb_is_let_be_at_its_limit() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1 << 28))
    assert len(bomb) < 20_000
    with pytest.raises(LimitError, match="holds more than CHANNEL_ARCHIVE_BYTES"):
        files.read_archive(bomb)


def test_too_many_items_are_refused() -> None:
    with pytest.raises(LimitError, match="201 items"):
        files.read_archive(archive(201))


@pytest.mark.parametrize("packed", [
    b"", b"hello", archive(3)[:-1], archive(3) + b"x", archive(3) + archive(1),
    archive(3)[:20] + b"\xff\xff" + archive(3)[22:], zstandard.compress(b"[]"), zstandard.compress(b"\xff"),
])
def test_what_is_no_archive_is_refused(packed: bytes) -> None:
    with pytest.raises(FormatError):
        files.read_archive(packed)


def test_a_large_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=3, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(FormatError):
        files.read_archive(stream.compress(b'{"items":[]}') + stream.flush())


@given(st.binary(max_size=400), st.integers(0, 60), st.binary(max_size=3))
def test_any_bytes_are_answered(data: bytes, at: int, change: bytes) -> None:
    good = archive(2)
    for packed in (data, good[:at] + change + good[at + len(change):]):
        try:
            files.read_archive(packed)
        except FormatError as error:
            assert error.message
