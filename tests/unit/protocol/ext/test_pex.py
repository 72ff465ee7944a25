import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.protocol import bencode
from wildbach.protocol.ext import pex
from wildbach.protocol.ext.pex import PexMessage, PexPeer, PexReceiver, PexSender, Recent

ENDPOINTS = st.builds(Endpoint, st.ip_addresses().map(str), st.integers(1, 65535))


def v4(number: int, port: int = 6881) -> Endpoint:
    return Endpoint(f"10.0.{number >> 8}.{number & 255}", port)


def many(count: int) -> dict[Endpoint, int]:
    return {v4(n): 0 for n in range(count)}


def test_both_families_and_flags_survive_the_wire() -> None:
    message = PexMessage(
        (PexPeer(Endpoint("1.2.3.4", 5), pex.SEED), PexPeer(Endpoint("2600::1", 6), pex.REACHABLE | pex.UTP)),
        (Endpoint("9.9.9.9", 9), Endpoint("2600::2", 7)),
    )
    assert pex.decode(memoryview(pex.encode(message))) == message


def test_the_wire_form_is_compact() -> None:
    wire = pex.encode(PexMessage((PexPeer(Endpoint("1.2.3.4", 0x1A0A), 2),), ()))
    assert wire == b"d5:added6:\x01\x02\x03\x04\x1a\x0a7:added.f1:\x02e"


def test_no_more_than_the_limit_is_read() -> None:
    message = pex.decode(pex.encode(PexMessage(tuple(PexPeer(v4(n)) for n in range(70)), ())), 50)
    assert len(message.added) == 50 and message.skipped == 20


def test_doubles_port_zero_and_contradictions_are_left_out() -> None:
    one = b"\x01\x02\x03\x04\x00\x05"
    lists = {b"added": one + one + one[:4] + b"\0\0", b"added.f": b"\x02", b"dropped": one}
    message = pex.decode(bencode.encode({**lists}))
    assert message.added == (PexPeer(Endpoint("1.2.3.4", 5), 2),) and message.dropped == ()


@pytest.mark.parametrize(
    "payload", [b"", b"i1e", b"d5:addedi1ee", b"d5:added5:aaaaae", b"d8:dropped617:" + b"a" * 17 + b"e"]
)
def test_broken_lists_are_format_errors(payload: bytes) -> None:
    with pytest.raises(FormatError):
        pex.decode(payload)


@given(st.lists(st.builds(PexPeer, ENDPOINTS, st.integers(0, 255)), max_size=20, unique_by=lambda p: p.endpoint))
def test_any_peers_survive_the_wire(peers: list[PexPeer]) -> None:
    assert sorted(pex.decode(pex.encode(PexMessage(tuple(peers)))).added) == sorted(
        PexPeer(p.endpoint, p.flags) for p in peers
    )


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_format_error(data: bytes) -> None:
    try:
        pex.decode(data)
        pex.decode(b"d5:added" + data)
    except FormatError:
        pass


def test_a_peer_is_told_differences_once_a_minute() -> None:
    sender = PexSender()
    connected = many(3)
    first = sender.message(0.0, connected, v4(0))
    assert first is not None and [p.endpoint for p in first.added] == [v4(1), v4(2)] and not first.dropped
    del connected[v4(1)]
    assert sender.message(59.0, connected) is None
    second = sender.message(60.0, connected, v4(0))
    assert second == PexMessage((), (v4(1),))
    assert sender.message(120.0, connected, v4(0)) is None  # nothing changed
    connected[v4(9)] = pex.SEED
    assert sender.message(121.0, connected, v4(0)) == PexMessage((PexPeer(v4(9), pex.SEED),))


def test_where_few_are_connected_those_we_left_are_named_once() -> None:
    recent, sender = Recent(), PexSender()
    recent.add(v4(7), pex.SEED)
    connected = many(2)
    first = sender.message(0.0, connected, v4(0), recent=recent)
    assert first == PexMessage((PexPeer(v4(1)), PexPeer(v4(7), pex.SEED)))
    # It is not connected: with the next message it goes.
    assert sender.message(60.0, connected, v4(0), recent=recent) == PexMessage((), (v4(7),))
    assert sender.message(120.0, connected, v4(0), recent=recent) is None
    recent.add(v4(7), pex.SEED)
    again = sender.message(180.0, connected, v4(0), recent=recent)
    assert again == PexMessage((PexPeer(v4(7), pex.SEED),))


