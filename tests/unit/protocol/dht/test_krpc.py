"""Messages of the DHT: written and read back, and everything that is none is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol.dht import krpc

ID = bytes(range(20))
HASH = bytes(range(20, 40))
ids = st.binary(min_size=20, max_size=20)
tids = st.binary(min_size=1, max_size=8)
ports = st.integers(1, 65535)
four = st.builds(Endpoint, st.ip_addresses(v=4).map(str), ports)
six = st.builds(Endpoint, st.ip_addresses(v=6).filter(lambda a: a.ipv4_mapped is None).map(str), ports)
wants = st.sampled_from([(), (4,), (6,), (4, 6)])
questions = st.one_of(
    st.just(krpc.Ping()), st.builds(krpc.FindNode, ids, wants), st.builds(krpc.GetPeers, ids, wants, st.booleans()),
    st.builds(krpc.Get, ids, wants, st.none() | st.integers(0, 2**62)), st.builds(krpc.Sample, ids, wants),
)


@given(tids, ids, questions, st.booleans())
def test_queries_are_read_as_they_were_written(tid: bytes, node: bytes, question: krpc.Question, ro: bool) -> None:
    found = krpc.decode(krpc.encode_query(tid, node, question, read_only=ro))
    assert isinstance(found, krpc.Query)
    assert (found.tid, found.id, found.question, found.read_only) == (tid, node, question, ro)


@given(tids, ids, st.lists(four, max_size=20), st.lists(st.builds(krpc.NodeInfo, ids, four), max_size=8),
       st.lists(st.builds(krpc.NodeInfo, ids, six), max_size=8), st.none() | st.binary(min_size=1, max_size=20))
def test_replies_are_read_as_they_were_written(
    tid: bytes, node: bytes, values: list[Endpoint], nodes: list[krpc.NodeInfo], nodes6: list[krpc.NodeInfo],
    token: bytes | None,
) -> None:
    reply = krpc.Reply(tid, node, None)._replace(values=values, nodes=nodes, nodes6=nodes6, token=token)
    found = krpc.decode(krpc.encode_reply(reply))
    assert isinstance(found, krpc.Reply)
    assert (found.id, list(found.nodes), list(found.nodes6), found.token) == (node, nodes, nodes6, token)
    assert list(found.values) == values


@pytest.mark.parametrize("data", [
    b"", b"d", b"de", b"le", b"i1e", b"d1:y1:qe", b"d1:t2:aae", b"d1:t2:aa1:y1:xe", b"d1:rdee", b"\x00" * 20,
    b"d1:t2:aa1:y1:re", b"d1:rd2:id19:" + bytes(19) + b"e1:t2:aa1:y1:re", b"d" + b"l" * 200 + b"e" * 201,
])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        krpc.decode(data)


@pytest.mark.parametrize("change", [
    (b"2:id20:", b"2:id19:"), (b"4:ping", b"4:pong1:x"), (b"1:ad2:id", b"1:ali2e2:id"),
])
def test_a_query_that_is_wrong_is_never_taken_for_one(change: tuple[bytes, bytes]) -> None:
    good = krpc.encode_query(b"aa", ID, krpc.Ping())
    try:
        found = krpc.decode(good.replace(*change))
    except FormatError:
        return
    assert not isinstance(found, krpc.Query) or isinstance(found.question, krpc.Unknown)


def test_an_unknown_method_with_a_target_is_answered_like_a_search() -> None:
    raw = krpc.encode_query(b"aa", ID, krpc.FindNode(HASH)).replace(b"9:find_node", b"9:found_you")
    found = krpc.decode(raw)
    assert isinstance(found, krpc.Query) and isinstance(found.question, krpc.Unknown)
    assert found.question.target == HASH


def test_messages_are_bounded() -> None:
    nodes = [krpc.NodeInfo(bytes([n]) * 20, Endpoint("8.8.8.8", 1000 + n)) for n in range(200)]
    with pytest.raises(FormatError, match="KRPC_BYTES"):
        krpc.decode(krpc.encode_reply(krpc.Reply(b"aa", ID, None)._replace(nodes=nodes)))


@given(st.binary(max_size=300))
def test_no_bytes_bring_it_to_fall(data: bytes) -> None:
    for raw in (data, b"d1:rd2:id20:" + data, b"d1:ad2:id20:" + ID + data):
        with contextlib.suppress(FormatError):
            krpc.decode(raw)
