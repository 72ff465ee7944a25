from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from receivers import receiver
from wildbach.base import limits
from wildbach.engine.settings import Settings
from wildbach.runtime.tasks import Scope
from wildbach.services.notices import notifier as notices
from wildbach.services.notices.notifier import Notifier
from wildbach.services.notices.sending import reason
from wildbach.services.notices.settings import EVENTS, NotifySettings

SECRET = "s3cret-token"


def raised(error: Exception) -> None:
    raise error


class Lines(list[str]):
    """What was logged."""

    def write(self, level: str, text: str) -> None:
        self.append(f"{level}: {text}")


@asynccontextmanager
async def notifier(
    *urls: str, lines: Lines, again: tuple[float, ...] = (0.05,), obstacle: str = "", proxy: str = "",
) -> AsyncIterator[Notifier]:
    async with Scope("test") as scope:
        yield Notifier(
            scope, lambda: NotifySettings(urls=urls, events=EVENTS), log=lines.write, report=raised, gather=0.0,
            again=again, obstacle=obstacle, proxy=proxy)


def test_what_happened_comes_out_of_a_real_apprise() -> None:
    async def work() -> None:
        lines = Lines()
        async with receiver() as at, notifier(f"json://u:{SECRET}@127.0.0.1:{at.port}/x", lines=lines) as sender:
            sender.happened("complete", "Download complete", "a\x1b[31m film \u202egpj.exe")
            await at.until_calls(1)
            assert at.taken[0]["title"] == "Download complete" and at.taken[0]["type"] == "info"
            assert at.taken[0]["message"] == "a\\x1b[31m film \\u202egpj.exe"
            assert not lines

    asyncio.run(work())


def test_much_at_once_is_one_notification() -> None:
    async def work() -> None:
        async with receiver() as at, notifier(f"json://127.0.0.1:{at.port}/", lines=Lines()) as sender:
            for number in range(limits.NOTICES_WAITING + 50):
                sender.happened("added", "Added", f"torrent {number}")
            await at.until_calls(1)
            (one,) = at.taken
            told = one["message"].splitlines()
            assert one["title"] == "wildbach: 150 events"
            assert told[0] == "and 130 more before these" and told[-1] == "Added: torrent 149" and len(told) == 21

    asyncio.run(work())


def test_a_service_that_refuses_is_tried_again_and_told_of_once_without_its_url() -> None:
    async def work() -> None:
        lines = Lines()
        async with receiver() as well, receiver() as ill:
            ill.status = 503
            urls = (f"json://u:{SECRET}@127.0.0.1:{ill.port}/{SECRET}", f"json://127.0.0.1:{well.port}/")
            async with notifier(*urls, lines=lines) as sender:
                sender.happened("error", "A torrent stopped", "why")
                await ill.until_calls(3)
                assert len(well.taken) == 1, "the other one has it, and once"
                ill.status = 200
                sender.happened("complete", "Download complete", "other")
                await ill.until_calls(ill.calls + 1)
                while len(lines) < 2:
                    await asyncio.sleep(0)
                assert ill.taken[0]["type"] == "failure"
                assert "why" in ill.taken[0]["message"]
                assert lines == [
                    "warning: notify.urls 1 (json) takes no notifications: the server answers 503; tried again in "
                    "0.05 seconds, then more rarely", "info: notify.urls 1 (json) takes notifications again"]
                assert SECRET not in "".join(lines)

    asyncio.run(work())


def test_trying_says_how_it_went_with_each() -> None:
    async def work() -> None:
        async with receiver() as at:
            gone = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
            port = gone.sockets[0].getsockname()[1]
            gone.close()
            await gone.wait_closed()
            urls = (f"json://127.0.0.1:{at.port}/", f"json://127.0.0.1:{port}/{SECRET}", f"what://{SECRET}", SECRET)
            async with notifier(*urls, lines=Lines()) as sender:
                sent = await sender.test()
            assert [(one.target, one.error) for one in sent] == [
                ("notify.urls 1 (json)", ""), ("notify.urls 2 (json)", "no connection, or no answer in time"),
                ("notify.urls 3 (what)", "this is no URL that apprise knows"),
                ("notify.urls 4", "this is no URL that apprise knows")]
            assert at.taken[0]["message"] == "Notifications work."

    asyncio.run(work())


def test_only_what_was_chosen_is_told() -> None:
    async def work() -> None:
        async with receiver() as at, Scope("test") as scope:
            settings = NotifySettings(urls=(f"json://127.0.0.1:{at.port}/",), events=("limit",))
            sender = Notifier(scope, lambda: settings, log=Lines().write, report=raised, gather=0.0)
            sender.happened("complete", "Download complete", "a")
            sender.happened("limit", "A torrent has given enough", "b")
            await at.until_calls(1)
            assert [one["message"] for one in at.taken] == ["b"]

    asyncio.run(work())


def settings(**network: object) -> Settings:
    made = Settings()
    return type(made)(network=type(made.network)(**network))  # type: ignore[arg-type]  # values of a test


def test_where_an_interface_or_socks_must_be_kept_to_nothing_is_sent() -> None:
    assert notices.way(settings()) == ("", "")
    assert notices.way(settings(proxy="http://anna:p%40ss@10.0.0.1:3128")) == ("", "http://anna:p%40ss@10.0.0.1:3128")
    for network in ({"interface": "wg0"}, {"proxy": "socks5://10.0.0.1:1080"},
                    {"interface": "wg0", "proxy": "http://10.0.0.1:3128"}):
        obstacle, proxy = notices.way(settings(**network))
        assert "network." in obstacle and not proxy

    async def work() -> None:
        lines = Lines()
        async with receiver() as at:
            async with notifier(f"json://127.0.0.1:{at.port}/", lines=lines, obstacle="not so") as sender:
                sender.happened("complete", "x", "y")
                assert [one.error for one in await sender.test()] == ["not so"]
            assert lines == ["error: notify.urls: not so"] and not at.calls

    asyncio.run(work())


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "find_spec", lambda name: None)
    assert "pip install 'wildbach[notify]'" in notices.way(settings())[0]


def test_a_proxy_is_the_only_place_that_is_connected_to() -> None:
    """Nobody listens at the proxy: then the receiver, which could be reached, gets nothing."""
    async def work() -> None:
        async with receiver() as at:
            gone = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
            port = gone.sockets[0].getsockname()[1]
            gone.close()
            await gone.wait_closed()
            # rsyslog is datagrams: no proxy takes these, so they are refused and not sent past it.
            urls = (f"json://127.0.0.1:{at.port}/", f"rsyslog://127.0.0.1:{at.port}", f"mailto://u:p@127.0.0.1:{at.port}")
            async with notifier(*urls, lines=Lines(), proxy=f"http://127.0.0.1:{port}") as sender:
                assert all(one.error for one in await sender.test())
            assert not at.calls

    asyncio.run(work())


def test_reasons_have_nothing_of_the_url() -> None:
    assert reason([f"Failed to send: http://{SECRET} error=404."]) == "the server answers 404"
    assert reason([f"A Connection error occurred sending to {SECRET}."]) == "no connection, or no answer in time"
    assert reason([SECRET]) == "not sent" and reason([]) == "not sent"
