"""Reading in folders of other programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, StorageError
from wildbach.services.migrate.folders import json_object, json_objects, listed, read, read_json, read_or_none


def test_regular_files_and_folders_are_listed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"x")
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "way out").symlink_to("/")
    os.mkfifo(tmp_path / "pipe")
    assert list(listed(tmp_path).items()) == [("a", True), ("b", False)]
    assert listed(tmp_path / "nothing") == {} == listed(tmp_path / "b")


def test_a_folder_is_read_as_far_as_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(limits, "IMPORT_ENTRIES", 4)
    assert len(listed(tmp_path)) == 4


def test_only_regular_files_of_the_right_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    assert read(tmp_path / "file", 5) == b"12345"
    with pytest.raises(LimitError):
        read(tmp_path / "file", 4)
    for name in ("link", "dangling"):
        with pytest.raises(FormatError, match="symlink"):
            read(tmp_path / name, 100)
        with pytest.raises(FormatError, match="symlink"):
            read_or_none(tmp_path / name, 100)
    for name in ("pipe", "."):
        with pytest.raises(FormatError, match="regular"):
            read(tmp_path / name, 100)
    with pytest.raises(StorageError):
        read(tmp_path / "nothing", 100)
    assert read_or_none(tmp_path / "nothing", 100) is None
    with pytest.raises(LimitError):
        read(Path("/proc/self/status"), 10)  # its size is 0, as the system says


def test_json_of_one_object_or_several(tmp_path: Path) -> None:
    assert json_object(b'\xef\xbb\xbf {"a": 1} \n', "x") == {"a": 1}
    assert json_objects(b'{"file": 1}\n{"b": [2]}', "x") == [{"file": 1}, {"b": [2]}]
    assert read_json(tmp_path / "none", 10) is None


@pytest.mark.parametrize("data", [
    b"", b"  ", b"[]", b"1", b"{", b'{"a": 1} x', b"{}[]", b"\xff", b"{}" * 10, b"[" * 100_000, b'{"a":' * 50_000,
    b'{"a": ' + b"9" * 5000 + b"}",
])
def test_other_json_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        json_objects(data, "x")


@given(st.binary(max_size=100))
def test_rubbish_is_a_format_error(data: bytes) -> None:
    try:
        assert all(isinstance(item, dict) for item in json_objects(data, "x"))
    except FormatError:
        return
