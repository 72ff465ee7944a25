"""Rules: which articles are downloaded, and how. The meaning of every field is that of qBittorrent's rules.

A title is judged by plain functions, in a thread, because patterns are those of users. Each verdict has its reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.services.feeds import episodes, patterns
from wildbach.services.feeds.articles import Article
from wildbach.services.feeds.patterns import BadPattern, Pattern, SlowPattern

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a torrent is added. None and empty: as the client does by default."""

    category: str = ""
    tags: tuple[str, ...] = ()
    save_path: str = ""
    download_path: str = ""
    "Where it is until it is complete."
    use_download_path: bool | None = None
    stopped: bool | None = None
    content_layout: str = ""
    "`Original`, `Subfolder` or `NoSubfolder`."
    auto_tmm: bool | None = None
    "The category says where the files go."
    skip_checking: bool = False
    top_of_queue: bool | None = None
    upload_limit: int | None = None
    "Bytes a second."
    download_limit: int | None = None
    ratio_limit: float | None = None
    "-1: none; -2: the client's own."
    seeding_minutes: int | None = None
    "-1: none; -2: the client's own."
    inactive_minutes: int | None = None
    other: dict[str, Any] = field(default_factory=dict)
    "Fields of `torrentParams` that are not known here; they are kept."


@dataclass(frozen=True, slots=True)
class Rule:
    enabled: bool = True
    priority: int = 0
    "The rule with the lowest is asked first; an article is taken by one rule only."
    must_contain: str = ""
    must_not_contain: str = ""
    use_regex: bool = False
    episode_filter: str = ""
    "As in `1x2;8-15;30-;`; empty for none."
    smart_filter: bool = False
    "Every episode only once."
    feeds: tuple[str, ...] = ()
    "URLs of the feeds it is for."
    ignore_days: int = 0
    "So many days after a match nothing matches."
    options: Options = Options()
    all_feeds: bool = False
    "It is for every feed. qBittorrent has nothing of the kind."
    min_size: int = 0
    "Bytes; what says it is smaller does not match. Not of qBittorrent."
    max_size: int = 0
    "0: no limit. Not of qBittorrent."

    def is_for(self, url: str) -> bool:
        return self.all_feeds or url in self.feeds


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a rule remembers."""

    last_match: float | None = None
    "The date of the article that matched last; seconds since 1970."
    episodes: tuple[str, ...] = ()
    "Those the smart filter has seen, the newest last."


@dataclass(frozen=True, slots=True)
class Taste:
    """What the settings say to all rules."""

    repacks: bool
    episode_patterns: tuple[str, ...]


class Reason(StrEnum):
    """Why an article matches or does not."""

    MATCHES = "matches"
    NOT_CONTAINED = "not_contained"
    EXCLUDED = "excluded"
    SIZE = "size"
    EPISODE = "episode"
    SEEN = "seen"
    "The smart filter knows the episode."
    TOO_SOON = "too_soon"
    "Within the days that are ignored after a match."
    NO_TORRENT = "no_torrent"
    BAD_RULE = "bad_rule"
    "A pattern or the episode filter cannot be used."


@dataclass(frozen=True, slots=True)
class Verdict:
    reason: Reason
    words: str
    "The reason in plain words."
    after: RuleState
    "What the rule remembers if it takes the article."

    @property
    def matches(self) -> bool:
        return self.reason is Reason.MATCHES


def judge(rule: Rule, state: RuleState, article: Article, taste: Taste) -> Verdict:
    """Whether a rule takes an article of one of its feeds. May take FEED_PATTERN_SECONDS a pattern."""
    try:
        return _judge(rule, state, article, taste)
    except (BadPattern, SlowPattern, FormatError) as error:
        return Verdict(Reason.BAD_RULE, error.message, state)


def problem_of(rule: Rule, taste: Taste) -> str:
    """Why a rule cannot match anything, in plain words; empty where it can. Patterns that are slow show only in use."""
    verdict = judge(replace(rule, must_contain="", min_size=0), RuleState(), _BLANK, taste)
    parts = (rule.must_contain, rule.must_not_contain)
    try:
        for part in parts:
            for _ in _alternatives(part, rule.use_regex):
                pass
        if rule.episode_filter:
            episodes.filter_of(rule.episode_filter)
    except (BadPattern, FormatError) as error:
        return error.message
    return verdict.words if verdict.reason is Reason.BAD_RULE else ""


_BLANK = Article("-", "S00E00", "", "magnet:", "", "", 0.0, None, "", ())


def _judge(rule: Rule, state: RuleState, article: Article, taste: Taste) -> Verdict:
    def no(reason: Reason, words: str) -> Verdict:
        return Verdict(reason, words, state)

    title = article.title
    if not article.torrent:
        return no(Reason.NO_TORRENT, "the article names no torrent")
    since = article.published - state.last_match if state.last_match is not None else None
    if rule.ignore_days > 0 and since is not None and since < rule.ignore_days * _DAY:
        return no(Reason.TOO_SOON, f"within {rule.ignore_days} days of the last match")
    if rule.must_contain and not _found(rule.must_contain, rule.use_regex, title):
        return no(Reason.NOT_CONTAINED, f"does not contain {_quoted(rule.must_contain)}")
    if rule.must_not_contain and _found(rule.must_not_contain, rule.use_regex, title):
        return no(Reason.EXCLUDED, f"contains {_quoted(rule.must_not_contain)}")
    if article.size is not None and (article.size < rule.min_size or 0 < rule.max_size < article.size):
        return no(Reason.SIZE, f"has {article.size} bytes")
    if rule.episode_filter:
        wanted = episodes.filter_of(rule.episode_filter)
        found = episodes.in_title(title)
        if not any(wanted.takes(*one) for one in found):
            what = ", ".join(f"{season}x{episode}" for season, episode in found[:5])
            return no(Reason.EPISODE, f"{what} is not in {rule.episode_filter}" if what else "is of no episode")
    after = replace(state, last_match=article.published)
    if rule.smart_filter:
        name = episodes.name_of(title, taste.episode_patterns)
        new = _unseen(name, title, state.episodes, taste.repacks) if name else ()
        if new is None:
            return no(Reason.SEEN, f"the episode {name} was matched before")
        after = replace(after, episodes=(*state.episodes, *new)[-limits.FEED_EPISODES:])
    return Verdict(Reason.MATCHES, "matches", after)


def _unseen(name: str, title: str, seen: Sequence[str], repacks: bool) -> tuple[str, ...] | None:
    """What to remember of an episode that is taken; None for one that is not."""
    if name not in seen:
        return (name,)
    again = [word for word in ("REPACK", "PROPER") if word in title.upper()]
    full = "-".join((name, *again))
    if not repacks or not again or full in seen:
        return None
    # Both at once is the last word on it: neither of the two is wanted after that.
    return (full, *(f"{name}-{word}" for word in again)) if len(again) > 1 else (full,)


def _found(text: str, use_regex: bool, title: str) -> bool:
    return any(all(one.found_in(title) for one in words) for words in _alternatives(text, use_regex))


def _alternatives(text: str, use_regex: bool) -> list[list[Pattern]]:
    """Any of these is enough; of each, all. Raises BadPattern."""
    if not text:
        return []
    if use_regex:
        return [[patterns.expression(text)]]
    if len(text) > limits.FEED_PATTERN_CHARS:
        raise BadPattern(f"the pattern is longer than FEED_PATTERN_CHARS = {limits.FEED_PATTERN_CHARS}")
    return [[patterns.wildcard(word) for word in part.split()] for part in text.split("|")]


def _quoted(text: str) -> str:
    return f'"{text[:100]}{"…" if len(text) > 100 else ""}"'


# -- many rules, many articles


class Turn:
    """One rule with many articles. It ends early where a pattern is bad or slow, or all took FEED_RULE_SECONDS."""

    def __init__(self, rule: Rule, taste: Taste) -> None:
        self._rule = rule
        self._taste = taste
        self._spent = 0.0
        self.problem = ""
        "Why it ended, in plain words."

    def judge(self, state: RuleState, article: Article) -> Verdict:
        if self.problem:
            return Verdict(Reason.BAD_RULE, self.problem, state)
        begin = time.thread_time()
        verdict = judge(self._rule, state, article, self._taste)
        self._spent += time.thread_time() - begin
        if verdict.reason is Reason.BAD_RULE:
            self.problem = verdict.words
        elif self._spent > limits.FEED_RULE_SECONDS:
            self.problem = f"the patterns took more than {limits.FEED_RULE_SECONDS:g} s with one feed"
        return verdict


@dataclass(frozen=True, slots=True)
class Candidate:
    feed: str
    "The id of its feed."
    url: str
    "The URL of its feed."
    article: Article


@dataclass(frozen=True, slots=True)
class Match:
    rule: str
    candidate: Candidate
    options: Options


@dataclass(frozen=True, slots=True)
class Judged:
    matches: tuple[Match, ...]
    states: dict[str, RuleState]
    "Of the rules that matched."
    problems: dict[str, str]
    "Of each rule that was asked, why it cannot be used; empty where it can."


def judge_all(
    rules: Mapping[str, Rule], states: Mapping[str, RuleState], candidates: Sequence[Candidate], taste: Taste
) -> Judged:
    """Each article goes to the first rule that takes it, by priority and name. Each rule has one turn, so the time is
    bounded by the number of rules.
    """
    enabled = [name for name, rule in rules.items() if rule.enabled]
    order = sorted(enabled, key=lambda name: (rules[name].priority, name))
    now = dict(states)
    changed: dict[str, RuleState] = {}
    turns = {name: Turn(rules[name], taste) for name in order}
    asked: dict[str, None] = {}
    matches: list[Match] = []
    for candidate in candidates:
        for name in order:
            rule = rules[name]
            if not rule.is_for(candidate.url):
                continue
            asked[name] = None
            verdict = turns[name].judge(now.get(name, RuleState()), candidate.article)
            if verdict.matches:
                now[name] = changed[name] = verdict.after
                matches.append(Match(name, candidate, rule.options))
                break
    return Judged(tuple(matches), changed, {name: turns[name].problem for name in asked})
