"""A torrent whose peers are all in the IP filter says so, and calls them when they are not any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from nodes import make, node, settings
from wildbach.engine import events
from wildbach.engine.settings import FilterSettings
from wildbach.testing.loop import sim
from wildbach.testing.network import Network

MADE = make("v1", {"file": 300_000})


def test_why_nothing_moves_where_the_filter_has_all_known_peers(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked.p2p"
    blocked.write_text("them:20.0.0.0-20.0.255.255\n", "ascii")
    chosen = replace(settings(), filter=FilterSettings(sources=(str(blocked),)))

    async def story() -> None:
        network = Network()
        ours = network.host("99.9.9.9")
        async with node(network, 1) as home, node(network, 2, chosen, host=ours) as other:
            await home.seed(MADE)
            told = other.session.subscribe(events.FilterLoaded, events.PeerDropped)
            leech = await other.add(MADE.metainfo, home.at)
            await asyncio.sleep(5)
            assert leech.view().reason == "the only known peer is blocked by the IP filter" and leech.connected == 0
            leech.add_peer(home.at._replace(port=7000))
            assert leech.view().reason == "all 2 known peers are blocked by the IP filter"

            blocked.write_text("nobody:1.1.1.1-1.1.1.1\n", "ascii")
            await other.session.reload_ip_filter()
            assert await anext(told) == events.FilterLoaded(str(blocked), 1, 1, "")
            await leech.complete()
            assert other.holds(MADE)

    sim(1, until=1e4).run(story())


def test_who_is_put_out_by_a_new_list_is_told_apart(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked.p2p"
    blocked.write_text("nobody:1.1.1.1-1.1.1.1\n", "ascii")
    chosen = replace(settings(), filter=FilterSettings(sources=(str(blocked),)))

    async def story() -> None:
        network = Network()
        ours = network.host("99.9.9.9")
        async with node(network, 1, up=10_000) as home, node(network, 2, chosen, host=ours) as other:
            await home.seed(MADE)
            leech = await other.add(MADE.metainfo, home.at)
            await asyncio.sleep(5)
            assert leech.connected
            told = other.session.subscribe(events.PeerDropped)
            blocked.write_text("them:20.0.0.0/16\n20.0.0.0/16\n", "ascii")
            await other.session.reload_ip_filter()
            dropped = await anext(told)
            assert isinstance(dropped, events.PeerDropped) and dropped.reason == "blocked by the IP filter"
            await asyncio.sleep(60)
            assert leech.view().reason == "the only known peer is blocked by the IP filter"

    sim(1, until=1e4).run(story())
