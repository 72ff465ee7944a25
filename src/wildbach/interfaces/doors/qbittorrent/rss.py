"""rss/…: feeds, their articles and rules.

Paths there are parted by backslashes, and a name may have slashes in it; ours are parted by slashes.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

import msgspec

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, bad, conflict, data, text
from wildbach.interfaces.doors.qbittorrent.endpoints import endpoint

_SLASH: Final = "\N{DIVISION SLASH}"
_PAGE: Final = 1000


def ours(path: str) -> str:
    return "/".join(part.replace("/", _SLASH) for part in path.split("\\"))


def theirs(path: str) -> str:
    return "\\".join(part.replace(_SLASH, "/") for part in path.split("/"))


@endpoint("rss/items", "Feeds in their folders; with articles where asked.")
async def items(call: Call) -> Answer:
    found = await call.api.feeds()
    articles: dict[str, list[dict[str, Any]]] = {feed.path: [] for feed in found.feeds}
    if call.flag("withData"):
        offset = 0
        while True:
            page = await call.api.articles(m.ArticleQuery(offset=offset, limit=_PAGE))
            for article in page.articles:
                articles.setdefault(article.feed, []).append(_article(article))
            offset += len(page.articles)
            if not page.articles or offset >= page.total:
                break
    tree: dict[str, Any] = {}
    for folder in found.folders:
        _place(tree, folder)
    for feed in found.feeds:
        folder, _, name = feed.path.rpartition("/")
        shown: dict[str, Any] = {"uid": str(uuid.uuid5(uuid.NAMESPACE_URL, feed.path)), "url": feed.url}
        if call.flag("withData"):
            shown |= {
                "title": feed.title, "lastBuildDate": _date(feed.refreshed_at), "isLoading": feed.busy,
                "hasError": bool(feed.error), "articles": articles[feed.path],
            }
        _place(tree, folder)[name.replace(_SLASH, "/")] = shown
    return data(tree)


def _place(tree: dict[str, Any], folder: str) -> dict[str, Any]:
    for name in folder.split("/") if folder else ():
        tree = tree.setdefault(name.replace(_SLASH, "/"), {})
    return tree


def _article(article: m.Article) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": article.id, "title": article.title, "torrentURL": article.url, "link": article.page,
        "description": article.description, "author": article.author, "date": _date(article.published_at),
    }
    if article.read:
        shown["isRead"] = True
    return shown


def _date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC)) if seconds else ""


@contextlib.contextmanager
def _conflicts() -> Iterator[None]:
    """What is not there, or there already, is 409 there."""
    try:
        yield
    except UsageError as error:
        raise conflict(str(error)) from None


@endpoint("rss/addFolder", "Makes a folder.", change=True)
async def add_folder(call: Call) -> Answer:
    [path] = call.required("path")
    with _conflicts():
        await call.api.add_feed(m.FeedRequest(ours(path.strip()), parents=False))
    return text()


@endpoint("rss/addFeed", "Follows a feed.", change=True)
async def add_feed(call: Call) -> Answer:
    [url] = call.required("url")
    url = url.strip()
    with _conflicts():
        await call.api.add_feed(m.FeedRequest(
            ours(call.text("path").strip() or url), url, max(call.number("refreshInterval", 0), 0),
            parents=False,
        ))
    return text()


@endpoint("rss/setFeedURL", "Another URL for a feed.", change=True)
async def set_url(call: Call) -> Answer:
    path, url = call.required("path", "url")
    with _conflicts():
        await call.api.change_feed(m.FeedPatch(ours(path), url=url.strip()))
    return text()


@endpoint("rss/removeItem", "Follows a feed no more, or a folder with all in it.", change=True)
async def remove(call: Call) -> Answer:
    [path] = call.required("path")
    if not path:
        raise conflict("Can't remove root folder.")
    with _conflicts():
        await call.api.remove_feed(m.FeedPath(ours(path)))
    return text()


@endpoint("rss/moveItem", "Another path for a feed or folder.", change=True)
async def move(call: Call) -> Answer:
    path, to = call.required("itemPath", "destPath")
    if not path:
        raise conflict("Can't move root folder.")
    with _conflicts():
        await call.api.change_feed(m.FeedPatch(ours(path), to=ours(to)))
    return text()


@endpoint("rss/refreshItem", "Asks for a feed, or all of a folder, now.", change=True)
async def refresh(call: Call) -> Answer:
    [path] = call.required("itemPath")
    with _conflicts():
        await call.api.refresh_feed(m.FeedPath(ours(path)))
    return text()


@endpoint("rss/markAsRead", "An article was read, or all of a feed or folder.", change=True)
async def mark_read(call: Call) -> Answer:
    [path] = call.required("itemPath")
    with _conflicts():
        await call.api.mark_read(m.ReadMark(ours(path), call.text("articleId")))
    return text()


@endpoint("rss/rules", "The rules by which articles are downloaded.")
async def rules(call: Call) -> Answer:
    return data((await call.api.feed_rules()).rules)


@endpoint("rss/setRule", "Makes a rule, or changes it.", change=True)
async def set_rule(call: Call) -> Answer:
    name, definition = call.required("ruleName", "ruleDef")
    try:
        rule = msgspec.json.decode(definition, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise bad("ruleDef is not a JSON object") from None
    if isinstance(feeds := rule.get("affectedFeeds"), str):
        rule["affectedFeeds"] = [feeds]
    await call.api.put_feed_rule(m.FeedRule(name, rule))
    return text()


@endpoint("rss/renameRule", "Another name for a rule.", change=True)
async def rename_rule(call: Call) -> Answer:
    name, to = call.required("ruleName", "newRuleName")
    if name in (await call.api.feed_rules()).rules:
        await call.api.rename_feed_rule(m.RuleName(name, to))
    return text()


@endpoint("rss/removeRule", "Removes a rule.", change=True)
async def remove_rule(call: Call) -> Answer:
    [name] = call.required("ruleName")
    if name in (await call.api.feed_rules()).rules:
        await call.api.remove_feed_rule(m.RuleName(name))
    return text()


@endpoint("rss/matchingArticles", "Titles that a rule would take, by feed.")
async def matching(call: Call) -> Answer:
    [name] = call.required("ruleName")
    found: dict[str, list[str]] = {}
    rule = (await call.api.feed_rules()).rules.get(name)
    if rule is not None:
        for match in (await call.api.try_feed_rule(m.FeedRule(name, rule))).matches:
            if match.matches:
                found.setdefault(theirs(match.feed), []).append(match.title)
    return data(found)
