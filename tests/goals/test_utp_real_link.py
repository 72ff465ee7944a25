"""uTP between real kernels over a bad link: what arrives, how fast beside libtorrent's uTP, and what is left to TCP.
bench/utp_link.py and bench/utp_beside.py measure the same for longer.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bench import harness
from bench.harness import LT_UTP, MIB, WB_UTP
from bench.utp_beside import Case, measured, share_of
from bench.utp_link import call, engine_rate, engines, share
from tests import tunrelay
from tests.interop.peers import lt
from tests.tunrelay import Conditions, tun_link

pytestmark = [
    pytest.mark.goal,
    pytest.mark.skipif(tunrelay.MISSING is not None, reason=str(tunrelay.MISSING)),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
LINE = 2_500_000.0
NOISE = 0.75
"Of libtorrent's rate: what a few seconds of luck with losses may cost where all processors are busy."


@pytest.fixture
def work() -> Iterator[Path]:
    with harness.workspace() as path:
        yield path


def arrives(seeder: str, leecher: str, size: int, work: Path) -> None:
    """A transfer over a link that loses, reorders and doubles one packet of twenty, each way."""
    shared = share(work, size)
    out = harness.fresh(work / "leech")
    conditions = Conditions(delay=0.01, loss=0.05, reorder=0.05, duplicate=0.05)
    with tun_link(conditions) as link, engines((seeder, leecher), link, shared, out) as (seed, leech):
        call(seed, leech)
        leech.process.wait("finished", seconds=300)
        if leecher == LT_UTP:
            leech.process.send(cmd="flush", id="t")
            leech.process.wait("flushed")
        ways = link.seen()
    assert filecmp.cmp(shared.content, out / shared.content.name, shallow=False)
    for way in ways:
        assert way.lost and way.late and way.doubled


def test_every_byte_arrives_through_loss_reordering_and_duplicates(work: Path) -> None:
    arrives(WB_UTP, WB_UTP, MIB, work)


# libtorrent's sender is slow there, and may be silent for a minute.
@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize(("seeder", "leecher", "size"), [(WB_UTP, LT_UTP, MIB), (LT_UTP, WB_UTP, MIB // 4)])
def test_every_byte_arrives_so_with_libtorrent(seeder: str, leecher: str, size: int, work: Path) -> None:
    arrives(seeder, leecher, size, work)


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05])
def test_it_is_as_fast_as_libtorrents(loss: float, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All run at the same time, each over a line of its own, so slow that no processor is what limits them."""
    shared = share(work, 32 * MIB)

    def rate(name: str, number: int) -> float:
        with tun_link(Conditions(delay=0.01, rate=LINE, queue=0.3, loss=loss, seed=number)) as link:
            return engine_rate(name, link, shared, work / f"{name} {number}", 5.0)

    with ThreadPoolExecutor(4) as together:
        rates = list(together.map(rate, [WB_UTP, LT_UTP] * 2, [1, 1, 2, 2]))
    ours, theirs = sum(rates[::2]) / 2, sum(rates[1::2]) / 2
    with capsys.disabled():
        print(
            f"\nuTP over 20 Mbit/s and 20 ms with {loss:.0%} lost: {ours / MIB:.2f} MiB/s, libtorrent's "
            f"{theirs / MIB:.2f}: {ours / theirs:.2f} x"
        )
    assert ours >= NOISE * theirs


def test_beside_tcp_it_gives_way(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where TCP was first, its queue looks like a part of the path, so uTP cannot know how long it is; it is then no
    more than another TCP."""
    shared = share(work, 32 * MIB)
    cases = [Case(0.3), Case(0.3, "cubic"), Case(0.3, "reno"), Case(0.3, "reno", utp_first=False)]
    with ThreadPoolExecutor(len(cases)) as together:
        alone, *beside = together.map(lambda case: measured(case, shared, work, 8.0, settle=3.0), cases)
    cubic, reno, reno_first = (share_of(seen, seen.tcp) for seen in beside)
    with capsys.disabled():
        print(
            f"\nuTP on 10 Mbit/s, 20 ms, a queue of 0.3 s: alone it has {share_of(alone, alone.udp):.1%}, 99 % wait "
            f"less than {alone.wait(0.99) * 1000:.0f} ms; beside it cubic keeps {cubic:.1%}, reno {reno:.1%}, and "
            f"{reno_first:.1%} where that came first"
        )
    assert share_of(alone, alone.udp) >= 0.9 and alone.wait(0.99) <= 0.15
    assert cubic >= 0.9 and reno >= 0.9
    assert reno_first >= 0.5
