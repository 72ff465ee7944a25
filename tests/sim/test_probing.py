"""Probes of seeds, honest and others, by a stranger who is in no swarm."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.seedbed import caller, giving, info_of

from wildbach.base.errors import FormatError, NetworkError
from wildbach.base.ids import Endpoint
from wildbach.engine.probing import Probed, Why, plan, probe
from wildbach.protocol.ext import handshake as extensions
from wildbach.protocol.wire import codec
from wildbach.testing.content import Content, content
from wildbach.testing.loop import sim, simloop
from wildbach.testing.peers import Peer, Script, stall
from wildbach.testing.swarm import Link, Swarm

MIB = 1 << 20
RATE = 400_000
MADE = content(6 * MIB + 12_345, 1 << 18, kind="v2")


async def look(swarm: Swarm, at: Endpoint, *, rate: int = RATE, seed: int = 1) -> Probed:
    host = swarm.network.host()
    return await probe(caller(host), at, info_of(swarm.content), rate, Random(seed), simloop().time)


def of_script(
    script: Script, *, rate: int = RATE, made: Content = MADE, up: float = 2e6,
) -> tuple[Probed, Counter[str]]:
    async def main() -> tuple[Probed, Counter[str]]:
        async with Swarm(made) as swarm:
            tally = await swarm.scripted_peer(script, Link(up))
            return await look(swarm, swarm.scripted[0], rate=rate), tally

    return sim(1).run(main())


@pytest.mark.parametrize("kind", ["v2", "hybrid"])
def test_a_session_that_seeds_passes(kind: str) -> None:
    made = content(6 * MIB + 12_345, 1 << 18, kind="v2" if kind == "v2" else "hybrid")

    async def main() -> None:
        async with Swarm(made) as swarm:
            node = await swarm.seed(Link(1e6))
            found = await look(swarm, node.endpoint)
            assert found.passed and found.size >= RATE
            assert found.rate > RATE

    sim(1).run(main())


def test_a_session_that_is_slower_than_agreed_fails() -> None:
    async def main() -> None:
        async with Swarm(MADE) as swarm:
            node = await swarm.seed(Link(1e5))
            assert (await look(swarm, node.endpoint)).why is Why.SLOW

    sim(1).run(main())


def test_a_session_that_has_not_all_fails() -> None:
    async def main() -> None:
        async with Swarm(MADE) as swarm:
            node = await swarm.leech(Link(1e6))
            assert (await look(swarm, node.endpoint)).why in (Why.INCOMPLETE, Why.CHOKED)

    sim(1).run(main())


def test_nobody_there_fails() -> None:
    async def main() -> None:
        async with Swarm(MADE) as swarm:
            at = Endpoint(swarm.network.host().address, 6881)
            assert (await look(swarm, at)).why is Why.UNREACHABLE

    sim(1).run(main())


def test_an_honest_script_passes_and_every_file_size_is_looked_at() -> None:
    found, tally = of_script(giving())
    assert found.passed and tally["hash_requests"] > 2
    for size in (1, 16_384, 16_385, 40_000, 262_144, 262_145):
        found, _ = of_script(giving(), made=content(size, 1 << 15, kind="v2"))
        assert found.passed, (size, found)


@pytest.mark.parametrize(("script", "why"), [
    (giving(hash_requests="reject"), Why.NO_HASHES),
    (giving(hash_requests="silence"), Why.NO_HASHES),
    (giving(hash_requests="lie"), Why.FALSE),
    (giving(false=0.2), Why.FALSE),
    (giving(lost=12), Why.INCOMPLETE),
    (giving(unchokes=False), Why.CHOKED),
    (giving(unasked=True), Why.BROKE),
    (stall, Why.ENDED),
])
def test_who_does_not_serve_fails(script: Script, why: Why) -> None:
    found, _ = of_script(script)
    assert found.why is why


def test_a_throttled_script_fails() -> None:
    assert of_script(giving(), up=RATE / 3)[0].why is Why.SLOW


def test_noise_ends_in_bounded_time_and_bytes() -> None:
    async def noise(peer: Peer) -> None:
        await peer.claim_all()
        while True:
            peer.wire.write(peer.rng.randbytes(4096))
            await peer.wire.drain()

    async def haves(peer: Peer) -> None:
        await peer.claim_all()
        while True:
            peer.wire.write(codec.haves([1] * 4096))
            await peer.wire.drain()

    async def main() -> None:
        async with Swarm(MADE) as swarm:
            for number, script in enumerate((noise, haves)):
                await swarm.scripted_peer(script, Link(2e6))
                begun = simloop().time()
                found = await look(swarm, swarm.scripted[number])
                assert found.why is Why.BROKE and simloop().time() - begun < 300

    sim(1).run(main())


def test_a_probe_says_nothing_of_money_and_has_a_fresh_id_each_time() -> None:
    heard: list[bytes] = []

    async def main() -> None:
        async with Swarm(MADE) as swarm:
            await swarm.scripted_peer(giving(heard=heard), Link(2e6))
            for seed in (1, 2):
                assert (await look(swarm, swarm.scripted[0], seed=seed)).passed

    sim(1).run(main())
    ids, says = [one for one in heard if len(one) == 20], [one for one in heard if len(one) != 20]
    assert len(set(ids)) == 2 and len(says) == 2
    for payload in says:
        greeting = extensions.parse(payload)
        assert greeting.pays is None and b"wb_pay" not in payload
        assert greeting.client.startswith("wildbach")


def test_places_differ_and_reach_everything() -> None:
    info = info_of(MADE)
    seen = {block[0] for seed in range(400) for spot in plan(info, RATE, Random(seed))
            for block in spot.blocks(info.piece_length)}
    assert seen == set(range(info.geometry.piece_count))
    assert plan(info, RATE, Random(1)) != plan(info, RATE, Random(2))


def test_a_torrent_of_v1_cannot_be_probed() -> None:
    with pytest.raises(FormatError):
        plan(info_of(content(MIB)), RATE, Random(1))


def test_a_session_calls_for_a_probe_as_for_its_peers() -> None:
    async def main() -> None:
        async with Swarm(MADE) as swarm:
            node, other = await swarm.seed(Link(1e6)), await swarm.leech(Link(1e6))
            found = await probe(
                other.session.call, node.endpoint, info_of(MADE), RATE // 4, Random(3), simloop().time)
            assert found.passed
            with pytest.raises(NetworkError):
                await other.session.call(Endpoint("10.99.99.99", 1), MADE.swarm, b"")

    sim(1).run(main())
