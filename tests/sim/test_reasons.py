"""Why a download does not move, or not faster: what a person reads is true."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from nodes import make, node, settings
from wildbach.engine.settings import RateSettings
from wildbach.testing.loop import sim
from wildbach.testing.network import Network

PIECE = 65536
MADE = make("v1", {"a": 40 * PIECE, "b": 10 * PIECE}, piece_length=PIECE)


def test_peers_that_lack_what_is_missing_are_counted_with_the_copies_there_are() -> None:
    async def main() -> None:
        network = Network()
        async with node(network, 1) as seed, node(network, 2) as half, node(network, 3) as leech:
            await seed.seed(MADE)
            mine = await half.add(MADE.metainfo, seed.at, select=lambda index, file: index == 0)
            await mine.complete()
            assert mine.view().reason == "", "all that is wanted is there"
            await seed.session.close()
            torrent = await leech.add(MADE.metainfo, half.at)
            await asyncio.sleep(60)
            assert torrent.view().reason == "the connected peer has none of the 10 missing pieces (0.80 copies)"
            async with node(network, 4) as other:
                another = await other.add(MADE.metainfo, half.at, leech.at)
                await asyncio.sleep(60)
                words = "none of the 2 connected peers has any of the 10 missing pieces (0.80 copies)"
                assert another.view().reason == words

    sim(1, until=1e4).run(main())


def test_peers_that_have_it_and_do_not_serve_us_are_counted() -> None:
    async def main() -> None:
        network = Network()
        closed = settings(upload_slots=0)
        async with node(network, 1, closed) as one, node(network, 2, closed) as two, node(network, 3) as leech:
            await one.seed(MADE)
            await two.seed(MADE)
            torrent = await leech.add(MADE.metainfo, one.at, two.at)
            await asyncio.sleep(60)
            assert torrent.view().reason == "2 peers have what is missing here, and none of them serves us yet"

    sim(1, until=1e4).run(main())


def test_peers_that_do_not_answer_are_counted() -> None:
    async def main() -> None:
        network = Network()
        async with node(network, 1) as leech, node(network, 2) as silent:
            at = silent.at
            torrent = await leech.add(MADE.metainfo)
            assert torrent.view().reason == "no peers: there is no tracker"
            await silent.session.close()
            torrent.add_peer(at)
            await asyncio.sleep(30)
            assert torrent.view().reason == "the only known peer does not answer"
            torrent.add_peer(at._replace(port=7000))
            await asyncio.sleep(30)
            assert torrent.view().reason == "none of the 2 known peers answers"

    sim(1, until=1e4).run(main())


def test_a_limit_that_is_reached_is_named_and_one_that_is_not_is_not() -> None:
    async def main() -> None:
        network = Network()
        for own, shared, words in (
            (50_000, 0, "the download limit of this torrent is reached"),
            (0, 50_000, "the download limit of all torrents is reached"),
            (50_000, 60_000, "the download limit of this torrent is reached"), (0, 0, ""),
        ):
            chosen = replace(settings(), rates=RateSettings(down=shared))
            async with node(network, 1, up=100_000) as seed, node(network, 2, chosen) as leech:
                await seed.seed(MADE)
                torrent = await leech.add(MADE.metainfo, seed.at, down_limit=own)
                await asyncio.sleep(15)
                view = torrent.view()
                assert view.down_rate > 1000 and view.reason == words, (own, shared)
                await leech.session.configure(replace(chosen, rates=RateSettings()))
                torrent.set_limits(down=0)
                await asyncio.sleep(5)
                assert torrent.view().reason == "", (own, shared, torrent.view(), torrent.peers())

    sim(1, until=1e4).run(main())
