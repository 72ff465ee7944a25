"""The counters outside the data directory: newest wins, and half a write loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import StorageError
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.wallet.mirror import Mirror, Mirrored

PAYER = Address(bytes([7]) * 20)


def test_the_newest_is_read(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "new" / "folder", PAYER, "m")
    assert mirror.read() is None
    for turn in range(5):
        at = Mirrored(turn, turn * 10, 20_000, turn)
        assert mirror.write(at) == at
        assert mirror.read() == at
    assert mirror.path.stat().st_mode & 0o777 == 0o600


def test_what_is_as_new_or_newer_stays_and_is_told(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, PAYER, "m")
    there = Mirrored(5, 50, 1, 99)
    mirror.write(there)
    assert mirror.write(Mirrored(5, 50, 1, 98)) == there
    assert mirror.write(Mirrored(4, 60, 1, 97)) == there
    assert mirror.read() == there


@given(st.data())
def test_a_write_that_is_cut_off_leaves_the_one_before(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject,
) -> None:
    mirror = Mirror(tmp_path_factory.mktemp("m"), PAYER, "m")
    for turn in range(data.draw(st.integers(1, 4))):
        mirror.write(Mirrored(turn, 0, 0, turn))
    before = mirror.path.read_bytes()
    old = mirror.read()
    assert old is not None
    new = Mirrored(old.turn + 1, 1, 0, 1)
    mirror.write(new)
    after = mirror.path.read_bytes()
    long = max(len(before), len(after))
    before, after = before.ljust(long, b"\0"), after.ljust(long, b"\0")
    changed = [place for place in range(long) if before[place] != after[place]]
    cut = data.draw(st.sampled_from(changed))
    mirror.path.write_bytes(after[:cut] + before[cut:])
    assert mirror.read() in (old, new)


@given(st.binary(max_size=1200))
def test_other_bytes_are_nothing(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    mirror = Mirror(tmp_path_factory.mktemp("m"), PAYER, "m")
    mirror.path.write_bytes(raw)
    assert mirror.read() is None
    at = Mirrored(1, 2, 3, 4)
    assert mirror.write(at) == at and mirror.read() == at


def test_the_file_of_another_address_is_nothing(tmp_path: Path) -> None:
    other = Mirror(tmp_path, Address(bytes([8]) * 20), "other")
    other.write(Mirrored(1, 2, 3, 4))
    mine = Mirror(tmp_path, PAYER, "m")
    other.path.rename(mine.path)
    assert mine.read() is None


def test_numbers_that_no_wallet_has_are_nothing(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, PAYER, "m")
    mirror.write(Mirrored(1 << 62, 0, 0, 0))
    assert mirror.read() is None


def test_a_disk_that_says_no_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        Mirror(tmp_path / "file", PAYER, "m").write(Mirrored(1, 2, 3, 4))
    (tmp_path / "m.mirror").mkdir()
    with pytest.raises(StorageError):
        Mirror(tmp_path, PAYER, "m").read()
