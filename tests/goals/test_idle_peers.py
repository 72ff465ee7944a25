"""G8: thousands of connected peers that do nothing cost a few kilobytes each and no processor time to speak of."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tests import pace

from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake

pytestmark = pytest.mark.goal

PEERS = 2000
CHILD = Path(__file__).with_name("peers_child.py")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_idle_peers_cost_little(capsys: pytest.CaptureFixture[str]) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), *sys.path])}
    rng = Random(1)
    sockets: list[socket.socket] = []
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(PEERS)], env=env, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            told = json.loads(child.stdout.readline())
            for number in range(PEERS):
                swarm = bytes.fromhex(told["hashes"][number % len(told["hashes"])])
                sock = socket.create_connection(("127.0.0.1", told["port"]), timeout=20)
                sockets.append(sock)
                sock.sendall(Handshake(swarm, b"-ID0001-" + rng.randbytes(12)).to_bytes())
            for sock in sockets:
                assert len(sock.recv(LENGTH, socket.MSG_WAITALL)) == LENGTH
                sock.sendall(codec.plain(codec.HAVE_NONE))
            found = json.loads(child.stdout.readline())
        finally:
            for sock in sockets:
                sock.close()
            child.kill()
    with capsys.disabled():
        print(
            f"\nG8: {found['peers']} idle peers: {found['bytes_each'] / 1024:.1f} KiB each, idle CPU "
            f"{100 * found['idle']:.1f} %  (libtorrent: 3.9 KiB each, 0.2 % CPU)"
        )
    assert found["peers"] == PEERS
    assert found["bytes_each"] <= 8 * 1024
    assert found["idle"] <= 0.02 * pace.factor()
