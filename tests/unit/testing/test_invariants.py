"""Each invariant of a session trips over a fault that is planted for it, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wildbach.base import limits
from wildbach.engine.peer import Peer
from wildbach.engine.swarm import Content
from wildbach.testing.content import content
from wildbach.testing.invariants import check
from wildbach.testing.loop import sim
from wildbach.testing.swarm import Link, Node, Swarm

Plant = Callable[[Node, Content, Peer], Callable[[], None]]
"Breaks something, and returns how to mend it, so that the run can end in peace."


def _put(thing: object, name: str, value: object) -> Callable[[], None]:
    old = getattr(thing, name)
    setattr(thing, name, value)
    return lambda: setattr(thing, name, old)


def _uploads(peer: Peer, piece: int) -> Callable[[], None]:
    peer.uploads.add(piece, 0, 16384)
    return peer.uploads.clear


def _count(node: Node, content: Content, peer: Peer) -> Callable[[], None]:
    content.picker.availability.have(0)
    return lambda: content.picker.availability.remove(1 << (content.picker.width - 1))


def _twice(node: Node, content: Content, peer: Peer) -> Callable[[], None]:
    journal = node.torrent.holdings.journal  # type: ignore[union-attr]  # it is open
    journal.durable, old = content.picker.have, journal.durable
    back = _put(journal, "pending", journal.pending | content.picker.have)

    def mend() -> None:
        journal.durable = old
        back()

    return mend


PLANTED: dict[str, tuple[Plant, str]] = {
    "had, and nobody wrote it": (
        lambda node, content, peer: _put(content.picker, "have", content.picker.full),
        "neither durable nor on its way"),
    "claimed, and not had": (
        lambda node, content, peer: _put(node.torrent.holdings.journal, "pending", content.picker.full),  # type: ignore[union-attr]
        "claimed that is not had"),
    "durable, and waits to be": (_twice, "durable and waits to be"),
    "told to peers, and not had": (
        lambda node, content, peer: _put(node.torrent.life, "_has_bits", bytearray(b"\xff" * 8)), "may ask for"),
    "outstanding blocks counted wrong": (
        lambda node, content, peer: _put(peer.owed, "blocks", peer.owed.blocks + 1), "counted as"),
    "more asked than owed": (
        lambda node, content, peer: _put(peer.owed, "runs", type(peer.owed.runs)()), "nobody owes them"),
    "availability counted wrong": (_count, "counts of who has what"),
    "a bucket far in debt": (
        lambda node, content, peer: _put(node.session._shared.down, "tokens", -1e9), "in debt"),
    "to be sent, and not here": (
        lambda node, content, peer: _uploads(peer, content.picker.count - 1), "which is not here"),
    "noise that was let pass": (
        lambda node, content, peer: _put(peer, "noise", limits.NOISE + 1), "messages of noise"),
    "too much suggested": (lambda node, content, peer: _put(peer, "suggested", [1] * 17), "suggested"),
    "late below nothing": (lambda node, content, peer: _put(peer, "late", -1), "late blocks"),
    "a queue of requests without end": (
        lambda node, content, peer: _put(peer, "uploads", [(0, 0, 1)] * 400_000), "requests wait"),
    "a piece that waits and is open": (
        lambda node, content, peer: _put(content.picker, "_levels", [content.picker.full]),
        "waits that is had or open"),
    "a wanted piece in no set": (lambda node, content, peer: _put(content.picker, "_levels", [0]), "in no set"),
    "unasked blocks counted wrong": (
        lambda node, content, peer: _put(content.picker, "unasked", content.picker.full), "unasked blocks is wrong"),
    "memory counted wrong": (
        lambda node, content, peer: _put(node.session._shared.pool, "reserved", 12345), "bytes are reserved"),
    "a bug that was survived": (
        lambda node, content, peer: _put(node.session, "internal_errors", 1), "internal errors"),
}


@pytest.mark.parametrize("fault", list(PLANTED))
def test_a_planted_fault_trips_an_invariant(fault: str) -> None:
    plant, text = PLANTED[fault]
    what = content(64 * 65536, 65536)

    async def main() -> None:
        async with Swarm(what, watch=False) as swarm:
            await swarm.seed(Link(3e5))
            await swarm.leech(Link(3e5))
            node = swarm.nodes[1]
            inside = node.torrent.content
            while inside is None or inside.picker.have.bit_count() <= 5 or inside.downloads.in_hand:
                await swarm.sleep(0.1)
                inside = node.torrent.content
            peer = next(iter(node.torrent.swarm.peers.values()))
            while not peer.owed.blocks or inside.downloads.in_hand:
                await swarm.sleep(0.05)
            check(node.session)
            mend = plant(node, inside, peer)
            with pytest.raises(AssertionError, match=text):
                check(node.session)
            mend()
            check(node.session)

    sim().run(main())
