"""Machines of synced folders in networks of the test's own: homes behind routers (Linux's NAT), and one host that all
of them reach. Needs root.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests import namespaces
from tests.namespaces import Lab, Space

MISSING = namespaces.MISSING or (None if shutil.which("nft") else "nft is not installed (Debian: nftables)")
PUBLIC = "25.9.0.2"
NODES = tuple(f"{number}.9.0.2" for number in range(30, 38))
"More addresses of that host, each in a network of its own: nodes of a DHT are believed where several of them agree."
PORT = 6881
_TABLES = """
table inet nat {
    chain input { type filter hook input priority 0; policy accept;
        iifname "wan" drop; }
    chain forward { type filter hook forward priority 0; policy accept;
        iifname "wan" ct state new drop; }
    chain postrouting { type nat hook postrouting priority 100; policy accept;
        oifname "wan" masquerade%s; }
}
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A machine behind a router: `outside` is the router's address in the Internet."""

    space: Space
    router: Space
    outside: str
    inside: str


@dataclass(frozen=True, slots=True)
class World:
    public: Space
    "The host at PUBLIC, which has no router before it."
    homes: tuple[Home, ...]


@contextmanager
def world(*, homes: int = 2, scattered: bool = False) -> Iterator[World]:
    """`scattered`: routers give each remote another port, so that nobody can be met behind two of them."""
    with Lab() as lab:
        internet, public = lab.space("i"), lab.space("p")
        internet.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        own = [f"{PUBLIC}/24", *(f"{each}/32" for each in NODES)]
        lab.cable(public, internet, [own, ["25.9.0.1/24"]], ["eth0", "p0"])
        public.run("ip", "route", "add", "default", "via", "25.9.0.1")
        for each in NODES:
            internet.run("ip", "route", "add", f"{each}/32", "via", PUBLIC)
        found = []
        for number in range(1, homes + 1):
            router, inside = lab.space(f"r{number}"), lab.space(f"h{number}")
            outside, private = f"25.{number}.0.2", f"192.168.{number}.2"
            lab.cable(router, internet, [[f"{outside}/24"], [f"25.{number}.0.1/24"]], ["wan", f"n{number}"])
            lab.cable(router, inside, [[f"192.168.{number}.1/24"], [f"{private}/24"]], ["lan", "eth0"])
            router.run("ip", "route", "add", "default", "via", f"25.{number}.0.1")
            inside.run("ip", "route", "add", "default", "via", f"192.168.{number}.1")
            router.run("sysctl", "-w", "net.ipv4.ip_forward=1")
            router.run("nft", "-f", "-", stdin=_TABLES % (" random" if scattered else ""))
            found.append(Home(inside, router, outside, private))
        yield World(public, tuple(found))
