"""A DHT of thousands of nodes with churn and loss, and one with far more hostile nodes than honest ones."""

from __future__ import annotations

import os
import statistics
from random import Random

import pytest

from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import krpc
from wildbach.protocol.dht.node import Node, NodeSettings
from wildbach.protocol.dht.operations import LookupResult
from wildbach.protocol.dht.security import make_id
from wildbach.testing.dht import DhtNetwork, Host

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
NODES = int(os.environ.get("WILDBACH_DHT_NODES", "2000"))


def grown(network: DhtNetwork, count: int, *, per_second: float = 40.0) -> list[Host]:
    """Nodes that came one after the other, each by way of the first few."""
    hosts = [network.join()]
    routers = [hosts[0].at]
    for number in range(1, count):
        network.run(1 / per_second)
        hosts.append(network.join(*routers))
        if number == 5:
            routers = [host.at for host in hosts]
    network.run(60.0)
    return hosts


def node_of(host: Host) -> Node:
    assert isinstance(host.node, Node)
    return host.node


def announce(network: DhtNetwork, host: Host, info_hash: bytes, port: int) -> list[LookupResult]:
    over: list[LookupResult] = []
    node_of(host).find_peers(info_hash, network.now, on_peers=lambda _: None, done=over.append, announce=port)
    network.pump(host)
    return over


def search(network: DhtNetwork, host: Host, info_hash: bytes) -> tuple[list[LookupResult], list[Endpoint]]:
    over: list[LookupResult] = []
    found: list[Endpoint] = []
    node_of(host).find_peers(info_hash, network.now, on_peers=found.extend, done=over.append)
    network.pump(host)
    return over, found


