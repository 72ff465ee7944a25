"""Fetching feeds when they are due: a few at a time, each host with pauses, and only what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol
from urllib.parse import urlsplit

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError, NetworkError, StorageError
from wildbach.net.http import Response
from wildbach.net.resolve import Purpose
from wildbach.protocol import feeds
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.feeds import waits
from wildbach.services.feeds.settings import FeedSettings
from wildbach.services.feeds.state import Fetched
from wildbach.services.feeds.tree import Feed

_LOOK_SECONDS: Final = 30.0
"The longest until it is seen that a setting changed."
_REST_SECONDS: Final = 60.0
_VALIDATOR_CHARS: Final = 512
_HOSTS: Final = 1000
_ACCEPT: Final = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"


class Fetcher(Protocol):
    """`net.http.HttpClient`."""

    async def fetch(
        self, url: str, *, purpose: Purpose, limit: int, seconds: float = ..., headers: Mapping[str, str] | None = None,
        named_by: Reach = ...,
    ) -> Response: ...


@dataclass(frozen=True, slots=True)
class Got:
    document: feeds.Document
    etag: str
    modified: str
    reach: Reach


@dataclass(frozen=True, slots=True)
class Same:
    """The server says that nothing changed."""

    reach: Reach


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str
    wait: float
    "Seconds."


Outcome = Got | Same | Failed
Shelved = tuple[Feed, Fetched]


class Refresher:
    """Gives what came of each fetch to `land`, one feed at a time each."""

    def __init__(
        self, scope: Scope, threads: Threads, *, fetcher: Fetcher, settings: Callable[[], FeedSettings],
        wall: Callable[[], float], shelved: Callable[[], Iterable[Shelved]],
        land: Callable[[Feed, Outcome], Awaitable[None]], report: Callable[[Exception], None],
    ) -> None:
        self._scope = scope
        self._threads = threads
        self._fetcher = fetcher
        self._settings = settings
        self._wall = wall
        self._shelved = shelved
        self._land = land
        self._report = report
        self._wake = asyncio.Event()
        self._running: dict[str, None] = {}
        self._asked: dict[str, list[asyncio.Future[None]]] = {}
        self._waited_for: dict[asyncio.Future[None], None] = {}
        self._hosts: dict[str, float] = {}
        "When each may be asked again, by the loop's clock."
        self._resting: dict[str, float] = {}
        "Feeds of which it could not be noted what came, and until when they are left alone, by the loop's clock."

    def start(self) -> None:
        self._scope.spawn("refresh", self._watch(), contain=self._report)

    def wake(self) -> None:
        """Feeds or settings changed."""
        self._wake.set()

    def running(self, uid: str) -> bool:
        """Whether it is being fetched, or is about to be because somebody asked."""
        return uid in self._running or uid in self._asked

    async def refresh(self, uids: Iterable[str]) -> None:
        """Fetch these now, due or not, and wait for them."""
        loop = asyncio.get_running_loop()
        done = {uid: loop.create_future() for uid in uids} if not self._scope.closed else {}
        for uid, future in done.items():
            self._asked.setdefault(uid, []).append(future)
        self._waited_for.update(dict.fromkeys(done.values()))
        self._wake.set()
        if done:
            await asyncio.wait(done.values())

    def release(self) -> None:
        """Nothing is fetched any more: nobody waits longer."""
        self._settle(list(self._waited_for))

    def _settle(self, asked: Iterable[asyncio.Future[None]]) -> None:
        for future in asked:
            self._waited_for.pop(future, None)
            if not future.done():
                future.set_result(None)

    async def _watch(self) -> None:
        while True:
            self._wake.clear()
            wait = self._begin_due()
            try:
                async with asyncio.timeout(min(wait, _LOOK_SECONDS)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _begin_due(self) -> float:
        """Begin what is due, and say in how many seconds something else is."""
        settings, now, clock = self._settings(), self._wall(), asyncio.get_running_loop().time()
        wait = _LOOK_SECONDS
        waiting: list[tuple[float, Shelved]] = []
        here: set[str] = set()
        for feed, fetched in self._shelved():
            here.add(feed.uid)
            if feed.uid in self._running:
                continue
            due = -1.0 if feed.uid in self._asked else due_at(feed, fetched, settings, now)
            if due >= 0:
                due = max(due, now + self._resting.get(feed.uid, 0.0) - clock)
            if due > now:
                wait = min(wait, due - now)
            elif settings.enabled or feed.uid in self._asked:
                waiting.append((due, (feed, fetched)))
        for uid in [uid for uid in self._asked if uid not in here]:
            self._settle(self._asked.pop(uid))
        waiting.sort(key=lambda one: one[0])
        for _, (feed, fetched) in waiting:
            if len(self._running) >= settings.parallel:
                break  # the end of any of them wakes us
            host = urlsplit(feed.url).hostname or ""
            free = self._hosts.get(host, 0.0)
            if free > clock:
                wait = min(wait, free - clock)
                continue
            if len(self._hosts) >= _HOSTS:
                self._hosts = {name: until for name, until in self._hosts.items() if until > clock}
            self._hosts[host] = clock + settings.host_seconds
            self._running[feed.uid] = None
            self._scope.spawn("fetch", self._run(feed, fetched, self._asked.pop(feed.uid, [])), contain=self._report)
        return wait

    async def _run(self, feed: Feed, fetched: Fetched, asked: list[asyncio.Future[None]]) -> None:
        try:
            await self._land(feed, await self._fetch(feed, fetched))
            self._resting.pop(feed.uid, None)
        except StorageError as error:
            self._resting[feed.uid] = asyncio.get_running_loop().time() + _REST_SECONDS
            self._report(error)
        finally:
            del self._running[feed.uid]
            self._settle(asked)
            self._wake.set()

    async def _fetch(self, feed: Feed, fetched: Fetched) -> Outcome:
        try:
            return await self._ask(feed, fetched if fetched.url == feed.url else Fetched())
        except (NetworkError, FormatError) as error:
            return Failed(error.message, waits.back_off(fetched.fails + 1, error))

    async def _ask(self, feed: Feed, fetched: Fetched) -> Outcome:
        asks = {"Accept": _ACCEPT}
        if fetched.etag:
            asks["If-None-Match"] = fetched.etag
        if fetched.modified:
            asks["If-Modified-Since"] = fetched.modified
        reply = await self._fetcher.fetch(
            feed.url, purpose=Purpose.USER, limit=limits.FEED_BYTES, seconds=limits.FEED_SECONDS, headers=asks,
        )
        if reply.status == 304 and len(asks) > 1:
            return Same(reply.reach)
        if reply.status != 200:
            raise waits.refused(reply.status, reply.headers, self._wall())
        charset = _charset(reply.headers.get("content-type", ""))
        document = await self._threads.run(partial(feeds.parse, reply.body, url=reply.url, charset=charset))
        etag, modified = (_validator(reply.headers.get(name)) for name in ("etag", "last-modified"))
        return Got(document, etag, modified, reply.reach)


def due_at(feed: Feed, fetched: Fetched, settings: FeedSettings, now: float) -> float:
    """When a feed is to be fetched; seconds since 1970."""
    if fetched.url != feed.url:
        return 0.0
    if fetched.fails:
        # Further away than any wait: the clock was wrong when it was noted.
        return fetched.again if fetched.again - now <= limits.FEED_RETRY_AFTER_SECONDS else 0.0
    if fetched.checked is None or fetched.checked > now:
        return 0.0
    every = feed.refresh_minutes * 60
    if not every:
        every = max(settings.refresh_minutes * 60, min(fetched.ttl or 0.0, limits.FEED_TTL_SECONDS))
    return fetched.checked + every


def _validator(text: str | None) -> str:
    """What a server wants to hear again; empty where it is too long or could not be sent."""
    good = text is not None and len(text) <= _VALIDATOR_CHARS and text.isascii() and text.isprintable()
    return text if good and text is not None else ""


def _charset(content_type: str) -> str:
    for part in content_type.split(";")[1:10]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    return ""
