"""One seed, one leech over loopback, all of it encrypted with RC4."""

from __future__ import annotations

from typing import Any

from bench import harness
from bench.harness import GIB, LT_RC4, MIB, WB_RC4, Report, median
from bench.one_to_one import line, transfer

TARGET = 1.2


def run(report: Report, *, size: int = GIB, rounds: int = 3, kinds: tuple[str, ...] = ("v1", "v2")) -> None:
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        for kind in kinds:
            torrent = work / f"{kind}.torrent"
            harness.make_torrent(content, torrent, kind, MIB)
            rows: dict[str, list[dict[str, Any]]] = {LT_RC4: [], WB_RC4: []}
            for _ in range(rounds):
                for name, runs in rows.items():
                    runs.append(transfer(name, name, torrent, content, work / "leech", size))
            report.say(f"one seed -> one leech, RC4, {kind}, {size / GIB:g} GiB: median (best) of {rounds} rounds")
            for name, runs in rows.items():
                report.say(line(name, name, runs))
            report.facts[kind] = rows
            report.verdict(
                f"{kind} encrypted speed", median(rows[WB_RC4], "mib_s") / median(rows[LT_RC4], "mib_s"), TARGET)
