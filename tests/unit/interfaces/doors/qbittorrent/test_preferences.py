"""Preferences and settings, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doors import SETTINGS

from wildbach.base.settings import options
from wildbach.interfaces.doors.qbittorrent.preferences import MAPPED, changes, shown
from wildbach.interfaces.doors.qbittorrent.usual import USUAL
from wildbach.interfaces.settings import ClientSettings


def test_every_setting_that_is_named_exists() -> None:
    known = options(ClientSettings)
    assert {key for mapped in MAPPED.values() for key in mapped.keys} <= set(known)
    assert MAPPED.keys() <= USUAL.keys()


def test_writing_back_what_was_read_changes_nothing() -> None:
    assert changes(shown(SETTINGS), SETTINGS) == {}


def test_commands_are_told_empty_and_never_taken() -> None:
    wanted = {"autorun_enabled": True, "autorun_program": "rm -rf /", "autorun_on_torrent_added_program": "x"}
    assert changes(wanted, SETTINGS) == {}
    answer = shown(SETTINGS)
    assert answer["autorun_program"] == "" and answer["autorun_enabled"] is False


@pytest.mark.parametrize(("wanted", "changed"), [
    ({"dht": False}, {"dht.enabled": False}), ({"dl_limit": 5000}, {"rates.down": 5000}),
    ({"up_limit": -1}, {}), ({"max_active_downloads": -1}, {"queue.downloads": 0}),
    ({"max_ratio_enabled": True, "max_ratio": 2}, {"seeding.ratio": 2}),
    ({"max_ratio_enabled": False, "max_ratio": 2}, {}), ({"max_ratio": 1.5}, {"seeding.ratio": 1.5}),
    ({"max_seeding_time_enabled": True, "max_seeding_time": 90}, {"seeding.seconds": 5400}),
    ({"temp_path_enabled": True, "temp_path": "/tmp/x"}, {"downloads.incomplete_folder": "/tmp/x"}),
    ({"temp_path": "/tmp/x"}, {}), ({"start_paused_enabled": True}, {"downloads.start": False}),
    ({"schedule_from_hour": 9, "schedule_from_min": 5}, {"slow_mode.start": "09:05"}),
    ({"scheduler_days": 2}, {"slow_mode.days": ["sat", "sun"]}), ({"encryption": 1}, {"peers.encryption": "require"}),
    ({"listen_port": 7000}, {"connections.listen": ["0.0.0.0:7000", "[::]:7000"]}),
    ({"bittorrent_protocol": 1}, {"connections.utp": False}), ({"dht": "no"}, {}), ({"queueing_enabled": 0}, {}),
    ({"scan_dirs": {"/in": 1, "/own": "/there", "/itself": 0, "here": 1}}, {"downloads.watch": ["/in"]}),
    ({"scan_dirs": {"/in": "1"}}, {}), ({"scan_dirs": [1]}, {}),
    ({"ip_filter_enabled": True, "ip_filter_path": "/l.p2p"}, {"filter.sources": ["/l.p2p"]}),
    ({"ip_filter_enabled": False, "ip_filter_path": "/l.p2p"}, {}), ({"ip_filter_enabled": True}, {}),
    ({"torrent_content_layout": "NoSubfolder"}, {"downloads.layout": "none"}), ({"web_ui_port": 1}, {}),
], ids=str)
def test_a_preference_changes_its_setting(wanted: dict[str, Any], changed: dict[str, Any]) -> None:
    assert changes(wanted, SETTINGS) == changed


def test_folders_and_lists_that_are_there_keep_what_only_wildbach_knows() -> None:
    ours = {**SETTINGS, "downloads.watch": ["/in=films", "/more"], "filter.sources": ["/a.p2p", "https://x/b.p2p"]}
    assert shown(ours)["scan_dirs"] == {"/in": 1, "/more": 1} and changes(shown(ours), ours) == {}
    assert changes({"scan_dirs": {"/in": 0, "/new": 1}}, ours) == {"downloads.watch": ["/in=films", "/new"]}
    assert (shown(ours)["ip_filter_enabled"], shown(ours)["ip_filter_path"]) == (True, "/a.p2p")
    assert changes({"ip_filter_path": "/c.p2p"}, ours) == {"filter.sources": ["/c.p2p", "https://x/b.p2p"]}
    assert changes({"ip_filter_enabled": False}, ours) == {"filter.sources": []}


ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers()))


@given(st.dictionaries(st.sampled_from(sorted(USUAL)), ANY, max_size=8))
def test_whatever_is_written_is_taken_or_passed_over(wanted: dict[str, Any]) -> None:
    assert changes(wanted, SETTINGS).keys() <= SETTINGS.keys()
