"""What uTP leaves to TCP on one line of 10 Mbit/s and 20 ms, by the length of its queue and by who was there first, and
how long a queue uTP makes alone. Shares are of all bytes that the line can carry, headers among them.

The cases of one queue run at the same time, each over a line of its own: together they are 50 Mbit/s.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bench import harness
from bench.harness import MIB, WB_UTP, Report
from bench.utp_link import TCP, Shared, call, engines, share, tcp
from tests import tunrelay
from tests.tunrelay import Conditions, Seen, tun_link

RATE = 1_250_000.0
QUEUES = (0.05, 0.3, 0.6)
SIZE = 256 * MIB
"More than the line carries while somebody looks."


@dataclass(frozen=True)
class Case:
    queue: float
    "Seconds."
    congestion: str = ""
    "Of the TCP stream; empty: uTP is alone."
    utp_first: bool = True


def measured(case: Case, shared: Shared, work: Path, seconds: float, settle: float = 10.0) -> Seen:
    """What the line carries from the near end to the far one. `settle`: the seconds that the first is alone, and those
    that pass after the second came."""
    with ExitStack() as stack:
        link = stack.enter_context(tun_link(Conditions(delay=0.01, rate=RATE, queue=case.queue)))
        out = harness.fresh(work / f"{case.queue:g}{case.congestion}{case.utp_first}")
        pair = stack.enter_context(engines((WB_UTP, WB_UTP), link, shared, out))
        if not case.utp_first:
            stack.enter_context(tcp(case.congestion, link))
            link.watch(settle)
        call(*pair)
        link.watch(settle)
        if case.congestion and case.utp_first:
            stack.enter_context(tcp(case.congestion, link))
            link.watch(settle)
        seen, _ = link.watch(seconds)
        return seen


def share_of(seen: Seen, carried: int) -> float:
    return carried / (RATE * seen.seconds)


def run(report: Report, *, seconds: float = 40.0) -> None:
    if tunrelay.MISSING is not None:
        report.say(f"uTP beside TCP: not measured, {tunrelay.MISSING}")
        return
    with harness.workspace() as work:
        shared = share(work, SIZE)
        for queue in QUEUES:
            cases = [Case(queue), *(Case(queue, name, first) for name, first in product(TCP, (True, False)))]
            with ThreadPoolExecutor(len(cases)) as together:
                results = list(together.map(lambda case: measured(case, shared, work, seconds), cases))
            report.say(f"a line of 10 Mbit/s and 20 ms with a queue of {queue:g} s, {seconds:g} s")
            for case, seen in zip(cases, results, strict=True):
                ours, theirs = share_of(seen, seen.udp), share_of(seen, seen.tcp)
                middle, most = (seen.wait(part) * 1000 for part in (0.5, 0.99))
                waits = f"the queue {middle:.0f} ms in the middle, 99 % below {most:.0f}"
                if case.congestion:
                    order = "uTP" if case.utp_first else "TCP"
                    report.say(f"  {case.congestion:<6} {order} first: TCP {theirs:6.1%}  uTP {ours:6.1%}   {waits}")
                else:
                    report.say(f"  uTP alone:                    uTP {ours:6.1%}   {waits}")
                report.facts.setdefault(f"queue {queue:g}", []).append({
                    "congestion": case.congestion, "utp_first": case.utp_first, "tcp": round(theirs, 4),
                    "utp": round(ours, 4), "wait_median": seen.wait(0.5), "wait_99": seen.wait(0.99),
                    "dropped": seen.dropped,
                })
