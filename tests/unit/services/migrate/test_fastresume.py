"""libtorrent's resume data."""

from __future__ import annotations

from typing import Any

import pytest
from tests.migrate_states import PIECE, fastresume, torrent, without_layers
from tests.oracle import libtorrent

from wildbach.base import bitfield
from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.builder import Kind
from wildbach.services.migrate.fastresume import parse, torrent_of

MADE = torrent()


def oracle(kind: Kind, **changes: Any) -> bytes:
    """What libtorrent itself writes for a torrent that it has."""
    params = libtorrent.load_torrent_buffer(torrent(kind).to_bytes())
    params.save_path = "/data"
    for name, value in changes.items():
        setattr(params, name, value)
    data: bytes = libtorrent.write_resume_data_buf(params)
    return data


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_what_libtorrent_writes_is_read(kind: Kind) -> None:
    made = torrent(kind)
    resume = parse(oracle(
        kind, have_pieces=[True] * made.info.geometry.piece_count, file_priorities=[0, 4, 7], total_uploaded=77,
        trackers=["http://t/a", "http://u/b"], tracker_tiers=[1, 0], added_time=1_700_000_000, download_limit=5000,
        renamed_files={1: "thing/new.bin"}, flags=libtorrent.torrent_flags.paused,
    ))
    assert resume.hashes is not None and resume.hashes == made.info.hashes
    assert resume.save_path == "/data" and resume.uploaded == 77 and resume.down == 5000
    assert resume.added_at == 1_700_000_000 and resume.paused and not resume.auto_managed
    assert resume.trackers == (("http://u/b",), ("http://t/a",))
    assert resume.priorities[:3] == [0, 4, 7]
    assert resume.mapped[:2] == [b"", b"thing/new.bin"]
    assert resume.have(made.info) == bitfield.full(made.info.geometry.piece_count)


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", ["v2", "hybrid"])
def test_piece_layers_come_from_the_hash_trees(kind: Kind) -> None:
    made = torrent(kind)
    found = torrent_of(parse(oracle(kind)), without_layers(made))
    assert found is not None and found.missing_layers == []
    assert found.piece_layers == made.piece_layers


def test_a_tree_may_have_its_leaves_or_its_pieces() -> None:
    made = torrent("v2", files={"x": 4 * PIECE})
    root = made.info.files[0].root
    assert root is not None
    layer = made.piece_layers[root]
    for mask in (b"0001111" + b"0" * 8, b"0001111"):
        resume = parse(fastresume(made, trees=[{b"hashes": layer, b"mask": mask}]))
        found = torrent_of(resume, without_layers(made))
        assert found is not None and (found.piece_layers == made.piece_layers) == (len(mask) == 15)


@pytest.mark.parametrize("tree", [
    7, [], {}, {b"hashes": b"", b"mask": b""}, {b"hashes": b"\1" * 128, b"mask": b"000111100000000"},
    {b"hashes": b"\1" * 127, b"mask": b"000111100000000"}, {b"hashes": b"", b"mask": b"0" * 15},
    {b"hashes": 5, b"mask": 5}, {b"hashes": b"", b"mask": b"1" * 15}, {b"mask": b"0" * 100_000},
])
def test_a_tree_that_is_wrong_is_passed_over(tree: Value) -> None:
    made = torrent("v2", files={"x": 4 * PIECE})
    found = torrent_of(parse(fastresume(made, trees=[tree])), without_layers(made))
    assert found is not None and found.piece_layers == {}


def test_metadata_may_stand_in_the_resume_data() -> None:
    info = bencode.decode(MADE.info.raw)
    found = torrent_of(parse(fastresume(MADE, info=info)), None)
    assert found is not None and found.info.hashes == MADE.info.hashes
    assert torrent_of(parse(fastresume(MADE)), None) is None
    assert torrent_of(parse(fastresume(MADE, info={})), None) is None


def test_another_torrent_is_refused() -> None:
    with pytest.raises(FormatError, match="two torrents"):
        torrent_of(parse(fastresume(MADE)), torrent(name="other").to_bytes())
    with pytest.raises(FormatError):
        torrent_of(parse(fastresume(MADE)), b"de")


@pytest.mark.parametrize("data", [b"", b"le", b"i1e", b"d", b"d1:a", b"\x80\x02}."])
def test_what_is_no_dictionary_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


def test_values_of_a_wrong_kind_count_as_absent() -> None:
    resume = parse(bencode.encode({
        b"info-hash": 7, b"info-hash2": b"short", b"save_path": [], b"paused": b"1", b"added_time": b"x",
        b"pieces": 5, b"file_priority": {}, b"mapped_files": b"x", b"trackers": 3, b"url-list": 4,
        b"total_uploaded": -5,
        b"download_rate_limit": -1, b"upload_rate_limit": 1 << 60, b"completed_time": 1 << 61, b"active_time": [],
    }))
    assert resume.hashes is None and resume.save_path == "" and not resume.paused
    assert resume.added_at is None and resume.completed_at is None and resume.priorities == [] == resume.mapped
    assert resume.trackers == () and (resume.uploaded, resume.down, resume.up) == (0, 0, 0)
    assert resume.have(MADE.info) == 0 and resume.seconds(b"active_time") == 0


def test_pieces_that_are_not_all_there_are_not_claimed() -> None:
    width = bitfield.width_of(5)
    resume = parse(fastresume(MADE, pieces=b"\0\1\3\2\1\1"))
    assert MADE.info.geometry.piece_count == 5
    assert resume.have(MADE.info) == 0
    resume = parse(fastresume(MADE, pieces=b"\0\1\3\2\1"))
    assert list(bitfield.indices(resume.have(MADE.info), width)) == [1, 2, 4]
    assert parse(fastresume(MADE, pieces=b"", seed_mode=1)).have(MADE.info) == bitfield.full(5)
