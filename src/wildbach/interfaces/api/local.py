"""The Api in the process that has the session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from wildbach.base.settings import Layers
from wildbach.engine import events as engine_events
from wildbach.engine.session import Session
from wildbach.interfaces.api.adding import Adding
from wildbach.interfaces.api.catalog import Catalog
from wildbach.interfaces.api.choices import Choices
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.grouping import Grouping
from wildbach.interfaces.api.jobs import JobList
from wildbach.interfaces.api.logbook import Logbook
from wildbach.interfaces.api.looking import Looking
from wildbach.interfaces.api.making import Making
from wildbach.interfaces.api.whole import Whole
from wildbach.interfaces.settings import ClientSettings
from wildbach.runtime.bus import Lagged
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.library import events as library_events
from wildbach.services.library.library import Library

log = logging.getLogger("wildbach")


class LocalApi(Looking, Adding, Grouping, Whole, Making):
    """All operations of the contract, each in the part it belongs to."""

    def __init__(self, core: Core) -> None:
        self.core = core


@contextlib.asynccontextmanager
async def open_api(
    layers: Layers[ClientSettings], data_dir: Path, *, make_session: Callable[[ClientSettings], Session] | None = None,
    loaded: asyncio.Event | None = None,
) -> AsyncIterator[LocalApi]:
    """A session with its library, as the data directory remembers them. The list can be asked for at once; it grows
    until `loaded` is set. Raises StorageError, NetworkError.
    """
    choices = Choices(layers)
    book = Logbook()
    log.addHandler(book)
    log.setLevel(min(log.level or logging.INFO, logging.INFO))
    try:
        async with contextlib.AsyncExitStack() as stack:
            settings = choices.settings
            made = make_session(settings) if make_session is not None else Session(settings, data_dir=data_dir)
            session = await stack.enter_async_context(made)
            threads = Threads(4)
            stack.callback(threads.close)
            scope = await stack.enter_async_context(Scope("client"))

            def report(error: Exception) -> None:
                log.error("internal error", exc_info=error)

            library = Library(session, scope, lambda: choices.settings, report)
            catalog = Catalog(session, library, scope, report)
            core = Core(
                session, library, catalog, choices, JobList(scope, report), book, scope, threads, report)
            await library.load()
            await choices.apply(session, library)
            stack.push_async_callback(library.close)
            scope.spawn("tell:engine", _tell_engine(session, book), contain=report)
            scope.spawn("tell:library", _tell_library(session, library, choices, book), contain=report)
            scope.spawn("load", _load(core, loaded), contain=report)
            await session.count(started=1)
            yield LocalApi(core)
    finally:
        log.removeHandler(book)


async def _load(core: Core, loaded: asyncio.Event | None) -> None:
    await core.session.restore()
    await core.library.run()
    await core.catalog.run()
    if loaded is not None:
        loaded.set()


async def _tell_engine(session: Session, book: Logbook) -> None:
    kinds = (
        engine_events.TorrentStopped, engine_events.PeerBanned, engine_events.NetworkChanged, engine_events.PortMapped,
        engine_events.PortMappingFailed, engine_events.ExternalAddressChanged, engine_events.MetadataReady,
    )
    with session.subscribe(*kinds) as happenings:
        async for event in happenings:
            match event:
                case engine_events.TorrentStopped():
                    book.happened(event, f"{_name(session, event.torrent)} stopped: {event.reason}", "error")
                case engine_events.PeerBanned():
                    book.happened(event, f"banned {event.peer}: {event.reason}", "warning")
                case engine_events.NetworkChanged():
                    book.happened(event, "the network is back" if event.up else event.reason, "warning")
                case engine_events.PortMapped():
                    book.happened(event, f"the router lets peers in at port {event.external} ({event.protocol})")
                case engine_events.PortMappingFailed():
                    book.happened(event, f"no router lets peers in: {event.reason}")
                case engine_events.ExternalAddressChanged():
                    book.happened(event, f"our address is {event.address}")
                case engine_events.MetadataReady():
                    book.happened(event, f"the metadata of {event.title} is here")
                case Lagged():
                    book.write("warning", f"{event.count} events were not written down")


async def _tell_library(session: Session, library: Library, choices: Choices, book: Logbook) -> None:
    with library.bus.subscribe(
        library_events.DownloadFinished, library_events.LimitReached, library_events.SlowModeChanged
    ) as happenings:
        async for event in happenings:
            match event:
                case library_events.DownloadFinished():
                    await session.count(completed=1)
                    book.happened(event, f"{event.title} is complete")
                case library_events.LimitReached():
                    book.happened(event, f"{event.title}: {event.reason}; {event.action}")
                case library_events.SlowModeChanged():
                    await choices.apply(session, library)
                    book.happened(event, f"slow mode is {'on' if event.on else 'off'}")


def _name(session: Session, key: str) -> str:
    torrent = session.torrent(key)
    return torrent.name if torrent is not None else key
