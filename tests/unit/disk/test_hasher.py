from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disk_content import Content, File, content, fill
from disk_content import Path as Names
from wildbach.base import bitfield
from wildbach.base.errors import StorageError
from wildbach.disk import hasher as hashing
from wildbach.disk.files import FileStorage
from wildbach.disk.hasher import Expected, Hasher
from wildbach.disk.hashpool import HashPool
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.storage import Storage
from wildbach.disk.wrappers import Faulty
from wildbach.protocol import layers


class Threads:
    async def run(self, fn: Callable[..., Any], *args: object) -> Any:
        return await asyncio.to_thread(fn, *args)


class Inline:
    async def run(self, fn: Callable[..., Any], *args: object) -> Any:
        return fn(*args)


def expected(what: Content, *, v1: bool, v2: bool) -> Expected:
    """Computed the plain way, from the whole content."""
    sha1s, roots = [], []
    for piece in range(what.geometry.piece_count):
        offset, data = what.piece(piece)
        sha1s.append(hashlib.sha1(data + bytes(what.geometry.v1_tail(piece))).digest())
        if v2:
            file = what.geometry.extents(offset, 1)[0].file
            length = what.geometry.files[file].length
            roots.append(layers.piece_root(layers.leaf_hashes(data), length, what.geometry.piece_length))
    return Expected(b"".join(sha1s) if v1 else None, roots.__getitem__ if v2 else None)


def check(what: Content, storage: Storage, right: Expected, **options: Any) -> hashing.Checked:
    async def run() -> hashing.Checked:
        hasher = Hasher(Inline(), lanes=2, processes=False)
        return await hasher.check(what.geometry, storage, right, **options)

    return asyncio.run(run())


def indices(mask: int, what: Content) -> list[int]:
    return list(bitfield.indices(mask, bitfield.width_of(what.geometry.piece_count)))


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 300_000), min_size=1, max_size=5), kind=st.sampled_from(["v1", "v2", "hybrid"]),
    files=st.booleans(), piece_length=st.sampled_from([16384, 65536, 131072]), data=st.data(),
)
def test_exactly_the_pieces_that_are_right_are_found_good(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], kind: str, files: bool, piece_length: int,
    data: st.DataObject,
) -> None:
    what = content(
        *((f"f{i}", n) for i, n in enumerate(lengths)), piece_length=piece_length,
        v2=kind == "v2", hybrid=kind == "hybrid",
    )
    right = expected(what, v1=kind != "v2", v2=kind != "v1")
    pieces = range(what.geometry.piece_count)
    state = {p: data.draw(st.sampled_from(["good", "bad", "absent"]), label=f"piece {p}") for p in pieces}
    storage = FileStorage(what, tmp_path_factory.mktemp("s")) if files else MemoryStorage(what)
    with contextlib.closing(storage):  # also where an example ends in the middle, for lack of data to draw
        for piece in pieces:
            offset, raw = what.piece(piece)
            if state[piece] == "bad":
                at = data.draw(st.integers(0, len(raw) - 1))
                raw = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
            if state[piece] != "absent":
                storage.write(offset, [memoryview(raw)])
        found = check(what, storage, right)
    assert indices(found.good, what) == [p for p in pieces if state[p] == "good"]
    assert not set(indices(found.bad, what)) & set(indices(found.good, what))
    assert set(indices(found.bad, what)) >= {p for p in pieces if state[p] == "bad"}
    if files and not any(n % 4096 for n in lengths):
        assert indices(found.bad, what) == [p for p in pieces if state[p] == "bad"]
    assert found.conflicts == ()


def test_pad_files_hash_as_zeros(tmp_path: Path) -> None:
    what = content(("a", 100_000), File(Names((".pad", "1")), 31_072, pad=True), ("b", 70_000), piece_length=65536)
    storage = FileStorage(what, tmp_path)
    fill(storage, what)
    assert check(what, storage, expected(what, v1=True, v2=False)).good == bitfield.full(what.geometry.piece_count)
    storage.close()


def test_holes_are_zeros_and_a_piece_of_zeros_may_be_one(tmp_path: Path) -> None:
    size = 4 << 20
    plain = content(("a", size), piece_length=65536, hybrid=True)
    what = Content(plain.name, plain.geometry, plain.files, True, (bytes(3 << 20) + plain.data[0][3 << 20 :],))
    right = expected(what, v1=True, v2=True)
    (tmp_path / "thing").mkdir()
    with open(tmp_path / "thing" / "a", "wb") as file:
        file.truncate(size)
        file.seek(3 << 20)
        file.write(what.data[0][3 << 20 :])
    storage = FileStorage(what, tmp_path)
    assert check(what, storage, right).good == bitfield.full(64)
    found = check(plain, storage, expected(plain, v1=True, v2=True))
    assert found.good == bitfield.span(48, 64, 64)
    assert found.bad == 0
    storage.close()


def test_only_the_chosen_pieces_are_read() -> None:
    what = content(("a", 200_000))
    storage = Faulty(MemoryStorage(what))
    fill(storage, what)
    found = check(what, storage, expected(what, v1=True, v2=False), pieces=bitfield.of([2, 5], 16))
    assert indices(found.good, what) == [2, 5]
    assert storage.calls["read"] == 2


