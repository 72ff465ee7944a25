"""Nodes that were put around a target, and how a search gets past them."""

from __future__ import annotations

from random import Random

from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import krpc
from wildbach.protocol.dht.introductions import Introductions
from wildbach.protocol.dht.lookup import Lookup, crowded
from wildbach.protocol.dht.node import Node
from wildbach.protocol.dht.rpc import Rpc
from wildbach.protocol.dht.security import make_id
from wildbach.protocol.dht.table import Table

TARGET = bytes(20)
SPREAD = 1 << 152
"How far from each other nodes are here: the eighth nearest is at eight times this."


def near(distance: int) -> bytes:
    return distance.to_bytes(20, "big")


class Crowd:
    """A search for TARGET among nodes at these distances: everybody replies, and names the eight nearest."""

    def __init__(self, honest: list[int], sybils: list[int], expected: int | None) -> None:
        self.rpc = Rpc(make_id(None, Random(1)), 4, Random(2), 0, False)
        nodes = [krpc.NodeInfo(near(d), Endpoint(f"10.0.{number}.1", 2000)) for number, d in enumerate(honest)]
        nodes += [krpc.NodeInfo(near(d), Endpoint(f"10.9.{number}.1", 2000)) for number, d in enumerate(sybils)]
        self.nodes = {node.endpoint: node for node in nodes}
        self.asked: list[Endpoint] = []
        self.lookup = Lookup(
            self.rpc, 4, TARGET, krpc.GetPeers(TARGET), on_reply=None, done=lambda _lookup, _now: None, now=0.0,
            expected=expected)
        self.lookup.start(nodes, [], 0.0)
        while self.rpc.outgoing:
            remote, data = self.rpc.outgoing.pop(0)
            query = krpc.decode(data)
            assert isinstance(query, krpc.Query)
            self.asked.append(remote)
            call = self.rpc.expects(remote, query.tid)
            assert call is not None
            call.asker.replied(call, krpc.Reply(query.tid, self.nodes[remote].id, token=b"t"), 1.0)

    def honest(self, endpoints: list[Endpoint]) -> int:
        return sum(at.host.startswith("10.0.") for at in endpoints)

    @property
    def places(self) -> list[Endpoint]:
        return [candidate.endpoint for candidate in self.lookup.places]


HONEST = [SPREAD * number for number in range(1, 60)]


def test_without_sybils_a_search_asks_the_eight_and_few_more() -> None:
    search = Crowd(HONEST, [], 8 * SPREAD)
    assert search.lookup.finished and len(search.places) == 8
    assert 8 <= len(search.asked) <= 8 + 5


def test_eight_nodes_that_are_nearer_than_chance_are_asked_and_do_not_count() -> None:
    search = Crowd(HONEST, [number + 1 for number in range(8)], 8 * SPREAD)
    assert len(search.places) == 8 and search.honest(search.places) == 8


def test_eight_nodes_as_near_as_honest_ones_are_do_not_keep_us_from_these() -> None:
    sybils = [SPREAD * 6 // 10 + SPREAD // 3 * number for number in range(8)]
    assert not crowded(sybils, 8 * SPREAD)
    search = Crowd(HONEST, sybils, 8 * SPREAD)
    assert search.honest(search.places) >= 7
    assert search.honest(Crowd(HONEST, sybils, None).places) < 5


def test_a_search_stays_small_where_the_dht_is_thought_to_be_tiny() -> None:
    search = Crowd(HONEST, [], 1 << 159)
    assert len(search.asked) <= 3 * 8 + 5 and len(search.places) <= 16


def test_one_network_has_one_place_among_those_who_wait_and_neighbours_come_first() -> None:
    own = bytes(20)
    table, waiting = Table(own), Introductions()
    for number in range(8):
        table.replied(bytes([128 + number]) + bytes(19), Endpoint(f"20.1.{number}.1", 2000), 0.1, 0.0)
    for number in range(200):
        waiting.add(Endpoint(f"30.1.1.{number + 1}", 2000), bytes([200]) + near(number)[1:], table)
    assert len(waiting) == 1 and not waiting.urgent
    neighbour = Endpoint("40.1.1.1", 2000)
    waiting.add(neighbour, near(5), table)
    assert waiting.urgent and waiting.next(table) == neighbour
    assert waiting.next(table) == Endpoint("30.1.1.1", 2000)
    assert waiting.next(table) is None


def test_an_answer_names_others_beside_a_crowd() -> None:
    rng = Random(4)
    node = Node(bytes([255]) * 20, family=4, rng=rng, now=0.0)
    for number, distance in enumerate([*HONEST, *range(1, 9)]):
        node.table.replied(near(distance), Endpoint(f"10.0.{number}.1", 2000), 0.1, 0.0)
    # The neighbourhood of the node itself is as dense as that of the target.
    for number in range(1, 9):
        node.table.replied(
            (node.table.own ^ (number * SPREAD)).to_bytes(20, "big"), Endpoint(f"10.1.{number}.1", 2000), 0.1, 0.0)
    named = node.closest(0)
    assert len(named) == 8
    assert sum(int.from_bytes(info.id, "big") > 8 for info in named) >= 5
