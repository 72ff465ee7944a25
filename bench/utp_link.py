"""uTP over a link of 20 ms that loses packets, between two kernels: each engine with itself, and plain TCP.

The link is that of tests/tunrelay.py, without a limit of its rate. The runs take turns, each over a link of its own
with the same luck.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import harness
from bench.harness import LT_UTP, MIB, WB_UTP, Place, Report, Side, side
from tests import tunrelay
from tests.interop.peers.base import poll
from tests.interop.peers.process import JsonProcess
from tests.tunrelay import Conditions, End, TunLink, tun_link

TCP = ("cubic", "reno")
LOSSES = (0.0, 0.01, 0.05)
LONG = 3600.0
_TCP_CHILD = Path(tunrelay.__file__).with_name("tcp_child.py")


@dataclass(frozen=True)
class Shared:
    """What is sent."""

    torrent: Path
    content: Path


def share(work: Path, size: int) -> Shared:
    """One file of so many bytes and its torrent."""
    content = work / "seed" / "content.bin"
    content.parent.mkdir()
    harness.make_content(content, size)
    torrent = work / "v1.torrent"
    harness.make_torrent(content, torrent, "v1", MIB // 4)
    return Shared(torrent, content)


def place(end: End) -> Place:
    return Place(end.host, end.space.prefix)


@contextmanager
def engines(names: tuple[str, str], link: TunLink, shared: Shared, out: Path) -> Iterator[tuple[Side, Side]]:
    """A seed at the near end and a leech at the far one, which is ready to call it."""
    with side(names[0], place(link.near)) as seed, side(names[1], place(link.far)) as leech:
        seed.process.send(cmd="add", id="t", torrent=str(shared.torrent), save=str(shared.content.parent))
        seed.process.wait("finished", seconds=120)
        leech.process.send(cmd="add", id="t", torrent=str(shared.torrent), save=str(out))
        leech.process.wait("checked", seconds=120)
        yield seed, leech


def call(seed: Side, leech: Side) -> float:
    """Let the leech begin; when they were connected, on the clock of the machine."""
    leech.process.send(cmd="start", id="t", peers=[seed.peer()])
    return float(leech.process.wait("connected")["t"])


def engine_rate(name: str, link: TunLink, shared: Shared, out: Path, seconds: float) -> float:
    """Bytes of content a second that an engine gets from another of its kind, in so many seconds after they connect."""
    with engines((name, name), link, shared, harness.fresh(out)) as (seed, leech):
        begin = call(seed, leech)

        def look() -> float | None:
            leech.process.send(cmd="status", id="t")
            status = leech.process.wait("status")
            took = float(status["t"]) - begin
            over = took >= seconds or status["done"] == status["wanted"]
            return status["down"] / took if over else None

        return poll(look, seconds + 30, leech.process.story)


@contextmanager
def tcp(congestion: str, link: TunLink, seconds: float = LONG) -> Iterator[JsonProcess]:
    """A stream of TCP from the near end to the far one; gives the process that reads it."""
    far, near = place(link.far), place(link.near)
    listen = json.dumps({"listen": far.host, "seconds": seconds})
    with JsonProcess([*far.prefix, sys.executable, str(_TCP_CHILD), listen]) as sink:
        words = json.dumps({"to": [far.host, sink.wait("ready")["port"]], "congestion": congestion})
        with JsonProcess([*near.prefix, sys.executable, str(_TCP_CHILD), words]) as source:
            used = source.wait("connected")["congestion"]
            assert used == congestion, f"{used} is used where {congestion} was asked for"
            yield sink


def tcp_rate(congestion: str, link: TunLink, seconds: float) -> float:
    """Bytes a second that one plain TCP stream carries."""
    with tcp(congestion, link, seconds) as sink:
        got = sink.wait("got", seconds=seconds + 30)
        return float(got["bytes"] / got["seconds"])


def run(report: Report, *, size: int = 256 * MIB, rounds: int = 3, seconds: float = 8.0) -> None:
    if tunrelay.MISSING is not None:
        report.say(f"uTP over a real link: not measured, {tunrelay.MISSING}")
        return
    with harness.workspace() as work:
        shared = share(work, min(size, 256 * MIB))
        for loss in LOSSES:
            rates: dict[str, list[float]] = {name: [] for name in (LT_UTP, WB_UTP, *TCP)}
            for number in range(rounds):
                for name, runs in rates.items():
                    with tun_link(Conditions(delay=0.01, loss=loss, seed=number)) as link:
                        if name in TCP:
                            runs.append(tcp_rate(name, link, seconds))
                        else:
                            runs.append(engine_rate(name, link, shared, work / "leech", seconds))
            report.say(f"uTP over a link of 20 ms that loses {loss:.0%}: median (least, most) of {rounds} rounds")
            for name, runs in rates.items():
                label = f"TCP {name}" if name in TCP else name
                report.say(
                    f"  {label:<12} {statistics.median(runs) / MIB:7.2f} MiB/s"
                    f"   ({min(runs) / MIB:.2f}, {max(runs) / MIB:.2f})"
                )
            report.facts[f"loss {loss:g}"] = {name: [round(rate) for rate in runs] for name, runs in rates.items()}
            middle = {name: statistics.median(runs) for name, runs in rates.items()}
            report.verdict(f"loss {loss:.0%}, libtorrent's uTP", middle[WB_UTP] / middle[LT_UTP], 1.0)
            for name in TCP:
                report.say(f"  beside TCP {name} {middle[WB_UTP] / middle[name]:.2f} x")
