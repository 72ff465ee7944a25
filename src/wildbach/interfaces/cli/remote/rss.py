"""`wildbach rss`: feeds, their articles, and the rules that download some of them."""

from __future__ import annotations

from typing import Final

import click
from msgspec import UNSET

from wildbach.base.errors import UsageError
from wildbach.base.logins import hide_logins
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, sources, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import SECONDS_LIMIT
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.rules import command as rules
from wildbach.interfaces.cli.table import Cell, Column, Row

FEEDS: Final = (
    Column("FEED", flexible=True), Column("NEW", right=True), Column("ALL", right=True, rank=1),
    Column("NEXT", right=True, rank=2), Column("URL", rank=4), Column("PROBLEM", rank=3),
)
ARTICLES: Final = (
    Column("DATE", rank=2), Column("FEED", rank=3), Column("TITLE", flexible=True), Column("SIZE", right=True, rank=1))


@click.group("rss", cls=ListGroup)
def command() -> None:
    """Follow RSS feeds, and download by rules.

    A feed has a path, folders and its name parted by slashes.
    """


# -- feeds


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the feeds."""
    return reach.run(lambda api: feeds(api, as_json=as_json))


async def feeds(api: Api, *, as_json: bool) -> Exit:
    return said.listed((await api.feeds()).feeds, FEEDS, line_of, "No feeds are followed.", as_json=as_json)


def line_of(feed: m.Feed) -> Row:
    soon = "now" if feed.busy else text.duration(feed.next_refresh) if feed.next_refresh is not None else ""
    return (text.clean(feed.path), str(feed.unread or ""), str(feed.articles), soon, text.clean(hide_logins(feed.url)),
            Cell(text.clean(hide_logins(feed.error)), "red"))


@command.command("add")
@click.argument("feed_url", metavar="URL")
@click.argument("path", metavar="[PATH]", default="")
@click.option("--every", type=SECONDS_LIMIT, default=0, metavar="TIME",
              help="How often to ask for it: 15m, 2h.  [default: as the settings say]")
@reach.options
def add_command(feed_url: str, path: str, every: int, reach: Reach) -> int:
    """Follow a feed.

    PATH is what it is called; by default its host name.
    """
    if not sources.is_url(feed_url):
        raise UsageError(f"{text.clean(feed_url)}: an http or https URL is needed")
    name = path or feed_url.split("/")[2].rpartition("@")[2]
    return reach.run(lambda api: add(api, m.FeedRequest(name, feed_url, max(0, every))))


async def add(api: Api, request: m.FeedRequest) -> Exit:
    await api.add_feed(request)
    output.line(text.clean(f"followed: {request.path}"))
    return Exit.OK


@command.command("edit")
@click.argument("path")
@click.option("--to", metavar="PATH", help="Another path: it moves there.")
@click.option("--feed-url", metavar="URL", help="Another URL of the feed.")
@click.option("--every", type=SECONDS_LIMIT, metavar="TIME",
              help="How often to ask for it: 15m, 2h; 0: as the settings say.")
@reach.options
def edit_command(path: str, to: str | None, feed_url: str | None, every: int | None, reach: Reach) -> int:
    """Move a feed or a folder, or change its URL or pace."""
    patch = m.FeedPatch(
        path, UNSET if to is None else to, UNSET if feed_url is None else feed_url,
        UNSET if every is None else max(0, every))
    return reach.run(lambda api: edit(api, patch))


async def edit(api: Api, patch: m.FeedPatch) -> Exit:
    await api.change_feed(patch)
    output.line(text.clean(f"changed: {patch.path}"))
    return Exit.OK


@command.command("rm")
@click.argument("path")
@reach.options
def rm_command(path: str, reach: Reach) -> int:
    """Follow a feed no more; of a folder, none of its feeds."""
    return reach.run(lambda api: remove(api, path))


async def remove(api: Api, path: str) -> Exit:
    await api.remove_feed(m.FeedPath(path))
    output.line(text.clean(f"removed: {path}"))
    return Exit.OK


@command.command("refresh")
@click.argument("path", metavar="[PATH]", default="")
@reach.options
def refresh_command(path: str, reach: Reach) -> int:
    """Ask for a feed now, for those of a folder, or for all."""
    return reach.run(lambda api: refresh(api, path))


async def refresh(api: Api, path: str) -> Exit:
    await api.refresh_feed(m.FeedPath(path))
    output.line(text.clean(f"asked for: {path or 'all feeds'}"))
    return Exit.OK


# -- articles


@command.command("articles")
@click.argument("path", metavar="[PATH]", default="")
@click.option("--unread", is_flag=True, help="Only those that were not read.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, metavar="N",
              help="The newest so many.")
@click.option("--read", "mark", is_flag=True, help="They are read now.")
@reach.options
@reach.as_json
def articles_command(path: str, unread: bool, limit: int, mark: bool, as_json: bool, reach: Reach) -> int:
    """Show what a feed, a folder or all of them have, newest first."""
    query = m.ArticleQuery(path, unread, limit=limit)
    return reach.run(lambda api: articles(api, query, mark=mark, as_json=as_json))


async def articles(api: Api, query: m.ArticleQuery, *, mark: bool, as_json: bool) -> Exit:
    page = await api.articles(query)
    if as_json:
        said.records(page.articles)
    elif page.articles:
        table.show(ARTICLES, [
            (text.moment(one.published_at), text.clean(one.feed),
             Cell(text.clean(one.title), "" if one.read else "bold"), text.short(one.size)) for one in page.articles])
        if page.total > len(page.articles):
            output.line(f"{len(page.articles)} of {page.total:,}; --limit shows more")
    else:
        output.line("There are no articles.")
    if mark:
        await api.mark_read(m.ReadMark(query.path))
    return Exit.OK


command.add_command(rules)
