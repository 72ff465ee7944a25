"""Folders and feeds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.services.feeds.tree import Feed, FeedConflict, NoSuchFeed, Tree, checked, parse_path, show

TREE = Tree().with_folder(("a",)).with_folder(("a", "b")).with_feed(("a", "one"), "http://h.example/1").with_feed(
    ("a", "b", "two"), "http://h.example/2", 5)


def test_feeds_have_ids_that_are_never_given_again() -> None:
    planted = TREE.without(("a", "one")).with_feed(("three",), "http://h.example/1")
    assert [feed.uid for _, feed in planted.feeds()] == ["2", "3"]
    assert planted.feed(("a", "b", "two")) == Feed("2", "http://h.example/2", 5.0)


def test_folders_move_with_all_in_them() -> None:
    moved = TREE.with_folder(("c",)).moved(("a", "b"), ("c", "d"))
    assert set(moved.nodes) == {("a",), ("a", "one"), ("c",), ("c", "d"), ("c", "d", "two")}
    assert moved.moved(("c", "d"), ("c", "d")) == moved
    assert [path for path, _ in moved.feeds(("c",))] == [("c", "d", "two")]
    assert set(moved.without(("c",)).nodes) == {("a",), ("a", "one")}


def test_what_cannot_be_is_refused() -> None:
    for change, kind in (
        (lambda: TREE.with_folder(("a",)), FeedConflict),
        (lambda: TREE.with_feed(("x",), "http://h.example/1"), FeedConflict),
        (lambda: TREE.changed(("a", "one"), url="http://h.example/2"), FeedConflict),
        (lambda: TREE.with_folder(("x", "y")), NoSuchFeed),
        (lambda: TREE.with_folder(("a", "one", "y")), UsageError),
        (lambda: TREE.with_folder(()), UsageError),
        (lambda: TREE.with_folder(("x\\y",)), UsageError),
        (lambda: TREE.with_folder((" ",)), UsageError),
        (lambda: TREE.with_folder(("\x1b[2J",)), UsageError),
        (lambda: TREE.moved(("a",), ("a", "b", "c")), UsageError),
        (lambda: TREE.moved((), ("x",)), UsageError),
        (lambda: TREE.moved(("a", "b"), ("a", "one")), FeedConflict),
        (lambda: TREE.without(()), UsageError),
        (lambda: TREE.without(("x",)), NoSuchFeed),
        (lambda: TREE.feed(("a",)), NoSuchFeed),
        (lambda: TREE.changed(("a", "one"), refresh_minutes=-1), UsageError),
        (lambda: list(TREE.feeds(("x",))), NoSuchFeed),
    ):
        with pytest.raises(UsageError) as caught:
            change()
        assert type(caught.value) is kind


@pytest.mark.parametrize("url", [
    "", "ftp://h/x", "udp://h:1/x", "http://", "http://h/ x", "javascript:x", "http://1.2.3.0x4/", "http://[::1",
    "http://h/" + "x" * limits.FEED_URL_CHARS,
], ids=range(9))
def test_odd_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        checked(url)


@pytest.mark.parametrize("url", [
    " http://localhost:9117/api?apikey=x&q= ", "http://192.168.1.5:9696/1/api", "https://user:word@h.example/rss",
    "http://[::1]:80/x", "http://prowlarr:9696/x",
])
def test_what_users_have_is_taken(url: str) -> None:
    assert checked(url) == url.strip()


def test_the_number_of_nodes_and_the_depth_are_bounded() -> None:
    full = Tree({(str(n),): None for n in range(limits.FEEDS)})
    with pytest.raises(UsageError, match="FEEDS"):
        full.with_folder(("x",))
    deep = Tree()
    for depth in range(1, 33):
        deep = deep.with_folder(("d",) * depth)
    with pytest.raises(UsageError):
        deep.with_folder(("d",) * 33)
    with pytest.raises(UsageError, match="deep"):
        deep.with_folder(("e",)).moved(("d",), ("e", "d"))


@given(st.lists(st.text(st.characters(exclude_characters="\\"), min_size=1), max_size=5))
def test_paths_are_one_text(parts: list[str]) -> None:
    assert parse_path(show(tuple(parts))) == tuple(parts)
