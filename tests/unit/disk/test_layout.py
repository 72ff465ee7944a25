from __future__ import annotations

from pathlib import Path

import pytest

from disk_content import content
from wildbach.base.errors import UsageError
from wildbach.disk.layout import Layout, Present, excluded, free_name, look

WHAT = content(("a.txt", 10), ("sub/b.NFO", 20), ("zero", 0))
SINGLE = content(("film.mkv", 10), name="film.mkv", multi_file=False)


def test_what_is_there_already_is_told_apart(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path), suffix=".!wb")
    assert look(WHAT, layout) == Present((), (), ())
    top = tmp_path / "thing"
    top.mkdir()
    (top / "a.txt").write_bytes(b"")
    (top / "zero").write_bytes(b"foreign")
    assert look(WHAT, layout) == Present((0, 2), (), ())
    (top / "sub").mkdir()
    (top / "sub" / "b.NFO.!wb").write_bytes(b"x")
    assert look(WHAT, layout) == Present((0, 1, 2), (1,), ())
    (top / "a.txt").unlink()
    (top / "a.txt").mkdir()
    assert look(WHAT, layout).obstacles == (str(top / "a.txt"),)


def test_a_free_name_is_found_for_the_whole_torrent(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    assert free_name(WHAT, layout) is layout
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "a.txt").write_bytes(b"1")
    (tmp_path / "thing (1)").mkdir()
    (tmp_path / "film.mkv").write_bytes(b"1")
    assert free_name(WHAT, layout).parts(WHAT, 1) == ("thing (2)", "sub", "b.NFO")
    assert free_name(SINGLE, layout).parts(SINGLE, 0) == ("film (1).mkv",)


def test_excluded_names_match_names_and_paths_without_case() -> None:
    assert excluded(WHAT, ["*.nfo"]) == (1,)
    assert excluded(WHAT, ["SUB/*", "a.*"]) == (0, 1)
    assert excluded(WHAT, []) == ()


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(UsageError):
        Layout("/x", "flat")