def test_where_many_are_connected_or_too_many_were_left_they_are_not_named() -> None:
    recent = Recent()
    for number in range(100, 160):
        recent.add(v4(number), 0)
    assert list(recent.since(0, many(3))) == [v4(number) for number in range(135, 160)]
    assert recent.since(0, many(25)) == {} and recent.since(recent.number, {}) == {}
    recent.discard(v4(159))
    assert v4(159) not in recent.since(0, {})


def test_a_large_swarm_is_told_in_parts_of_fifty() -> None:
    sender, connected = PexSender(), many(120)
    told: list[Endpoint] = []
    for minute in range(3):
        message = sender.message(60.0 * minute, connected)
        assert message is not None and len(message.added) <= 50
        told += [p.endpoint for p in message.added]
    assert told == list(connected)
    gone = sender.message(180.0, {})
    assert gone is not None and len(gone.dropped) == 50


@given(st.lists(st.dictionaries(st.integers(0, 8).map(v4), st.just(0)), max_size=8))
def test_following_all_messages_gives_the_connected_peers(rounds: list[dict[Endpoint, int]]) -> None:
    sender = PexSender()
    known: dict[Endpoint, int] = {}
    for minute, connected in enumerate(rounds):
        message = sender.message(60.0 * minute, connected)
        if message is not None:
            added = [p.endpoint for p in message.added]
            assert not set(added) & set(message.dropped)
            for endpoint in message.dropped:
                del known[endpoint]
            for endpoint in added:
                assert endpoint not in known
                known[endpoint] = 0
        assert known.keys() == connected.keys()


def wire(count: int, start: int = 0) -> bytes:
    return pex.encode(PexMessage(tuple(PexPeer(v4(start + n)) for n in range(count))))


def test_a_receiver_takes_fifty_endpoints_a_minute() -> None:
    receiver = PexReceiver()
    assert len(receiver.receive(0.0, wire(100)).added) == 50
    assert len(receiver.receive(60.0, wire(100, 100)).added) == 50
    assert receiver.strikes == 0  # honest clients send a hundred at once
    assert len(receiver.receive(70.0, wire(30, 300)).added) == 0
    assert receiver.strikes == 1


def test_a_flood_of_messages_ends_in_an_error() -> None:
    receiver = PexReceiver()
    taken = 0
    with pytest.raises(RemoteError):
        for n in range(100):
            taken += len(receiver.receive(float(n), wire(20, n * 20)).added)
    assert taken <= 50


def test_a_flood_of_endpoints_ends_in_an_error() -> None:
    receiver = PexReceiver()
    with pytest.raises(RemoteError):
        for n in range(10):
            assert len(receiver.receive(60.0 * n, wire(1000, n * 1000)).added) == (50 if n < 4 else 0)


def test_one_peer_is_not_believed_to_be_connected_to_the_whole_world() -> None:
    receiver = PexReceiver()
    taken = [len(receiver.receive(60.0 * n, wire(50, n * 50)).added) for n in range(6)]
    assert taken == [50, 50, 50, 50, 0, 0]
    # Who leaves makes room.
    gone = pex.encode(PexMessage((), tuple(v4(n) for n in range(30))))
    receiver.receive(400.0, gone)
    assert len(receiver.receive(460.0, wire(50, 1000)).added) == 30


def test_several_ports_of_one_address_count_once() -> None:
    message = PexMessage(tuple(PexPeer(Endpoint("9.9.9.9", port)) for port in range(2000, 2020)))
    assert PexReceiver().receive(0.0, pex.encode(message)).added == (PexPeer(Endpoint("9.9.9.9", 2000)),)


def test_the_first_message_may_be_long() -> None:
    receiver = PexReceiver()
    receiver.receive(0.0, wire(1000))
    assert receiver.strikes == 0
