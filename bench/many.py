"""One seed to eight leeches, and eight seeds to one leech: aggregate speed over loopback TCP."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import GIB, LT, MIB, WB, Report, blank, median, side

OTHERS = 8
SPEED = 1.3


def fan_out(name: str, torrent: Path, content: Path, out: Path, size: int) -> dict[str, Any]:
    """One seed, eight leeches that do not know each other. From the first connection to the last completion."""
    with ExitStack() as stack:
        seed = stack.enter_context(side(name))
        leeches = [stack.enter_context(side(name)) for _ in range(OTHERS)]
        seed.process.send(cmd="add", id="t", torrent=str(torrent), save=str(content.parent))
        seed.process.wait("finished", seconds=300)
        for number, leech in enumerate(leeches):
            folder = blank(out / str(number), content, size)
            leech.process.send(cmd="add", id="t", torrent=str(torrent), save=str(folder))
            leech.process.wait("checked", seconds=300)
        before_seed, before = seed.cpu(), sum(leech.cpu() for leech in leeches)
        for leech in leeches:
            leech.process.send(cmd="start", id="t", peers=[seed.peer()])
        begin = min(leech.process.wait("connected")["t"] for leech in leeches)
        end = max(leech.process.wait("finished", seconds=600)["t"] for leech in leeches)
        return figures(end - begin, OTHERS * size, seed.cpu() - before_seed, sum(one.cpu() for one in leeches) - before)


def fan_in(name: str, torrent: Path, content: Path, out: Path, size: int) -> dict[str, Any]:
    """Eight seeds of the same data, one leech."""
    with ExitStack() as stack:
        leech = stack.enter_context(side(name))
        seeds = [stack.enter_context(side(name)) for _ in range(OTHERS)]
        for seed in seeds:
            seed.process.send(cmd="add", id="t", torrent=str(torrent), save=str(content.parent))
        for seed in seeds:
            seed.process.wait("finished", seconds=300)
        leech.process.send(cmd="add", id="t", torrent=str(torrent), save=str(blank(out, content, size)))
        leech.process.wait("checked", seconds=300)
        before_seeds, before = sum(seed.cpu() for seed in seeds), leech.cpu()
        leech.process.send(cmd="start", id="t", peers=[seed.peer() for seed in seeds])
        begin = leech.process.wait("connected")["t"]
        end = leech.process.wait("finished", seconds=600)["t"]
        return figures(end - begin, size, sum(seed.cpu() for seed in seeds) - before_seeds, leech.cpu() - before)


def figures(seconds: float, moved: int, seed_cpu: float, leech_cpu: float) -> dict[str, Any]:
    gib = moved / GIB
    return {
        "seconds": round(seconds, 3), "mib_s": round(moved / MIB / seconds, 1),
        "seed_cpu_per_gib": round(seed_cpu / gib, 3), "leech_cpu_per_gib": round(leech_cpu / gib, 3),
    }


def run(report: Report, *, size: int = GIB, rounds: int = 3, kinds: tuple[str, ...] = ("v1", "v2"),
        contenders: tuple[str, ...] = (LT, WB)) -> None:
    with harness.workspace() as work:
        contents = {}
        # Eight copies of the content are written in the first job, one in the second.
        for job, length in ((fan_out, size // 4), (fan_in, size)):
            content = work / job.__name__ / "content.bin"
            content.parent.mkdir()
            harness.make_content(content, length)
            contents[job] = content, length
        for kind in kinds:
            for job, title in ((fan_out, "one seed -> 8 leeches"), (fan_in, "8 seeds -> one leech")):
                content, length = contents[job]
                torrent = work / f"{job.__name__}-{kind}.torrent"
                harness.make_torrent(content, torrent, kind, MIB)
                rows: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
                for _ in range(rounds):
                    for name in contenders:
                        rows[name].append(job(name, torrent, content, work / f"{job.__name__}-leech", length))
                report.say(f"{title}, {kind}, {length / MIB:g} MiB each, all of one engine: median of {rounds} rounds")
                for name, runs in rows.items():
                    report.say(
                        f"  {name:>10} {median(runs, 'mib_s'):6.0f} MiB/s   CPU-s/GiB seeding"
                        f" {median(runs, 'seed_cpu_per_gib'):.2f} leeching {median(runs, 'leech_cpu_per_gib'):.2f}"
                    )
                report.facts[f"{job.__name__} {kind}"] = rows
                if len(contenders) == 2:
                    ratio = median(rows[WB], "mib_s") / median(rows[LT], "mib_s")
                    report.verdict(f"{title} {kind} speed", ratio, SPEED)
