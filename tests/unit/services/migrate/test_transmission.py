"""Transmission's folder."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migrate_states import PIECE, single, torrent, transmission_resume

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.services.migrate import Client, Found, General, PathMap, Start, Unreadable, find, general, torrents
from wildbach.services.migrate.transmission import found, parse_resume, parse_source

MADE = torrent()
KEY = MADE.info.hashes.key


def folder(
    root: Path, stem: str = KEY, made: bytes | None = None, resume: bytes | None = None, **changes: Value,
) -> Path:
    for name in ("torrents", "resume"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "torrents" / f"{stem}.torrent").write_bytes(MADE.to_bytes() if made is None else made)
    (root / "resume" / f"{stem}.resume").write_bytes(transmission_resume(MADE, **changes) if resume is None else resume)
    return root


def one(root: Path, paths: PathMap | None = None) -> Found:
    (state,) = find(root)
    (item,) = torrents(state, paths)
    assert isinstance(item, Found), item.reason
    return item


@pytest.mark.parametrize("stem", [KEY, f"thing.{KEY[:16]}", "a.b c.0123456789abcdef"])
def test_a_torrent_is_what_its_files_say(tmp_path: Path, stem: str) -> None:
    item = one(folder(
        tmp_path, stem, dnd=[1, 0, 0], priority=[0, -1, 1], labels=[b"films", b"two", 7], name=b"renamed",
        files=[b"", b"thing/n.bin", b""], speed_limit_down={b"speed-Bps": 5000, b"use-speed-limit": 1},
        speed_limit_up={b"speed-Bps": 5000, b"use-speed-limit": 0},
        ratio_limit={b"ratio-limit": b"1.50", b"ratio-mode": 1},
        idle_limit={b"idle-limit": 3, b"idle-mode": 1},
        bandwidth_priority=1, group=b"g", sequentialDownload=1,
        incomplete_dir=b"/inc",
    ))
    assert (item.client, item.hashes, item.name) == (Client.TRANSMISSION, MADE.info.hashes, "renamed")
    assert item.priorities == (0, 1, 7) and item.tags == ("films", "two") and item.category == ""
    assert item.renames == {1: ("thing", "n.bin")}
    assert (item.save_path, item.incomplete_path, item.suffix) == (Path("/data"), None, ".part")
    assert (item.limits.down, item.limits.up, item.limits.ratio, item.limits.idle_seconds) == (5000, 0, 1.5, 180)
    assert item.complete and item.sequential and item.start is Start.QUEUED
    assert (item.added_at, item.completed_at) == (1_700_000_000, 1_700_000_100)
    assert (item.active_seconds, item.seeding_seconds, item.uploaded, item.downloaded) == (500, 400, 1000, 2000)
    assert len(item.lost) == 2


def test_version_4_writes_some_keys_another_way(tmp_path: Path) -> None:
    fields = bencode.decode(transmission_resume(MADE, ratio_limit={b"ratio-limit": b"2.0", b"ratio-mode": 1}))
    assert isinstance(fields, dict)
    snake = {key.replace(b"-", b"_"): (
        {k.replace(b"-", b"_"): v for k, v in value.items()} if isinstance(value, dict) else value
    ) for key, value in fields.items()}
    assert parse_resume(bencode.encode(snake)) == fields
    item = one(folder(tmp_path, resume=bencode.encode(snake)))
    assert item.limits.ratio == 2.0 and item.added_at == 1_700_000_000


@pytest.mark.parametrize(("value", "ratio"), [
    ({b"ratio-mode": 0, b"ratio-limit": b"2"}, None), ({b"ratio-mode": 2}, math.inf), ({b"ratio-mode": 1}, None),
    ({b"ratio-mode": 1, b"ratio-limit": b"nan"}, None), ({b"ratio-mode": 1, b"ratio-limit": b"x"}, None),
    ({b"ratio-mode": 1, b"ratio-limit": 3}, 3), ({b"ratio-mode": 1, b"ratio-limit": b"-1"}, None), (5, None),
    ({b"ratio-mode": 1, b"ratio-limit": b"inf"}, None),
])
def test_ratio_limits(tmp_path: Path, value: Value, ratio: float | None) -> None:
    assert one(folder(tmp_path, ratio_limit=value)).limits.ratio == ratio


@pytest.mark.parametrize(("blocks", "dnd", "complete"), [
    (b"all", [0, 0, 0], True), (b"none", [0, 0, 0], False), (b"\xff\xc0", [0, 0, 0], False),
    (b"\xff\x80", [0, 0, 0], True), (b"\x3f\x80", [1, 0, 0], True), (b"\x3f\x80", [0, 0, 0], False),
    (b"\xff\x00", [0, 0, 1], False), (b"\xff\x00", [0, 1, 1], True), (b"\xff", [0, 0, 0], False),
    (b"", [1, 1, 1], False), (7, [0, 0, 0], False),
])
def test_it_is_complete_where_all_blocks_of_wanted_files_are_there(
    tmp_path: Path, blocks: Value, dnd: list[Value], complete: bool,
) -> None:
    assert sum(file.length for file in MADE.info.files) == 4 * PIECE + 110  # nine blocks
    assert one(folder(tmp_path, progress={b"blocks": blocks}, dnd=dnd)).complete is complete


def test_folders_of_what_is_not_complete(tmp_path: Path) -> None:
    item = one(folder(tmp_path, progress={b"blocks": b"none"}, incomplete_dir=b"/inc"))
    assert (item.save_path, item.incomplete_path) == (Path("/data"), Path("/inc"))
    item = one(folder(tmp_path, progress={}, incomplete_dir=b"/data"))
    assert (item.save_path, item.incomplete_path) == (Path("/data"), None)


def test_windows_writes_slashes(tmp_path: Path) -> None:
    root = folder(tmp_path, destination=b"C:/Users/x", files=[b"thing/n/a", b"", b""])
    assert one(root).save_path is None
    item = one(root, PathMap([("C:\\Users", "/srv")]))
    assert item.save_path == Path("/srv/x") and item.renames == {0: ("thing", "n", "a")}


def test_settings(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "settings.json").write_text(json.dumps({
        "download-dir": "/d", "incomplete-dir": "/i", "incomplete-dir-enabled": True, "rename-partial-files": False}))
    shared = general(find(root)[0])
    assert (shared.save_path, shared.incomplete_path, shared.suffix, shared.notes) == (Path("/d"), Path("/i"), "", ())
    (root / "settings.json").write_text(json.dumps({"download_dir": "/d", "incomplete_dir": "/i", "x": 1}))
    shared = general(find(root)[0])
    assert (shared.save_path, shared.incomplete_path, shared.suffix) == (Path("/d"), None, ".part")
    (root / "settings.json").write_text("[1]")
    assert len(general(find(root)[0]).notes) == 1
    assert one(folder(root, destination=b"")).save_path is None


def test_links(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "torrents" / f"{'ab' * 20}.magnet").write_text("magnet:?xt=urn:btih:" + "ab" * 20 + "&dn=x&tr=http://t/a\n")
    old = {b"announce-list": [[b"http://t/a"], [b"http://t/b"]], b"magnet-info": {
        b"info_hash": b"\xcd" * 20, b"display-name": b"old"}}
    (root / "torrents" / f"{'cd' * 20}.torrent").write_bytes(bencode.encode(old))
    items = {item.name: item for item in torrents(find(root)[0])}
    link, older = items["x"], items["old"]
    assert isinstance(link, Found) and link.magnet is not None and link.magnet.hashes.v1 == b"\xab" * 20
    assert isinstance(older, Found) and older.magnet is not None and older.trackers == (("http://t/a",), ("http://t/b",))
    assert any("resume data of it is missing" in line for line in link.lost)


@pytest.mark.parametrize("data", [
    b"", b"d", b"de", b"rubbish", b"magnet:?", b"\xff\xfe", b"d11:magnet-infodee", b"d11:magnet-infoi1ee",
    b"d11:magnet-infod9:info_hash3:abcee", b"d4:infodee",
])
def test_what_is_neither_torrent_nor_link_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_source(data)


def test_a_broken_torrent_does_not_stop_the_others(tmp_path: Path) -> None:
    root = folder(tmp_path)
    folder(root, "a", made=b"rubbish")
    folder(root, "b", resume=b"le")
    folder(root, "c", resume=b"")
    (root / "torrents" / "d.torrent").symlink_to("/etc/passwd")
    (root / "torrents" / "e.txt").touch()
    items = list(torrents(find(root)[0]))
    assert sum(isinstance(item, Found) for item in items) == 1
    assert {item.name for item in items if isinstance(item, Unreadable)} == {"a.torrent", "b.torrent", "c.torrent"}


def test_values_of_a_wrong_kind_count_as_absent(tmp_path: Path) -> None:
    item = one(folder(tmp_path, resume=bencode.encode({
        b"destination": 7, b"dnd": b"x", b"priority": {}, b"files": 3, b"labels": b"x", b"progress": [], b"name": [],
        b"paused": b"1", b"speed-limit-up": 5, b"idle-limit": b"x", b"uploaded": -1, b"added-date": -7,
        b"incomplete-dir": [], b"group": 5, b"bandwidth-priority": b"x",
    })))
    assert item.save_path is None and item.priorities == () and item.renames == {} and item.tags == ()
    assert item.name == "thing" and not item.complete and item.uploaded == 0 and item.added_at is None


def test_more_values_than_files_are_passed_over(tmp_path: Path) -> None:
    item = one(folder(tmp_path, dnd=[0, 0, 1, 1, 1], priority=[0] * 9, files=[b""] * 5 + [b"x"]))
    assert item.priorities == (1, 1, 0) and item.renames == {}


def test_files_of_a_hybrid_have_the_numbers_of_v1(tmp_path: Path) -> None:
    hybrid = torrent("hybrid")
    resume = transmission_resume(hybrid, dnd=[0, 0, 0, 1], files=[b"", b"thing/x", b"", b""])
    item = one(folder(tmp_path, made=hybrid.to_bytes(), resume=resume))
    assert item.priorities == (1, 1, 0) and item.renames == {1: ("thing", "x")}


def test_a_single_file_may_have_another_name(tmp_path: Path) -> None:
    made = single()
    resume = transmission_resume(made, name=b"new.bin", files=[b"new.bin"])
    item = one(folder(tmp_path, made=made.to_bytes(), resume=resume))
    assert (item.name, item.renames) == ("new.bin", {0: ("new.bin",)})


VALUES = st.recursive(
    st.integers(-(1 << 63), 1 << 63) | st.binary(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from([b"blocks", b"ratio-mode", b"ratio-limit", b"idle-mode", b"speed-Bps", b"use-speed-limit"]),
        inner, max_size=3),
    max_leaves=6)


@given(st.dictionaries(st.sampled_from([
    "destination", "incomplete_dir", "dnd", "priority", "files", "labels", "progress", "name", "paused", "uploaded",
    "speed_limit_up", "ratio_limit", "idle_limit", "added_date", "group", "bandwidth_priority",
]), VALUES, max_size=6))
def test_any_values_give_a_torrent(keys: dict[str, Value]) -> None:
    item = found(MADE, None, parse_resume(transmission_resume(MADE, **keys)), PathMap(), General())
    assert item.hashes == MADE.info.hashes and len(item.priorities) in (0, 3)


@given(st.binary(max_size=100))
def test_rubbish_is_a_format_error(data: bytes) -> None:
    for parse in (parse_resume, parse_source):
        with pytest.raises(FormatError):
            parse(data)
