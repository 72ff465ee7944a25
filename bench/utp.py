"""One seed, one leech over uTP (BEP 29) on loopback, packets of at most 1400 bytes on both sides."""

from __future__ import annotations

from bench.harness import LT_UTP, MIB, WB_UTP, Report
from bench.one_to_one import alike

TARGET = 10.0
SIZE = 256 * MIB


def run(report: Report, *, size: int = SIZE, rounds: int = 3, kinds: tuple[str, ...] = ("v1",)) -> None:
    # libtorrent is slow here: a gigabyte of its own takes long and says no more.
    alike(report, "uTP", (LT_UTP, WB_UTP), TARGET, min(size, SIZE), rounds, kinds)
