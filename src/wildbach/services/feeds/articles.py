"""The articles of one feed: which are new, which are kept. Nothing here changes; what changes makes a new value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from wildbach.protocol.feeds import Item


@dataclass(frozen=True, slots=True)
class Article:
    """One article as it is kept."""

    id: str
    "What the feed knows it by; not empty."
    title: str
    link: str
    torrent: str
    "A magnet link or the URL of a torrent file; empty where it has none."
    description: str
    "HTML of a stranger."
    author: str
    published: float
    "Seconds since 1970; when it was first seen, where the feed does not say."
    size: int | None
    comments: str
    categories: tuple[str, ...]
    read: bool = False
    rule: str = ""
    "The rule that matched it."

    @property
    def mark(self) -> str:
        """A short name for it, of one feed."""
        return mark_of(self.id)

    @property
    def key(self) -> str:
        """What it is recognised by besides its id: its torrent, where that is not just the page of it."""
        return self.torrent if self.torrent != self.link else ""


@dataclass(frozen=True, slots=True)
class Merged:
    articles: tuple[Article, ...]
    "What is kept, the newest first."
    added: tuple[Article, ...]
    "What is new, kept or not, the oldest first."
    gone: frozenset[str]
    "Marks of what the feed has and is not kept, so that it is not new the next time."


def mark_of(text: str) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:24]


def article_of(item: Item, now: float) -> Article | None:
    """None where an item has nothing it could be recognised by."""
    name = item.guid or item.torrent or item.link or item.title
    if not name:
        return None
    published = item.published if item.published is not None and item.published <= now else now
    return Article(
        name, item.title or item.link or item.torrent or name, item.link, item.torrent, item.description, item.author,
        published, item.size, item.comments, item.categories,
    )


def merge(known: Sequence[Article], gone: Iterable[str], items: Iterable[Item], now: float, most: int) -> Merged:
    """Put what a feed has now to what is known. An article that is known stays as it was first seen."""
    past = frozenset(gone)
    marks = {article.mark for article in known}
    keys = {article.key for article in known if article.key}
    newest = max((article.published for article in known), default=-1.0)
    fresh: list[Article] = []
    listed: list[str] = []
    for item in items:
        article = article_of(item, now)
        if article is None:
            continue
        mark = article.mark
        listed.append(mark)
        if mark in marks or mark in past or (article.key and article.key in keys):
            continue
        marks.add(mark)
        if article.key:
            keys.add(article.key)
        fresh.append(article)
    # Feeds give the newest first, and so they stay where dates are equal.
    every = sorted([*fresh, *known], key=lambda article: -article.published)
    kept = tuple(every[:most])
    here = {article.mark for article in kept}
    # What comes back after it was dropped is old, unless it is newer than all there was.
    added = [article for article in fresh if article.mark in here or article.published > newest]
    added.sort(key=lambda article: article.published)
    left = frozenset(mark for mark in listed if mark not in here) if listed else past
    return Merged(kept, tuple(added), left)
