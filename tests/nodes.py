"""Whole sessions on simulated machines, with their content in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import cast

from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.resume import ResumeStore
from wildbach.disk.storage import Storage
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session, Source
from wildbach.engine.settings import ConnectionSettings, DiskSettings, PeerSettings, Settings
from wildbach.engine.torrent import Torrent
from wildbach.net.utp import UtpTransport
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, hash_pieces
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.testing.content import Content
from wildbach.testing.nat import NatKind
from wildbach.testing.network import Host, Link, MemoryDatagrams, MemoryTransport, Network

PORT = 6881
EPOCH = 1_800_000_000
"The date at which simulated time begins, in seconds since 1970."


@dataclass(frozen=True)
class Made:
    """A torrent and its bytes."""

    metainfo: Metainfo
    contents: tuple[bytes, ...]

    def linear(self, offset: int, length: int) -> bytes:
        return b"".join(
            self.contents[e.file][e.offset : e.offset + e.length]
            for e in self.metainfo.info.geometry.extents(offset, length)
        )

    def piece(self, index: int) -> bytes:
        geometry = self.metainfo.info.geometry
        return self.linear(index * geometry.piece_length, geometry.piece_size(index))

    @property
    def told(self) -> Content:
        """As scripted peers know it."""
        return cast(Content, Told(self))


class Told:
    """Stands in for `testing.content.Content`, which is a v1 torrent of one file, with a torrent of any kind."""

    def __init__(self, made: Made) -> None:
        info = made.metainfo.info
        self._made = made
        self._geometry = info.geometry
        self.info = info.raw
        self.swarm = info.hashes.swarms[0]
        self.pieces = info.geometry.piece_count
        self.piece_length = info.piece_length

    def block(self, piece: int, offset: int, length: int) -> bytes:
        data = self._made.piece(piece)[offset : offset + length]
        return data + bytes(length - len(data))  # what a v1 peer has behind a hybrid's short piece

    def blocks(self, piece: int) -> list[tuple[int, int]]:
        size = self._geometry.piece_size(piece)
        return [(offset, min(BLOCK, size - offset)) for offset in range(0, size, BLOCK)]


def make(
    kind: Kind, sizes: Mapping[str, int], *, piece_length: int = 65536, seed: int = 1, private: bool = False,
) -> Made:
    rng = Random(seed)
    data = {tuple(name.split("/")): rng.randbytes(size) for name, size in sizes.items()}
    sources = [SourceFile(path, len(content)) for path, content in data.items()]
    plan = BuildPlan("made", sources, kind=kind, piece_length=piece_length)
    contents = tuple(data[source.path] for source in plan.files)
    for pieces in plan.jobs():
        plan.add(pieces, *hash_pieces(plan, pieces, lambda file, at, length: contents[file][at : at + length]))
    return Made(plan.finish(private=private), contents)


def settings(**peers: object) -> Settings:
    return Settings(
        ConnectionSettings(listen=(f"0.0.0.0:{PORT}",)), peers=replace(PeerSettings(encryption="off"), **peers),  # type: ignore[arg-type]
        disk=DiskSettings(workers="threads", memory=8 << 20),
    )


@dataclass
class Node:
    """One machine with a session."""

    host: Host
    session: Session
    filled: dict[str, Made] = field(default_factory=dict)
    "What storages that are opened from now on hold, by torrent key."
    stores: dict[str, MemoryStorage] = field(default_factory=dict)

    @property
    def at(self) -> Endpoint:
        return Endpoint(self.host.address, PORT)

    async def add(self, source: Source, *peers: Endpoint, **options: object) -> Torrent:
        return await self.session.add(source, AddOptions(peers=peers, **options))  # type: ignore[arg-type]

    async def seed(self, made: Made, *peers: Endpoint, **options: object) -> Torrent:
        self.filled[made.metainfo.info.hashes.key] = made
        torrent = await self.add(made.metainfo, *peers, skip_check=True, **options)
        await torrent.complete()
        return torrent

    def holds(self, made: Made) -> bool:
        """All of the content is here, byte for byte."""
        info = made.metainfo.info
        store = self.stores[info.hashes.key]
        for piece in range(info.geometry.piece_count):
            buffer = bytearray(info.geometry.piece_size(piece))
            store.read_into(piece * info.piece_length, [memoryview(buffer)])
            if buffer != made.piece(piece):
                return False
        return True


@asynccontextmanager
async def node(
    network: Network, seed: int = 0, chosen: Settings | None = None, *, behind: NatKind | None = None,
    utp: str = "", host: Host | None = None, udp: bool = False, resume: ResumeStore | None = None, **link: float,
) -> AsyncIterator[Node]:
    """A session on a machine of its own, `behind` a router where one is named. Its ids and choices follow from `seed`.
    `utp`: all its streams are such, `fluid` ones of the simulator that look so to routers, or `real` ones made of
    packets, at one socket with other datagrams as in the client. `udp`: it speaks in datagrams too.
    """
    if host is None:
        host = network.host(**link) if behind is None else network.home(behind, **link)  # type: ignore[arg-type]
    road: MemoryTransport | UtpTransport | None = None
    datagrams = MemoryDatagrams(host)
    if utp == "real":
        datagrams.open([Endpoint("0.0.0.0", PORT)])
        road = UtpTransport(datagrams, rng=Random(seed))
        if link.get("up"):
            host.link = Link(link["up"], 0.5)
    elif utp:
        road = MemoryTransport(host, PORT)
    stores: dict[str, MemoryStorage] = {}
    filled: dict[str, Made] = {}

    def open_storage(info: Info, _options: AddOptions) -> Storage:
        store = stores[info.hashes.key] = MemoryStorage(info)
        made = filled.get(info.hashes.key)
        if made is not None:
            for piece in range(info.geometry.piece_count):
                store.write(piece * info.piece_length, [memoryview(made.piece(piece))])
        return store

    rng = Random(hashlib.sha256(f"{seed} {host.address}".encode()).digest())
    session = Session(
        chosen or settings(), transport=road or host.transport, utp=road, storage=open_storage, rng=rng, announcers=(),
        resume=resume, datagrams=datagrams if udp else None,
        wall=lambda: EPOCH + asyncio.get_running_loop().time(),
    )
    async with session:
        yield Node(host, session, filled, stores)
        # A bug that was survived is a bug.
        assert session.internal_errors == 0
    if isinstance(road, UtpTransport):
        road.close()


async def done(*torrents: Torrent, seconds: float = 600.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            for torrent in torrents:
                await torrent.complete()
    except TimeoutError:
        raise AssertionError("\n".join(f"{t.view()}\n{t.peers()}" for t in torrents)) from None
