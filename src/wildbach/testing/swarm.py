"""Swarms to measure: how the machines of one are connected, and the best that any program could do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from wildbach.testing.network import Host, Network


@dataclass(frozen=True, slots=True)
class Link:
    """A machine's access in bytes a second, 0 for no limit."""

    up: float
    down: float = 0.0

    def host(self, network: Network) -> Host:
        return network.host(up=self.up, down=self.down)


def fluid_limit(size: int, seed: Link, leeches: Sequence[Link]) -> float:
    """Seconds that no way of distributing `size` bytes from one seed to all leeches can beat.

    The seed must give every byte once, the slowest leech must take them all, and all uploads together must carry a
    copy for each leech: the largest of the three.
    """
    downs = [link.down for link in leeches if link.down]
    times = [len(leeches) * size / (seed.up + sum(link.up for link in leeches))] if seed.up else [0.0]
    if seed.up:
        times.append(size / seed.up)
    if downs:
        times.append(size / min(downs))
    return max(times)


def reference_swarm(rng: Random, leeches: int = 30) -> tuple[Link, list[Link]]:
    """The swarm the distribution target is stated for: a 4 MB/s seed, leeches of 1 to 4 MB/s up and 8 down."""
    return Link(4e6, 8e6), [Link(rng.uniform(1e6, 4e6), 8e6) for _ in range(leeches)]
