"""G4: false blocks, silence and floods. The honest are never banned, the guilty soon, and the download goes on."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

import pytest

from nodes import Made, Node, done, make, node
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.protocol.metainfo.builder import Kind
from wildbach.runtime.tasks import Scope
from wildbach.testing import peers
from wildbach.testing.invariants import Watch
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
RUNS = int(os.environ.get("WILDBACH_POISON_RUNS", "5"))
PIECE = 1 << 18
SIZE = 32 << 20
RATE = 2.8e6
"Of each of three honest seeds: 8.4 MB/s in all."
ANCHORS = {
    "3 poison": "99 % in 3 runs, 68-69 % in 3 runs with an honest peer banned",
    "6 poison": "99 %",
    "3 with 10 % bad": "99 %",
    "3 stall": "100 %",
    "mixed": "not measured",
}
GIVERS = {
    "3 poison": [peers.poison()] * 3,
    "6 poison": [peers.poison()] * 6,
    "3 with 10 % bad": [peers.poison(0.1)] * 3,
    "3 stall": [peers.stall] * 3,
    "mixed": [
        peers.poison(), peers.poison(0.1), peers.stall, peers.stall, peers.fake_have, peers.unasked, peers.duplicates,
        peers.misplaced, peers.choke_flood,
    ],
}
"Whom the downloader calls beside the honest ones."
VISITORS = {"mixed": [peers.request_flood, peers.have_flood, peers.interest_flood, peers.silent, peers.mute]}
KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")


@dataclass
class Outcome:
    seconds: float = 0.0
    wasted: int = 0
    failed: int = 0
    banned: dict[str, float] = field(default_factory=dict)
    "When each was banned, by host."
    began: dict[str, float] = field(default_factory=dict)
    "When each poisoner sent its first false block."
    honest: list[str] = field(default_factory=list)


async def run(made: Made, seed: int, scenario: str) -> Outcome:
    network = Network(latency=0.02)
    out = Outcome()
    async with AsyncExitStack() as stack:
        scope = await stack.enter_async_context(Scope("poison"))
        seeds: list[Node] = []
        for number in range(3):
            each = await stack.enter_async_context(node(network, number, up=RATE))
            await each.seed(made)
            seeds.append(each)
            out.honest.append(each.host.address)
        called: list[Endpoint] = []
        tallies: dict[str, Counter[str]] = {}
        for number, script in enumerate(GIVERS.get(scenario, [])):
            host = network.host(up=RATE)
            tally = tallies[host.address] = Counter()
            rng = Random(f"{seed}:{number}")
            at = Endpoint(host.address, 7000)
            called.append((await peers.receive(scope, host.transport, at, script, made.told, rng, tally)).endpoint)
        leech = await stack.enter_async_context(node(network, seed))
        scope.spawn("watch", Watch(leech.session).run())
        start = simloop().time()
        with leech.session.subscribe(events.PeerBanned, events.PieceFailed, size=100_000) as seen:
            scope.spawn("follow", _follow(seen, out))
            everybody = [*(each.at for each in seeds), *called]
            Random(seed).shuffle(everybody)
            torrent = await leech.add(made.metainfo, *everybody)
            for number, script in enumerate(VISITORS.get(scenario, [])):
                host = network.host()
                scope.spawn("visit", peers.visit(
                    host.transport, leech.at, script, made.told, Random(f"{seed}:v{number}"), times=20))
            await done(torrent)
            out.seconds = simloop().time() - start
            assert leech.holds(made)
            out.wasted = torrent.view().wasted
        await leech.session.close()
        await scope.close()
    out.began = {host: tally["first_bad"] / 1000 for host, tally in tallies.items() if tally["bad_blocks"]}
    return out


async def _follow(seen: object, out: Outcome) -> None:
    async for event in seen:  # type: ignore[attr-defined]  # a subscription of two kinds
        if isinstance(event, events.PeerBanned):
            out.banned.setdefault(event.peer.rpartition(":")[0], simloop().time())
        else:
            out.failed += 1


@pytest.mark.parametrize("scenario", list(GIVERS))
def test_poison_and_silence_cost_little_and_only_the_guilty_are_banned(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ratios, slowest, pieces = [], 0.0, []
    for number, seed in enumerate(range(SEED, SEED + RUNS)):
        made = make(KINDS[number % 3], {"a": SIZE, "b": 3 * PIECE + 5}, piece_length=PIECE)
        clean = sim(seed).run(run(made, seed, "clean"))
        got = sim(seed).run(run(made, seed, scenario))
        why = f"{scenario}, seed {seed}: {got}"
        assert not set(got.banned) & set(got.honest), f"an honest peer is banned; {why}"
        assert set(got.began) <= set(got.banned), f"a poisoner went free; {why}"
        slowest = max([slowest, *(got.banned[host] - at for host, at in got.began.items())])
        ratios.append(clean.seconds / got.seconds)
        if got.began:
            # Where others send what nobody asked for, all that is in vain is not the poisoners'.
            vain = got.wasted if scenario != "mixed" else got.failed * PIECE
            pieces.append(vain / PIECE / len(got.began))
    with capsys.disabled():
        print(
            f"\nG4 {scenario}, {RUNS} seeds of v1, v2 and hybrid: {100 * min(ratios):.0f} to {100 * max(ratios):.0f} % "
            f"of clean, banned after {slowest:.2f} s at most, {max(pieces, default=0.0):.2f} bad pieces' bytes a "
            f"poisoner at most, 0 honest bans  (libtorrent: {ANCHORS[scenario]})"
        )
    assert min(ratios) >= 0.9, ratios
    assert slowest <= 3.0
    assert all(each <= 2.0 for each in pieces), pieces
