"""The interface that everything keeps to changes under a session: real links, real kernels, real processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import namespaces
from tests.folders import make_folder, make_torrent
from tests.interop.peers.process import JsonProcess
from tests.namespaces import Home, Lab, Space

from wildbach.protocol.metainfo.magnet import Magnet

pytestmark = pytest.mark.skipif(namespaces.MISSING is not None, reason=str(namespaces.MISSING))
PEERS = Path(__file__).parent / "peers"
SECONDS = 60.0
SOON = 40.0


@pytest.fixture
def home() -> Iterator[Home]:
    with Lab() as lab:
        yield Home(lab)


@pytest.mark.parametrize("kind", ["tcp", pytest.param("utp", marks=pytest.mark.slow)])
def test_peers_meet_again_soon_when_the_interface_has_another_address(home: Home, tmp_path: Path, kind: str) -> None:
    """The other side is a session like ours, and still holds the connection with the address before."""
    folder = make_folder(tmp_path / "source")
    metainfo = make_torrent(folder, "v1")
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    link = Magnet(metainfo.info.hashes, peers=(("25.1.0.1", 6881),)).to_uri()
    roads = {"connections": {"tcp": kind == "tcp", "utp": kind == "utp"}, "dht": {"enabled": False}}

    def child(space: Space, add: list[object], **more: object) -> JsonProcess:
        config = {"settings": {**roads, **more}, "add": [add]}
        return JsonProcess([*space.prefix, sys.executable, str(PEERS / "session_child.py"), json.dumps(config)])

    with (
        child(home.far, [str(tmp_path / "made.torrent"), str(folder.parent), True], rates={"up": 1 << 15}) as seed,
        child(home.client, [link, str(tmp_path / "got"), False], network={"interface": "tun0"}) as ours,
    ):
        seed.wait("peer_connected", seconds=SECONDS)
        ours.wait("metadata_ready", seconds=SECONDS)
        home.disconnect()
        ours.wait("network_changed", up=False, seconds=SECONDS)
        home.connect("10.81.0.3")
        ours.wait("network_changed", up=True, seconds=SECONDS)
        # Soon: both think that they are connected still, and would find out after minutes.
        assert seed.wait("peer_connected", where=lambda e: e["peer"].startswith("10.81.0.3"), seconds=SOON)
        ours.wait("peer_connected", seconds=SECONDS)
        for process in (ours, seed):
            process.send(cmd="quit")
            assert process.wait("bye", seconds=SECONDS)["internal_errors"] == 0


CALLS = """
import socket, sys
with socket.create_connection((sys.argv[1], 6881), 5):
    pass
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
    sock.settimeout(30)
    sock.sendto(b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:xx1:y1:qe", (sys.argv[1], 6881))
    assert b"1:t2:xx" in sock.recv(2000)
"""
"A TCP call, and a question to the DHT node; for a machine that has no session."


@pytest.mark.parametrize("interface", [pytest.param("", marks=pytest.mark.slow), "eth0"])
def test_an_ip_version_that_comes_later_is_used_and_connections_stay(tmp_path: Path, interface: str) -> None:
    folder = make_folder(tmp_path / "source")
    metainfo = make_torrent(folder, "v1")
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    link = Magnet(metainfo.info.hashes, peers=(("25.1.0.1", 6881),)).to_uri()
    common = {"dht": {"bootstrap": []}, "discovery": {"upnp": False, "natpmp": False}}

    def child(space: Space, add: list[object], **more: object) -> JsonProcess:
        config = {"settings": {**common, **more}, "add": [add]}
        return JsonProcess([*space.prefix, sys.executable, str(PEERS / "session_child.py"), json.dumps(config)])

    with Lab() as lab:
        here, there = lab.space("h"), lab.space("t")
        lab.cable(here, there, [["25.1.0.2/24"], ["25.1.0.1/24", "2a01:db:1::1/64"]], ["eth0", "eth0"])
        with (
            child(there, [str(tmp_path / "made.torrent"), str(folder.parent), True], rates={"up": 1 << 14}) as seed,
            child(here, [link, str(tmp_path / "got"), False], network={"interface": interface}) as ours,
        ):
            seed.wait("started", seconds=SECONDS)
            ours.wait("peer_connected", seconds=SECONDS)
            here.run("ip", "-6", "addr", "add", "2a01:db:1::2/64", "dev", "eth0")
            came = ours.wait("network_changed", seconds=SECONDS)
            assert came["up"] and came["network"]["obstacle"] == ""
            own = "2a01:db:1::2" if interface else "::"
            assert f"[{own}]:6881" in came["network"]["listening"]
            there.run(sys.executable, "-c", CALLS, "2a01:db:1::2")
            ours.send(cmd="quit")
            assert ours.wait("bye", seconds=SECONDS)["internal_errors"] == 0
            assert not [event for event in ours.events if event["event"] == "peer_dropped"]
