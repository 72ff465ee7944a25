"""The filter of a session: files and URLs, read again, kept, and in force."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import NetworkError
from wildbach.base.events import Event
from wildbach.base.settings import SettingError
from wildbach.disk.shelf import Shelf
from wildbach.engine.events import FilterLoaded
from wildbach.engine.ipfilter import FilterSourceView, IpFilter, bad_sources
from wildbach.engine.session import Session
from wildbach.engine.settings import DhtSettings, FilterSettings, Settings
from wildbach.net.http import Response
from wildbach.net.resolve import Purpose
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.testing.loop import sim

URL = "http://lists.example/level1.gz"
HOUR = 3600.0
BEGIN = 1_700_000_000.0


class Web:
    """Answers with whatever a test wants. `seen` holds what was asked, with the headers."""

    def __init__(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.body = body
        self.status = status
        self.headers = headers
        self.failure: NetworkError | None = None
        self.seen: list[tuple[str, Mapping[str, str]]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(
        self, url: str, *, purpose: Purpose, limit: int, seconds: float = 0.0, headers: Mapping[str, str] | None = None,
    ) -> Response:
        assert (purpose, limit, seconds) == (Purpose.USER, limits.FILTER_BYTES, limits.FILTER_SECONDS)
        self.seen.append((url, dict(headers or {})))
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        names = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return Response(self.status, url, names, self.body, Reach.GLOBAL)


class Bed:
    """A filter, its folder and its web. Time is virtual, and so are the five seconds between two looks."""

    def __init__(self, folder: Path, *sources: str, web: Web | None = None, begin: float = BEGIN) -> None:
        self.settings = FilterSettings(sources)
        self.folder = folder
        self.web = web or Web()
        self.begin = begin
        self.changes = 0
        self.bugs: list[Exception] = []
        self.events: list[Event] = []
        self.shelf: Shelf | None = Shelf(folder / "data" / "filters")

    def changed(self) -> None:
        self.changes += 1

    def run(self, story: Callable[[IpFilter], Awaitable[None]]) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            threads = Threads(1)
            async with Scope("test") as scope:
                made = IpFilter(
                    scope, threads, settings=lambda: self.settings, fetcher=self.web, shelf=self.shelf, clock=loop.time,
                    report=self.bugs.append, publish=self.events.append, wall=lambda: self.begin + loop.time(),
                )
                made.subscribe(self.changed)
                await made.load()
                await story(made)
                await made.close()
            threads.close()

        sim(1, until=1e7).run(main())
        assert self.bugs == []


async def later(seconds: float = 6.0) -> None:
    await asyncio.sleep(seconds)


def put(path: Path, text: str, when: int = 0) -> str:
    """Write a list; `when` makes its stamp another one, however fast the test is."""
    path.write_text(text, "ascii")
    os.utime(path, ns=(when, when))
    return str(path)


def only(made: IpFilter) -> FilterSourceView:
    (view,) = made.view().sources
    return view


def test_without_lists_nobody_is_blocked(tmp_path: Path) -> None:
    async def story(made: IpFilter) -> None:
        assert not made.blocks("1.2.3.4")
        await later()
        view = made.view()
        assert (view.ranges, view.addresses4, view.addresses6, view.blocked, view.sources) == (0, 0, 0, 0, ())

    bed = Bed(tmp_path)
    bed.run(story)
    assert bed.changes == 0


def test_files_are_in_force_after_the_start_and_what_is_refused_is_counted(tmp_path: Path) -> None:
    one = put(tmp_path / "one.dat", "1.2.3.0 - 1.2.3.255 , 000 , x\n5.5.5.5\n")
    two = put(tmp_path / "two.txt", "1.2.4.0/24\nrubbish\n2001:db8::/32\n")

    async def story(made: IpFilter) -> None:
        for host in ("1.2.3.4", "1.2.3.4", "::ffff:1.2.4.9", "2001:db8::1"):
            assert made.blocks(host)
        for host in ("1.2.5.0", "2600::1", "tracker.example", ""):
            assert not made.blocks(host)
        view = made.view()
        assert (view.ranges, view.addresses4, view.addresses6, view.blocked) == (3, 513, 1 << 96, 4)
        assert view.sources == (
            FilterSourceView(one, 2, view.sources[0].loaded, "", 0, 0),
            FilterSourceView(two, 2, view.sources[1].loaded, "", 1, 2),
        )
        assert all(BEGIN <= (source.loaded or 0) < BEGIN + 1 for source in view.sources)

    bed = Bed(tmp_path, one, two)
    bed.run(story)
    assert bed.changes == 1


def test_a_file_that_changes_is_taken_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "list"
    bed = Bed(tmp_path, put(path, "1.1.1.1"))

    async def story(made: IpFilter) -> None:
        assert made.blocks("1.1.1.1")
        put(path, "2.2.2.2", 1)
        await later()
        assert made.blocks("2.2.2.2") and not made.blocks("1.1.1.1")
        assert bed.changes == 2
        put(path, "2.2.2.2-2.2.2.2", 2)
        await later()
        assert bed.changes == 2  # written anew, but the same addresses

    bed.run(story)


def test_a_file_that_stays_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list"
    bed = Bed(tmp_path, put(path, "1.1.1.1"))

    async def story(made: IpFilter) -> None:
        loaded = only(made).loaded
        await later(60.0)
        assert only(made).loaded == loaded
        await made.reload()
        assert (only(made).loaded or 0) >= BEGIN + 60

    bed.run(story)


def test_a_broken_or_missing_file_leaves_the_last_good_form_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "list"

    async def story(made: IpFilter) -> None:
        put(path, "<html>", 1)
        await later()
        assert made.blocks("1.1.1.1") and "known are eMule" in only(made).failure
        path.unlink()
        await later()
        assert made.blocks("1.1.1.1") and "No such file" in only(made).failure
        path.mkdir()
        await later()
        assert made.blocks("1.1.1.1") and "directory" in only(made).failure
        path.rmdir()
        os.mkfifo(path)
        await later()
        assert made.blocks("1.1.1.1") and "is no file" in only(made).failure
        path.unlink()
        put(path, "2.2.2.2", 0)
        await later()
        assert made.blocks("2.2.2.2") and not made.blocks("1.1.1.1") and only(made).failure == ""

    Bed(tmp_path, put(path, "1.1.1.1")).run(story)


def test_a_file_that_is_not_there_at_the_start_is_taken_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "list"

    async def story(made: IpFilter) -> None:
        assert "No such file" in only(made).failure and only(made).loaded is None
        put(path, "1.1.1.1")
        await later()
        assert made.blocks("1.1.1.1") and only(made).failure == ""

    Bed(tmp_path, str(path)).run(story)


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILTER_BYTES", 5)

    async def story(made: IpFilter) -> None:
        assert "FILTER_BYTES" in only(made).failure and not made.blocks("1.1.1.1")

    Bed(tmp_path, put(tmp_path / "list", "1.1.1.1")).run(story)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 5000])
def test_a_name_that_no_file_can_have_is_a_failure_like_others(tmp_path: Path, name: str) -> None:
    async def story(made: IpFilter) -> None:
        assert only(made).failure

    Bed(tmp_path, name).run(story)


def test_home_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "list", "1.1.1.1")

    async def story(made: IpFilter) -> None:
        assert made.blocks("1.1.1.1")

    Bed(tmp_path, "~/list").run(story)


def test_settings_are_followed_while_it_runs(tmp_path: Path) -> None:
    one, two = put(tmp_path / "one", "1.1.1.1"), put(tmp_path / "two", "2.2.2.2")
    bed = Bed(tmp_path, one)

    async def story(made: IpFilter) -> None:
        bed.settings = FilterSettings((two, two))
        await later()
        assert made.blocks("2.2.2.2") and not made.blocks("1.1.1.1") and only(made).name == two
        bed.settings = FilterSettings()
        await later()
        assert not made.blocks("2.2.2.2")

    bed.run(story)
    assert bed.changes == 3


def test_the_number_of_lists_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILTER_SOURCES", 1)
    one, two = put(tmp_path / "one", "1.1.1.1"), put(tmp_path / "two", "2.2.2.2")
    bed = Bed(tmp_path, one, two)

    async def story(made: IpFilter) -> None:
        assert made.blocks("1.1.1.1") and not made.blocks("2.2.2.2")
        assert "FILTER_SOURCES" in made.view().sources[1].failure
        bed.settings = FilterSettings((two,))
        await later()
        assert made.blocks("2.2.2.2") and only(made).failure == ""

    bed.run(story)


def test_a_url_is_fetched_behind_the_start_and_again_after_its_hours(tmp_path: Path) -> None:
    web = Web(gzip.compress(b"1.1.1.1"), etag='"one"', last_modified="Thu, 26 Nov 2026 10:00:00 GMT")
    bed = Bed(tmp_path, URL, web=web)

    async def story(made: IpFilter) -> None:
        assert not made.blocks("1.1.1.1")
        await later(1.0)
        assert made.blocks("1.1.1.1")
        await later(23 * HOUR)
        assert len(web.seen) == 1
        web.status, web.body = 304, b""
        await later(1.1 * HOUR)
        assert web.seen == [(URL, {}), (URL, {
            "If-None-Match": '"one"', "If-Modified-Since": "Thu, 26 Nov 2026 10:00:00 GMT",
        })]
        assert made.blocks("1.1.1.1") and only(made).failure == ""
        assert (only(made).loaded or 0) > BEGIN + 24 * HOUR
        web.status, web.body = 200, b"2.2.2.2"
        bed.settings = replace(bed.settings, refresh_hours=1.0)
        await later(1.1 * HOUR)
        assert made.blocks("2.2.2.2") and not made.blocks("1.1.1.1")

    bed.run(story)
    assert bed.changes == 2


def test_a_server_that_gives_an_empty_list_does_not_open_the_filter(tmp_path: Path) -> None:
    web = Web(b"1.1.1.1")
    bed = Bed(tmp_path, URL, web=web)

    async def story(made: IpFilter) -> None:
        await later(1.0)
        web.body = b"# You have reached the limit of today\n"
        await made.reload()
        assert made.blocks("1.1.1.1") and "empty" in only(made).failure

    bed.run(story)


def test_what_a_url_gave_is_in_force_at_the_next_start_before_the_network_is_asked(tmp_path: Path) -> None:
    first = Bed(tmp_path, URL, web=Web(gzip.compress(b"1.1.1.1"), etag='"one"'))

    async def fetch(made: IpFilter) -> None:
        await later(1.0)
        assert made.blocks("1.1.1.1")

    first.run(fetch)
    second = Bed(tmp_path, URL, web=Web(b"2.2.2.2", etag='"two"'), begin=BEGIN + 25 * HOUR)
    second.web.open.clear()

    async def story(made: IpFilter) -> None:
        assert made.blocks("1.1.1.1") and second.web.seen == []
        assert (only(made).loaded or 0) < BEGIN + 1
        await later(30.0)
        assert made.blocks("1.1.1.1") and second.web.seen == [(URL, {"If-None-Match": '"one"'})]
        second.web.open.set()
        await later(1.0)
        assert made.blocks("2.2.2.2") and not made.blocks("1.1.1.1")

    second.run(story)


@pytest.mark.parametrize(("hours", "asked"), [(1.0, 0), (25.0, 1), (-5.0, 1)])
def test_a_url_is_asked_at_the_start_only_where_what_is_kept_is_old(tmp_path: Path, hours: float, asked: int) -> None:
    async def story(made: IpFilter) -> None:
        await later(60.0)
        assert made.blocks("1.1.1.1")

    Bed(tmp_path, URL, web=Web(b"1.1.1.1")).run(story)
    bed = Bed(tmp_path, URL, web=Web(b"1.1.1.1"), begin=BEGIN + hours * HOUR)
    bed.run(story)
    assert len(bed.web.seen) == asked


def test_an_answer_that_nothing_changed_is_remembered_for_the_next_start(tmp_path: Path) -> None:
    async def story(made: IpFilter) -> None:
        await later(60.0)
        assert made.blocks("1.1.1.1")

    Bed(tmp_path, URL, web=Web(b"1.1.1.1", etag="one")).run(story)
    Bed(tmp_path, URL, web=Web(status=304), begin=BEGIN + 25 * HOUR).run(story)
    third = Bed(tmp_path, URL, begin=BEGIN + 26 * HOUR)
    third.run(story)
    assert third.web.seen == []


def test_a_fetch_that_fails_leaves_what_is_in_force_and_is_tried_again_with_back_off(tmp_path: Path) -> None:
    web = Web(b"1.1.1.1")

    async def story(made: IpFilter) -> None:
        await later(1.0)
        for failure, status, body, why in (
            (NetworkError("the connection was refused"), 200, b"", "refused"), (None, 503, b"", "status 503"),
            (None, 304, b"", "status 304"), (None, 200, b"<html>", "known are eMule"),
        ):
            web.failure, web.status, web.body = failure, status, body
            await made.reload()
            assert why in only(made).failure and made.blocks("1.1.1.1")
        web.seen.clear()
        await later(24 * HOUR)
        asked = len(web.seen)
        await later(10 * HOUR)
        assert 8 <= len(web.seen) - asked <= 11
        web.body = b"2.2.2.2"
        await later(2 * HOUR)
        assert made.blocks("2.2.2.2") and only(made).failure == ""

    bed = Bed(tmp_path, URL, web=web)
    bed.run(story)

    async def again(made: IpFilter) -> None:
        assert made.blocks("2.2.2.2")  # and never the broken one

    Bed(tmp_path, URL).run(again)


def test_what_was_kept_and_is_damaged_is_fetched_whole(tmp_path: Path) -> None:
    async def story(made: IpFilter) -> None:
        await later(1.0)
        assert made.blocks("1.1.1.1")

    Bed(tmp_path, URL, web=Web(b"1.1.1.1", etag="one")).run(story)
    (kept,) = (tmp_path / "data" / "filters").iterdir()
    for damage in (b"", b"x", b"one\n\n<html>", b"\xff\n\xff\n\xff"):
        kept.write_bytes(damage)
        os.utime(kept, (BEGIN, BEGIN))
        bed = Bed(tmp_path, URL, web=Web(b"1.1.1.1", etag="one"))
        bed.run(story)
        assert bed.web.seen == [(URL, {})]


def test_a_validator_that_cannot_be_said_back_is_not(tmp_path: Path) -> None:
    web = Web(b"1.1.1.1", etag="x" * 5000, last_modified="a\nb")

    async def story(made: IpFilter) -> None:
        await later(1.0)
        await made.reload()
        assert web.seen[1] == (URL, {})

    Bed(tmp_path, URL, web=web).run(story)


def test_without_a_data_directory_nothing_is_kept(tmp_path: Path) -> None:
    bed = Bed(tmp_path, URL, web=Web(b"1.1.1.1"))
    bed.shelf = None

    async def story(made: IpFilter) -> None:
        await later(1.0)
        assert made.blocks("1.1.1.1")

    bed.run(story)
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_cannot_be_kept_is_in_force_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")

    async def story(made: IpFilter) -> None:
        await later(1.0)
        assert made.blocks("1.1.1.1") and "cannot write" in only(made).failure

    Bed(tmp_path, URL, web=Web(b"1.1.1.1")).run(story)


def test_a_url_that_left_the_settings_is_not_kept_and_its_late_answer_is_not_taken(tmp_path: Path) -> None:
    bed = Bed(tmp_path, URL, web=Web(b"1.1.1.1"))

    async def story(made: IpFilter) -> None:
        await later(1.0)
        assert len(list((tmp_path / "data" / "filters").iterdir())) == 1
        bed.web.open.clear()
        other = URL + "?2"
        bed.settings = FilterSettings((other,))
        await later()
        assert not made.blocks("1.1.1.1") and list((tmp_path / "data" / "filters").iterdir()) == []
        bed.settings = FilterSettings()
        await later()
        bed.web.open.set()
        await later(1.0)
        assert [url for url, _ in bed.web.seen] == [URL, other]
        assert not made.blocks("1.1.1.1") and list((tmp_path / "data" / "filters").iterdir()) == []

    bed.run(story)


def test_a_fetch_that_is_under_way_is_not_begun_twice(tmp_path: Path) -> None:
    bed = Bed(tmp_path, URL, web=Web(b"1.1.1.1"))
    bed.web.open.clear()

    async def story(made: IpFilter) -> None:
        await later(60.0)
        asyncio.get_running_loop().call_later(1.0, bed.web.open.set)
        await made.reload()
        assert made.blocks("1.1.1.1") and len(bed.web.seen) == 1

    bed.run(story)


def test_where_urls_cannot_be_asked_that_is_the_failure(tmp_path: Path) -> None:
    told: list[Event] = []

    async def main() -> None:
        threads = Threads(1)
        async with Scope("test") as scope:
            made = IpFilter(
                scope, threads, settings=lambda: FilterSettings((URL,)), fetcher=None, shelf=None,
                clock=asyncio.get_running_loop().time, report=lambda _: None, publish=told.append,
            )
            await made.load()
            await made.reload()
            assert "cannot be fetched" in only(made).failure
            assert told == [FilterLoaded(URL, 0, 0, only(made).failure)]
        threads.close()

    sim(1).run(main())


def test_a_session_does_not_start_without_a_list_that_it_was_given(tmp_path: Path) -> None:
    async def main(name: str) -> None:
        settings = Settings(filter=FilterSettings((str(tmp_path / name),)), dht=DhtSettings(enabled=False))
        with pytest.raises(SettingError, match=rf"filter\.sources: .*{name}"):
            async with Session(settings):
                raise AssertionError("it started")

    (tmp_path / "page").write_text("<html>not found</html>")
    for name in ("none", "page"):
        asyncio.run(main(name))
    assert set(bad_sources([str(tmp_path / "page"), str(tmp_path / "none"), "http://h/x"])) == {
        str(tmp_path / "page"), str(tmp_path / "none")}


def test_events_tell_what_was_read_what_failed_and_what_was_taken_out(tmp_path: Path) -> None:
    first = put(tmp_path / "one.p2p", "a:1.1.1.1-1.1.1.2\nb:3.3.3.3-3.3.3.3\n", 1)
    second = tmp_path / "two.p2p"
    bed = Bed(tmp_path, first, str(second))

    async def story(made: IpFilter) -> None:
        (read, missing) = bed.events
        assert read == FilterLoaded(first, 2, 2, "")
        assert isinstance(missing, FilterLoaded) and (missing.source, missing.ranges) == (str(second), 0)
        assert "No such file" in missing.failure
        bed.events.clear()
        await later(30.0)
        assert bed.events == []  # what is as it was is no news

        put(second, "c:9.9.9.9-9.9.9.9\n", 2)
        await later()
        assert bed.events == [FilterLoaded(str(second), 1, 3, "")]
        second.unlink()
        await later()
        assert bed.events[1:] == [FilterLoaded(str(second), 1, 3, missing.failure)]
        bed.settings = replace(bed.settings, sources=(first,))
        await later()
        assert bed.events[2:] == [FilterLoaded(str(second), 0, 2, "")]

    bed.run(story)
