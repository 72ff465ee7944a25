"""rTorrent's session folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migrate_states import rtorrent_library, rtorrent_own, single, torrent

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.services.migrate import Client, Found, PathMap, Start, Unreadable, find, torrents
from wildbach.services.migrate.rtorrent import found

MADE = torrent()
KEY = MADE.info.hashes.key.upper()
NOWHERE = PathMap()


def session(
    root: Path, made: Metainfo = MADE, own: dict[str, Value] | None = None, library: dict[str, Value] | None = None,
) -> Path:
    root.mkdir(exist_ok=True)
    name = f"{made.info.hashes.swarms[0].hex().upper()}.torrent"
    (root / name).write_bytes(made.to_bytes())
    (root / f"{name}.rtorrent").write_bytes(rtorrent_own(made, **(own or {})))
    (root / f"{name}.libtorrent_resume").write_bytes(rtorrent_library(made, **(library or {})))
    return root


def one(root: Path, paths: PathMap | None = None) -> Found:
    (state,) = find(root)
    (item,) = torrents(state, paths)
    assert isinstance(item, Found), item.reason
    return item


def test_a_torrent_is_what_its_files_say(tmp_path: Path) -> None:
    item = one(session(tmp_path, library={"files": [{b"priority": 0}, {b"priority": 1}, {b"priority": 2}]}))
    assert (item.client, item.hashes, item.name) == (Client.RTORRENT, MADE.info.hashes, "thing")
    assert (item.save_path, item.layout, item.category) == (Path("/data"), "original", "films old")
    assert item.priorities == (0, 4, 7) and item.complete and item.start is Start.QUEUED
    assert (item.added_at, item.completed_at) == (1_700_000_000, 1_700_000_100)
    assert (item.uploaded, item.downloaded, item.lost) == (1000, 2000, ())


@pytest.mark.parametrize(("made", "directory", "expected"), [
    (MADE, b"/data/thing", ("/data", "original")), (MADE, b"/data/other", ("/data/other", "none")),
    (MADE, b"/thing", ("/", "original")), (single(), b"/data", ("/data", "original")),
    (single(), b"/data/one.bin", ("/data/one.bin", "original")),
])
def test_the_folder_of_a_torrent_may_have_another_name(
    tmp_path: Path, made: Metainfo, directory: bytes, expected: tuple[str, str],
) -> None:
    item = one(session(tmp_path, made, {"directory": directory}))
    assert (str(item.save_path), item.layout) == expected


def test_paths_that_mean_nothing_here(tmp_path: Path) -> None:
    for directory in (b"", b"relative", b"/a\xff", b"/a\0b"):
        item = one(session(tmp_path, own={"directory": directory}))
        assert item.save_path is None and len(item.lost) == 1
    assert one(session(tmp_path), PathMap([("/data", "/srv")])).save_path == Path("/srv")


@pytest.mark.parametrize(("value", "complete"), [
    (5, True), (0, False), (4, False), (b"\xf8", True), (b"\x78", False), (b"\xff", False), (b"", False), ([], False),
])
def test_pieces_are_bits_or_a_number(tmp_path: Path, value: Value, complete: bool) -> None:
    assert one(session(tmp_path, library={"bitfield": value})).complete is complete


def test_of_what_is_not_wanted_nothing_need_be_there(tmp_path: Path) -> None:
    files: list[Value] = [{b"priority": 0}, {b"priority": 1}, {b"priority": 1}]
    assert one(session(tmp_path, library={"bitfield": b"\x78", "files": files})).complete


def test_trackers_as_edited(tmp_path: Path) -> None:
    fields = bencode.decode(MADE.to_bytes())
    assert isinstance(fields, dict)
    fields[b"announce-list"] = [[b"http://t/a", b"http://t/off"], [b"http://t/b"]]
    made = Metainfo.parse(bencode.encode(fields))
    item = one(session(tmp_path, made, library={"trackers": {
        b"dht://": {b"enabled": 1}, b"http://t/a": {b"enabled": 1}, b"http://t/off": {b"enabled": 0},
        b"http://t/new": {b"enabled": 1, b"extra_tracker": 1, b"group": 1},
        b"http://t/far": {b"enabled": 1, b"extra_tracker": 1, b"group": 99}, b"http://t/odd": 7,
    }}))
    assert item.trackers == (("http://t/a",), ("http://t/b", "http://t/new"), ("http://t/far",))
    assert item.metainfo is not None and item.metainfo.trackers == item.trackers


def test_what_is_not_taken_over_is_told(tmp_path: Path) -> None:
    item = one(session(tmp_path, own={"priority": 0, "throttle_name": b"slow"}))
    assert len(item.lost) == 2 and "slow" in item.lost[1]
    assert one(session(tmp_path, own={"state": 0})).start is Start.STOPPED


def test_old_versions_kept_all_in_one_file(tmp_path: Path) -> None:
    fields = bencode.decode(MADE.to_bytes())
    assert isinstance(fields, dict)
    fields[b"rtorrent"] = bencode.decode(rtorrent_own(MADE))
    fields[b"libtorrent_resume"] = bencode.decode(rtorrent_library(MADE))
    (tmp_path / f"{KEY}.torrent").write_bytes(bencode.encode(fields))
    (tmp_path / "rtorrent.lock").write_text("elsewhere:+1")
    item = one(tmp_path)
    assert item.save_path == Path("/data") and item.complete
    assert find(tmp_path)[0].running.startswith("rTorrent runs now on another machine")


def test_a_link_without_metadata() -> None:
    fields: dict[bytes, Value] = {
        b"announce-list": [[b"http://t/a"]], b"info": {b"meta_download": 1, b"name": b"x", b"pieces": bytes(20)}}
    item = found("AB" * 20, bencode.encode(fields), None, None, NOWHERE)
    assert item.magnet is not None and item.magnet.trackers == ("http://t/a",) and item.start is Start.QUEUED
    fields[b"magnet-uri"] = b"magnet:?xt=urn:btih:" + b"ab" * 20 + b"&dn=named"
    assert found("AB" * 20, bencode.encode(fields), None, None, NOWHERE).name == "named"
    assert found("CD" * 20, bencode.encode(fields), None, None, NOWHERE).hashes.v1 == b"\xcd" * 20


def test_a_broken_torrent_does_not_stop_the_others(tmp_path: Path) -> None:
    root = session(tmp_path)
    (root / f"{'AB' * 20}.torrent").write_bytes(MADE.to_bytes())
    (root / f"{'CD' * 20}.torrent").write_bytes(b"rubbish")
    (root / f"{'EF' * 20}.torrent").symlink_to("/etc/passwd")
    other = torrent(name="other")
    session(tmp_path, other)
    (root / f"{other.info.hashes.key.upper()}.torrent.rtorrent").write_bytes(b"le")
    items = list(torrents(find(root)[0]))
    assert [item.name for item in items if isinstance(item, Found)] == ["thing"]
    assert len([item for item in items if isinstance(item, Unreadable)]) == 3


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_rubbish_is_a_format_error(own: bytes, library: bytes) -> None:
    for data in (MADE.to_bytes(), own):
        try:
            found(KEY, data, own, library, NOWHERE)
        except FormatError:
            continue


@given(st.recursive(
    st.integers(-(1 << 63), 1 << 63) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from([b"enabled", b"priority", b"group", b"extra_tracker", b"addtime", b"http://t/a"]), inner),
    max_leaves=6,
), st.sampled_from(["directory", "state", "custom", "custom1", "bitfield", "files", "trackers", "priority"]))
def test_values_of_a_wrong_kind_count_as_absent(value: Value, key: str) -> None:
    item = found(
        KEY, MADE.to_bytes(), rtorrent_own(MADE, **{key: value}), rtorrent_library(MADE, **{key: value}), NOWHERE)
    assert item.hashes == MADE.info.hashes


def test_a_lock_says_whether_it_runs(tmp_path: Path) -> None:
    root = session(tmp_path)
    lock = root / "rtorrent.lock"
    for process in ("999999999", "x", str(os.getpid())):
        lock.write_text(f"{socket.gethostname()}:+{process}")
        assert find(root)[0].running == "", "that process is none of rTorrent's"
    lock.write_text("another machine:+5")
    assert "another machine" in find(root)[0].running