@pytest.mark.timeout(400)
def test_lookups_among_thousands_of_nodes_that_come_and_go(capsys: pytest.CaptureFixture[str]) -> None:
    network = DhtNetwork(SEED, loss=0.02, settings=NodeSettings(bytes_per_second=0))
    hosts = grown(network, NODES)
    rng = Random(SEED)
    swarms = [rng.randbytes(20) for _ in range(60)]
    seeds = rng.sample(hosts, len(swarms))
    announced = [announce(network, host, swarm, 6881) for host, swarm in zip(seeds, swarms, strict=True)]
    network.run(30.0)
    took = [over[0].announced for over in announced]
    assert min(took) >= 4, took
    before = sum(host.sent for host in hosts)
    started = network.now
    ended: list[LookupResult] = []
    successes = tries = 0
    others = [host for host in hosts if host not in seeds]
    for _ in range(5):
        # A twentieth of the nodes goes, and as many come.
        for host in rng.sample([host for host in others if host.alive], NODES // 20):
            network.leave(host)
            others.remove(host)
        others += [network.join(*(host.at for host in hosts[:5] if host.alive)) for _ in range(NODES // 20)]
        network.run(30.0)
        waiting = []
        for swarm, seed in zip(swarms, seeds, strict=True):
            waiting.append((search(network, rng.choice(others), swarm), seed))
        network.run(30.0)
        for (over, found), seed in waiting:
            tries += 1
            successes += any(at.host == seed.at.host for at in found)
            ended += over
    share = successes / tries
    hops = statistics.mean(result.hops for result in ended)
    seconds = sorted(result.seconds for result in ended)
    spent = network.now - started
    rate = (sum(host.sent for host in (*hosts, *others)) - before) / len(others) / spent
    with capsys.disabled():
        print(
            f"\nDHT: {NODES} nodes, 2 % loss, a quarter replaced meanwhile: {share:.1%} of {tries} lookups find the "
            f"peer, {hops:.1f} hops, median {statistics.median(seconds):.2f} s, 95 % within "
            f"{seconds[int(0.95 * len(seconds))]:.2f} s; {rate:.0f} bytes a second a node, headers counted"
        )
    assert len(ended) == tries
    assert share >= 0.99


class Sybil:
    """Takes every search for its own: knows only its kind, and peers that do not exist."""

    def __init__(self, node_id: bytes, kind: list[krpc.NodeInfo]) -> None:
        self.id = node_id
        self.kind = kind
        self.outgoing: list[tuple[Endpoint, bytes]] = []
        self.next_tick: float | None = None

    def received(self, remote: Endpoint, data: bytes, now: float) -> bool:
        message = krpc.decode(data)
        if isinstance(message, krpc.Query):
            reply = krpc.Reply(message.tid, self.id, remote, token=b"token", nodes=self.kind[:8])
            if isinstance(message.question, krpc.GetPeers):
                reply = reply._replace(values=[Endpoint("66.66.66.66", 6666)])
            self.outgoing.append((remote, krpc.encode_reply(reply)))
        return True

    def tick(self, now: float) -> None:
        pass


def test_two_thousand_sybils_in_eight_networks_hide_hardly_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    network = DhtNetwork(SEED, settings=NodeSettings(bytes_per_second=0))
    hosts = grown(network, 200)
    rng = Random(SEED)
    swarms = [rng.randbytes(20) for _ in range(10)]
    for number, swarm in enumerate(swarms):
        # 200 sybils for each swarm, with ids that are nearer to it than any honest one.
        kind: list[krpc.NodeInfo] = []
        for index in range(200):
            at = Endpoint(f"{60 + index % 8}.10.20.{1 + index // 8 + 25 * number}", 7000 + index)
            node_id = swarm[:12] + rng.randbytes(8)
            kind.append(krpc.NodeInfo(node_id, at))
        for info in kind:
            sybil = Sybil(info.id, rng.sample(kind, 8))
            host = network.place(sybil, info.endpoint)
            # It makes itself known.
            for honest in rng.sample(hosts, 4):
                sybil.outgoing.append((honest.at, krpc.encode_query(b"zz", info.id, krpc.FindNode(swarm))))
            network.pump(host)
    network.run(120.0)
    seeds = rng.sample(hosts, len(swarms))
    for host, swarm in zip(seeds, swarms, strict=True):
        announce(network, host, swarm, 6881)
    network.run(30.0)
    waiting = []
    for _ in range(20):
        for swarm, seed in zip(swarms, seeds, strict=True):
            waiting.append((search(network, rng.choice([h for h in hosts if h is not seed]), swarm), seed))
        network.run(20.0)
    found = sum(any(at.host == seed.at.host for at in peers) for (_, peers), seed in waiting)
    share = found / len(waiting)
    with capsys.disabled():
        print(f"\nDHT: 200 honest nodes, 2,000 sybils in 8 networks around 10 swarms: {share:.1%} of {len(waiting)} "
              f"lookups find the honest peer")
    assert share >= 0.95


def sybil_ids(kind: str, swarm: bytes, rng: Random) -> list[krpc.NodeInfo]:
    """2,000 nodes in eight networks around one swarm.

    `forged` ids are as near as can be and do not fit their addresses; `fitting` ones do (BEP 42), and are the nearest
    that these addresses allow; `discreet` ones are among the honest ones, not nearer.
    """
    target = int.from_bytes(swarm, "big")
    kinds = []
    for index in range(2000):
        at = Endpoint(f"{60 + index % 8}.10.20.{1 + index // 8}", 7000 + index)
        if kind == "fitting":
            ids = [make_id(at.host, rng, last) for last in range(8)]
            node_id = min(ids, key=lambda each: int.from_bytes(each, "big") ^ target)
        elif kind == "discreet":
            node_id = (target ^ rng.randrange(1 << 150, 1 << 155)).to_bytes(20, "big")
        else:
            node_id = swarm[:12] + rng.randbytes(8)
        kinds.append(krpc.NodeInfo(node_id, at))
    return kinds


@pytest.mark.parametrize("kind", ["forged", "fitting", "discreet"])
def test_two_thousand_sybils_around_one_swarm_hide_hardly_anybody(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network = DhtNetwork(SEED, settings=NodeSettings(bytes_per_second=0))
    hosts = grown(network, 200)
    network.run(600.0)
    rng = Random(SEED)
    swarm = rng.randbytes(20)
    target = int.from_bytes(swarm, "big")
    sybils = sorted(sybil_ids(kind, swarm, rng), key=lambda info: int.from_bytes(info.id, "big") ^ target)
    # The nearest of each network: all of them name these, and these make themselves known to everybody.
    best: dict[str, krpc.NodeInfo] = {}
    for info in sybils:
        best.setdefault(info.endpoint.host.rpartition(".")[0], info)
    for info in sybils:
        sybil = Sybil(info.id, list(best.values()))
        host = network.place(sybil, info.endpoint)
        for honest in hosts if info in best.values() else rng.sample(hosts, 4):
            sybil.outgoing.append((honest.at, krpc.encode_query(b"zz", info.id, krpc.FindNode(swarm))))
        network.pump(host)
    network.run(300.0)
    seeds = rng.sample(hosts, 10)
    for host in seeds:
        announce(network, host, swarm, 6881)
    network.run(30.0)
    searches = []
    for host in (host for host in hosts if host not in seeds):
        searches.append(search(network, host, swarm))
        network.run(1.0)
    network.run(30.0)
    addresses = {host.at.host for host in seeds}
    found = [len(addresses & {peer.host for peer in peers}) for _, peers in searches]
    success = sum(count > 0 for count in found) / len(found)
    share = sum(found) / len(found) / len(seeds)
    asked = statistics.mean(result.queried for over, _ in searches for result in over)
    with capsys.disabled():
        print(f"\nDHT: 200 honest nodes, 2,000 {kind} sybils in 8 networks around one swarm: {success:.1%} of "
              f"{len(found)} lookups find honest peers, {share:.1%} of these peers, {asked:.0f} nodes asked")
    assert success >= 0.95
    assert share >= 0.95


@pytest.mark.parametrize("kind", ["forged", "fitting", "discreet"])
def test_a_young_node_that_sybils_reach_first_finds_honest_peers(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It knows one honest node, and is told of all the sybils before and while it joins; they call it too."""
    network = DhtNetwork(SEED, settings=NodeSettings(bytes_per_second=0))
    hosts = grown(network, 200)
    network.run(600.0)
    rng = Random(SEED)
    swarm = rng.randbytes(20)
    target = int.from_bytes(swarm, "big")
    seeds = rng.sample(hosts, 10)
    for host in seeds:
        announce(network, host, swarm, 6881)
    network.run(30.0)
    sybils = sorted(sybil_ids(kind, swarm, rng), key=lambda info: int.from_bytes(info.id, "big") ^ target)
    best: dict[str, krpc.NodeInfo] = {}
    for info in sybils:
        best.setdefault(info.endpoint.host.rpartition(".")[0], info)
    hostile = [(network.place(sybil, info.endpoint), sybil) for info in sybils
               for sybil in (Sybil(info.id, list(best.values())),)]
    addresses = {host.at.host for host in seeds}
    found, asked, held = [], [], []
    for _ in range(20):
        hints = rng.sample(sybils, len(sybils))
        young = network.join(rng.choice(hosts).at, saved=[(info.id, info.endpoint) for info in hints[:400]])
        node = node_of(young)
        for host, sybil in hostile:
            # It is there before any answer of the honest one.
            sybil.outgoing.append((young.at, krpc.encode_query(b"zz", sybil.id, krpc.FindNode(swarm))))
            network.pump(host)
        for info in hints[400:]:
            node.add_node(info.endpoint)
        network.pump(young)
        network.run(60.0, until=lambda node=node: node.ready)
        held.append(sum(contact.endpoint.port >= 7000 and contact.endpoint.host.split(".")[1:3] == ["10", "20"]
                        for contact in node.table) / max(1, len(node.table)))
        over, peers = search(network, young, swarm)
        network.run(30.0, until=lambda over=over: bool(over))
        assert over
        found.append(len(addresses & {peer.host for peer in peers}))
        asked.append(over[0].queried)
        network.leave(young)
    success = sum(count > 0 for count in found) / len(found)
    share = sum(found) / len(found) / len(seeds)
    with capsys.disabled():
        print(f"\nDHT: young nodes, one honest node known and 2,000 {kind} sybils in 8 networks: {success:.1%} of "
              f"{len(found)} lookups find honest peers, {share:.1%} of these peers, {statistics.mean(asked):.0f} nodes "
              f"asked; {statistics.mean(held):.0%} of the table was sybils when they began")
    assert success >= 0.95
    assert share >= 0.95


def test_the_same_seed_is_the_same_run() -> None:
    traces = set()
    for _ in range(2):
        network = DhtNetwork(SEED, loss=0.05)
        grown(network, 60)
        traces.add(network.trace)
    assert len(traces) == 1
