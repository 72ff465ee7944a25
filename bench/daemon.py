"""The daemon with many complete torrents, beside qbittorrent-nox with the same ones: start, the whole list and its
differences through the door that both have, and memory.

The torrents exist in the states of both only: nobody downloads them, all are complete and started, without trackers.
What wildbach's own API takes for a page of the list is measured too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.harness import Report

from wildbach.base import bitfield
from wildbach.base.ids import InfoHashes
from wildbach.disk.datadir import DataDir
from wildbach.disk.resume import Progress, ResumeRecord
from wildbach.engine.brief import FIELD, Brief
from wildbach.interfaces.api import models as m
from wildbach.interfaces.client import connect
from wildbach.interfaces.whereabouts import local_token, whereabouts
from wildbach.protocol import bencode
from wildbach.services.library.entry import Entry, encode

PIECES = 16
PIECE = 1 << 18
PAGES = 60
DELTAS = 20
_SETS = (
    "connections.listen=127.0.0.1:0", "dht.enabled=false", "discovery.lsd=false", "discovery.upnp=false",
    "discovery.natpmp=false", "trackers.dns_preferences=false", "api.listen=127.0.0.1:0",
)


def info_of(number: int) -> bytes:
    name = f"Some.Series.S{number % 40:02d}E{number % 24:02d}.{number:06d}.1080p"
    return bencode.encode({
        b"length": PIECES * PIECE, b"name": name.encode(), b"piece length": PIECE,
        b"pieces": hashlib.sha1(b"%d" % number).digest() * PIECES,
    })


def fill_wildbach(folder: Path, count: int) -> None:
    """The state of a daemon that has so many complete torrents."""
    database = DataDir(folder).open_database()
    try:
        entries: dict[str, bytes | None] = {}
        for number in range(count):
            raw = info_of(number)
            hashes = InfoHashes(v1=hashlib.sha1(raw).digest())
            name = f"Some.Series.S{number % 40:02d}E{number % 24:02d}.{number:06d}.1080p"
            brief = Brief(name, PIECES * PIECE, PIECES)
            record = ResumeRecord(
                hashes.key, name=name, added_at=1.7e9 + number, completed_at=1.7e9 + number, save_path="/nowhere",
                options={FIELD: brief.to_json(hashes)}, progress=Progress(PIECES, bitfield.full(PIECES)))
            database.save(record, bencode.encode({b"info": bencode.decode(raw)}))
            entries[hashes.key] = encode(Entry(
                added_at=1_700_000_000 + number, completed_at=1_700_000_000 + number, uploaded=number,
                done=PIECES * PIECE, complete=True, category=f"c{number % 10}"))
        database.keep("library", entries, durable=True)
    finally:
        database.close()


def fill_qbittorrent(folder: Path, count: int) -> None:
    """BT_backup with the same, as its versions 4 and 5 read it."""
    folder.mkdir(parents=True)
    for number in range(count):
        raw = info_of(number)
        digest = hashlib.sha1(raw).digest()
        (folder / f"{digest.hex()}.torrent").write_bytes(bencode.encode({b"info": bencode.decode(raw)}))
        (folder / f"{digest.hex()}.fastresume").write_bytes(bencode.encode({
            b"file-format": b"libtorrent resume file", b"file-version": 1, b"info-hash": digest,
            b"save_path": b"/nowhere", b"qBt-savePath": b"/nowhere", b"qBt-seedStatus": 1,
            b"qBt-category": b"c%d" % (number % 10), b"paused": 0, b"auto_managed": 0, b"seed_mode": 1,
            b"added_time": 1_700_000_000 + number, b"completed_time": 1_700_000_000 + number,
            b"pieces": b"\1" * PIECES,
        }))


def rss(pid: int) -> int:
    """Bytes of memory of a process and its children."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                status = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if int(entry) == pid or int(status[1]) == pid:
                    total += int(Path(f"/proc/{entry}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except (OSError, ValueError, IndexError):
                continue
    return total


class Door:
    """The WebAPI of either."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.url}/api/v2/{path}", headers=self.headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return bytes(answer.read())


def timed(door: Door, path: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    data = door.get(path)
    return time.perf_counter() - began, data


def measure_door(door: Door, pid: int, count: int, began: float) -> dict[str, float]:
    """Of a program that was started at `began`."""
    while True:
        try:
            if len(json.loads(door.get("torrents/info?limit=1&sort=name"))) and len(
                    json.loads(door.get("sync/maindata"))["torrents"]) >= count:
                break
        except (OSError, KeyError, ValueError):
            time.sleep(0.1)
    ready = time.perf_counter() - began
    full, data = timed(door, "sync/maindata")
    rid = json.loads(data)["rid"]
    deltas = []
    for _ in range(DELTAS):
        seconds, data = timed(door, f"sync/maindata?rid={rid}")
        rid = json.loads(data)["rid"]
        deltas.append(seconds)
    return {
        "start_seconds": ready, "full_seconds": full, "delta_ms": 1000 * statistics.median(deltas),
        "rss_mib": rss(pid) / 2**20, "kib_each": rss(pid) / 1024 / count,
    }


def run_wildbach(work: Path, count: int) -> dict[str, float]:
    state = work / "state" / "daemon"
    fill_wildbach(state, count)
    sets = [word for setting in (*_SETS, f"downloads.folder={work}") for word in ("--set", setting)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "wildbach.interfaces.cli.main", "serve", "--state", str(work / "state"), *sets],
        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        while (where := whereabouts(state)) is None or not where.urls:
            time.sleep(0.02)
        listening = time.perf_counter() - began
        token = local_token(state)
        door = Door(where.urls[0], {"Authorization": f"Bearer {token}"})
        facts = {"listening_seconds": listening}
        facts |= measure_door(door, process.pid, count, began)
        facts |= asyncio.run(own(where.urls[0], token))
        facts["rss_mib"] = rss(process.pid) / 2**20
        return facts
    finally:
        process.terminate()
        process.wait(60)


async def own(url: str, token: str) -> dict[str, float]:
    """Pages and changes by wildbach's own API, in milliseconds."""
    out: dict[str, float] = {}
    async with connect(url, token=token) as api:
        for name, listing in (
            ("page", m.Listing(sort="name", limit=100)),
            ("filtered", m.Listing(sort="added_at", descending=True, category=("c3",), limit=100)),
            ("search", m.Listing(sort="name", search="s07e11", limit=100)),
        ):
            await api.list_torrents(listing)
            times = []
            for _ in range(PAGES):
                began = time.perf_counter()
                page = await api.list_torrents(listing)
                times.append(1000 * (time.perf_counter() - began))
            out[f"own_{name}_p50_ms"] = statistics.median(times)
            out[f"own_{name}_p99_ms"] = sorted(times)[int(len(times) * 0.99)]
        keys = tuple(row.key for row in page.torrents[:50])
        revision, times = page.revision, []
        for number in range(DELTAS):
            await api.change_torrents(m.TorrentsPatch(m.TorrentPatch(add_tags=(f"t{number}",)), keys=keys))
            began = time.perf_counter()
            changes = await api.changes(m.Since(revision))
            times.append(1000 * (time.perf_counter() - began))
            revision = changes.revision
        out["own_delta_ms"] = statistics.median(times)
    return out


def run_qbittorrent(work: Path, count: int) -> dict[str, float] | None:
    if shutil.which("qbittorrent-nox") is None:
        return None
    profile = work / "profile"
    fill_qbittorrent(profile / "qBittorrent" / "data" / "BT_backup", count)
    config = profile / "qBittorrent" / "config"
    config.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (config / "qBittorrent.conf").write_text(
        "[Preferences]\nWebUI\\Address=127.0.0.1\nWebUI\\LocalHostAuth=false\n[LegalNotice]\nAccepted=true\n"
        "[BitTorrent]\nSession\\Interface=lo\nSession\\InterfaceName=lo\nSession\\DHTEnabled=false\n"
        "Session\\LSDEnabled=false\nSession\\QueueingSystemEnabled=false\n[Network]\nPortForwardingEnabled=false\n")
    began = time.perf_counter()
    process = subprocess.Popen(
        ["qbittorrent-nox", f"--profile={profile}", f"--webui-port={port}"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(work)})
    try:
        return measure_door(Door(f"http://127.0.0.1:{port}", {}), process.pid, count, began)
    finally:
        process.terminate()
        process.wait(120)


def run(report: Report, torrents: int = 10_000, alone: int = 100_000) -> None:
    report.say(f"daemon: {torrents:,} complete torrents, and {alone:,}")
    with tempfile.TemporaryDirectory(prefix="wb-bench-") as folder:
        ours = run_wildbach(Path(folder) / "w", torrents)
        report.facts["wildbach"] = ours
        report.say(f"  wildbach         {_told(ours)}")
        theirs = run_qbittorrent(Path(folder) / "q", torrents)
        if theirs is not None:
            report.facts["qbittorrent-nox"] = theirs
            report.say(f"  qbittorrent-nox  {_told(theirs)}")
            for name in ("start_seconds", "full_seconds", "delta_ms", "rss_mib"):
                report.verdict(name, ours[name] / theirs[name], 1.0, below=True)
        if alone:
            many = run_wildbach(Path(folder) / "many", alone)
            report.facts[f"wildbach {alone}"] = many
            report.say(f"  {alone:,}: {_told(many)}")
            for name, limit in (
                ("start_seconds", 5), ("rss_mib", 500), ("own_page_p99_ms", 50), ("own_filtered_p99_ms", 50),
                ("own_search_p99_ms", 50), ("own_delta_ms", 50), ("delta_ms", 50),
            ):
                report.limit(name, many[name], limit)


def _told(facts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in facts.items())
