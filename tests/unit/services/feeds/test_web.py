"""The service with the real client, a real server on loopback and the real database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.feedbed import Shop, rss
from tests.webserver import Answer, Asked, head, scripted

from wildbach.base.addresses import Reach, classify
from wildbach.base.events import Event
from wildbach.disk.database import Database
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard
from wildbach.protocol.metainfo import Magnet, Metainfo
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.feeds.events import ArticleFailed, ArticleTaken, FeedFailed
from wildbach.services.feeds.outbox import Wanted
from wildbach.services.feeds.rules import Rule
from wildbach.services.feeds.service import Feeds
from wildbach.services.feeds.settings import FeedSettings

TORRENT = b"d4:infod6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:01234567890123456789ee"
MAGNET = "magnet:?xt=urn:btih:" + "a" * 40


class Keeper:
    def __init__(self, store: Database, threads: Threads) -> None:
        self.store = store
        self.threads = threads

    async def kept(self, area: str) -> dict[str, bytes]:
        return await self.threads.run(self.store.kept, area)

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        await self.threads.run(lambda: self.store.keep(area, changes, durable=durable))


class Life:
    """One run of the program."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.bugs: list[Exception] = []

    async def until(self, *kinds: type[Event]) -> Event:
        while True:
            event = await self.events.get()
            if isinstance(event, kinds):
                return event


def far(host: str) -> Reach:
    """127.0.0.2 plays a host far away."""
    return Reach.GLOBAL if host == "127.0.0.2" else classify(host)


class Names:
    async def resolve(self, host: str, family: int) -> list[str]:
        return ["127.0.0.1"]


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[tuple[Feeds, Life]]:
    life, threads, io = Life(), Threads(1), Threads(1)
    store = Database(folder / "state.db")
    client = HttpClient(Guard(Names(), classify=far))
    async with Scope("test") as scope:
        feeds = Feeds(
            scope, threads, settings=lambda: FeedSettings(auto_download=True, host_seconds=0.0),
            keeper=Keeper(store, io), fetcher=client, taker=life.shop, publish=life.events.put_nowait,
            report=life.bugs.append,
        )
        await feeds.load()
        try:
            yield feeds, life
        finally:
            await feeds.close()
            await client.close()
    threads.close()
    io.close()
    store.close()
    assert life.bugs == []


def run(folder: Path, answer: Answer, story: Callable[[Feeds, Life, str], Awaitable[None]]) -> list[Asked]:
    async def main() -> list[Asked]:
        async with scripted(answer) as server, living(folder) as (feeds, life):
            async with asyncio.timeout(20):
                await story(feeds, life, server.url)
        return server.asked

    return asyncio.run(main())


