"""Peers of one local network find each other by multicast alone (BEP 14), in namespaces of the test's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import namespaces
from tests.folders import make_folder, make_torrent, same
from tests.interop.peers import lt
from tests.interop.peers.process import JsonProcess, lt_process
from tests.namespaces import Lab, Space

from wildbach.protocol.metainfo.magnet import Magnet

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
    pytest.mark.skipif(namespaces.MISSING is not None, reason=str(namespaces.MISSING)),
]
CHILD = Path(__file__).parent / "peers" / "session_child.py"
SECONDS = 40.0


def ours(space: Space, config: dict[str, object]) -> JsonProcess:
    return JsonProcess([*space.prefix, sys.executable, str(CHILD), json.dumps(config)])


def listening(*at: str) -> dict[str, object]:
    return {"connections": {"listen": at}, "discovery": {"upnp": False, "natpmp": False}, "peers": {"pex": False}}


@pytest.fixture
def two() -> Iterator[tuple[Space, Space]]:
    """Two machines on one cable, with IPv4 and IPv6."""
    with Lab() as lab:
        one, other = lab.space("a"), lab.space("b")
        lab.cable(one, other, [["10.78.0.1/24", "fd00:78::1/64"], ["10.78.0.2/24", "fd00:78::2/64"]], ["a0", "b0"])
        yield one, other


def theirs(space: Space, at: str) -> JsonProcess:
    return lt_process({"listen_interfaces": at, "enable_lsd": True}, prefix=space.prefix)


def test_we_find_a_seed_of_libtorrents_on_the_local_network(two: tuple[Space, Space], tmp_path: Path) -> None:
    """A magnet link without trackers or peers is downloaded."""
    folder = make_folder(tmp_path / "source")
    metainfo = make_torrent(folder, "v1")
    path = tmp_path / "made.torrent"
    path.write_bytes(metainfo.to_bytes())
    with theirs(two[0], "10.78.0.1:6881") as seed:
        seed.wait("ready")
        seed.send(cmd="add", id="t", torrent=str(path), save=str(folder.parent), seed_mode=True, lsd=True)
        seed.wait("finished", "checked", id="t")
        link = Magnet(metainfo.info.hashes).to_uri()
        config = {"settings": listening("0.0.0.0:6882"), "add": [[link, str(tmp_path / "got"), False]]}
        with ours(two[1], config) as leech:
            leech.wait("torrent_complete", seconds=SECONDS)
            leech.send(cmd="quit")
            bye = leech.wait("bye")
    assert bye["internal_errors"] == 0
    assert same(folder, tmp_path / "got" / folder.name) == []


@pytest.mark.parametrize("family", [4, 6])
def test_libtorrent_finds_our_seed_on_the_local_network(
    two: tuple[Space, Space], tmp_path: Path, family: int,
) -> None:
    folder = make_folder(tmp_path / "source")
    metainfo = make_torrent(folder, "v1")
    path = tmp_path / "made.torrent"
    path.write_bytes(metainfo.to_bytes())
    at = "0.0.0.0:6882" if family == 4 else "[::]:6882"
    config = {"settings": listening(at), "add": [[str(path), str(folder.parent), True]]}
    with ours(two[1], config) as seed:
        seed.wait("state_changed", state="seeding", seconds=SECONDS)
        with theirs(two[0], "10.78.0.1:6881" if family == 4 else "[fd00:78::1]:6881") as leech:
            leech.wait("ready")
            leech.send(
                cmd="add", id="t", magnet=Magnet(metainfo.info.hashes).to_uri(), save=str(tmp_path / "got"), lsd=True)
            leech.wait("finished", id="t", seconds=SECONDS)
            leech.send(cmd="flush", id="t")
            leech.wait("flushed", id="t")
        seed.send(cmd="quit")
        bye = seed.wait("bye")
    assert bye["internal_errors"] == 0
    assert same(folder, tmp_path / "got" / folder.name) == []
