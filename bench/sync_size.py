"""Folders of a size, in daemons as users run them: 100,000 small files in one, and an image of which 1 % changes.

The files lie on the disk where temporary files do, all in one directory. Times by the clock are those of the machine as
it is used; processor time and the longest turn of the loop (of its own thread) say what the program takes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.harness import GIB, MIB, Report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from tests import syncload
from tests.syncload import Image, Watched, until

_PATIENCE = 3600.0


def run(report: Report, *, files: int = 100_000, size: int = 4 * GIB) -> None:
    small(report, files)
    image(report, size)


def small(report: Report, files: int) -> None:
    report.say(f"sync_size: {files:,} small files in one directory")
    home = Path(tempfile.mkdtemp(prefix="wildbach-bench-"))
    daemons: list[Watched] = []
    try:
        one = Watched(home, "one")
        daemons.append(one)
        syncload.small_files(one.files, files)
        one.start()
        with one.measured() as index:
            one.create()
            until(lambda: one.has(files), "all is indexed", _PATIENCE)
        _say(report, "first index", index)
        time.sleep(5)
        with one.measured() as idle:
            time.sleep(20)
        _say(report, "20 s at rest", idle)
        rescans = []
        for _ in range(3):
            with one.measured() as rescan:
                one.rescan(_PATIENCE)
            rescans.append(rescan)
        best = min(rescans, key=lambda each: each.seconds)
        _say(report, "rescan", best)
        two = Watched(home, "two").start()
        daemons.append(two)
        with one.measured() as sends, two.measured() as gets:
            two.join(one.share(), seconds=_PATIENCE)
            until(lambda: two.has(files), "all came over", _PATIENCE)
        _say(report, "sent to a second device", sends)
        _say(report, "come to that", gets)
        report.limit("rescan of all that is in step: seconds", best.seconds, 5)
        report.limit("memory of the first device, at most: MB", max(index.peak, sends.peak), 300)
        report.limit("memory of the second one, at most: MB", gets.peak, 300)
        report.limit("longest turn of the loop: ms", max(each.turn for each in (index, *rescans, sends, gets)), 50)
        report.limit("processor at rest: %", 100 * idle.cpu / idle.seconds, 1)
    finally:
        _end(daemons, home)


def image(report: Report, size: int) -> None:
    report.say(f"sync_size: an image of {size // MIB} MiB, 1 % of it changed in blocks of 16 KiB")
    home = Path(tempfile.mkdtemp(prefix="wildbach-bench-"))
    daemons: list[Watched] = []
    try:
        one, two = Watched(home, "one"), Watched(home, "two")
        daemons += [one, two]
        one.files.mkdir()
        disk = Image(one.files / "image.bin", size)
        disk.make()
        there = two.files / "image.bin"
        one.start()
        two.start()
        one.create()
        with one.measured() as sends, two.measured() as gets:
            two.join(one.share(), seconds=_PATIENCE)
            until(lambda: there.exists() and there.stat().st_size == size and two.has(1), "it came over", _PATIENCE)
        _say(report, "whole image, sent", sends)
        _say(report, "whole image, come", gets)
        time.sleep(3)
        moved = one.moved()
        with one.measured() as resent, two.measured() as patched:
            changed = disk.edit()
            most = syncload.most_of(
                lambda: syncload.used(two.files), lambda: disk.edited_at(there) and two.has(1), 0.3, _PATIENCE)
        moved = one.moved() - moved
        _say(report, "1 % changed, sent", resent)
        _say(report, "1 % changed, come", patched)
        report.facts["disk"] = {"most": most, "after": syncload.used(two.files), "size": size}
        report.say(f"  disk while it came {most / size:.2f} x the image, afterwards "
                   f"{syncload.used(two.files) / size:.2f} x, with the old version")
        report.limit("bytes moved for each changed", moved / changed, 1.1)
        report.limit("memory of either, at most: MB", max(resent.peak, patched.peak), 300)
        report.limit("longest turn of the loop: ms", max(each.turn for each in (sends, gets, resent, patched)), 50)
        with disk.path.open("rb") as left, there.open("rb") as right:
            while part := left.read(MIB):
                assert part == right.read(MIB), "they differ"
    finally:
        _end(daemons, home)


def _say(report: Report, what: str, took: syncload.Took) -> None:
    report.facts[what] = took.facts()
    report.say(f"  {what:<24} {took}")
    if took.stalls:
        report.say(f"    {took.worst[:160]}")


def _end(daemons: list[Watched], home: Path) -> None:
    try:
        for each in daemons:
            each.stop()
    finally:
        for each in daemons:
            each.kill()
        shutil.rmtree(home, ignore_errors=True)
