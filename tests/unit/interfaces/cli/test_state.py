from __future__ import annotations

from pathlib import Path

import pytest

from wildbach.interfaces.cli.state import folder_for, state_folder


def test_a_flag_beats_the_environment_beats_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/nowhere/x")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("WILDBACH_STATE", raising=False)
    assert state_folder() == Path("/nowhere/x/.local/state/wildbach")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/wildbach")
    monkeypatch.setenv("WILDBACH_STATE", "/own")
    assert state_folder() == Path("/own")
    assert state_folder(tmp_path) == tmp_path


def test_each_download_folder_has_a_state_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert folder_for(tmp_path / "a", tmp_path) == folder_for(tmp_path / "link", tmp_path)
    assert folder_for(tmp_path / "a", tmp_path) != folder_for(tmp_path / "b", tmp_path)
