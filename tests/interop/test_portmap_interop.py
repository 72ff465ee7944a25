"""A real router daemon lets peers in: by PCP, NAT-PMP and UPnP, and what was asked for is given back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import namespaces
from tests.interop.peers import miniupnpd
from tests.interop.peers.miniupnpd import Miniupnpd
from tests.interop.peers.process import JsonProcess
from tests.namespaces import Lab, Space

pytestmark = [
    pytest.mark.skipif(miniupnpd.MISSING is not None, reason=str(miniupnpd.MISSING)),
    pytest.mark.skipif(namespaces.MISSING is not None, reason=str(namespaces.MISSING)),
]
CHILD = Path(__file__).parent / "peers" / "session_child.py"
SECONDS = 30.0


class Home:
    """A machine behind a router, and one on the Internet."""

    def __init__(self, lab: Lab) -> None:
        self.router, self.inside, self.outside = lab.space("r"), lab.space("h"), lab.space("w")
        lab.cable(self.router, self.inside, [["10.77.0.1/24"], ["10.77.0.2/24"]], ["lan", "eth0"])
        lab.cable(self.router, self.outside, [["25.0.0.1/24"], ["25.0.0.9/24"]], ["wan", "eth0"])
        self.inside.run("ip", "route", "add", "default", "via", "10.77.0.1")
        self.router.run("sysctl", "-w", "net.ipv4.ip_forward=1")


@pytest.fixture
def home() -> Iterator[Home]:
    with Lab() as lab:
        yield Home(lab)


def session(space: Space, **discovery: object) -> JsonProcess:
    chosen = {"connections": {"listen": ["0.0.0.0:6881"]}, "discovery": {"lsd": False, **discovery}}
    return JsonProcess([*space.prefix, sys.executable, str(CHILD), json.dumps({"settings": chosen})])


def connected(space: Space) -> bool:
    """A machine on the Internet can open a connection to the router's port 6881."""
    program = "import socket; socket.create_connection(('25.0.0.1', 6881), 5).close()"
    space.run(sys.executable, "-c", program)
    return True


def mapped(process: JsonProcess) -> list[dict[str, Any]]:
    return [process.wait("port_mapped", protocol=protocol, seconds=SECONDS) for protocol in ("tcp", "udp")]


@pytest.mark.foreign("miniupnpd")
@pytest.mark.parametrize("method", ["pcp", "upnp"])
def test_the_router_lets_peers_in_until_we_go(home: Home, tmp_path: Path, method: str) -> None:
    with Miniupnpd(home.router, tmp_path, "10.77.0.1") as daemon:
        only = {"natpmp": False} if method == "upnp" else {"upnp": False}
        with session(home.inside, **only) as ours:
            events = mapped(ours)
            assert [(event["method"], event["external"], event["address"]) for event in events] == [
                (method, 6881, "25.0.0.1")] * 2
            assert events[1]["views"]["external"] == ["25.0.0.1"]
            assert daemon.mapped().count("dnat ip to 10.77.0.2:6881") == 2
            assert connected(home.outside)
            ours.send(cmd="quit")
            assert ours.wait("bye")["internal_errors"] == 0
        assert "dnat" not in daemon.mapped(), daemon.story()


@pytest.mark.foreign("miniupnpd")
def test_a_port_that_another_machine_has_is_exchanged_for_another(home: Home, tmp_path: Path) -> None:
    """The external port differs then, and it is the one that the session says peers call."""
    home.inside.run("ip", "addr", "add", "10.77.0.3/24", "dev", "eth0")
    neighbour = (
        "import socket\n"
        "from wildbach.protocol.portmap import natpmp\n"
        "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "sock.settimeout(5)\n"
        "sock.bind(('10.77.0.3', 0))\n"
        "sock.connect(('10.77.0.1', natpmp.PORT))\n"
        "sock.send(natpmp.mapping_request(natpmp.TCP, 6881, 6881, 600))\n"
        "assert natpmp.decode(sock.recv(100)).external == 6881\n"
    )
    with Miniupnpd(home.router, tmp_path, "10.77.0.1") as daemon:
        home.inside.run(sys.executable, "-c", neighbour)
        with session(home.inside, upnp=False) as ours:
            tcp, udp = mapped(ours)
            assert tcp["external"] != 6881
            assert f"dport {tcp['external']}" in daemon.mapped()
            assert udp["external"] == tcp["external"]
            ours.send(cmd="quit")
            assert ours.wait("bye")["internal_errors"] == 0


@pytest.mark.foreign("miniupnpd")
def test_nat_pmp_where_a_router_knows_no_pcp(home: Home, tmp_path: Path) -> None:
    """What is sent by NAT-PMP alone is understood by the daemon: it speaks both, so the request is sent as such."""
    with Miniupnpd(home.router, tmp_path, "10.77.0.1") as daemon:
        program = (
            "import asyncio, random\n"
            "from wildbach.net.portmap import DatagramMapper, Mapped\n"
            "from wildbach.net import portmap\n"
            "async def main():\n"
            "    mapper = DatagramMapper(4, random.Random(1), asyncio.get_running_loop().time)\n"
            "    mapper.method = 'natpmp'\n"
            "    mapped = await mapper.map(Mapped('', 'tcp', 6881, 6881, 0.0), 600)\n"
            "    print(mapped.method, mapped.external, mapped.seconds)\n"
            "    input()\n"
            "    await mapper.unmap(mapped)\n"
            "    print('gone')\n"
            "asyncio.run(main())\n"
        )
        with JsonProcess([*home.inside.prefix, sys.executable, "-u", "-c", program]) as ours:
            assert ours.wait("text", seconds=SECONDS)["text"].split() == ["natpmp", "6881", "600"]
            assert "dnat ip to 10.77.0.2:6881" in daemon.mapped()
            ours.send(cmd="quit")
            assert ours.wait("text", seconds=SECONDS)["text"].strip() == "gone"
        assert "dnat" not in daemon.mapped(), daemon.story()


def test_a_router_that_is_gone_is_told_of(home: Home) -> None:
    with session(home.inside) as ours:
        event = ours.wait("port_mapping_failed", seconds=SECONDS)
        ports = event["views"]["ports"][0]
        assert ports["state"] == "failed" and set(ports["errors"]) == {"pcp/natpmp", "upnp"}
        ours.send(cmd="quit")
        assert ours.wait("bye")["internal_errors"] == 0
