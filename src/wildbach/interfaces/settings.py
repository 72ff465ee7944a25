"""The settings of the client: those of the engine, and those of what is built on it."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.settings import Section, section, setting
from wildbach.engine.settings import Settings
from wildbach.services.chain.settings import ChainSettings
from wildbach.services.channels.settings import ChannelSettings
from wildbach.services.feeds.settings import FeedSettings
from wildbach.services.library.settings import (
    DownloadSettings,
    LeechSettings,
    QueueSettings,
    SeedingSettings,
    SlowModeSettings,
    TrashSettings,
)
from wildbach.services.notices.settings import NotifySettings
from wildbach.services.pay.settings import PaySettings
from wildbach.services.sites.settings import SiteSettings
from wildbach.services.sync.settings import SyncSettings


@dataclass(frozen=True, slots=True)
class ApiSettings(Section):
    """The web interface and the API of the daemon."""

    listen: tuple[str, ...] = setting(
        ("127.0.0.1:8080",),
        "Addresses and ports that the web interface and the API listen at, as ADDRESS:PORT or [ADDRESS]:PORT. "
        "0.0.0.0:8080 is every IPv4 address of this machine. None: only the Unix socket and sockets handed over.",
    )
    unix_socket: bool = setting(
        True, "Also listen at api.sock in the data directory, which only the user that runs wildbach can call.",
    )
    hosts: tuple[str, ...] = setting(
        (), "Names by which browsers may call, besides localhost and literal addresses; *.example.org is every name "
        "below example.org. Other names are refused: a web page could else reach the API by a name of its own.",
        live=True,
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "Addresses or networks of reverse proxies whose X-Forwarded-For, -Proto and -Host are believed.", live=True,
    )
    base_path: str = setting(
        "", "The path below which a reverse proxy shows all this, such as /torrents. Requests with and without it are "
        "answered.",
    )
    tls_certificate: str = setting("", "A file with the certificate and its chain (PEM). Empty: no TLS.")
    tls_key: str = setting("", "A file with the key, where it is not in the same file.")
    session_days: int = setting(
        14, "Days after which a login that is not used is over.", live=True, min=1, max=365, unit="d",
    )
    session_days_longest: int = setting(
        90, "Days after which a login is over in any case.", live=True, min=1, max=3650, unit="d",
    )
    push_seconds: float = setting(
        1.0, "How often what changed is sent to web pages that are open, at most.", live=True, min=0.2, max=60,
        unit="s",
    )
    metrics_public: bool = setting(
        False, "Show /metrics to who is not logged in.", live=True,
    )
    countries: str = setting(
        "", "A file that tells the countries of peers (MMDB, as GeoLite2-Country). Empty: that of the web interface.",
    )
    connections: int = setting(
        1000, "Connections at once; one network holds half of them at most, but for this machine and trusted proxies. "
        "Who has not asked anything makes room for who comes.", min=10, max=100_000)


@dataclass(frozen=True, slots=True)
class MediaSettings(Section):
    """Where players fetch what is played. Never the web interface or the API, and nothing without a link."""

    listen: str = setting(
        "127.0.0.1:9092-9099",
        "Where players of this machine fetch, as HOST:PORT or HOST:FIRST-LAST for the first of these ports that is "
        "free; where none is, any.",
    )
    lan: bool = setting(
        False, "Let televisions, phones and others in the networks of this machine fetch what they have a link to: the "
        "same port on all its addresses.", live=True,
    )
    url: str = setting(
        "", "The URL by which other machines get there, where it is another than the address of this machine: of a "
        "reverse proxy, or a name.", live=True,
    )
    hosts: tuple[str, ...] = setting(
        (), "Names by which players may call, besides media.localhost and literal addresses; *.example.org is every "
        "name below example.org.", live=True,
    )


@dataclass(frozen=True, slots=True)
class HookSettings(Section):
    """Commands. The API neither shows nor changes them: who may use it is not who may run programs here."""

    added: str = setting(
        "", "Run when a torrent was added. {name}, {key}, {path}, {category}, {tags}, {size} and {tracker} stand for "
        "what it is; no shell reads the line.", secret=True)
    complete: str = setting("", "Run when a download is complete.", secret=True)
    failed: str = setting("", "Run when a torrent stopped by itself; {reason} says why.", secret=True)


HOST_ONLY = ("hooks.",)
"Settings that only the configuration file, the environment and flags can have, and that the API does not show."
HOST_CHOSEN = (*HOST_ONLY, "downloads.allowed", "notify.urls", "api.countries", "chain.")
"Those that the API does not change: what holds for who uses it is not for them to choose."


@dataclass(frozen=True, slots=True)
class ClientSettings(Settings):
    """Everything that can be chosen for a daemon."""

    downloads: DownloadSettings = section(DownloadSettings, "Where torrents go, and how they begin.")
    queue: QueueSettings = section(QueueSettings, "How many run at a time.")
    seeding: SeedingSettings = section(SeedingSettings, "When a torrent has given enough.")
    slow_mode: SlowModeSettings = section(SlowModeSettings, "The alternative speed limits, and when they hold.")
    trash: TrashSettings = section(TrashSettings, "What was removed.")
    leeches: LeechSettings = section(LeechSettings, "Peers that take without giving.")
    feeds: FeedSettings = section(FeedSettings, "RSS.")
    channels: ChannelSettings = section(ChannelSettings, "Channels that are followed.")
    sites: SiteSettings = section(SiteSettings, "Sites that were opened, and those that are published from here.")
    sync: SyncSettings = section(SyncSettings, "Folders that are kept the same on several devices.")
    chain: ChainSettings = section(ChainSettings, "The chain that payments are made on.")
    pay: PaySettings = section(PaySettings, "What is bought and sold for TRX.")
    hooks: HookSettings = section(HookSettings, "What is run when something happened. Not to be changed by the API.")
    notify: NotifySettings = section(NotifySettings, "Notifications to phones, chats, mail and others.")
    api: ApiSettings = section(ApiSettings, "The web interface and the API.")
    media: MediaSettings = section(MediaSettings, "Where players fetch what is played.")
