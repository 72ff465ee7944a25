"""Contents between devices in the simulated network: whole, in parts, through a third, and with liars among them."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from contentbed import PORT, Held, Metered, dial, layer_of, listen, named
from nodes import make, node, settings
from wildbach.base.errors import RemoteError, StorageError, UsageError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.engine.contents import ContentId
from wildbach.net.transport import Connection
from wildbach.protocol.ext import hashes
from wildbach.protocol.wire import codec
from wildbach.testing.loop import sim
from wildbach.testing.network import Network
from wildbach.testing.wire import Wire

PIECE = 65536
SIZES = [1, BLOCK - 1, BLOCK, BLOCK + 1, PIECE, PIECE + 1, 5 * PIECE - 3, 40 * PIECE + 12_345]


def bytes_of(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


@pytest.mark.parametrize("piece_length", [BLOCK, PIECE, 1 << 21])
@pytest.mark.parametrize("size", SIZES)
def test_a_content_goes_from_one_device_to_another(size: int, piece_length: int) -> None:
    data = bytes_of(size)
    content = named(data, piece_length)

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            serving = await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            target = Held(content)
            fetch = two.session.contents.fetch(content, target)
            fetch.attach(await dial(network, two, one))
            await fetch.done()
            assert target.data == data
            progress = fetch.progress
            assert (progress.had, progress.received, progress.wasted) == (size, size, 0)
            assert serving.sent == size
            await fetch.close()
            await serving.close()
            assert not one.session.contents.swarms and not two.session.contents.swarms

    sim().run(main())


def test_a_content_of_several_hash_requests_comes_whole() -> None:
    data = bytes_of(600 * BLOCK + 5)
    content = named(data, BLOCK)  # 601 hashes of pieces: more than one message of them

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            target = Held(content)
            fetch = two.session.contents.fetch(content, target)
            fetch.attach(await dial(network, two, one))
            await fetch.done()
            assert target.data == data

    sim().run(main())


def test_a_third_device_has_blocks_of_the_second_before_the_second_has_all() -> None:
    data = bytes_of(64 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network, up=1e6) as one, node(network) as two, node(network) as three:
            serving = await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            listen(two, content)
            first, second = Held(content), Held(content)
            near = two.session.contents.fetch(content, first)
            near.attach(await dial(network, two, one))
            far = three.session.contents.fetch(content, second)
            far.attach(await dial(network, three, two))
            while far.progress.had < 8 * PIECE:
                await asyncio.sleep(0.05)
            assert not near.complete
            await asyncio.gather(near.done(), far.done())
            assert first.data == second.data == data
            assert serving.sent == len(data)  # all else came from the second
            assert asyncio.get_running_loop().time() < 8.0  # 4 MiB at 1 MB/s: the third hardly waits longer

    sim().run(main())


def test_several_contents_at_once_do_not_touch_each_other() -> None:
    datas = [bytes_of(size, size) for size in (1, 3 * PIECE, 7 * PIECE + 1, BLOCK)]
    contents = [named(data) for data in datas]

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            listen(one, *contents)
            targets = [Held(content) for content in contents]
            fetches = []
            for content, data, target in zip(contents, datas, targets, strict=True):
                await one.session.contents.serve(content, Held(content, data))
                fetch = two.session.contents.fetch(content, target)
                fetch.attach(await dial(network, two, one))
                fetches.append(fetch)
            await asyncio.gather(*[fetch.done() for fetch in fetches])
            assert [target.data for target in targets] == datas

    sim().run(main())


def test_the_limits_of_the_session_hold_for_contents() -> None:
    data = bytes_of(32 * PIECE)
    content = named(data)

    async def main() -> float:
        network = Network()
        async with node(network) as one, node(network, 1) as two:
            await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            chosen = settings()
            await two.session.configure(chosen.__class__(
                chosen.connections, peers=chosen.peers, disk=chosen.disk,
                rates=chosen.rates.__class__(down=200_000, limit_local=True)))
            fetch = two.session.contents.fetch(content, Held(content))
            fetch.attach(await dial(network, two, one))
            began = asyncio.get_running_loop().time()
            await fetch.done()
            return asyncio.get_running_loop().time() - began

    took = sim().run(main())
    assert 8.0 < took < 14.0  # 2 MiB at 200 kB/s


def test_a_limit_is_shared_with_torrents() -> None:
    made = make("v2", {"file": 40 * PIECE})
    data = bytes_of(40 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network, 1) as two:
            chosen = settings()
            await one.session.configure(chosen.__class__(
                chosen.connections, peers=chosen.peers, disk=chosen.disk,
                rates=chosen.rates.__class__(up=300_000, limit_local=True)))
            await one.seed(made)
            await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            torrent = await two.add(made.metainfo, one.at)
            fetch = two.session.contents.fetch(content, Held(content))
            fetch.attach(await dial(network, two, one))
            while torrent.received + fetch.progress.received < len(data):
                await asyncio.sleep(0.1)
            assert 0.7 < torrent.received / fetch.progress.received < 1.4

    sim().run(main())


# -- what is here already


def test_an_edit_moves_the_changed_blocks_and_few_hashes() -> None:
    old = bytearray(bytes_of(2048 * BLOCK))
    new = bytearray(old)
    rng = Random(7)
    changed = sorted(rng.sample(range(2048), 20))  # one per cent
    for block in changed:
        new[block * BLOCK + rng.randrange(BLOCK)] ^= 0x55
    length = 256 << 10
    before, after = named(bytes(old), length), named(bytes(new), length)

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            await one.session.contents.serve(after, Held(after, bytes(new)))
            listen(one, after)
            target = Held(after)
            fetch = two.session.contents.fetch(after, target, known=None)
            connection = Metered(await dial(network, two, one))
            fetch.attach(connection)
            delta = await fetch.compare(before, Held(before, bytes(old)), layer_of(bytes(old), length))
            assert delta.missing == len(changed) * BLOCK
            for at, size in delta.ranges:
                target.write(at, [memoryview(old)[at : at + size]])
            fetch.begin(delta.same)
            await fetch.done()
            assert target.data == bytes(new)
            assert fetch.progress.received == len(changed) * BLOCK and fetch.progress.wasted == 0
            assert connection.bytes <= 1.1 * len(changed) * BLOCK  # with all hashes and headers, both ways

    sim().run(main())


@pytest.mark.parametrize(
    "change", ["longer", "shorter", "same", "other", "first byte", "last byte", "smaller than a piece"])
def test_what_an_older_file_has_is_found(change: str) -> None:
    old = bytes_of(9 * PIECE + 100)
    new = {
        "longer": old + bytes_of(3 * PIECE, 2), "shorter": old[: 5 * PIECE + 77], "same": old,
        "other": bytes_of(9 * PIECE + 100, 3), "first byte": b"\0" + old[1:], "last byte": old[:-1] + b"\0",
        "smaller than a piece": old[: BLOCK + 9],
    }[change]
    before, after = named(old), named(new)
    expected = sum(
        len(new[at : at + BLOCK]) for at in range(0, len(new), BLOCK) if new[at : at + BLOCK] != old[at : at + BLOCK])

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            await one.session.contents.serve(after, Held(after, new))
            listen(one, after)
            target = Held(after)
            fetch = two.session.contents.fetch(after, target, known=None)
            fetch.attach(await dial(network, two, one))
            delta = await fetch.compare(before, Held(before, old))
            assert delta.missing == expected
            for at, size in delta.ranges:
                target.write(at, [memoryview(old)[at : at + size]])
            fetch.begin(delta.same)
            await fetch.done()
            assert target.data == new and fetch.progress.received == expected

    sim().run(main())


def test_what_is_said_to_be_here_and_is_not_is_fetched() -> None:
    data = bytes_of(12 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            spoilt = bytearray(data)
            spoilt[0] ^= 1  # of a piece that is said to be whole
            spoilt[5 * PIECE] ^= 1  # of one that lacks a block
            target = Held(content, bytes(spoilt))
            known = content.joined({piece: content.whole(piece) for piece in range(11)} | {5: 0b0111})
            fetch = two.session.contents.fetch(content, target, known=known)
            fetch.attach(await dial(network, two, one))
            await fetch.done()
            assert target.data == data
            assert fetch.progress.received <= 4 * PIECE  # the first, the sixth once or twice, the last

    sim().run(main())


def test_a_fetch_goes_on_where_it_was_closed() -> None:
    data = bytes_of(64 * PIECE + 5)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network, up=1e6) as one, node(network) as two:
            await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            target = Held(content)
            fetch = two.session.contents.fetch(content, target)
            fetch.attach(await dial(network, two, one))
            while fetch.progress.had < 20 * PIECE:
                await asyncio.sleep(0.05)
            known = await fetch.close()
            had = sum(size for _, size in content.ranges(known))
            assert had >= 20 * PIECE
            with pytest.raises(UsageError):
                await fetch.done()
            target.restart()
            again = two.session.contents.fetch(content, target, known=known)
            again.attach(await dial(network, two, one))
            await again.done()
            assert target.data == data and again.progress.received == len(data) - had

    sim().run(main())


# -- what goes wrong


def test_who_sends_false_blocks_is_named_and_the_others_are_not() -> None:
    data = bytes_of(40 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network) as good, node(network) as bad, node(network) as two:
            await good.session.contents.serve(content, Held(content, data))
            false = Held(content, data)
            await bad.session.contents.serve(content, false)
            false.lies = dict.fromkeys(range(160))
            listen(good, content)
            listen(bad, content)
            target = Held(content)
            liars: list[Connection] = []
            fetch = two.session.contents.fetch(content, target, on_liar=lambda connection, _: liars.append(connection))
            lying = await dial(network, two, bad)
            fetch.attach(lying)
            fetch.attach(await dial(network, two, good))
            await fetch.done()
            assert target.data == data and liars == [lying]
            assert not two.session.bans  # the machine is not shut out: others of it may be right

    sim().run(main())


def test_hashes_that_do_not_lead_to_the_root_name_their_sender() -> None:
    data = bytes_of(8 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network) as two:
            host = network.host()
            come: asyncio.Queue[Connection] = asyncio.Queue()
            host.listen(Endpoint("0.0.0.0", PORT), come.put_nowait)
            named_: list[str] = []
            fetch = two.session.contents.fetch(
                content, Held(content), on_liar=lambda _, reason: named_.append(reason))
            fetch.attach(await network.dial(two.host, Endpoint(host.address, PORT)))
            wire = Wire(await come.get())
            while True:
                kind, body = await wire.message()
                if kind == hashes.HASH_REQUEST:
                    break
            request = hashes.decode_request(body)
            count = request.length + max(0, request.proofs - (request.length.bit_length() - 2))
            wire.write(codec.hash_message(
                codec.HASHES, hashes.encode_hashes(hashes.Hashes(request, bytes_of(32 * count)))))
            while not named_:
                await asyncio.sleep(0.05)
            assert fetch.progress.peers == 0

    sim().run(main())


def test_a_content_that_changes_while_it_is_sent_ends_cleanly() -> None:
    data = bytes_of(64 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network, up=1e6) as one, node(network) as two:
            source = Held(content, data)
            ends: list[str] = []
            await one.session.contents.serve(content, source, ended=lambda error: ends.append(error.code))
            listen(one, content)
            target = Held(content)
            liars: list[str] = []
            gone = asyncio.Event()
            fetch = two.session.contents.fetch(content, target, on_liar=lambda _, reason: liars.append(reason))
            fetch.attach(await dial(network, two, one), lambda _connection, _error: gone.set())
            while fetch.progress.had < 8 * PIECE:
                await asyncio.sleep(0.05)
            source.changed = True
            await gone.wait()
            assert ends == ["changed"] and not liars and not fetch.complete
            assert not one.session.contents.attach(content, await dial(network, two, one))
            assert fetch.progress.wasted == 0

    sim().run(main())


def test_what_is_not_the_content_is_not_served() -> None:
    content = named(bytes_of(8 * PIECE))

    async def main() -> None:
        network = Network()
        async with node(network) as one:
            with pytest.raises(StorageError) as caught:
                await one.session.contents.serve(content, Held(content, bytes_of(8 * PIECE, 2)))
            assert caught.value.code == "changed" and not one.session.contents.swarms

    sim().run(main())


def test_a_connection_that_is_cut_or_stalls_is_replaced() -> None:
    data = bytes_of(64 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network, up=1e6) as one, node(network) as two:
            await one.session.contents.serve(content, Held(content, data))
            come = listen(one, content)
            target = Held(content)
            lost: list[Exception | None] = []
            fetch = two.session.contents.fetch(content, target)
            fetch.attach(await dial(network, two, one), lambda _connection, error: lost.append(error))
            while fetch.progress.had < 8 * PIECE:
                await asyncio.sleep(0.05)
            come[0].close(RemoteError("cut"))
            while not lost:
                await asyncio.sleep(0.05)
            fetch.attach(await dial(network, two, one))
            while fetch.progress.had < 16 * PIECE:
                await asyncio.sleep(0.05)
            come[1].pause()  # it hears nothing any more, and says nothing
            fetch.attach(await dial(network, two, one))
            await fetch.done()
            assert target.data == data

    sim().run(main())


def test_closing_while_all_is_on_its_way_leaves_nothing_behind() -> None:
    data = bytes_of(64 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        async with node(network, up=1e6) as one, node(network) as two:
            serving = await one.session.contents.serve(content, Held(content, data))
            listen(one, content)
            for wait in (0.0, 0.01, 0.05, 0.3, 1.0):
                fetch = two.session.contents.fetch(content, Held(content), known=b"" if wait else None)
                fetch.attach(await dial(network, two, one))
                await asyncio.sleep(wait)
                if fetch.swarm.layer is not None:
                    waiting = fetch.leaves(3)
                    await fetch.close()
                    with pytest.raises(UsageError):
                        await waiting
                await fetch.close()
            assert not two.session.contents.swarms
            await asyncio.sleep(1)
            assert not serving.swarm.peers
            assert two.session.internal_errors == one.session.internal_errors == 0

    sim().run(main())


def hostile(rng: Random, content: ContentId) -> bytes:
    """A message that breaks a rule, or none, or is none."""
    word = rng.choice([0, 1, 2, content.pieces - 1, content.pieces, 1 << 31, (1 << 32) - 1])
    request = hashes.HashRequest(
        rng.choice([content.root, bytes(32)]), rng.choice([0, 1, 2, 5, 31]), word, rng.choice([0, 1, 2, 512, 513]),
        rng.choice([0, 1, 9, 60]))
    return rng.choice([
        lambda: codec.have(word), lambda: codec.bitfield(rng.randbytes(rng.randrange(9))),
        lambda: codec.plain(rng.randrange(20)), lambda: codec.requests(word % content.pieces, 0, 4, PIECE),
        lambda: codec.cancel(word, 0, BLOCK), lambda: codec.reject(word, 5, BLOCK), lambda: codec.allowed_fast(word),
        lambda: codec.suggest(word), lambda: codec.extended(rng.randrange(9), rng.randbytes(40)),
        lambda: codec.hash_message(rng.choice([21, 23]), hashes.encode_request(request)),
        lambda: codec.hash_message(22, hashes.encode_hashes(hashes.Hashes(request, rng.randbytes(64)))),
        lambda: codec.hash_message(rng.choice([21, 22, 23]), rng.randbytes(rng.randrange(60))),
        lambda: rng.randrange(60).to_bytes(4, "big") + rng.randbytes(rng.randrange(60)),
        lambda: (BLOCK + 9).to_bytes(4, "big") + b"\x07" + word.to_bytes(4, "big") + bytes(4 + BLOCK),
    ])()


@pytest.mark.parametrize("seed", range(8))
def test_hostile_messages_cost_their_sender_the_connection_and_nobody_else(seed: int) -> None:
    data = bytes_of(24 * PIECE)
    content = named(data)

    async def main() -> None:
        network = Network()
        rng = Random(seed)
        async with node(network, up=2e6) as one, node(network) as two:
            host = network.host()
            await one.session.contents.serve(content, Held(content, data))
            target = Held(content)
            fetch = two.session.contents.fetch(content, target)
            listen(one, content)
            listen(two, content)
            fetch.attach(await dial(network, two, one))
            for _ in range(30):
                victim = rng.choice([one, two])
                wire = Wire(await network.dial(host, Endpoint(victim.host.address, PORT)))
                for _ in range(rng.randrange(1, 12)):
                    wire.write(hostile(rng, content))
                await asyncio.sleep(0.1)
                wire.close()
            await fetch.done()
            assert target.data == data
            assert one.session.internal_errors == two.session.internal_errors == 0

    sim(seed).run(main())


@pytest.mark.parametrize("seed", range(6))
def test_three_devices_end_with_the_content_whatever_befalls_them(seed: int) -> None:
    """Streams are cut, devices lie for a while, files change, and fetches are closed and gone on with."""
    rng = Random(seed)
    size = rng.randrange(20 * PIECE, 80 * PIECE)
    data = bytes_of(size, seed)
    content = named(data, rng.choice([BLOCK, PIECE, 4 * PIECE]))

    async def main() -> None:
        network = Network(latency=0.01)
        async with node(network, up=1e6) as one, node(network, up=1e6) as two, node(network, up=1e6) as three:
            devices = [one, two, three]
            source = Held(content, data)
            targets = {1: Held(content), 2: Held(content)}
            await one.session.contents.serve(content, source)
            fetches = {number: devices[number].session.contents.fetch(content, targets[number]) for number in targets}
            come = [connection for device in devices for connection in [listen(device, content)]]
            for step in range(60):
                number = rng.choice([1, 2])
                match rng.randrange(6):
                    case 0 | 1:
                        other = rng.choice([device for device in devices if device is not devices[number]])
                        fetches[number].attach(await dial(network, devices[number], other))
                    case 2:
                        streams = [stream for some in come for stream in some if not stream.closing]
                        if streams:
                            rng.choice(streams).close(RemoteError("cut"))
                    case 3:
                        source.lies = dict.fromkeys(rng.sample(range(content.blocks), 5)) if step % 2 else {}
                    case 4:
                        known = await fetches[number].close()
                        fetches[number] = devices[number].session.contents.fetch(
                            content, targets[number], known=known)
                    case 5:
                        source.changed = True
                        await asyncio.sleep(0.05)
                        source.changed = False
                        source.lies = {}
                        serving = one.session.contents.get(content)
                        assert serving is not None
                        await serving.close()
                        await one.session.contents.serve(content, source)
                await asyncio.sleep(rng.random() * 0.2)
            source.lies = {}
            for number, fetch in fetches.items():
                fetch.attach(await dial(network, devices[number], one))
            for number, fetch in fetches.items():
                await fetch.done()
                assert targets[number].data == data
            assert not sum(device.session.internal_errors for device in devices)

    sim(seed).run(main())


def test_a_content_is_open_once_and_closes_with_the_session() -> None:
    content = named(b"a")

    async def main() -> None:
        network = Network()
        async with node(network) as one:
            one.session.contents.fetch(content, Held(content))
            with pytest.raises(UsageError):
                one.session.contents.fetch(content, Held(content))
        assert not one.session.contents.swarms

    sim().run(main())


def test_hundreds_of_contents_are_open_at_a_time() -> None:
    datas = [bytes_of(1000 + number, number) for number in range(200)]
    contents = [named(data) for data in datas]

    async def main() -> None:
        network = Network()
        async with node(network) as one, node(network) as two:
            listen(one, *contents)
            targets: list[Held] = []
            fetches = []
            for content, data in zip(contents, datas, strict=True):
                await one.session.contents.serve(content, Held(content, data))
                targets.append(Held(content))
                fetch = two.session.contents.fetch(content, targets[-1])
                fetch.attach(await dial(network, two, one))
                fetches.append(fetch)
            await asyncio.gather(*[fetch.done() for fetch in fetches])
            assert [target.data for target in targets] == datas

    sim().run(main())


def test_names_that_cannot_be() -> None:
    root = bytes(31) + b"a"
    for wrong in ((b"", 1, BLOCK), (bytes(32), 1, BLOCK), (root, 0, BLOCK), (root, 1, BLOCK + 1), (root, 1, 8192),
                  (root, 1 << 50, BLOCK)):
        with pytest.raises(UsageError):
            ContentId(*wrong)
