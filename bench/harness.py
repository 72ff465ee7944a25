"""Shared by the benches: contenders as child processes, CPU time of process trees, test content, the machine."""

from __future__ import annotations

import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.interop.peers.process import JsonProcess, lt_process

MIB = 1 << 20
GIB = 1 << 30
TICK = os.sysconf("SC_CLK_TCK")
LT = "libtorrent"
LT_DEFAULTS = "libtorrent as it comes"
WB = "wildbach"
LT_RC4 = "lt rc4"
WB_RC4 = "wb rc4"
LT_UTP = "lt utp"
WB_UTP = "wb utp"

# libtorrent at its best on loopback. Each value was tried against the default on a 2-core machine; what did not matter
# was left alone. No encryption and no uTP (their cost is a bench of its own), no rate limits, no slot limit.
LT_TUNED: dict[str, object] = {
    "aio_threads": 4,
    "hashing_threads": 2,
    "max_queued_disk_bytes": 512 * MIB,
    "send_buffer_watermark": 8 * MIB,
    "send_buffer_low_watermark": MIB,
    "send_buffer_watermark_factor": 200,
    "max_out_request_queue": 2000,
    "max_allowed_in_request_queue": 4000,
    "max_peer_recv_buffer_size": 8 * MIB,
    "recv_socket_buffer_size": 2 * MIB,
    "send_socket_buffer_size": 2 * MIB,
    "unchoke_slots_limit": -1,
    "connections_limit": 2000,
    "low_prio_disk": False,
    "file_pool_size": 500,
    "mixed_mode_algorithm": 0,
}


LT_ENCRYPTED: dict[str, object] = {
    "in_enc_policy": 0, "out_enc_policy": 0, "allowed_enc_level": 2, "prefer_rc4": True,
}
LT_BY_UTP: dict[str, object] = {
    "enable_incoming_utp": True, "enable_outgoing_utp": True,
    "enable_incoming_tcp": False, "enable_outgoing_tcp": False,
}
WB_BY_UTP: dict[str, object] = {"connections.tcp": False}
WB_ENCRYPTED: dict[str, object] = {"peers.encryption": "require", "peers.encryption_payload": "rc4"}


@dataclass(frozen=True)
class Place:
    """Where a contender runs: the address it has there, and the words before its command."""

    host: str = "127.0.0.1"
    prefix: Sequence[str] = ()


HERE = Place()


def contender(name: str, home: Path, place: Place = HERE) -> JsonProcess:
    """A process of one of the two engines; both understand the commands of tests/interop/peers/lt_child.py. wildbach
    keeps its database in `home`, as the client does; libtorrent's resume data is the business of its clients."""
    theirs: dict[str, dict[str, object]] = {
        LT: LT_TUNED, LT_DEFAULTS: {}, LT_RC4: {**LT_TUNED, **LT_ENCRYPTED}, LT_UTP: {**LT_TUNED, **LT_BY_UTP},
    }
    if name in theirs:
        return lt_process({**theirs[name], "listen_interfaces": f"{place.host}:0"}, prefix=place.prefix)
    side = Path(__file__).with_name("wb_side.py")
    env = {**os.environ, "PYTHONPATH": str(side.parents[1] / "src")}
    ours: dict[str, dict[str, object]] = {WB_RC4: WB_ENCRYPTED, WB_UTP: WB_BY_UTP}
    chosen = {**ours.get(name, {}), "connections.listen": [f"{place.host}:0"]}
    words = json.dumps({"data_dir": str(home), "settings": chosen})
    return JsonProcess([*place.prefix, sys.executable, str(side), words], env=env)


@dataclass
class Side:
    """One running contender."""

    name: str
    process: JsonProcess
    port: int
    home: Path
    "Where wildbach keeps its database."
    host: str = HERE.host

    def cpu(self) -> float:
        return tree_cpu(self.process.pid)

    def peer(self) -> list[object]:
        return [self.host, self.port]


