"""Rules as qBittorrent writes them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.services.feeds.qbittorrent import from_json, read, to_json, write
from wildbach.services.feeds.rules import Options, Rule, RuleState

EXPORTED = """{"Show": {
    "addPaused": false, "affectedFeeds": ["http://f.example/rss"], "assignedCategory": "tv", "enabled": true,
    "episodeFilter": "1x2;8-15;", "ignoreDays": 3, "lastMatch": "26 Nov 2026 17:38:03 +0100", "mustContain": "a b|c",
    "mustNotContain": "cam", "previouslyMatchedEpisodes": ["1x2", "1x3-REPACK"], "priority": -2, "savePath": "/tv",
    "smartFilter": true, "torrentContentLayout": "NoSubfolder", "torrentParams": {
        "category": "tv", "content_layout": "NoSubfolder", "download_limit": -1, "download_path": "",
        "inactive_seeding_time_limit": -2, "operating_mode": "AutoManaged", "ratio_limit": -2, "save_path": "/tv",
        "seeding_time_limit": -2, "share_limit_action": "Default", "skip_checking": false, "ssl_certificate": "",
        "stopped": false, "tags": ["x", "y"], "upload_limit": 1000, "use_auto_tmm": false
    }, "useRegex": false}}"""
RULE = Rule(
    priority=-2, must_contain="a b|c", must_not_contain="cam", episode_filter="1x2;8-15;", smart_filter=True,
    feeds=("http://f.example/rss",), ignore_days=3, options=Options(
        "tv", ("x", "y"), "/tv", stopped=False, content_layout="NoSubfolder", auto_tmm=False, upload_limit=1000,
        download_limit=-1, ratio_limit=-2.0, seeding_minutes=-2, inactive_minutes=-2,
        other={"operating_mode": "AutoManaged", "share_limit_action": "Default", "ssl_certificate": ""},
    ),
)
STATE = RuleState(1_795_711_083.0, ("1x2", "1x3-REPACK"))


def test_what_qbittorrent_exports_is_read() -> None:
    assert read(EXPORTED.encode()) == {"Show": (RULE, STATE)}


def test_what_is_written_is_what_qbittorrent_writes() -> None:
    written, theirs = json.loads(write({"Show": (RULE, STATE)}))["Show"], json.loads(EXPORTED)["Show"]
    assert written.keys() == theirs.keys()
    same = {key for key in theirs if key not in ("lastMatch", "torrentParams")}
    assert {key: written[key] for key in same} == {key: theirs[key] for key in same}
    assert written["lastMatch"] == "26 Nov 2026 16:38:03 +0000"
    plain = {"download_path": "", "skip_checking": False}
    assert {**plain, **written["torrentParams"]} == theirs["torrentParams"]


def test_older_versions_have_no_params() -> None:
    rule, state = from_json({
        "addPaused": True, "assignedCategory": "tv", "savePath": "/tv", "lastMatch": "", "mustContain": "x",
        "torrentContentLayout": "Subfolder", "previouslyMatchedEpisodes": None,
    })
    assert rule == Rule(must_contain="x", options=Options("tv", save_path="/tv", stopped=True,
                                                          content_layout="Subfolder"))
    assert state == RuleState()


def test_an_empty_object_is_a_rule() -> None:
    assert from_json({}) == (Rule(), RuleState())


def test_what_only_we_have_comes_back() -> None:
    rule = Rule(all_feeds=True, min_size=5, max_size=1 << 40)
    assert from_json(to_json(rule, STATE)) == (rule, STATE)


@pytest.mark.parametrize(("raw", "where"), [
    ([], "rule"), ({"enabled": 1}, "rule.enabled"), ({"priority": True}, "rule.priority"),
    ({"ignoreDays": -1}, "rule.ignoreDays"), ({"mustContain": ["x"]}, "rule.mustContain"),
    ({"affectedFeeds": [1]}, "rule.affectedFeeds"), ({"torrentParams": "x"}, "rule.torrentParams"),
    ({"torrentParams": {"stopped": "no"}}, "rule.torrentParams.stopped"), ({"wildbach": {"minSize": -1}},
                                                                         "rule.wildbach.minSize"),
    ({"mustContain": "x" * (limits.FEED_PATTERN_CHARS + 1)}, "rule.mustContain"),
], ids=range(10))
def test_what_is_no_rule_is_refused_with_the_place(raw: object, where: str) -> None:
    with pytest.raises(FormatError) as caught:
        from_json(raw)
    assert caught.value.where == where


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a": 1}', b"\xff", b"[" * 100_000], ids=range(6))
def test_what_is_no_file_of_rules_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        read(data)


def test_files_are_bounded() -> None:
    with pytest.raises(LimitError, match="FEED_RULES_BYTES"):
        read(bytes(limits.FEED_RULES_BYTES + 1))
    with pytest.raises(LimitError, match="FEED_RULES = "):
        read(json.dumps({str(n): {} for n in range(limits.FEED_RULES + 1)}).encode())


JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.floats(allow_nan=False),
                    lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@given(st.dictionaries(st.sampled_from([*to_json(RULE, STATE), "wildbach"]),
                       JSON | st.dictionaries(st.sampled_from(["tags", "stopped", "ratio_limit", "x"]), JSON)))
def test_any_object_is_a_rule_or_a_format_error(raw: dict[str, object]) -> None:
    try:
        rule, state = from_json(raw)
    except FormatError:
        return
    assert from_json(to_json(rule, state)) == (rule, state)
