"""Sites without a network: heads and torrents in memory, and the service on top of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec

from api_fakes import FakeKeeper
from cli_torrents import torrent_of, write_content
from wildbach.base.errors import FormatError, NetworkError, StorageError, UsageError
from wildbach.base.events import Event
from wildbach.base.ids import InfoHashes
from wildbach.protocol import payouts
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.sites import SiteLink
from wildbach.runtime.tasks import Scope
from wildbach.services.sites.seams import Built, Copy, Head, Progress, Sent, Stamps
from wildbach.services.sites.service import Sites
from wildbach.services.sites.settings import SiteSettings
from wildbach.services.sites.state import Site
from wildbach.testing.loop import sim

P = ParamSpec("P")
Files = Mapping[tuple[str, ...], bytes]
ONE: Files = {("index.html",): b"<h1>one</h1>", ("style.css",): b"h1{}", ("docs", "index.html"): b"docs",
              ("img", "x.png"): bytes(range(256)) * 20}
TWO: Files = {**ONE, ("index.html",): b"<h1>two</h1>", ("new.txt",): b"new"}


def story(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **given: P.kwargs) -> None:
        sim(1).run(test(*args, **given))

    return run


def key_of(name: str) -> bytes:
    return sha256(name.encode()).digest()


class FakeHeads:
    def __init__(self) -> None:
        self.heads: dict[bytes, Head] = {}
        self.asked: list[bytes] = []
        self.forgotten: list[bytes] = []
        self.told: dict[bytes, Callable[[], None]] = {}
        self.silent = False
        self.broken = False
        self.keys: dict[str, bytes] = {}
        self.ahead = False

    def put(self, key: bytes, hashes: InfoHashes, seq: int, signer: bytes = b"") -> None:
        self.heads[key] = Head(hashes, seq, signer)
        if key in self.told:
            self.told[key]()

    async def newest(self, key: bytes, link: str) -> Head | None:
        self.asked.append(key)
        if self.silent:
            raise NetworkError("the DHT has no nodes")
        if self.broken:
            raise FormatError("what was published there last is no torrent")
        return self.heads.get(key)

    async def public_key(self, name: str, *, make: bool) -> bytes | None:
        if name not in self.keys and make:
            self.keys[name] = key_of(name)
        return self.keys.get(name)

    async def publish(self, name: str, hashes: InfoHashes, *, adopt: bool) -> Sent:
        if self.silent:
            raise NetworkError("the DHT has no nodes")
        if self.ahead and not adopt:
            raise UsageError("the network has a newer head", code="head_ahead")
        key = self.keys[name]
        seq = self.heads[key].seq + 1 if key in self.heads else 1
        self.put(key, hashes, seq)
        return Sent(key, seq, 8)

    def forget(self, key: bytes) -> None:
        self.forgotten.append(key)

    def tell(self, key: bytes, told: Callable[[], None] | None) -> None:
        if told is None:
            self.told.pop(key, None)
        else:
            self.told[key] = told


class FakeReader:
    def __init__(self, copy: FakeCopy, data: bytes) -> None:
        self._copy, self._data = copy, data
        self.size, self.tag = len(data), "tag"

    async def read(self, offset: int, limit: int) -> bytes:
        await self._copy.there.wait()
        if self._copy.failure:
            raise StorageError(self._copy.failure)
        return self._data[offset : offset + min(limit, 1000)]


class FakeCopy:
    """A torrent of files in memory; its metadata and its content come when the test says so."""

    def __init__(self, metainfo: Metainfo, files: Files, *, folder: Path | None = None) -> None:
        self._metainfo, self._files = metainfo, files
        self.hashes = metainfo.info.hashes
        self.folder = folder
        self.known = asyncio.Event()
        self.there = asyncio.Event()
        self.begun = False
        self.failure = ""
        self.pinned = False
        self.reading = 0
        self.opened = 0

    @property
    def info(self) -> Info | None:
        return self._metainfo.info if self.known.is_set() else None

    @property
    def metainfo(self) -> Metainfo | None:
        return self._metainfo if self.known.is_set() else None

    @property
    def whole(self) -> bool:
        return self.there.is_set() and not self.failure

    async def metadata(self) -> Info:
        await self.known.wait()
        return self._metainfo.info

    async def begin(self) -> None:
        self.begun = True

    async def complete(self) -> None:
        await self.there.wait()
        if self.failure:
            raise StorageError(self.failure, code="disk_full")

    @contextlib.asynccontextmanager
    async def open(self, file: int) -> AsyncIterator[FakeReader]:
        self.opened += 1
        self.reading += 1
        try:
            yield FakeReader(self, self._files[self._metainfo.info.files[file].path.parts])
        finally:
            self.reading -= 1

    def progress(self) -> Progress:
        size = self._metainfo.info.size if self.known.is_set() else 0
        return Progress(size if self.whole else 0, size, 2, 1, 0.0, "" if self.whole else "no peer is known")

    def come(self) -> FakeCopy:
        self.known.set()
        self.there.set()
        return self


class FakeTorrents:
    def __init__(self) -> None:
        self.copies: dict[bytes, FakeCopy] = {}
        self.elsewhere: dict[bytes, tuple[Metainfo, Files]] = {}
        "What can be fetched."
        self.removed: list[InfoHashes] = []
        self.touched: list[InfoHashes] = []
        self.met: list[str] = []
        self.fetched: list[InfoHashes] = []
        self.at_once = True
        self.back = asyncio.Event()
        self.back.set()

    def offer(self, files: Files, name: str = "site") -> Metainfo:
        made = torrent_of(dict(files), name=name)
        self.elsewhere[made.info.hashes.v2 or b""] = (made, files)
        return made

    async def ready(self) -> None:
        await self.back.wait()

    def find(self, hashes: InfoHashes) -> FakeCopy | None:
        return self.copies.get(hashes.v2 or b"")

    async def fetch(
        self, hashes: InfoHashes, *, link: str, web_seeds: tuple[str, ...], similar: Copy | None, name: str,
    ) -> FakeCopy:
        made, files = self.elsewhere[hashes.v2 or b""]
        self.fetched.append(hashes)
        copy = self.copies[hashes.v2 or b""] = FakeCopy(made, files)
        if self.at_once:
            copy.come()
        return copy

    async def seed(self, metainfo: Metainfo, folder: Path, *, name: str) -> FakeCopy:
        files = {file.path.parts: folder.joinpath(*file.path.parts).read_bytes() for file in metainfo.info.files}
        copy = self.copies[metainfo.info.hashes.v2 or b""] = FakeCopy(metainfo, files, folder=folder).come()
        return copy

    async def meet(self, copy: Copy, link: str) -> None:
        self.met.append(link)

    def touch(self, copy: Copy) -> None:
        assert isinstance(copy, FakeCopy)
        self.touched.append(copy.hashes)

    async def pin(self, copy: Copy, pinned: bool) -> None:
        assert isinstance(copy, FakeCopy)
        copy.pinned = pinned

    async def remove(self, copy: Copy) -> None:
        assert isinstance(copy, FakeCopy)
        self.removed.append(copy.hashes)
        del self.copies[copy.hashes.v2 or b""]


class FakeMaker:
    """Reads a folder, without hidden files."""

    def __init__(self) -> None:
        self.touched: tuple[str, ...] = ()

    async def build(
        self, folder: Path, name: str, *, known: tuple[Metainfo, Stamps] | None, web_seeds: tuple[str, ...],
        hidden: bool, progress: Callable[[float], None],
    ) -> Built:
        files = {
            path.relative_to(folder).parts: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        progress(1.0)
        stamps = {"/".join(parts): (len(data), 1) for parts, data in files.items()}
        return Built(torrent_of(files, name=name), stamps, (), sum(map(len, files.values())))

    async def name_payout(self, folder: Path, payout: str) -> None:
        write_content(folder, {payouts.PATH: payouts.with_payout(None, payout)})

    async def changed(self, folder: Path, stamps: Stamps) -> tuple[str, ...]:
        return self.touched


class Bed:
    """`sites` with all it needs. `now` is the wall clock."""

    def __init__(self, scope: Scope, keeper: FakeKeeper) -> None:
        self.heads, self.torrents, self.keeper = FakeHeads(), FakeTorrents(), keeper
        self.settings = SiteSettings()
        self.events: list[Event] = []
        self.bugs: list[Exception] = []
        self.now = 1_000_000.0
        self.sites = Sites(
            scope, settings=lambda: self.settings, keeper=keeper, heads=self.heads, torrents=self.torrents,
            publish=self.events.append, report=self.bugs.append, wall=lambda: self.now)

    def publish(self, key: bytes, files: Files, seq: int, signer: bytes = b"") -> Metainfo:
        """As if somebody elsewhere had."""
        made = self.torrents.offer(files)
        self.heads.put(key, made.info.hashes, seq, signer)
        return made

    async def opened(self, key: bytes, **more: object) -> Site:
        await self.sites.open(SiteLink(key), **more)  # type: ignore[arg-type]  # as the caller says
        await self.settled(key)
        site = self.sites.get(key)
        assert site is not None
        return site

    async def settled(self, key: bytes) -> None:
        """Until nothing goes on by itself."""
        for _ in range(200):
            await asyncio.sleep(0)

    def copy(self, made: Metainfo) -> FakeCopy:
        found = self.torrents.find(made.info.hashes)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def bed(keeper: FakeKeeper | None = None) -> AsyncIterator[Bed]:
    async with Scope("test") as scope:
        made = Bed(scope, keeper if keeper is not None else FakeKeeper())
        await made.sites.load()
        yield made
        await made.sites.close()
    assert not made.bugs, made.bugs
