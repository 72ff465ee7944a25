"""What peers tell each other besides blocks, with libtorrent as the other end, which logs what it understood."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders import SIZES, make_folder, make_torrent, same
from tests.interop.engines import (
    add,
    address,
    complete,
    heard,
    messages,
    peers_of,
    running,
    settings,
    status,
    told,
    until,
    whole,
)
from tests.interop.peers import aria2, lt, transmission
from tests.interop.peers.process import JsonProcess, lt_process
from tests.interop.peers.wire import Wire

from wildbach.base.ids import Endpoint
from wildbach.engine import events
from wildbach.engine.options import AddOptions
from wildbach.protocol.allowed_fast import allowed_fast
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.protocol.peer_id import client_name
from wildbach.protocol.wire import codec

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
SMALL = 16384
"A piece length that gives the folder more than a hundred pieces."


def started(settings: dict[str, object] | None = None, *, distant: bool = False) -> tuple[JsonProcess, Endpoint]:
    process = lt_process(settings, log=True, distant=distant)
    return process, Endpoint("127.0.0.1", process.wait("ready")["port"])


@pytest.fixture
def one() -> Iterator[tuple[JsonProcess, Endpoint]]:
    process, at = started()
    with process:
        yield process, at


@pytest.fixture
def two() -> Iterator[tuple[JsonProcess, Endpoint]]:
    process, at = started()
    with process:
        yield process, at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "source")


@pytest.fixture
def made(folder: Path, tmp_path: Path) -> tuple[Metainfo, Path]:
    return written(make_torrent(folder, "v1", SMALL), tmp_path)


def written(metainfo: Metainfo, tmp_path: Path) -> tuple[Metainfo, Path]:
    path = tmp_path / "made.torrent"
    path.write_bytes(metainfo.to_bytes())
    return metainfo, path


def seed(folder: Path) -> AddOptions:
    return AddOptions(save_path=folder.parent, seed_only=True)


# BEP 6


def test_a_choked_libtorrent_gets_what_it_is_allowed(
    one: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    """It reads our have-all and allowed-fast, and gets just these pieces although nobody is served."""
    process, _ = one
    metainfo, path = made
    count = metainfo.info.geometry.piece_count

    async def main() -> None:
        async with running(settings(upload_slots=0)) as session:
            await complete(await session.add(metainfo, seed(folder)))
            add(process, path, tmp_path / "out", address(session))
            await told(process, "HAVE_ALL")
            allowed = [int((await told(process, "ALLOWED_FAST"))["facts"]) for _ in range(5)]
            assert allowed == list(allowed_fast("127.0.0.1", metainfo.info.hashes.swarms[0], count))
            for _ in allowed:
                # It tells us of each piece that it got.
                await heard(process, "log", way="out", name="HAVE")
            (seen,) = await peers_of(process)
            assert seen["remote_choked"] and messages(process, "in", "UNCHOKE") == []
            got = {int(facts.removeprefix("piece: ")) for facts in messages(process, "out", "HAVE")}
            assert got == set(allowed)

    asyncio.run(main())


@pytest.fixture
def choking() -> Iterator[tuple[JsonProcess, Endpoint]]:
    """A libtorrent that serves nobody."""
    process, at = started({"unchoke_slots_limit": 0}, distant=True)
    with process:
        yield process, at


def test_a_choked_leech_takes_what_libtorrent_allows(
    choking: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    process, at = choking
    metainfo, path = made

    async def main() -> None:
        add(process, path, folder.parent)
        await heard(process, "finished")
        async with running() as session:
            with session.subscribe(events.PieceDone) as pieces:
                torrent = await session.add(metainfo, AddOptions(save_path=tmp_path, peers=(at,)))
                await told(process, "HAVE_NONE")
                got = {(await anext(pieces)).piece for _ in range(5)}
            assert len(await peers_of(process)) == 1
            assert messages(process, "out", "UNCHOKE") == []
            assert got == {int(facts) for facts in messages(process, "out", "ALLOWED_FAST")}
            assert [peer.choked for peer in torrent.peers()] == [True]
            assert torrent.view().reason == "1 peer has what is missing here, and does not serve us yet"

    asyncio.run(main())


def cut(folder: Path) -> Path:
    """Half of the largest file is gone, behind the back of whoever seeds it."""
    file = folder / "c" / "文件 🎬.bin"
    file.write_bytes(file.read_bytes()[: 10 * 65536])
    return file


def test_refused_requests_are_understood_both_ways(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path],
    tmp_path: Path,
) -> None:
    metainfo, path = made
    swarm = metainfo.info.hashes.swarms[0]
    (seeding, at), (leeching, where) = one, two
    add(seeding, path, folder.parent)
    seeding.wait("finished")
    cut(folder)
    gone = metainfo.info.geometry.piece_count - 3
    with Wire(at, swarm) as wire:
        wire.send(codec.plain(codec.HAVE_NONE) + codec.plain(codec.INTERESTED))
        said = wire.events()
        assert codec.Unchoke() in said
        wire.send(codec.request(gone, 0, SMALL))
        assert next(event for event in said if isinstance(event, codec.Reject)) == codec.Reject(gone, 0, SMALL)
    add(leeching, path, tmp_path / "out")
    leeching.wait("checked")
    with Wire(where, swarm) as wire:
        wire.send(codec.plain(codec.HAVE_ALL) + codec.plain(codec.UNCHOKE))
        piece, offset, length = next(e for e in wire.events() if isinstance(e, codec.Requests)).items[0]
        wire.send(codec.reject(piece, offset, length))
        read = leeching.wait("log", way="in", name="REJECT")
        assert read["facts"] == f"piece: {piece} s: {offset:x} l: {length:x}"


# BEP 3


def test_one_slot_serves_one_libtorrent_after_the_other(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path],
    tmp_path: Path,
) -> None:
    metainfo, path = made
    processes = (one[0], two[0])

    async def main() -> None:
        async with running(settings(up=3_000_000, upload_slots=1, slot_rate=0)) as session:
            torrent = await session.add(metainfo, seed(folder))
            await complete(torrent)
            for number, process in enumerate(processes):
                add(process, path, tmp_path / str(number), address(session))
            most = 0

            def look() -> bool:
                nonlocal most
                most = max(most, sum(not peer.choking for peer in torrent.peers()))
                return most > 0 and not torrent.peers()

            # Those who have all leave.
            await until(look, story=torrent.peers)
            assert most == 1
            for process in processes:
                await told(process, "UNCHOKE")
                await heard(process, "finished")

    asyncio.run(main())


# BEP 11


def test_libtorrent_learns_of_a_peer_by_our_exchange(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    metainfo, path = made
    (first, at), (second, other) = one, two

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path / "ours", peers=(at, other)))
            await torrent.metadata()
            for number, process in enumerate((first, second)):
                add(process, path, tmp_path / str(number), pex=True)
            # Nobody told the first of the second but our message.
            await told(first, "PEX")
            await heard(first, "connected", where=lambda event: f":{other.port} " in event["text"])

    asyncio.run(main())


def test_we_learn_of_a_peer_by_libtorrents_exchange(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    metainfo, path = made
    (first, at), (second, other) = one, two

    async def main() -> None:
        async with running() as session:
            add(second, path, tmp_path / "2", pex=True)
            add(first, path, tmp_path / "1", other, pex=True)
            await heard(second, "connected")
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path / "ours", peers=(at,)))
            await until(lambda: str(other) in [peer.endpoint for peer in torrent.peers()], 90, torrent.peers)

    asyncio.run(main())


def test_a_magnet_is_downloaded_by_peer_exchange_alone(
    folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    """The one peer we know has nothing of the content, and tells of the one that has all."""
    metainfo, path = made
    stays = {"close_redundant_connections": False}
    first, at = started(stays)
    second, other = started(stays)

    async def main() -> None:
        async with running() as session:
            add(second, path, folder.parent, pex=True, seed_mode=True)
            await heard(second, "finished", "checked")
            add(first, path, tmp_path / "1", other, pex=True, priorities=[0] * len(metainfo.info.files))
            await heard(first, "connected")
            link = Magnet(metainfo.info.hashes).to_uri()
            torrent = await session.add(link, AddOptions(save_path=tmp_path / "ours", peers=(at,)))
            await complete(torrent, 90)

    with first, second:
        asyncio.run(main())
    assert same(folder, tmp_path / "ours" / folder.name) == []


# BEP 27


def test_a_private_torrent_is_not_exchanged_with_libtorrent(
    one: tuple[JsonProcess, Endpoint], folder: Path, tmp_path: Path,
) -> None:
    process, at = one
    process.send(cmd="create", path=str(folder), out=str(tmp_path / "p.torrent"), piece_length=SMALL, kind="v1",
                 private=True)
    process.wait("created")
    add(process, tmp_path / "p.torrent", folder.parent, pex=True)
    process.wait("finished")

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(tmp_path / "p.torrent", AddOptions(save_path=tmp_path, peers=(at,)))
            hello = await told(process, "EXTENDED_HANDSHAKE")
            assert "ut_metadata" in hello["facts"] and "ut_pex" not in hello["facts"]
            await until(lambda: any(peer.says is not None for peer in torrent.swarm.peers.values()))
            (theirs,) = [peer.says for peer in torrent.swarm.peers.values() if peer.says is not None]
            assert theirs.id_of(Extension.LT_DONTHAVE) and not theirs.id_of(Extension.UT_PEX)
            assert torrent.info is not None and torrent.info.private
            await complete(torrent)

    asyncio.run(main())


# BEP 16


def test_super_seeding_to_libtorrents_sends_little_twice(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path],
    tmp_path: Path,
) -> None:
    metainfo, path = made
    (first, at), (second, other) = one, two

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(
                metainfo, AddOptions(save_path=folder.parent, seed_only=True, super_seed=True))
            await complete(torrent)
            add(first, path, tmp_path / "1", address(session), other)
            add(second, path, tmp_path / "2", address(session), at)
            for process in (first, second):
                await told(process, "HAVE_NONE", where=lambda event: event["peer"][1] == address(session).port)
                await whole(process)
            # Two plain downloads would have cost it twice the content.
            assert torrent.view().uploaded < 1.5 * metainfo.info.size
            for number, process in enumerate((first, second), 1):
                process.send(cmd="flush", id="t")
                await heard(process, "flushed")
                assert same(folder, tmp_path / str(number) / "content") == []

    asyncio.run(main())


# BEP 20


PROGRAMS = {"libtorrent": lt, "aria2": aria2, "transmission": transmission}
MAKE = {"libtorrent": lt.Libtorrent, "aria2": aria2.Aria2, "transmission": transmission.Transmission}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.foreign(name)) for name in PROGRAMS])
def test_each_program_is_known_by_its_peer_id(name: str, folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
                                              one: tuple[JsonProcess, Endpoint]) -> None:
    if PROGRAMS[name].MISSING:
        pytest.skip(str(PROGRAMS[name].MISSING))
    metainfo, path = made
    with MAKE[name](tmp_path / "work") as program:
        program.seed(path, folder.parent)
        with Wire(program.endpoint, metainfo.info.hashes.swarms[0], hello=False) as wire:
            assert client_name(wire.theirs.peer_id).lower().startswith(f"{name} ")
            assert program.version.startswith(client_name(wire.theirs.peer_id).partition(" ")[2])


def test_libtorrent_reads_our_peer_id(
    one: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    process, _ = one
    metainfo, path = made

    async def main() -> None:
        async with running(settings(upload_slots=0)) as session:
            torrent = await session.add(metainfo, seed(folder))
            await complete(torrent)
            add(process, path, tmp_path / "out", address(session))
            await told(process, "HAVE_ALL")
            (seen,) = await peers_of(process)
            assert bytes.fromhex(seen["pid"]) == torrent.peer_id
            assert seen["client"] == "wildbach 0.1.0"
            (theirs,) = torrent.peers()
            assert theirs.client.startswith("libtorrent/2.1")

    asyncio.run(main())


# BEP 21


def only(metainfo: Metainfo, name: str) -> tuple[int, list[int]]:
    """The number of a file, and priorities for libtorrent that leave the others out."""
    wanted = next(i for i, file in enumerate(metainfo.info.files) if str(file.path).endswith(name))
    return wanted, [4 if i == wanted else 0 for i in range(len(metainfo.info.files))]


def test_libtorrent_leaves_us_when_neither_wants_more(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path],
    tmp_path: Path,
) -> None:
    """Both want the same one file; we have it, say that we want no more, and it goes when it has it too."""
    metainfo, path = made
    wanted, priorities = only(metainfo, "more than a piece.bin")
    (process, _), (source, there) = one, two

    async def main() -> None:
        async with running(settings(close_redundant=False)) as session:
            add(source, path, folder.parent)
            await heard(source, "finished")
            torrent = await session.add(
                metainfo, AddOptions(save_path=tmp_path, select=lambda i, _: i == wanted, peers=(there,)))
            await complete(torrent)
            assert torrent.view().done < metainfo.info.size
            add(process, path, tmp_path / "theirs", address(session), priorities=priorities)
            await told(process, "EXTENDED_HANDSHAKE", where=lambda event: "'upload_only': 1" in event["facts"])
            await heard(process, "finished")
            gone = await heard(process, "disconnected")
            assert "[libtorrent]: upload to upload" in gone["text"] or "[libtorrent]: torrent fin" in gone["text"]

    asyncio.run(main())


def test_libtorrent_tells_us_that_it_wants_no_more(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path],
    tmp_path: Path,
) -> None:
    """A partial seed: it has not everything, and is a seed to our choker all the same."""
    metainfo, path = made
    wanted, priorities = only(metainfo, "more than a piece.bin")
    (partial, at), (source, there) = one, two

    async def main() -> None:
        add(source, path, folder.parent)
        await heard(source, "finished")
        add(partial, path, tmp_path / "theirs", there, priorities=priorities)
        await heard(partial, "finished")
        async with running() as session:
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path / "ours", peers=(at,)))
            size = metainfo.info.files[wanted].length
            await until(lambda: [f.have for f in torrent.files() if f.index == wanted] == [size], story=torrent.view)
            (peer,) = torrent.swarm.peers.values()
            assert peer.upload_only and not peer.seed

    asyncio.run(main())


# BEP 54


def test_a_piece_that_libtorrent_lost_is_not_asked_for(
    one: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    """Its file was cut behind its back: it says so, and the rest still comes."""
    process, at = one
    metainfo, path = made
    add(process, path, folder.parent)
    process.wait("finished")
    file = cut(folder)

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path, peers=(at,)))
            await until(lambda: torrent.view().reason.startswith("the connected peer has none of the "),
                        story=torrent.view)
            (peer,) = torrent.peers()
            geometry = metainfo.info.geometry
            pieces = geometry.file_pieces(only(metainfo, file.name)[0])
            kept = 10 * 65536 // SMALL
            # It said that it has all, and took back what it cut.
            process.send(cmd="peers", id="t")
            await heard(process, "peers", fail=())
            assert messages(process, "out", "HAVE_ALL") == [""]
            assert round((1 - peer.progress) * geometry.piece_count) in (len(pieces) - kept, len(pieces) - kept + 1)

    asyncio.run(main())


# BEP 52


def test_a_hybrid_joins_those_who_know_one_hash_each(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, tmp_path: Path,
) -> None:
    """One libtorrent was given the v1 hash and one the v2 hash; they greet by these, and both get everything of us,
    while we are still fetching from a third."""
    metainfo, path = written(make_torrent(folder, "hybrid"), tmp_path)
    hashes = metainfo.info.hashes
    (first, _), (second, _) = one, two
    source, at = started()

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(metainfo, AddOptions(save_path=tmp_path))
            for process, own in ((first, f"urn:btih:{hashes.v1.hex()}"), (second, f"urn:btmh:1220{hashes.v2.hex()}")):
                add(process, f"magnet:?xt={own}", tmp_path / str(process.pid), address(session))
            for process, swarm in ((first, hashes.swarms[0]), (second, hashes.swarms[1])):
                greeting = await heard(process, "log", way="out", name="HANDSHAKE")
                assert greeting["facts"] == f"ih: {swarm.hex()}"
            add(source, path, folder.parent)
            await heard(source, "finished")
            torrent.add_peers([at])
            await complete(torrent)
            for process in (first, second):
                await heard(process, "finished")
                process.send(cmd="flush", id="t")
                await heard(process, "flushed")
                assert same(folder, tmp_path / str(process.pid) / "content") == []

    assert hashes.v1 is not None and hashes.v2 is not None
    with source:
        asyncio.run(main())


# BEP 53


def test_a_magnet_with_file_numbers_gets_these_files_of_libtorrent(
    one: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    """The link is libtorrent's own."""
    process, at = one
    metainfo, path = made
    add(process, path, folder.parent)
    process.wait("finished")
    link = lt.magnet_of(path, select=[3, 5, 6])
    assert "&so=3,5-6" in link
    chosen = [str(metainfo.info.files[i].path) for i in (3, 5, 6)]

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(link, AddOptions(save_path=tmp_path, peers=(at,)))
            await complete(torrent)
            assert [file.path for file in torrent.files() if file.wanted and file.priority] == chosen

    asyncio.run(main())
    there = [file for file in (tmp_path / "content").rglob("*") if file.is_file() and file.stat().st_size]
    assert {str(file.relative_to(tmp_path / "content")) for file in there} == set(chosen)
    assert sum(file.stat().st_size for file in there) == sum(SIZES[name] for name in chosen)


