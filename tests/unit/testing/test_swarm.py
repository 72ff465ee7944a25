import random

import pytest

from wildbach.testing.swarm import Link, fluid_limit, reference_swarm


@pytest.mark.parametrize(("seed", "leeches", "seconds"), [
    (Link(10), [Link(1000, 1000)] * 3, 100),  # every byte leaves the seed once
    (Link(1000), [Link(1000, 5), Link(1000, 1000)], 200),  # the slowest downlink
    (Link(1000), [Link(0.001, 1000)] * 10, 10),  # all uploads together
])
def test_the_bound_is_the_narrowest_of_three(seed, leeches, seconds):
    assert fluid_limit(1000, seed, leeches) == pytest.approx(seconds, rel=0.01)


def test_the_reference_swarm_is_bound_by_its_uploads():
    seed, leeches = reference_swarm(random.Random(1))
    size = 64 << 20
    assert fluid_limit(size, seed, leeches) == 30 * size / (seed.up + sum(link.up for link in leeches))
