"""Three daemons of one folder, the third of which comes late."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli_process import SOURCE
from syncdaemons import Daemon, Group, until
from wildbach.interfaces.api import syncmodels as sy

MIB = 1 << 20
_DHT = Path(__file__).parents[1] / "dht_child.py"
SLOW = {"WILDBACH_RATES_UP": str(4 * MIB), "WILDBACH_RATES_LIMIT_LOCAL": "true"}


def received(of: Daemon) -> dict[str, int]:
    """Bytes from each of the others."""
    return {each.id: each.received for each in of.folder.devices if not each.me}


@pytest.mark.slow
def test_the_third_finds_the_second_by_the_first_and_takes_a_large_file_from_both(group: Group) -> None:
    a, b = group.add("a", settings=SLOW), group.add("b", settings=SLOW)
    content = os.urandom(24 * MIB)
    # Both have it already, so nothing is sent before the third is there.
    for each in (a, b):
        each.files.mkdir()
        (each.files / "large").write_bytes(content)
    group.pair()
    group.same(a, b)
    assert not any(value > MIB for each in (a, b) for value in received(each).values())
    c = group.add("c")
    # It knows nobody but the one that gave the link; there is no local discovery, no DHT.
    c.join(a.share())
    until(lambda: b.connected() == c.connected() == 2, "b and c have found each other", 10)
    there = group.same(seconds=30)
    assert there["large"] == ("file", content, False)
    shares = received(c)
    assert len(shares) == 2 and all(value > 24 * MIB // 4 for value in shares.values()), shares
    assert sum(shares.values()) < 1.2 * len(content)
    ways = {each.way for each in c.folder.devices if not each.me}
    assert ways <= {"tcp", "utp"}

    # Without the first they go on, also after both began anew.
    a.stop()
    (b.files / "after").write_bytes(b"x")
    group.same(b, c)
    for each in (b, c):
        each.stop()
    for each in (b, c):
        each.start()
    (c.files / "again").write_bytes(b"y")
    assert set(group.same(b, c)) == {"large", "after", "again"}
    assert all(each.seen_at for each in c.folder.devices), "when a was met last is known from before"


@pytest.mark.slow
def test_who_was_away_when_keys_changed_is_found_by_the_dht_alone(group: Group) -> None:
    at = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    with subprocess.Popen(
        [sys.executable, str(_DHT), at], env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as node:
        try:
            assert node.stdout is not None and node.stdout.readline() == b"bound\n"
            settings = {"WILDBACH_DHT_ENABLED": "true", "WILDBACH_DHT_BOOTSTRAP": at}
            a, b, c = (group.add(name, settings=settings) for name in "abc")
            group.pair()
            c.join(a.share())
            group.same()
            c.stop()
            a.ask("revoke_synced", "f", sy.SyncRevoking(b.ask("synced_folders").device))
            (a.files / "new").write_text("not for b")
            # Where they met before leads nowhere.
            a.stop()
            b.stop()
            for each in (a, c):
                each.command.env["WILDBACH_CONNECTIONS_LISTEN"] = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
                each.start()
            (c.files / "by c").write_text("x")
            there = group.same(a, c, seconds=90)
            assert {"new", "by c"} <= there.keys()
        finally:
            node.terminate()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
