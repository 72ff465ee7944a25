"""Torrents that only wait: memory of each, time until usable, CPU while idle.

wildbach restores them from its database, as after a start; libtorrent has no list of its own and is given each as a
torrent file, as its clients do at their start.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import LT, WB, Report, Side, side, tree_memory
from tests.goals.cold_child import fill
from tests.interop.peers.wb import Tracker

KIB_EACH = 3.0
IDLE_CPU = 0.02
IDLE_SECONDS = 5.0


def make_torrents(folder: Path, count: int, tracker: str) -> None:
    """Small v1 torrents of 64 pieces. They are added as seeds without their data."""
    folder.mkdir()
    announce = b"d8:announce%d:%s" % (len(tracker), tracker.encode())
    hashes = b"".join(hashlib.sha1(bytes([number])).digest() for number in range(64))
    for number in range(count):
        name = b"content-%06d.bin" % number
        info = b"d6:lengthi%de4:name%d:%s12:piece lengthi262144e6:pieces%d:%se" % (
            64 * 262144, len(name), name, len(hashes), hashes,
        )
        (folder / f"{number}.torrent").write_bytes(announce + b"4:info%se" % info)


def hold(one: Side, folder: Path, save: Path, count: int, tracker: Tracker) -> dict[str, Any]:
    first = 0
    if one.name == WB:
        fill(one.home, count, tracker.http)
    else:
        first = min(100, count // 2)
        make_torrents(folder, count, tracker.http)
        one.process.send(cmd="add_many", folder=str(folder), save=str(save), count=first)
        one.process.wait("added_many", seconds=600)
    before = tree_memory(one.process.pid)["anonymous"]
    begin = time.monotonic()
    if one.name == WB:
        one.process.send(cmd="restore")
    else:
        one.process.send(cmd="add_many", folder=str(folder), save=str(save), first=first, count=count - first)
    one.process.wait("added_many", seconds=600)
    added = time.monotonic() - begin
    tracker.wait_for(count, seconds=1200)
    announced = time.monotonic() - begin
    time.sleep(IDLE_SECONDS)
    memory = tree_memory(one.process.pid)["anonymous"] - before
    cpu = one.cpu()
    time.sleep(IDLE_SECONDS)
    return {
        "kib_each": round(memory * 1024 / (count - first), 2), "add_seconds": round(added, 2),
        "announced_seconds": round(announced, 2), "idle_cpu": round((one.cpu() - cpu) / IDLE_SECONDS, 4),
    }


def run(report: Report, *, torrents: int = 10_000, contenders: tuple[str, ...] = (LT, WB)) -> None:
    with harness.workspace() as work:
        report.say(f"{torrents} cold torrents, added as complete")
        for name in contenders:
            folder = work / name
            with Tracker(interval=1800) as tracker, side(name) as one:
                row = hold(one, folder, work / "data", torrents, tracker)
            report.facts[name] = row
            report.say(
                f"  {name:>10} {row['kib_each']:6.1f} KiB each   added in {row['add_seconds']:.1f} s"
                f"   all announced after {row['announced_seconds']:.1f} s   idle CPU {100 * row['idle_cpu']:.1f} %"
            )
            if name == WB:
                report.limit("cold torrent, KiB", row["kib_each"], KIB_EACH)
                report.limit("idle CPU", row["idle_cpu"], IDLE_CPU)
