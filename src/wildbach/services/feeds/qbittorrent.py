"""Rules in the JSON that qBittorrent imports, exports and speaks over its web API.

Fields that only wildbach has are in an object `wildbach`, which qBittorrent passes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import dates
from wildbach.services.feeds.rules import Options, Rule, RuleState

_PARAMS: Final = {
    "category": "category", "save_path": "save_path", "download_path": "download_path",
    "use_download_path": "use_download_path", "stopped": "stopped", "content_layout": "content_layout",
    "auto_tmm": "use_auto_tmm", "skip_checking": "skip_checking", "top_of_queue": "add_to_top_of_queue",
    "upload_limit": "upload_limit", "download_limit": "download_limit", "ratio_limit": "ratio_limit",
    "seeding_minutes": "seeding_time_limit", "inactive_minutes": "inactive_seeding_time_limit",
}
"Fields of Options, and what `torrentParams` calls them."
_TYPES: Final[Mapping[str, type]] = {
    "use_download_path": bool, "stopped": bool, "auto_tmm": bool, "skip_checking": bool, "top_of_queue": bool,
    "upload_limit": int, "download_limit": int, "ratio_limit": float, "seeding_minutes": int, "inactive_minutes": int,
}
"Where it is not text."
_DAYS: Final = 36_500
T = TypeVar("T")


def to_json(rule: Rule, state: RuleState) -> dict[str, Any]:
    """One rule."""
    options = rule.options
    plain = Options()
    params: dict[str, Any] = dict(options.other)
    for name, theirs in _PARAMS.items():
        value = getattr(options, name)
        if value != getattr(plain, name):
            params[theirs] = value
    if options.tags:
        params["tags"] = list(options.tags)
    out: dict[str, Any] = {
        "enabled": rule.enabled, "priority": rule.priority, "useRegex": rule.use_regex,
        "mustContain": rule.must_contain, "mustNotContain": rule.must_not_contain,
        "episodeFilter": rule.episode_filter, "affectedFeeds": list(rule.feeds),
        "lastMatch": dates.to_rfc2822(state.last_match) if state.last_match is not None else "",
        "ignoreDays": rule.ignore_days, "smartFilter": rule.smart_filter,
        "previouslyMatchedEpisodes": list(state.episodes), "torrentParams": params,
        # What versions before 4.6 read.
        "addPaused": options.stopped, "torrentContentLayout": options.content_layout or None,
        "savePath": options.save_path, "assignedCategory": options.category,
    }
    if rule.all_feeds or rule.min_size or rule.max_size:
        out["wildbach"] = {"allFeeds": rule.all_feeds, "minSize": rule.min_size, "maxSize": rule.max_size}
    return out


def from_json(raw: object, where: str = "rule") -> tuple[Rule, RuleState]:
    """One rule, and what it remembers. What is missing or null is as by default. Raises FormatError."""
    values = _Values(raw, where)
    params: dict[str, Any] = values.get("torrentParams", dict, {})
    options = _options(params, f"{where}.torrentParams") if params else Options(
        category=values.get("assignedCategory", str, ""), save_path=values.get("savePath", str, ""),
        stopped=values.get("addPaused", bool, None),
        content_layout=_layout(values.get("torrentContentLayout", str, "")),
    )
    ours = _Values(values.get("wildbach", dict, {}), f"{where}.wildbach")
    rule = Rule(
        enabled=values.get("enabled", bool, True), priority=values.whole("priority", -(1 << 31), 1 << 31),
        must_contain=values.get("mustContain", str, ""), must_not_contain=values.get("mustNotContain", str, ""),
        use_regex=values.get("useRegex", bool, False), episode_filter=values.get("episodeFilter", str, ""),
        smart_filter=values.get("smartFilter", bool, False),
        feeds=values.texts("affectedFeeds", limits.FEEDS), ignore_days=values.whole("ignoreDays", 0, _DAYS),
        options=options, all_feeds=ours.get("allFeeds", bool, False), min_size=ours.whole("minSize", 0, 1 << 60),
        max_size=ours.whole("maxSize", 0, 1 << 60),
    )
    last = dates.parse(values.get("lastMatch", str, ""))
    return rule, RuleState(last, values.texts("previouslyMatchedEpisodes", limits.FEED_EPISODES))


def write(rules: Mapping[str, tuple[Rule, RuleState]]) -> bytes:
    """A file of rules, as qBittorrent exports it."""
    return msgspec.json.format(msgspec.json.encode({name: to_json(*rule) for name, rule in rules.items()}), indent=4)


def read(data: bytes) -> dict[str, tuple[Rule, RuleState]]:
    """A file of rules. Raises FormatError, LimitError."""
    if len(data) > limits.FEED_RULES_BYTES:
        raise LimitError(f"longer than FEED_RULES_BYTES = {limits.FEED_RULES_BYTES}", where="rules")
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}", where="rules") from None
    if not isinstance(raw, dict):
        raise FormatError("not an object of rules", where="rules")
    if len(raw) > limits.FEED_RULES:
        raise LimitError(f"more than FEED_RULES = {limits.FEED_RULES}", where="rules")
    return {name: from_json(rule, name[:100]) for name, rule in raw.items()}


def _options(params: dict[str, Any], where: str) -> Options:
    values = _Values(params, where)
    known = {name: values.get(theirs, _TYPES.get(name, str), None) for name, theirs in _PARAMS.items()}
    known["content_layout"] = _layout(known["content_layout"] or "")
    set_here = {name: value for name, value in known.items() if value is not None}
    theirs = {*_PARAMS.values(), "tags"}
    other = {name: value for name, value in params.items() if name not in theirs}
    return Options(**set_here, tags=values.texts("tags", 1000), other=other)


def _layout(text: str) -> str:
    return text if text in ("Original", "Subfolder", "NoSubfolder") else ""


class _Values:
    """A JSON object whose fields are checked when they are read."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise FormatError("not an object", where=where)
        self._raw = raw
        self._where = where

    def get(self, key: str, kind: type, default: T) -> Any | T:
        value = self._raw.get(key)
        if value is None:
            return default
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise FormatError(f"takes {_WORDS[kind]}", where=f"{self._where}.{key}")
        if isinstance(value, str) and len(value) > limits.FEED_PATTERN_CHARS:
            raise LimitError(f"longer than FEED_PATTERN_CHARS = {limits.FEED_PATTERN_CHARS}",
                             where=f"{self._where}.{key}")
        return value

    def whole(self, key: str, least: int, most: int) -> int:
        value: int = self.get(key, int, 0)
        if not least <= value <= most:
            raise FormatError(f"takes {least} to {most}", where=f"{self._where}.{key}")
        return value

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        value: list[object] = self.get(key, list, [])
        if not all(isinstance(one, str) and len(one) <= limits.FEED_URL_CHARS for one in value):
            raise FormatError("takes a list of texts", where=f"{self._where}.{key}")
        return tuple(str(one) for one in value[-most:])


_WORDS: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list",
                 dict: "an object"}
