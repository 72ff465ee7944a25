"""The Api in the process that has the session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from wildbach.base.ids import FolderId
from wildbach.base.settings import Layers
from wildbach.base.words import clean, plural
from wildbach.disk.keys import Keys
from wildbach.engine import events as engine_events
from wildbach.engine.session import Session
from wildbach.interfaces import config
from wildbach.interfaces.api.catalog import Catalog
from wildbach.interfaces.api.channelfeed import ChannelFeed
from wildbach.interfaces.api.channeling import Channeling
from wildbach.interfaces.api.channelparts import ChannelHeads, ChannelTorrents
from wildbach.interfaces.api.choices import Choices
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.countries import Countries
from wildbach.interfaces.api.demonstrating import Demonstrating
from wildbach.interfaces.api.doctoring import Doctoring
from wildbach.interfaces.api.entering import Entering
from wildbach.interfaces.api.feeding import Feeding
from wildbach.interfaces.api.freespace import FreeSpace
from wildbach.interfaces.api.grouping import Grouping
from wildbach.interfaces.api.importing import Importing
from wildbach.interfaces.api.jobs import JobList
from wildbach.interfaces.api.keeping import Keeping, Keyring
from wildbach.interfaces.api.logbook import Logbook
from wildbach.interfaces.api.looking import Looking
from wildbach.interfaces.api.making import Making
from wildbach.interfaces.api.notifying import Notifying
from wildbach.interfaces.api.paying import Paying
from wildbach.interfaces.api.playing import Playing, plays_of
from wildbach.interfaces.api.previewing import Looks, Previewing
from wildbach.interfaces.api.seeding import SeedingPart
from wildbach.interfaces.api.siteparts import SiteHeads, SiteTorrents
from wildbach.interfaces.api.siting import Siting
from wildbach.interfaces.api.sponsoring import SponsoringPart
from wildbach.interfaces.api.storing import Storing
from wildbach.interfaces.api.syncing import Syncing
from wildbach.interfaces.api.walleting import Walleting
from wildbach.interfaces.api.watching import Hooks, Watcher
from wildbach.interfaces.api.whole import Whole
from wildbach.interfaces.channelmaker import ChannelMaker
from wildbach.interfaces.purse import Purse
from wildbach.interfaces.settings import ClientSettings
from wildbach.interfaces.shop import Shop
from wildbach.interfaces.sitemaker import SiteMaker
from wildbach.interfaces.syncways import host_name, ways_of
from wildbach.interfaces.web import DIST
from wildbach.runtime.bus import Lagged
from wildbach.runtime.rng import seeded
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.channels import events as channel_events
from wildbach.services.channels.authoring import Author
from wildbach.services.channels.index import Index
from wildbach.services.channels.service import Channels
from wildbach.services.feeds import events as feed_events
from wildbach.services.feeds.service import Feeds
from wildbach.services.library import events as library_events
from wildbach.services.library.library import Library
from wildbach.services.notices import notifier as notices
from wildbach.services.notices.notifier import Notifier
from wildbach.services.sites import events as site_events
from wildbach.services.sites.publishing import Publisher
from wildbach.services.sites.service import Sites
from wildbach.services.stream.positions import Positions
from wildbach.services.stream.tokens import Tokens
from wildbach.services.sync.events import SyncChanged
from wildbach.services.sync.service import SyncService

log = logging.getLogger("wildbach")


class LocalApi(
    Playing, Looking, Feeding, Previewing, Grouping, Whole, Making, Importing, Doctoring, Entering, Notifying,
    Demonstrating, Siting, Storing, Keeping, Channeling, Walleting, Paying, SponsoringPart, SeedingPart, Syncing,
):
    """All operations of the contract, each in the part it belongs to."""

    def __init__(self, core: Core, notifier: Notifier) -> None:
        self.core = core
        self.looks = Looks(core.scope, core.report)
        self.notifier = notifier
        self.tokens = Tokens(core.session)
        self.plays = plays_of(self)
        self.positions = Positions(core.session, time.time, core.report)


@contextlib.asynccontextmanager
async def open_api(
    layers: Layers[ClientSettings], data_dir: Path, *, make_session: Callable[[ClientSettings], Session] | None = None,
    loaded: asyncio.Event | None = None, config_path: Path | None = None,
) -> AsyncIterator[LocalApi]:
    """A session with its library, as the data directory remembers them. The list can be asked for at once; it grows
    until `loaded` is set. `config_path`: the configuration file. Raises StorageError, NetworkError.
    """
    book = Logbook()
    log.addHandler(book)
    log.setLevel(min(log.level or logging.INFO, logging.INFO))
    try:
        async with contextlib.AsyncExitStack() as stack:
            threads = Threads(4)
            stack.callback(threads.close)
            choices = Choices(layers, threads)
            settings = choices.settings
            made = make_session(settings) if make_session is not None else Session(settings, data_dir=data_dir)
            session = await stack.enter_async_context(made)
            scope = await stack.enter_async_context(Scope("client"))

            def report(error: Exception) -> None:
                log.error("internal error", exc_info=error)

            library = Library(session, scope, lambda: choices.settings, report)
            catalog = Catalog(session, library, scope, report)
            core = Core(
                session, library, catalog, choices, JobList(scope, report), book, scope, threads, report,
                FreeSpace(scope, threads, report),
                Countries(threads, lambda: _countries(choices.settings)),
                own=own_places(settings, data_dir, config_path))
            await library.load()
            await choices.apply(session, library)
            stack.push_async_callback(library.close)
            hooks = Hooks(core)
            obstacle, proxy = await threads.run(notices.way, settings)
            notifier = Notifier(
                scope, lambda: choices.settings.notify, obstacle=obstacle, proxy=proxy, log=book.write, report=report)
            scope.spawn("tell:engine", _tell_engine(core, hooks, notifier), contain=report)
            scope.spawn("tell:library", _tell_library(core, hooks, notifier), contain=report)
            scope.spawn("load", _load(core, loaded), contain=report)
            await session.count(started=1)
            api = LocalApi(core, notifier)
            keys = Keys(data_dir)
            session.mutables.use_keys(keys)
            api.keyring = Keyring(keys, threads, session.mutables, time.time)
            await api.tokens.load()
            await api.positions.load()
            patterns = Threads(1, "feeds")
            "Patterns may keep it busy for a while; nothing else waits behind them."
            stack.callback(patterns.close)
            api.feed_service = feeds = Feeds(
                scope, patterns, settings=lambda: choices.settings.feeds, keeper=session, fetcher=session.http,
                taker=api, publish=library.bus.publish, report=report,
            )
            await feeds.load()
            stack.push_async_callback(feeds.close)
            api.site_service = sites = Sites(
                scope, settings=lambda: choices.settings.sites, keeper=session,
                heads=SiteHeads(session, keys, core), torrents=SiteTorrents(core, core.restored),
                publish=library.bus.publish, report=report)
            api.site_publisher = Publisher(sites, session, SiteMaker(threads))
            await sites.load()
            stack.push_async_callback(sites.close)
            await _open_channels(api, data_dir, stack)
            await _open_purse(api, data_dir, stack)
            await _open_sync(api, data_dir, stack)
            scope.spawn("watch", Watcher(api).run(), contain=report)
            yield api
    finally:
        log.removeHandler(book)


async def _open_channels(api: LocalApi, data_dir: Path, stack: contextlib.AsyncExitStack) -> None:
    core, library = api.core, api.core.library
    writing, searching = Threads(1, "channels"), Threads(1, "search")
    "A search waits for no update."
    stack.callback(writing.close)
    stack.callback(searching.close)
    torrents = ChannelTorrents(core, core.restored)
    api.channel_service = channels = Channels(
        core.scope, settings=lambda: core.settings.channels, keeper=core.session,
        heads=ChannelHeads(core.session, Keys(data_dir), core), torrents=torrents,
        index=Index(data_dir / "channels.sqlite", time.time), writing=writing, searching=searching,
        publish=library.bus.publish, report=core.report)
    api.channel_author = author = Author(
        channels, torrents, ChannelMaker(core.threads), core.threads, data_dir / "channels", ChannelFeed())
    await author.load()
    await channels.load()
    stack.push_async_callback(channels.close)


async def _open_purse(api: LocalApi, data_dir: Path, stack: contextlib.AsyncExitStack) -> None:
    core = api.core
    threads = Threads(1, "wallet")
    stack.callback(threads.close)
    purse = Purse(
        core.settings.chain, data_dir / "wallet", core.session, lambda: core.session.http, core.scope, threads,
        seeded(), core.report)
    stack.callback(purse.close)
    api.open_purse(purse)
    await purse.begin()
    await _open_shop(api, data_dir, stack)


async def _open_shop(api: LocalApi, data_dir: Path, stack: contextlib.AsyncExitStack) -> None:
    core = api.core
    threads = Threads(1, "ledger")
    stack.callback(threads.close)
    api.shop = shop = Shop(
        core.session, api.purse, lambda: core.settings.pay, data_dir / "wallet", core.scope, threads, seeded(),
        core.report)

    async def follow(_settings: ClientSettings) -> None:
        shop.changed()

    core.choices.followers.append(follow)
    await shop.begin()
    stack.push_async_callback(shop.close)


async def _open_sync(api: LocalApi, data_dir: Path, stack: contextlib.AsyncExitStack) -> None:
    core = api.core
    rng = seeded()

    def changed(folder: FolderId) -> None:
        core.library.bus.publish(SyncChanged(folder.hex()))

    api.sync = service = SyncService(
        data_dir, core.session, ways_of(core.session, lambda: core.settings.sync, rng, core.report), core.scope, rng,
        changed=changed, report=core.report)
    stack.push_async_callback(service.close)
    await service.begin(host_name())


def _countries(settings: ClientSettings) -> Path:
    return Path(settings.api.countries).expanduser() if settings.api.countries else DIST / "countries.mmdb"


async def _load(core: Core, loaded: asyncio.Event | None) -> None:
    await core.session.restore()
    core.restored.set()
    await core.library.run()
    await core.catalog.run()
    if loaded is not None:
        loaded.set()


async def _tell_engine(core: Core, hooks: Hooks, notifier: Notifier) -> None:
    """Write down what people may want to know later, run what they want to be run, and notify whom they named."""
    session, book = core.session, core.log
    kinds = (
        engine_events.TorrentStopped, engine_events.PeerBanned, engine_events.NetworkChanged, engine_events.PortMapped,
        engine_events.PortMappingFailed, engine_events.ExternalAddressChanged, engine_events.MetadataReady,
        engine_events.KeyRotated, engine_events.RecoveryDiffers,
        engine_events.CacheEvicted,
    )
    with session.subscribe(*kinds) as happenings:
        async for event in happenings:
            match event:
                case engine_events.TorrentStopped():
                    book.happened(event, f"{_name(session, event.torrent)} stopped: {event.reason}", "error")
                    hooks.happened(core.settings.hooks.failed, facts_of(core, event.torrent) | {"reason": event.reason})
                    full = event.code == "disk_full"
                    notifier.happened(
                        "disk_full" if full else "error", "The disk is full" if full else "A torrent stopped",
                        f"{_name(session, event.torrent)}: {event.reason}")
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
                case engine_events.CacheEvicted():
                    size = plural(event.size, "byte")
                    book.happened(event, f"{event.title} ({event.owner}, {size}) left the cache")
                case engine_events.MetadataReady():
                    book.happened(event, f"the metadata of {event.title} is here")
                case engine_events.KeyRotated():
                    book.happened(event, f"the key {event.public_key} has given way to {event.next_key}", "warning")
                case engine_events.RecoveryDiffers():
                    book.happened(
                        event, f"under the key {event.public_key} another recovery key is named, {event.recovery}: "
                        "by its owner, or by a thief; nothing changes", "warning")
                case Lagged():
                    book.write("warning", f"{event.count} events were not written down")


async def _tell_library(core: Core, hooks: Hooks, notifier: Notifier) -> None:
    session, library, book = core.session, core.library, core.log
    with library.bus.subscribe(
        library_events.TorrentEnlisted, library_events.DownloadFinished, library_events.LimitReached,
        library_events.SlowModeChanged, library_events.LeechBanned, feed_events.FeedFailed, feed_events.ArticleFailed,
        feed_events.RuleMatched, site_events.SiteUpdated, site_events.SiteFailed,
        site_events.SitePayoutChanged,
        channel_events.ChannelUpdated, channel_events.ChannelFailed, channel_events.PayoutChanged,
    ) as happenings:
        async for event in happenings:
            match event:
                case library_events.TorrentEnlisted():
                    hooks.happened(core.settings.hooks.added, facts_of(core, event.torrent))
                    notifier.happened("added", "Added", _name(session, event.torrent))
                case library_events.DownloadFinished():
                    await session.count(completed=1)
                    book.happened(event, f"{event.title} is complete")
                    hooks.happened(core.settings.hooks.complete, facts_of(core, event.torrent))
                    notifier.happened("complete", "Download complete", event.title)
                    await _check_again(core, event.torrent)
                case library_events.LimitReached():
                    book.happened(event, f"{event.title}: {event.reason}; {event.action}")
                    notifier.happened("limit", "A torrent has given enough", f"{event.title}: {event.reason}")
                case library_events.LeechBanned():
                    book.happened(event, f"banned {event.peer}: {event.reason}")
                case library_events.SlowModeChanged():
                    await core.choices.apply(session, library)
                    book.happened(event, f"slow mode is {'on' if event.on else 'off'}")
                case feed_events.FeedFailed():
                    book.happened(event, f"the feed {event.title}: {event.reason}", "warning")
                    notifier.happened("feed_failed", "A feed cannot be fetched", f"{event.title}: {event.reason}")
                case feed_events.RuleMatched():
                    notifier.happened("feed_match", f"The rule {clean(event.rule)} took an article", event.title)
                case site_events.SiteUpdated():
                    book.happened(event, f"the site {event.title or event.site} has number {event.seq} now")
                case site_events.SiteFailed():
                    book.happened(event, f"the site {event.title or event.site}: {event.reason}", "warning")
                case site_events.SitePayoutChanged():
                    book.happened(
                        event, f"the site {event.title or event.site} names another address for tips: "
                        f"{event.now or 'none'}, which was {event.former}; its owner changed it, or a thief", "warning")
                case channel_events.ChannelUpdated():
                    if event.new:
                        book.happened(event, f"the channel {event.title} has {plural(event.new, 'new item')}")
                case channel_events.ChannelFailed():
                    book.happened(event, f"the channel {event.title}: {event.reason}", "warning")
                case channel_events.PayoutChanged():
                    book.happened(
                        event, f"the channel {event.title} names another address for tips: {event.now or 'none'}, "
                        f"which was {event.former}; its owner changed it, or a thief", "warning")
                case feed_events.ArticleFailed():
                    book.happened(event, f"{event.title}: {event.reason}", "warning")


async def _check_again(core: Core, key: str) -> None:
    """Hash a download once more, where that is wanted."""
    torrent = core.session.torrent(key)
    if torrent is not None and core.settings.downloads.recheck and torrent.received:
        core.scope.spawn(f"recheck:{key[:8]}", torrent.recheck(), contain=core.report)


def facts_of(core: Core, key: str) -> dict[str, str]:
    """What commands get to know of a torrent."""
    torrent = core.session.torrent(key)
    if torrent is None:
        return {"key": key, "name": key, "path": "", "category": "", "tags": "", "size": "", "tracker": ""}
    row = core.catalog.row(torrent)
    return {
        "key": key, "name": row.name, "path": row.content_path, "category": row.category, "tags": ",".join(row.tags),
        "size": str(row.size), "tracker": row.tracker,
    }


def own_places(settings: ClientSettings, data_dir: Path, config_path: Path | None) -> tuple[Path, ...]:
    """What no torrent may be put into, or around: the state, that of `wildbach get` beside it, the configuration file
    also where it is not there yet, and what TLS needs.
    """
    state = data_dir.absolute()
    own = [state, state.parent / "folders", (config_path or config.default_path()).absolute()]
    own += [Path(text).absolute() for text in (settings.api.tls_certificate, settings.api.tls_key) if text]
    return tuple(own)


def _name(session: Session, key: str) -> str:
    torrent = session.torrent(key)
    return torrent.name if torrent is not None else key
