import os

import pytest

from wildbach.disk import system
from wildbach.disk.folder.fs import RealFs
from wildbach.testing.fakefs import FakeFs
from wildbach.testing.fscontract import FS

checks = pytest.mark.parametrize("check", FS, ids=lambda check: check.__name__)


@checks
@pytest.mark.parametrize("openat2", [True, False])
def test_the_kernel_keeps_the_contract(check, openat2, tmp_path, monkeypatch):
    monkeypatch.setattr(system.kernel, "openat2", openat2 and system.kernel.openat2)
    fs = RealFs(str(tmp_path))
    try:
        check(fs)
    finally:
        fs.close_root()


@checks
@pytest.mark.parametrize("kinds", [{}, {"reuse_inodes": True}, {"folds": True, "decomposes": True}])
def test_the_one_in_memory_keeps_it_too(check, kinds):
    check(FakeFs(lambda: 1_700_000_000_000_000_000, **kinds))


def test_a_directory_that_was_replaced_is_noticed(tmp_path):
    (tmp_path / "sync").mkdir()
    fs = RealFs(str(tmp_path / "sync"))
    try:
        assert fs.attached()
        os.rename(tmp_path / "sync", tmp_path / "elsewhere")
        assert not fs.attached()
        (tmp_path / "sync").mkdir()
        assert not fs.attached()
    finally:
        fs.close_root()
