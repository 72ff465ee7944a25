"""Files of a wallet: for its owner alone, whole, and refused where they are not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from wildbach.base.errors import StorageError
from wildbach.services.pay.wallet.files import WalletFolder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folder_are_the_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = WalletFolder(tmp_path / "data" / "wallet")
        folder.write("cold.json", b"sealed", 5.0)
    finally:
        os.umask(before)
    assert mode(folder.path) == 0o700 and mode(folder.path / "cold.json") == 0o600
    assert folder.read("cold.json", 100) == b"sealed"
    assert os.listdir(folder.path) == ["cold.json"]


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "wallet").mkdir(mode=0o755)
    WalletFolder(tmp_path / "wallet").make()
    assert mode(tmp_path / "wallet") == 0o700


def test_what_others_can_read_or_what_is_no_file_is_refused(tmp_path: Path) -> None:
    folder = WalletFolder(tmp_path)
    folder.write("a", b"x", 0)
    os.chmod(tmp_path / "a", 0o640)
    with pytest.raises(StorageError, match="read by others"):
        folder.read("a", 10)
    os.chmod(tmp_path / "a", 0o600)
    os.symlink(tmp_path / "a", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe", 0o600)
    os.mkdir(tmp_path / "folder", 0o700)
    for name in ("link", "pipe", "folder"):
        with pytest.raises(StorageError):
            folder.read(name, 10)
    folder.write("long", b"x" * 11, 0)
    with pytest.raises(StorageError, match="longer"):
        folder.read("long", 10)
    assert folder.read("none", 10) is None


def test_a_key_is_random_and_read_back(tmp_path: Path) -> None:
    folder = WalletFolder(tmp_path)
    assert folder.key("signer") is None
    first = folder.new_key("signer", 0)
    found = folder.key("signer")
    assert found is not None and found.secret == first.secret
    assert folder.new_key("signer", 0).secret != first.secret
    assert mode(tmp_path / "signer") == 0o600


@pytest.mark.parametrize("raw", [b"", b"00", b"0" * 64, b"0" * 64 + b"\n", b"F" * 64 + b"\n", b"\xff" * 65])
def test_what_is_no_key_is_refused(tmp_path: Path, raw: bytes) -> None:
    folder = WalletFolder(tmp_path)
    folder.write("signer", raw, 0)
    with pytest.raises(StorageError, match="no key"):
        folder.key("signer")


def test_a_removed_file_is_overwritten_first(tmp_path: Path) -> None:
    folder = WalletFolder(tmp_path)
    folder.write("signer", b"secret", 0)
    os.link(tmp_path / "signer", tmp_path / "other")
    folder.remove("signer")
    folder.remove("signer")
    assert (tmp_path / "other").read_bytes() == bytes(6) and not (tmp_path / "signer").exists()


def test_a_disk_that_says_no_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        WalletFolder(tmp_path / "file" / "wallet").write("a", b"", 0)
