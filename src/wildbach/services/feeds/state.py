"""All that RSS knows, as one value that never changes, and how it is kept.

What refreshing and matching make (articles, validators, what rules remember, what waits to be downloaded) is in one
area, so one step of it is written as a whole or not at all. Trees and rules, which only people change, have their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import msgspec

from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError
from wildbach.services.feeds.articles import Article
from wildbach.services.feeds.rules import Options, Rule, RuleState
from wildbach.services.feeds.tree import Feed, Path, Tree

FEEDS: Final = "feeds"
ARTICLES: Final = "feed_articles"
RULES: Final = "feed_rules"
_TREE: Final = "tree"

Changes = dict[str, bytes | None]
T = TypeVar("T")


class Keeper(Protocol):
    """The state database."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        """All or none; None takes one out."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the last fetches of a feed gave, besides articles."""

    url: str = ""
    "Where from."
    title: str = ""
    link: str = ""
    etag: str = ""
    modified: str = ""
    checked: float | None = None
    "When it was last fetched or found to be as it was; seconds since 1970."
    ttl: float | None = None
    reach: Reach = Reach.GLOBAL
    "Where its server is."
    fails: int = 0
    failure: str = ""
    again: float = 0.0
    "Not fetched before, because it failed; seconds since 1970."
    gone: tuple[str, ...] = ()
    "See articles.Merged."


@dataclass(frozen=True, slots=True)
class Shelf:
    """A feed's articles, the newest first."""

    fetched: Fetched = Fetched()
    articles: tuple[Article, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """An article that a rule matched, until its torrent is added."""

    key: str
    feed: str
    url: str
    "Of the feed."
    reach: Reach
    "Of the feed's server."
    article: str
    title: str
    torrent: str
    rule: str
    options: Options
    since: float
    tries: int = 0
    again: float | None = 0.0
    "When it is tried (again), seconds since 1970; None where it was given up."
    failure: str = ""


@dataclass(frozen=True, slots=True)
class State:
    tree: Tree = field(default_factory=Tree)
    shelves: Mapping[str, Shelf] = field(default_factory=dict)
    "By the ids of feeds; each feed has one."
    rules: Mapping[str, Rule] = field(default_factory=dict)
    memories: Mapping[str, RuleState] = field(default_factory=dict)
    wanted: Mapping[str, Pending] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Node:
    path: Path
    feed: Feed | None = None


@dataclass(frozen=True, slots=True)
class _Nodes:
    next: int
    nodes: list[_Node]


# -- what changes


def tree_change(tree: Tree) -> Changes:
    nodes = [_Node(path, feed) for path, feed in tree.nodes.items()]
    return {_TREE: msgspec.json.encode(_Nodes(tree.next, nodes))}


def rule_change(name: str, rule: Rule | None) -> Changes:
    return {name: None if rule is None else msgspec.json.encode(rule)}


def memory_change(name: str, memory: RuleState | None) -> Changes:
    return {f"rule/{name}": None if memory is None else msgspec.json.encode(memory)}


def wanted_change(key: str, pending: Pending | None) -> Changes:
    return {f"wanted/{key}": None if pending is None else msgspec.json.encode(pending)}


def fetched_change(feed: str, fetched: Fetched | None) -> Changes:
    return {f"feed/{feed}": None if fetched is None else msgspec.json.encode(fetched)}


def article_changes(feed: str, before: Iterable[Article], after: Iterable[Article]) -> Changes:
    """What makes one list of articles the other one."""
    old = {article.mark: article for article in before}
    out: Changes = {}
    for article in after:
        if old.pop(article.mark, None) != article:
            out[f"article/{feed}/{article.mark}"] = msgspec.json.encode(article)
    return {**out, **{f"article/{feed}/{mark}": None for mark in old}}


def shelf_changes(feed: str, before: Shelf, after: Shelf) -> Changes:
    out = article_changes(feed, before.articles, after.articles)
    return out if before.fetched == after.fetched else {**out, **fetched_change(feed, after.fetched)}


# -- what was kept


def decode(
    feeds: Mapping[str, bytes], rules: Mapping[str, bytes], articles: Mapping[str, bytes]
) -> tuple[State, Changes, list[FormatError]]:
    """The state of the last run, what is left over in the area of articles (of feeds and rules that are not there), and
    what could not be read and is left alone. Raises FormatError where the tree itself cannot be read.
    """
    tree = Tree()
    if _TREE in feeds:
        found = _read(feeds[_TREE], _Nodes, "feeds")
        tree = Tree({node.path: node.feed for node in found.nodes}, found.next)
    loose: list[FormatError] = []
    known = {name: rule for name, raw in rules.items() if (rule := _try(raw, Rule, f"rule {name}", loose)) is not None}
    fetched: dict[str, Fetched] = {}
    kept: dict[str, list[Article]] = {feed.uid: [] for _, feed in tree.feeds()}
    memories: dict[str, RuleState] = {}
    wanted: dict[str, Pending] = {}
    over: Changes = {}
    for name, raw in articles.items():
        kind, _, rest = name.partition("/")
        uid = rest.partition("/")[0]
        if kind == "article" and uid in kept:
            article = _try(raw, Article, name, loose)
            if article is not None:
                kept[uid].append(article)
        elif kind == "feed" and uid in kept:
            fetched[uid] = _try(raw, Fetched, name, loose) or Fetched()
        elif kind == "rule" and (rest in known or rest in rules):
            memory = _try(raw, RuleState, name, loose)
            if memory is not None:
                memories[rest] = memory
        elif kind == "wanted":
            pending = _try(raw, Pending, name, loose)
            if pending is not None:
                wanted[rest] = pending
        else:
            over[name] = None
    shelves = {
        uid: Shelf(fetched.get(uid, Fetched()), tuple(sorted(found_here, key=lambda article: -article.published)))
        for uid, found_here in kept.items()
    }
    return State(tree, shelves, known, memories, wanted), over, loose


def _read(raw: bytes, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"is not as it was written: {error}", where=where) from None


def _try(raw: bytes, kind: type[T], where: str, loose: list[FormatError]) -> T | None:
    try:
        return _read(raw, kind, where)
    except FormatError as error:
        loose.append(error)
        return None
