"""Channels: those that are followed here, and those that are published from here."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import UNSET

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import channelmodels as cm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.channelparts import belongs
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.protocol.channels import items
from wildbach.protocol.channels.items import Item
from wildbach.protocol.metainfo import Magnet
from wildbach.services.channels.authoring import Author
from wildbach.services.channels.index import Hit, Query
from wildbach.services.channels.service import Channels
from wildbach.services.channels.state import Followed
from wildbach.services.channels.views import ChannelView

_LISTED: Final = 100


class Channeling:
    """A part of the Api."""

    core: Core
    channel_service: Channels
    channel_author: Author

    async def channels(self) -> cm.Channels:
        return cm.Channels(tuple(map(self._channel, await self.channel_service.views())))

    async def channel(self, word: str) -> cm.Channel:
        return await self._seen(self.channel_service.find(word))

    async def follow_channel(self, following: cm.ChannelFollowing) -> cm.Channel:
        channel = await self.channel_service.follow(following.link, name=following.name, auto=following.auto)
        self.core.log.write("info", f"following the channel {channel.title}")
        return await self._seen(channel)

    async def create_channel(self, making: cm.ChannelMaking) -> cm.Channel:
        facts = items.Channel(
            making.title, making.text, making.lang, making.author, "", making.links, making.payout)
        channel = await self.channel_author.create(making.key, facts)
        self.core.log.write("info", f"made the channel {channel.title} under the key {making.key}")
        return await self._seen(channel)

    async def change_channel(self, word: str, patch: cm.ChannelPatch) -> cm.Channel:
        channel = self.channel_service.find(word)
        facts = {
            name: value for name in ("text", "lang", "author", "links", "payout")
            if (value := getattr(patch, name)) is not UNSET}
        if channel.own and patch.name is not UNSET:
            facts["title"] = patch.name
        picture = b"" if patch.picture is UNSET else await self._picture(patch.picture)
        if facts:
            channel = await self.channel_author.describe(channel, facts)
        if patch.picture is not UNSET:
            suffix = Path(patch.picture).suffix.lower().lstrip(".").replace("jpeg", "jpg")
            channel = await self.channel_author.picture(channel, picture, suffix)
        channel = await self.channel_service.change(
            channel.key, name=None if patch.name is UNSET or channel.own else patch.name,
            auto=None if patch.auto is UNSET else patch.auto, payout_seen=patch.payout_seen)
        return await self._seen(channel)

    async def _picture(self, text: str) -> bytes:
        if not text:
            return b""
        path = await self.core.place(text)
        return await self.core.threads.run(_read, path)

    async def unfollow_channel(self, word: str) -> None:
        channel = self.channel_service.find(word)
        await self.channel_service.unfollow(channel.key)
        self.core.log.write("info", f"no longer following the channel {channel.title}")

    async def channel_items(self, query: cm.ItemQuery) -> cm.ChannelItems:
        service = self.channel_service
        keys = (service.find(query.channel).key,) if query.channel else ()
        found = await service.search(Query(
            query.words, keys, query.kind, query.lang, query.licence, query.shortest, query.longest or math.inf,
            service.looked(keys) if query.new else None, query.offset, query.limit))
        return cm.ChannelItems(tuple(map(self._item, found.hits)), found.more)

    async def look_at_channel(self, word: str) -> cm.Channel:
        channel = self.channel_service.find(word)
        await self.channel_service.look_at(channel.key)
        return await self._seen(self.channel_service.must(channel.key))

    async def download_item(self, word: str, item: cm.ItemWord) -> cm.Download:
        channel = self.channel_service.find(word)
        return cm.Download(await self.channel_service.download(channel, item.guid))

    async def channel_feed(self, word: str) -> bytes:
        return await self.channel_service.feed(self.channel_service.find(word))

    async def channel_drafts(self, word: str) -> cm.ChannelItems:
        channel = self.channel_service.find(word)
        waiting = self.channel_author.drafts(channel)
        return cm.ChannelItems(
            tuple(self._item(Hit(channel.key, item, 0)) for item in waiting[:_LISTED]), len(waiting) > _LISTED)

    async def add_channel_items(self, word: str, making: cm.ItemMaking) -> m.Job:
        channel = self.channel_service.find(word)
        if not making.paths and not making.torrents:
            raise UsageError("there is nothing to add: neither files nor torrents")
        paths = [await self.core.place(path) for path in making.paths]
        sources = [self._source(text) for text in making.torrents]
        words = _words(making.words)
        return self.core.jobs.start(
            "channel_add", channel.title, partial(self._add_items, channel, paths, sources, words))

    async def _add_items(
        self, channel: Followed, paths: list[Path], sources: list[Magnet], words: dict[str, Any], progress: Progress,
    ) -> None:
        made: list[Item] = []
        for number, path in enumerate(paths):
            progress.message = f"reading {path.name}"

            def hashed(share: float, before: int = number) -> None:
                progress.share = (before + share) / len(paths)

            made += await self.channel_author.add_path(channel, path, words, hashed)
        for source in sources:
            made += await self.channel_author.add_torrent(channel, source, words)
        progress.message = ""
        progress.result |= {
            "items": [{"guid": item.guid, "title": item.title} for item in made[:_LISTED]], "count": len(made)}

    def _source(self, text: str) -> Magnet:
        """A link, or the info hash of a torrent, which may be cut short where it is here. Raises FormatError."""
        here = self.core.session.by_prefix(text) if len(text) >= 6 else set()
        if len(here) == 1:
            (torrent,) = here
            return Magnet(torrent.hashes, torrent.name)
        return Magnet.parse(text)

    async def change_channel_item(self, word: str, change: cm.ItemChange) -> cm.ChannelItem:
        channel = self.channel_service.find(word)
        item = await self.channel_author.edit(channel, change.guid, _words(change.words))
        return self._item(Hit(channel.key, item, 0))

    async def remove_channel_item(self, word: str, item: cm.ItemWord) -> None:
        await self.channel_author.remove(self.channel_service.find(word), item.guid)

    async def publish_channel(self, word: str, publishing: cm.Publishing) -> m.Job:
        channel = self.channel_service.find(word)
        return self.core.jobs.start(
            "channel_publish", channel.title, partial(self._publish_version, channel, publishing.adopt))

    async def _publish_version(self, channel: Followed, adopt: bool, progress: Progress) -> None:
        def hashed(share: float) -> None:
            progress.share = share

        progress.message = "making the next version"
        done = await self.channel_author.publish(channel, hashed, adopt=adopt)
        progress.message = ""
        progress.result |= msgspec.to_builtins(done)
        self.core.log.write("info", f"published the channel {channel.title} as number {done.seq}")

    # -- as they are shown

    async def _seen(self, channel: Followed) -> cm.Channel:
        return self._channel(await self.channel_service.view(channel))

    def _channel(self, view: ChannelView) -> cm.Channel:
        channel = view.channel
        facts = channel.facts or items.Channel("")
        version = channel.shown or channel.wanted
        torrent = self.core.session.known(version.hashes) if version is not None else None
        return cm.Channel(
            key=channel.label, title=channel.title, says=facts.title, text=facts.text, author=facts.author,
            lang=facts.lang, links=facts.links, art=facts.art, payout=facts.payout, payout_was=channel.payout_was,
            link=channel.mutable.to_uri(), own=channel.own, torrent=torrent.key if torrent is not None else "",
            seq=channel.seq, shown=channel.shown.seq if channel.shown is not None else -1, heard_at=channel.heard_at,
            followed_at=channel.followed_at, items=view.items, new=view.new, drafts=view.drafts, auto=channel.auto,
            rotated=bool(channel.signer), recovery_differs=channel.recovery_differs, progress=view.share,
            seeds=view.seeds, reason=view.reason)

    def _item(self, hit: Hit) -> cm.ChannelItem:
        channel = self.channel_service.must(hit.channel)
        magnet = torrent = ""
        coming = False
        if hit.item.renditions:
            best = hit.item.renditions[0]
            magnet = Magnet(best.hashes, hit.item.title, web_seeds=best.ws).to_uri()
            there = self.core.session.known(best.hashes)
            if there is not None:
                torrent = there.key
                coming = not there.options.cache and _wanted(there, hit.item)
        return cm.ChannelItem(
            channel.label, channel.title, hit.item, hit.item.kind, magnet, torrent, coming, hit.turn > channel.looked)


def _wanted(torrent: Torrent, item: Item) -> bool:
    """While its metadata is not at hand, it is."""
    if torrent.known is None:
        return True
    files = zip(torrent.known.selection.priorities, torrent.known.info.files, strict=True)
    return all(
        priority > 0 for index, (priority, file) in enumerate(files) if not file.pad and belongs(item, index, file))


def _words(patch: cm.ItemPatch) -> dict[str, Any]:
    return {name: value for name in patch.__struct_fields__ if (value := getattr(patch, name)) is not UNSET}


def _read(path: Path) -> bytes:
    """A picture; what is longer than one may be is not read to its end."""
    try:
        with open(path, "rb") as file:
            return file.read(limits.CHANNEL_ART_BYTES + 1)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", path=str(path), errno=error.errno or 0) from error
