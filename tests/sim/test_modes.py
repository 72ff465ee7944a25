"""Super-seeding, deadlines, allowed-fast pieces, and who gets a place: whole sessions in a simulated network."""

from __future__ import annotations

from contextlib import AsyncExitStack
from random import Random

import pytest

from nodes import PORT, Node, done, make, node, settings
from wildbach.base import bitfield, limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.settings import ConnectionSettings, DiskSettings, Settings
from wildbach.runtime.tasks import Scope
from wildbach.testing import peers
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network

PIECE = 65536


def test_a_super_seed_sends_each_piece_about_once() -> None:
    made = make("v1", {"a": 64 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with AsyncExitStack() as stack:
            seed = await stack.enter_async_context(node(network, up=1e6))
            ours = await seed.seed(made, super_seed=True)
            leeches: list[Node] = []
            torrents = []
            for number in range(6):
                leech = await stack.enter_async_context(node(network, number, up=2e6))
                others = [each.at for each in leeches]
                torrents.append(await leech.add(made.metainfo, seed.at, *others))
                leeches.append(leech)
            await done(*torrents)
            assert all(leech.holds(made) for leech in leeches)
            assert ours.view().uploaded <= 1.5 * len(made.contents[0])

    sim().run(main())


def test_a_lone_leech_gets_everything_from_a_super_seed() -> None:
    made = make("v1", {"a": 20 * PIECE + 5}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            await seed.seed(made, super_seed=True)
            torrent = await leech.add(made.metainfo, seed.at)
            await done(torrent, seconds=120)
            assert leech.holds(made)

    sim().run(main())


def test_super_seeding_begins_and_ends_while_peers_are_there() -> None:
    made = make("v2", {"a": 40 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with AsyncExitStack() as stack:
            seed = await stack.enter_async_context(node(network, up=1e6))
            ours = await seed.seed(made)
            first, second = [await stack.enter_async_context(node(network, n, up=2e6)) for n in range(2)]
            torrents = [await first.add(made.metainfo, seed.at)]
            with first.session.subscribe(events.PieceDone) as pieces:
                await anext(pieces)
            ours.set_super_seed(True)
            before = ours.view().uploaded
            torrents.append(await second.add(made.metainfo, seed.at, first.at))
            await done(*torrents, seconds=120)
            assert first.holds(made) and second.holds(made)
            assert ours.view().uploaded - before <= 1.3 * len(made.contents[0])
            ours.set_super_seed(False)
            third = await stack.enter_async_context(node(network, 7, down=4e6))
            torrents.append(await third.add(made.metainfo, seed.at))
            await done(torrents[-1], seconds=120)
            assert third.holds(made) and all(peer.progress == 1.0 for peer in torrents[-1].peers())

    sim().run(main())


def test_a_piece_with_a_deadline_comes_first() -> None:
    made = make("v1", {"a": 200 * PIECE}, piece_length=PIECE)

    async def main() -> list[int]:
        network = Network()
        async with node(network, up=2e6) as seed, node(network, up=5e5) as slow, node(network) as leech:
            await seed.seed(made)
            await slow.seed(made)
            with leech.session.subscribe(events.PieceDone) as pieces:
                torrent = await leech.add(made.metainfo, seed.at, slow.at)
                await anext(pieces)
                for at, piece in enumerate(range(150, 155)):
                    torrent.set_deadline(piece, 1.0 + at / 10)
                order = [(await anext(pieces)).piece for _ in range(40)]
                await done(torrent)
                with pytest.raises(UsageError):
                    torrent.set_deadline(200, 1.0)
            return order

    order = sim().run(main())
    places = [order.index(piece) for piece in range(150, 155)]
    assert max(places) < 30


def test_what_a_slow_peer_owes_of_a_due_piece_is_asked_of_another() -> None:
    made = make("v1", {"a": 100 * PIECE}, piece_length=PIECE)

    async def main() -> float:
        network = Network()
        async with Scope("slow") as scope, node(network, up=3e6) as seed, node(network) as leech:
            await seed.seed(made)
            host = network.host()
            listener = await peers.receive(
                scope, host.transport, Endpoint(host.address, 7000), peers.seed(2000.0), made.told, Random(1))
            torrent = await leech.add(made.metainfo, listener.endpoint)
            with leech.session.subscribe(events.PeerConnected, events.PieceDone) as seen:
                await anext(seen)
                while not any(peer.requests for peer in torrent.peers()):
                    await peers.asyncio.sleep(0.1)
                content = torrent.content
                assert content is not None
                piece = next(iter(content.picker.open))
                torrent.set_deadline(piece, 5.0)
                start = simloop().time()
                torrent.add_peer(seed.at)
                async for event in seen:
                    if isinstance(event, events.PieceDone) and event.piece == piece:
                        break
                took = simloop().time() - start
            await leech.session.close()
            await scope.close()
            return took

    # Alone, the slow peer takes 32 seconds for a piece.
    assert sim().run(main()) < 6.0


def test_a_choked_newcomer_gets_the_pieces_it_is_allowed() -> None:
    made = make("v1", {"a": 100 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network, chosen=settings(upload_slots=0)) as seed, node(network) as leech:
            await seed.seed(made)
            with leech.session.subscribe(events.PieceDone) as pieces:
                torrent = await leech.add(made.metainfo, seed.at)
                got = [(await anext(pieces)).piece for _ in range(limits.ALLOWED_FAST)]
                assert len(set(got)) == limits.ALLOWED_FAST
                await peers.asyncio.sleep(60)
                have = bitfield.from_wire(torrent.view().pieces_have, 100)
                assert have.bit_count() == limits.ALLOWED_FAST
                assert torrent.view().reason == "1 peer has what is missing here, and does not serve us yet"

    sim().run(main())


def test_one_address_has_one_connection_to_a_torrent() -> None:
    made = make("v1", {"a": 4 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, Scope("visitors") as scope:
            ours = await seed.seed(made)
            host = network.host()
            for number in range(3):
                scope.spawn("visit", peers.visit(host.transport, seed.at, peers.silent, made.told, Random(number)))
            await peers.asyncio.sleep(5)
            assert len(ours.peers()) == 1
            await seed.session.close()

    sim().run(main())


def test_silent_peers_in_all_slots_make_room_for_a_real_one() -> None:
    made = make("v1", {"a": 40 * PIECE}, piece_length=PIECE)

    async def main() -> float:
        network = Network()
        few = Settings(
            ConnectionSettings(listen=(f"0.0.0.0:{PORT}",), per_torrent=20), disk=DiskSettings(workers="threads"))
        async with node(network, chosen=few) as seed, Scope("visitors") as scope, node(network) as leech:
            ours = await seed.seed(made)
            for number in range(40):
                host = network.host()
                scope.spawn("visit", peers.visit(
                    host.transport, seed.at, peers.silent, made.told, Random(number), times=1000, pause=3.0))
            await peers.asyncio.sleep(3)
            assert len(ours.peers()) == 20
            start = simloop().time()
            torrent = await leech.add(made.metainfo, seed.at)
            await done(torrent)
            took = simloop().time() - start
            await seed.session.close()
            await scope.close()
            return took

    assert sim().run(main()) < 10.0


def test_at_a_full_door_who_says_nothing_makes_room() -> None:
    made = make("v1", {"a": 4 * PIECE}, piece_length=PIECE)

    async def main() -> float:
        network = Network()
        few = Settings(
            ConnectionSettings(listen=(f"0.0.0.0:{PORT}",), most=10, half_open=5), disk=DiskSettings(workers="threads"))
        async with node(network, chosen=few) as seed, Scope("visitors") as scope, node(network) as leech:
            ours = await seed.seed(made)
            for number in range(30):
                script = peers.mute if number % 2 else peers.silent
                scope.spawn("visit", peers.visit(
                    network.host().transport, seed.at, script, made.told, Random(number), times=1000))
            await peers.asyncio.sleep(5)
            shared = seed.session._shared
            assert len(ours.peers()) + len(shared.greeting) <= 15
            start = simloop().time()
            await done(await leech.add(made.metainfo, seed.at), seconds=20)
            took = simloop().time() - start
            await seed.session.close()
            await scope.close()
            return took

    assert sim().run(main()) < 5.0


def test_peers_named_by_strangers_are_called_within_a_budget() -> None:
    made = make("v1", {"a": 4 * PIECE}, piece_length=PIECE)

    async def main() -> list[Endpoint]:
        network = Network()
        called: list[Endpoint] = []
        async with node(network) as leech:
            torrent = await leech.add(made.metainfo)
            dial = leech.host.network.dial

            async def counted(host: object, remote: Endpoint) -> object:
                called.append(remote)
                return await dial(host, remote)  # type: ignore[arg-type]  # passed on as it came

            network.dial = counted  # type: ignore[method-assign,assignment]  # the test listens in
            torrent.add_peers([Endpoint(f"30.{n // 250}.{n % 250}.9", 6881) for n in range(900)], "pex")
            torrent.add_peers([Endpoint("31.1.1.9", 80)], "pex")
            torrent.add_peers([Endpoint(f"40.1.1.{n}", 6881) for n in range(90)], "tracker")
            await peers.asyncio.sleep(59)
        return called

    called = sim().run(main())
    assert sum(remote.host.startswith("30.") for remote in called) == limits.DIALS_HEARSAY_PER_MINUTE
    assert sum(remote.host.startswith("40.") for remote in called) == limits.DIALS_PER_NETWORK_PER_MINUTE


def test_what_was_sent_and_received_is_still_known_after_a_pause() -> None:
    made = make("v1", {"a": 20 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network) as seed, node(network) as leech:
            ours = await seed.seed(made)
            theirs = await leech.add(made.metainfo, seed.at)
            await done(theirs)
            for torrent in (ours, theirs):
                await torrent.pause()
                await torrent.resume()
            assert ours.view().uploaded == theirs.view().downloaded == 20 * PIECE

    sim().run(main())
