"""Folders and feeds. A tree never changes: what changes it gives another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import NetworkError, UsageError
from wildbach.net import resolve

Path = tuple[str, ...]
"Names from the top; the top itself is ()."

SEPARATOR: Final = "\\"
"Between the names of a path in one text, as qBittorrent has it."
_NAME_CHARS: Final = limits.FEED_URL_CHARS
_DEPTH: Final = 32


class NoSuchFeed(UsageError):
    """There is no feed, folder or article of this name."""

    code = "not_found"


class FeedConflict(UsageError):
    """Something of this name is there already, or a feed with this URL."""

    code = "exists"


@dataclass(frozen=True, slots=True)
class Feed:
    uid: str
    "Never given to another feed."
    url: str
    refresh_minutes: float = 0.0
    "0: as the settings say."


@dataclass(frozen=True, slots=True)
class Tree:
    nodes: Mapping[Path, Feed | None] = field(default_factory=dict)
    "None for a folder. The folders of everything are there."
    next: int = 1
    "The number of the next feed."

    def feeds(self, under: Path = ()) -> Iterator[tuple[Path, Feed]]:
        """The feed there, or all in a folder. Raises NoSuchFeed."""
        self.at(under)
        for path, node in self.nodes.items():
            if node is not None and path[:len(under)] == under:
                yield path, node

    def at(self, path: Path) -> Feed | None:
        """A feed, or None for a folder. Raises NoSuchFeed."""
        if path and path not in self.nodes:
            raise NoSuchFeed(f"there is no feed or folder {show(path)}")
        return self.nodes[path] if path else None

    def feed(self, path: Path) -> Feed:
        """Raises NoSuchFeed."""
        found = self.at(path)
        if found is None:
            raise NoSuchFeed(f"{show(path)} is a folder")
        return found

    def with_folder(self, path: Path) -> Tree:
        """Raises UsageError, FeedConflict or NoSuchFeed."""
        return self._with(path, None)

    def with_feed(self, path: Path, url: str, refresh_minutes: float = 0.0) -> Tree:
        """Another feed. `path`: its place, name included. Raises UsageError, FeedConflict or NoSuchFeed."""
        url = checked(url)
        self._check_free(url)
        made = Feed(str(self.next), url, _minutes(refresh_minutes))
        return replace(self._with(path, made), next=self.next + 1)

    def changed(self, path: Path, *, url: str | None = None, refresh_minutes: float | None = None) -> Tree:
        """A feed with another URL or time. Raises UsageError, FeedConflict or NoSuchFeed."""
        feed = self.feed(path)
        if url is not None and (url := checked(url)) != feed.url:
            self._check_free(url)
            feed = replace(feed, url=url)
        if refresh_minutes is not None:
            feed = replace(feed, refresh_minutes=_minutes(refresh_minutes))
        return replace(self, nodes={**self.nodes, path: feed})

    def moved(self, source: Path, to: Path) -> Tree:
        """A feed or a folder with all in it at another place, or under another name. Raises as `with_folder`."""
        self.at(source)
        if not source:
            raise UsageError("the top folder stays where it is")
        if source == to:
            return self
        if to[:len(source)] == source:
            raise UsageError("a folder cannot be moved into itself")
        self._check_place(to)
        deepest = max(len(path) for path in self.nodes if path[:len(source)] == source)
        if deepest - len(source) + len(to) > _DEPTH:
            raise UsageError(f"folders are at most {_DEPTH} deep")
        return replace(self, nodes={
            to + path[len(source):] if path[:len(source)] == source else path: node
            for path, node in self.nodes.items()
        })

    def without(self, path: Path) -> Tree:
        """Without a feed, or a folder and all in it. Raises UsageError or NoSuchFeed."""
        self.at(path)
        if not path:
            raise UsageError("the top folder cannot be removed")
        return replace(self, nodes={at: node for at, node in self.nodes.items() if at[:len(path)] != path})

    def _with(self, path: Path, node: Feed | None) -> Tree:
        self._check_place(path)
        if len(self.nodes) >= limits.FEEDS:
            raise UsageError(f"more feeds and folders than FEEDS = {limits.FEEDS}")
        return replace(self, nodes={**self.nodes, path: node})

    def _check_place(self, path: Path) -> None:
        if not path or len(path) > _DEPTH:
            raise UsageError(f"a path has 1 to {_DEPTH} names")
        for name in path:
            if not name.strip() or SEPARATOR in name or len(name) > _NAME_CHARS or not name.isprintable():
                raise UsageError(f"{name[:100]!r} is no name for a feed or a folder")
        if path in self.nodes:
            raise FeedConflict(f"{show(path)} is there already")
        if self.at(path[:-1]) is not None:
            raise UsageError(f"{show(path[:-1])} is a feed and no folder")

    def _check_free(self, url: str) -> None:
        for path, node in self.nodes.items():
            if node is not None and node.url == url:
                raise FeedConflict(f"there is a feed with this URL already: {show(path)}")


def parse_path(text: str) -> Path:
    """A path in one text."""
    return tuple(part for part in text.split(SEPARATOR) if part)


def show(path: Path) -> str:
    """A path as one text."""
    return SEPARATOR.join(path)


def checked(url: str) -> str:
    """The URL of a feed. Raises UsageError."""
    url = url.strip()
    if len(url) > limits.FEED_URL_CHARS:
        raise UsageError(f"the URL is longer than FEED_URL_CHARS = {limits.FEED_URL_CHARS}")
    if not url.lower().startswith(("http://", "https://")):
        raise UsageError("a feed has an http or https URL")
    try:
        resolve.split(url, allow_idna=True)
    except NetworkError as error:
        raise UsageError(error.message) from None
    return url


def _minutes(value: float) -> float:
    if not 0 <= value <= 525_600:
        raise UsageError("a feed is fetched every 1 to 525600 minutes; 0 is as the settings say")
    return max(float(value), 1.0) if value else 0.0
