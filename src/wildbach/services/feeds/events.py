"""What happens with feeds."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.events import Event


@dataclass(frozen=True, slots=True)
class FeedRefreshed(Event):
    """A feed was fetched, or its server said that it is as it was."""

    feed: str
    "Its id."
    title: str
    added: int
    "Articles that are new."


@dataclass(frozen=True, slots=True)
class FeedFailed(Event):
    feed: str
    title: str
    reason: str
    "Plain words."
    again: float
    "When it is fetched again; seconds since 1970."


@dataclass(frozen=True, slots=True)
class RuleMatched(Event):
    """A rule took an article: its torrent is going to be downloaded."""

    rule: str
    feed: str
    article: str
    "The article's id."
    title: str


@dataclass(frozen=True, slots=True)
class ArticleTaken(Event):
    """The torrent of an article that a rule matched was added."""

    rule: str
    feed: str
    article: str
    title: str


@dataclass(frozen=True, slots=True)
class ArticleFailed(Event):
    """The torrent of an article that a rule matched could not be fetched or added."""

    rule: str
    feed: str
    article: str
    title: str
    reason: str
    "Plain words."
    again: float | None
    "When it is tried again, seconds since 1970; None where it was given up."
