"""Channels that are published from here: items wait as drafts until a version is made of them and given out.

A version is a folder of its own in the data directory, made of the one before: the same items give the same bytes,
archives are linked and never written again. What is published is on the disk, synced and seeded before the head leads
to it; where the head reaches nobody, the drafts are still there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.disk import system
from wildbach.protocol import layers
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Channel, Item, read_item, write_channel, write_item
from wildbach.protocol.channels.shelves import Shelved, shelve
from wildbach.protocol.heads import CHANNEL as SALT
from wildbach.protocol.metainfo import Magnet, MutableLink
from wildbach.runtime.workers import Threads
from wildbach.services.channels import drafting, state
from wildbach.services.channels.events import ChannelPublished
from wildbach.services.channels.seams import Copy, FeedWriter, Maker, Torrents
from wildbach.services.channels.service import Channels, checked_name
from wildbach.services.channels.state import Followed, Version

_FOLDER: Final = "channel"
"The name of each version's torrent: it says nothing, so that the same files make the same torrent."
_ART: Final = "art"


@dataclass(frozen=True, slots=True)
class Outcome:
    key: str
    seq: int
    nodes: int
    link: str
    added: int
    "Items that are new, changed or removed."
    sealed: int
    "Archives that were made."
    items: int
    "In the head."


@dataclass(frozen=True, slots=True)
class _Base:
    """What the next version is made of."""

    items: tuple[Item, ...]
    archives: int
    fetched: Sequence[bytes] = ()
    "Archives that came from the network, instead of the folder."
    folder: Path | None = None


class Author:
    """`root`: the folder that gets the versions. Raises UsageError, StorageError, FormatError for what readers would
    refuse, and then nothing has changed.
    """

    def __init__(
        self, channels: Channels, torrents: Torrents, maker: Maker, threads: Threads, root: Path,
        writer: FeedWriter | None = None,
    ) -> None:
        self._channels = channels
        self._torrents = torrents
        self._maker = maker
        self._threads = threads
        self._root = root
        self._writer = writer

    async def load(self) -> None:
        """Take the drafts of the last run."""
        for name, raw in sorted((await self._channels.keeper.kept(state.DRAFTS)).items()):
            key, _, number = name.partition(".")
            with contextlib.suppress(FormatError):
                self._channels.drafts.setdefault(key, {})[number] = read_item(raw)

    # -- what it says of itself

    async def create(self, name: str, facts: Channel) -> Followed:
        """A channel under a secret key of the data directory, which is made where there is none."""
        _checked(facts)
        key = await self._channels.heads.public_key(name, make=True)
        if key is None:
            raise UsageError(f"there is no key {name}", code="not_found")
        async with self._channels.lock:
            there = self._channels.get(key.hex())
            if there is not None and there.own:
                raise UsageError(f"the key {name} has a channel already: {there.title}", code="duplicate")
            channel = there or Followed(key.hex(), followed_at=int(self._channels.wall()))
            link = MutableLink(key, SALT, facts.title, recovery=await self._channels.heads.recovery(name))
            channel = msgspec.structs.replace(channel, own=name, facts=facts, link=link.to_uri(), name="",
                home=channel.home or channel.label)
            await self._channels.save(channel)
        return channel

    async def describe(self, channel: Followed, changes: Mapping[str, Any]) -> Followed:
        """Other words for the channel itself, by field of `Channel`."""
        async with self._channels.lock:
            channel = _own(self._channels.must(channel.key))
            facts = msgspec.structs.replace(channel.facts or Channel(channel.title), **changes)
            _checked(facts)
            channel = msgspec.structs.replace(channel, facts=facts)
            await self._channels.save(channel)
        return channel

    async def picture(self, channel: Followed, raw: bytes, suffix: str) -> Followed:
        """The picture of the channel: jpg, png or webp. Empty for none."""
        _own(channel)
        name = f"{_ART}.{suffix}"
        if raw and name not in files.ARTS:
            raise UsageError("a picture of a channel is a file of jpg, png or webp")
        if len(raw) > limits.CHANNEL_ART_BYTES:
            raise UsageError(
                f"a picture of a channel has up to CHANNEL_ART_BYTES = {limits.CHANNEL_ART_BYTES} bytes",
                code="too_large")
        await self._threads.run(_lay_picture, self._home(channel), name, raw)
        root = layers.file_root(layers.leaf_hashes(raw)).hex() if raw else ""
        return await self.describe(channel, {"art": root})

    # -- items

    async def add_path(
        self, channel: Followed, path: Path, changes: Mapping[str, Any], progress: Callable[[float], None],
    ) -> list[Item]:
        """A file or folder, which is seeded where it lies. `changes`: fields of the items, the same for all."""
        _own(channel)
        metainfo = await self._maker.build(path, only_v2=False, progress=progress)
        made = drafting.items_of(metainfo.info, int(self._channels.wall()))
        items = [_changed(item, changes) for item in made]
        if self._torrents.find(metainfo.info.hashes) is None:
            await self._torrents.seed(metainfo, path.parent, name=metainfo.info.name)
        await self.draft(channel, items)
        return items

    async def add_torrent(self, channel: Followed, source: Magnet, changes: Mapping[str, Any]) -> list[Item]:
        """What a link leads to, or a torrent of the list, of which more is known."""
        _own(channel)
        copy = self._torrents.find(source.hashes)
        info = copy.info if copy is not None else None
        if copy is not None and info is None and copy.whole:
            info = await copy.metadata()
        now = int(self._channels.wall())
        made = drafting.items_of(info, now, source.web_seeds) if info is not None else [drafting.item_of(source, now)]
        items = [_changed(item, changes) for item in made]
        await self.draft(channel, items)
        return items

    async def edit(self, channel: Followed, guid: str, changes: Mapping[str, Any]) -> Item:
        """The item with other words: a new one with the same guid."""
        _own(channel)
        waiting = [item for item in self._channels.drafts.get(channel.key, {}).values() if item.guid == guid]
        item = waiting[-1] if waiting else (await self._channels.item(channel, guid)).item
        if item.removed:
            raise UsageError(f"the item {guid} is removed", code="not_found")
        item = _changed(item, changes)
        await self.draft(channel, [item])
        return item

    async def remove(self, channel: Followed, guid: str) -> None:
        """Readers show it no more from the next version on. What was downloaded stays with them."""
        _own(channel)
        waiting = {
            number: item for number, item in self._channels.drafts.get(channel.key, {}).items() if item.guid == guid}
        try:
            await self._channels.item(channel, guid)
        except UsageError:
            if not waiting:
                raise
            await self._forget(channel.key, waiting)  # nobody saw it yet
            return
        await self.draft(channel, [Item(guid, date=int(self._channels.wall()), removed=True)])

    async def draft(self, channel: Followed, items: Sequence[Item]) -> None:
        """Have items wait for the next version; one that waits with the same guid goes."""
        async with self._channels.lock:
            waiting = self._channels.drafts.setdefault(channel.key, {})
            guids = {item.guid for item in items}
            gone = [number for number, item in waiting.items() if item.guid in guids]
            if len(waiting) - len(gone) + len(items) > limits.CHANNEL_DRAFTS:
                raise UsageError(
                    f"no more than CHANNEL_DRAFTS = {limits.CHANNEL_DRAFTS} items wait at a time; publish first")
            first = 1 + max((int(number) for number in waiting), default=0)
            fresh = {f"{first + place:012}": item for place, item in enumerate(items)}
            changes: dict[str, bytes | None] = {f"{channel.key}.{number}": None for number in gone}
            changes.update((f"{channel.key}.{number}", write_item(item)) for number, item in fresh.items())
            await self._channels.keeper.keep(state.DRAFTS, changes, durable=True)
            for number in gone:
                del waiting[number]
            waiting.update(fresh)

    def drafts(self, channel: Followed) -> tuple[Item, ...]:
        """What waits, in order."""
        return tuple(item for _, item in sorted(self._channels.drafts.get(channel.key, {}).items()))

    async def _forget(self, key: str, drafts: Mapping[str, Item]) -> None:
        await self._channels.keeper.keep(state.DRAFTS, {f"{key}.{number}": None for number in drafts}, durable=True)
        waiting = self._channels.drafts.get(key, {})
        for number in drafts:
            waiting.pop(number, None)

    # -- publishing

    async def publish(self, channel: Followed, progress: Callable[[float], None], *, adopt: bool = False) -> Outcome:
        """Make the next version and have the head lead to it. `adopt`: go on from a version that was published
        elsewhere under the key. Raises NetworkError where it reached nobody, and UsageError with code `head_ahead`
        where the network has another one: then the drafts are still there.
        """
        channel = await self._moved(_own(self._channels.must(channel.key)))
        heads, torrents = self._channels.heads, self._torrents
        drafts = dict(self._channels.drafts.get(channel.key, {}))
        adopted = await self._adopted(channel) if adopt else None
        base = adopted if adopted is not None else await self._threads.run(self._base, channel)
        at = int(self._channels.wall())
        added = [item for _, item in sorted(drafts.items()) if item not in base.items]
        shelved = await self._threads.run(shelve, base.items, added, base.archives)
        facts = msgspec.structs.replace(
            channel.facts or Channel(channel.title), recovery=(await heads.recovery(channel.own)).hex())
        count = channel.count + 1
        feed = b""
        if self._writer is not None:
            feed = await self._threads.run(self._writer.write, facts, shelved.items, channel.link)
        folder = await self._threads.run(
            partial(self._lay, channel, count, base, shelved, write_channel(facts), feed))
        metainfo = await self._maker.build(folder, only_v2=True, progress=progress)
        parts = files.parts_of(metainfo.info)
        there = torrents.find(metainfo.info.hashes)
        if there is not None and channel.shown is not None and channel.shown.hashes.matches(metainfo.info.hashes):
            count = channel.count  # nothing is new: the folder that is seeded stays
        copy = there or await torrents.seed(metainfo, folder.parent, name=f"channel {facts.title}")
        try:
            sent = await heads.publish(channel.own, metainfo.info.hashes, adopt=adopt, count=count, at=at)
        except BaseException:
            # Nobody heard of it: what was published before goes on.
            if there is None:
                await torrents.remove(copy, files=False)
            raise
        version = Version("", (metainfo.info.hashes.v2 or b"").hex(), sent.seq)
        former = channel.shown
        async with self._channels.lock:
            channel = msgspec.structs.replace(
                self._channels.must(channel.key), count=count, wanted=version, seq=sent.seq, heard_at=at, facts=facts,
                link=replace(sent.link, name=facts.title).to_uri())
            await self._channels.save(channel)
        await self._forget(channel.key, drafts)
        await self._channels.take(channel.key, version, copy, parts)
        await self._tidy(channel, copy, former)
        self._channels.tell(ChannelPublished(channel.label, facts.title, sent.seq))
        return Outcome(
            channel.key, sent.seq, sent.nodes, channel.link, len(added), len(shelved.sealed), len(shelved.items))

    async def _moved(self, channel: Followed) -> Followed:
        """Where another key has taken the place of this one, the channel goes on under that."""
        key = await self._channels.heads.public_key(channel.own, make=False)
        if key is None:
            raise UsageError(f"the secret key {channel.own} is not here any more", code="not_found")
        if key == channel.id:
            return channel
        facts = channel.facts or Channel(channel.title)
        link = MutableLink(key, SALT, facts.title, recovery=await self._channels.heads.recovery(channel.own))
        drafts = self._channels.drafts.get(channel.key, {})
        moved = msgspec.structs.replace(channel, key=key.hex(), link=link.to_uri(), seq=-1, signer="")
        async with self._channels.lock:
            await self._channels.keeper.keep(state.DRAFTS, {
                f"{name}.{number}": raw for number, item in drafts.items()
                for name, raw in ((channel.key, None), (moved.key, write_item(item)))})
            self._channels.drafts[moved.key] = self._channels.drafts.pop(channel.key, {})
            await self._channels.rename(channel, moved)
        return moved

    async def _tidy(self, channel: Followed, copy: Copy, former: Version | None) -> None:
        """The version before is needed no more: all that was in it is in this one, or was replaced."""
        old = self._torrents.find(former.hashes) if former is not None else None
        if old is not None and old != copy:
            await self._torrents.remove(old, files=False)
        await self._threads.run(_tidy, self._home(channel), channel.count)

    async def _adopted(self, channel: Followed) -> _Base | None:
        """The version that stands under the key now, where it was not published from here."""
        head = await self._channels.heads.newest(channel.mutable)
        if head is None:
            return None
        if channel.wanted is not None and channel.wanted.hashes.matches(head.hashes) and self._folder(channel).is_dir():
            return None
        copy = self._torrents.find(head.hashes) or await self._torrents.fetch(
            head.hashes, channel.mutable, similar=None, name=f"channel {channel.title}")
        parts = files.parts_of(await copy.metadata())
        if parts.size > limits.CHANNEL_BYTES:
            raise FormatError(f"its files have more than CHANNEL_BYTES = {limits.CHANNEL_BYTES} bytes", where="channel")
        await copy.begin(parts.wanted)
        await copy.complete()
        named = parts.named[files.HEAD]
        archives = [await copy.read(part.index, part.length) for part in parts.archives]
        items = files.read_head(await copy.read(named.index, named.length))
        await self._torrents.remove(copy, files=True)  # from now on it is seeded from a folder of ours
        return _Base(items, len(archives), archives)

    # -- folders; these block

    def _home(self, channel: Followed) -> Path:
        return self._root / channel.home

    def _folder(self, channel: Followed) -> Path:
        return self._home(channel) / str(channel.count) / _FOLDER

    def _base(self, channel: Followed) -> _Base:
        if not channel.count:
            return _Base((), 0)
        folder = self._folder(channel)
        try:
            items = files.read_head((folder / files.HEAD).read_bytes())
            count = len(os.listdir(folder / files.ARCHIVE)) if (folder / files.ARCHIVE).is_dir() else 0
        except OSError as error:
            raise StorageError(
                f"the version that was published last is not in {folder} any more ({error.strerror}); "
                "publish with adopt to go on from what the network has", path=str(folder), errno=error.errno or 0,
                code="lost") from error
        return _Base(items, count, folder=folder)

    def _lay(
        self, channel: Followed, count: int, base: _Base, shelved: Shelved, facts: bytes, feed: bytes,
    ) -> Path:
        """A folder with the version, complete and synced before it has its name."""
        home = self._home(channel)
        target, beside = home / str(count), home / f".{count}"
        try:
            for left in (beside, target):
                # What a run left that was ended before its head was out.
                shutil.rmtree(left, ignore_errors=True)
            folder = beside / _FOLDER
            for grown in system.make_root(str(folder)):
                system.sync_path(grown)
            _write(folder / files.CHANNEL, facts)
            _write(folder / files.HEAD, shelved.head)
            if feed:
                _write(folder / files.FEED, feed)
            for name in files.ARTS:
                if (home / name).exists():
                    shutil.copyfile(home / name, folder / name)
            self._shelve(folder / files.ARCHIVE, base, shelved)
            system.sync_path(str(folder))
            os.rename(beside, target)
            system.sync_path(str(home))
        except OSError as error:
            raise system.storage_error(error, "write the channel", str(target)) from error
        return target / _FOLDER

    @staticmethod
    def _shelve(folder: Path, base: _Base, shelved: Shelved) -> None:
        if not base.archives and not shelved.sealed:
            return
        folder.mkdir()
        for number in range(base.archives):
            name = files.archive_name(number)
            if base.fetched:
                _write(folder / name, base.fetched[number])
            elif base.folder is not None:
                _link(base.folder / files.ARCHIVE / name, folder / name)
        for place, packed in enumerate(shelved.sealed):
            _write(folder / files.archive_name(base.archives + place), packed)
        system.sync_path(str(folder))


def _own(channel: Followed) -> Followed:
    if not channel.own:
        raise UsageError(f"{channel.title} is followed here, and published by somebody else", code="not_own")
    return channel


def _checked(facts: Channel) -> None:
    """Raises UsageError for what readers would refuse, before anything is kept."""
    checked_name(facts.title)
    if not facts.title.strip():
        raise UsageError("a channel needs a title")
    try:
        write_channel(facts)
    except FormatError as error:
        raise UsageError(error.message) from error


def _changed(item: Item, changes: Mapping[str, Any]) -> Item:
    """Raises UsageError for what readers would refuse."""
    item = msgspec.structs.replace(item, **changes)
    try:
        write_item(item)
    except FormatError as error:
        raise UsageError(error.message) from error
    return item


def _write(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link(source: Path, target: Path) -> None:
    """Both are ours and never written again, so one file may have two names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _lay_picture(home: Path, name: str, raw: bytes) -> None:
    try:
        for grown in system.make_root(str(home)):
            system.sync_path(grown)
        for other in files.ARTS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(home / other)
        if raw:
            _write(home / name, raw)
    except OSError as error:
        raise system.storage_error(error, "write the picture", str(home / name)) from error


def _tidy(home: Path, count: int) -> None:
    """Folders of older versions go."""
    with contextlib.suppress(OSError):
        for name in os.listdir(home):
            if name.lstrip(".").isdecimal() and name != str(count):
                shutil.rmtree(home / name, ignore_errors=True)
