"""One seed, one leech, one TCP connection over loopback: what an engine can move, and what it costs in CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import GIB, LT, MIB, WB, Report, blank, median, side

TARGETS = {"v1": 1.5, "v2": 1.3, "hybrid": 1.3}


def transfer(seeder: str, leecher: str, torrent: Path, content: Path, out: Path, size: int) -> dict[str, Any]:
    """One run. The clock starts when the leech is connected (libtorrent dials on a half-second tick, which says nothing
    about speed) and stops when it says the content is complete."""
    with side(seeder) as seed, side(leecher) as leech:
        # The seed checks its data first: libtorrent's seed mode would hash every piece again during the transfer.
        seed.process.send(cmd="add", id="t", torrent=str(torrent), save=str(content.parent))
        seed.process.wait("finished", seconds=300)
        leech.process.send(cmd="add", id="t", torrent=str(torrent), save=str(blank(out, content, size)))
        leech.process.wait("checked", seconds=300)
        before_seed, before_leech = seed.cpu(), leech.cpu()
        leech.process.send(cmd="start", id="t", peers=[seed.peer()])
        begin = leech.process.wait("connected")["t"]
        end = leech.process.wait("finished", seconds=300)["t"]
        return {
            "seconds": round(end - begin, 3), "mib_s": round(size / MIB / (end - begin), 1),
            "seed_cpu_per_gib": round((seed.cpu() - before_seed) / (size / GIB), 3),
            "leech_cpu_per_gib": round((leech.cpu() - before_leech) / (size / GIB), 3),
            "seed_rss_mib": harness.tree_rss_peak(seed.process.pid),
            "leech_rss_mib": harness.tree_rss_peak(leech.process.pid),
        }


def run(report: Report, *, size: int = GIB, rounds: int = 3, kinds: tuple[str, ...] = ("v1", "v2", "hybrid"),
        contenders: tuple[str, ...] = (LT, WB), mixed: bool = True) -> None:
    pairs = [(name, name) for name in contenders]
    if mixed and len(contenders) == 2:
        pairs += [(WB, LT), (LT, WB)]
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        for kind in kinds:
            torrent = work / f"{kind}.torrent"
            harness.make_torrent(content, torrent, kind, MIB)
            rows: dict[tuple[str, str], list[dict[str, Any]]] = {pair: [] for pair in pairs}
            for _ in range(rounds):
                for pair in pairs:
                    rows[pair].append(transfer(*pair, torrent, content, work / "leech", size))
            report.say(f"one seed -> one leech, {kind}, {size / GIB:g} GiB: median (best) of {rounds} rounds")
            for (seeder, leecher), runs in rows.items():
                report.say(line(seeder, leecher, runs))
            report.facts[kind] = [{"seed": s, "leech": d, "runs": runs} for (s, d), runs in rows.items()]
            if len(contenders) == 2:
                compare(report, kind, rows[WB, WB], rows[LT, LT])


def alike(
    report: Report, what: str, pair: tuple[str, str], target: float, size: int, rounds: int, kinds: tuple[str, ...],
) -> None:
    """Each contender of a pair with itself: how fast the second is beside the first."""
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        for kind in kinds:
            torrent = work / f"{kind}.torrent"
            harness.make_torrent(content, torrent, kind, MIB)
            rows: dict[str, list[dict[str, Any]]] = {name: [] for name in pair}
            for _ in range(rounds):
                for name, runs in rows.items():
                    runs.append(transfer(name, name, torrent, content, work / "leech", size))
            report.say(f"one seed -> one leech, {what}, {kind}, {size / GIB:g} GiB: median (best) of {rounds} rounds")
            for name, runs in rows.items():
                report.say(line(name, name, runs))
            report.facts[kind] = rows
            anchor, ours = (median(rows[name], "mib_s") for name in pair)
            report.verdict(f"{kind} {what} speed", ours / anchor, target)


def line(seeder: str, leecher: str, runs: list[dict[str, Any]]) -> str:
    return (
        f"  {seeder:>10} -> {leecher:<10} {median(runs, 'mib_s'):6.0f} ({max(run['mib_s'] for run in runs):.0f}) MiB/s"
        f"   CPU-s/GiB seed {median(runs, 'seed_cpu_per_gib'):.2f} leech {median(runs, 'leech_cpu_per_gib'):.2f}"
        f"   RSS {median(runs, 'seed_rss_mib'):.0f} / {median(runs, 'leech_rss_mib'):.0f} MiB"
    )


def compare(report: Report, kind: str, ours: list[dict[str, Any]], anchor: list[dict[str, Any]]) -> None:
    report.verdict(f"{kind} speed", median(ours, "mib_s") / median(anchor, "mib_s"), TARGETS[kind])
    for key, name, target in (("seed_cpu_per_gib", "seeding CPU", 0.5), ("leech_cpu_per_gib", "leeching CPU", 0.9)):
        report.verdict(f"{kind} {name}", median(ours, key) / median(anchor, key), target, below=True)
