"""Run the benches side by side with libtorrent: `python -m bench.run [--only NAME]... [--quick]`.

Ratios are printed, and written to bench/results/ with the machine they were measured on. Compare ratios of one run,
never figures of two: machines are noisy.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import inspect
import json
from pathlib import Path

from bench.harness import GIB, LT, MIB, Report, machine

BENCHES = [
    "one_to_one", "encrypted", "utp", "utp_link", "utp_beside", "many", "slow_peers", "web_seed", "hashing", "memory",
    "cold", "daemon", "tracker", "micro_hot_path", "streaming", "vouchers", "paid", "devchain",
    "sync", "sync_size",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHES, help="run this part (repeat for more)")
    parser.add_argument("--kind", action="append", choices=["v1", "v2", "hybrid"], help="only these torrents")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--size-mib", type=int, help="content per transfer")
    parser.add_argument("--torrents", type=int, help="how many cold torrents")
    parser.add_argument("--quick", action="store_true", help="one round, 256 MiB: shows that it works, not how fast")
    parser.add_argument("--anchor-only", action="store_true", help="libtorrent against itself")
    parser.add_argument("--no-mixed", action="store_true", help="leave out wildbach against libtorrent")
    parser.add_argument("--name", help="name of the result file (default: today)")
    words = parser.parse_args()

    wanted: dict[str, object] = {}
    if words.quick:
        wanted.update(rounds=1, size=256 * MIB, torrents=1000, seconds=5.0)
    if words.rounds:
        wanted["rounds"] = words.rounds
    if words.size_mib:
        wanted["size"] = words.size_mib * MIB
    if words.kind:
        wanted["kinds"] = tuple(words.kind)
    if words.anchor_only:
        wanted["contenders"] = (LT,)
    if words.torrents:
        wanted["torrents"] = words.torrents
    if words.no_mixed:
        wanted["mixed"] = False

    facts: dict[str, object] = {"machine": machine(), "gib": GIB}
    for name in words.only or BENCHES:
        report = Report()
        part = importlib.import_module(f"bench.{name}").run
        takes = inspect.signature(part).parameters
        part(report, **{key: value for key, value in wanted.items() if key in takes})
        report.say()
        facts[name] = report.facts
    name = words.name or datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    out = Path(__file__).with_name("results") / f"{name}.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
