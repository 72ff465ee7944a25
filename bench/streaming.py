"""A film watched while it comes: wildbach's reader beside libtorrent's deadlines, in the same swarm, in turns.

Eight seeds of libtorrent give 1.5 times the rate of the film together, over a link of 40 ms there and back where
namespaces can be made (loopback without a delay elsewhere). Each viewer is new, and does the same (viewing.py). The
kinds of torrents are measured at the same time, each in a swarm of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import harness
from bench.harness import HERE, LT, WB, Place, Report
from bench.utp_link import place
from bench.viewing import FIRST, Words
from tests import mediafiles, tunrelay
from tests.interop.peers.process import JsonProcess, lt_process
from tests.tunrelay import Conditions, tun_link

from wildbach.testing.swarms import WARM

SEEDS = 8
SEEKS = 5
FILM = 150.0
"Seconds."
DELAY = 0.020
PATIENCE = 300.0
_LINE = 25e6
_ROOT = Path(__file__).parents[1]
_PROGRAMS = {LT: "viewer_lt", WB: "viewer_wb"}


@dataclass(frozen=True)
class Stage:
    """Where viewers come to."""

    seat: Place
    peers: list[list[Any]]
    torrent: Path
    film: Path


@contextmanager
def swarm(work: Path, film: Path, kind: str) -> Iterator[Stage]:
    """Seeds that have the film."""
    torrent = work / f"{kind}.torrent"
    harness.make_torrent(film, torrent, kind, WARM.piece_length)
    with ExitStack() as stack:
        near = far = HERE
        # An address for each: of one address wildbach takes one peer, but on loopback.
        hosts = [f"127.0.1.{number + 1}" for number in range(SEEDS)]
        if tunrelay.MISSING is None:
            link = stack.enter_context(tun_link(Conditions(delay=DELAY, rate=_LINE)))
            near, far = place(link.near), place(link.far)
            hosts = [f"10.231.79.{number + 1}" for number in range(SEEDS)]
            for host in hosts:
                link.near.space.run("ip", "addr", "add", f"{host}/32", "dev", "tun0")
                link.far.space.run("ip", "route", "add", f"{host}/32", "via", link.near.host)
        rate = int(WARM.bitrate * WARM.supply / SEEDS)
        peers: list[list[Any]] = []
        for host in hosts:
            settings = {"upload_rate_limit": rate, "listen_interfaces": f"{host}:0", "unchoke_slots_limit": -1}
            seed = stack.enter_context(lt_process(settings, distant=True, prefix=near.prefix))
            port = seed.wait("ready")["port"]
            seed.send(cmd="add", id="t", torrent=str(torrent), save=str(film.parent), seed_mode=True)
            seed.wait("finished", "checked", seconds=60)
            peers.append([host, port])
        yield Stage(far, peers, torrent, film)


def watch(name: str, stage: Stage, home: Path, seed: int, seconds: float) -> dict[str, Any]:
    asked = Words(stage.seat.host, str(stage.torrent), str(stage.film), str(home), stage.peers, seed, SEEKS, seconds)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}
    argv = [*stage.seat.prefix, sys.executable, "-m", f"bench.{_PROGRAMS[name]}", json.dumps(asdict(asked))]
    with JsonProcess(argv, cwd=_ROOT, env=env) as viewer:
        seen = viewer.wait("watched", seconds=PATIENCE)
    harness.fresh(home)
    return {key: seen[key] for key in ("first", "stalled", "stops", "jumps")}


def measure(
    work: Path, film: Path, kind: str, rounds: int, contenders: tuple[str, ...], seconds: float,
) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    with swarm(work, film, kind) as stage:
        for number in range(rounds):
            # Who was first in one round is second in the next.
            for name in contenders if number % 2 == 0 else contenders[::-1]:
                home = harness.fresh(work / f"viewer-{kind}")
                rows[name].append(watch(name, stage, home, number, seconds))
    return rows


def run(report: Report, *, rounds: int = 2, contenders: tuple[str, ...] = (LT, WB),
        kinds: tuple[str, ...] = ("v1", "v2"), seconds: float = 20.0) -> None:
    with harness.workspace() as work:
        made = mediafiles.mp4("first", seconds=FILM, gop=WARM.gop, bit_rate=int(WARM.bitrate * 8))
        film = harness.fresh(work / "seed") / "film.mp4"
        film.write_bytes(made.read_bytes())
        with ThreadPoolExecutor(len(kinds)) as together:
            results = list(together.map(
                lambda kind: measure(harness.fresh(work / kind), film, kind, rounds, contenders, seconds), kinds))
    far = "loopback, no delay" if tunrelay.MISSING else f"{2000 * DELAY:.0f} ms there and back"
    report.say(
        f"a film of {WARM.bitrate * 8 / 1e6:g} Mbit/s from {SEEDS} seeds that give {WARM.supply:g} x that, {far},"
        f" {WARM.piece_length >> 20} MiB pieces: {FIRST // 1000} KB at the start and after {SEEKS} jumps, {seconds:g} s"
        f" of play; medians of {rounds} rounds")
    report.facts["link"] = far
    for kind, rows in zip(kinds, results, strict=True):
        middle = {name: figures(runs) for name, runs in rows.items()}
        for name, each in middle.items():
            report.say(
                f"  {kind:>6} {name:>10}  first {each['first']:5.2f} s   jump {each['jump']:5.2f} s, longest"
                f" {each['longest']:5.2f}   stalled {each['stalled']:5.2f} s")
        report.facts[kind] = rows
        if len(contenders) == 2:
            for what in ("first", "jump"):
                ratio = middle[WB][what] / middle[LT][what]
                report.verdict(f"{kind} {what}, time", ratio, 1.0, below=True)
            report.limit(f"{kind} stalled beyond libtorrent, s", middle[WB]["stalled"] - middle[LT]["stalled"], 0.2)


def figures(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds: medians of all runs, and the longest jump."""
    jumps = [seconds for row in runs for seconds in row["jumps"]]
    return {
        "first": statistics.median(row["first"] for row in runs), "jump": statistics.median(jumps),
        "longest": max(jumps), "stalled": statistics.median(row["stalled"] for row in runs),
    }
