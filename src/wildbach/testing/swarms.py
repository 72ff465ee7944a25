"""Swarms that figures are stated for.

    async with Swarm(content(...)) as swarm, Scope("churn") as scope:
        peers = await WARM.gather(swarm)
        viewer = await swarm.leech(WARM.viewer)
        scope.spawn("churn", WARM.churn(swarm, peers, viewer))
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from wildbach.testing.swarm import Link, Node, Swarm


@dataclass(frozen=True, slots=True)
class Profile:
    """A swarm in which somebody watches a film. Rates are bytes a second, times are seconds."""

    bitrate: float
    gop: float
    "Between two keyframes."
    peers: int
    supply: float
    "What all peers give together, as a multiple of the bitrate."
    rtt: tuple[float, float]
    turnover: float
    "The share of the peers that leave in a minute, for others who come."
    piece_length: int
    viewer: Link

    def links(self, rng: Random) -> list[Link]:
        """Some are fast, most are slow; together they give what the profile says."""
        weights = [rng.lognormvariate(0.0, 0.7) for _ in range(self.peers)]
        scale = self.bitrate * self.supply / sum(weights)
        near = self.viewer.latency or 0.0
        return [Link(weight * scale, 0.0, max(rng.uniform(*self.rtt) / 2 - near, 0.0)) for weight in weights]

    async def gather(self, swarm: Swarm) -> list[Node]:
        """All peers come, with everything."""
        rng = Random(f"{swarm.network.loop.seed}:profile")
        return [await swarm.seed(link) for link in self.links(rng)]

    async def churn(self, swarm: Swarm, peers: list[Node], viewer: Node) -> None:
        """From now on one leaves every now and then, and one like it comes. Until it is cancelled."""
        rng = Random(f"{swarm.network.loop.seed}:churn")
        while True:
            await swarm.sleep(60.0 / (self.turnover * self.peers) * rng.uniform(0.5, 1.5))
            gone = peers.pop(rng.randrange(len(peers)))
            link = Link(gone.host.up.rate, 0.0, gone.host.latency)
            await swarm.leave(gone)
            fresh = await swarm.seed(link)
            peers.append(fresh)
            viewer.torrent.add_peer(fresh.endpoint)


WARM = Profile(
    bitrate=1e6, gop=2.0, peers=20, supply=1.5, rtt=(0.020, 0.150), turnover=0.10, piece_length=4 << 20,
    viewer=Link(1e6, 25e6, 0.005),
)
"A film of 8 Mbit/s, and 20 peers who give one and a half times that."
