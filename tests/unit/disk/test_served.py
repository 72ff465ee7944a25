from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from contentbed import named
from wildbach.base.errors import StorageError
from wildbach.base.geometry import BLOCK
from wildbach.disk.served import ServedFile
from wildbach.protocol import layers

OLD = 1_000_000_000


def served(path: Path, data: bytes, when: float = OLD) -> ServedFile:
    path.write_bytes(data)
    os.utime(path, (when, when))
    return ServedFile(named(data).info, path)


def read(storage: ServedFile, offset: int, length: int) -> bytes:
    out = bytearray(length)
    storage.read_into(offset, [memoryview(out)])
    return bytes(out)


def test_what_looks_as_it_did_is_read(tmp_path: Path) -> None:
    data = os.urandom(3 * BLOCK + 5)
    storage = served(tmp_path / "any name", data)
    storage.settle()
    assert not storage.racy and storage.unchanged()
    assert read(storage, 0, len(data)) == data and read(storage, 7, 100) == data[7:107]
    assert storage.hash_leaves() == layers.leaf_hashes(data)
    storage.close()


def test_what_looks_otherwise_is_not_given_unless_its_leaves_prove_it(tmp_path: Path) -> None:
    data = os.urandom(3 * BLOCK + 5)
    storage = served(tmp_path / "a", data)
    storage.settle()
    os.utime(tmp_path / "a", (OLD + 9, OLD + 9))
    assert not storage.unchanged() and not storage.try_read(0, [memoryview(bytearray(BLOCK))])
    with pytest.raises(StorageError) as caught:
        read(storage, 0, BLOCK)
    assert caught.value.code == "changed"
    storage.leaves = layers.leaf_hashes(data)
    assert read(storage, 0, 2 * BLOCK) == data[: 2 * BLOCK]
    assert read(storage, 3 * BLOCK, 5) == data[3 * BLOCK :]
    with pytest.raises(StorageError):
        read(storage, 1, BLOCK)  # no block: it cannot be told
    (tmp_path / "a").write_bytes(data[:BLOCK] + bytes(len(data) - BLOCK))
    assert read(storage, 0, BLOCK) == data[:BLOCK]
    with pytest.raises(StorageError):
        read(storage, BLOCK, BLOCK)
    storage.close()


def test_what_was_just_changed_has_to_be_proven(tmp_path: Path) -> None:
    data = os.urandom(2 * BLOCK)
    storage = served(tmp_path / "a", data, time.time())
    storage.settle()
    assert storage.racy and not storage.try_read(0, [memoryview(bytearray(BLOCK))])
    with pytest.raises(StorageError):
        read(storage, 0, BLOCK)
    storage.leaves = storage.hash_leaves()
    assert read(storage, 0, BLOCK) == data[:BLOCK]
    storage.close()


def test_another_size_is_another_file(tmp_path: Path) -> None:
    storage = served(tmp_path / "a", b"abc")
    (tmp_path / "a").write_bytes(b"ab")
    with pytest.raises(StorageError) as caught:
        storage.settle()
    assert caught.value.code == "changed"
    storage.close()