def give(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    return head(status, f"Content-Length: {len(body)}", *headers) + body


def test_a_server_with_validators_sends_only_what_changed(tmp_path: Path) -> None:
    versions = [rss("one"), rss("two", "one")]

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        tag = f'"{len(versions)}"'
        if asked.headers.get("if-none-match") == tag:
            writer.write(head("304 Not Modified", f"ETag: {tag}", "Content-Length: 0"))
        else:
            writer.write(give(versions[0], "200 OK", f"ETag: {tag}", "Content-Type: application/rss+xml"))

    async def story(feeds: Feeds, life: Life, url: str) -> None:
        await feeds.add_feed(url, ("f",))
        await feeds.refresh()
        await feeds.refresh()
        assert feeds.feeds()[0].articles == 1
        del versions[0]
        await feeds.refresh()
        assert [article.title for _, article in feeds.articles()] == ["two", "one"]

    asked = run(tmp_path, answer, story)
    tags = [one.headers.get("if-none-match") for one in asked]
    # The first of these fetches may be the one that is due when a feed is added.
    assert (tags[0], set(tags[1:])) == (None, {'"2"'})


def test_a_feed_on_this_machine_gives_files_and_redirects_to_magnets(tmp_path: Path) -> None:
    """As Jackett and Prowlarr do, on localhost or in the same network."""
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.path.startswith("/api"):
            base = f"http://{asked.headers['host']}"
            body = rss("file", "magnet", torrent=lambda number: f"{base}/dl/{number}?apikey=x")
            writer.write(give(body, "200 OK", "Content-Type: application/rss+xml; charset=utf-8"))
        elif asked.path.startswith("/dl/1"):
            writer.write(head("301 Moved", f"Location: {MAGNET}", "Content-Length: 0"))
        else:
            writer.write(give(TORRENT))

    async def story(feeds: Feeds, life: Life, url: str) -> None:
        await feeds.set_rule("all", Rule(all_feeds=True))
        await feeds.add_feed(url.replace("127.0.0.1", "localhost") + "api?apikey=x&t=search", ("f",))
        for _ in range(2):
            await life.until(ArticleTaken)
        taken = {wanted.title: type(wanted.source) for wanted in life.shop.taken}
        assert taken == {"file": Metainfo, "magnet": Magnet}
        assert all(article.read for _, article in feeds.articles())

    run(tmp_path, answer, story)


def test_a_feed_far_away_leads_nowhere_near_us(tmp_path: Path) -> None:
    async def victim(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(give(TORRENT))

    async def main() -> None:
        async with scripted(victim) as near, living(tmp_path) as (feeds, life):
            async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                line = await reader.readuntil(b"\r\n\r\n")
                if line.startswith(b"GET /feed"):
                    writer.write(give(rss("a", torrent=lambda number: f"{near.url}reboot")))
                else:
                    writer.write(head("302 Found", f"Location: {near.url}announce", "Content-Length: 0"))
                await writer.drain()
                writer.close()

            away = await asyncio.start_server(talk, "127.0.0.2", 0)
            base = f"http://127.0.0.2:{away.sockets[0].getsockname()[1]}"
            async with away, asyncio.timeout(20):
                await feeds.set_rule("all", Rule(all_feeds=True))
                await feeds.add_feed(f"{base}/feed", ("f",))
                failed = await life.until(ArticleFailed)
                assert isinstance(failed, ArticleFailed)
                assert (failed.reason, failed.again) == (
                    "a URL that a global address names does not lead to a local one", None)
                await feeds.add_feed(f"{base}/redirect", ("g",))
                refused = await life.until(FeedFailed)
                assert isinstance(refused, FeedFailed)
                assert refused.reason == "a redirect from a global to a local address is not followed"
        assert near.asked == []

    asyncio.run(main())


def test_a_reply_that_never_ends_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wildbach.base.limits.FEED_BYTES", 1 << 16)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK", "Connection: close"))
        while not writer.is_closing():
            writer.write(b" " * 4096)
            await writer.drain()

    async def story(feeds: Feeds, life: Life, url: str) -> None:
        await feeds.add_feed(url, ("f",))
        await feeds.refresh()
        assert feeds.feeds()[0].failure.startswith("reply: the reply is longer than")

    run(tmp_path, answer, story)


# -- kill -9

_TITLES = [f"Show S01E{number:02}" for number in range(1, 9)]


async def doomed(folder: Path, url: str, writes: int) -> None:
    """A run that kills itself in the middle of a write: just before it (even) or just after (odd)."""
    done = 0
    plain = Database.keep

    def keep(
        self: Database, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False
    ) -> None:
        nonlocal done
        done += 1
        if done * 2 > writes and writes % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(self, area, changes, durable=durable)
        if done * 2 > writes:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.keep = keep  # type: ignore[method-assign]  # this process lives for that
    async with living(folder) as (feeds, life):
        def note() -> None:
            with (folder / "taken").open("a") as file:
                wanted: Wanted = life.shop.taken[-1]
                file.write(f"{wanted.key} {wanted.title}\n")
                file.flush()
                os.fsync(file.fileno())

        life.shop.after = note
        if not feeds.rules():
            await feeds.set_rule("all", Rule(smart_filter=True, all_feeds=True))
        if all(view.url != url for view in feeds.feeds()):
            await feeds.add_feed(url, ("f",))
        await feeds.refresh()
        while feeds.wanted():
            await life.until(ArticleTaken, ArticleFailed)


@pytest.mark.slow
def test_after_kill_9_nothing_that_matched_is_lost_and_nothing_is_another_torrent(tmp_path: Path) -> None:
    """The program is killed at its first writes, now before and now after one, and started again each time. In the end
    every episode was taken: most of them once, one that was being taken at a kill once more, under the same key.
    """
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(give(rss(*reversed(_TITLES))))

    async def main() -> int:
        kills = 0
        async with scripted(answer) as server:
            for writes in (0, 1, 2, 3, 0, 2, 3, 4, 3, 2, 1000):
                code = (
                    "import asyncio; from pathlib import Path; from tests.unit.services.feeds.test_web import doomed; "
                    f"asyncio.run(doomed(Path({str(tmp_path)!r}), {server.url!r}, {writes}))"
                )
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", code, cwd=Path(__file__).parents[4], stderr=subprocess.PIPE)
                _, said = await process.communicate()
                assert process.returncode in (0, -signal.SIGKILL), said.decode()
                kills += process.returncode != 0
        return kills

    assert asyncio.run(main()) >= 8
    taken = [line.split(" ", 1) for line in (tmp_path / "taken").read_text().splitlines()]
    assert {title for _, title in taken} == set(_TITLES)
    assert len({key for key, _ in taken}) == len(_TITLES)
    store = Database(tmp_path / "state.db")
    left = store.kept("feed_articles")
    store.close()
    assert not [name for name in left if name.startswith("wanted/")]
