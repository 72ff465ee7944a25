"""Daemons behind real routers (Linux's own NAT), each in a network of its own: nobody else helps but nodes of the DHT,
and a relay where the routers let nobody in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli_process import SOURCE
from syncdaemons import Daemon, Group
from syncnet import MISSING, NODES, PORT, PUBLIC, World, world
from syncrelay import relay
from wildbach.protocol.sync.links import SCHEME, SyncLink

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]
_DHT = Path(__file__).parents[1] / "dht_child.py"
_SETTINGS = {
    "WILDBACH_CONNECTIONS_LISTEN": f"0.0.0.0:{PORT}", "WILDBACH_DHT_ENABLED": "true",
    "WILDBACH_DHT_BOOTSTRAP": f"{NODES[0]}:{PORT}",
    # Else both would be nodes of this small DHT, and have opened their routers for each other as such.
    "WILDBACH_DHT_READ_ONLY": "true",
}
PATIENCE = 170.0
"As long as it takes until both look for each other's record once more."


@contextmanager
def nodes(of: World) -> Iterator[None]:
    with subprocess.Popen(
        [*of.public.prefix, sys.executable, str(_DHT), *(f"{host}:{PORT}" for host in NODES)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"bound\n"
        yield
        process.terminate()


def shared(a: Daemon, b: Daemon) -> str:
    """The three steps of the guide; returns the link."""
    made = a.command.run("sync", "create", a.files, "--name", "f")
    assert made.returncode == 0, made.stderr
    text = a.command.run("sync", "share", "f").stdout.split()
    link = next(each for each in text if each.startswith(SCHEME))
    joined = b.command.run("sync", "join", b.files, stdin=link.encode() + b"\n", timeout=PATIENCE)
    assert joined.returncode == 0, joined.stdout + joined.stderr
    return link


def other(of: Daemon) -> tuple[str, str]:
    device, = (each for each in of.folder.devices if not each.me)
    return device.way, device.endpoint



def test_two_homes_share_a_folder_in_three_steps(group: Group) -> None:
    with world() as net, nodes(net):
        a, b = (group.add(name, through=home.space.prefix, settings=_SETTINGS)
                for name, home in zip("ab", net.homes, strict=True))
        a.files.mkdir()
        content = os.urandom(3 << 20)
        (a.files / "file").write_bytes(content)
        shared(a, b)
        assert group.same(seconds=PATIENCE)["file"] == ("file", content, False)
        assert other(a) == ("utp", f"{net.homes[1].outside}:{PORT}")
        assert other(b) == ("utp", f"{net.homes[0].outside}:{PORT}")
        (b.files / "back").write_bytes(b"from b")
        group.same()
        group.end()


def test_where_routers_give_each_remote_another_port_a_relay_joins_them_and_reads_nothing(
    group: Group, tmp_path: Path,
) -> None:
    with world(scattered=True) as net, nodes(net), relay(
            tmp_path, f"{PUBLIC}:6990", through=net.public.prefix) as at:
        # One of the two is told of it, and the other one by its record.
        a = group.add("a", through=net.homes[0].space.prefix, settings={
            **_SETTINGS, "WILDBACH_SYNC_RELAYS": at.at})
        b = group.add("b", through=net.homes[1].space.prefix, settings=_SETTINGS)
        a.files.mkdir()
        content = b"nobody else reads this " * 20_000
        (a.files / "a secret name.txt").write_bytes(content)
        link = SyncLink.parse(shared(a, b))
        assert group.same(seconds=PATIENCE)["a secret name.txt"] == ("file", content, False)
        assert other(a) == other(b) == ("relay", at.at)
        status = b.command.run("sync", "status", "f").stdout
        assert f"relay {at.at}" in status
        assert at.moved > len(content)
        assert not at.saw(
            content[:23], b"a secret name", bytes(link.folder), link.token.raw, link.token.hash,
            *(bytes.fromhex(each.id) for each in a.folder.devices))
        group.end()
