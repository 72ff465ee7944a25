"""The service: feeds, articles and rules, refreshed and matched, over one state that is always as it is kept.

Every change makes a new state, is written in one step and only then told of. Changes take turns; reading never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from wildbach.base import limits
from wildbach.base.errors import LimitError, StorageError, UsageError
from wildbach.base.events import Event
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.feeds import articles, qbittorrent, state, tree
from wildbach.services.feeds.articles import Article
from wildbach.services.feeds.events import ArticleFailed, ArticleTaken, FeedFailed, FeedRefreshed, RuleMatched
from wildbach.services.feeds.outbox import Outbox, Taker
from wildbach.services.feeds.refresher import Failed, Fetcher, Outcome, Refresher, Same, due_at
from wildbach.services.feeds.rules import Candidate, Judged, Rule, RuleState, Taste, Turn, judge_all, problem_of
from wildbach.services.feeds.settings import FeedSettings
from wildbach.services.feeds.state import Changes, Fetched, Keeper, Pending, Shelf, State
from wildbach.services.feeds.tree import Feed, FeedConflict, NoSuchFeed, Path
from wildbach.services.feeds.views import FeedView, FolderView, RuleView, Trial, WantedView


class Feeds:
    """Make it, `load` it, `close` it.

    What changes something raises UsageError (its kinds: NoSuchFeed, FeedConflict) or StorageError, and nothing changed.
    """

    def __init__(
        self, scope: Scope, threads: Threads, *, settings: Callable[[], FeedSettings], keeper: Keeper, fetcher: Fetcher,
        taker: Taker, publish: Callable[[Event], None], report: Callable[[Exception], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`threads`: where feeds are read and patterns are searched for, which may take a while; `wall`: seconds since
        1970; `report` hears of what went wrong beside what views and events tell.
        """
        self._scope = scope.child("feeds")
        self._threads = threads
        self._settings = settings
        self._keeper = keeper
        self._publish = publish
        self._report = report
        self._wall = wall
        self._state = State()
        self._lock = asyncio.Lock()
        self._problems: dict[str, str] = {}
        self._judge_again = asyncio.Event()
        self._refresher = Refresher(
            self._scope, threads, fetcher=fetcher, settings=settings, wall=wall, shelved=self._shelved, land=self._land,
            report=report,
        )
        self._outbox = Outbox(
            self._scope, threads, fetcher=fetcher, taker=taker, wall=wall, pending=lambda: self._state.wanted,
            taken=self._taken, failed=self._failed, report=report,
        )

    async def load(self) -> None:
        """Take what the last run kept, and begin. Raises FormatError where the tree of feeds cannot be read."""
        feeds, rules, kept = [await self._keeper.kept(area) for area in (state.FEEDS, state.RULES, state.ARTICLES)]
        self._state, over, bad = await self._threads.run(state.decode, feeds, rules, kept)
        for error in bad:
            self._report(error)
        if over:
            await self._keeper.keep(state.ARTICLES, over)
        self._judge_again.set()
        self._refresher.start()
        self._outbox.start()
        self._scope.spawn("match", self._match_again(), contain=self._report)

    async def close(self) -> None:
        await self._scope.close()
        self._refresher.release()

    # -- feeds and folders

    def feeds(self, under: Path = ()) -> list[FeedView]:
        """A feed, or those in a folder and its folders. Raises NoSuchFeed."""
        return [self._view(path, feed) for path, feed in self._state.tree.feeds(under)]

    def folders(self) -> list[FolderView]:
        """All but the top."""
        unread = {path: 0 for path, node in self._state.tree.nodes.items() if node is None}
        for path, feed in self._state.tree.feeds():
            count = self._unread(feed.uid)
            for depth in range(1, len(path)):
                unread[path[:depth]] += count
        return [FolderView(path, count) for path, count in unread.items()]

    async def add_folder(self, path: Path) -> None:
        await self._replant(lambda now: now.with_folder(path))

    async def add_feed(self, url: str, path: Path = (), *, refresh_minutes: float = 0.0) -> str:
        """Begin to follow a feed; its id. `path`: its place, name included. Without a name (in the top folder) it is
        called by its URL until it says its title.
        """
        url = tree.checked(url)
        await self._replant(lambda now: now.with_feed(path or (_name_of(url),), url, refresh_minutes))
        self._refresher.wake()
        return next(feed.uid for _, feed in self._state.tree.feeds() if feed.url == url)

    async def move(self, source: Path, to: Path) -> None:
        """Give a feed or a folder another place, another name, or both."""
        await self._replant(lambda now: now.moved(source, to))

    async def remove(self, path: Path) -> None:
        """Forget a feed, or a folder and all in it. What rules matched of it is downloaded all the same."""
        await self._replant(lambda now: now.without(path))
        self._refresher.wake()

    async def set_url(self, path: Path, url: str) -> None:
        """Another URL for a feed, in rules too."""
        async with self._lock:
            before = self._state.tree.feed(path).url
            planted = self._state.tree.changed(path, url=url)
            after = planted.feed(path).url
            if after == before:
                return
            # Rules know feeds by URL. They have both while the feed changes, so a crash takes no rule away from it.
            both = {name: replace(rule, feeds=(*rule.feeds, after))
                    for name, rule in self._state.rules.items() if before in rule.feeds}
            last = {name: replace(rule, feeds=tuple(dict.fromkeys(after if u == before else u for u in rule.feeds)))
                    for name, rule in both.items()}
            await self._rewrite(both)
            await self._commit(replace(self._state, tree=planted), state.FEEDS, state.tree_change(planted))
            await self._rewrite(last)
        self._refresher.wake()

    async def set_refresh(self, path: Path, minutes: float) -> None:
        """How often a feed is fetched; 0: as the settings say."""
        await self._replant(lambda now: now.changed(path, refresh_minutes=minutes))
        self._refresher.wake()

    async def refresh(self, path: Path = ()) -> None:
        """Fetch a feed, or all in a folder, now; returns when that is done. `feeds` tells what failed."""
        await self._refresher.refresh([feed.uid for _, feed in self._state.tree.feeds(path)])

    # -- articles

    def articles(self, path: Path = ()) -> list[tuple[str, Article]]:
        """Ids of feeds, and their articles: of one feed or of a folder, the newest first. Raises NoSuchFeed."""
        uids = [feed.uid for _, feed in self._state.tree.feeds(path)]
        found = [(uid, article) for uid in uids for article in self._shelf(uid).articles]
        return sorted(found, key=lambda one: -one[1].published)

    async def mark_read(self, path: Path = (), article: str | None = None, *, read: bool = True) -> None:
        """One article by its id, or all of a feed or folder."""
        async with self._lock:
            uids = [feed.uid for _, feed in self._state.tree.feeds(path)]
            shelves, changes, found = dict(self._state.shelves), Changes(), False
            for uid in uids:
                shelf = self._shelf(uid)
                after = tuple(
                    replace(one, read=read) if article in (None, one.id) and one.read != read else one
                    for one in shelf.articles
                )
                found = found or any(one.id == article for one in shelf.articles)
                shelves[uid] = replace(shelf, articles=after)
                changes |= await self._threads.run(state.article_changes, uid, shelf.articles, after)
            if article is not None and not found:
                raise NoSuchFeed("there is no such article")
            await self._commit(replace(self._state, shelves=shelves), state.ARTICLES, changes)

    # -- rules

    def rules(self) -> list[RuleView]:
        """In the order in which they are asked."""
        now = self._state
        return [
            RuleView(name, rule, now.memories.get(name, RuleState()), self._problems.get(name, ""))
            for name, rule in sorted(now.rules.items(), key=lambda one: (one[1].priority, one[0]))
        ]

    async def set_rule(self, name: str, rule: Rule, memory: RuleState | None = None) -> None:
        """Make a rule, or change one. `memory`: what it remembers; None leaves that as it is. A rule that cannot match
        is kept and says so.
        """
        await self.set_rules({name: (rule, memory)})

    async def set_rules(self, rules: Mapping[str, tuple[Rule, RuleState | None]]) -> None:
        """Several at once, all or none."""
        for name in rules:
            if not name.strip() or len(name) > limits.FEED_TITLE_CHARS:
                raise UsageError(f"a rule's name has 1 to {limits.FEED_TITLE_CHARS} characters")
        async with self._lock:
            every = {**self._state.rules, **{name: rule for name, (rule, _) in rules.items()}}
            if len(every) > limits.FEED_RULES:
                raise UsageError(f"more rules than FEED_RULES = {limits.FEED_RULES}")
            memories = {name: memory for name, (_, memory) in rules.items() if memory is not None}
            await self._remember(memories)
            await self._rewrite({name: rule for name, (rule, _) in rules.items()})
            found = await self._threads.run(_problems, [(n, r) for n, (r, _) in rules.items()], self._taste())
            self._problems.update(found)
        self._judge_again.set()

    async def rename_rule(self, name: str, to: str) -> None:
        async with self._lock:
            rule = self._rule(name)
            if to in self._state.rules:
                raise FeedConflict(f"there is a rule {to} already")
            if not to.strip() or len(to) > limits.FEED_TITLE_CHARS:
                raise UsageError(f"a rule's name has 1 to {limits.FEED_TITLE_CHARS} characters")
            memory = self._state.memories.get(name)
            if memory is not None:
                await self._remember({to: memory})
            rest = {other: known for other, known in self._state.rules.items() if other != name}
            await self._commit(
                replace(self._state, rules={**rest, to: rule}), state.RULES,
                {**state.rule_change(name, None), **state.rule_change(to, rule)},
            )
            await self._remember({name: None})
            self._problems[to] = self._problems.pop(name, "")

    async def remove_rule(self, name: str) -> None:
        """What it matched is downloaded all the same."""
        async with self._lock:
            self._rule(name)
            rest = {other: known for other, known in self._state.rules.items() if other != name}
            await self._commit(replace(self._state, rules=rest), state.RULES, state.rule_change(name, None))
            await self._remember({name: None})
            self._problems.pop(name, None)

    def export_rules(self) -> bytes:
        """A file as qBittorrent exports it."""
        memories = self._state.memories
        return qbittorrent.write({
            name: (rule, memories.get(name, RuleState())) for name, rule in self._state.rules.items()
        })

    async def import_rules(self, data: bytes) -> list[str]:
        """A file of qBittorrent's; rules of the same names are replaced. Returns the names. Raises FormatError too."""
        found = await self._threads.run(qbittorrent.read, data)
        await self.set_rules({name: (rule, memory) for name, (rule, memory) in found.items()})
        return list(found)

    async def dry_run(self, rule: str | Rule) -> list[Trial]:
        """What a rule, kept or not, would do with each article of its feeds as they are now, the newest first. Each is
        judged by itself, as if it were the next one that comes.
        """
        memory = RuleState()
        if isinstance(rule, str):
            memory, rule = self._state.memories.get(rule, memory), self._rule(rule)
        found = [
            (feed.uid, self._title(path, feed), article)
            for path, feed in self._state.tree.feeds() if rule.is_for(feed.url)
            for article in self._shelf(feed.uid).articles
        ]
        found.sort(key=lambda one: -one[2].published)
        return await self._threads.run(_try_all, rule, memory, found, self._taste())

    # -- what was matched and is not there yet

    def wanted(self) -> list[WantedView]:
        return [
            WantedView(one.key, one.feed, one.article, one.title, one.torrent, one.rule, one.since, one.tries,
                       one.again, one.failure)
            for one in self._state.wanted.values()
        ]

    async def retry(self, key: str) -> None:
        """Try now what failed or was given up."""
        async with self._lock:
            await self._note_wanted(replace(self._one_wanted(key), again=self._wall(), tries=0))
        self._outbox.wake()

    async def drop(self, key: str) -> None:
        """Do not download it after all."""
        async with self._lock:
            self._one_wanted(key)
            await self._forget_wanted(key)

    # -- inside

    def _shelf(self, uid: str) -> Shelf:
        return self._state.shelves.get(uid, Shelf())

    def _unread(self, uid: str) -> int:
        return sum(not article.read for article in self._shelf(uid).articles)

    def _shelved(self) -> Iterable[tuple[Feed, Fetched]]:
        return [(feed, self._shelf(feed.uid).fetched) for _, feed in self._state.tree.feeds()]

    def _taste(self) -> Taste:
        settings = self._settings()
        return Taste(settings.repacks, settings.episode_patterns)

    def _view(self, path: Path, feed: Feed) -> FeedView:
        shelf = self._shelf(feed.uid)
        fetched = shelf.fetched
        return FeedView(
            path, feed.uid, feed.url, fetched.title, fetched.link, feed.refresh_minutes, len(shelf.articles),
            self._unread(feed.uid), self._refresher.running(feed.uid), fetched.checked,
            due_at(feed, fetched, self._settings(), self._wall()), fetched.failure,
        )

    def _title(self, path: Path, feed: Feed) -> str:
        return self._shelf(feed.uid).fetched.title or path[-1]

    def _rule(self, name: str) -> Rule:
        if name not in self._state.rules:
            raise NoSuchFeed(f"there is no rule {name[:100]}")
        return self._state.rules[name]

    def _one_wanted(self, key: str) -> Pending:
        if key not in self._state.wanted:
            raise NoSuchFeed("nothing of this key waits to be downloaded")
        return self._state.wanted[key]

    async def _commit(self, after: State, area: str, changes: Changes, *, durable: bool = True) -> None:
        """Write what is different and then go over to the other state; where that fails, all is as before."""
        failed: list[Exception] = []
        cancelled = False
        if changes:
            # Whoever asked may go away meanwhile; what is written has to be what is known all the same.
            work = self._keeper.keep(area, changes, durable=durable)
            task = self._scope.spawn("keep", work, contain=failed.append)
            while not task.done():
                try:
                    await asyncio.wait([task])
                except asyncio.CancelledError:
                    cancelled = True
            if failed:
                raise failed[0]
            if task.cancelled():
                raise asyncio.CancelledError
        self._state = after
        if cancelled:
            raise asyncio.CancelledError

    async def _replant(self, change: Callable[[tree.Tree], tree.Tree]) -> None:
        async with self._lock:
            planted = change(self._state.tree)
            here = {feed.uid for _, feed in planted.feeds()}
            gone = {uid: shelf for uid, shelf in self._state.shelves.items() if uid not in here}
            shelves = {uid: shelf for uid, shelf in self._state.shelves.items() if uid in here}
            after = replace(self._state, tree=planted, shelves=shelves)
            await self._commit(after, state.FEEDS, state.tree_change(planted))
            # What a crash leaves of them here, the next start takes away.
            left: Changes = {}
            for uid, shelf in gone.items():
                left |= state.article_changes(uid, shelf.articles, ()) | state.fetched_change(uid, None)
            await self._commit(self._state, state.ARTICLES, left)

    async def _rewrite(self, rules: Mapping[str, Rule]) -> None:
        changes: Changes = {}
        for name, rule in rules.items():
            changes |= state.rule_change(name, rule)
        after = replace(self._state, rules={**self._state.rules, **rules})
        await self._commit(after, state.RULES, changes)

    async def _remember(self, memories: Mapping[str, RuleState | None]) -> None:
        changes: Changes = {}
        for name, memory in memories.items():
            changes |= state.memory_change(name, memory)
        every = {**self._state.memories, **memories}
        known = {name: memory for name, memory in every.items() if memory is not None}
        await self._commit(replace(self._state, memories=known), state.ARTICLES, changes)

    async def _land(self, feed: Feed, outcome: Outcome) -> None:
        """What came of a fetch."""
        async with self._lock:
            place = next((at for at, node in self._state.tree.feeds() if node.uid == feed.uid), None)
            if place is None or self._state.tree.feed(place).url != feed.url:
                return  # it went, or it is another one now
            shelf, now = self._shelf(feed.uid), self._wall()
            known = shelf.fetched if shelf.fetched.url == feed.url else Fetched(url=feed.url, title=shelf.fetched.title)
            if isinstance(outcome, Failed):
                again = now + outcome.wait
                failed = replace(known, fails=known.fails + 1, failure=outcome.reason, again=again)
                await self._shelve(feed.uid, replace(shelf, fetched=failed))
                self._publish(FeedFailed(feed.uid, self._title(place, feed), outcome.reason, again))
                return
            fine = replace(known, checked=now, fails=0, failure="", again=0.0, reach=outcome.reach)
            added: tuple[Article, ...] = ()
            if isinstance(outcome, Same):
                await self._shelve(feed.uid, replace(shelf, fetched=fine))
            else:
                found, most = outcome.document, self._settings().articles
                merged = await self._threads.run(articles.merge, shelf.articles, known.gone, found.items, now, most)
                added = merged.added
                fine = replace(
                    fine, title=found.title or known.title, link=found.link, etag=outcome.etag, ttl=found.ttl,
                    modified=outcome.modified, gone=tuple(sorted(merged.gone)),
                )
                judged = await self._judge([Candidate(feed.uid, feed.url, article) for article in added])
                await self._shelve(feed.uid, Shelf(fine, merged.articles), judged)
                await self._call_by_title(place, feed, found.title)
            self._publish(FeedRefreshed(feed.uid, self._title(place, feed), len(added)))

    async def _call_by_title(self, place: Path, feed: Feed, title: str) -> None:
        """A feed that nobody gave a name is called as it calls itself."""
        if place[-1] not in (feed.url, _name_of(feed.url)) or not title:
            return
        try:
            planted = self._state.tree.moved(place, (*place[:-1], title.replace(tree.SEPARATOR, "/")))
        except UsageError:
            return  # somebody else is called so, or it is no name
        await self._commit(replace(self._state, tree=planted), state.FEEDS, state.tree_change(planted))

    async def _judge(self, candidates: list[Candidate]) -> Judged | None:
        """By all rules; None where nothing is downloaded by itself."""
        now = self._state
        if not self._settings().auto_download or not candidates or not now.rules:
            return None
        if len(now.wanted) >= limits.FEED_WANTED:
            self._report(LimitError(f"more downloads wait than FEED_WANTED = {limits.FEED_WANTED}", where="feeds"))
            return None
        judged = await self._threads.run(judge_all, now.rules, now.memories, candidates, self._taste())
        self._problems.update(judged.problems)
        return judged

    async def _shelve(self, uid: str, shelf: Shelf, judged: Judged | None = None) -> None:
        """Note what a fetch gave and what rules took of it: one step, so none of it is without the rest."""
        await self._settle({uid: shelf}, judged)

    async def _settle(self, shelves: Mapping[str, Shelf], judged: Judged | None) -> None:
        now, after = self._wall(), {**self._state.shelves, **shelves}
        wanted, memories, changes = dict(self._state.wanted), dict(self._state.memories), Changes()
        matches = judged.matches if judged is not None else ()
        taken: dict[str, dict[str, str]] = {}
        for match in matches:
            candidate = match.candidate
            article = candidate.article
            key = articles.mark_of(f"{candidate.feed} {article.id}")
            wanted[key] = Pending(
                key, candidate.feed, candidate.url, after[candidate.feed].fetched.reach, article.id, article.title,
                article.torrent, match.rule, match.options, now, again=now,
            )
            changes |= state.wanted_change(key, wanted[key])
            taken.setdefault(candidate.feed, {})[article.id] = match.rule
        for uid, rules in taken.items():
            after[uid] = replace(after[uid], articles=tuple(
                replace(one, rule=rules[one.id]) if one.id in rules else one for one in after[uid].articles))
        for uid in {**shelves, **taken}:
            # The first time there may be thousands of articles to write down.
            changes |= await self._threads.run(state.shelf_changes, uid, self._shelf(uid), after[uid])
        for name, memory in (judged.states if judged is not None else {}).items():
            memories[name] = memory
            changes |= state.memory_change(name, memory)
        await self._commit(
            replace(self._state, shelves=after, wanted=wanted, memories=memories), state.ARTICLES, changes,
            durable=bool(matches),
        )
        for match in matches:
            article = match.candidate.article
            self._publish(RuleMatched(match.rule, match.candidate.feed, article.id, article.title))
        if matches:
            self._outbox.wake()

    async def _match_again(self) -> None:
        """Judge what is unread when rules or settings changed, and what a crash left unjudged."""
        said = (self._settings().auto_download, self._taste())
        while True:
            try:
                async with asyncio.timeout(30.0):
                    await self._judge_again.wait()
            except TimeoutError:
                if said == (self._settings().auto_download, self._taste()):
                    continue
            self._judge_again.clear()
            said = (self._settings().auto_download, self._taste())
            try:
                await self._match_unread()
            except StorageError as error:
                self._report(error)

    async def _match_unread(self) -> None:
        async with self._lock:
            found = await self._threads.run(_problems, list(self._state.rules.items()), self._taste())
            self._problems = found
            waiting = [
                Candidate(feed.uid, feed.url, article)
                for _, feed in self._state.tree.feeds() for article in self._shelf(feed.uid).articles
                if not article.read and not article.rule
            ]
            waiting.sort(key=lambda one: one.article.published)
            judged = await self._judge(waiting)
            if judged is not None:
                await self._settle({}, judged)

    async def _taken(self, pending: Pending) -> None:
        async with self._lock:
            await self._forget_wanted(pending.key, read=True)
        self._publish(ArticleTaken(pending.rule, pending.feed, pending.article, pending.title))

    async def _failed(self, pending: Pending, reason: str, again: float | None) -> None:
        async with self._lock:
            if pending.key not in self._state.wanted:
                return  # it was dropped meanwhile
            await self._note_wanted(replace(pending, tries=pending.tries + 1, again=again, failure=reason))
        self._publish(ArticleFailed(pending.rule, pending.feed, pending.article, pending.title, reason, again))

    async def _note_wanted(self, pending: Pending) -> None:
        wanted = {**self._state.wanted, pending.key: pending}
        await self._commit(
            replace(self._state, wanted=wanted), state.ARTICLES, state.wanted_change(pending.key, pending))

    async def _forget_wanted(self, key: str, *, read: bool = False) -> None:
        """Take an entry out; `read`: and its article is read."""
        pending = self._state.wanted.get(key)
        wanted = {name: one for name, one in self._state.wanted.items() if name != key}
        shelves, changes = dict(self._state.shelves), state.wanted_change(key, None)
        if read and pending is not None and pending.feed in shelves:
            shelf = shelves[pending.feed]
            after = tuple(replace(one, read=True) if one.id == pending.article else one for one in shelf.articles)
            shelves[pending.feed] = replace(shelf, articles=after)
            changes |= state.article_changes(pending.feed, shelf.articles, after)
        await self._commit(replace(self._state, wanted=wanted, shelves=shelves), state.ARTICLES, changes)


def _name_of(url: str) -> str:
    """What a feed is called that has no name yet."""
    return url.replace(tree.SEPARATOR, "/")


def _problems(rules: list[tuple[str, Rule]], taste: Taste) -> dict[str, str]:
    return {name: problem_of(rule, taste) for name, rule in rules}


def _try_all(rule: Rule, memory: RuleState, found: list[tuple[str, str, Article]], taste: Taste) -> list[Trial]:
    turn = Turn(rule, taste)
    return [Trial(uid, title, article, turn.judge(memory, article)) for uid, title, article in found]
