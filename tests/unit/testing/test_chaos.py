import random

from wildbach.base.ids import Endpoint
from wildbach.runtime.tasks import Scope
from wildbach.testing.chaos import chaos
from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.network import Network
from wildbach.testing.peers import leech, receive, seed, visit


def test_after_the_trouble_everything_works_again():
    what = content(400_000)

    async def main():
        network = Network()
        hosts = [network.host(up=100_000, down=500_000) for _ in range(4)]
        rng = random.Random(5)
        async with Scope("test") as scope:
            for host in hosts:
                await receive(scope, host.transport, Endpoint(host.address, 1), seed(), what, rng)

            async def fetch(host, other):
                await visit(host.transport, Endpoint(other.address, 1), leech(), what, rng, times=9)

            for host in hosts:
                for other in hosts:
                    scope.spawn("fetch", fetch(host, other))
            await chaos(network, hosts, rng, 100, every=0.5)
            assert [host.up.rate for host in hosts] == [100_000] * 4
            tally = await visit(hosts[0].transport, Endpoint(hosts[1].address, 1), leech(), what, rng)
            assert tally["complete"] == 1
        return tally

    first, again = sim(1), sim(1)
    assert first.run(main()) == again.run(main())
    assert first.trace == again.trace
