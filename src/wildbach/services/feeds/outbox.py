"""What rules matched, on its way to be added: torrent files are fetched, and what fails is tried again.

An entry leaves the state only after it was taken. So after a crash in between it is handed over a second time, and
whoever takes it has to be content with a torrent that is there already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError, StorageError, UsageError, WildbachError
from wildbach.net.http import LeadsToMagnet
from wildbach.net.resolve import ForbiddenURL, Purpose
from wildbach.protocol.metainfo import Magnet, Metainfo
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.feeds import waits
from wildbach.services.feeds.refresher import Fetcher
from wildbach.services.feeds.rules import Options
from wildbach.services.feeds.state import Pending

_AT_ONCE: Final = 3
_LOOK_SECONDS: Final = 30.0
_SECONDS: Final = 60.0
"For one torrent file to be fetched."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A torrent that a rule wants."""

    key: str
    "The same where it is handed over again after a crash."
    source: Metainfo | Magnet
    torrent: str
    "The link or URL it is from."
    options: Options
    rule: str
    feed: str
    "The id of its feed."
    title: str


class Taker(Protocol):
    """Adds torrents."""

    async def take(self, wanted: Wanted) -> None:
        """Returns once the torrent is sure to be there after a crash; one that is there already is fine too.

        A WildbachError is shown. After a UsageError it is not tried again.
        """


class Outbox:
    def __init__(
        self, scope: Scope, threads: Threads, *, fetcher: Fetcher, taker: Taker, wall: Callable[[], float],
        pending: Callable[[], Mapping[str, Pending]], taken: Callable[[Pending], Awaitable[None]],
        failed: Callable[[Pending, str, float | None], Awaitable[None]], report: Callable[[Exception], None],
    ) -> None:
        """`taken` and `failed` take an entry out of what is pending, or note when it is tried again."""
        self._scope = scope
        self._threads = threads
        self._fetcher = fetcher
        self._taker = taker
        self._wall = wall
        self._pending = pending
        self._taken = taken
        self._failed = failed
        self._report = report
        self._wake = asyncio.Event()
        self._running: dict[str, None] = {}
        self._resting: dict[str, float] = {}
        "Entries of which it could not be noted what became, and until when they are left alone; as `wall`."

    def start(self) -> None:
        self._scope.spawn("outbox", self._watch(), contain=self._report)

    def wake(self) -> None:
        self._wake.set()

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
        now, wait = self._wall(), _LOOK_SECONDS
        for key, pending in self._pending().items():
            if len(self._running) >= _AT_ONCE:
                break  # the end of any of them wakes us
            if key in self._running or pending.again is None:
                continue
            left = max(pending.again, self._resting.get(key, 0.0)) - now
            if 0 < left <= limits.FEED_RETRY_AFTER_SECONDS:
                wait = min(wait, left)
            else:
                self._running[key] = None
                self._scope.spawn("take", self._run(pending), contain=self._report)
        return wait

    async def _run(self, pending: Pending) -> None:
        try:
            await self._deliver(pending)
            self._resting.pop(pending.key, None)
        except StorageError as error:
            self._resting[pending.key] = self._wall() + _LOOK_SECONDS
            self._report(error)
        finally:
            del self._running[pending.key]
            self._wake.set()

    async def _deliver(self, pending: Pending) -> None:
        try:
            source = await self._source(pending)
            await self._taker.take(Wanted(
                pending.key, source, pending.torrent, pending.options, pending.rule, pending.feed, pending.title))
        except StorageError as error:
            # Of no use against a full disk, but it is not the torrent's fault either: it may take as long as it takes.
            await self._failed(pending, error.message, self._wall() + limits.FEED_RETRY_SECONDS)
        except WildbachError as error:
            final = isinstance(error, ForbiddenURL | UsageError) or pending.tries + 1 >= limits.FEED_WANTED_TRIES
            wait = waits.back_off(pending.tries + 1, error)
            await self._failed(pending, error.message, None if final else self._wall() + wait)
        else:
            await self._taken(pending)

    async def _source(self, pending: Pending) -> Metainfo | Magnet:
        link = pending.torrent
        if link[:7].lower() != "magnet:":
            try:
                reply = await self._fetcher.fetch(
                    _with_login(link, pending.url), purpose=Purpose.USER, limit=limits.TORRENT_FILE_BYTES,
                    seconds=_SECONDS, named_by=_named_by(link, pending),
                )
            except LeadsToMagnet as found:
                link = found.link
            else:
                if reply.status != 200:
                    raise waits.refused(reply.status, reply.headers, self._wall())
                return await self._threads.run(_parse, reply.body)
        return Magnet.parse(link)


def _parse(data: bytes) -> Metainfo:
    if not data.startswith(b"d"):
        page = b"<" in data[:100]
        raise FormatError(f"the link leads to {'a web page' if page else 'something else'} and not to a torrent file")
    return Metainfo.parse(data)


def _named_by(link: str, pending: Pending) -> Reach:
    """A feed's own host may be near us. What else it names is named by strangers, whatever the host of the feed is."""
    same = urlsplit(link).hostname == urlsplit(pending.url).hostname
    return pending.reach if same else Reach.GLOBAL


def _with_login(link: str, feed_url: str) -> str:
    """The URL with the feed's user and password, where it is of the same place and has none."""
    here, there = urlsplit(link), urlsplit(feed_url)
    login, at, _ = there.netloc.rpartition("@")
    same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    if not at or not same or "@" in here.netloc:
        return link
    return here._replace(netloc=f"{login}@{here.netloc}").geturl()
