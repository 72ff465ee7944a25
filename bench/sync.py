"""Keeping a folder the same on two devices of one machine, beside Debian's Syncthing, in turns.

Both write through: files are flushed before they take their place. Syncthing is measured with the 10 seconds that its
watcher waits as it comes, and with 1. What is measured is what a person sees: from the first change in the one folder
until all of it is in the other. All folders lie on the disk where temporary files do, not in memory.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench import programs
from bench.harness import GIB, MIB, Report
from tests.interop.peers import syncthing

from wildbach.interfaces.whereabouts import whereabouts

WB = "wildbach"
ST10 = "syncthing, 10 s"
ST1 = "syncthing, 1 s"
BLOCK = 16 * 1024
_PATIENCE = 900.0
_SETS = [word for setting in (
    "api.listen=127.0.0.1:0", "media.listen=127.0.0.1:0", "connections.listen=127.0.0.1:0", "dht.enabled=false",
    "discovery.lsd=false", "discovery.upnp=false", "discovery.natpmp=false",
) for word in ("--set", setting)]


class Pair(Protocol):
    """Two devices that keep two folders the same."""

    def moved(self) -> int:
        """Bytes that went between them since they were started."""
        ...


@dataclass
class _Syncthings:
    left: syncthing.Syncthing

    def moved(self) -> int:
        return self.left.moved()


def _syncthing(delay: float) -> Callable[[Path, Path, Path], AbstractContextManager[Pair]]:
    @contextmanager
    def start(home: Path, one: Path, two: Path) -> Iterator[Pair]:
        with syncthing.pair(home, one, two, delay=delay) as (left, _):
            yield _Syncthings(left)

    return start


class _Daemons:
    """Two daemons of ours. `moved` asks the one that shared."""

    def __init__(self, homes: Sequence[Path]) -> None:
        self._homes = homes

    def moved(self) -> int:
        found = _wildbach(self._homes[0], "sync", "status", "bench", "--json")
        return sum(each["received"] + each["sent"] for each in json.loads(found)["devices"])


@contextmanager
def _wildbachs(home: Path, one: Path, two: Path) -> Iterator[Pair]:
    homes = [home / "left", home / "right"]
    with ExitStack() as stack:
        for each in homes:
            process = subprocess.Popen(
                [sys.executable, "-m", "wildbach.interfaces.cli.main", "serve", "--state", str(each), *_SETS],
                stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            stack.callback(programs.end, process)
            _wait(lambda each=each: (found := whereabouts(each / "daemon")) is not None and bool(found.urls), 0.02)  # type: ignore[misc]  # a default that binds
        _wildbach(homes[0], "sync", "create", str(one), "--name", "bench")
        link = _wildbach(homes[0], "sync", "share", "bench").splitlines()[0]
        _wildbach(homes[1], "sync", "join", str(two), said=link + "\n")
        _wait(lambda: '"connected":true' in _wildbach(homes[1], "sync", "status", "bench", "--json")
              .split('"devices"')[1].replace('"me":true,"connected":true', ""), 0.1)
        yield _Daemons(homes)


def _wildbach(home: Path, *words: str, said: str = "") -> str:
    return subprocess.run(
        [sys.executable, "-m", "wildbach.interfaces.cli.main", *words, "--state-dir", str(home)], input=said,
        capture_output=True, text=True, check=True).stdout


CONTENDERS: dict[str, Callable[[Path, Path, Path], AbstractContextManager[Pair]]] = {
    WB: _wildbachs, ST10: _syncthing(10), ST1: _syncthing(1),
}


@dataclass
class Work:
    """One thing that a person does. `begin` changes the one folder, `there` says whether the other one has it."""

    name: str
    begin: Callable[[Path], None]
    there: Callable[[Path], bool]


def works(files: int, size: int) -> list[Work]:
    """In the order in which they build on each other."""
    chance = random.Random(11)
    small = [chance.randbytes(chance.randrange(512, 8192)) for _ in range(64)]
    edited = sorted(chance.sample(range(size // BLOCK), max(1, size // BLOCK // 100)))

    def many(one: Path) -> None:
        for number in range(files):
            folder = one / f"many/{number % 100:02d}"
            if number < 100:
                folder.mkdir(parents=True)
            (folder / f"{number:06d}.txt").write_bytes(b"%d " % number + small[number % 64])

    def big(one: Path) -> None:
        with (one / "image.bin").open("wb") as file:
            for number in range(size // MIB):
                file.write(random.Random(number).randbytes(MIB))

    def edit(one: Path) -> None:
        with (one / "image.bin").open("r+b") as file:
            for block in edited:
                file.seek(block * BLOCK)
                file.write(random.Random(-block - 1).randbytes(BLOCK))

    def is_edited(two: Path) -> bool:
        # Syncthing takes the old file away before the new one is in its place.
        if _size(two / "image.bin") != size:
            return False
        with (two / "image.bin").open("rb") as file:
            for block in (edited[0], edited[len(edited) // 2], edited[-1]):
                file.seek(block * BLOCK)
                if file.read(BLOCK) != random.Random(-block - 1).randbytes(BLOCK):
                    return False
        return True

    def rename(one: Path) -> None:
        (one / "many").rename(one / "renamed")

    def is_renamed(two: Path) -> bool:
        return _count(two / "renamed") == files and not _count(two / "many")

    return [
        Work(f"{files} small files", many, lambda two: _count(two / "many") == files),
        Work(f"one file of {size // MIB} MiB", big, lambda two: _size(two / "image.bin") == size),
        Work("1 % of it changed", edit, is_edited),
        Work(f"{files} files renamed", rename, is_renamed),
    ]


def run(report: Report, *, rounds: int = 3, size: int = 2 * GIB, files: int = 10_000) -> None:
    report.say(f"sync: {files} small files, {size // MIB} MiB, {rounds} rounds; syncthing {syncthing.version()}")
    report.facts["syncthing"] = syncthing.version()
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for number in range(rounds):
        # Each goes first in its turn.
        names = list(CONTENDERS)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            with _folders() as (home, one, two), CONTENDERS[name](home, one, two) as pair:
                for work in works(files, size):
                    row = _measure(work, pair, one, two)
                    found.setdefault(work.name, {}).setdefault(name, []).append(row)
                    report.say(f"  {name:<18} {work.name:<24} {row['seconds']:8.2f} s  {row['moved'] / MIB:9.2f} MiB")
                late = latencies(one, two)
                found.setdefault("edit to peer", {}).setdefault(name, []).append(
                    {"seconds": late[round(0.95 * (len(late) - 1))], "moved": 0, "median": statistics.median(late)})
                report.say(f"  {name:<18} {'edit to peer, p95':<24} {late[round(0.95 * (len(late) - 1))]:8.3f} s")
                _same(one, two)
    report.facts["rows"] = found
    _verdicts(report, found, size)


def latencies(one: Path, two: Path, times: int = 20) -> list[float]:
    """Seconds from an edit of a small file in the one folder until the other has it, sorted."""
    path, chance, found = "note.txt", random.Random(5), []
    for number in range(times):
        said = b"%d\n" % number
        begun = time.monotonic()
        (one / path).write_bytes(said)
        _wait(lambda said=said: (two / path).exists() and (two / path).read_bytes() == said, 0.002)  # type: ignore[misc]  # a default that binds
        found.append(time.monotonic() - begun)
        # People do not edit in step with anybody's timer.
        time.sleep(chance.uniform(0.2, 1.2))
    return sorted(found)


def _measure(work: Work, pair: Pair, one: Path, two: Path) -> dict[str, float]:
    before, begun = pair.moved(), time.monotonic()
    work.begin(one)
    changed = time.monotonic() - begun
    _wait(lambda: work.there(two), 0.02)
    return {"seconds": time.monotonic() - begun, "changing": changed, "moved": pair.moved() - before}


def _verdicts(report: Report, found: dict[str, dict[str, list[dict[str, float]]]], size: int) -> None:
    for work, by_name in found.items():
        if WB not in by_name:
            continue
        ours = statistics.median(row["seconds"] for row in by_name[WB])
        for other in (ST10, ST1):
            if other in by_name:
                theirs = statistics.median(row["seconds"] for row in by_name[other])
                report.verdict(f"{work}: time, beside {other}", ours / theirs, 0.7, below=True)
        moved = statistics.median(row["moved"] for row in by_name[WB])
        if work.startswith("1 %"):
            report.limit(f"{work}: bytes moved for each changed", moved / (size // BLOCK // 100 * BLOCK), 1.1)
        elif work.endswith("renamed"):
            report.limit(f"{work}: MiB moved for each thousand files", moved / MIB, 10)
        elif work == "edit to peer":
            report.limit(f"{work}, p95: seconds", ours, 1.0)


@contextmanager
def _folders() -> Iterator[tuple[Path, Path, Path]]:
    home = Path(tempfile.mkdtemp(prefix="wildbach-bench-"))
    try:
        one, two, state = home / "one", home / "two", home / "state"
        for folder in (one, two, state):
            folder.mkdir()
        yield state, one, two
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(condition: Callable[[], bool], every: float) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("what was changed did not come over in time")
        time.sleep(every)


def _count(folder: Path) -> int:
    """Files below it, without those that are being made."""
    total = 0
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    total += _count(Path(entry.path))
                elif not entry.name.startswith((".", "~")):
                    total += 1
    except FileNotFoundError:
        return 0
    return total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _same(one: Path, two: Path) -> None:
    """What was measured was right: both folders hold the same, apart from what each program keeps there."""
    left, right = _listing(one), _listing(two)
    assert left == right, f"{len(left)} and {len(right)} files, or others"


def _listing(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith((".", "~")):
                path = Path(where) / name
                size = path.stat().st_size
                found[str(path.relative_to(folder))] = path.read_bytes() if size < MIB else size
    return found
