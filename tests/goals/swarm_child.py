"""Runs swarms of all kinds of torrents in bad weather and prints one line for each: `swarm_child.py FIRST COUNT`.

A line has the seed, the hash of all that passed over the network, the virtual seconds, and what became of it.
"""

from __future__ import annotations

import random
import sys

from wildbach.protocol.metainfo.builder import Kind
from wildbach.testing import peers
from wildbach.testing.chaos import chaos
from wildbach.testing.content import Content, content
from wildbach.testing.loop import Sim, sim
from wildbach.testing.swarm import Link, Swarm

PIECE = 1 << 15
TROUBLE_SECONDS = 30.0
PATIENCE = 900.0
KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")
HOSTILE = ("poison", "poison_some", "stall", "fake_have", "unasked", "duplicates", "misplaced", "choke_flood")
VISITING = ("request_flood", "have_flood", "silent", "mute", "interest_flood", "malformed_3", "bad_extension_4")


async def story(what: Content, seed: int) -> str:
    """One swarm: some seeds, some leeches that come one after the other, a hostile peer or two, and trouble."""
    rng = random.Random(seed)
    deserted = rng.random() < 0.1
    async with Swarm(what) as swarm:
        for _ in range(1 if deserted else rng.randrange(1, 3)):
            await swarm.seed(Link(rng.uniform(1e5, 4e5)))
        for name in rng.sample(HOSTILE, rng.randrange(3)):
            await swarm.scripted_peer(peers.HOSTILE[name], Link(rng.uniform(1e5, 4e5)))
        source = swarm.nodes[0]
        for _ in range(rng.randrange(4, 12)):
            await swarm.leech(Link(rng.uniform(3e4, 3e5), rng.uniform(3e5, 3e6)))
            if rng.random() < 0.3:
                await swarm.sleep(rng.uniform(0, 3))
        for name in rng.sample(VISITING, rng.randrange(2)):
            swarm.visitor(peers.HOSTILE[name], rng.choice(swarm.nodes), times=10)
        hosts = [node.host for node in swarm.nodes]
        if deserted:
            await swarm.sleep(rng.uniform(0, 3))
            source.host.crash()
            await source.session.close()
            swarm.nodes.remove(source)
            hosts.remove(source.host)
        await chaos(swarm.network, hosts, rng, TROUBLE_SECONDS, every=rng.uniform(0.2, 2))
        if deserted:
            return await _reasons(swarm)
        await swarm.finished(PATIENCE)
        honest = {node.host.address for node in swarm.nodes}
        wrong = [ban for ban in swarm.bans if ban[1].rpartition(":")[0] in honest]
        assert not wrong, f"honest peers are banned: {wrong}"
        return "all done"


async def _reasons(swarm: Swarm) -> str:
    """Who cannot finish says why, but for moments in which somebody new is asked."""
    await swarm.sleep(90)
    said: dict[str, str] = {}
    for _ in range(6):
        await swarm.sleep(5)
        for node in swarm.nodes:
            said[node.name] = node.torrent.view().reason or said.get(node.name, "")
    waiting = [node for node in swarm.nodes if not node.storage.whole]
    unnamed = [node.why for node in waiting if not said[node.name]]
    assert not unnamed, f"does not say why: {unnamed}"
    return f"{len(waiting)} wait: {said[waiting[0].name]}" if waiting else "all done"


def run(seed: int) -> tuple[Sim, str]:
    rng = random.Random(~seed)
    size = rng.randrange(20, 40) * PIECE - 1234
    what = content(size, PIECE, seed=seed, kind=KINDS[seed % len(KINDS)])
    ran = sim(seed)
    return ran, ran.run(story(what, seed))


if __name__ == "__main__":
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for seed in range(first, first + count):
        try:
            ran, outcome = run(seed)
        except Exception as error:  # noqa: BLE001  # told to whoever reads the lines; the other seeds are run too
            print(f"{seed} FAILED {type(error).__name__}: {error} {getattr(error, 'exceptions', '')}", flush=True)
        else:
            print(f"{seed} {ran.trace} {ran.seconds:.1f} {outcome}", flush=True)
