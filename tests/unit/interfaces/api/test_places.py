from __future__ import annotations

from pathlib import Path

import pytest

from wildbach.base.errors import UsageError
from wildbach.interfaces.api.places import judge


def test_what_is_below_an_allowed_folder_may_be_used(tmp_path: Path) -> None:
    assert judge(str(tmp_path / "a" / ".." / "b"), [tmp_path]) == tmp_path / "b"
    assert judge(str(tmp_path), [str(tmp_path)]) == tmp_path


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    with pytest.raises(UsageError):
        judge(str(inside / "link" / "x"), [inside])


def test_an_allowed_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert judge(str(tmp_path / "link" / "x"), [tmp_path / "link"]) == tmp_path / "link" / "x"


def test_hidden_folders_of_the_home_folder_are_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert judge("~/films", ["~"]) == tmp_path / "films"
    for path in ("~/.ssh/authorized_keys", "~/films/../.config/autostart"):
        with pytest.raises(UsageError) as error:
            judge(path, ["~"])
        assert error.value.code == "forbidden_path"


@pytest.mark.parametrize("path", ["", " ", "films", "../x", "/dl\0/x"])
def test_what_is_no_path_from_the_root_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        judge(path, ["/", tmp_path])


def test_a_home_that_nobody_has_is_refused() -> None:
    with pytest.raises(UsageError):
        judge("~nobody-of-this-name/x", ["/"])


def test_what_holds_the_hidden_folders_of_the_home_folder_is_not_used_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for path in ("~", str(tmp_path)):
        assert judge(path, [tmp_path, "~"])
        with pytest.raises(UsageError) as error:
            judge(path, [tmp_path, "~"], whole=True)
        assert error.value.code == "forbidden_path"
    assert judge("~/films", ["~"], whole=True) == tmp_path / "me" / "films"


def test_the_folders_of_wildbach_itself_are_not_used(tmp_path: Path) -> None:
    own = tmp_path / "state"
    assert judge(str(tmp_path), [tmp_path], own=[own]) == tmp_path
    for path, whole in ((own, False), (own / "api.token", False), (tmp_path, True)):
        with pytest.raises(UsageError):
            judge(str(path), [tmp_path], own=[own], whole=whole)
