"""Whole clients for tests: sessions on loopback with their library, and content on a real disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from cli_torrents import CONTENT, torrent_of, write_content
from wildbach.base.settings import Layers
from wildbach.interfaces.api.local import LocalApi, open_api
from wildbach.interfaces.settings import ClientSettings
from wildbach.protocol.metainfo import Metainfo

QUIET: Mapping[str, object] = {
    "connections.listen": ["127.0.0.1:0"], "dht.enabled": False, "discovery.lsd": False, "discovery.upnp": False,
    "discovery.natpmp": False, "disk.workers": "threads", "trackers.dns_preferences": False,
    "rates.limit_local": True, "media.listen": "127.0.0.1:0",
}


def layers_for(folder: Path, **more: object) -> Layers[ClientSettings]:
    flags = dict(QUIET) | {"downloads.folder": str(folder / "downloads"), "downloads.allowed": [str(folder)]}
    return Layers(ClientSettings, file={**flags, **{key.replace("__", "."): value for key, value in more.items()}})


@contextlib.asynccontextmanager
async def client(folder: Path, **more: object) -> AsyncIterator[LocalApi]:
    """A client whose data is in `folder`; keyword arguments are settings, `queue__downloads=1`."""
    loaded = asyncio.Event()
    async with open_api(layers_for(folder, **more), folder / "data", loaded=loaded) as api:
        await loaded.wait()
        yield api


def seed_content(folder: Path, name: str = "things", **kind: object) -> Metainfo:
    """A torrent whose files are in the download folder already."""
    torrent = torrent_of(name=name, **kind)  # type: ignore[arg-type]  # passed through
    write_content(folder / "downloads" / name, CONTENT)
    return torrent


async def until(what: Callable[[], bool], api: LocalApi, seconds: float = 20.0) -> None:
    """Returns when it is so; looked at whenever the list changed."""
    async with asyncio.timeout(seconds):
        while not what():
            api.core.catalog.news.clear()
            if what():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(api.core.catalog.news.wait(), 0.2)
