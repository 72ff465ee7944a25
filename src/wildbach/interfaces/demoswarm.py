"""A swarm on this machine to look at: a tracker and some slow seeds of made-up content, which live in memory only."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from wildbach.base.limits import MIB
from wildbach.disk.storage import Storage
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import (
    ConnectionSettings,
    DhtSettings,
    DiscoverySettings,
    DiskSettings,
    RateSettings,
    Settings,
)
from wildbach.interfaces import maker, scan, scenery
from wildbach.protocol.metainfo import Info, Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, SourceFile
from wildbach.services.tracker.server import TrackerServer


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is to look."""

    name: str
    size: int = 64 * MIB
    seeds: int = 3
    seconds: float = 25.0
    "About how long a download takes."


@contextlib.asynccontextmanager
async def swarm(plan: Plan) -> AsyncIterator[Metainfo]:
    """The torrent, which its tracker and seeds serve until the context ends. It is private, so nobody else hears of
    it. Raises NetworkError.
    """
    async with contextlib.AsyncExitStack() as stack:
        tracker = await stack.enter_async_context(TrackerServer(interval=30))
        await tracker.start()
        found = [SourceFile(parts, length) for parts, length in scenery.files(plan.size)]
        build = BuildPlan(plan.name, found)
        recipe = maker.Recipe(
            trackers=tuple((url,) for url in (tracker.http_url, tracker.udp_url) if url is not None), private=True,
            comment="made up for a demonstration; its seeds live in wildbach itself")
        torrent = await maker.assemble(
            build, scenery.Scenery(scan.content_of(build), plan.name), recipe, lambda *_: None)

        def storage(info: Info, _options: AddOptions) -> Storage:
            return scenery.Scenery(info, plan.name)

        for _ in range(plan.seeds):
            session = await stack.enter_async_context(Session(Settings(
                connections=ConnectionSettings(listen=("127.0.0.1:0",)), dht=DhtSettings(enabled=False),
                discovery=DiscoverySettings(lsd=False, upnp=False, natpmp=False), disk=DiskSettings(workers="threads"),
                rates=RateSettings(up=int(plan.size / plan.seconds / plan.seeds), limit_local=True),
            ), storage=storage))
            seed = await session.add(torrent, AddOptions(seed_only=True, skip_check=True))
            await seed.complete()
        yield torrent
