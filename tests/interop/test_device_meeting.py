"""Two devices behind real routers (Linux's own NAT) meet by uTP without a third, where both call."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import namespaces
from tests.interop.peers.process import JsonProcess
from tests.namespaces import Lab, Space

pytestmark = [
    pytest.mark.skipif(namespaces.MISSING is not None, reason=str(namespaces.MISSING)),
    pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed (Debian: nftables)"),
]
CHILD = Path(__file__).parent / "peers" / "device_child.py"
PORT = 6881
_TABLES = """
table inet nat {
    chain input { type filter hook input priority 0; policy accept;
        iifname "wan" drop; }
    chain postrouting { type nat hook postrouting priority 100; policy accept;
        oifname "wan" masquerade%s; }
}
"""


@contextmanager
def homes(*, scattered: bool = False) -> Iterator[list[tuple[Space, str]]]:
    """Two machines, each with the address of its router. `scattered`: routers give each remote another port."""
    with Lab() as lab:
        internet = lab.space("i")
        internet.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        found = []
        for number in (1, 2):
            router, inside = lab.space(f"r{number}"), lab.space(f"h{number}")
            public, private = f"25.{number}.0.2", f"192.168.{number}.2"
            lab.cable(router, internet, [[f"{public}/24"], [f"25.{number}.0.1/24"]], ["wan", f"n{number}"])
            lab.cable(router, inside, [[f"192.168.{number}.1/24"], [f"{private}/24"]], ["lan", "eth0"])
            router.run("ip", "route", "add", "default", "via", f"25.{number}.0.1")
            inside.run("ip", "route", "add", "default", "via", f"192.168.{number}.1")
            router.run("sysctl", "-w", "net.ipv4.ip_forward=1")
            router.run("nft", "-f", "-", stdin=_TABLES % (" random" if scattered else ""))
            found.append((inside, public))
        yield found


def device(space: Space, remote: str, seconds: int, *, calls: bool = True) -> JsonProcess:
    return JsonProcess([
        *space.prefix, sys.executable, str(CHILD), str(PORT), f"{remote}:{PORT}", str(seconds), str(int(calls))])


def test_two_homes_meet_where_both_call() -> None:
    with homes() as ((one, at_one), (other, at_other)), device(one, at_other, 60) as first:
        first.wait("started", seconds=30)
        with device(other, at_one, 60) as second:
            for process, remote in ((first, at_other), (second, at_one)):
                heard = process.wait("heard", seconds=30)
                assert heard["text"] == "hello" and heard["remote"] == f"{remote}:{PORT}"


@pytest.mark.parametrize("scattered", [False, True], ids=["one only listens", "ports are scattered"])
def test_where_one_does_not_call_or_no_port_holds_they_do_not(scattered: bool) -> None:
    with homes(scattered=scattered) as ((one, at_one), (other, at_other)), device(one, at_other, 4) as first:
        first.wait("started", seconds=30)
        with device(other, at_one, 4, calls=scattered) as second:
            assert first.wait("failed", "heard", seconds=20)["event"] == "failed"
            assert not any(event["event"] == "heard" for event in second.events)