@contextmanager
def side(name: str, place: Place = HERE) -> Iterator[Side]:
    with workspace() as home, contender(name, home, place) as process:
        ready = process.wait("ready")
        yield Side(name, process, int(ready["port"]), home, place.host)


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                found.extend(int(child) for child in Path(f"/proc/{parent}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return found


def tree_cpu(pid: int) -> float:
    """User and system seconds of a process tree, with those of children that already ended."""
    total = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return total / TICK


def tree_memory(pid: int) -> dict[str, float]:
    """MiB of a process tree now: `rss` counts shared pages once for each process, `pss` once in all; `anonymous` is
    neither file nor shared; `shared_file` is files mapped to share, as content may be: page cache, nobody's own."""
    sums = {"rss": 0, "pss": 0, "anonymous": 0, "shared_file": 0}
    for member in tree(pid):
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        sums["rss"] += values["Rss"]
        sums["pss"] += values["Pss"]
        sums["anonymous"] += values["Pss_Anon"]
        sums["shared_file"] += _mapped_content(member)
    return {name: round(kib / 1024, 1) for name, kib in sums.items()}


def _mapped_content(pid: int) -> int:
    """KiB of regular files mapped shared (libtorrent maps what it downloads); a shared anonymous pool is not one."""
    total, inside = 0, False
    try:
        with open(f"/proc/{pid}/smaps") as file:
            for line in file:
                if line[0] in "0123456789abcdef" and "-" in line[:18]:
                    words = line.split(None, 5)
                    path = words[5].strip() if len(words) > 5 else ""
                    inside = "s" in words[1] and path.startswith("/") and not path.startswith(("/dev/zero", "/memfd:"))
                elif inside and line.startswith("Pss:"):
                    total += int(line.split()[1])
    except OSError:
        return total
    return total


def tree_rss_peak(pid: int) -> float:
    """MiB at the peak, summed over the tree (pages shared between its processes count for each)."""
    total = 0
    for member in tree(pid):
        try:
            text = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)
    return round(total / 1024, 1)


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory in memory (tmpfs) where there is one, so that the disk is not what is measured."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wildbach-bench-", dir=base) as path:
        yield Path(path)


def blank(folder: Path, content: Path, size: int) -> Path:
    """The folder a leech downloads into, with a file of zeros where the content will be. A virtual machine gets its
    pages from the host at the first touch, which is up to twenty times slower than the next use and would be charged
    to whoever happens to come first; so the file is made once and written over, never removed between two runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    zeros = bytes(MIB)
    path = folder / content.name
    path.touch()
    with path.open("r+b", buffering=0) as file:
        for at in range(0, size, MIB):
            file.write(zeros[: size - at])
        file.truncate(size)
    return folder


def make_content(path: Path, size: int, seed: int = 7) -> None:
    """A file of bytes that do not repeat, the same every time."""
    rng = random.Random(seed)
    with path.open("wb") as file:
        for at in range(0, size, 16 * MIB):
            file.write(rng.randbytes(min(16 * MIB, size - at)))


def make_torrent(content: Path, out: Path, kind: str, piece_length: int) -> None:
    """libtorrent makes the torrents of both contenders."""
    with lt_process() as lt:
        lt.send(cmd="create", path=str(content), out=str(out), piece_length=piece_length, kind=kind)
        lt.wait("created", seconds=600)


def fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def median(rows: Iterable[dict[str, Any]], key: str) -> float:
    return statistics.median(float(row[key]) for row in rows)


@dataclass
class Report:
    """Lines for the person and facts for the file."""

    facts: dict[str, Any] = field(default_factory=dict)

    def say(self, line: str = "") -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def verdict(self, name: str, ratio: float, target: float, *, below: bool = False) -> None:
        """`ratio` against what engine and users were promised: at least `target`, or at most where `below`."""
        met = ratio <= target if below else ratio >= target
        sign = "≤" if below else "≥"
        self.facts.setdefault("ratios", {})[name] = {"ratio": round(ratio, 3), "target": f"{sign} {target}", "met": met}
        self.say(f"  {name:<44} {ratio:6.2f} x   target {sign} {target} x   {'met' if met else 'NOT met'}")

    def limit(self, name: str, value: float, limit: float) -> None:
        """A figure with a limit of its own, whatever libtorrent does."""
        met = value <= limit
        self.facts.setdefault("limits", {})[name] = {"value": value, "limit": limit, "met": met}
        self.say(f"  {name:<44} {value:6.2f}     limit  ≤ {limit:g}   {'met' if met else 'NOT met'}")


def cores() -> int:
    return len(os.sched_getaffinity(0))


def machine() -> dict[str, Any]:
    """What was measured on, without names of hosts or people."""
    flags = Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in flags.splitlines() if line.startswith("model name")]
    cpu = names[0] if names else platform.processor()
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    versions = json.loads(subprocess.run(
        [sys.executable, "-c", "import json, libtorrent; print(json.dumps(libtorrent.__version__))"],
        capture_output=True, check=True,
    ).stdout)
    return {
        "cpu": cpu, "cores": os.cpu_count(), "sha_instructions": " sha_ni" in flags, "memory_mib": memory,
        "kernel": platform.release(), "python": platform.python_version(), "libtorrent": versions,
        "load_before": os.getloadavg()[0],
    }
