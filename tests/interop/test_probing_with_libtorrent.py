"""Probes of a libtorrent seed over TCP: one that serves, one that is throttled, one whose data is gone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.oracle import libtorrent

from wildbach.base.ids import Endpoint
from wildbach.engine.probing import Probed, Why, probe
from wildbach.engine.roads import Reached
from wildbach.net.tcp import TcpTransport
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.testing.content import Content, content

pytestmark = pytest.mark.foreign("libtorrent")
MADE = content(4 << 20, 1 << 18, kind="v2")
RATE = 500_000


@contextlib.contextmanager
def seeding(folder: Path, made: Content, *, upload: int = 0) -> Iterator[int]:
    """A libtorrent seed: the port it listens on."""
    (folder / "content.bin").write_bytes(made.data)
    session = libtorrent.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "allow_multiple_connections_per_ip": True, "upload_rate_limit": upload,
    })
    if upload:
        # As a rule its limits do not hold in the local network.
        every = libtorrent.ip_filter()
        every.add_rule("0.0.0.0", "255.255.255.255", 1)
        session.set_peer_class_filter(every)
    params = libtorrent.add_torrent_params()
    params.ti = libtorrent.torrent_info(libtorrent.bdecode(made.torrent))
    params.save_path = str(folder)
    handle = session.add_torrent(params)
    deadline = time.monotonic() + 30
    while not (handle.status().is_seeding and session.listen_port()):
        session.wait_for_alert(100)
        session.pop_alerts()
        assert time.monotonic() < deadline, "libtorrent does not seed"
    yield session.listen_port()
    session.pause()


def look(port: int, made: Content = MADE) -> Probed:
    transport = TcpTransport()

    async def call(endpoint: Endpoint, info_hash: bytes, greeting: bytes) -> Reached:
        return Reached(await transport.dial(endpoint), said=False)

    async def main() -> Probed:
        return await probe(
            call, Endpoint("127.0.0.1", port), Metainfo.parse(made.torrent).info, RATE, Random(1),
            asyncio.get_running_loop().time)

    return asyncio.run(main())


def test_a_libtorrent_seed_passes(tmp_path: Path) -> None:
    with seeding(tmp_path, MADE) as port:
        found = look(port)
    assert found.passed, found
    assert found.rate >= RATE and found.size >= RATE


def test_a_hybrid_of_libtorrent_passes(tmp_path: Path) -> None:
    made = content(4 << 20, 1 << 18, kind="hybrid")
    with seeding(tmp_path, made) as port:
        found = look(port, made)
    assert found.passed, found


def test_a_throttled_libtorrent_fails(tmp_path: Path) -> None:
    with seeding(tmp_path, MADE, upload=100_000) as port:
        assert look(port).why is Why.SLOW


def test_a_libtorrent_whose_data_is_gone_fails(tmp_path: Path) -> None:
    with seeding(tmp_path, MADE) as port:
        (tmp_path / "content.bin").write_bytes(bytes(len(MADE.data)))
        assert look(port).why in (Why.FALSE, Why.NO_HASHES, Why.INCOMPLETE, Why.ENDED)
