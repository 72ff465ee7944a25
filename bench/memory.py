"""Peak memory of a download at full speed, sampled ten times a second."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import GIB, LT, MIB, WB, Report, fresh, median, side, tree_memory

RSS_MIB = 150.0


def download(name: str, torrent: Path, data: Path, out: Path) -> dict[str, Any]:
    """libtorrent seeds, `name` downloads; the peak counts shared pages once and leaves mapped content out."""
    with side(LT) as seed, side(name) as leech:
        seed.process.send(cmd="add", id="t", torrent=str(torrent), save=str(data))
        seed.process.wait("finished", seconds=600)
        leech.process.send(cmd="add", id="t", torrent=str(torrent), save=str(fresh(out)))
        leech.process.wait("checked", seconds=60)
        done = threading.Event()
        peaks = {"pss": 0.0, "rss": 0.0, "own": 0.0}

        def sample() -> None:
            while not done.wait(0.1):
                memory = tree_memory(leech.process.pid)
                memory["own"] = memory["pss"] - memory["shared_file"]
                for key in peaks:
                    peaks[key] = max(peaks[key], memory[key])

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            leech.process.send(cmd="start", id="t", peers=[seed.peer()])
            leech.process.wait("finished", seconds=600)
        finally:
            done.set()
            sampler.join()
    fresh(out)
    return {f"{key}_mib": round(value, 1) for key, value in peaks.items()}


def run(report: Report, *, size: int = 4 * GIB, rounds: int = 1, kinds: tuple[str, ...] = ("v1", "v2"),
        contenders: tuple[str, ...] = (LT, WB)) -> None:
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        for kind in kinds:
            torrent = work / f"{kind}.torrent"
            harness.make_torrent(content, torrent, kind, 4 * MIB)
            report.say(f"peak memory while downloading {size / GIB:g} GiB, {kind}")
            report.facts[kind] = {}
            for name in contenders:
                runs = [download(name, torrent, content.parent, work / "leech") for _ in range(rounds)]
                report.facts[kind][name] = runs
                own, whole = median(runs, "own_mib"), median(runs, "pss_mib")
                report.say(f"  {name:>10} {own:6.0f} MiB own, {whole:.0f} MiB with mapped files")
                if name == WB:
                    report.limit(f"peak memory {kind}, MiB", median(runs, "own_mib"), RSS_MIB)
