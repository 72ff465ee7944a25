"""Recheck and create: how fast content on tmpfs is hashed, against libtorrent and against plain hashlib.

libtorrent hashes with one thread unless told otherwise; both forms run here. Creating takes no settings in its Python
binding, so there the two are the same.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import GIB, LT, LT_DEFAULTS, MIB, WB, Report, Side, median, side

SPEED = 1.3
OF_PLAIN = 0.9


def create(one: Side, content: Path, out: Path, kind: str, size: int) -> dict[str, Any]:
    before = one.cpu()
    one.process.send(cmd="create", path=str(content), out=str(out), piece_length=MIB, kind=kind)
    seconds = one.process.wait("created", seconds=600)["seconds"]
    return {"mib_s": round(size / MIB / seconds, 1), "cpu_per_gib": round((one.cpu() - before) / (size / GIB), 3)}


def recheck(one: Side, name: str, size: int) -> dict[str, Any]:
    before = one.cpu()
    one.process.send(cmd="recheck", id=name)
    begin = one.process.wait("rechecking")["t"]
    seconds = one.process.wait("checked", id=name, seconds=600)["t"] - begin
    return {"mib_s": round(size / MIB / seconds, 1), "cpu_per_gib": round((one.cpu() - before) / (size / GIB), 3)}


def plain(content: Path, kind: str, size: int) -> dict[str, Any]:
    """What hashlib gives in as many processes as there are cores, without any torrent."""
    workers = harness.cores()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver")) as pool:
        # The processes start first, outside of the time: with nothing to hash.
        for length in (0, size):
            begin = time.monotonic()
            shares = [pool.submit(hash_share, content, kind, index, workers, length) for index in range(workers)]
            for share in shares:
                share.result()
            seconds = time.monotonic() - begin
    return {"mib_s": round(size / MIB / seconds, 1), "cpu_per_gib": 0.0}


def hash_share(content: Path, kind: str, index: int, workers: int, size: int) -> None:
    """Every `workers`-th MiB: as a piece for v1 and hybrid, as leaves of 16 KiB for v2 and hybrid."""
    data = bytearray(MIB)
    view = memoryview(data)
    with content.open("rb", buffering=0) as file:
        for at in range(index * MIB, size, workers * MIB):
            file.seek(at)
            file.readinto(data)
            if kind != "v2":
                hashlib.sha1(data).digest()
            if kind != "v1":
                for block in range(0, MIB, 16384):
                    hashlib.sha256(view[block : block + 16384]).digest()


def run(report: Report, *, size: int = 4 * GIB, rounds: int = 3, kinds: tuple[str, ...] = ("v1", "v2", "hybrid"),
        contenders: tuple[str, ...] = (LT, LT_DEFAULTS, WB)) -> None:
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        for kind in kinds:
            torrent = work / f"{kind}.torrent"
            harness.make_torrent(content, torrent, kind, MIB)
            rows: dict[str, dict[str, list[dict[str, Any]]]] = {
                job: {name: [] for name in (*contenders, "plain hashlib")} for job in ("create", "recheck")
            }
            for _ in range(rounds):
                for name in contenders:
                    with side(name) as one:
                        rows["create"][name].append(create(one, content, work / "made.torrent", kind, size))
                        (work / "made.torrent").unlink()
                        one.process.send(cmd="add", id="t", torrent=str(torrent), save=str(content.parent))
                        one.process.wait_all("checked", "finished", seconds=600)
                        rows["recheck"][name].append(recheck(one, "t", size))
                hashed = plain(content, kind, size)
                for job in rows.values():
                    job["plain hashlib"].append(hashed)
            for job, by_name in rows.items():
                report.say(f"{job} {kind}, {size / GIB:g} GiB: median of {rounds} rounds")
                for name, runs in by_name.items():
                    cpu = median(runs, "cpu_per_gib")
                    spent = f"   CPU-s/GiB {cpu:.2f}" if cpu else ""
                    report.say(f"  {name:>22} {median(runs, 'mib_s'):6.0f} MiB/s{spent}")
                if WB in contenders:
                    ours = median(by_name[WB], "mib_s")
                    for other, target in ((LT, SPEED), (LT_DEFAULTS, SPEED), ("plain hashlib", OF_PLAIN)):
                        report.verdict(f"{job} {kind} against {other}", ours / median(by_name[other], "mib_s"), target)
            report.facts[kind] = rows
