"""The firewall of a router is opened for IPv6, by PCP: a router that is only known by its link-local address."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import namespaces
from tests.interop.peers.process import JsonProcess
from tests.namespaces import Lab, Space

pytestmark = pytest.mark.skipif(namespaces.MISSING is not None, reason=str(namespaces.MISSING))
PEERS = Path(__file__).parent / "peers"
SECONDS = 30.0
OTHER, OURS = "2a01:db:1::5", "2a01:db:1::2"


class Home:
    """A machine with two addresses that the world can call, and its router."""

    def __init__(self, lab: Lab) -> None:
        self.router, self.inside = lab.space("r"), lab.space("h")
        lab.cable(
            self.router, self.inside, [["fe80::1/64"], [f"{OTHER}/64", f"{OURS}/64", "fe80::2/64"]], ["lan", "eth0"])
        self.router.run("ip", "-6", "route", "add", "2a01:db:1::/64", "dev", "lan")
        self.inside.run("ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")


@pytest.fixture
def home() -> Iterator[Home]:
    with Lab() as lab:
        yield Home(lab)


def child(space: Space, program: str, *arguments: str) -> JsonProcess:
    return JsonProcess([*space.prefix, sys.executable, str(PEERS / program), *arguments])


def host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]")


def seen_at(space: Space) -> str:
    """The address that packets to the Internet have."""
    words = space.run("ip", "-6", "route", "get", "2600::1").split()
    return words[words.index("src") + 1]


@pytest.mark.parametrize("interface", ["", "eth0", OTHER, OURS])
def test_a_pinhole_is_made_for_the_address_we_listen_at_and_given_back(home: Home, interface: str) -> None:
    settings = {
        "connections": {"listen": ["[::]:6881"]}, "discovery": {"lsd": False}, "dht": {"enabled": False},
        "network": {"interface": interface},
    }
    with (
        child(home.router, "pcp_router.py", "fe80::1", "lan") as router,
        child(home.inside, "session_child.py", json.dumps({"settings": settings})) as ours,
    ):
        router.wait("ready")
        started = ours.wait("started", seconds=SECONDS)
        events = [ours.wait("port_mapped", protocol=protocol, seconds=SECONDS) for protocol in ("tcp", "udp")]
        at = events[0]["address"]
        assert at == (host(started["at"][0]) if interface else seen_at(home.inside))
        assert interface in ("", "eth0", at)
        assert [(e["method"], e["internal"], e["external"], e["address"]) for e in events] == [
            ("pcp", 6881, 6881, at)] * 2
        ours.send(cmd="quit")
        assert ours.wait("bye", seconds=SECONDS)["internal_errors"] == 0
        made: dict[str, int] = {}
        while not made or any(made.values()):
            request = router.wait("request", opcode=1, seconds=SECONDS)
            assert (request["client"], request["result"], request["internal"]) == (at, 0, 6881)
            assert request["lifetime"] or request["nonce"] in made
            made[request["nonce"]] = request["lifetime"]
        assert len(made) == 2
