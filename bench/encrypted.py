"""One seed, one leech over loopback, all of it encrypted with RC4."""

from __future__ import annotations

from bench.harness import GIB, LT_RC4, WB_RC4, Report
from bench.one_to_one import alike

TARGET = 1.2


def run(report: Report, *, size: int = GIB, rounds: int = 3, kinds: tuple[str, ...] = ("v1", "v2")) -> None:
    alike(report, "RC4", (LT_RC4, WB_RC4), TARGET, size, rounds, kinds)
