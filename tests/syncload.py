"""Real daemons that keep much the same, and what they take for it: time, processor, memory, turns of the loop."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests import loopturns

import syncdaemons
from syncdaemons import Daemon, until

BLOCK: Final = 16 * 1024
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Took:
    """Of one piece of work. `cpu`: seconds of the daemon's own process. `rss`, `peak`: MB. `turn`: the longest one of
    the loop, in milliseconds of its thread; `stalls`: how many took more than 50 ms by the clock."""

    seconds: float = 0.0
    cpu: float = 0.0
    rss: float = 0.0
    peak: float = 0.0
    stalls: int = 0
    turn: float = 0.0
    worst: str = ""

    def facts(self) -> dict[str, float]:
        return {key: round(value, 3) for key, value in vars(self).items() if isinstance(value, float | int)}

    def __str__(self) -> str:
        return (f"{self.seconds:.1f} s, {self.cpu:.1f} s CPU, {self.rss:.0f} MB (at most {self.peak:.0f}), "
                f"{self.stalls} turns over 50 ms, the longest {self.turn:.0f} ms of its thread")


class Watched(Daemon):
    """A daemon that writes down the long turns of its loop."""

    @property
    def turns(self) -> Path:
        return self.home / "turns"

    def start(self) -> Watched:
        usual = syncdaemons.CODE
        syncdaemons.CODE = loopturns.begin_of(self.command.env, self.turns) + usual
        try:
            super().start()
        finally:
            syncdaemons.CODE = usual
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self) -> tuple[float, float]:
        """MB now, and at most since it was started."""
        words = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return tuple(int(words[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]  # two

    @contextmanager
    def measured(self) -> Iterator[Took]:
        took, since, cpu = Took(), time.monotonic(), self.cpu()
        yield took
        took.seconds, took.cpu = time.monotonic() - since, self.cpu() - cpu
        took.rss, took.peak = self.memory()
        long = loopturns.turns(self.turns, since)
        took.stalls = len(long)
        worst = max(long, key=lambda each: each.work, default=None)
        if worst is not None:
            took.turn, took.worst = 1000 * worst.work, worst.what

    def has(self, files: int) -> bool:
        """It is through with so many."""
        folder = self.folder
        return folder.files >= files and folder.state == "idle" and not folder.need_files and folder.scanned_at > 0

    def rescan(self, seconds: float = 600.0) -> None:
        """Look at everything once more, though nothing changed. Ends when it did."""
        before = self.folder.scanned_at
        # It is told in whole seconds.
        time.sleep(max(0.0, before + 1.05 - time.time()))
        self.ask("scan_synced", "f")
        until(lambda: self.folder.scanned_at > before, "all was looked at", seconds)

    def moved(self) -> int:
        """Bytes that went to and from others since it was started."""
        return sum(each.received + each.sent for each in self.folder.devices if not each.me)


def small_files(folder: Path, count: int, each: int = 0) -> None:
    """So many of 200 to 2,000 bytes, no two alike; in directories of `each`, or all in one."""
    chance = random.Random(3)
    some = [chance.randbytes(chance.randrange(200, 2000)) for _ in range(64)]
    folder.mkdir(exist_ok=True)
    at = folder
    for number in range(count):
        if each and number % each == 0:
            at = folder / f"d{number // each:05d}"
            at.mkdir()
        (at / f"file-{number:06d}.txt").write_bytes(b"%d " % number + some[number % 64])


@dataclass
class Image:
    """A file of `size` bytes as a virtual disk is one, of which a share changes in blocks here and there."""

    path: Path
    size: int
    edited: list[int] = field(default_factory=list)

    def make(self) -> None:
        with self.path.open("wb") as file:
            for at in range(0, self.size, 1 << 20):
                file.write(random.Random(at).randbytes(min(1 << 20, self.size - at)))

    def edit(self, share: float = 0.01) -> int:
        """Returns how many bytes were changed."""
        blocks = self.size // BLOCK
        self.edited = sorted(random.Random(5).sample(range(blocks), max(1, int(blocks * share))))
        with self.path.open("r+b") as file:
            for block in self.edited:
                file.seek(block * BLOCK)
                file.write(_new(block))
        return len(self.edited) * BLOCK

    def edited_at(self, path: Path) -> bool:
        """The changed file is there, and whole."""
        if not path.exists() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            for block in (self.edited[0], self.edited[len(self.edited) // 2], self.edited[-1]):
                file.seek(block * BLOCK)
                if file.read(BLOCK) != _new(block):
                    return False
        return True


def _new(block: int) -> bytes:
    return random.Random(-block - 1).randbytes(BLOCK)


def used(folder: Path) -> int:
    """Bytes on the disk that all below a folder takes; blocks that files share by reflink count for each."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(at) / name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def most_of(look: Callable[[], int], until_: Callable[[], bool], every: float, seconds: float) -> int:
    """The greatest value of `look` until that is so."""
    most, end = look(), time.monotonic() + seconds
    while not until_():
        assert time.monotonic() < end, f"not within {seconds:g} s"
        most = max(most, look())
        time.sleep(every)
    return max(most, look())
