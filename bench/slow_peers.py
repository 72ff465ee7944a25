"""200 slow peers on one torrent: what waiting for small segments costs the leech in CPU and memory."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import GIB, LT, MIB, WB, Report, fresh, median, side, tree_memory
from tests.interop.peers.process import JsonProcess

PEERS = 200
SLOWEST, FASTEST = 10_000, 200_000
PIECE = 16 * MIB
CPU = 1.0
RSS_MIB = 150.0


def leech_from_slow_peers(name: str, torrent: Path, content: Path, out: Path, seconds: float) -> dict[str, Any]:
    """`seconds` of downloading, after 3 s in which the connections are made."""
    config = {"torrent": str(torrent), "data": str(content), "peers": PEERS, "slowest": SLOWEST, "fastest": FASTEST}
    feeder = JsonProcess([sys.executable, str(Path(__file__).with_name("feeder.py")), json.dumps(config)])
    with feeder, side(name) as leech:
        endpoints = feeder.wait("ready")["endpoints"]
        leech.process.send(cmd="add", id="t", torrent=str(torrent), save=str(fresh(out)))
        leech.process.wait("checked", seconds=60)
        leech.process.send(cmd="start", id="t", peers=endpoints)
        leech.process.wait("connected")
        time.sleep(3)
        before, moved_before = leech.cpu(), status(leech)["down"]
        begin = time.monotonic()
        peak = 0.0
        while time.monotonic() - begin < seconds:
            time.sleep(0.5)
            memory = tree_memory(leech.process.pid)
            peak = max(peak, memory["pss"] - memory["shared_file"])
        passed = time.monotonic() - begin
        cpu, last = leech.cpu() - before, status(leech)
        moved = last["down"] - moved_before
    fresh(out)
    return {
        "mb_s": round(moved / passed / 1e6, 2), "cpu_per_second": round(cpu / passed, 3), "peers": last["peers"],
        "cpu_per_gib": round(cpu / (moved / GIB), 2) if moved else 0.0, "rss_mib": round(peak, 1),
    }


def status(leech: harness.Side) -> dict[str, Any]:
    leech.process.send(cmd="status", id="t")
    return leech.process.wait("status")


def run(report: Report, *, size: int = GIB, rounds: int = 2, contenders: tuple[str, ...] = (LT, WB),
        seconds: float = 15.0) -> None:
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        torrent = work / "t.torrent"
        harness.make_torrent(content, torrent, "v1", PIECE)
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name in contenders:
                rows[name].append(leech_from_slow_peers(name, torrent, content, work / "leech", seconds))
        report.say(
            f"{PEERS} peers of {SLOWEST // 1000}-{FASTEST // 1000} KB/s, 1460-byte segments, {PIECE // MIB} MiB pieces:"
            f" {seconds:g} s, median of {rounds} rounds"
        )
        for name, runs in rows.items():
            report.say(
                f"  {name:>10} {median(runs, 'mb_s'):6.1f} MB/s   CPU {100 * median(runs, 'cpu_per_second'):.0f} %"
                f"  ({median(runs, 'cpu_per_gib'):.2f} s/GiB)   memory {median(runs, 'rss_mib'):.0f} MiB"
                f"   peers {median(runs, 'peers'):.0f}"
            )
        report.facts["rows"] = rows
        if len(contenders) == 2:
            ours = rows[WB]
            ratio = median(ours, "cpu_per_gib") / median(rows[LT], "cpu_per_gib")
            report.verdict("slow peers CPU per byte", ratio, CPU, below=True)
            report.limit("slow peers memory, MiB", median(ours, "rss_mib"), RSS_MIB)
