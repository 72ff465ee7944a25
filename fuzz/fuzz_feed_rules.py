"""Files of rules as qBittorrent writes them, and what is kept of rules, trees and articles."""

from __future__ import annotations

import contextlib

from wildbach.base.errors import FormatError
from wildbach.services.feeds import qbittorrent, state
from wildbach.services.feeds.rules import Taste, problem_of
from wildbach.services.feeds.settings import EPISODE_PATTERNS

TASTE = Taste(True, EPISODE_PATTERNS)
SEEDS: list[bytes] = [
    b'{"Show": {"addPaused": null, "affectedFeeds": ["http://f.example/rss"], "assignedCategory": "tv",'
    b'"enabled": true, "episodeFilter": "1x2;8-15;30-;", "ignoreDays": 3, "lastMatch": "26 Nov 2026 16:38:03 +0000",'
    b'"mustContain": "a* [bc]?|d", "mustNotContain": "cam", "previouslyMatchedEpisodes": ["1x2"], "priority": -2,'
    b'"savePath": "/tv", "smartFilter": true, "torrentContentLayout": null,'
    b'"torrentParams": {"category": "tv", "tags": ["x"], "stopped":'
    b'false, "ratio_limit": -2, "operating_mode": "AutoManaged"}, "useRegex": false, "wildbach": {"minSize": 5}}}',
    b'{"R": {"mustContain": "(a+)+$|[b]{2}", "useRegex": true}}', b"{}",
    b'{"R": {"mustContain": "[b]{2147483647}", "mustNotContain": "(?:a{100}){100}", "useRegex": true}}',
    b'{"next":2,"nodes":[{"path":["a"],"feed":null},{"path":["a","f"],"feed":{"uid":"1","url":"http://h/"}}]}',
    b'{"id":"g","title":"t","link":"","torrent":"magnet:?","description":"","author":"","published":1.5,"size":null,'
    b'"comments":"","categories":[],"read":false,"rule":""}',
]
TOKENS: list[bytes] = [
    b"null", b"true", b"[]", b"{}", b'""', b"1e999", b"-1", b'"\\ud800"', b"[a-", b"]", b"(", b"*", b"1x", b";",
    b"{1,9}", b'"torrentParams": ', b'"episodeFilter": ', b'"useRegex": true,',
]


def one_input(data: bytes) -> None:
    kept = {"article/1/x": data, "feed/1": data, "rule/r": data, "wanted/w": data}
    known, _, bad = state.decode({}, {"r": data}, kept)
    assert len(bad) + len(known.rules) + len(known.memories) + len(known.wanted) == 3
    with contextlib.suppress(FormatError):
        state.decode({"tree": data}, {}, {})
    found = qbittorrent.read(data)
    for rule, memory in found.values():
        problem_of(rule, TASTE)
        assert qbittorrent.from_json(qbittorrent.to_json(rule, memory)) == (rule, memory)
    assert qbittorrent.read(qbittorrent.write(found)) == found
