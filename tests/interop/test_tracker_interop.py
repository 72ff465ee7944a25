"""The embedded tracker against clients that were not written here: each pair finds the other and moves data."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests import encounters
from tests.interop.peers import transmission
from tests.interop.peers.transmission import Transmission
from tests.oracle import libtorrent as lt

from wildbach.protocol import bencode
from wildbach.protocol.tracker.announce import ScrapeStats
from wildbach.services.tracker import Files, TrackerOptions, TrackerServer

CONTENT = random.Random(7).randbytes(300_000)


def torrent_file(folder: Path, url: str) -> tuple[Path, bytes]:
    info: bencode.Value = {
        b"length": len(CONTENT), b"name": b"content.bin", b"piece length": 32768,
        b"pieces": b"".join(hashlib.sha1(CONTENT[at : at + 32768]).digest() for at in range(0, len(CONTENT), 32768)),
    }
    path = folder / "content.torrent"
    path.write_bytes(bencode.encode({b"announce": url.encode(), b"info": info}))
    return path, hashlib.sha1(bencode.encode(info)).digest()


def session(host: str = "127.0.0.1") -> Any:
    at = f"[{host}]:0" if ":" in host else f"{host}:0"
    return lt.session({
        "listen_interfaces": at, "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
        # It refuses to scrape a tracker at ::1, though it announces there.
        "ssrf_mitigation": False,
    })


def add(ses: Any, torrent: Path, folder: Path, *, seed: bool) -> Any:
    folder.mkdir(exist_ok=True)
    if seed:
        (folder / "content.bin").write_bytes(CONTENT)
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(str(torrent))
    params.save_path = str(folder)
    return ses.add_torrent(params)


_FRESH = count(1)


@contextmanager
def serving(
    host: str = "", options: TrackerOptions | None = None,
) -> Iterator[tuple[TrackerServer, asyncio.Runner]]:
    """A tracker on a loop that the test turns by `wait_for`.

    Each has an address of its own: libtorrent keeps UDP connection ids by address alone, for all its sessions and
    whatever the port, so a second tracker at 127.0.0.1 would be shown the first one's.
    """
    host = host or f"127.71.0.{next(_FRESH)}"
    with asyncio.Runner() as runner:
        tracker = TrackerServer(options=options)
        runner.run(tracker.start(host))
        try:
            yield tracker, runner
        finally:
            runner.run(tracker.close())


def wait_for(runner: asyncio.Runner, ready: object, seconds: float = 40.0) -> None:
    async def turn() -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, "not ready in time"
            await asyncio.sleep(0.05)
    runner.run(turn())


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("scheme", ["http", "udp"])
@pytest.mark.parametrize("host", ["", "::1"])
def test_two_libtorrents_find_each_other(tmp_path: Path, scheme: str, host: str) -> None:
    with serving(host) as (tracker, runner):
        url = tracker.http_url if scheme == "http" else tracker.udp_url
        assert url is not None
        torrent, _ = torrent_file(tmp_path, url)
        one, two = session(host or "127.0.0.1"), session(host or "127.0.0.1")
        seed = add(one, torrent, tmp_path / "seed", seed=True)
        wait_for(runner, lambda: seed.status().is_seeding and tracker.stats().peers == 1)
        leech = add(two, torrent, tmp_path / "leech", seed=False)
        wait_for(runner, lambda: leech.status().is_seeding)
        assert (tmp_path / "leech" / "content.bin").read_bytes() == CONTENT
        seed.scrape_tracker()
        wait_for(runner, lambda: tracker.stats().http_scrapes + tracker.stats().udp_scrapes > 0)
        one.remove_torrent(seed)
        two.remove_torrent(leech)
        wait_for(runner, lambda: tracker.stats().peers == 0)


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_a_private_tracker_serves_the_libtorrent_that_has_a_key(tmp_path: Path, scheme: str) -> None:
    """The key is in the path of the URL, which libtorrent tells over UDP too (BEP 41)."""
    users = tmp_path / "users"
    users.write_text("alice-key-1\n")
    with serving(options=TrackerOptions(files=Files(users=users))) as (tracker, runner):
        url = tracker.http_url if scheme == "http" else tracker.udp_url
        assert url is not None
        sessions = [session(), session()]
        for one, name, key in zip(sessions, ("alice", "mallory"), ("alice-key-1", "mallory-key-1"), strict=True):
            (tmp_path / name).mkdir()
            torrent, _ = torrent_file(tmp_path / name, url.replace("KEY", key))
            add(one, torrent, tmp_path / name / "seed", seed=True)
            if name == "alice":
                wait_for(runner, lambda: tracker.stats().peers == 1)
            else:
                wait_for(runner, lambda: tracker.stats().forbidden > 0)
        assert tracker.stats().peers == 1


@pytest.mark.foreign("libtorrent", "aria2")
@pytest.mark.parametrize(("scheme", "host"), [("http", ""), ("udp", ""), ("http", "::1")])
def test_aria2_finds_a_libtorrent_seed(tmp_path: Path, scheme: str, host: str) -> None:
    aria2 = shutil.which("aria2c")
    if aria2 is None:
        pytest.skip("aria2c is not installed")
    with serving(host) as (tracker, runner):
        url = tracker.http_url if scheme == "http" else tracker.udp_url
        assert url is not None
        torrent, _ = torrent_file(tmp_path, url)
        one = session(host or "127.0.0.1")
        seed = add(one, torrent, tmp_path / "seed", seed=True)
        wait_for(runner, lambda: seed.status().is_seeding and tracker.stats().peers == 1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        async def download() -> int:
            process = await asyncio.create_subprocess_exec(
                aria2, f"--dir={tmp_path / 'aria'}", "--seed-time=0", f"--listen-port={port}",
                # Its UDP trackers share the DHT's socket, and are silent without it.
                f"--enable-dht={str(scheme == 'udp').lower()}", f"--dht-file-path={tmp_path / 'dht.dat'}",
                "--bt-enable-lpd=false", "--enable-dht6=false", "--no-conf", "--quiet", "--file-allocation=none",
                "--async-dns=false", f"--dht-listen-port={port}", str(torrent),
            )
            try:
                async with asyncio.timeout(60):
                    return await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

        assert runner.run(download()) == 0
        encounters.note("aria2")
        assert (tmp_path / "aria" / "content.bin").read_bytes() == CONTENT
        stats = tracker.stats()
        assert stats.http_announces + stats.udp_announces >= 3


@pytest.mark.slow
@pytest.mark.foreign("libtorrent", "transmission")
@pytest.mark.skipif(transmission.MISSING is not None, reason=str(transmission.MISSING))
@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_transmission_is_found_by_a_libtorrent_seed(tmp_path: Path, scheme: str) -> None:
    """It dials no loopback address itself, so it comes first and is dialled."""
    with serving() as (tracker, runner), Transmission(tmp_path / "transmission") as leech:
        url = tracker.http_url if scheme == "http" else tracker.udp_url
        assert url is not None
        torrent, info_hash = torrent_file(tmp_path, url)
        out = tmp_path / "out"
        out.mkdir()
        runner.run(beside(leech.leech, torrent, out))
        wait_for(runner, lambda: tracker.stats().peers == 1)
        one = session()
        add(one, torrent, tmp_path / "seed", seed=True)
        runner.run(beside(leech.wait_complete))
        assert (out / "content.bin").read_bytes() == CONTENT
        wait_for(runner, lambda: tracker.store.scrape(info_hash) == ScrapeStats(2, 0, 1))


async def beside(work: Callable[..., None], *values: object) -> None:
    """Something that blocks, in a thread, so that the tracker goes on."""
    await asyncio.to_thread(work, *values)
