"""Nodes of the DHT among each other, and what those get who mean no good."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import items, krpc
from wildbach.protocol.dht.guard import HEADERS
from wildbach.protocol.dht.node import Node, NodeSettings
from wildbach.protocol.dht.operations import LookupResult
from wildbach.protocol.dht.security import is_secure, make_id
from wildbach.testing.dht import DhtNetwork, Host

HASH = bytes(range(20))
STRANGER = Endpoint("55.66.77.88", 5555)


def network(count: int = 40, seed: int = 1, **settings: object) -> tuple[DhtNetwork, list[Host]]:
    made = DhtNetwork(seed, settings=NodeSettings(**settings))  # type: ignore[arg-type]
    hosts = [made.join()]
    for _ in range(count - 1):
        made.run(0.2)
        hosts.append(made.join(hosts[0].at))
    made.run(60.0)
    return made, hosts


def node_of(host: Host) -> Node:
    assert isinstance(host.node, Node)
    return host.node


Begin = Callable[[Node, Callable[[LookupResult], None]], object]


def result(net: DhtNetwork, host: Host, begin: Begin) -> LookupResult:
    over: list[LookupResult] = []
    begin(node_of(host), over.append)
    net.pump(host)
    net.run(60.0, lambda: bool(over))
    assert over, "the operation did not end"
    return over[0]


def alone(**settings: object) -> Node:
    node = Node(make_id(None, Random(1)), family=4, rng=Random(2), settings=NodeSettings(**settings), now=0.0)  # type: ignore[arg-type]
    node.bootstrap([], 0.0)
    return node


def ask(node: Node, question: krpc.Question, remote: Endpoint = STRANGER, now: float = 1.0) -> krpc.Message | None:
    """What a node answers to one question from there."""
    node.outgoing.clear()
    node.received(remote, krpc.encode_query(b"qq", bytes(20), question), now)
    answers = [data for to, data in node.outgoing if to == remote and b"1:y1:q" not in data]
    return krpc.decode(answers[0]) if answers else None


def test_a_peer_that_announces_itself_is_found_with_the_port_it_says() -> None:
    net, hosts = network()
    said = result(net, hosts[3], lambda node, done: node.find_peers(
        HASH, net.now, on_peers=lambda _: None, done=done, announce=4321))
    assert said.announced >= 6 and said.peers == 0
    found: list[Endpoint] = []
    heard = result(net, hosts[20], lambda node, done: node.find_peers(HASH, net.now, on_peers=found.extend, done=done))
    assert found == [Endpoint(hosts[3].at.host, 4321)] and heard.peers == 1 and heard.seconds < 10


def test_an_implied_port_is_the_one_the_datagrams_come_from() -> None:
    net, hosts = network()
    result(net, hosts[3], lambda node, done: node.find_peers(
        HASH, net.now, on_peers=lambda _: None, done=done, announce=1, implied=True))
    found: list[Endpoint] = []
    result(net, hosts[20], lambda node, done: node.find_peers(HASH, net.now, on_peers=found.extend, done=done))
    assert found == [hosts[3].at]


def test_a_swarm_is_counted_by_its_filters() -> None:
    net, hosts = network(60)
    for number, host in enumerate(hosts[:30]):
        result(net, host, lambda node, done, seed=number < 10: node.find_peers(  # type: ignore[misc]
            HASH, net.now, on_peers=lambda _: None, done=done, announce=6881, seed=seed))
    counted = result(net, hosts[50], lambda node, done: node.find_peers(
        HASH, net.now, on_peers=lambda _: None, done=done, scrape=True))
    assert counted.seeds is not None and counted.leeches is not None
    assert 7 <= counted.seeds <= 13 and 14 <= counted.leeches <= 26


def test_items_are_put_and_found_and_newer_ones_win() -> None:
    net, hosts = network()
    for seq in (1, 2):
        item = items.signed(bytes(32), b"text %d" % seq, seq, b"salt")
        put = result(net, hosts[1], lambda node, done, item=item: node.put_item(item, net.now, done=done))  # type: ignore[misc]
        assert put.announced >= 6 and put.refused is None
    target = items.target(items.public_key(bytes(32)), b"salt")
    got = result(net, hosts[30], lambda node, done: node.get_item(target, net.now, done=done, salt=b"salt"))
    assert got.item is not None and got.item.value == b"text 2" and got.item.seq == 2
    old = items.signed(bytes(32), b"old", 1, b"salt")
    refused = result(net, hosts[5], lambda node, done: node.put_item(old, net.now, done=done))
    assert refused.refused is not None and refused.refused.code == krpc.OLD_SEQ
    still = result(net, hosts[31], lambda node, done: node.get_item(target, net.now, done=done, salt=b"salt"))
    assert still.item is not None and still.item.seq == 2
    plain = items.immutable([b"a", 1])
    result(net, hosts[2], lambda node, done: node.put_item(plain, net.now, done=done))
    found = result(net, hosts[33], lambda node, done: node.get_item(plain.target, net.now, done=done))
    assert found.item == plain


def test_info_hashes_are_sampled_and_nobody_is_asked_again_too_soon() -> None:
    net, hosts = network()
    for number in range(5):
        result(net, hosts[number], lambda node, done, number=number: node.find_peers(  # type: ignore[misc]
            bytes([number]) * 20, net.now, on_peers=lambda _: None, done=done, announce=1000 + number))
    samples: set[bytes] = set()
    result(net, hosts[20], lambda node, done: node.sample(
        bytes(20), net.now, on_samples=lambda _at, reply: samples.update(reply.samples or ()), done=done))
    assert samples and samples <= {bytes([number]) * 20 for number in range(5)}


def test_from_saved_nodes_the_table_is_usable_within_ten_seconds() -> None:
    net, hosts = network(80)
    saved = node_of(hosts[5]).table.nodes()
    assert len(saved) > 20
    # Half of them are gone by now.
    for host in hosts[40:]:
        net.leave(host)
    began = net.now
    fresh = net.join(saved=list(saved))
    net.run(10.0, lambda: node_of(fresh).ready and len(node_of(fresh).table) >= 8)
    assert node_of(fresh).ready and net.now - began < 10


def test_a_read_only_node_asks_and_answers_nothing() -> None:
    node = alone(read_only=True)
    assert ask(node, krpc.Ping()) is None
    net, hosts = network(20)
    chosen = NodeSettings(read_only=True)
    quiet = Node(make_id("99.1.2.3", Random(5)), family=4, rng=Random(6), settings=chosen, now=net.now)
    quiet.bootstrap([hosts[0].at], net.now)
    at = net.place(quiet, Endpoint("99.1.2.3", 9999))
    net.run(120.0)
    assert len(quiet.table) > 5
    assert all(at.at not in [endpoint for _, endpoint in node_of(host).table.nodes()] for host in hosts)


def test_an_id_that_does_not_fit_is_changed_when_enough_say_what_our_address_is() -> None:
    net, hosts = network(30)
    odd = Node(bytes(20), family=4, rng=Random(7), now=net.now)
    odd.bootstrap([hosts[0].at], net.now)
    net.place(odd, Endpoint("99.1.2.3", 9999))
    net.run(60.0)
    assert odd.external_ip == "99.1.2.3" and is_secure(odd.node_id, "99.1.2.3") and len(odd.table) > 5


def test_a_token_works_from_its_own_address_and_for_ten_minutes_only() -> None:
    node = alone()
    reply = ask(node, krpc.GetPeers(HASH))
    assert isinstance(reply, krpc.Reply) and reply.token
    say = krpc.AnnouncePeer(HASH, 1234, reply.token)
    elsewhere = ask(node, say, Endpoint("55.66.77.89", 5555))
    assert isinstance(elsewhere, krpc.Error) and elsewhere.code == krpc.PROTOCOL
    assert isinstance(ask(node, say), krpc.Reply)
    late = ask(node, say, now=1.0 + limits.DHT_TOKEN_SECONDS + 1)
    assert isinstance(late, krpc.Error)


def test_a_reply_counts_from_whom_was_asked_with_the_number_of_the_question_only() -> None:
    node = alone()
    asked = Endpoint("8.8.8.8", 6881)
    told: list[bool] = []
    node.ping(asked, 1.0, told.append)
    (_, query), = node.outgoing
    question = krpc.decode(query)
    assert isinstance(question, krpc.Query)
    good = krpc.encode_reply(krpc.Reply(question.tid, bytes([1]) * 20))
    node.received(Endpoint("8.8.8.9", 6881), good, 1.1)
    node.received(Endpoint("8.8.8.8", 6882), good, 1.1)
    node.received(asked, krpc.encode_reply(krpc.Reply(b"zzzz", bytes([1]) * 20)), 1.1)
    assert told == [] and len(node.table) == 0
    node.received(asked, good, 1.2)
    node.received(asked, good, 1.3)
    assert told == [True] and len(node.table) == 1


def test_nodes_that_lie_about_where_others_are_do_not_make_us_knock_there() -> None:
    victims = [Endpoint("192.168.1.1", 6881), Endpoint("127.0.0.1", 6881), Endpoint("169.254.169.254", 8080),
               Endpoint("9.9.9.9", 53), Endpoint("224.0.0.1", 6881)]
    node = alone()
    liar = Endpoint("8.8.8.8", 6881)
    node.find_peers(HASH, 1.0, on_peers=lambda _: None, done=lambda _: None)
    node.add_node(liar)
    node.bootstrap([liar], 1.0)
    poison = [krpc.NodeInfo(bytes([n]) * 20, at) for n, at in enumerate(victims)]
    sent: set[Endpoint] = set()
    for second in range(60):
        for to, data in list(node.outgoing):
            sent.add(to)
            query = krpc.decode(data)
            if to == liar and isinstance(query, krpc.Query):
                reply = krpc.Reply(query.tid, bytes([9]) * 20, nodes=poison)
                node.received(liar, krpc.encode_reply(reply), second + 1.5)
        node.outgoing.clear()
        node.tick(second + 2.0)
    assert sent == {liar}


def test_ten_thousand_forged_queries_get_less_than_five_times_their_bytes_and_little_a_second() -> None:
    node = alone()
    rng = Random(3)
    # There is something large to be had: an item of the full size, and a swarm whose filters are longer than all else.
    item = items.immutable(b"x" * 996)
    for number, question in enumerate((krpc.Get(item.target), krpc.GetPeers(HASH))):
        reply = ask(node, question)
        assert isinstance(reply, krpc.Reply) and reply.token is not None
        write = krpc.AnnouncePeer(HASH, 6881, reply.token) if number else krpc.Put(reply.token, item.raw)
        assert isinstance(ask(node, write), krpc.Reply)
    node.outgoing.clear()
    came = left = answers = 0
    scrape = krpc.GetPeers(HASH, (), False, True)
    questions = [krpc.FindNode(HASH), scrape, krpc.Get(item.target), krpc.Get(item.target), krpc.Sample(HASH)]
    for number in range(10_000):
        at = Endpoint(f"{rng.randrange(20, 99)}.{rng.randrange(200)}.{rng.randrange(200)}.7", 4000)
        data = krpc.encode_query(b"qq", rng.randbytes(20), rng.choice(questions))
        came += len(data)
        node.received(at, data, 10.0 + number / 500)
        answers += sum(len(out) for to, out in node.outgoing if to == at and b"1:y1:q" not in out)
        left += sum(len(out) + HEADERS[4] for to, out in node.outgoing)
        node.outgoing.clear()
    # What was put before left some credit.
    assert 0 < answers <= 5 * came + 2000
    assert left <= (20 + 3) * limits.DHT_BYTES_PER_SECOND


def test_a_victim_that_is_named_in_forged_queries_is_answered_fifty_times_in_five_minutes() -> None:
    node = alone()
    answered = 0
    for number in range(10_000):
        answered += ask(node, krpc.FindNode(HASH), now=1.0 + number / 1000) is not None
    assert answered == 50


def test_who_floods_is_not_heard_for_five_minutes() -> None:
    node = alone()
    for number in range(200):
        ask(node, krpc.Ping(), now=1.0 + number / 1000)
    assert ask(node, krpc.Ping(), now=2.0) is None
    assert node.status().blocked == 1
    assert ask(node, krpc.Ping(), now=2.0 + 301) is not None


def test_one_network_has_one_node_in_a_bucket() -> None:
    node = alone()
    for number in range(50):
        at = Endpoint(f"8.8.8.{number + 1}", 6881)
        node.ping(at, 1.0)
        for to, data in list(node.outgoing):
            query = krpc.decode(data)
            if to == at and isinstance(query, krpc.Query):
                node.received(at, krpc.encode_reply(krpc.Reply(query.tid, bytes([255 - number]) + bytes(19))), 1.1)
        node.outgoing.clear()
    assert 1 <= len(node.table) <= 8


def test_what_is_not_of_the_dht_is_left_to_others() -> None:
    node = alone()
    for data in (b"", b"\x01\x00" + bytes(18), b"hello", b"de", b"d1:a"):
        assert node.received(STRANGER, data, 1.0) is False
    assert node.received(Endpoint("2001:4860::1", 6881), krpc.encode_query(b"a", HASH, krpc.Ping()), 1.0) is False


@pytest.mark.parametrize("port", [0, 22, 1023])
def test_nobody_is_answered_at_a_port_of_another_service(port: int) -> None:
    assert ask(alone(), krpc.Ping(), Endpoint("55.66.77.88", port)) is None


def test_a_node_that_only_a_proxy_can_look_up_is_met_at_the_address_it_answers_from() -> None:
    node = alone()
    node.outgoing.clear()
    named = Endpoint("router.example", 6881)
    node.bootstrap([named], 0.0)
    asked = [data for to, data in node.outgoing if to == named]
    assert len(asked) == 1
    question = krpc.decode(asked[0])
    assert isinstance(question, krpc.Query)
    node.received(STRANGER, krpc.encode_reply(krpc.Reply(b"zzzz", bytes([1]) * 20)), 0.1)
    assert len(node.table) == 0, "the number of the question counts"
    node.outgoing.clear()
    node.received(STRANGER, krpc.encode_reply(krpc.Reply(question.tid, bytes([1]) * 20)), 0.2)
    assert [contact.endpoint for contact in node.table] == [STRANGER]
    assert STRANGER in [to for to, _ in node.outgoing], "and it is asked for our own id"


@pytest.mark.parametrize(("name", "answers_from", "taken"), [
    ("router.example", Endpoint("20.1.2.3", 53), False), ("router.example", Endpoint("20.1.2.3", 1024), True),
    ("router.example", Endpoint("169.254.1.2", 6881), False), ("router.example", Endpoint("127.0.0.1", 6881), False),
    ("router.example", Endpoint("192.168.1.1", 6881), False), ("router.lan", Endpoint("192.168.1.1", 6881), True),
    ("router.lan", Endpoint("127.0.0.1", 6881), False), ("localhost", Endpoint("127.0.0.1", 6881), True),
])
def test_whom_a_name_leads_to_is_no_other_service_and_no_nearer_than_the_name_says(
    name: str, answers_from: Endpoint, taken: bool,
) -> None:
    node = alone()
    node.outgoing.clear()
    node.bootstrap([Endpoint(name, 6881)], 0.0)
    question = krpc.decode(next(data for to, data in node.outgoing if to.host == name))
    assert isinstance(question, krpc.Query)
    node.received(answers_from, krpc.encode_reply(krpc.Reply(question.tid, bytes([1]) * 20)), 0.1)
    assert [contact.endpoint for contact in node.table] == [answers_from][: int(taken)]
