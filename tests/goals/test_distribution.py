"""How close a swarm comes to the best that any program could do: one seed, thirty leeches, 64 MiB in 256 pieces."""

from __future__ import annotations

import os
import random

import pytest

from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.swarm import Swarm, fluid_limit, reference_swarm

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
RUNS = int(os.environ.get("WILDBACH_DISTRIBUTION_RUNS", "2"))
SIZE = 64 << 20
MOST = 1.15


@pytest.mark.timeout(300)
def test_a_swarm_is_done_soon_after_the_fluid_limit(capsys):
    what = content(SIZE, SIZE // 256)
    ratios = []
    for seed in range(SEED, SEED + RUNS):
        source, links = reference_swarm(random.Random(seed))
        limit = fluid_limit(SIZE, source, links)

        async def main(source=source, links=links):
            async with Swarm(what, watch=False) as swarm:
                await swarm.seed(source)
                for link in links:
                    await swarm.leech(link)
                await swarm.finished(300)
                wasted = sum(node.torrent.view().wasted for node in swarm.nodes)
                return max(node.seconds for node in swarm.nodes), wasted / SIZE / len(links)

        seconds, wasted = sim(seed).run(main())
        ratios.append(seconds / limit)
        with capsys.disabled():
            print(f"\nswarm of 1 + 30, 64 MiB, seed {seed}: {seconds:.2f} s, {ratios[-1]:.3f} x the fluid limit of "
                  f"{limit:.2f} s (wanted: <= {MOST}), {wasted:.1%} sent in vain")
    assert max(ratios) <= MOST, ratios
