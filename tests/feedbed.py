"""What the tests of the service share: a web, a keeper and a taker that remember, and a service in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from wildbach.base.addresses import Reach
from wildbach.base.errors import NetworkError, StorageError, WildbachError
from wildbach.base.events import Event
from wildbach.net.http import Response
from wildbach.net.resolve import Purpose
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.feeds.outbox import Wanted
from wildbach.services.feeds.service import Feeds
from wildbach.services.feeds.settings import FeedSettings
from wildbach.testing.loop import sim

BEGIN = 1_795_711_083.0
"26 November 2026."
URL = "http://feeds.example/rss"
MINUTE, HOUR = 60.0, 3600.0


def magnet(number: int) -> str:
    return f"magnet:?xt=urn:btih:{number:040x}"


def rss(*titles: str, head: str = "<title>The feed</title>", torrent: Callable[[int], str] = magnet) -> bytes:
    """Items of these titles, the first the newest, each a minute older. An item keeps its number from the end."""
    items = []
    for place, title in enumerate(titles):
        number = len(titles) - place
        items.append(
            f"<item><guid>g{number}</guid><title>{title}</title><link>http://feeds.example/{number}</link>"
            f'<enclosure type="application/x-bittorrent" url="{torrent(number)}"/>'
            f"<pubDate>Thu, 26 Nov 2026 1{number // 60}:{number % 60:02}:00 GMT</pubDate></item>")
    return f"<rss><channel>{head}{''.join(items)}</channel></rss>".encode()


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    failure: WildbachError | None = None
    reach: Reach = Reach.GLOBAL


@dataclass(frozen=True)
class Ask:
    at: float
    url: str
    headers: Mapping[str, str]
    named_by: Reach


class Web:
    """Pages by URL. `asked` holds what was fetched."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Ask] = []
        self.at_once = self.most_at_once = 0
        self.seconds = 0.0
        "That each fetch takes."

    async def fetch(
        self, url: str, *, purpose: Purpose, limit: int, seconds: float = 0.0,
        headers: Mapping[str, str] | None = None, named_by: Reach = Reach.LOCAL,
    ) -> Response:
        assert purpose is Purpose.USER
        self.asked.append(Ask(asyncio.get_running_loop().time(), url, dict(headers or {}), named_by))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        page = self.pages.get(url)
        if page is None:
            raise NetworkError("the connection was refused")
        if page.failure is not None:
            raise page.failure
        assert len(page.body) <= limit
        return Response(page.status, url, page.headers, page.body, page.reach)

    def times(self, url: str = URL) -> list[float]:
        return [ask.at for ask in self.asked if ask.url == url]


class Book:
    """A state database: what was written, and a disk that is full when a test says so."""

    def __init__(self) -> None:
        self.areas: dict[str, dict[str, bytes]] = {}
        self.full = False
        self.past: list[dict[str, dict[str, bytes]]] = []
        "All that was there after each write: what a crash then leaves."
        self.after: Callable[[], object] = lambda: None
        "Called after a write."

    async def kept(self, area: str) -> dict[str, bytes]:
        return dict(self.areas.get(area, {}))

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        await asyncio.sleep(0.001)
        if self.full:
            raise StorageError("no space left on device")
        values = self.areas.setdefault(area, {})
        for name, data in changes.items():
            if data is None:
                values.pop(name, None)
            else:
                values[name] = data
        self.past.append({name: dict(values) for name, values in self.areas.items()})
        self.after()


class Shop:
    """Takes torrents. `failures` are raised first, one a time."""

    def __init__(self) -> None:
        self.taken: list[Wanted] = []
        self.failures: list[Exception] = []
        self.after: Callable[[], object] = lambda: None
        "Called when something was taken."

    async def take(self, wanted: Wanted) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(wanted)
        self.after()

    @property
    def titles(self) -> list[str]:
        return [wanted.title for wanted in self.taken]


class Bed:
    """A service whose clock is virtual. `run` may be called several times: each is a start of the program."""

    def __init__(self, **settings: object) -> None:
        self.settings = FeedSettings(**{"auto_download": True, "host_seconds": 0.0, **settings})
        self.web = Web()
        self.book = Book()
        self.shop = Shop()
        self.events: list[Event] = []
        self.reports: list[Exception] = []
        self.begin = BEGIN

    def page(self, body: bytes, url: str = URL, **headers: str) -> Page:
        self.web.pages[url] = Page(body, headers={name.replace("_", "-"): text for name, text in headers.items()})
        return self.web.pages[url]

    def run(self, story: Callable[[Feeds], Awaitable[None]], until: float = 1e7) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            threads = Threads(1)
            async with Scope("test") as scope:
                made = Feeds(
                    scope, threads, settings=lambda: self.settings, keeper=self.book, fetcher=self.web, taker=self.shop,
                    publish=self.events.append, report=self.reports.append, wall=lambda: self.begin + loop.time(),
                )
                await made.load()
                try:
                    await story(made)
                finally:
                    await made.close()
            self.begin += loop.time()
            threads.close()

        sim(1, until=until).run(main())

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def later(seconds: float = MINUTE) -> None:
    await asyncio.sleep(seconds)
