"""A session of this engine in the test's own process, beside libtorrents in processes of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.interop.peers.process import JsonProcess

from wildbach.base.ids import Endpoint
from wildbach.engine.session import Session
from wildbach.engine.settings import (
    ConnectionSettings,
    DiskSettings,
    PeerSettings,
    RateSettings,
    Settings,
    TrackerSettings,
)
from wildbach.engine.torrent import Torrent
from wildbach.net.transport import Transport

SECONDS = 30.0


def settings(
    *listen: str, up: int = 0, down: int = 0, trackers: TrackerSettings | None = None, **peers: object,
) -> Settings:
    """For loopback; `up` and `down` are limits that count there too."""
    return Settings(
        ConnectionSettings(listen=listen or ("127.0.0.1:0",)), RateSettings(down, up, limit_local=True),
        replace(PeerSettings(), **peers), DiskSettings(workers="threads"),  # type: ignore[arg-type]
        trackers=trackers or TrackerSettings(),
    )


@asynccontextmanager
async def running(chosen: Settings | None = None) -> AsyncIterator[Session]:
    """A session that must not have met a bug of its own."""
    async with Session(chosen or settings()) as session:
        yield session
        assert session.internal_errors == 0


@asynccontextmanager
async def running_with(chosen: Settings, *, utp: Transport) -> AsyncIterator[Session]:
    """The same with something that stands where uTP does."""
    async with Session(chosen, utp=utp) as session:
        yield session
        assert session.internal_errors == 0


def address(session: Session, number: int = 0) -> Endpoint:
    """Where the session is to be called."""
    return session.listening[number]


async def until(ready: Callable[[], object], seconds: float = SECONDS, story: Callable[[], object] = str) -> None:
    """Wait for something that no event tells of."""
    try:
        async with asyncio.timeout(seconds):
            while not ready():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not so within {seconds:.0f} s: {story()}") from None


async def complete(torrent: Torrent, seconds: float = SECONDS) -> None:
    try:
        async with asyncio.timeout(seconds):
            await torrent.complete()
    except TimeoutError:
        raise AssertionError(f"{torrent.view()}\n{torrent.peers()}\n{torrent.trackers()}") from None


async def heard(process: JsonProcess, *names: str, seconds: float = SECONDS, **match: object) -> dict[str, Any]:
    """The next event of a program that is like this."""
    return await asyncio.to_thread(process.wait, *names, seconds=seconds, **match)


async def told(process: JsonProcess, name: str, **match: object) -> dict[str, Any]:
    """The next message of this name that libtorrent got from a peer."""
    return await heard(process, "log", way="in", name=name, **match)


async def status(process: JsonProcess, id: str = "t") -> dict[str, Any]:
    process.send(cmd="status", id=id)
    return await heard(process, "status", id=id)


async def peers_of(process: JsonProcess, id: str = "t") -> list[dict[str, Any]]:
    process.send(cmd="peers", id=id)
    found: list[dict[str, Any]] = (await heard(process, "peers", id=id))["peers"]
    return found


def messages(process: JsonProcess, way: str, name: str) -> list[str]:
    """What stood in the messages of this name that it has told of so far."""
    return [
        event["facts"] for event in process.events
        if event.get("event") == "log" and event["way"] == way and event["name"] == name
    ]


def add(
    process: JsonProcess, torrent: Path | str, save: Path, *peers: Endpoint, id: str = "t", **options: object,
) -> None:
    """Give libtorrent a torrent file or a magnet link."""
    what = {"torrent": str(torrent)} if isinstance(torrent, Path) else {"magnet": torrent}
    process.send(cmd="add", id=id, save=str(save), peers=[list(peer) for peer in peers], **what, **options)


async def whole(process: JsonProcess, seconds: float = 60) -> None:
    """It has all it wants, whenever that was: what it told before may have been passed over."""
    async with asyncio.timeout(seconds):
        while True:
            process.send(cmd="status", id="t")
            status = await heard(process, "status")
            if status["wanted"] and status["done"] == status["wanted"]:
                return
            await asyncio.sleep(0.05)
