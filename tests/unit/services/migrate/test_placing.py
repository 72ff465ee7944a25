"""Paths of other clients, and of other machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError, UsageError
from wildbach.services.migrate.placing import PathMap, is_windows, place

MAP = PathMap([
    ("/data", "/srv/data"), ("/data/films", "/films"), ("D:\\Torrents", "/srv/torrents"), ("d:/torrents/Old/", "/old"),
    ("\\\\nas\\share", "/mnt/nas"), ("E:", "/e"),
])


@pytest.mark.parametrize(("said", "here"), [
    ("/data", "/srv/data"), ("/data/", "/srv/data"), ("/data/x y", "/srv/data/x y"), ("/data/films/a", "/films/a"),
    ("D:\\torrents\\OLD\\x", "/old/x"),
    ("/database", "/database"), ("/DATA/x", "/DATA/x"), ("//data//films/", "/films"), ("/other", "/other"),
    ("/", "/"),
    ("D:\\Torrents\\A\\b", "/srv/torrents/A/b"), ("d:/TORRENTS/A", "/srv/torrents/A"),
    ("\\\\NAS\\Share\\x", "/mnt/nas/x"), ("E:\\", "/e"), ("\\\\?\\E:\\long", "/e/long"),
])
def test_the_longest_beginning_that_fits_is_replaced(said: str, here: str) -> None:
    assert MAP.here(said) == Path(here)


@pytest.mark.parametrize(("said", "reason"), [
    ("C:\\x", "path of Windows"), ("\\\\other\\x", "path of Windows"), ("data", "not a full path"),
    ("", "not a full path"),    ("~/x", "not a full path"), ("/data/../etc", "not a full path"),
    ("/a\0b", "UTF-8"), ("/a\udcff", "UTF-8"),
    ("/" + "x" * 5000, "longer"),
])
def test_what_means_nothing_here_says_why(said: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        MAP.here(said)
    lost: list[str] = []
    assert place(MAP, said, lost, "the folder:") is None
    assert len(lost) == 1 and lost[0].startswith("the folder: ") and reason in lost[0]


@pytest.mark.parametrize("pair", [
    ("data", "/x"), ("/data", "x"), ("/data", ""), ("", "/x"), ("/a/../b", "/x"), ("/a", "/x\0"),
])
def test_a_pair_has_two_full_paths(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        PathMap([pair])


@given(st.text(max_size=60))
def test_a_path_is_absolute_or_an_error(text: str) -> None:
    try:
        found = MAP.here(text)
    except FormatError:
        return
    assert found.is_absolute() and ".." not in found.parts


def test_drive_letters_and_servers_are_windows() -> None:
    assert [is_windows(text) for text in ("C:\\a", "c:/a", "C:", "\\\\a\\b", "/a", "a:b", "ab:/c", "")] == [
        True, True, True, True, False, False, False, False]
