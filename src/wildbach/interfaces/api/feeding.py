"""Feeds, their articles, and the rules that download some of them."""

from __future__ import annotations

import time
from typing import Final

from wildbach.base.errors import FormatError, UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.adding import Adding
from wildbach.services.feeds import qbittorrent
from wildbach.services.feeds.articles import Article
from wildbach.services.feeds.outbox import Wanted
from wildbach.services.feeds.rules import Options
from wildbach.services.feeds.service import Feeds
from wildbach.services.feeds.tree import Path

_SLASH: Final = "\N{DIVISION SLASH}"
"Stands for a slash in a name: slashes part the names of a path."
_LAYOUTS: Final[dict[str, m.Layout]] = {"Original": "original", "Subfolder": "subfolder", "NoSubfolder": "none"}


def show_path(path: Path) -> str:
    return "/".join(part.replace("/", _SLASH) for part in path)


def read_path(text: str) -> Path:
    """Raises UsageError."""
    parts = tuple(part.replace(_SLASH, "/") for part in text.split("/")) if text else ()
    if any(not part for part in parts):
        raise UsageError(f"{text!r} is no path of a feed: a name in it is empty")
    return parts


class Feeding(Adding):
    """A part of the Api."""

    feed_service: Feeds

    async def feeds(self) -> m.Feeds:
        service = self.feed_service
        return m.Feeds(
            tuple(
                m.Feed(
                    path=show_path(view.path), url=view.url, title=view.title or view.path[-1],
                    refresh_seconds=int(view.refresh_minutes * 60), refreshed_at=int(view.checked or 0),
                    next_refresh=max(0.0, view.due - time.time()), busy=view.loading, error=view.failure,
                    unread=view.unread,
                    articles=view.articles,
                )
                for view in service.feeds()
            ),
            tuple(show_path(view.path) for view in service.folders()),
        )

    async def add_feed(self, request: m.FeedRequest) -> None:
        path = read_path(request.path)
        if request.parents:
            there = {view.path for view in self.feed_service.folders()}
            for depth in range(1, len(path)):
                if path[:depth] not in there:
                    await self.feed_service.add_folder(path[:depth])
        if request.url:
            await self.feed_service.add_feed(request.url, path, refresh_minutes=request.refresh_seconds / 60)
        else:
            await self.feed_service.add_folder(path)

    async def change_feed(self, patch: m.FeedPatch) -> None:
        path = read_path(patch.path)
        if isinstance(patch.url, str):
            await self.feed_service.set_url(path, patch.url)
        if isinstance(patch.refresh_seconds, int):
            await self.feed_service.set_refresh(path, patch.refresh_seconds / 60)
        if isinstance(patch.to, str):
            await self.feed_service.move(path, read_path(patch.to))

    async def remove_feed(self, feed: m.FeedPath) -> None:
        await self.feed_service.remove(read_path(feed.path))

    async def refresh_feed(self, feed: m.FeedPath) -> None:
        path = read_path(feed.path)
        self.feed_service.feeds(path)  # said now where there is none
        self.core.scope.spawn("refresh", self.feed_service.refresh(path), contain=self.core.report)

    async def articles(self, query: m.ArticleQuery) -> m.Articles:
        paths = {view.uid: show_path(view.path) for view in self.feed_service.feeds()}
        found = [
            (uid, article) for uid, article in self.feed_service.articles(read_path(query.path))
            if not (query.unread and article.read)
        ]
        found.sort(key=lambda one: -one[1].published)
        part = found[query.offset : query.offset + query.limit]
        return m.Articles(len(found), tuple(_article(paths.get(uid, ""), article) for uid, article in part))

    async def mark_read(self, mark: m.ReadMark) -> None:
        await self.feed_service.mark_read(read_path(mark.path), mark.id or None)

    async def feed_rules(self) -> m.FeedRules:
        return m.FeedRules({
            view.name: qbittorrent.to_json(view.rule, view.state) for view in self.feed_service.rules()})

    async def put_feed_rule(self, rule: m.FeedRule) -> None:
        try:
            made, memory = qbittorrent.from_json(rule.rule, "rule")
        except FormatError as error:
            raise UsageError(error.message) from error
        await self.feed_service.set_rule(rule.name, made, memory)

    async def rename_feed_rule(self, name: m.RuleName) -> None:
        await self.feed_service.rename_rule(name.name, name.to)

    async def remove_feed_rule(self, name: m.RuleName) -> None:
        await self.feed_service.remove_rule(name.name)

    async def try_feed_rule(self, rule: m.FeedRule) -> m.RuleMatches:
        try:
            made, _ = qbittorrent.from_json(rule.rule, "rule") if rule.rule else (None, None)
        except FormatError as error:
            raise UsageError(error.message) from error
        trials = await self.feed_service.dry_run(made if made is not None else rule.name)
        paths = {view.uid: show_path(view.path) for view in self.feed_service.feeds()}
        return m.RuleMatches(tuple(
            m.RuleMatch(
                paths.get(trial.feed, trial.feed), trial.article.id, trial.article.title, trial.verdict.matches,
                trial.verdict.words)
            for trial in trials
        ))

    # -- what the rules want

    async def take(self, wanted: Wanted) -> None:
        """Add what a rule wants: the `Taker` of the feeds. Raises WildbachError."""
        added = await self._add(wanted.torrent, wanted.source, _request(wanted.options))
        if added.key:
            entry = self.core.library.entry(added.key)
            entry.source = f"rule {wanted.rule}"
            self.core.library.book.touch(added.key)
            self.core.log.write("info", f"the rule {wanted.rule} took {wanted.title}", added.key)


def _request(options: Options) -> m.AddRequest:
    return m.AddRequest(
        category=options.category, tags=options.tags, save_path=options.save_path,
        incomplete_path=options.download_path if options.use_download_path else None, stopped=options.stopped,
        layout=_LAYOUTS.get(options.content_layout), auto=options.auto_tmm, skip_check=options.skip_checking,
        top=bool(options.top_of_queue), up_limit=max(0, options.upload_limit or 0),
        down_limit=max(0, options.download_limit or 0),
        ratio_limit=-2 if options.ratio_limit is None else options.ratio_limit,
        seeding_limit=_seconds(options.seeding_minutes), idle_limit=_seconds(options.inactive_minutes),
    )


def _seconds(minutes: int | None) -> int:
    if minutes is None:
        return -2
    return minutes * 60 if minutes >= 0 else minutes


def _article(feed: str, article: Article) -> m.Article:
    return m.Article(
        feed=feed, id=article.id, title=article.title, url=article.torrent, page=article.link,
        description=article.description, author=article.author, published_at=int(article.published),
        size=article.size or 0, read=article.read,
    )