def test_a_hybrid_that_contradicts_itself_is_told_apart() -> None:
    what = content(("a", 100_000), hybrid=True)
    right = expected(what, v1=True, v2=True)
    assert right.v1 is not None
    lying = Expected(right.v1[:40] + bytes(20) + right.v1[60:], right.v2)
    storage = MemoryStorage(what)
    fill(storage, what)
    found = check(what, storage, lying)
    assert found.conflicts == (2,)
    assert 2 not in indices(found.good, what)
    assert right.v2 is not None
    unknown = Expected(right.v1, lambda piece: None)
    assert check(what, storage, unknown).good == 0
    assert check(what, storage, unknown).conflicts == ()


def test_a_read_error_ends_the_check() -> None:
    what = content(("a", 200_000))
    storage = Faulty(MemoryStorage(what))
    fill(storage, what)
    storage.fail("read", 5, after=3)
    with pytest.raises(StorageError) as caught:
        check(what, storage, expected(what, v1=True, v2=False))
    assert caught.value.code == "io_error"


def test_progress_is_told_and_ends_at_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "BATCH_PIECES", 3)
    what = content(("a", 200_000))
    storage = MemoryStorage(what)
    fill(storage, what)
    seen: list[tuple[int, int, int]] = []
    check(what, storage, expected(what, v1=True, v2=False), progress=lambda *a: seen.append(a))
    assert len(seen) == 5
    assert seen[-1] == (200_000, 200_000, bitfield.full(what.geometry.piece_count))


def test_cancelling_stops_after_the_batches_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "BATCH_PIECES", 1)
    what = content(("a", 2_000_000))
    storage = Faulty(MemoryStorage(what))
    fill(storage, what)

    async def run() -> None:
        hasher = Hasher(Threads(), lanes=2, processes=False)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(
                hasher.check(
                    what.geometry, storage, expected(what, v1=True, v2=False), progress=lambda *a: task.cancel()
                )
            )

    asyncio.run(run())
    assert storage.calls["read"] < 20


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_processes_find_the_same_as_threads(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "PROCESS_BYTES", 0)
    monkeypatch.setattr(hashing, "BATCH_PIECES", 7)
    what = content(
        ("a", 400_000), ("b", 5), ("gone", 50_000), ("c", 3_000_000), v2=kind == "v2", hybrid=kind == "hybrid",
        piece_length=32768,
    )
    v1, v2 = kind != "v2", kind != "v1"
    right = expected(what, v1=v1, v2=v2)
    storage = FileStorage(what, tmp_path)
    fill(storage, what)
    bad = what.geometry.file_pieces(3)[4]
    storage.write(bad * 32768 + 7, [memoryview(b"?")])

    async def run() -> None:
        hasher = Hasher(Threads(), lanes=2)
        try:
            await hasher.digest(what.geometry, storage, v1=v1, v2=v2)
            with open("/proc/self/fd/0"):
                before = len(os.listdir("/proc/self/fd"))
            os.unlink(tmp_path / "thing" / "gone")
            storage._pool.discard_all(storage._table)
            found = await hasher.check(what.geometry, storage, right)
            assert len(os.listdir("/proc/self/fd")) <= before + len(what.files)
            lost = {*what.geometry.file_pieces(2), bad}
            assert set(indices(found.good, what)) == set(range(what.geometry.piece_count)) - lost
            assert indices(found.bad, what) == [bad]
            with pytest.raises(StorageError) as caught:
                await hasher.digest(what.geometry, storage, v1=v1, v2=v2)
            assert caught.value.code == "changed"
        finally:
            hasher.close()

    asyncio.run(run())
    storage.close()


def test_digests_are_the_right_hashes(tmp_path: Path) -> None:
    what = content(("a", 400_000), ("b", 5), ("c", 16384), hybrid=True, piece_length=32768)
    right = expected(what, v1=True, v2=True)
    assert right.v1 is not None
    assert right.v2 is not None
    storage = FileStorage(what, tmp_path)
    fill(storage, what)

    async def run() -> hashing.Digests:
        return await Hasher(Threads(), lanes=2, processes=False).digest(what.geometry, storage, v1=True, v2=True)

    made = asyncio.run(run())
    assert made.v1 == right.v1
    assert made.v2 == b"".join(right.v2(i) or b"" for i in range(what.geometry.piece_count))
    storage.close()


def test_a_hash_process_that_dies_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 1000)
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    pool = HashPool(1)
    want = (b"\0", hashlib.sha1(b"x" * 1000).digest(), b"")
    assert pool.hash({0: fd}, [(0, 0, 1000)], [(1000, 0, 0)], True, False) == want
    process = pool._idle.get()
    assert process is not None
    process._process.kill()
    process._process.wait()
    pool._idle.put(process)
    assert pool.hash({0: fd}, [(0, 0, 1000)], [(1000, 0, 0)], True, False) == want
    pool.close()
    os.close(fd)
