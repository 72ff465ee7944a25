"""Two machines behind routers, and a peer both know that serves nobody: what hole punching (BEP 55) reaches."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import combinations_with_replacement

import pytest

from nodes import make, node, settings
from wildbach.engine.settings import DiscoverySettings
from wildbach.testing.loop import sim
from wildbach.testing.nat import NatKind
from wildbach.testing.network import Network

PAIRS = list(combinations_with_replacement(NatKind, 2))
BLOCKED = {
    (NatKind.PORT_RESTRICTED, NatKind.SYMMETRIC), (NatKind.SYMMETRIC, NatKind.SYMMETRIC),
}
"A symmetric router gives the meeting another port than the one that was told, and the other insists on that."
MADE = make("v1", {"file": 1_300_000})
"More pieces than a choked peer may have of the one in the middle (BEP 6)."


def play(
    seeding: NatKind, leeching: NatKind, seconds: float = 120.0, *, helps: bool = True, utp: str = "fluid",
) -> tuple[bool, dict[str, int], dict[str, int]]:
    """A download between two homes: whether it is complete, and what the leech and the peer in the middle did.

    The seed takes no part in peer exchange: were both told of each other, both would call at the same time by chance.
    """
    async def story() -> tuple[bool, dict[str, int], dict[str, int]]:
        network = Network()
        middle = settings(upload_slots=0)
        if not helps:
            middle = replace(middle, discovery=DiscoverySettings(hole_punching=False))
        async with (
            node(network, 1, middle, utp=utp) as common,
            node(network, 2, settings(pex=False), behind=seeding, utp=utp, up=40_000) as home,
            node(network, 3, behind=leeching, utp=utp) as other,
        ):
            between = await common.add(MADE.metainfo)
            await home.seed(MADE, common.at)
            await asyncio.sleep(5)
            leech = await other.add(MADE.metainfo, common.at)
            whole = True
            try:
                async with asyncio.timeout(seconds):
                    await leech.complete()
            except TimeoutError:
                whole = False
            assert not whole or other.holds(MADE)
            return whole, leech.talk.punch.counts, between.talk.punch.counts

    return sim(1, until=1e6).run(story())


@pytest.mark.parametrize("utp", ["fluid", "real"])
@pytest.mark.parametrize(("seeding", "leeching"), PAIRS)
def test_two_homes_meet_where_their_routers_can(seeding: NatKind, leeching: NatKind, utp: str) -> None:
    """`real`: the streams are made of packets, so what opens the routers are the SYNs of both sides."""
    whole, asked, between = play(seeding, leeching, utp=utp)
    assert whole is ((seeding, leeching) not in BLOCKED)
    if not whole:
        # They were told of each other and called, as often as they may.
        assert asked["called"] and between["relayed"]


def test_where_nobody_helps_restricted_homes_do_not_meet() -> None:
    whole, asked, _ = play(NatKind.PORT_RESTRICTED, NatKind.PORT_RESTRICTED, helps=False)
    assert not whole and asked["called"] == 0


def test_meeting_is_counted_and_needs_the_middle_once() -> None:
    whole, asked, between = play(NatKind.PORT_RESTRICTED, NatKind.ADDRESS_RESTRICTED)
    assert whole and asked["asked"] <= 2 and between["relayed"] <= 2
