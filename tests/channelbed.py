"""Channels without a network: heads and torrents that all beds of a test share, and the service on top of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import sha256
from pathlib import Path

from api_fakes import FakeKeeper
from cli_torrents import torrent_of
from wildbach.base.errors import FormatError, NetworkError, StorageError, UsageError
from wildbach.base.events import Event
from wildbach.base.ids import InfoHashes
from wildbach.interfaces.channelmaker import ChannelMaker
from wildbach.protocol.channels.items import Channel, Item, Rendition
from wildbach.protocol.heads import CHANNEL as SALT
from wildbach.protocol.metainfo import Metainfo, MutableLink
from wildbach.protocol.metainfo.builder import BuildPlan, SourceFile
from wildbach.protocol.metainfo.info import Info
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.channels.authoring import Author
from wildbach.services.channels.index import Index, Query
from wildbach.services.channels.seams import Copy, FeedWriter, Head, Sent
from wildbach.services.channels.service import Channels
from wildbach.services.channels.settings import ChannelSettings
from wildbach.services.channels.state import Followed

FACTS = Channel("Birds", "of the garden", "en")


def key_of(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def film(number: int, title: str = "", **more: object) -> Item:
    fields: dict[str, object] = {
        "date": 1000 + number, "renditions": (Rendition(ih=f"{number:040x}", mime="video/mp4", length=9),), **more}
    return Item(f"g{number}", title or f"Film {number}", **fields)  # type: ignore[arg-type]  # fields by name


class Net:
    """What all know: heads by key, and the torrents that somebody has."""

    def __init__(self) -> None:
        self.heads: dict[str, Head] = {}
        self.offered: dict[bytes, tuple[Metainfo, Mapping[str, bytes]]] = {}
        self.silent = False
        self.broken = False

    def offer(self, files: Mapping[str, bytes], *, sizes: Mapping[str, int] | None = None) -> Metainfo:
        """A torrent of v2, made by a stranger. `sizes`: files that are only claimed."""
        if sizes is None:
            made = torrent_of({tuple(path.split("/")): data for path, data in files.items()}, name="channel", kind="v2")
            self.offered[made.info.hashes.v2 or b""] = (made, files)
            return made
        lengths = {path: len(data) for path, data in files.items()} | dict(sizes)
        plan = BuildPlan(
            "channel", [SourceFile(tuple(path.split("/")), length) for path, length in lengths.items()], kind="v2",
            piece_length=1 << 20)
        joined = repr(sorted(files.items())).encode()
        for piece in range(plan.geometry.piece_count):
            plan.add(range(piece, piece + 1), b"", sha256(joined + bytes([piece % 251])).digest())
        made = plan.finish()
        self.offered[made.info.hashes.v2 or b""] = (made, files)
        return made

    def put(self, key: str, hashes: InfoHashes, seq: int, signer: bytes = b"") -> None:
        self.heads[key] = Head(hashes, seq, signer)


class FakeHeads:
    def __init__(self, net: Net) -> None:
        self._net = net
        self.keys: set[str] = set()
        self.asked: list[str] = []
        self.forgotten: list[str] = []
        self.pinned: dict[str, bytes] = {}
        self.wrote: dict[str, InfoHashes] = {}
        self.said: list[tuple[int, int]] = []

    async def newest(self, link: MutableLink) -> Head | None:
        assert link.salt == SALT
        key = link.public_key.hex()
        self.asked.append(key)
        if self._net.silent:
            raise NetworkError("the DHT has no nodes")
        if self._net.broken:
            raise FormatError("what was published there last is no torrent")
        return self._net.heads.get(key)

    async def names_recovery(self, link: MutableLink, recovery: bytes) -> bool:
        return self.pinned.setdefault(link.public_key.hex(), recovery) == recovery

    async def public_key(self, name: str, *, make: bool) -> bytes | None:
        if make:
            self.keys.add(name)
        return bytes.fromhex(key_of(name)) if name in self.keys else None

    async def recovery(self, name: str) -> bytes:
        return sha256(b"recovery" + name.encode()).digest()

    async def publish(self, name: str, hashes: InfoHashes, *, adopt: bool, count: int, at: int) -> Sent:
        if self._net.silent:
            raise NetworkError("the DHT has no nodes")
        key = key_of(name)
        there = self._net.heads.get(key)
        if there is not None and not adopt and self.wrote.get(key) != there.hashes:
            raise UsageError("the network has a newer head", code="head_ahead")
        seq = there.seq + 1 if there is not None else 1
        self.said.append((count, at))
        self.wrote[key] = hashes
        self._net.put(key, hashes, seq)
        return Sent(MutableLink(bytes.fromhex(key), SALT, recovery=await self.recovery(name)), seq, 8)

    def forget(self, link: MutableLink) -> None:
        self.forgotten.append(link.public_key.hex())

    def tell(self, key: bytes, told: Callable[[], None] | None) -> None:
        pass


class FakeCopy:
    """A torrent; its metadata and its content come when the test says so."""

    def __init__(self, metainfo: Metainfo, files: Mapping[str, bytes]) -> None:
        self.metainfo, self.files = metainfo, files
        self.known, self.there = asyncio.Event(), asyncio.Event()
        self.wanted: frozenset[int] = frozenset()
        self.failure = ""
        self.readings: list[str] = []
        self.share, self.seeds, self.reason = 0.5, 1, "no peer is known"

    @property
    def info(self) -> Info | None:
        return self.metainfo.info if self.known.is_set() else None

    @property
    def whole(self) -> bool:
        return self.there.is_set() and not self.failure

    async def metadata(self) -> Info:
        await self.known.wait()
        return self.metainfo.info

    async def begin(self, wanted: frozenset[int]) -> None:
        self.wanted = wanted

    async def complete(self) -> None:
        await self.there.wait()
        if self.failure:
            raise StorageError(self.failure, code="disk_full")

    async def read(self, index: int, length: int) -> bytes:
        name = "/".join(self.metainfo.info.files[index].path.parts)
        self.readings.append(name)
        return self.files[name][:length]

    def come(self) -> FakeCopy:
        self.known.set()
        self.there.set()
        return self


class FakeTorrents:
    def __init__(self, net: Net) -> None:
        self._net = net
        self.copies: dict[bytes, FakeCopy] = {}
        self.removed: list[tuple[InfoHashes, bool]] = []
        self.fetched: list[InfoHashes] = []
        self.seeded: list[Path] = []
        self.downloaded: list[str] = []
        self.at_once = True

    async def ready(self) -> None:
        pass

    def find(self, hashes: InfoHashes) -> FakeCopy | None:
        return next((one for one in self.copies.values() if one.metainfo.info.hashes.matches(hashes)), None)

    async def fetch(self, hashes: InfoHashes, link: MutableLink, *, similar: Copy | None, name: str) -> FakeCopy:
        made, files = self._net.offered[hashes.v2 or b""]
        self.fetched.append(hashes)
        copy = self.copies[hashes.v2 or b""] = FakeCopy(made, files)
        return copy.come() if self.at_once else copy

    async def seed(self, metainfo: Metainfo, folder: Path, *, name: str) -> FakeCopy:
        top = folder / metainfo.info.name if metainfo.info.multi_file else folder
        files = {
            "/".join(file.path.parts): top.joinpath(*file.path.parts).read_bytes() for file in metainfo.info.files
            if file.written}
        self.seeded.append(folder)
        self._net.offered[metainfo.info.hashes.v2 or b""] = (metainfo, files)
        copy = self.copies[metainfo.info.hashes.v2 or b""] = FakeCopy(metainfo, files).come()
        return copy

    async def remove(self, copy: Copy, *, files: bool) -> None:
        assert isinstance(copy, FakeCopy)
        self.removed.append((copy.metainfo.info.hashes, files))
        del self.copies[copy.metainfo.info.hashes.v2 or b""]

    async def download(self, item: Item, channel: str, key: str) -> str:
        if not item.renditions[0].ih:
            raise UsageError("cannot be had")
        self.downloaded.append(item.guid)
        return item.renditions[0].ih


class Bed:
    """One machine. `now` is the wall clock."""

    def __init__(
        self, scope: Scope, keeper: FakeKeeper, root: Path, net: Net, threads: Threads, writer: FeedWriter | None,
    ) -> None:
        self.net, self.keeper, self.root = net, keeper, root
        self.heads, self.torrents = FakeHeads(net), FakeTorrents(net)
        self.settings = ChannelSettings()
        self.events: list[Event] = []
        self.bugs: list[Exception] = []
        self.now = 1_700_000_000.0
        self.index = Index(root / "channels.sqlite", lambda: self.now)
        self.channels = Channels(
            scope, settings=lambda: self.settings, keeper=keeper, heads=self.heads, torrents=self.torrents,
            index=self.index, writing=threads, searching=threads, publish=self.events.append, report=self.bugs.append,
            wall=lambda: self.now)
        self.author = Author(
            self.channels, self.torrents, ChannelMaker(threads), threads, root / "versions", writer)

    async def followed(self, text: str, **more: object) -> Followed:
        channel = await self.channels.follow(text, **more)  # type: ignore[arg-type]  # as the caller says
        await self.settled(channel.key)
        return self.channels.must(channel.key)

    async def settled(self, key: str, *, look: bool = True) -> Followed:
        """Asked again, and until nothing goes on by itself."""
        if look:
            self.channels.look_soon(key)
        await asyncio.sleep(5)
        return self.channels.must(key)

    async def guids(self, words: str = "", **filters: object) -> list[str]:
        found = await self.channels.search(Query(words, limit=1000, **filters))  # type: ignore[arg-type]  # by name
        return [hit.item.guid for hit in found.hits]

    async def published(self, *items: Item, adopt: bool = False) -> Followed:
        """The channel `birds` with these items, too."""
        there = self.channels.get(key_of("birds"))
        channel = there if there is not None else await self.author.create("birds", FACTS)
        if items:
            await self.author.draft(channel, items)
        await self.author.publish(channel, lambda share: None, adopt=adopt)
        return self.channels.must(channel.key)


@contextlib.asynccontextmanager
async def bed(
    root: Path, net: Net, keeper: FakeKeeper | None = None, writer: FeedWriter | None = None,
) -> AsyncIterator[Bed]:
    async with Scope("test") as scope:
        threads = Threads(1)
        made = Bed(scope, keeper if keeper is not None else FakeKeeper(), root, net, threads, writer)
        await made.author.load()
        await made.channels.load()
        yield made
        await made.channels.close()
        threads.close()
    assert not made.bugs, made.bugs


