"""wildbach gives to and gets from libtorrent, aria2 and transmission, over its own tracker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.peers import aria2, lt, transmission, wb
from tests.interop.peers.content import PIECE, digest_tree, make_tree

MISSING = {"libtorrent": lt.MISSING, "aria2": aria2.MISSING, "transmission": transmission.MISSING, "wildbach": None}
MAKE = {
    "libtorrent": lt.Libtorrent, "aria2": aria2.Aria2, "transmission": transmission.Transmission,
    "wildbach": wb.Wildbach,
}
slow = pytest.mark.slow
SLOW = (("transmission", "v1", "magnet"), ("libtorrent", "hybrid", "magnet"))
"What others of these show too: magnets of v1 and of v2, and a hybrid from its file."


@pytest.fixture
def tracker() -> Iterator[wb.Tracker]:
    with wb.Tracker() as tracker:
        yield tracker


def require(*names: str) -> None:
    for name in names:
        if MISSING[name]:
            pytest.skip(str(MISSING[name]))


def exchange(
    seeder: str, leecher: str, torrent: Path, source: Path | str, content: Path, tracker: wb.Tracker, work: Path,
    seconds: float = 60.0,
) -> None:
    """Move the content from one program to another, which find each other by the tracker."""
    out = work / "leech"
    out.mkdir()
    with MAKE[leecher](work / "l") as leech, MAKE[seeder](work / "s") as seed:
        # The one that dials starts last, so that the tracker can tell it of the other.
        if not leech.dials:
            leech.leech(source, out)
            tracker.wait_for(1)
        seed.seed(torrent, content.parent)
        if leech.dials:
            tracker.wait_for(1)
            leech.leech(source, out)
        leech.wait_complete(seconds)
    empty = leech.makes_empty_files
    assert digest_tree(out / content.name, empty=empty) == digest_tree(content, empty=empty)


# Hybrids and v2 with libtorrent only: transmission 3.00 calls a hybrid corrupt, and aria2 1.36 takes its pad files for
# real ones, whose names clash (it fails the same way with libtorrent).
FOREIGN = ["libtorrent", "aria2", "transmission"]
CASES = [
    pytest.param(
        name, kind, way, id=f"{name}-{kind}-{way}",
        marks=[pytest.mark.foreign(name), *([slow] if (name, kind, way) in SLOW else [])],
    )
    for name in FOREIGN for kind in (("v1", "v2", "hybrid") if name == "libtorrent" else ("v1",))
    for way in ("torrent", "magnet")
]


@pytest.mark.foreign
@pytest.mark.parametrize(("foreign", "kind", "way"), CASES)
def test_wildbach_gets(foreign: str, kind: str, way: str, tracker: wb.Tracker, tmp_path: Path) -> None:
    """The torrent is libtorrent's; .torrent files name the HTTP tracker, magnets the UDP one where both know it."""
    require(foreign, "libtorrent")
    content = make_tree(tmp_path / "seed" / "Sämtliches 全部")
    url = tracker.udp if way == "magnet" and MAKE[foreign].knows_udp_trackers else tracker.http
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", kind, trackers=[url])
    source = torrent if way == "torrent" else lt.magnet_of(torrent)
    exchange(foreign, "wildbach", torrent, source, content, tracker, tmp_path)


@pytest.mark.foreign
@pytest.mark.parametrize(("foreign", "kind", "way"), CASES)
def test_wildbach_gives(foreign: str, kind: str, way: str, tracker: wb.Tracker, tmp_path: Path) -> None:
    """The torrent is made by `wildbach create`."""
    require(foreign, "libtorrent")
    content = make_tree(tmp_path / "seed" / "Sämtliches 全部")
    url = tracker.udp if way == "magnet" and MAKE[foreign].knows_udp_trackers else tracker.http
    torrent = wb.create(content, tmp_path / "t.torrent", kind, trackers=[url])
    source = torrent if way == "torrent" else lt.magnet_of(torrent)
    exchange("wildbach", foreign, torrent, source, content, tracker, tmp_path)


@slow
@pytest.mark.foreign
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("seeder", "leecher", "kind"), [
    ("libtorrent", "wildbach", "v1"), ("wildbach", "libtorrent", "hybrid"), ("aria2", "wildbach", "v1"),
    ("wildbach", "transmission", "v1"), ("libtorrent", "wildbach", "v2"),
])
def test_one_gibibyte_arrives_whole(
    seeder: str, leecher: str, kind: str, tracker: wb.Tracker, tmp_path: Path,
) -> None:
    require(seeder, leecher, "libtorrent")
    content = make_tree(tmp_path / "seed" / "big", big=1 << 30)
    torrent = lt.make_torrent(content, tmp_path / "t.torrent", kind, piece_length=16 * PIECE, trackers=[tracker.http])
    exchange(seeder, leecher, torrent, torrent, content, tracker, tmp_path, seconds=300)
