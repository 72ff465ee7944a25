"""False blocks: whoever sent one goes, nobody else does, and the download is hardly slowed down (goal G4 in small)."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from functools import cache
from random import Random

import pytest

from nodes import Made, Node, done, make, node
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.protocol.metainfo.builder import Kind
from wildbach.runtime.tasks import Scope
from wildbach.testing import peers
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network

PIECE = 1 << 18


async def _run(
    made: Made, seed: int, bad: int, share: float, *, honest: int = 3, rate: float = 2e6,
) -> tuple[float, list[str], Counter[str], int]:
    """Seconds, who was banned, what the poisoners did, and bytes that were fetched in vain."""
    network = Network(latency=0.02)
    rng = Random(seed)
    banned: list[str] = []
    tally: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        scope = await stack.enter_async_context(Scope("poison"))
        seeds: list[Node] = []
        for number in range(honest):
            each = await stack.enter_async_context(node(network, number, up=rate))
            await each.seed(made)
            seeds.append(each)
        liars: list[Endpoint] = []
        for _ in range(bad):
            host = network.host(up=rate)
            listener = await peers.receive(
                scope, host.transport, Endpoint(host.address, 7000), peers.poison(share), made.told, rng, tally)
            liars.append(listener.endpoint)
        leech = await stack.enter_async_context(node(network, seed))
        start = simloop().time()
        with leech.session.subscribe(events.PeerBanned) as bans:
            torrent = await leech.add(made.metainfo, *[each.at for each in seeds], *liars)
            await done(torrent)
            seconds = simloop().time() - start
            assert leech.holds(made)
            view = torrent.view()
            leech.session._bus.close()
            async for ban in bans:
                banned.append(str(getattr(ban, "peer", ban)))
        honest_hosts = {each.host.address for each in seeds}
        assert not any(who.rpartition(":")[0] in honest_hosts for who in banned), banned
        await scope.close()
    return seconds, banned, tally, view.wasted


def _made(kind: Kind) -> Made:
    return make(kind, {"a": 24 << 20, "b": 3 * PIECE + 5}, piece_length=PIECE)


@cache
def _clean(kind: Kind) -> float:
    """Seconds without a liar."""
    return sim(1).run(_run(_made(kind), 1, 0, 0.0))[0]


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize(("bad", "share"), [(3, 1.0), (6, 1.0), (3, 0.1)])
def test_poisoners_are_found_and_honest_peers_are_not_banned(kind: Kind, bad: int, share: float) -> None:
    made = _made(kind)
    clean = _clean(kind)
    for seed in range(2):
        seconds, banned, tally, wasted = sim(seed).run(_run(made, seed, bad, share))
        assert len(banned) == len(set(banned)) == bad, (banned, tally)
        assert seconds * 0.9 <= clean, (seconds, clean)
        # Who lies now and then may have given a good piece before, and spoils one that others had a part in.
        assert wasted <= (2 if share == 1.0 else 3) * bad * PIECE


def test_pieces_of_several_chunks_convict_only_the_guilty() -> None:
    made = make("v1", {"a": 24 << 20}, piece_length=3 << 20)
    for seed in range(3):
        _, banned, _, _ = sim(seed).run(_run(made, seed, 1, 0.05))
        assert len(set(banned)) == 1


def test_of_a_bad_v2_piece_only_the_false_blocks_are_fetched_again() -> None:
    wasted = {}
    for kind in ("v1", "v2", "hybrid"):
        made = make(kind, {"a": 24 << 20}, piece_length=4 << 20)
        runs = [sim(seed).run(_run(made, seed, 2, 0.02)) for seed in range(2)]
        assert all(len(set(banned)) == 2 for _, banned, _, _ in runs)
        wasted[kind] = sum(vain for _, _, _, vain in runs)
    # What a liar gave of pieces that are not whole when it is banned goes too.
    assert wasted["v2"] < wasted["v1"] / 8 and wasted["hybrid"] < wasted["v1"] / 8, wasted
