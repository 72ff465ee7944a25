"""The daemon with many complete torrents, beside qbittorrent-nox with the same ones: start, the whole list and its
differences through the door that both have, and memory.

The torrents exist in the states of both only: nobody downloads them, all are complete and started, without trackers.
What wildbach's own API takes for a page of the list is measured too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench import busy
from bench.harness import Report
from bench.programs import Door, own_api, qbittorrent, rss, wildbach

from wildbach.interfaces.api import models as m

PAGES = 60
DELTAS = 20


def timed(door: Door, path: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    data = door.get(path)
    return time.perf_counter() - began, data


def measure_door(door: Door, pid: int, count: int, began: float) -> dict[str, float]:
    """Of a program that was started at `began`."""
    # Asked for the last one, and not often: whoever asks for all of them all the time is what would be measured.
    while True:
        with contextlib.suppress(OSError, ValueError):
            if json.loads(door.get(f"torrents/info?limit=1&offset={count - 1}&sort=name")):
                break
        time.sleep(0.2)
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
    with wildbach(work, count) as it:
        facts = {"listening_seconds": it.answered - it.began}
        facts |= measure_door(it.door, it.pid, count, it.began)
        facts |= asyncio.run(own(it.door))
        facts["rss_mib"] = rss(it.pid) / 2**20
        return facts


async def own(door: Door) -> dict[str, float]:
    """Pages and changes by wildbach's own API, in milliseconds."""
    out: dict[str, float] = {}
    async with own_api(door) as api:
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
    with qbittorrent(work, count) as it:
        return measure_door(it.door, it.pid, count, it.began)


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
        busy.measure(report, Path(folder), torrents, alone)


def _told(facts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in facts.items())
