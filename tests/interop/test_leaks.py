"""Nothing leaves but by the chosen interface or through the chosen proxy: a machine with two ways out, and somebody who
listens at the wrong one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests import namespaces
from tests.cli_process import CODE
from tests.folders import make_folder, make_torrent, same
from tests.interop.peers import dnsmasq, lt, proxies
from tests.interop.peers.base import Daemon, poll
from tests.interop.peers.process import JsonProcess, lt_process
from tests.interop.peers.proxies import Dante
from tests.namespaces import NODE, Home, Lab, Space

from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet

pytestmark = [
    pytest.mark.skipif(namespaces.MISSING is not None, reason=str(namespaces.MISSING)),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
    pytest.mark.skipif(proxies.MISSING is not None, reason=str(proxies.MISSING)),
    pytest.mark.skipif(dnsmasq.MISSING is not None, reason=str(dnsmasq.MISSING)),
]
PEERS = Path(__file__).parent / "peers"
SECONDS = 60.0
ICMP = 1
TCP = 6
RST = 4
ACK = 16
TRACKER = "http://tracker.example:7000/announce"
GONE = "http://later.example:7000/announce"


@pytest.fixture
def home() -> Iterator[Home]:
    with Lab() as lab:
        yield Home(lab)


@contextmanager
def listening(space: Space) -> Iterator[JsonProcess]:
    with JsonProcess([*space.prefix, sys.executable, str(PEERS / "sniffer.py")]) as sniffer:
        sniffer.wait("ready")
        yield sniffer


def kernels_own(packet: dict[str, object]) -> bool:
    """The kernel itself complains of packets that were on their way when the interface went, or come again when it is
    back: of datagrams by ICMP, of segments by one that has the flags RST, or RST and ACK, and no data.
    """
    if packet["protocol"] != TCP:
        return packet["protocol"] == ICMP
    data = bytes.fromhex(str(packet["begins"]))
    header = (data[0] & 15) * 4
    size = int.from_bytes(data[2:4], "big")
    return data[header + 13] in (RST, RST | ACK) and size == header + (data[header + 12] >> 4) * 4


def nothing_came(sniffer: JsonProcess) -> None:
    sniffer.send(cmd="quit")
    sniffer.wait("bye")
    strays = [e for e in sniffer.events if e["event"] == "packet" and not kernels_own(e)]
    assert not strays, "\n".join(map(str, strays))


@contextmanager
def session(space: Space, metainfo: Metainfo, folder: Path, **network: object) -> Iterator[JsonProcess]:
    """All there is, of a session that everybody may call: LSD, UPnP, NAT-PMP, the DHT, a tracker by its name."""
    link = Magnet(metainfo.info.hashes, trackers=(TRACKER,)).to_uri()
    config = {
        "settings": {
            "network": network, "dht": {"bootstrap": ["router.example:6881", f"{NODE}:6881"]},
            "trackers": {"stop_seconds": 1.0},
        },
        "add": [[link, str(folder), False]],
    }
    with JsonProcess([*space.prefix, sys.executable, str(PEERS / "session_child.py"), json.dumps(config)]) as process:
        yield process


@contextmanager
def swarm(space: Space, host: str, folder: Path, metainfo: Metainfo, work: Path) -> Iterator[JsonProcess]:
    """A seed of libtorrent's, and beside it a tracker, and a node of the DHT."""
    known = replace(metainfo, trackers=((f"http://{host}:7000/announce",),))
    (work / "made.torrent").write_bytes(known.to_bytes())
    tracker = Daemon([*space.prefix, sys.executable, "-c", CODE, "tracker", "--listen", f"{host}:7000"], work / "log")
    try:
        with (
            lt_process({**lt.DHT, "listen_interfaces": f"{NODE}:6881"}, prefix=space.prefix) as node,
            lt_process({**lt.DHT, "listen_interfaces": f"{host}:6881"}, prefix=space.prefix) as seed,
        ):
            node.wait("ready")
            seed.wait("ready")
            seed.send(cmd="dht_node", host=NODE, port=6881)
            poll(lambda: f"{host}:7000 " in space.run("ss", "-ltn") or None, SECONDS, tracker.story)
            poll(lambda: _knows_nodes(seed) or None, SECONDS, seed.story)
            seed.send(
                cmd="add", id="s", torrent=str(work / "made.torrent"), save=str(folder.parent), seed_mode=True,
                dht=True,
            )
            seed.wait("finished", "checked", id="s")
            yield seed
    finally:
        tracker.close()


def _knows_nodes(process: JsonProcess) -> bool:
    """A torrent that is added before is announced a quarter of an hour later."""
    process.send(cmd="dht_nodes")
    return bool(process.wait("dht_nodes")["count"])


def content(tmp_path: Path) -> tuple[Path, Metainfo]:
    folder = make_folder(tmp_path / "source")
    return folder, make_torrent(folder, "v1")


