"""The service in virtual time: refreshing, matching, downloading, and starting again."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from tests.feedbed import BEGIN, HOUR, MINUTE, URL, Bed, Page, later, magnet, rss

from wildbach.base import limits
from wildbach.base.addresses import Reach
from wildbach.base.errors import FormatError, LimitError, NetworkError, StorageError, UsageError
from wildbach.net.http import LeadsToMagnet
from wildbach.net.resolve import ForbiddenURL
from wildbach.protocol.metainfo import Magnet, Metainfo
from wildbach.services.feeds import state
from wildbach.services.feeds.events import ArticleFailed, ArticleTaken, FeedFailed, FeedRefreshed, RuleMatched
from wildbach.services.feeds.rules import Options, Reason, Rule, RuleState
from wildbach.services.feeds.service import Feeds
from wildbach.services.feeds.tree import FeedConflict, NoSuchFeed

TORRENT = b"d4:infod6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:01234567890123456789ee"
ALL = Rule(all_feeds=True)


def titles(made: Feeds) -> list[str]:
    return [article.title for _, article in made.articles()]


def test_a_feed_is_fetched_when_it_is_added_and_takes_its_title() -> None:
    bed = Bed()
    bed.page(rss("two", "one"))

    async def story(made: Feeds) -> None:
        uid = await made.add_feed(URL)
        await later()
        (view,) = made.feeds()
        assert (view.uid, view.path, view.title, view.articles, view.unread) == (uid, ("The feed",), "The feed", 2, 2)
        assert (view.failure, view.loading, view.checked) == ("", False, pytest.approx(BEGIN, abs=1))
        assert titles(made) == ["two", "one"]
        assert [view.path for view in made.feeds() if view.url == URL] == [("The feed",)]
        assert bed.told(FeedRefreshed) == [FeedRefreshed(uid, "The feed", 2)]

    bed.run(story)
    assert bed.reports == []


def test_a_feed_with_a_name_keeps_it_and_so_does_one_whose_title_is_taken() -> None:
    bed = Bed()
    bed.page(rss())
    bed.page(rss(), "http://other.example/")

    async def story(made: Feeds) -> None:
        await made.add_folder(("The feed",))
        await made.add_feed(URL)
        await made.add_feed("http://other.example/", ("The feed", "mine"))
        await later()
        assert {view.path for view in made.feeds()} == {(URL,), ("The feed", "mine")}

    bed.run(story)


def test_feeds_are_fetched_as_often_as_the_settings_they_themselves_and_the_user_say() -> None:
    bed = Bed(refresh_minutes=10)
    ttls = {"plain": "", "lazy": "<ttl>60</ttl>", "asleep": "<ttl>99999</ttl>", "hasty": "<ttl>1</ttl>", "mine": ""}
    for name, ttl in ttls.items():
        bed.page(rss(head=ttl), f"http://{name}.example/")

    async def story(made: Feeds) -> None:
        for name in ttls:
            await made.add_feed(f"http://{name}.example/", (name,), refresh_minutes=3 if name == "mine" else 0)
        await later(12 * HOUR + 30)

    bed.run(story)
    counts = {name: len(bed.web.times(f"http://{name}.example/")) for name in ttls}
    assert counts == {"plain": 73, "lazy": 13, "asleep": 3, "hasty": 73, "mine": 241}


def test_what_has_not_changed_is_not_sent_again() -> None:
    bed = Bed(refresh_minutes=10)
    page = bed.page(rss("one"), etag='"v1"', last_modified="Thu, 26 Nov 2026 16:38:03 GMT")

    async def story(made: Feeds) -> None:
        await made.add_feed(URL)
        await later()
        page.status, page.body = 304, b""
        await later(10 * MINUTE)
        assert made.feeds()[0].failure == ""
        assert titles(made) == ["one"]

    bed.run(story)
    bed.run(lambda made: later(10 * MINUTE))  # it knows after a start too
    sent = [(ask.headers.get("If-None-Match"), ask.headers.get("If-Modified-Since")) for ask in bed.web.asked]
    assert sent == [(None, None)] + [('"v1"', "Thu, 26 Nov 2026 16:38:03 GMT")] * 2
    assert [event.added for event in bed.told(FeedRefreshed) if isinstance(event, FeedRefreshed)] == [1, 0, 0]


def test_validators_are_those_of_the_url_and_odd_ones_are_not_sent() -> None:
    bed = Bed()
    bed.page(rss("one"), etag='"v1"')
    bed.page(rss("one"), "http://new.example/", etag="x" * 600, last_modified="a\nb")

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("f",))
        await later()
        await made.set_url(("f",), "http://new.example/")
        await later()
        await made.refresh()
        assert titles(made) == ["one"]

    bed.run(story)
    assert [ask.url for ask in bed.web.asked] == [URL, "http://new.example/", "http://new.example/"]
    assert all(ask.headers.keys() == {"Accept"} for ask in bed.web.asked)


def test_a_feed_that_fails_is_asked_ever_less_often_and_says_why() -> None:
    bed = Bed(refresh_minutes=5)

    async def story(made: Feeds) -> None:
        uid = await made.add_feed(URL)
        await later(30)
        assert made.feeds()[0].failure == "the connection was refused"
        assert bed.told(FeedFailed) == [
            FeedFailed(uid, URL, "the connection was refused", pytest.approx(BEGIN + 60, abs=1))]
        await later(15 * MINUTE)
        bed.page(rss("one"))
        await made.refresh()
        assert (made.feeds()[0].failure, titles(made)) == ("", ["one"])
        await later(5 * MINUTE + 10)

    bed.run(story)
    times = bed.web.times()
    gaps = [round(after - before) for before, after in itertools.pairwise(times)]
    assert gaps == [60, 120, 240, 480, 30, 300]


def test_the_wait_never_passes_some_hours_and_outlasts_a_restart() -> None:
    bed = Bed()

    async def story(made: Feeds) -> None:
        await made.add_feed(URL)
        await later(48 * HOUR)

    bed.run(story)
    times = bed.web.times()
    assert times[-1] - times[-2] == pytest.approx(limits.FEED_RETRY_SECONDS, abs=1)
    count = len(times)
    bed.run(lambda made: later(60))
    assert len(bed.web.times()) == count


@pytest.mark.parametrize(("after", "wait"), [
    ("600", 600), ("Thu, 26 Nov 2026 17:38:03 GMT", 3600), ("soon", 60), ("-5", 60), ("999999999", 86_400), ("", 60),
])
def test_servers_say_when_to_come_again(after: str, wait: float) -> None:
    bed = Bed()
    bed.page(b"", retry_after=after).status = 429

    async def story(made: Feeds) -> None:
        await made.add_feed(URL)
        await later(30)
        assert made.feeds()[0].failure == "the server answered with status 429 (too many requests)"
        assert made.feeds()[0].due == pytest.approx(BEGIN + wait, abs=1)

    bed.run(story)


def test_what_is_no_feed_says_where() -> None:
    bed = Bed()
    bed.page(b"<html></html>")

    async def story(made: Feeds) -> None:
        await made.add_feed(URL)
        await later(5)
        assert made.feeds()[0].failure == "line 1, column 1: a web page and no feed"

    bed.run(story)


def test_few_feeds_are_fetched_at_the_same_time_and_hosts_are_not_hurried() -> None:
    bed = Bed(parallel=3, host_seconds=10.0)
    bed.web.seconds = 4.0
    for host in range(6):
        for number in range(2):
            bed.page(rss(), f"http://h{host}.example/{number}")

    async def story(made: Feeds) -> None:
        for url in list(bed.web.pages):
            await made.add_feed(url, (url,))
        await made.refresh()

    bed.run(story)
    assert bed.web.most_at_once == 3
    for host in range(6):
        times = sorted(ask.at for ask in bed.web.asked if f"//h{host}." in ask.url)
        assert all(after - before > 9.99 for before, after in itertools.pairwise(times))


def test_nothing_is_fetched_by_itself_when_switched_off() -> None:
    bed = Bed(enabled=False)
    bed.page(rss("one"))

    async def story(made: Feeds) -> None:
        await made.add_feed(URL)
        await later(HOUR)
        assert bed.web.asked == []
        await made.refresh()
        assert titles(made) == ["one"]

    bed.run(story)


def test_all_is_there_after_a_restart() -> None:
    bed = Bed(auto_download=False)
    bed.page(rss("two", "one"))
    rule = Rule(must_contain="x", options=Options("tv", ("a",), other={"k": [1, None]}))
    seen: list[object] = []

    async def first(made: Feeds) -> None:
        await made.add_folder(("tv",))
        await made.add_feed(URL, ("tv", "show"), refresh_minutes=7)
        await made.set_rule("r", rule, RuleState(5.0, ("1x1",)))
        await later()
        await made.mark_read(("tv",), "g1")
        seen.append((made.feeds(), made.folders(), made.articles(), made.rules()))

    async def second(made: Feeds) -> None:
        assert seen == [(made.feeds(), made.folders(), made.articles(), made.rules())]
        assert [(article.id, article.read) for _, article in made.articles()] == [("g2", False), ("g1", True)]
        assert made.folders()[0].unread == 1

    bed.run(first)
    bed.run(second)
    assert bed.reports == []


def test_articles_are_bounded_and_read_ones_stay_read() -> None:
    bed = Bed(articles=3, refresh_minutes=1)
    bed.page(rss("3", "2", "1"))

    async def story(made: Feeds) -> None:
        await made.add_feed(URL)
        await later(30)
        await made.mark_read()
        bed.page(rss("5", "4", "3", "2", "1"))
        await later(60)
        assert [(article.title, article.read) for _, article in made.articles()] == [
            ("5", False), ("4", False), ("3", True)]
        await made.mark_read((), "g5")
        await made.mark_read((), "g5", read=False)
        with pytest.raises(NoSuchFeed):
            await made.mark_read((), "none")

    bed.run(story)
    assert sum(name.startswith("article/") for name in bed.book.areas[state.ARTICLES]) == 3


def test_what_is_removed_leaves_nothing() -> None:
    bed = Bed(auto_download=False)
    bed.page(rss("one"))

    async def story(made: Feeds) -> None:
        await made.add_folder(("a",))
        await made.add_feed(URL, ("a", "f"))
        await made.set_rule("r", ALL, RuleState(1.0))
        await later()
        await made.remove(("a",))
        await made.remove_rule("r")
        assert (made.feeds(), made.articles(), made.rules()) == ([], [], [])
        await made.add_feed(URL, ("again",))
        await later()
        assert made.feeds()[0].uid == "2"
        await made.remove(("again",))

    bed.run(story)
    assert bed.book.areas[state.ARTICLES] == bed.book.areas[state.RULES] == {}


def test_a_feed_that_goes_while_it_is_fetched_is_not_noted() -> None:
    bed = Bed()
    bed.web.seconds = 10.0
    bed.page(rss("one"))

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("f",))
        await later(5)
        waiting = asyncio.get_running_loop().create_task(made.refresh())
        await made.remove(("f",))
        await waiting
        await later(30)

    bed.run(story)
    assert bed.book.areas.get(state.ARTICLES, {}) == {}
    assert bed.events == []


def test_a_matched_article_is_taken_and_read() -> None:
    bed = Bed()
    bed.page(rss("Show S01E02 1080p", "Other"))
    options = Options("tv", ("x",), "/tv", stopped=True)

    async def story(made: Feeds) -> None:
        await made.set_rule("show", Rule(must_contain="show", feeds=(URL,), options=options))
        uid = await made.add_feed(URL, ("f",))
        await later()
        (wanted,) = bed.shop.taken
        assert (wanted.title, wanted.rule, wanted.feed, wanted.options) == ("Show S01E02 1080p", "show", uid, options)
        assert wanted.source == Magnet.parse(magnet(2))
        assert [(article.title, article.read, article.rule) for _, article in made.articles()] == [
            ("Show S01E02 1080p", True, "show"), ("Other", False, "")]
        assert made.wanted() == []
        assert bed.told(RuleMatched) == [RuleMatched("show", uid, "g2", "Show S01E02 1080p")]
        assert bed.told(ArticleTaken) == [ArticleTaken("show", uid, "g2", "Show S01E02 1080p")]
        await made.refresh()
        await later()
        assert len(bed.shop.taken) == 1

    bed.run(story)
    bed.run(lambda made: later())
    assert len(bed.shop.taken) == 1


def test_rules_look_at_what_is_unread_when_they_change_and_when_it_is_switched_on() -> None:
    bed = Bed(auto_download=False)
    bed.page(rss("c", "b", "a"))

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("f",))
        await made.set_rule("r", Rule(must_contain="a|b|c", feeds=(URL,)))
        await later()
        await made.mark_read((), "g2")
        assert bed.shop.taken == []
        bed.settings = Bed(auto_download=True).settings
        await later()
        assert bed.shop.titles == ["a", "c"]
        await made.mark_read((), "g2", read=False)
        await made.set_rule("r", Rule(must_contain="b", feeds=(URL,)))
        await later(1)
        assert bed.shop.titles == ["a", "c", "b"]

    bed.run(story)


def test_what_a_rule_remembers_is_kept_with_what_it_took() -> None:
    bed = Bed(refresh_minutes=1)
    bed.page(rss("Show S01E01"))

    async def story(made: Feeds) -> None:
        await made.set_rule("r", Rule(smart_filter=True, all_feeds=True))
        await made.add_feed(URL, ("f",))
        await later(30)
        bed.page(rss("Show S01E02", "Show S01E01 again", "Show S01E01"))

    async def second(made: Feeds) -> None:
        await later()
        assert bed.shop.titles == ["Show S01E01", "Show S01E02"]
        assert made.rules()[0].state.episodes == ("1x1", "1x2")
        await made.rename_rule("r", "s")
        await made.set_rule("s", Rule(smart_filter=True, all_feeds=True, priority=3))

    async def third(made: Feeds) -> None:
        (view,) = made.rules()
        assert (view.name, view.rule.priority, view.state.episodes) == ("s", 3, ("1x1", "1x2"))

    for one in (story, second, third):
        bed.run(one)


def test_torrent_files_are_fetched_and_come_as_what_they_are() -> None:
    bed = Bed()
    bed.page(rss("a", torrent=lambda number: f"http://feeds.example/{number}.torrent"))
    bed.page(TORRENT, "http://feeds.example/1.torrent")

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(URL, ("f",))
        await later()
        source = bed.shop.taken[0].source
        assert isinstance(source, Metainfo)
        assert source.info.name == "x"

    bed.run(story)


@pytest.mark.parametrize(("feed", "link", "reach", "named_by", "asked"), [
    ("http://feeds.example/rss", "http://feeds.example/1", Reach.GLOBAL, Reach.GLOBAL, "http://feeds.example/1"),
    ("http://localhost:9117/api", "http://localhost:9117/dl/1", Reach.LOCAL, Reach.LOCAL, "http://localhost:9117/dl/1"),
    ("http://192.168.1.5:9696/api", "http://192.168.1.5:80/1", Reach.PRIVATE, Reach.PRIVATE, "http://192.168.1.5:80/1"),
    ("http://localhost:9117/api", "http://192.168.1.1/reboot", Reach.LOCAL, Reach.GLOBAL, "http://192.168.1.1/reboot"),
    ("http://u:p@localhost:9117/api", "http://localhost:9117/1", Reach.LOCAL, Reach.LOCAL,
     "http://u:p@localhost:9117/1"),
    ("http://u:p@localhost:9117/api", "http://localhost:9118/1", Reach.LOCAL, Reach.LOCAL, "http://localhost:9118/1"),
    ("http://u:p@feeds.example/rss", "http://other.example/1", Reach.GLOBAL, Reach.GLOBAL, "http://other.example/1"),
])
def test_what_a_feed_names_is_no_nearer_than_the_feed_and_passwords_stay_where_they_are_for(
    feed: str, link: str, reach: Reach, named_by: Reach, asked: str
) -> None:
    bed = Bed()
    bed.page(rss("a", torrent=lambda number: link), feed).reach = reach
    bed.page(TORRENT, asked)

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(feed, ("f",))
        await later()

    bed.run(story)
    assert [(ask.url, ask.named_by) for ask in bed.web.asked] == [(feed, Reach.LOCAL), (asked, named_by)]
    assert bed.shop.titles == ["a"]


def test_downloads_that_fail_are_tried_again_shown_and_at_last_given_up() -> None:
    bed = Bed()
    link = "http://feeds.example/1.torrent"
    bed.page(rss("a", torrent=lambda number: link))
    page = bed.page(b"<html>log in</html>", link)

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        uid = await made.add_feed(URL, ("f",))
        await later(30)
        (view,) = made.wanted()
        assert (view.tries, view.failure) == (1, "the link leads to a web page and not to a torrent file")
        assert view.again == pytest.approx(BEGIN + 60, abs=1)
        page.status, page.headers = 503, {"retry-after": "7200"}
        await later(60)
        (view,) = made.wanted()
        assert (view.tries, view.failure) == (2, "the server answered with status 503 (not available for now)")
        assert view.again == pytest.approx(BEGIN + 60 + 7200, abs=2)
        page.status, page.failure = 200, NetworkError("no reply within 60 seconds")
        await later(7 * 24 * HOUR)
        (view,) = made.wanted()
        assert (view.tries, view.again, view.failure) == (
            limits.FEED_WANTED_TRIES, None, "no reply within 60 seconds")
        assert bed.told(ArticleFailed)[-1] == ArticleFailed("r", uid, "g1", "a", "no reply within 60 seconds", None)
        bed.page(TORRENT, link)
        await made.retry(view.key)
        await later(5)
        assert (bed.shop.titles, made.wanted()) == (["a"], [])

    bed.run(story)


def test_some_failures_are_final_at_once() -> None:
    bed = Bed()
    bed.page(rss("c", "b", "a", torrent=lambda number: f"http://feeds.example/{number}"))
    bed.web.pages["http://feeds.example/1"] = Page(failure=ForbiddenURL("the URL leads to an address near us"))
    bed.web.pages["http://feeds.example/2"] = Page(failure=LeadsToMagnet(magnet(7)))
    bed.page(TORRENT, "http://feeds.example/3")
    bed.shop.failures = [UsageError("no such category")]

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(URL, ("f",))
        await later()
        found = {view.title: (view.failure, view.again) for view in made.wanted()}
        assert found["a"] == ("the URL leads to an address near us", None)
        assert len(found) == 2
        assert ("no such category", None) in found.values()
        (wanted,) = bed.shop.taken
        assert wanted.title in ("b", "c")
        await made.drop(made.wanted()[0].key)
        assert len(made.wanted()) == 1

    bed.run(story)
    assert {ask.url for ask in bed.web.asked} == {URL, *(f"http://feeds.example/{n}" for n in (1, 2, 3))}


def test_a_redirect_to_a_magnet_is_a_magnet() -> None:
    bed = Bed()
    bed.page(rss("a", torrent=lambda number: "http://feeds.example/1"))
    bed.web.pages["http://feeds.example/1"] = Page(failure=LeadsToMagnet(magnet(7)))

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(URL, ("f",))
        await later()
        assert bed.shop.taken[0].source == Magnet.parse(magnet(7))

    bed.run(story)


def test_while_the_disk_is_full_nothing_changes_and_later_all_goes_on() -> None:
    bed = Bed()
    bed.page(rss("a"))

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(URL, ("f",), refresh_minutes=1)
        bed.book.full = True
        for change in (made.add_folder(("x",)), made.set_rule("s", ALL), made.remove(("f",)), made.remove_rule("r"),
                       made.rename_rule("r", "t"), made.set_url(("f",), "http://x.example/"),
                       made.import_rules(b'{"z":{}}')):
            with pytest.raises(StorageError):
                await change
        await later(5 * MINUTE)
        assert ([view.path for view in made.feeds()], [view.name for view in made.rules()]) == ([("f",)], ["r"])
        assert (made.articles(), bed.shop.taken) == ([], [])
        assert len(bed.web.asked) < 10
        bed.book.full = False
        await later(5 * MINUTE)
        assert (titles(made), bed.shop.titles) == (["a"], ["a"])

    bed.run(story)
    assert all(isinstance(error, StorageError) for error in bed.reports)


def test_what_was_taken_but_could_not_be_noted_is_handed_over_again_with_the_same_key() -> None:
    bed = Bed()
    bed.page(rss("a"))
    bed.shop.after = lambda: setattr(bed.book, "full", True)

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(URL, ("f",))
        await later(20)
        assert len(bed.shop.taken) == 1

    async def second(made: Feeds) -> None:
        await later(20)
        assert made.wanted() == []

    bed.run(story)
    bed.book.full, bed.shop.after = False, lambda: None
    bed.run(second)
    bed.run(second)
    assert [wanted.key for wanted in bed.shop.taken] == [bed.shop.taken[0].key] * 2


def test_a_crash_after_any_write_loses_nothing_and_doubles_nothing() -> None:
    """What was kept after each write of a whole story is where another run begins."""
    new = "http://new.example/"
    episodes = ["Show S01E03", "Show S01E02", "Show S01E01"]
    whole = Bed(refresh_minutes=1)
    whole.page(rss(*episodes))
    whole.page(rss(*episodes), new)
    taken: list[set[str]] = []
    "What was added when each write was done."
    whole.book.after = lambda: taken.append(set(whole.shop.titles))

    async def story(made: Feeds) -> None:
        await made.add_folder(("a",))
        await made.add_feed(URL, ("a", "f"))
        await made.set_rule("r", Rule(smart_filter=True, feeds=(URL,)))
        await later()
        await made.set_url(("a", "f"), new)
        await later()
        await made.rename_rule("r", "s")
        await made.mark_read()

    whole.run(story)
    assert whole.shop.titles == episodes[::-1]
    keys = {wanted.title: wanted.key for wanted in whole.shop.taken}
    assert len(whole.book.past) > 12
    for place, past in enumerate(whole.book.past):
        bed = Bed(refresh_minutes=1)
        bed.web.pages = whole.web.pages
        bed.book.areas = {name: dict(values) for name, values in past.items()}

        async def again(made: Feeds, bed: Bed = bed) -> None:
            for name in [view.name for view in made.rules()] or ["r"]:
                if made.feeds() == []:
                    await made.add_feed(URL, ("f",))
                await made.set_rule(name, Rule(smart_filter=True, all_feeds=True))
            await later(2 * MINUTE)
            assert made.wanted() == []
            names = [name for name in bed.book.areas[state.ARTICLES] if name.startswith("rule/")]
            assert names == [f"rule/{view.name}" for view in made.rules()]

        bed.run(again)
        assert taken[place] | set(bed.shop.titles) == set(episodes), place
        # What comes twice was just being taken, and is known by its key.
        waiting = {name for name in past.get(state.ARTICLES, {}) if name.startswith("wanted/")}
        assert {f"wanted/{keys[title]}" for title in taken[place] & set(bed.shop.titles)} <= waiting, place
        assert all(keys[wanted.title] == wanted.key for wanted in bed.shop.taken)
        assert len(bed.shop.titles) == len(set(bed.shop.titles))


def test_who_asks_for_a_change_and_goes_away_leaves_it_done() -> None:
    bed = Bed(auto_download=False)

    async def story(made: Feeds) -> None:
        await later(1)
        asking = asyncio.get_running_loop().create_task(made.add_feed(URL, ("f",)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert [view.path for view in made.feeds()] == [("f",)]
        assert len(bed.book.past) == 1

    bed.run(story)


def test_a_new_url_goes_into_the_rules() -> None:
    bed = Bed()
    bed.page(rss("a"), "http://new.example/")

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("f",))
        await made.add_feed("http://other.example/", ("g",))
        await made.set_rule("r", Rule(feeds=("http://x/", URL)))
        with pytest.raises(FeedConflict):
            await made.set_url(("f",), "http://other.example/")
        await made.set_url(("f",), URL)
        await made.set_url(("f",), "http://new.example/")
        assert made.rules()[0].rule.feeds == ("http://x/", "http://new.example/")
        await later()
        assert bed.shop.titles == ["a"]

    bed.run(story)


def test_a_dry_run_says_what_a_rule_would_take_and_why_not() -> None:
    bed = Bed(auto_download=False)
    bed.page(rss("Show S01E03 1080p", "Show S01E02 1080p", "Show S01E01 720p"))

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("f",))
        await made.set_rule("r", Rule(enabled=False, must_contain="show 1080p", smart_filter=True, feeds=(URL,)),
                            RuleState(episodes=("1x2",)))
        await later()
        trials = await made.dry_run("r")
        assert [(trial.article.title, trial.feed_title, trial.verdict.words) for trial in trials] == [
            ("Show S01E03 1080p", "The feed", "matches"),
            ("Show S01E02 1080p", "The feed", "the episode 1x2 was matched before"),
            ("Show S01E01 720p", "The feed", 'does not contain "show 1080p"'),
        ]
        again = await made.dry_run(Rule(must_contain="(", use_regex=True, all_feeds=True))
        assert {trial.verdict.reason for trial in again} == {Reason.BAD_RULE}
        assert await made.dry_run(Rule(must_contain="show")) == []
        with pytest.raises(NoSuchFeed):
            await made.dry_run("none")
        assert made.rules()[0].state == RuleState(episodes=("1x2",))

    bed.run(story)


def test_rules_are_exported_and_imported() -> None:
    bed = Bed(auto_download=False)

    async def story(made: Feeds) -> None:
        await made.set_rule("old", ALL)
        names = await made.import_rules(
            b'{"a": {"mustContain": "x", "lastMatch": "26 Nov 2026 16:38:03 +0000",'
            b' "previouslyMatchedEpisodes": ["1x1"]},'
            b' "b": {"mustContain": "(", "useRegex": true}}')
        assert names == ["a", "b"]
        views = {view.name: view for view in made.rules()}
        assert views["a"].state == RuleState(BEGIN, ("1x1",))
        assert views["b"].problem.startswith("the pattern cannot be read")
        before = made.export_rules()
        await made.import_rules(before)
        assert made.export_rules() == before
        for bad in (b"[]", b'{"c": 1}', b'{" ": {}}'):
            with pytest.raises((FormatError, UsageError)):
                await made.import_rules(bad)
        assert [view.name for view in made.rules()] == ["a", "b", "old"]
        for change in (made.rename_rule("a", "b"), made.rename_rule("none", "x"), made.remove_rule("none"),
                       made.rename_rule("a", " "), made.retry("none"), made.drop("none")):
            with pytest.raises(UsageError):
                await change

    bed.run(story)


def test_what_is_damaged_is_told_and_left_alone_but_not_a_damaged_tree() -> None:
    bed = Bed(auto_download=False)
    bed.page(rss("one", "two"))

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("f",))
        await made.set_rule("r", ALL, RuleState(1.0))
        await later()

    bed.run(story)
    kept = bed.book.areas[state.ARTICLES]
    broken = next(name for name in kept if name.startswith("article/"))
    kept[broken] = b"{"
    kept["article/99/x"] = b"of a feed that went"
    bed.book.areas[state.RULES]["r"] = b'{"priority": "x"}'

    async def again(made: Feeds) -> None:
        assert (len(made.articles()), made.rules()) == (1, [])

    bed.run(again)
    assert [type(error) for error in bed.reports] == [FormatError, FormatError]
    assert kept[broken] == b"{"
    assert "rule/r" in kept
    assert "article/99/x" not in kept
    bed.book.areas[state.FEEDS]["tree"] = b"[]"
    with pytest.raises(FormatError, match="feeds"):
        bed.run(again)


def test_a_clock_that_was_wrong_holds_up_nothing() -> None:
    bed = Bed()
    bed.begin = BEGIN + 1e9

    async def story(made: Feeds) -> None:
        await made.add_feed(URL, ("bad",))
        await made.add_feed("http://good.example/", ("good",))
        await later(5)

    bed.page(rss("a"), "http://good.example/")
    bed.run(story)
    bed.begin = BEGIN
    count = len(bed.web.asked)
    bed.run(lambda made: later(5))
    assert len(bed.web.asked) == count + 2


def test_downloads_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FEED_WANTED", 1)
    bed = Bed(refresh_minutes=1)
    bed.page(rss("a", torrent=lambda number: f"http://feeds.example/{number}"))

    async def story(made: Feeds) -> None:
        await made.set_rule("r", ALL)
        await made.add_feed(URL, ("f",))
        await later(30)
        bed.page(rss("b", "a", torrent=lambda number: f"http://feeds.example/{number}"))
        await later()
        assert len(made.wanted()) == 1

    bed.run(story)
    assert isinstance(bed.reports[0], LimitError)
