"""A seed, and a session with a cache that fetches from it: what the tests of the content store stand on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

from cli_torrents import torrent_of, write_content
from wildbach.engine import session as sessions
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import (
    ConnectionSettings,
    ContentSettings,
    DhtSettings,
    DiscoverySettings,
    DiskSettings,
    Settings,
)
from wildbach.engine.torrent import Torrent
from wildbach.protocol.metainfo.document import Metainfo

SIZE = 100_000
"Bytes of one film."


def settings(quota: int = 10 * SIZE, *, min_free: int = 0, percent: int = 100, reuse: str = "copy") -> Settings:
    return Settings(
        ConnectionSettings(listen=("127.0.0.1:0",)), dht=DhtSettings(enabled=False),
        discovery=DiscoverySettings(lsd=False, upnp=False, natpmp=False),
        disk=DiskSettings(workers="threads", memory=8 << 20, reuse=reuse),
        content=ContentSettings(quota, percent, min_free),
    )


class Films:
    """A session that seeds films as they are asked for."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self._folder = folder

    async def film(self, name: str, files: dict[tuple[str, ...], bytes] | None = None) -> Metainfo:
        files = files if files is not None else {("film.mkv",): os.urandom(SIZE)}
        made = torrent_of(files, name=name)
        write_content(self._folder / name, files)
        await (await self._session.add(made, AddOptions(save_path=self._folder, seed_only=True))).complete()
        return made

    def cached(self, owner: str = "stream") -> AddOptions:
        return AddOptions(cache=owner, peers=(self._session.listening[0],))

    async def fetched(self, session: Session, made: Metainfo, owner: str = "stream") -> Torrent:
        torrent = await session.add(made, self.cached(owner))
        await torrent.complete()
        return torrent


@asynccontextmanager
async def films(tmp_path: Path) -> AsyncIterator[Films]:
    # Peers of a torrent are called when its next second begins: ten films would take ten seconds.
    with mock.patch.object(sessions, "_SLOW_SECONDS", 0.1):
        async with Session(replace(settings())) as session:
            yield Films(session, tmp_path / "seed")


def caching(tmp_path: Path, quota: int = 10 * SIZE, **more: int) -> Session:
    return Session(settings(quota, **more), data_dir=tmp_path / "data")


def on_disk(tmp_path: Path) -> set[str]:
    """The films that the cache has files of."""
    return {path.name for path in (tmp_path / "data" / "cache").glob("*/*")}
