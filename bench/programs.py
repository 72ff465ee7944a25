"""Daemons with many complete torrents: wildbach, and qbittorrent-nox with the same ones.

The torrents exist in their states only: nobody downloads them, all are complete and started, without trackers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wildbach.base import bitfield
from wildbach.base.ids import InfoHashes
from wildbach.disk.datadir import DataDir
from wildbach.disk.resume import Progress, ResumeRecord
from wildbach.engine.brief import FIELD, Brief
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.client import connect
from wildbach.interfaces.whereabouts import local_token, whereabouts
from wildbach.protocol import bencode
from wildbach.services.library.entry import Entry, encode

PIECES = 16
PIECE = 1 << 18
_PATIENCE = 30.0
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

    def post(self, path: str, body: bytes, content_type: str) -> bytes:
        headers = {**self.headers, "Content-Type": content_type}
        request = urllib.request.Request(f"{self.url}/api/v2/{path}", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return bytes(answer.read())


def end(process: subprocess.Popen[bytes]) -> None:
    """Nothing that it has still to write is needed."""
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Running:
    """A program that runs, and answers."""

    door: Door
    pid: int
    began: float
    answered: float
    "By time.perf_counter()."


@contextlib.contextmanager
def wildbach(work: Path, count: int, folder: Path | None = None) -> Iterator[Running]:
    """With so many torrents; `folder` is where it puts what it downloads."""
    state = work / "state" / "daemon"
    fill_wildbach(state, count)
    sets = [word for setting in (*_SETS, f"downloads.folder={folder or work}") for word in ("--set", setting)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "wildbach.interfaces.cli.main", "serve", "--state", str(work / "state"), *sets],
        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        while (where := whereabouts(state)) is None or not where.urls:
            time.sleep(0.02)
        door = Door(where.urls[0], {"Authorization": f"Bearer {local_token(state)}"})
        yield Running(door, process.pid, began, time.perf_counter())
    finally:
        end(process)


def own_api(door: Door) -> contextlib.AbstractAsyncContextManager[Api]:
    return connect(door.url, token=door.headers["Authorization"].removeprefix("Bearer "))


@contextlib.contextmanager
def qbittorrent(work: Path, count: int) -> Iterator[Running]:
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
        door = Door(f"http://127.0.0.1:{port}", {})
        while True:
            with contextlib.suppress(OSError):
                door.get("app/version")
                break
            time.sleep(0.02)
        yield Running(door, process.pid, began, time.perf_counter())
    finally:
        end(process)
