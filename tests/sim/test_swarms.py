"""Swarms of real sessions in virtual time: they finish, and the same seed gives the same run in every process."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from wildbach.testing.chaos import chaos
from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.peers import poison, stall
from wildbach.testing.swarm import Link, Swarm

WHAT = content(3_000_001, 1 << 16)


def test_a_seed_and_three_leeches_all_end_up_with_the_content():
    async def main():
        async with Swarm(WHAT) as swarm:
            await swarm.seed(Link(1e6, 8e6))
            for _ in range(3):
                await swarm.leech(Link(1e6, 4e6))
            await swarm.finished(60)
            return [node.seconds for node in swarm.nodes], [node.session.internal_errors for node in swarm.nodes]

    seconds, errors = sim(1).run(main())
    assert max(seconds) < 8, seconds
    assert errors == [0, 0, 0, 0]


def test_leeches_that_have_it_between_them_finish_without_a_seed():
    """The only seed leaves when it gave everything once; the others have it all between them."""

    async def main():
        async with Swarm(WHAT) as swarm:
            seed = await swarm.seed(Link(2e6))
            leeches = [await swarm.leech(Link(1e6, 4e6)) for _ in range(4)]
            while any(not _spread(leeches, piece) for piece in range(WHAT.pieces)):
                await swarm.sleep(0.05)
            given = seed.host.up.moved
            await seed.session.close()
            await swarm.finished(60)
            return given

    # 1.7 to 2.15 times over twelve seeds; each leech for itself would be 4.
    assert sim(2).run(main()) < 2.3 * len(WHAT.data)


def _spread(leeches, piece):
    return any(
        node.torrent.content is not None and node.torrent.content.picker.have >> (
            node.torrent.content.picker.width - 1 - piece) & 1
        for node in leeches)


async def eventful(seed: int) -> tuple[str, ...]:
    """A swarm with everything in it that could depend on the order of a set or on an address in memory."""
    rng = random.Random(seed)
    async with Swarm(WHAT) as swarm:
        await swarm.seed(Link(8e5))
        await swarm.scripted_peer(poison(0.3), Link(1e6))
        await swarm.scripted_peer(stall, Link(1e6))
        for _ in range(5):
            await swarm.leech(Link(rng.uniform(2e5, 1e6), 2e6))
        await chaos(swarm.network, swarm.network.hosts, rng, 10, every=0.7)
        await swarm.finished(300)
        return tuple(f"{node.name} {node.seconds:.9f} {node.bans} {sorted(node.drops.items())}" for node in swarm.nodes)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_run_is_the_same_in_every_process(seed):
    """What iterates over a set of strings, or sorts by identity, shows here."""
    here = Path(__file__).resolve()
    source = here.parents[2] / "src"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_swarms as t\n"
        f"run = t.sim({seed})\n"
        f"print(run.run(t.eventful({seed})), run.trace)\n"
    )
    outs = []
    for hashes in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(here.parent)], capture_output=True, text=True, timeout=100,
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(source)})
        assert done.returncode == 0, done.stderr
        outs.append(done.stdout)
    assert outs[0] == outs[1]
    assert len(outs[0]) > 100
