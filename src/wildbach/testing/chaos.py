"""Trouble on purpose: what a network does to a swarm on a bad day, drawn from a seed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from wildbach.testing.network import Host, Network


async def chaos(network: Network, hosts: Sequence[Host], rng: Random, seconds: float, *, every: float = 2.0) -> None:
    """For some seconds break streams, cut pairs of hosts, slow links down; then mend everything.

    `every`: mean seconds between two troubles. Cut pairs and slow links are mended in another order than they broke.
    """
    loop = network.loop
    end = loop.time() + seconds
    cuts: list[tuple[Host, Host]] = []
    slowed: list[tuple[Host, float, float]] = []
    while loop.time() < end:
        await asyncio.sleep(rng.uniform(0, 2 * every))
        trouble = rng.randrange(5)
        if trouble == 0 and network.connections:
            network.reset(rng.choice(network.connections))
        elif trouble == 1 and len(hosts) > 1:
            one, other = rng.sample(hosts, 2)
            network.cut(one, other)
            cuts.append((one, other))
        elif trouble == 2 and cuts:
            network.heal(*cuts.pop(rng.randrange(len(cuts))))
        elif trouble == 3:
            host = rng.choice(hosts)
            slowed.append((host, host.up.rate, host.down.rate))
            host.up.rate = max(1000.0, host.up.rate * rng.uniform(0.02, 1)) if host.up.rate else 50_000.0
        elif trouble == 4 and slowed:
            # Only the newest of a host is undone at a time, so that its first speed comes back in the end.
            _restore(slowed.pop())
    rng.shuffle(cuts)
    for pair in cuts:
        network.heal(*pair)
    while slowed:
        _restore(slowed.pop())


def _restore(slowed: tuple[Host, float, float]) -> None:
    host, up, down = slowed
    host.up.rate = up
    host.down.rate = down
