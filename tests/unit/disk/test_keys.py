"""Secret keys in the data directory."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wildbach.base.errors import StorageError, UsageError
from wildbach.disk.keys import Keys


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made = keys.get("tunes")
    assert len(made) == 32 and made == Keys(tmp_path).get("tunes") != keys.get("other")
    assert stat.S_IMODE((tmp_path / "keys" / "tunes.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert keys.names() == ["other", "tunes"]
    assert sorted(os.listdir(tmp_path / "keys")) == ["other.key", "tunes.key"]


def test_an_unknown_key_is_not_made_where_that_is_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key tunes"):
        Keys(tmp_path).get("tunes", make=False)
    assert Keys(tmp_path).names() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "a\0b", "ä"])
def test_a_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Keys(tmp_path).get(name)


def test_several_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: Keys(tmp_path).get("tunes"), range(32)))) == 1
    assert os.listdir(tmp_path / "keys") == ["tunes.key"]


@pytest.mark.parametrize("raw", [b"", b"00" * 31, b"0" * 63 + b"g", b"00" * 33])
def test_a_file_that_is_no_key_is_not_used_and_not_replaced(tmp_path: Path, raw: bytes) -> None:
    keys = Keys(tmp_path)
    keys.get("tunes")
    path = tmp_path / "keys" / "tunes.key"
    path.write_bytes(raw)
    with pytest.raises(StorageError, match="no key"):
        keys.get("tunes")
    assert path.read_bytes() == raw


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.get("tunes")
    (tmp_path / "keys" / "tunes.key").chmod(0o644)
    with pytest.raises(StorageError) as caught:
        keys.get("tunes")
    assert caught.value.code == "key_not_secret"
