"""Our announces and scrapes against opentracker, a tracker that was not written here."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from pathlib import Path

import pytest

from wildbach.base.ids import Endpoint
from wildbach.engine.announcers import Announcer, HttpAnnouncer, UdpAnnouncer
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard, SystemResolver
from wildbach.net.udp import Datagrams
from wildbach.protocol.tracker.announce import AnnounceRequest, Event, ScrapeRequest, TrackerFailure

HASH = bytes(range(100, 120))
ID = b"-WB0100-abcdefghijkl"


def free_port() -> int:
    """A port that is free for TCP and UDP alike."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def started(folder: Path, port: int) -> asyncio.subprocess.Process:
    """opentracker, which as root insists on another user and a folder of its own that this user can read."""
    program = shutil.which("opentracker")
    if program is None:
        pytest.skip("opentracker is not installed")
    folder.chmod(0o755)
    (folder / "allowed").write_text(f"{HASH.hex()}\n")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        program, "-i", "127.0.0.1", "-p", str(port), "-P", str(port), "-w", "allowed", "-d", str(folder), *user)
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return process
    raise AssertionError(f"opentracker ended with {process.returncode}")


async def tell_all(announcer: Announcer, url: str) -> None:
    def request(port: int, left: int, event: Event) -> AnnounceRequest:
        return AnnounceRequest(url, HASH, ID[:-4] + str(port).encode(), port, left=left, event=event, key=port)

    first = await announcer.announce(request(1000, 5, Event.STARTED))
    assert 1500 <= first.interval <= 2100
    second = await announcer.announce(request(2000, 0, Event.STARTED))
    assert Endpoint("127.0.0.1", 1000) in second.peers
    assert (second.seeds, second.leeches) == (1, 1)
    await announcer.announce(request(1000, 0, Event.COMPLETED))
    found = (await announcer.scrape(ScrapeRequest(url, (HASH,)))).stats[HASH]
    assert (found.seeds, found.leeches, found.downloaded) == (2, 0, 1)
    await announcer.announce(request(1000, 0, Event.STOPPED))
    assert (await announcer.announce(request(2000, 0, Event.NONE))).seeds == 1
    await announcer.announce(request(2000, 0, Event.STOPPED))


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_opentracker_understands_us(tmp_path: Path, scheme: str) -> None:
    async def main() -> None:
        port = free_port()
        process = await started(tmp_path, port)
        resolver = SystemResolver()
        guard = Guard(resolver)
        client = HttpClient(guard)
        datagrams = Datagrams()
        datagrams.open([Endpoint("127.0.0.1", 0)])
        announcer: Announcer = HttpAnnouncer(client) if scheme == "http" else UdpAnnouncer(datagrams, guard)
        try:
            async with asyncio.timeout(30):
                await tell_all(announcer, f"{scheme}://127.0.0.1:{port}/announce")
                with pytest.raises(TrackerFailure):
                    # It serves only what stands in its list.
                    await announcer.announce(
                        AnnounceRequest(f"{scheme}://127.0.0.1:{port}/announce", bytes(20), ID, 1000, left=1))
        finally:
            process.terminate()
            await process.wait()
            datagrams.close()
            await client.close()
            resolver.close()

    asyncio.run(main())
