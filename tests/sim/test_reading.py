"""Reading files while they come: whole sessions in a simulated network."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest

from nodes import done, make, node
from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.reader import Reader
from wildbach.engine.settings import RateSettings
from wildbach.runtime.tasks import Scope
from wildbach.testing import peers
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network

PIECE = 1 << 20
KINDS = ("v1", "v2", "hybrid")


async def read_all(reader: Reader, start: int = 0, stop: int | None = None) -> bytes:
    out = bytearray()
    stop = reader.size if stop is None else stop
    while start + len(out) < stop:
        out += await reader.read(start + len(out), stop - start - len(out))
    return bytes(out)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_while_it_comes(kind: str) -> None:
    made = make(kind, {"a": 100_000, "b": 12 * PIECE + 17}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network, up=4e6) as seed, node(network) as leech:
            await seed.seed(made)
            torrent = await leech.add(made.metainfo, seed.at)
            async with torrent.open(1) as reader:
                assert reader.size == 12 * PIECE + 17
                assert await read_all(reader) == made.contents[1]
                assert await reader.read(reader.size, 10) == b""
            await done(torrent)
            async with torrent.open(0) as reader:
                assert await read_all(reader) == made.contents[0]

    sim().run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_comes_long_before_the_rest(kind: str) -> None:
    made = make(kind, {"a": 40 * PIECE}, piece_length=PIECE)

    async def main() -> tuple[float, float]:
        network = Network()
        async with node(network, up=1e6) as seed, node(network) as leech:
            await seed.seed(made)
            torrent = await leech.add(made.metainfo, seed.at)
            start = simloop().time()
            async with torrent.open(0) as reader:
                at = 30 * PIECE + 500_000
                assert await reader.read(at, 1000) == made.contents[0][at : at + 1000]
                first = simloop().time() - start
                at = 3 * PIECE + 77
                assert await reader.read(at, 1000) == made.contents[0][at : at + 1000]
            return first, simloop().time() - start - first

    first, second = sim().run(main())
    if kind == "v1":
        assert first < 3.0 and second < 3.0, "a piece takes a second"
    else:
        assert first < 1.5 and second < 1.0, "a block takes 16 ms"


def test_a_v2_block_is_given_before_its_piece_is_whole() -> None:
    made = make("v2", {"a": 8 * PIECE}, piece_length=4 * PIECE)

    async def main() -> int:
        network = Network()
        async with node(network, up=5e5) as seed, node(network) as leech:
            await seed.seed(made)
            with leech.session.subscribe(events.PieceDone) as pieces:
                torrent = await leech.add(made.metainfo, seed.at)
                async with torrent.open(0) as reader:
                    data = await reader.read(5 * PIECE, 200_000)
                    assert data == made.contents[0][5 * PIECE : 5 * PIECE + len(data)]
                    assert torrent.had[1] == 0
                    rest = await read_all(reader, 5 * PIECE, 6 * PIECE)
                    assert rest == made.contents[0][5 * PIECE : 6 * PIECE]
                return (await anext(pieces)).piece

    assert sim().run(main()) in (0, 1)


def test_many_readers_are_served_side_by_side() -> None:
    made = make("v2", {"a": 30 * PIECE, "b": 10 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network, up=8e6) as seed, node(network) as leech:
            await seed.seed(made)
            torrent = await leech.add(made.metainfo, seed.at)

            async def one(file: int, at: int) -> None:
                async with torrent.open(file) as reader:
                    got = await read_all(reader, at, at + PIECE)
                    assert sha256(got).digest() == sha256(made.contents[file][at : at + PIECE]).digest()

            await asyncio.gather(*[one(at % 2, at * 700_000) for at in range(12)])
            assert not torrent.reading

    sim().run(main())


def test_an_abandoned_read_leaves_nothing_behind() -> None:
    made = make("v1", {"a": 4 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network) as leech:
            torrent = await leech.add(made.metainfo)
            async with torrent.open(0) as reader:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(5):
                        await reader.read(0, 10)
                view = reader.view()
                assert view.waiting_since is None and view.ready_until == 0
                assert torrent.content is not None
            assert not torrent.content.picker.has_deadlines and not torrent.reading

    sim().run(main())


def test_a_reader_says_what_it_waits_for() -> None:
    made = make("v1", {"a": 4 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with Scope("reads") as scope, node(network) as leech:
            torrent = await leech.add(made.metainfo)
            async with torrent.open(0) as reader:
                errors: list[Exception] = []
                waiting = scope.spawn("read", read_all(reader, 2 * PIECE, 2 * PIECE + 10), contain=errors.append)
                await asyncio.sleep(3)
                view = reader.view()
                assert view.waiting_piece == 2 and "no peers" in view.reason
                assert view.waiting_since == pytest.approx(3.0, abs=0.1)
                await torrent.pause()
                assert reader.view().reason == "the torrent is paused"
                await leech.session.remove(torrent)
                await waiting
                assert isinstance(errors[0], UsageError) and "removed" in errors[0].message

    sim().run(main())


def test_what_cannot_be_read_is_refused() -> None:
    made = make("v1", {"a": 4 * PIECE, "b": 4 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network) as leech:
            torrent = await leech.add(made.metainfo)
            with pytest.raises(UsageError, match="no file 2"):
                async with torrent.open(2):
                    pass
            await torrent.set_priorities({1: 0})
            with pytest.raises(UsageError, match="not chosen"):
                async with torrent.open(1):
                    pass
            readers = [torrent.open(0) for _ in range(limits.READERS + 1)]
            for opening in readers[:-1]:
                await opening.__aenter__()
            with pytest.raises(UsageError, match="READERS"):
                await readers[-1].__aenter__()
            for opening in readers[:-1]:
                await opening.__aexit__(None, None, None)
            async with torrent.open(0) as reader:
                torrent.life.stop("the disk is full", "disk_full")
                with pytest.raises(StorageError, match="disk is full"):
                    await reader.read(0, 10)

    sim().run(main())


def test_a_file_that_sleeps_is_woken_by_its_reader() -> None:
    made = make("v2", {"a": 2 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network) as seed:
            torrent = await seed.seed(made)
            async with torrent.open(0) as reader:
                assert await read_all(reader) == made.contents[0]
                assert not torrent.life.may_sleep

    sim().run(main())


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_a_reader_gets_true_bytes_only_and_who_sends_false_ones_goes_at_once(share: float) -> None:
    made = make("v2", {"a": 24 * PIECE}, piece_length=4 * PIECE)

    async def main() -> tuple[float, list[str], set[str]]:
        network = Network()
        banned: list[str] = []
        tally: Counter[str] = Counter()
        async with Scope("poison") as scope, node(network, 1, up=1e6) as seed, node(network, 2) as leech:
            await seed.seed(made)
            liars = []
            for number in range(3):
                host = network.host(up=1e6)
                listener = await peers.receive(
                    scope, host.transport, Endpoint(host.address, 7000), peers.poison(share), made.told,
                    Random(number), tally)
                liars.append(listener.endpoint)
            with leech.session.subscribe(events.PeerBanned) as bans:
                torrent = await leech.add(made.metainfo, seed.at, *liars)
                async with torrent.open(0) as reader:
                    start = simloop().time()
                    assert await read_all(reader, 9 * PIECE, 11 * PIECE) == made.contents[0][9 * PIECE : 11 * PIECE]
                    seconds = simloop().time() - start
                    assert await read_all(reader) == made.contents[0]
                leech.session._bus.close()
                banned = [event.peer async for event in bans if isinstance(event, events.PeerBanned)]
            scope.cancel()
        return seconds, banned, {str(liar) for liar in liars}

    seconds, banned, liars = sim().run(main())
    assert set(banned) == liars and len(banned) == 3
    assert seconds < 8.0, "two seconds of reading, and what three of four spoil of it"


def test_where_nobody_gives_leaves_whole_pieces_are_waited_for() -> None:
    made = make("v2", {"a": 8 * PIECE}, piece_length=PIECE)

    async def main() -> float:
        network = Network()
        async with node(network, 1, up=1e6) as seed, node(network, 2, up=1e6) as other, node(network, 3) as leech:
            for each in (seed, other):
                torrent = await each.seed(made)
                torrent.parts.talk._leaves = None  # as in a program that has none at hand: it rejects
            torrent = await leech.add(made.metainfo, seed.at, other.at)
            async with torrent.open(0) as reader:
                start = simloop().time()
                assert await reader.read(5 * PIECE + 10, 100) == made.contents[0][5 * PIECE + 10 : 5 * PIECE + 110]
                seconds = simloop().time() - start
                assert await read_all(reader) == made.contents[0]
            return seconds

    assert sim().run(main()) < 2.5, "a piece takes half a second"


def test_uploads_are_slower_while_somebody_watches() -> None:
    made = make("v1", {"a": 20 * PIECE}, piece_length=PIECE)

    async def main() -> None:
        network = Network()
        async with node(network, up=1e6) as seed, node(network) as leech:
            await seed.seed(made)
            session = leech.session
            await session.configure(replace(session.settings, rates=RateSettings(up=500_000, watching_up=20_000)))
            torrent = await leech.add(made.metainfo, seed.at)

            def limit() -> int:
                return session._shared.up.limit

            async with torrent.open(0) as reader:
                await reader.read(0, 10)
                await asyncio.sleep(2)
                assert limit() == 20_000
            await asyncio.sleep(5)
            assert limit() == 20_000, "a player that asks again soon is not done"
            await asyncio.sleep(7)
            assert limit() == 500_000
            await done(torrent)
            async with torrent.open(0) as reader:
                await reader.read(0, 10)
                await asyncio.sleep(2)
                assert limit() == 500_000, "all of it is here"

    sim().run(main())
