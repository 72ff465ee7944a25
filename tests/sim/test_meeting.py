"""Devices that share a secret meet at the doors of sessions; who has none sees a client without that torrent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nodes import Node, done, make, node, settings
from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.ids import Endpoint
from wildbach.engine.meeting import Meetings
from wildbach.engine.settings import ConnectionSettings
from wildbach.net.meeting import Met
from wildbach.net.transport import Connection
from wildbach.protocol.peer_id import new_peer_id
from wildbach.protocol.sync.opening import MeetingKeys, greeting
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network
from wildbach.testing.wire import Wire

SECRET = bytes(range(32))


class Device:
    """Meetings of one session, and who came."""

    def __init__(self, scope: Scope, on: Node, seed: int) -> None:
        self.static = X25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.met: list[Met[str]] = []
        self.bugs: list[Exception] = []
        self.at = on.at
        self.meetings = Meetings[str](
            scope, on.session.door, on.session.call, self.static, Random(seed), self.met.append, self.bugs.append)

    @property
    def public(self) -> bytes:
        return self.static.public_key().public_bytes_raw()


async def first(device: Device) -> Met[str]:
    while not device.met:
        await asyncio.sleep(0.01)
    return device.met.pop(0)


@pytest.mark.parametrize(("theirs", "ours", "kind"), [
    ("off", "off", "memory+noise"), ("prefer", "prefer", "memory+rc4+noise"),
    ("require", "require", "memory+rc4+noise"), ("off", "prefer", "memory+noise"),
])
def test_two_devices_meet_also_where_connections_are_encrypted_before(theirs: str, ours: str, kind: str) -> None:
    async def main() -> None:
        network = Network()
        async with (
            node(network, 1, settings(encryption=theirs)) as far, node(network, 2, settings(encryption=ours)) as near,
            Scope("devices") as scope,
        ):
            one, other = Device(scope, near, 1), Device(scope, far, 2)
            one.meetings.hello, other.meetings.hello = b"I am one", b"I am other"
            for device in (one, other):
                device.meetings.put("folder", SECRET)
            met = await one.meetings.call(other.at, "folder")
            back = await first(other)
            assert met.connection.kind == kind == back.connection.kind
            assert (met.opened.device, back.opened.device) == (other.public, one.public)
            assert met.opened.hash == back.opened.hash
            assert (met.opened.hello, back.opened.hello) == (b"I am other", b"I am one")
            assert (met.opened.name, back.opened.name) == ("folder", "folder")
            near_wire, far_wire = Wire(met.connection), Wire(back.connection)
            near_wire.write(b"through")
            far_wire.write(b"and back")
            assert await far_wire.read(7) == b"through" and await near_wire.read(8) == b"and back"
            assert not one.bugs + other.bugs and other.meetings.refused == 0
            near_wire.close()
            await far_wire.wait_closed()

    sim(1, until=60).run(main())


def test_connections_of_devices_count_and_end_with_the_network() -> None:
    async def main() -> None:
        network = Network()
        few = replace(settings(), connections=ConnectionSettings(listen=("0.0.0.0:6881",), most=2))
        async with node(network, 1, few) as far, node(network, 2, few) as near, Scope("devices") as scope:
            one, other = Device(scope, near, 1), Device(scope, far, 2)
            for device in (one, other):
                device.meetings.put("folder", SECRET)
            room = near.session._room, far.session._room
            mine = [await one.meetings.call(other.at, "folder")]
            theirs = [await first(other)]
            assert room[0]() and room[1]()
            mine.append(await one.meetings.call(other.at, "folder"))
            theirs.append(await first(other))
            assert not room[0]() and not room[1]()
            wires = [Wire(each.connection) for each in (*mine, *theirs)]
            wires[0].close()
            await wires[2].wait_closed()
            assert room[0]() and room[1]()
            near.session.network_went(NetworkError("the interface is away"))
            await wires[1].wait_closed()
            assert "away" in str(wires[1].error)
            await wires[3].wait_closed()

    sim(9, until=60).run(main())


async def seen(network: Network, target: Node, says: bytes, *, more: bytes = b"") -> tuple[bytes, str, float]:
    """What somebody sees who says this: bytes, how it ends, and after how long."""
    prober = network.host()
    began = simloop().time()
    wire = Wire(await prober.transport.dial(target.at))
    wire.write(says)
    if more:
        await asyncio.sleep(1.0)
        wire.write(more)
    out = await wire.read_all()
    wire.close()
    return out, str(wire.error), round(simloop().time() - began, 3)


def test_a_prober_sees_a_client_that_does_not_have_the_torrent() -> None:
    async def main() -> None:
        network = Network()
        overheard = greeting(MeetingKeys.of(SECRET), new_peer_id(Random(7)))
        probes = [
            Handshake(bytes(20), new_peer_id(Random(3))).to_bytes(),
            greeting(MeetingKeys.of(bytes(32)), new_peer_id(Random(4))),
            overheard,
            b"garbage that is no handshake at all" * 4,
            overheard[:40],
        ]
        async with (
            node(network, 1, settings()) as plain, node(network, 2, settings()) as syncs, Scope("device") as scope,
        ):
            device = Device(scope, syncs, 2)
            device.meetings.put("folder", SECRET)
            # The real device that was listened to has been here.
            genuine = Wire(await network.host().transport.dial(syncs.at))
            genuine.write(overheard)
            assert parse(await genuine.read(LENGTH)).info_hash == overheard[28:48]
            genuine.close()
            for probe in probes:
                said, error, seconds = await seen(network, syncs, probe)
                assert (said, error) == (b"", "the peer closed the connection")
                usual = await seen(network, plain, probe)
                assert (said, error) == usual[:2]
                assert abs(seconds - usual[2]) <= 1.0  # sessions look once a second who took too long
            assert not device.met and not device.bugs

    sim(2, until=200).run(main())


def test_who_has_the_info_hash_and_not_the_key_gets_no_message_of_the_device() -> None:
    async def main() -> None:
        network = Network()
        async with node(network, 1, settings()) as syncs, Scope("device") as scope:
            device = Device(scope, syncs, 2)
            device.meetings.put("folder", SECRET)
            overheard = greeting(MeetingKeys.of(SECRET), new_peer_id(Random(7)))
            said, _, _ = await seen(
                network, syncs, overheard,
                more=codec.extended(0, b"d1:md8:wb_noisei1eee") + codec.extended(1, bytes(48)))
            events, _ = codec.Decoder().decode(memoryview(said[LENGTH:]))
            assert events == [codec.Extended(0, b"d1:md8:wb_noisei1eee")]
            assert device.meetings.refused == 1 and not device.met

    sim(3, until=60).run(main())


def test_an_opening_that_is_not_finished_ends_in_time_and_so_many_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_OPENINGS", 3)

    async def main() -> None:
        network = Network()
        async with node(network, 1, settings()) as syncs, Scope("device") as scope:
            device = Device(scope, syncs, 2)
            device.meetings.put("folder", SECRET)
            wires = []
            for number in range(4):
                wire = Wire(await network.host().transport.dial(syncs.at))
                wire.write(greeting(MeetingKeys.of(SECRET), new_peer_id(Random(number))))
                wires.append(wire)
                await asyncio.sleep(0.5)
            assert [bool(wire.ended) for wire in wires] == [True, False, False, False]
            began = simloop().time()
            for wire in wires:
                await wire.wait_closed()
                wire.close()
            assert simloop().time() - began <= limits.SYNC_OPENING_SECONDS
            await asyncio.sleep(0.1)
            assert device.meetings.refused == 4
            # And there is room again.
            late = Wire(await network.host().transport.dial(syncs.at))
            late.write(greeting(MeetingKeys.of(SECRET), new_peer_id(Random(9))))
            await late.read(LENGTH)
            late.close()

    sim(4, until=60).run(main())


def test_who_has_a_secret_keeps_nobody_else_out_by_calls_that_it_does_not_go_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SYNC_OPENINGS", 5)

    async def main() -> None:
        network = Network()
        async with (
            node(network, 1, settings()) as syncs, node(network, 2, settings(encryption="off")) as near,
            Scope("device") as scope,
        ):
            device, friend = Device(scope, syncs, 2), Device(scope, near, 1)
            for each in (device, friend):
                each.meetings.put("folder", SECRET)
            device.meetings.put("link", bytes(32))
            # One that is slow, from elsewhere, keeps its place.
            slow = Wire(await network.host().transport.dial(syncs.at))
            slow.write(greeting(MeetingKeys.of(SECRET), new_peer_id(Random(99))))
            await slow.read(LENGTH)
            flood, wires = network.host(), []
            for number in range(30):
                wire = Wire(await flood.transport.dial(syncs.at))
                wire.write(greeting(MeetingKeys.of(bytes(32)), new_peer_id(Random(number))))
                wires.append(wire)
                await asyncio.sleep(0.2)
                if number % 10 == 9:
                    (await friend.meetings.call(syncs.at, "folder")).connection.close()
            assert not slow.ended and sum(not wire.ended for wire in wires) <= 5
            for wire in (slow, *wires):
                wire.close()

    sim(10, until=60).run(main())


def test_strangers_may_not_have_secrets_tried_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYNC_TRIES_PER_SECOND", 20)

    async def main() -> None:
        network = Network()
        async with (
            node(network, 1, settings()) as syncs, node(network, 2, settings(encryption="off")) as near,
            Scope("device") as scope,
        ):
            device, friend = Device(scope, syncs, 2), Device(scope, near, 1)
            friend.meetings.put("folder", SECRET)
            for number in range(10):
                device.meetings.put(str(number), bytes([number]) * 32)
            device.meetings.put("folder", SECRET)
            wires = [Wire(await network.host().transport.dial(syncs.at)) for _ in range(4)]
            for number, wire in enumerate(wires):
                wire.write(Handshake(bytes(20), new_peer_id(Random(number))).to_bytes())
            with pytest.raises(NetworkError):
                await friend.meetings.call(syncs.at, "folder")
            await asyncio.sleep(2.0)
            (await friend.meetings.call(syncs.at, "folder")).connection.close()
            for wire in wires:
                wire.close()

    sim(8, until=60).run(main())


def test_a_call_says_why_it_failed() -> None:
    async def main() -> None:
        network = Network()
        silent = network.host()
        listener = await silent.transport.listen(Endpoint(silent.address, 6881), lambda connection: None)
        async with (
            node(network, 1, settings(encryption="off")) as near, node(network, 2, settings()) as far,
            Scope("devices") as scope,
        ):
            one, other = Device(scope, near, 1), Device(scope, far, 2)
            one.meetings.put("folder", SECRET)
            other.meetings.put("folder", bytes(32))
            with pytest.raises(NetworkError):
                await one.meetings.call(other.at, "folder")
            with pytest.raises(NetworkError) as late:
                await one.meetings.call(listener.endpoint, "folder")
            assert late.value.code == "timed_out"
            with pytest.raises(NetworkError, match="not held"):
                await one.meetings.call(other.at, "another")
            other.meetings.put("folder", SECRET)
            await one.meetings.call(other.at, "folder")
            other.meetings.drop("folder")
            with pytest.raises(NetworkError):
                await one.meetings.call(other.at, "folder")
            other.meetings.put("folder", SECRET)
            half = Wire(await network.host().transport.dial(other.at))
            half.write(greeting(MeetingKeys.of(SECRET), new_peer_id(Random(7))))
            await half.read(LENGTH)
            other.meetings.close()
            await half.wait_closed()
            with pytest.raises(NetworkError):
                await one.meetings.call(other.at, "folder")
            with pytest.raises(RemoteError, match="itself"):
                same = Device(scope, far, 1)
                same.meetings.put("folder", SECRET)
                await same.meetings.call(near.at, "folder")
        listener.close()

    sim(5, until=200).run(main())


async def under(device: Device, connection: Connection, answered: asyncio.Future[Met[str]]) -> None:
    try:
        answered.set_result(await device.meetings.under(connection))
    except (NetworkError, RemoteError) as error:
        answered.set_exception(error)


def test_a_connection_that_came_some_other_way_is_met_on_as_well() -> None:
    async def main() -> None:
        network = Network()
        async with node(network, 1, settings()) as near, node(network, 2, settings()) as far, Scope("d") as scope:
            one, other = Device(scope, near, 1), Device(scope, far, 2)
            for secret, says in ((SECRET, None), (bytes(32), "no secret"), (SECRET, "not a BitTorrent")):
                one.meetings.put("folder", SECRET)
                other.meetings.put("folder", secret)
                came: asyncio.Future[Connection] = simloop().create_future()
                listener = await far.host.transport.listen(Endpoint(far.host.address, 0), came.set_result)
                connection = await near.host.transport.dial(listener.endpoint)
                if says == "not a BitTorrent":
                    connection.send(b"garbage")
                answered: asyncio.Future[Met[str]] = simloop().create_future()
                scope.spawn("under", under(other, await came, answered))
                if says is None:
                    met, back = await one.meetings.over(connection, "folder"), await answered
                    assert met.opened.device == other.public and back.opened.device == one.public
                    met.connection.close()
                    back.connection.close()
                else:
                    with pytest.raises((NetworkError, RemoteError)):
                        await one.meetings.over(connection, "folder")
                    with pytest.raises(RemoteError, match=says):
                        await answered
                listener.close()

    sim(7, until=200).run(main())


def test_torrents_go_on_beside_it() -> None:
    async def main() -> None:
        network = Network()
        made = make("hybrid", {"a": 300_000})
        async with (
            node(network, 1, settings()) as seed, node(network, 2, settings()) as leech, Scope("devices") as scope,
        ):
            Device(scope, seed, 1).meetings.put("folder", SECRET)
            await seed.seed(made)
            torrent = await leech.add(made.metainfo, seed.at)
            await done(torrent, seconds=60)
            assert leech.holds(made)

    sim(6, until=200).run(main())
