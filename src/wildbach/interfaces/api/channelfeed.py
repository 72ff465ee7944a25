"""A channel as a feed for podcast programs and other clients: the newest items, each a torrent.

It stands between two services that do not know each other: channels have the items, feeds know how one is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from wildbach.base import limits
from wildbach.protocol import feedwriter
from wildbach.protocol.channels.items import Channel, Item, Rendition
from wildbach.protocol.metainfo import Magnet, MutableLink
from wildbach.services.feeds import episodes


class ChannelFeed:
    """The `FeedWriter` of channels."""

    def write(self, channel: Channel, items: Sequence[Item], link: str) -> bytes:
        """feed.xml of a version: up to CHANNEL_FEED_ITEMS items in CHANNEL_FEED_BYTES bytes, the newest first. `items`:
        the oldest first, as in head.json. The same items give the same bytes. Raises FormatError where the link is
        none.
        """
        there = (item for item in reversed(items) if not item.removed and item.renditions)
        head = feedwriter.FeedHead(
            channel.title, next((one.url for one in channel.links), link), channel.text, channel.lang, channel.author,
            source=f"btpk:{MutableLink.parse(link).public_key.hex()}")
        listed = map(_item, itertools.islice(there, limits.CHANNEL_FEED_ITEMS))
        return feedwriter.write(head, listed, limits.CHANNEL_FEED_BYTES)


def _item(item: Item) -> feedwriter.FeedItem:
    named = dict.fromkeys(episodes.in_title(item.title))
    season, episode = next(iter(named)) if len(named) == 1 else (0, 0)
    return feedwriter.FeedItem(
        item.guid, item.title, item.text, item.date, tuple(_media(item, one) for one in item.renditions), item.duration,
        tuple(feedwriter.Chapter(one.start, one.title) for one in item.chapters), item.lang, item.licence, item.tags,
        season, episode)


def _media(item: Item, one: Rendition) -> feedwriter.Media:
    magnet = Magnet(one.hashes, item.title, web_seeds=one.ws, length=one.length or None)
    # A web seed with a slash at its end is a folder, whose files have the names of the torrent.
    files = tuple(url for url in one.ws if not url.endswith("/"))
    return feedwriter.Media(magnet.to_uri(), one.mime, one.length, one.height, one.bitrate, one.codecs, files)