def test_another_magnet_of_a_torrent_brings_its_files_too(
    one: tuple[JsonProcess, Endpoint], two: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path],
    tmp_path: Path,
) -> None:
    (first, at), (second, other) = one, two
    _, path = made
    for process in (first, second):
        add(process, path, folder.parent)
        process.wait("finished")
    links = [lt.magnet_of(path, select=[number]) for number in (3, 6)]

    async def main() -> None:
        async with running() as session:
            torrent = await session.add(links[0], AddOptions(save_path=tmp_path, peers=(at,)))
            await complete(torrent)
            wanted = [file.index for file in torrent.files() if file.priority]
            assert await session.add(f"{links[1]}&x.pe={other}") is torrent
            await complete(torrent)
            assert (wanted, [file.index for file in torrent.files() if file.priority]) == ([3], [3, 6])
            assert all(file.have == file.size for file in torrent.files() if file.priority)

    asyncio.run(main())


def test_libtorrent_takes_the_files_that_our_magnet_names(
    one: tuple[JsonProcess, Endpoint], folder: Path, made: tuple[Metainfo, Path], tmp_path: Path,
) -> None:
    process, _ = one
    metainfo, _ = made
    link = Magnet(metainfo.info.hashes, select=(range(3, 4), range(5, 7))).to_uri()

    async def main() -> None:
        async with running() as session:
            await complete(await session.add(metainfo, seed(folder)))
            add(process, link, tmp_path, address(session))
            await heard(process, "finished")
            chosen = (await status(process))["priorities"]
            assert [i for i, priority in enumerate(chosen) if priority] == [3, 5, 6]

    asyncio.run(main())
