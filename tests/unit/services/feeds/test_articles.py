"""Which articles are new, and which are kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.feeds import Item
from wildbach.services.feeds.articles import Merged, article_of, merge

NOW = 1000.0


def item(guid: str, published: float | None = None, torrent: str = "", title: str = "x") -> Item:
    return Item(guid, title, torrent=torrent, published=published)


def ids(merged: Merged) -> tuple[list[str], list[str]]:
    return [article.id for article in merged.articles], [article.id for article in merged.added]


def test_new_articles_come_first_and_are_told_of_the_oldest_first() -> None:
    first = merge((), (), [item("b", 2), item("a", 1)], NOW, 10)
    assert ids(first) == (["b", "a"], ["a", "b"])
    second = merge(first.articles, first.gone, [item("c", 3), item("b", 2), item("a", 1)], NOW, 10)
    assert ids(second) == (["c", "b", "a"], ["c"])


def test_the_same_id_or_the_same_torrent_is_the_same_article() -> None:
    first = merge((), (), [item("a", 1, "http://t/1"), item("a", 2, "http://t/2"), item("b", 3, "http://t/1")], NOW, 10)
    assert ids(first)[0] == ["a"]
    assert ids(merge(first.articles, (), [item("new id", 4, "http://t/1")], NOW, 10))[1] == []


def test_a_page_that_all_items_share_does_not_make_them_one() -> None:
    items = [Item(str(n), "x", link="http://h/", torrent="http://h/") for n in range(3)]
    assert len(merge((), (), items, NOW, 10).articles) == 3


def test_an_article_stays_as_it_was_first_seen() -> None:
    first = merge((), (), [item("a", 1, title="before")], NOW, 10)
    again = merge(first.articles, first.gone, [item("a", 5, title="after")], NOW, 10)
    assert (again.articles[0].title, again.articles[0].published) == ("before", 1)


def test_what_is_dropped_is_not_new_when_it_is_seen_again() -> None:
    items = [item(str(n), n) for n in range(100, 0, -1)]
    first = merge((), (), items, NOW, 10)
    assert ids(first)[0] == [str(n) for n in range(100, 90, -1)]
    assert len(first.added) == 100  # all are newer than nothing
    again = merge(first.articles, first.gone, items, NOW, 10)
    assert ids(again)[1] == []
    assert again.gone == first.gone


def test_a_burst_of_more_than_is_kept_is_told_of_whole() -> None:
    first = merge((), (), [item("old", 1)], NOW, 2)
    burst = merge(first.articles, first.gone, [item(str(n), 10 + n) for n in range(5)], NOW, 2)
    assert ids(burst) == (["4", "3"], ["0", "1", "2", "3", "4"])


def test_a_feed_that_is_empty_for_a_moment_forgets_nothing() -> None:
    items = [item(str(n), n) for n in range(9, 0, -1)]
    first = merge((), (), items, NOW, 3)
    empty = merge(first.articles, first.gone, [], NOW, 3)
    assert (empty.articles, empty.gone) == (first.articles, first.gone)
    assert merge(empty.articles, empty.gone, items, NOW, 3).added == ()


def test_dates_that_are_missing_or_to_come_are_now() -> None:
    made = [article_of(item("a", when), NOW) for when in (None, NOW + 1, NOW - 1)]
    assert [article.published for article in made if article is not None] == [NOW, NOW, NOW - 1]
    assert article_of(Item(""), NOW) is None


@given(st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 50)), max_size=12), max_size=6),
       st.integers(1, 6))
def test_kept_articles_are_bounded_sorted_and_new_only_once(rounds: list[list[tuple[int, int]]], most: int) -> None:
    known: Merged = Merged((), (), frozenset())
    for items in rounds:
        was = {article.id for article in known.articles}
        known = merge(known.articles, known.gone, [item(str(n), at) for n, at in items], NOW, most)
        dates = [article.published for article in known.articles]
        assert len(dates) <= most
        assert dates == sorted(dates, reverse=True)
        assert not was & {article.id for article in known.added}
        assert not known.gone & {article.mark for article in known.articles}
