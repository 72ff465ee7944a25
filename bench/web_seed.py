"""One nginx, one download over loopback: a web seed's content, with nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import GIB, LT, MIB, WB, Report, blank, median, side
from tests.webserver import nginx

from wildbach.protocol.metainfo import Metainfo

TARGET = 1.0


def transfer(leecher: str, torrent: Path, content: Path, out: Path, size: int) -> dict[str, Any]:
    """One run. The clock starts when the leech is connected to the web server."""
    with side(leecher) as leech:
        leech.process.send(cmd="add", id="t", torrent=str(torrent), save=str(blank(out, content, size)))
        leech.process.wait("checked", seconds=300)
        before = leech.cpu()
        leech.process.send(cmd="start", id="t", peers=[])
        begin = leech.process.wait("connected")["t"]
        end = leech.process.wait("finished", seconds=300)["t"]
        return {
            "seconds": round(end - begin, 3), "mib_s": round(size / MIB / (end - begin), 1),
            "cpu_per_gib": round((leech.cpu() - before) / (size / GIB), 3),
            "rss_mib": harness.tree_rss_peak(leech.process.pid),
        }


def run(report: Report, *, size: int = GIB, rounds: int = 3, kinds: tuple[str, ...] = ("v1", "v2"),
        contenders: tuple[str, ...] = (LT, WB)) -> None:
    with harness.workspace() as work:
        content = work / "www" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        with nginx(work / "nginx", content.parent) as url:
            for kind in kinds:
                torrent = work / f"{kind}.torrent"
                harness.make_torrent(content, torrent, kind, MIB)
                bare = Metainfo.parse(torrent.read_bytes())
                torrent.write_bytes(
                    Metainfo.from_info(bare.info, web_seeds=[url], piece_layers=bare.piece_layers).to_bytes())
                rows: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
                for _ in range(rounds):
                    for name in contenders:
                        rows[name].append(transfer(name, torrent, content, work / "leech", size))
                report.say(f"nginx -> one download, {kind}, {size / GIB:g} GiB: median (best) of {rounds} rounds")
                for name, runs in rows.items():
                    report.say(
                        f"  {name:>10} {median(runs, 'mib_s'):6.0f} ({max(run['mib_s'] for run in runs):.0f}) MiB/s   "
                        f"CPU-s/GiB {median(runs, 'cpu_per_gib'):.2f}   RSS {median(runs, 'rss_mib'):.0f} MiB"
                    )
                report.facts[kind] = rows
                if len(contenders) == 2:
                    report.verdict(
                        f"{kind} web seed speed", median(rows[WB], "mib_s") / median(rows[LT], "mib_s"), TARGET)
