"""What asking a daemon for its list takes while it downloads at full speed from 50 peers, and while its disk takes
half a second for each call; beside qbittorrent-nox with the same torrents, through the door that both have.

The peers are connections of their own to one process on loopback (`feeder.py`), the slow disk is a FUSE file system
(`slowfs.py`). The state of both programs is on the usual disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import MIB, Report
from bench.programs import Door, Running, own_api, qbittorrent, wildbach
from tests.interop.peers.process import JsonProcess

from wildbach.interfaces.api import models as m

PEERS = 50
RATE = 30_000_000
"Bytes a second that each peer would give: more than any of the programs takes from all of them."
SIZE = 2048 * MIB
PIECE = MIB
SECONDS = 15.0
SLOW = 0.5
NAME = "content.bin"
LIMIT = 50.0
"Milliseconds."


class Load:
    """A torrent that is downloaded meanwhile, and who has it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.content = folder / NAME
        self.torrent = folder / "t.torrent"
        harness.make_content(self.content, SIZE)
        harness.make_torrent(self.content, self.torrent, "v1", PIECE)

    @contextlib.contextmanager
    def peers(self) -> Iterator[list[str]]:
        config = {
            "torrent": str(self.torrent), "data": str(self.content), "peers": PEERS, "slowest": RATE, "fastest": RATE}
        with JsonProcess([sys.executable, str(Path(__file__).with_name("feeder.py")), json.dumps(config)]) as feeder:
            yield [f"{host}:{port}" for host, port in feeder.wait("ready")["endpoints"]]


@contextlib.contextmanager
def slow_folder(work: Path) -> Iterator[Path]:
    inner, mount = work / "inner", work / "mount"
    inner.mkdir(parents=True)
    mount.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("slowfs.py")), str(inner), str(mount), str(SLOW)])
    try:
        while not os.path.ismount(mount):
            if process.poll() is not None:
                raise OSError("FUSE cannot be mounted here")
            time.sleep(0.02)
        yield mount
    finally:
        subprocess.run(["fusermount", "-u", "-z", str(mount)], check=False)
        process.kill()
        process.wait()


def ready(it: Running, count: int) -> None:
    while True:
        with contextlib.suppress(OSError, ValueError):
            if json.loads(it.door.get(f"torrents/info?limit=1&offset={count - 1}&sort=name")):
                return
        time.sleep(0.2)


def add(door: Door, torrent: Path, folder: Path, peers: list[str]) -> None:
    """By the WebAPI."""
    edge = "------------------------wildbachbench"
    parts = b"".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"
        for name, more, value in (
            ("savepath", "", str(folder).encode()),
            ("torrents", '; filename="t.torrent"\r\nContent-Type: application/x-bittorrent', torrent.read_bytes()),
        ))
    door.post("torrents/add", parts + f"--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}")
    while not (found := row(door)):
        time.sleep(0.1)
    form = urllib.parse.urlencode({"hashes": found["hash"], "peers": "|".join(peers)}).encode()
    door.post("torrents/addPeers", form, "application/x-www-form-urlencoded")
    while row(door)["downloaded"] < 4 * MIB:
        time.sleep(0.2)


def row(door: Door) -> dict[str, Any]:
    """Of the torrent that is downloaded: nothing else was added as lately."""
    found = json.loads(door.get("torrents/info?limit=1&sort=added_on&reverse=true"))
    return next((one for one in found if one["name"] == NAME), {})


def asked(door: Door, seconds: float) -> dict[str, float]:
    """Pages and differences by the WebAPI."""
    rid = json.loads(door.get("sync/maindata"))["rid"]
    pages: list[float] = []
    deltas: list[float] = []
    before, began = row(door)["downloaded"], time.perf_counter()
    while time.perf_counter() < began + seconds:
        at = time.perf_counter()
        door.get("torrents/info?limit=100&sort=name")
        pages.append(time.perf_counter() - at)
        at = time.perf_counter()
        rid = json.loads(door.get(f"sync/maindata?rid={rid}"))["rid"]
        deltas.append(time.perf_counter() - at)
        time.sleep(0.02)
    moved = row(door)["downloaded"] - before
    return figures("door_page", pages) | figures("door_delta", deltas) | {
        "mib_s": moved / MIB / (time.perf_counter() - began)}


async def asked_own(door: Door, seconds: float) -> dict[str, float]:
    """The same by wildbach's own API."""
    pages: list[float] = []
    deltas: list[float] = []
    async with own_api(door) as api:
        listing = m.Listing(sort="name", limit=100)
        revision = (await api.list_torrents(listing)).revision
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            at = time.perf_counter()
            await api.list_torrents(listing)
            pages.append(time.perf_counter() - at)
            at = time.perf_counter()
            revision = (await api.changes(m.Since(revision))).revision
            deltas.append(time.perf_counter() - at)
            await asyncio.sleep(0.02)
    return figures("own_page", pages) | figures("own_delta", deltas)


def figures(name: str, seconds: list[float]) -> dict[str, float]:
    return {
        f"{name}_p50_ms": 1000 * statistics.median(seconds),
        f"{name}_p99_ms": 1000 * sorted(seconds)[int(len(seconds) * 0.99)]}


def one(program: str, work: Path, load: Load, count: int, folder: Path) -> dict[str, float]:
    context = wildbach(work, count, folder) if program == "wildbach" else qbittorrent(work, count)
    with load.peers() as peers, context as it:
        ready(it, count)
        add(it.door, load.torrent, folder, peers)
        facts = asyncio.run(asked_own(it.door, SECONDS / 2)) if program == "wildbach" else {}
        return facts | asked(it.door, SECONDS / 2)


def measure(report: Report, work: Path, torrents: int, alone: int) -> None:
    with harness.workspace() as memory:
        load = Load(memory / "load")
        for disk in ("fast disk", "slow disk"):
            with contextlib.ExitStack() as stack:
                for program, count in (("wildbach", torrents), ("qbittorrent-nox", torrents), ("wildbach", alone)):
                    if not count or (program != "wildbach" and shutil.which(program) is None):
                        continue
                    name = f"{disk}, {program} {count}"
                    folder = memory / name
                    if disk == "slow disk":
                        try:
                            folder = stack.enter_context(slow_folder(memory / name))
                        except OSError as error:
                            report.say(f"  {name}: left out, {error}")
                            continue
                    facts = report.facts[name] = one(program, work / name, load, count, folder)
                    report.say(f"  {name}: " + ", ".join(f"{key} {value:.3g}" for key, value in facts.items()))
                    if program == "wildbach":
                        for key in ("own_page_p99_ms", "own_delta_p99_ms", "door_delta_p99_ms"):
                            report.limit(f"{name} {key}", facts[key], LIMIT)
                    else:
                        ours = report.facts[f"{disk}, wildbach {count}"]
                        for key in ("door_page_p99_ms", "door_delta_p99_ms", "mib_s"):
                            report.verdict(
                                f"{disk} {key}", ours[key] / facts[key], 1.0, below=key != "mib_s")
                    if disk == "fast disk":
                        shutil.rmtree(folder, ignore_errors=True)
