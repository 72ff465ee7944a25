"""qBittorrent's folder and database."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migrate_states import fastresume, torrent, without_layers

from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.builder import Kind
from wildbach.services.migrate import (
    Category,
    Client,
    Found,
    General,
    PathMap,
    Start,
    State,
    Unreadable,
    find,
    general,
    torrents,
)
from wildbach.services.migrate.qbittorrent import found

KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")
MADE = torrent()
KEY = MADE.info.hashes.key
ALL = {kind: torrent(kind) for kind in KINDS}


def profile(root: Path, **keys: Value) -> Path:
    """A profile with one torrent."""
    backup = root / "qBittorrent" / "data" / "BT_backup"
    backup.mkdir(parents=True)
    (root / "qBittorrent" / "config").mkdir()
    (backup / f"{KEY}.fastresume").write_bytes(fastresume(MADE, **keys))
    (backup / f"{KEY}.torrent").write_bytes(without_layers(MADE))
    return root


def settings(root: Path, text: str, categories: object = None) -> None:
    config = root / "qBittorrent" / "config"
    (config / "qBittorrent.conf").write_text(text)
    if categories is not None:
        (config / "categories.json").write_text(json.dumps(categories))


def one(root: Path, paths: PathMap | None = None) -> Found:
    (state,) = find(root)
    (item,) = torrents(state, paths)
    assert isinstance(item, Found), item.reason
    return item


def test_a_torrent_is_what_its_files_say(tmp_path: Path) -> None:
    item = one(profile(
        tmp_path, qBt_category=b"films", qBt_tags=[b"a", b" b ", b"a", b"", 7], qBt_name=b"Mine", qBt_savePath=b"/data",
        qBt_ratioLimit=1500, qBt_seedingTimeLimit=10, qBt_inactiveSeedingTimeLimit=-1, file_priority=[0, 1, 7],
        mapped_files=[b"", b"thing/n.bin"], trackers=[[b"http://t/a"], [b"http://t/b", b"http://t/c"]],
        sequential_download=1, super_seeding=1, download_rate_limit=5, upload_rate_limit=-1,
        **{"url-list": [b"http://w/"], "httpseeds": []},
    ))
    assert (item.client, item.hashes, item.name) == (Client.QBITTORRENT, MADE.info.hashes, "Mine")
    assert (item.save_path, item.incomplete_path, item.said_path) == (Path("/data"), None, "/data")
    assert (item.category, item.tags) == ("films", ("a", "b"))
    assert (item.limits.down, item.limits.up, item.limits.ratio) == (5, 0, 1.5)
    assert (item.limits.seeding_seconds, item.limits.idle_seconds) == (600, math.inf)
    assert item.priorities == (0, 1, 7) and item.renames == {1: ("thing", "n.bin")}
    assert item.trackers == (("http://t/a",), ("http://t/b", "http://t/c"))
    assert item.metainfo is not None and item.metainfo.trackers == item.trackers
    assert item.metainfo.web_seeds == ("http://w/",) and item.source is item.metainfo
    assert item.sequential and item.super_seed and item.complete and item.start is Start.QUEUED
    assert (item.added_at, item.completed_at) == (1_700_000_000, 1_700_000_100)
    assert (item.active_seconds, item.seeding_seconds, item.uploaded, item.downloaded) == (500, 400, 1000, 2000)
    assert item.lost == () and item.torrent == item.metainfo.to_bytes()


@pytest.mark.parametrize(("paused", "managed", "start"), [
    (1, 0, Start.STOPPED), (0, 0, Start.FORCED), (0, 1, Start.QUEUED), (1, 1, Start.QUEUED),
])
def test_paused_and_not_managed_is_stopped(tmp_path: Path, paused: int, managed: int, start: Start) -> None:
    assert one(profile(tmp_path, paused=paused, auto_managed=managed)).start is start


@pytest.mark.parametrize(("raw", "ratio"), [
    (-2000, None), (-1000, math.inf), (0, 0.0), (2500, 2.5), (b"1.25", 1.25), (b"-2", None), (b"-1", math.inf),
    (b"x", None), ([], None), (-5, None),
])
def test_limits_are_general_none_or_its_own(tmp_path: Path, raw: Value, ratio: float | None) -> None:
    assert one(profile(tmp_path, qBt_ratioLimit=raw)).limits.ratio == ratio


def test_what_is_not_taken_over_is_told(tmp_path: Path) -> None:
    item = one(profile(
        tmp_path, qBt_firstLastPiecePriority=1, qBt_stopCondition=b"FilesChecked", qBt_shareLimitAction=b"Remove",
        mapped_files=[b"../x"]))
    assert len(item.lost) == 4


@pytest.mark.parametrize(("keys", "category", "expected"), [
    ({"save_path": b"/now", "qBt_savePath": b"/final"}, "", ("/final", "/now")),
    ({"save_path": b"/now", "qBt_savePath": b"/now"}, "", ("/now", None)),
    ({"save_path": b"/now"}, "films", ("/films", "/now")),
    ({"save_path": b"/now"}, "films/old", ("/films/old", "/now")),
    ({"save_path": b"/now"}, "plain", ("/saves/plain", "/now")),
    ({"save_path": b"/now"}, "", ("/saves", "/now")),
    ({"save_path": b"/now"}, "unknown", ("/saves", "/now")),
    ({"save_path": b"", "qBt_savePath": b"/final"}, "", ("/final", None)),
    ({"save_path": b"D:\\x", "qBt_savePath": b"D:\\x"}, "", (None, None)),
    ({"save_path": b"D:\\x"}, "", (None, None)),
])
def test_folders_of_what_is_not_complete(
    tmp_path: Path, keys: dict[str, Value], category: str, expected: tuple[str | None, str | None],
) -> None:
    root = profile(tmp_path, pieces=b"\0" * 5, qBt_category=category.encode(), **keys)
    settings(root, "[BitTorrent]\nSession\\DefaultSavePath=/saves\n", {
        "films": {"save_path": "/films"}, "films/old": {"save_path": ""}, "plain": {"save_path": ""}})
    item = one(root)
    assert not item.complete
    assert (item.save_path, item.incomplete_path) == tuple(Path(text) if text else None for text in expected)
    assert item.save_path is not None or item.lost


def test_what_is_complete_stays_where_it_is(tmp_path: Path) -> None:
    root = profile(tmp_path, save_path=b"/now", qBt_savePath=b"/final")
    assert (one(root).save_path, one(root).incomplete_path) == (Path("/now"), None)


def test_paths_of_windows_need_a_mapping(tmp_path: Path) -> None:
    root = profile(tmp_path, save_path=b"D:\\Torrents\\x", qBt_savePath=b"D:/Torrents/x", mapped_files=[b"thing\\n\\a"])
    item = one(root)
    assert item.save_path is None and "path of Windows" in item.lost[0] and item.said_path == "D:/Torrents/x"
    item = one(root, PathMap([("d:\\torrents", "/srv")]))
    assert item.save_path == Path("/srv/x") and item.lost == () and item.renames == {0: ("thing", "n", "a")}


def test_settings_and_categories(tmp_path: Path) -> None:
    root = profile(tmp_path, mapped_files=[b"thing/a.bin.!qB"])
    settings(root, (
        "[BitTorrent]\nSession\\DefaultSavePath=\"/sa, ves\"\nSession\\TempPath=/temp\nSession\\TempPathEnabled=true\n"
        "Session\\AddExtensionToIncompleteFiles=true\n"), {
            "a": {"save_path": "/a", "download_path": "/b"}, "b": "/old",
            "c": {"save_path": "", "download_path": False}, "d/../..": {"save_path": ""}, "e": 7,
            "f": {"save_path": "D:\\x"}})
    (state,) = find(root)
    shared = general(state)
    assert (shared.save_path, shared.incomplete_path, shared.suffix) == (Path("/sa, ves"), Path("/temp"), ".!qB")
    assert shared.categories[:3] == (
        Category("a", Path("/a"), Path("/b")), Category("b", Path("/old")), Category("c", Path("/sa, ves/c")))
    assert [item.save_path for item in shared.categories[3:]] == [None, Path("/sa, ves/e"), None]
    assert len(shared.notes) == 1 and "category f" in shared.notes[0]
    assert one(root).suffix == ".!qB" and one(root).renames == {}


def test_broken_settings_are_a_note(tmp_path: Path) -> None:
    root = profile(tmp_path)
    settings(root, "")
    (root / "qBittorrent/config/categories.json").write_text("[")
    (state,) = find(root)
    (note,) = general(state).notes
    assert note.startswith("the categories could not be read")
    (root / "qBittorrent/config/categories.json").unlink()
    (root / "qBittorrent/config/categories.json").symlink_to("/etc/passwd")
    assert "symlink" in general(state).notes[0]


def test_a_broken_torrent_does_not_stop_the_others(tmp_path: Path) -> None:
    root = profile(tmp_path)
    backup = root / "qBittorrent/data/BT_backup"
    for number, data in enumerate([b"", b"x", b"le", b"d", fastresume(torrent(name="b"))[:-1]]):
        (backup / f"{number:040x}.fastresume").write_bytes(data)
    (backup / f"{9:040x}.fastresume").symlink_to("/etc/passwd")
    (backup / f"{10:040x}.fastresume").write_bytes(fastresume(torrent(name="c")))
    (backup / f"{10:040x}.torrent").write_bytes(b"d4:infodee")
    (backup / f"{11:040x}.torrent").write_bytes(MADE.to_bytes())
    (backup / "queue").write_text(f"{KEY}\nrubbish\n")
    (state,) = find(root)
    items = list(torrents(state))
    good = [item for item in items if isinstance(item, Found)]
    bad = [item for item in items if isinstance(item, Unreadable)]
    assert [item.hashes.key for item in good] == [KEY] and good[0].queue == 0
    assert len(bad) == 7 and all(item.reason and item.client is Client.QBITTORRENT for item in bad)


def test_without_metadata_it_is_a_magnet_link(tmp_path: Path) -> None:
    root = profile(tmp_path, trackers=[[b"http://t/a"]])
    (root / "qBittorrent/data/BT_backup" / f"{KEY}.torrent").unlink()
    item = one(root)
    assert item.metainfo is None and item.magnet is not None and item.source is item.magnet and item.torrent is None
    assert item.magnet.hashes == MADE.info.hashes and item.magnet.trackers == ("http://t/a",) and not item.complete


@pytest.mark.parametrize("layout", [
    ("home/.local/share/qBittorrent/BT_backup", "home/.config/qBittorrent"),
    ("config/qBittorrent/BT_backup", "config/qBittorrent"),
    ("p/qBittorrent/data/BT_backup", "p/qBittorrent/config"),
    ("app/data/qBittorrent/BT_backup", "app/config/qBittorrent"),
    ("AppData/Local/qBittorrent/BT_backup", "AppData/Roaming/qBittorrent"),
])
def test_settings_are_found_beside_the_torrents(tmp_path: Path, layout: tuple[str, str]) -> None:
    data, config = tmp_path / layout[0], tmp_path / layout[1]
    for folder in (data, config):
        folder.mkdir(parents=True, exist_ok=True)
    (data / f"{KEY}.fastresume").write_bytes(fastresume(MADE))
    (config / "qBittorrent.conf").write_text("[Preferences]\nDownloads\\SavePath=/s\n")
    for start in (tmp_path, data.parent, data, data / f"{KEY}.fastresume"):
        (state,) = find(start)
        assert (state.path, state.config) == (data, config)
        assert general(state).save_path == Path("/s")


def test_a_lock_file_says_that_it_may_run(tmp_path: Path) -> None:
    root = profile(tmp_path)
    settings(root, "")
    assert find(root)[0].running == ""
    (root / "qBittorrent/config/lockfile").touch()
    assert find(root)[0].running.startswith("qBittorrent runs now, or did not end")


VALUES = st.recursive(
    st.integers(-(1 << 63), 1 << 63) | st.binary(max_size=12), lambda inner: st.lists(inner, max_size=4), max_leaves=6)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from([
    "qBt_category", "qBt_tags", "qBt_name", "qBt_savePath", "qBt_downloadPath", "qBt_ratioLimit",
    "qBt_seedingTimeLimit", "qBt_stopCondition", "save_path", "pieces", "trackers", "mapped_files", "file_priority",
    "trees", "added_time", "paused", "auto_managed", "total_uploaded", "seed_mode", "name", "url-list", "file-version",
    "info",
]), VALUES, max_size=6))
def test_values_of_a_wrong_kind_count_as_absent(kind: Kind, keys: dict[str, Value]) -> None:
    made = ALL[kind]
    item = found(made.info.hashes.key, fastresume(made, **keys), without_layers(made), PathMap(), General())
    assert item.hashes == made.info.hashes
    assert len(item.priorities) in (0, len(made.info.files))


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_rubbish_is_a_format_error(data: bytes, file: bytes) -> None:
    for torrent_file in (None, file, MADE.to_bytes()):
        with pytest.raises(FormatError):
            found(KEY, data, torrent_file, PathMap(), General())
    with pytest.raises(FormatError):
        found(KEY, fastresume(MADE), file, PathMap(), General())


def test_a_place_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find(tmp_path / "nothing")
    assert find(tmp_path) == []
    assert list(torrents(State(Client.QBITTORRENT, tmp_path / "gone", None, 1))) == []
