"""One seed, one leech over uTP (BEP 29) on loopback, packets of at most 1400 bytes on both sides."""

from __future__ import annotations

from typing import Any

from bench import harness
from bench.harness import GIB, LT_UTP, MIB, WB_UTP, Report, median
from bench.one_to_one import line, transfer

TARGET = 10.0
SIZE = 128 * MIB


def run(report: Report, *, size: int = SIZE, rounds: int = 3, kinds: tuple[str, ...] = ("v1",)) -> None:
    size = min(size, SIZE)  # libtorrent moves some ten MiB a second
    with harness.workspace() as work:
        content = work / "seed" / "content.bin"
        content.parent.mkdir()
        harness.make_content(content, size)
        for kind in kinds:
            torrent = work / f"{kind}.torrent"
            harness.make_torrent(content, torrent, kind, MIB)
            rows: dict[str, list[dict[str, Any]]] = {LT_UTP: [], WB_UTP: []}
            for _ in range(rounds):
                for name, runs in rows.items():
                    runs.append(transfer(name, name, torrent, content, work / "leech", size))
            report.say(f"one seed -> one leech, uTP, {kind}, {size / GIB:g} GiB: median (best) of {rounds} rounds")
            for name, runs in rows.items():
                report.say(line(name, name, runs))
            report.facts[kind] = rows
            report.verdict(f"{kind} uTP speed", median(rows[WB_UTP], "mib_s") / median(rows[LT_UTP], "mib_s"), TARGET)
