"""Contents over real streams between real sessions, with real files."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from caches import settings
from contentbed import layer_of, named
from wildbach.base.errors import FormatError, LimitError, StorageError, UsageError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.disk.inplace import look_of_path
from wildbach.engine.contents import ContentId, Contents, piece_length_for
from wildbach.engine.session import Session
from wildbach.net.tcp import TcpTransport
from wildbach.net.transport import Connection
from wildbach.protocol import layers

LENGTH = 65536
OLD = 1_000_000_000


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Contents, Contents]]:
    async with asyncio.timeout(60), Session(settings()) as one, Session(settings()) as two:
        yield one.contents, two.contents
        assert one.internal_errors == two.internal_errors == 0


async def stream(content: ContentId, server: Contents) -> Connection:
    """A stream whose other end is of this content."""
    transport = TcpTransport()
    come = asyncio.Event()

    def accept(connection: Connection) -> None:
        if not server.attach(content, connection):
            connection.close()
        come.set()

    listener = await transport.listen(Endpoint("127.0.0.1", 0), accept)
    connection = await transport.dial(listener.endpoint)
    await come.wait()
    listener.close()
    return connection


def write(path: Path, data: bytes, when: int = OLD) -> None:
    path.write_bytes(data)
    os.utime(path, (when, when))


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK + 1, 3 * LENGTH, 20 * LENGTH + 77])
def test_a_file_goes_from_one_place_to_another(tmp_path: Path, size: int) -> None:
    data = Random(size).randbytes(size)
    content = named(data, LENGTH)
    write(tmp_path / "theirs", data)

    async def main() -> None:
        async with pair() as (one, two):
            await one.serve(content, tmp_path / "theirs")
            fetch = two.fetch(content, tmp_path / "new" / "ours")
            fetch.attach(await stream(content, one))
            await fetch.done()
            assert len(await fetch.close()) == -(-content.blocks // 8)
            assert (tmp_path / "new" / "ours").read_bytes() == data
            assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["ours"]

    asyncio.run(main())


def test_a_file_that_looks_as_it_did_is_sent_without_being_read_first(tmp_path: Path) -> None:
    data = Random(1).randbytes(8 * LENGTH)
    content = named(data, LENGTH)
    path = tmp_path / "theirs"
    write(path, data)
    look = look_of_path(str(path))

    async def main() -> None:
        async with pair() as (one, _):
            # Other bytes, made to look the same: only who reads it could see that.
            write(path, bytes(len(data)))
            await one.serve(content, path, layer=layer_of(data, LENGTH), look=look)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["wrong layer", "no layer", "other look", "racy", "gone", "longer"])
def test_a_file_that_is_another_one_is_not_sent(tmp_path: Path, how: str) -> None:
    data = Random(1).randbytes(8 * LENGTH)
    content = named(data, LENGTH)
    path = tmp_path / "theirs"
    write(path, bytes(len(data)), int(time.time()) if how == "racy" else OLD)
    look = look_of_path(str(path))
    layer = layer_of(bytes(len(data)) if how == "wrong layer" else data, LENGTH)
    if how == "gone":
        path.unlink()
    elif how == "longer":
        write(path, data + b"a")

    async def main() -> None:
        async with pair() as (one, _):
            with pytest.raises(StorageError) as caught:
                await one.serve(
                    content, path, layer=None if how == "no layer" else layer,
                    look=(1, 2, 3) if how == "other look" else look)
            assert caught.value.code in ("changed", "missing")
            assert not one.swarms

    asyncio.run(main())


def test_a_change_while_it_is_sent_is_noticed_and_nothing_false_is_sent(tmp_path: Path) -> None:
    data = Random(1).randbytes(200 * LENGTH)
    content = named(data, LENGTH)
    path = tmp_path / "theirs"
    write(path, data)

    async def main() -> None:
        async with pair() as (one, two):
            ends: list[str] = []
            await one.serve(content, path, ended=lambda error: ends.append(error.code))
            liars: list[str] = []
            gone = asyncio.Event()
            fetch = two.fetch(content, tmp_path / "ours", on_liar=lambda _, reason: liars.append(reason))
            edited = False

            def edit(piece: int) -> None:
                nonlocal edited
                passed(piece)
                if not edited:
                    edited = True
                    with path.open("r+b") as file:
                        file.write(bytes(len(data)))

            passed = fetch.swarm.on_passed
            fetch.swarm.on_passed = edit
            fetch.attach(await stream(content, one), lambda _connection, _error: gone.set())
            await gone.wait()
            assert ends == ["changed"] and not liars and not fetch.complete
            assert fetch.progress.wasted == 0
            # The same bytes are there again: what lacks comes, and nothing else.
            write(path, data)
            serving = one.get(content)
            assert serving is not None
            await serving.close()
            await one.serve(content, path)
            fetch.attach(await stream(content, one))
            await fetch.done()
            await fetch.close()
            assert (tmp_path / "ours").read_bytes() == data and not liars

    asyncio.run(main())


@pytest.mark.parametrize("racy", [True, False])
def test_a_file_that_was_touched_is_sent_as_its_leaves_prove_it(tmp_path: Path, racy: bool) -> None:
    data = Random(1).randbytes(40 * LENGTH)
    content = named(data, LENGTH)
    path = tmp_path / "theirs"
    write(path, data, int(time.time()) if racy else OLD)

    async def main() -> None:
        async with pair() as (one, two):
            await one.serve(content, path, leaves=None if racy else layers.leaf_hashes(data))
            os.utime(path, (OLD + 5, OLD + 5))
            fetch = two.fetch(content, tmp_path / "ours")
            fetch.attach(await stream(content, one))
            await fetch.done()
            await fetch.close()
            assert (tmp_path / "ours").read_bytes() == data

    asyncio.run(main())


def test_an_edited_file_moves_what_changed(tmp_path: Path) -> None:
    old = Random(1).randbytes(300 * LENGTH + 9)
    new = bytearray(old + Random(2).randbytes(3 * BLOCK))
    for block in (0, 7, 8, 300, 1199):
        new[block * BLOCK] ^= 1
    write(tmp_path / "theirs", bytes(new))
    write(tmp_path / "old", old)
    before, after = named(old, LENGTH), named(bytes(new), LENGTH)

    async def main() -> None:
        async with pair() as (one, two):
            await one.serve(after, tmp_path / "theirs")
            fetch = two.fetch(after, tmp_path / "ours", known=None)
            fetch.attach(await stream(after, one))
            storage = two.storage(before, tmp_path / "old")
            delta = await fetch.compare(before, storage)
            storage.close()
            with (tmp_path / "old").open("rb") as source, (tmp_path / "ours").open("wb") as target:
                for at, size in delta.ranges:
                    source.seek(at)
                    target.seek(at)
                    target.write(source.read(size))
            fetch.begin(delta.same)
            await fetch.done()
            assert fetch.progress.received == delta.missing
            await fetch.close()
            assert (tmp_path / "ours").read_bytes() == bytes(new)
            assert delta.missing <= 9 * BLOCK  # five, what was appended, and the block that was the last

    asyncio.run(main())


def test_to_open_and_close_one_is_cheap(tmp_path: Path) -> None:
    contents = [ContentId(n.to_bytes(32, "big"), 1000 + n, piece_length_for(1000)) for n in range(1, 301)]

    async def main() -> float:
        async with pair() as (one, _):
            began = time.process_time()
            opened = [one.fetch(content, tmp_path / content.key) for content in contents]
            took = time.process_time() - began
            for fetch in opened:
                await fetch.close()
            assert not one.swarms and not list(tmp_path.iterdir())
            return took / len(contents)

    assert asyncio.run(main()) < 0.01  # half a millisecond as a rule; machines differ


def test_there_is_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wildbach.base.limits.CONTENTS_OPEN", 1)
    data = bytes(3 * LENGTH)
    content, other = named(data, LENGTH), named(b"b", LENGTH)

    async def main() -> None:
        async with pair() as (one, _):
            one.fetch(content, tmp_path / "a")
            with pytest.raises(LimitError):
                one.fetch(other, tmp_path / "b")
            with pytest.raises(UsageError):
                one.fetch(content, tmp_path / "a")

    asyncio.run(main())


def test_a_false_layer_is_refused(tmp_path: Path) -> None:
    content = named(bytes(3 * LENGTH), LENGTH)

    async def main() -> None:
        async with pair() as (one, _):
            with pytest.raises(FormatError):
                one.fetch(content, tmp_path / "a", layer=bytes(3 * 32))
            assert not one.swarms
            nowhere = await stream(content, one)
            assert not one.attach(content, nowhere)
            nowhere.close()

    asyncio.run(main())