@pytest.mark.foreign("libtorrent")
def test_everything_keeps_to_the_interface_and_waits_while_it_is_away(home: Home, tmp_path: Path) -> None:
    folder, metainfo = content(tmp_path)
    home.client.configure("resolv.conf", "nameserver 25.1.0.1\n")
    names = Daemon(
        [
            *home.far.prefix, str(dnsmasq.PROGRAM), "--keep-in-foreground", "--listen-address=25.1.0.1",
            "--bind-interfaces", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", f"--pid-file={tmp_path / 'pid'}",
            "--local=/#/", "--log-facility=-", "--log-queries", "--host-record=tracker.example,25.1.0.1",
        ],
        tmp_path / "dnsmasq.log",
    )
    try:
        with (
            swarm(home.far, "25.1.0.1", folder, metainfo, tmp_path), listening(home.wrong) as sniffer,
            session(home.client, metainfo, tmp_path / "got", interface="tun0") as ours,
        ):
            started = ours.wait("started", seconds=SECONDS)
            assert started["at"] == ["10.81.0.2:6881"]
            ours.wait("torrent_complete", seconds=SECONDS)

            home.disconnect()
            went = ours.wait("network_changed", up=False, seconds=SECONDS)
            assert went["network"]["addresses"] == [] and went["network"]["listening"] == []
            missing = make_torrent(make_folder(tmp_path / "other", "other"), "v1")
            ours.send(cmd="add", add=[Magnet(missing.info.hashes, trackers=(GONE,)).to_uri(), str(tmp_path), False])
            ours.wait("torrent_added", seconds=SECONDS)
            ours.send(cmd="reannounce")
            ours.send(cmd="network")
            away = ours.wait("network", seconds=SECONDS)
            assert "tun0 is away" in away["network"]["obstacle"]
            assert away["reasons"][1] == away["network"]["obstacle"]

            home.connect()
            came = ours.wait("network_changed", up=True, seconds=SECONDS)
            assert came["network"]["listening"] == ["10.81.0.2:6881"]
            ours.wait("tracker_announced", tracker=TRACKER, seconds=SECONDS)
            ours.send(cmd="quit")
            assert ours.wait("bye", seconds=SECONDS)["internal_errors"] == 0
            nothing_came(sniffer)
        assert "query[A] later.example from 10.81.0.2" in names.log.read_text()
    finally:
        names.close()
    assert same(folder, tmp_path / "got" / folder.name) == []


@pytest.mark.foreign("libtorrent")
def test_a_session_that_starts_while_the_interface_is_away_waits_for_it(home: Home, tmp_path: Path) -> None:
    folder, metainfo = content(tmp_path)
    home.client.configure("resolv.conf", "nameserver 10.82.0.1\n")
    home.disconnect()
    with listening(home.wrong) as sniffer, session(home.client, metainfo, tmp_path / "got", interface="tun0") as ours:
        assert ours.wait("started", seconds=SECONDS)["at"] == []
        home.connect()
        with swarm(home.far, "25.1.0.1", folder, metainfo, tmp_path):
            # Found by the DHT alone: the name server cannot be reached by this interface.
            ours.wait("torrent_complete", seconds=SECONDS)
            ours.send(cmd="quit")
            assert ours.wait("bye", seconds=SECONDS)["internal_errors"] == 0
        nothing_came(sniffer)
    assert same(folder, tmp_path / "got" / folder.name) == []


def test_without_a_choice_the_same_session_goes_the_other_way(home: Home, tmp_path: Path) -> None:
    """Whoever listens there does hear what comes."""
    _, metainfo = content(tmp_path)
    home.client.configure("resolv.conf", "nameserver 25.1.0.1\n")
    with listening(home.wrong) as sniffer, session(home.client, metainfo, tmp_path / "got") as ours:
        sniffer.wait("packet", where=lambda packet: packet["to"] == "25.1.0.1")
        ours.send(cmd="quit")
        ours.wait("bye", seconds=SECONDS)


@pytest.mark.foreign("libtorrent", "dante")
def test_everything_goes_through_the_proxy(home: Home, tmp_path: Path) -> None:
    """The names of the tracker and of the first DHT node are known to the proxy alone."""
    folder, metainfo = content(tmp_path)
    home.client.configure("resolv.conf", "nameserver 10.82.0.1\n")
    home.right.configure("hosts", f"25.1.0.1 tracker.example\n{NODE} router.example\n")
    with (
        swarm(home.far, "25.1.0.1", folder, metainfo, tmp_path), listening(home.wrong) as sniffer,
        Dante(tmp_path / "proxy", space=home.right, inside="10.81.0.1", outside=("25.1.0.254",)) as proxy,
        session(home.client, metainfo, tmp_path / "got", proxy=proxy.url) as ours,
    ):
        assert ours.wait("started", seconds=SECONDS)["at"] == []
        ours.wait("torrent_complete", seconds=SECONDS)
        ours.wait("tracker_announced", tracker=TRACKER, seconds=SECONDS)
        ours.send(cmd="quit")
        assert ours.wait("bye", seconds=SECONDS)["internal_errors"] == 0
        nothing_came(sniffer)
    assert same(folder, tmp_path / "got" / folder.name) == []
