"""A channel as a feed: what podcast programs and other clients find in it."""

from __future__ import annotations

import io

import podcastparser

from wildbach.base import limits
from wildbach.interfaces.api.channelfeed import ChannelFeed
from wildbach.protocol import feeds
from wildbach.protocol.channels.items import Channel, Item, Link, Rendition
from wildbach.protocol.metainfo import Magnet, MutableLink

LINK = MutableLink(bytes(range(32)), b"wb-ch", "Birds")
CHANNEL = Channel("Birds", "of the garden", "en", "Ann", links=(Link("https://birds.example/"),))
SEED = "https://birds.example/a.mp4"


def feed_of(channel: Channel, items: list[Item]) -> bytes:
    return ChannelFeed().write(channel, items, LINK.to_uri())


def item(number: int, title: str = "") -> Item:
    one = Rendition(f"{number:040x}", "cd" * 32, mime="video/mp4", length=5000, ws=(SEED, "https://birds.example/all/"))
    return Item(f"g{number}", title or f"Item {number}", date=1_795_000_000 + number, renditions=(one,))


def test_each_item_leads_to_its_torrent_and_the_newest_comes_first() -> None:
    found = feeds.parse(feed_of(CHANNEL, [item(1), item(2)]))
    assert (found.title, found.link, [one.guid for one in found.items]) == (
        "Birds", "https://birds.example/", ["g2", "g1"])
    magnet = Magnet.parse(found.items[0].torrent)
    assert (magnet.hashes, magnet.name, magnet.length, magnet.web_seeds) == (
        item(2).renditions[0].hashes, "Item 2", 5000, (SEED, "https://birds.example/all/"))


def test_a_channel_without_a_page_leads_to_itself() -> None:
    found = podcastparser.parse("https://a.example/feed.xml", io.BytesIO(feed_of(Channel("Birds"), [item(1)])))
    assert MutableLink.parse(found["link"]) == LINK


def test_season_and_episode_are_those_of_the_title() -> None:
    raw = feed_of(CHANNEL, [item(1, "Show S02E07"), item(2, "S01E01 and S01E02")])
    found = podcastparser.parse("https://a.example/feed.xml", io.BytesIO(raw))
    assert [one.get("number") for one in found["episodes"]] == [None, 7]


def test_what_was_removed_or_has_nothing_to_fetch_is_no_item() -> None:
    assert not feeds.parse(feed_of(CHANNEL, [Item("g1", removed=True), Item("g2", "x")])).items


def test_a_web_server_that_has_the_file_is_named_and_one_of_folders_is_not() -> None:
    raw = feed_of(CHANNEL, [item(1)])
    assert f'<podcast:source uri="{SEED}" contentType="video/mp4"/>'.encode() in raw
    assert b'uri="https://birds.example/all/"' not in raw


def test_it_is_bounded_in_items_and_bytes() -> None:
    many = [item(number) for number in range(399)]
    assert len(feeds.parse(feed_of(CHANNEL, many)).items) == limits.CHANNEL_FEED_ITEMS
    long = [Item(f"g{number}", "x", "ü" * 10_000, renditions=item(1).renditions) for number in range(50)]
    raw = feed_of(CHANNEL, long)
    assert limits.CHANNEL_FEED_BYTES - 30_000 < len(raw) <= limits.CHANNEL_FEED_BYTES
    assert feeds.parse(raw).items[0].guid == "g49"
    assert raw == feed_of(CHANNEL, long)
