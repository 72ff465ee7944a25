"""Calls outside of all swarms, whatever comes by them."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.engine.roads import Reached
from wildbach.engine.visiting import Visit
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake
from wildbach.testing.loop import sim
from wildbach.testing.network import Network
from wildbach.testing.wire import Wire

SWARM = bytes(range(20))
THEIRS = Handshake(SWARM, b"-XX0000-abcdefghijkl", v2=True).to_bytes()
MOST = 4000


async def meet(parts: list[bytes], *, greets: bytes = THEIRS) -> tuple[list[codec.Event], Exception, int]:
    """What a visit hears of somebody who sends this and ends; why it is over; and bytes that were taken."""
    network = Network()
    here, there = network.host(), network.host()
    wires: list[Wire] = []
    listener = await there.transport.listen(Endpoint(there.address, 6881), lambda one: wires.append(Wire(one)))

    async def call(endpoint: Endpoint, info_hash: bytes, greeting: bytes) -> Reached:
        connection = await here.transport.dial(endpoint)
        while not wires:
            await asyncio.sleep(0.01)
        wires[0].write(greets)
        return Reached(connection, said=False)

    visit = Visit(call, listener.endpoint, SWARM, Random(1), pieces=9, most=MOST)
    events: list[codec.Event] = []
    try:
        async with visit:
            for part in parts:
                wires[0].write(part)
                await asyncio.sleep(0.1)
            wires[0].close()
            while True:
                events.append(await visit.next())
    except (NetworkError, RemoteError, TimeoutError) as error:
        return events, error, visit.received_bytes
    finally:
        listener.close()
        for wire in wires:
            wire.close()


@given(st.lists(st.one_of(
    st.binary(max_size=600),
    st.sampled_from([codec.plain(codec.HAVE_ALL), codec.plain(codec.UNCHOKE), codec.KEEP_ALIVE, codec.have(3),
                     codec.extended(0, b"d1:md6:wb_payi6eee"), codec.extended(0, b"de"), codec.extended(0, b"i1e"),
                     codec.request(1, 2, 3)])), max_size=8))
def test_noise_ends_a_visit_and_nothing_else(parts: list[bytes]) -> None:
    _, error, taken = sim(1).run(meet(parts))
    assert isinstance(error, NetworkError | RemoteError) and taken <= sum(map(len, parts)) + LENGTH


def test_what_is_asked_of_us_and_silence_are_passed_over() -> None:
    sent = [codec.request(0, 0, 16384), codec.KEEP_ALIVE, codec.cancel(0, 0, 16384), codec.plain(codec.UNCHOKE)]
    events, error, _ = sim(1).run(meet(sent))
    assert events == [codec.Unchoke()] and isinstance(error, NetworkError)


def test_more_than_was_to_come_ends_it() -> None:
    events, error, _ = sim(1).run(meet([codec.haves(range(9)) for _ in range(200)]))
    assert isinstance(error, RemoteError) and len(events) <= MOST // 9 + 1


@pytest.mark.parametrize("greets", [
    b"GET / HTTP/1.1\r\n\r\n", Handshake(bytes(20), b"-XX0000-abcdefghijkl").to_bytes(), THEIRS[:40],
])
def test_who_greets_otherwise_or_never_is_left(greets: bytes) -> None:
    events, error, _ = sim(1).run(meet([], greets=greets))
    assert not events and isinstance(error, RemoteError | TimeoutError)
