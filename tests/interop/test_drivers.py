"""The drivers of the foreign programs work: they move data among each other, without wildbach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.peers import aria2, lt, transmission
from tests.interop.peers.content import digest_tree, make_tree
from tests.interop.peers.tracker import TinyTracker

MISSING = {"libtorrent": lt.MISSING, "aria2": aria2.MISSING, "transmission": transmission.MISSING}
MAKE = {"libtorrent": lt.Libtorrent, "aria2": aria2.Aria2, "transmission": transmission.Transmission}


@pytest.fixture
def tracker() -> Iterator[TinyTracker]:
    with TinyTracker() as tracker:
        yield tracker


@pytest.mark.foreign
@pytest.mark.parametrize("way", ["torrent", pytest.param("magnet", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("seeder", "leecher"), [
    ("libtorrent", "aria2"), ("aria2", "libtorrent"),
    # Its announces are a quarter of a minute apart.
    pytest.param("libtorrent", "transmission", marks=pytest.mark.slow),
    pytest.param("transmission", "libtorrent", marks=pytest.mark.slow),
])
def test_foreign_programs_exchange_a_folder(
    seeder: str, leecher: str, way: str, tracker: TinyTracker, tmp_path: Path,
) -> None:
    for name in ("libtorrent", seeder, leecher):
        if MISSING[name]:
            pytest.skip(str(MISSING[name]))
    content = make_tree(tmp_path / "seed" / "Sämtliches 全部")
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", "v1", trackers=[tracker.url])
    source: Path | str = torrent if way == "torrent" else lt.magnet_of(torrent)
    out = tmp_path / "leech"
    out.mkdir()
    with MAKE[leecher](tmp_path / "l") as leech, MAKE[seeder](tmp_path / "s") as seed:
        # The one that dials starts last, so that the tracker can tell it of the other.
        if not leech.dials:
            leech.leech(source, out)
            tracker.wait_for(1)
        seed.seed(torrent, content.parent)
        if leech.dials:
            tracker.wait_for(1)
            leech.leech(source, out)
        leech.wait_complete()
    empty = leech.makes_empty_files
    assert digest_tree(out / content.name, empty=empty) == digest_tree(content, empty=empty)
