"""Bodies of the API: JSON becomes a value that writes itself so that it reads back, or is refused."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import msgspec

from wildbach.base.errors import UsageError
from wildbach.interfaces.api.models import AddRequest, FeedRule, SettingsPatch, TorrentsPatch
from wildbach.interfaces.http import payloads
from wildbach.interfaces.http.push import Message

SEEDS = [
    b'{"urls": ["magnet:?x"], "files": ["AAAA"], "tags": ["a"], "priorities": {"0": 7}, "select": [1, 2]}',
    b'{"name": "r", "rule": {"a": [[{"b": null}], 1.5, "x\\"]"]}}', b'{"values": {"a.b": 1e9, "c": [true]}}',
    b'{"patch": {"ratio_limit": -2, "name": "\\u00fc"}, "all": true}',
    b'{"subscribe": {"torrents": {"limit": 5}, "detail": {"key": "ab", "parts": ["files"]}}}',
]
TOKENS = [b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u", b"\\ud800", b"null", b"1e999", b"-0", b":", b",", b"[[[[[[[["]
ALLOWED = (UsageError,)
_KINDS: tuple[type[msgspec.Struct], ...] = (AddRequest, FeedRule, SettingsPatch, TorrentsPatch, Message)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Without a loop: it only ever gives others a turn."""
    while True:
        try:
            work.send(None)
        except StopIteration as ended:
            return ended.value


def one_input(data: bytes) -> None:
    refused: list[UsageError] = []
    for kind in _KINDS:
        try:
            value = _run(payloads.from_json(data, kind))
        except UsageError as error:
            refused.append(error)
            continue
        if _run(payloads.from_json(msgspec.json.encode(value), kind)) != value:
            raise AssertionError("does not read back")
    if len(refused) == len(_KINDS):
        raise refused[0]
