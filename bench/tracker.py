"""Announces a second of `wildbach tracker` and opentracker over UDP and HTTP, and the memory of a peer.

Both trackers run on the same core and are asked in turn; the load comes from the other core. A rate is replies per
second of the tracker's own processor time, beside the replies per second of the clock.
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
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.harness import WB, Report, tree_cpu
from tests.interop.peers.base import free_port

OT = "opentracker"
HERE = Path(__file__).parent
SWARMS = 2000
PEERS = 100_000
HOSTS = 4000
UDP_TARGET = 0.5
HTTP_TARGET = 0.3
UDP_FLOOR = 40_000
PEER_BYTES = 200
_CORES = sorted(os.sched_getaffinity(0))
SERVE_ON, LOAD_ON = str(_CORES[0]), str(_CORES[-1])


class Tracker:
    """A tracker pinned to a core."""

    def __init__(self, name: str, work: Path, hashes: list[bytes], *flags: str) -> None:
        self.name = name
        self.host = "127.0.0.1"
        self.port = free_port(self.host)
        folder = work / name
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "allowed").write_text("".join(f"{one.hex()}\n" for one in hashes))
        if name == OT:
            user = ["-u", "nobody"] if os.geteuid() == 0 else []
            argv = ["opentracker", "-i", self.host, "-p", str(self.port), "-P", str(self.port), "-w", "allowed",
                    "-d", str(folder), *user]
        else:
            argv = [sys.executable, "-m", "wildbach.interfaces.cli.main", "tracker", "--listen",
                    f"{self.host}:{self.port}", "--rate", "0", *flags]
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVE_ON, *argv], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait(hashes[0])

    def _wait(self, info_hash: bytes) -> None:
        end = time.monotonic() + 20
        asked = "".join(f"%{one:02x}" for one in info_hash)
        url = f"http://{self.host}:{self.port}/announce?info_hash={asked}&peer_id={'x' * 20}&port=1&left=1"
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if b"8:interval" in answer.read():
                        return
            except OSError:
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"{self.name} does not answer")
            time.sleep(0.05)

    def cpu(self) -> float:
        return tree_cpu(self.process.pid)

    def rss(self) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmRSS"))

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Source:
    """A load process for one tracker."""

    def __init__(self, program: str, tracker: Tracker, hashes: Path, **words: Any) -> None:
        asked = {"host": tracker.host, "port": tracker.port, "hashes": str(hashes), **words}
        self.tracker = tracker
        self.process = subprocess.Popen(
            ["taskset", "-c", LOAD_ON, sys.executable, str(HERE / program), json.dumps(asked)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.filled = self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the load for {self.tracker.name} ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def run(self, seconds: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        before = self.tracker.cpu()
        self.process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
        self.process.stdin.flush()
        found = self._hear()
        cpu = self.tracker.cpu() - before
        return {**found, "cpu": round(cpu, 2), "per_cpu": found["replies"] / cpu if cpu else 0.0}

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def workspace() -> Iterator[Path]:
    """In /tmp: opentracker runs as nobody and must be able to read it."""
    with tempfile.TemporaryDirectory(prefix="wildbach-bench-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


def contest(
    names: tuple[str, ...], program: str, *, rounds: int, seconds: float, peers: int = PEERS, **words: Any,
) -> dict[str, list[dict[str, Any]]]:
    """Rows by tracker, asked in turn."""
    rng = random.Random(3)
    hashes = [rng.randbytes(20) for _ in range(SWARMS)]
    with workspace() as work, ExitStack() as stack:
        listed = work / "hashes"
        listed.write_text("\n".join(one.hex() for one in hashes))
        sources = []
        for name in names:
            tracker = Tracker(name, work, hashes)
            stack.callback(tracker.close)
            sources.append(Source(program, tracker, listed, peers=peers, **words))
            stack.callback(sources[-1].close)
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(rounds):
            for source in sources:
                rows[source.tracker.name].append(source.run(seconds))
        return rows


def best(rows: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))


def memory(peers: int) -> dict[str, float]:
    """Bytes of resident memory that each of a million peers costs, in swarms of many sizes and in swarms of one."""
    found = {}
    for title, swarms in (("mixed", peers // 20), ("alone", peers // 5)):
        rng = random.Random(4)
        hashes = [rng.randbytes(20) for _ in range(swarms)]
        with workspace() as work, ExitStack() as stack:
            listed = work / "hashes"
            listed.write_text("\n".join(one.hex() for one in hashes))
            tracker = Tracker(WB, work, hashes[:1], "--max-torrents", "10000000", "--max-peers", "10000000",
                              "--max-peers-per-torrent", "10000000")
            stack.callback(tracker.close)
            before = tracker.rss()
            total = peers if title == "mixed" else swarms
            source = Source("trackerload.py", tracker, listed, peers=total, hosts=HOSTS, even=title == "alone")
            stack.callback(source.close)
            found[title] = (tracker.rss() - before) / total
    return found


def run(report: Report, *, rounds: int = 5, seconds: float = 2.0, peers: int = 1_000_000) -> None:
    names = (OT, WB) if shutil.which("opentracker") else (WB,)
    for title, program, words in (
        ("UDP", "trackerload.py", {"hosts": HOSTS}),
        ("HTTP, a connection each", "trackerhttp.py", {"keep": False}),
        ("HTTP, connections kept", "trackerhttp.py", {"keep": True}),
    ):
        who = (WB,) if words.get("keep") else names
        rows = contest(who, program, rounds=rounds, seconds=seconds, **words)
        report.facts[title] = rows
        report.say(f"announces a second, {title}: median of {rounds} rounds of {seconds:g} s, one core")
        for name, runs in rows.items():
            errors = sum(row["errors"] for row in runs)
            report.say(f"  {name:>12} {best(runs, 'rate'):8.0f}   per second of its processor"
                       f" {best(runs, 'per_cpu'):8.0f}   errors {errors}")
        if len(rows) == 2:
            ratio = best(rows[WB], "per_cpu") / best(rows[OT], "per_cpu")
            report.verdict(f"announces, {title}", ratio, UDP_TARGET if title == "UDP" else HTTP_TARGET)
        if title == "UDP":
            report.limit("microseconds of a core for an announce", 1e6 / best(rows[WB], "per_cpu"), 1e6 / UDP_FLOOR)
    for title, size in memory(peers).items():
        what = f"{peers} peers in {peers // 20} swarms" if title == "mixed" else f"{peers // 5} swarms of one peer"
        report.limit(f"bytes a peer, {what}", round(size, 1), PEER_BYTES if title == "mixed" else 2 * PEER_BYTES)


def small(seconds: float, peers: int) -> float:
    """The ratio of one short contest over UDP, for a test."""
    rows = contest((OT, WB), "trackerload.py", rounds=1, seconds=seconds, peers=peers, hosts=200)
    return best(rows[WB], "per_cpu") / best(rows[OT], "per_cpu")

