"""Looking for the state of other clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.services.migrate import test_deluge, test_qbittorrent, test_rtorrent, test_transmission

from wildbach.base import limits
from wildbach.services.migrate import Client, find, general, places, torrents


def everything(root: Path) -> Path:
    test_qbittorrent.profile(root / "q")
    test_transmission.folder(root / "t" / "transmission")
    test_deluge.config(root / "d" / "deluge")
    test_rtorrent.session(root / "r")
    return root


def test_all_clients_below_a_folder_are_found(tmp_path: Path) -> None:
    states = find(everything(tmp_path))
    assert {state.client for state in states} == set(Client) and len(states) == 4
    for state in states:
        assert state.count == 1 and len(list(torrents(state))) == 1
        assert general(state).notes == ()
        assert state.client.label.lower() == state.client.value


@pytest.mark.parametrize("inside", [
    "t/transmission", "t/transmission/torrents", "t/transmission/resume",
    "d/deluge/state", "d/deluge/state/torrents.state",
    "q/qBittorrent/data/BT_backup",
])
def test_a_folder_or_file_inside_will_do(tmp_path: Path, inside: str) -> None:
    assert len(find(everything(tmp_path) / inside)) == 1


def test_symlinks_are_followed_only_where_the_user_names_one(tmp_path: Path) -> None:
    everything(tmp_path / "real")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "home" / "loop").symlink_to(tmp_path / "home")
    assert find(tmp_path / "home") == []
    assert len(find(tmp_path / "home" / "link")) == 4


def test_the_search_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path.joinpath(*["x"] * (limits.IMPORT_DEPTH + 1))
    deep.mkdir(parents=True)
    test_rtorrent.session(deep)
    assert find(tmp_path) == [] and len(find(tmp_path / "x")) == 1
    monkeypatch.setattr(limits, "IMPORT_FOLDERS", 3)
    assert find(tmp_path / "x") == []


def test_the_usual_places_that_are_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in (".config/deluge", ".local/share/qBittorrent"):
        (home / name).mkdir(parents=True)
    (tmp_path / "config").mkdir()
    assert places(home, (str(tmp_path / "config"), str(tmp_path / "none"))) == (
        home / ".local/share/qBittorrent", home / ".config/deluge", tmp_path / "config")
