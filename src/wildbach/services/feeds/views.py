"""What is shown of feeds, rules and downloads."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.services.feeds.articles import Article
from wildbach.services.feeds.rules import Rule, RuleState, Verdict
from wildbach.services.feeds.tree import Path


@dataclass(frozen=True, slots=True)
class FeedView:
    path: Path
    uid: str
    url: str
    title: str
    "As the feed calls itself; empty before it was fetched."
    link: str
    "Of its site."
    refresh_minutes: float
    "0: as the settings say."
    articles: int
    unread: int
    loading: bool
    checked: float | None
    "When it was last fetched; seconds since 1970."
    due: float
    "When it is fetched next; seconds since 1970."
    failure: str
    "Why the last fetch failed; empty where it did not."


@dataclass(frozen=True, slots=True)
class FolderView:
    path: Path
    unread: int


@dataclass(frozen=True, slots=True)
class RuleView:
    name: str
    rule: Rule
    state: RuleState
    problem: str
    "Why it cannot match, in plain words; empty where nothing is known against it."


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would do with an article."""

    feed: str
    "The id of its feed."
    feed_title: str
    article: Article
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class WantedView:
    """An article that a rule matched, and whose torrent is not added yet."""

    key: str
    feed: str
    article: str
    title: str
    torrent: str
    rule: str
    since: float
    tries: int
    again: float | None
    "When it is tried (again); None where it was given up."
    failure: str
