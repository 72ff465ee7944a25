from __future__ import annotations

from dataclasses import replace

from cli_torrents import torrent_of
from wildbach.engine.piecespecs import PieceSpecs

MADE = torrent_of({("a",): b"a" * 40_000, ("b",): b"b" * 9})
BARE = replace(MADE, piece_layers={})
"As it comes by a magnet link."
ROOT = next(iter(MADE.piece_layers))


def test_a_whole_hybrid_is_checked_by_both_hashes() -> None:
    specs = PieceSpecs(MADE)
    found = specs.get(0)
    assert found is not None
    assert MADE.info.pieces is not None
    assert found.v1 == MADE.info.pieces[:20]
    assert found.v2 is not None
    assert specs.missing == []


def test_a_hybrid_without_layers_waits_for_them_and_then_its_v1_hashes_have_to_do() -> None:
    specs = PieceSpecs(BARE)
    specs.begin(100.0)
    assert specs.missing == [ROOT]
    assert specs.get(0) is None
    assert not specs.v1_must_do(114.0, v2_peers=False)
    assert specs.get(0) is None
    assert specs.v1_must_do(116.0, v2_peers=False)
    assert not specs.v1_must_do(117.0, v2_peers=False)
    found = specs.get(0)
    assert found is not None
    assert found.v2 is None


def test_as_soon_as_somebody_can_be_asked_the_v1_hashes_alone_do_not_count() -> None:
    specs = PieceSpecs(BARE)
    specs.begin(0.0)
    assert specs.v1_must_do(16.0, v2_peers=False)
    specs.v1_must_do(17.0, v2_peers=True)
    assert specs.get(0) is None


def test_layers_that_were_found_complete_the_torrent_file() -> None:
    specs = PieceSpecs(BARE)
    specs.layers[ROOT] = MADE.piece_layers[ROOT]
    assert specs.missing == []
    assert specs.metainfo.to_bytes() == MADE.to_bytes()
    found = specs.get(0)
    assert found is not None
    assert found.v2 is not None


def test_a_small_file_needs_no_layer() -> None:
    specs = PieceSpecs(BARE)
    last = MADE.info.geometry.file_pieces(next(i for i, f in enumerate(MADE.info.files) if str(f.path) == "b"))
    assert specs.get(last.start) is not None
