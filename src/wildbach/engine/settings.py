"""The engine's settings."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.settings import Section, section, setting


@dataclass(frozen=True, slots=True)
class ConnectionSettings(Section):
    listen: tuple[str, ...] = setting(
        ("0.0.0.0:6881-6891", "[::]:6881-6891"), "Addresses to accept peers on: HOST:PORT, or HOST:FIRST-LAST for the "
        "first of these ports that is free. Port 0 picks a free one; empty: none."
    )
    tcp: bool = setting(True, "Call and accept peers over TCP.")
    utp: bool = setting(True, "Call and accept peers over uTP (BEP 29), which gives way to everything else on a link.")
    most: int = setting(limits.CONNECTIONS, "Connections in all.", live=True, min=1, max=100_000)
    per_torrent: int = setting(limits.CONNECTIONS_PER_TORRENT, "Connections of one torrent.", live=True, min=1, max=240)
    half_open: int = setting(limits.HALF_OPEN, "Connections being made at the same time.", live=True, min=1, max=1000)
    new_flows: float = setting(
        20.0, "Calls to peers on the Internet that begin in a second, of all torrents: more fill the tables of home "
        "routers. Fewer begin while hardly any is answered. 0: no limit.", live=True, min=0, max=10_000,
    )
    dial_seconds: float = setting(10.0, "How long a connection may take to be made.", live=True, min=1, max=120)


@dataclass(frozen=True, slots=True)
class NetworkSettings(Section):
    interface: str = setting(
        "", "The network interface that everything keeps to, such as tun0 of a VPN, or an address of it; empty: any. "
        "While it is away nothing leaves, questions to name servers included.", protects=True,
    )
    dns: tuple[str, ...] = setting(
        (), "Addresses of the name servers that are asked through network.interface; none: those of this machine.",
        protects=True,
    )
    call_ports: str = setting(
        "", "The local ports of TCP calls, FIRST-LAST, for firewalls that go by them; empty: any.", protects=True,
    )
    proxy: str = setting(
        "", "The proxy that everything goes through, socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ "
        "before the host where it wants to know us. It looks up names; nobody can call us over TCP; an HTTP proxy has "
        "no uTP, no DHT and no UDP trackers. Where it fails, nothing goes another way.", secret=True,
        protects=True,
    )


@dataclass(frozen=True, slots=True)
class RateSettings(Section):
    down: int = setting(
        0, "Download limit of all torrents in bytes a second, 0 for none.", live=True, min=0, unit="B/s")
    up: int = setting(
        0, "Upload limit of all torrents in bytes a second, 0 for none.", live=True, min=0, unit="B/s")
    watching_up: int = setting(
        0, "Upload limit of all torrents in bytes a second while something is played that is not here yet, 0 for none: "
        "what is watched comes first.", live=True, min=0, unit="B/s")
    limit_local: bool = setting(False, "Apply the limits to peers on this machine and in the local network.", live=True)


@dataclass(frozen=True, slots=True)
class PeerSettings(Section):
    upload_slots: int = setting(8, "Peers of one torrent that are served at once. 0 serves nobody.", live=True, min=0)
    slot_rate: int = setting(
        80_000, "More peers are served at once where each gets at least this many bytes a second; 0: never.",
        live=True, min=0, unit="B/s",
    )
    seed_choking: str = setting(
        "round_robin", "Who is served while seeding.", live=True, choices=("fastest", "round_robin", "anti_leech")
    )
    encryption: str = setting(
        "prefer", "Encrypted connections: tried first, the only ones there are, or none. Those in between see noise; "
        "who the other side is, is not proven.", live=True, choices=("prefer", "require", "off"),
    )
    encryption_payload: str = setting(
        "either", "What follows an encrypted handshake: an encrypted stream, a plain one, or what the others like.",
        live=True, choices=("either", "rc4", "plain"),
    )
    pex: bool = setting(True, "Tell connected peers of each other (BEP 11). Never in private torrents.", live=True)
    anonymous: bool = setting(False, "Say nothing of this program to peers and trackers.", live=True)
    close_redundant: bool = setting(True, "Leave peers that have nothing to give or take.", live=True)


@dataclass(frozen=True, slots=True)
class DiskSettings(Section):
    memory: int = setting(
        64 << 20, "Bytes of memory for blocks on their way to the disk.", min=4 << 20, max=4 << 30, unit="B")
    workers: str = setting(
        "auto", "Who hashes and writes: worker processes, or threads of this process.",
        choices=("auto", "processes", "threads"),
    )
    sleep_after: float = setting(
        120.0, "Seconds without peers after which a complete torrent lets go of its files and metadata until somebody "
        "asks for them. Only with a data directory. 0: never.", live=True, min=0, max=86_400,
    )
    reuse: str = setting(
        "copy", "What to do where another torrent has a file of a new one on disk: copy it (sharing its blocks where "
        "the file system can), make a hard link if only wildbach writes to it, or nothing.",
        live=True, choices=("copy", "link", "off"),
    )
    preallocate: bool = setting(False, "Reserve the space of a torrent before it is downloaded.", live=True)


@dataclass(frozen=True, slots=True)
class ContentSettings(Section):
    quota: int = setting(
        20_000_000_000, "Bytes that streams, sites and channels may keep on disk besides what was downloaded. Where "
        "more is needed, what was not used for longest goes; what is pinned stays.", live=True, min=0, unit="B",
    )
    disk_percent: int = setting(
        50, "Of what would be free on the disk without them, so many percent at most.", live=True, min=1, max=100)
    min_free: int = setting(
        1_000_000_000, "Bytes of the disk that they leave free.", live=True, min=0, unit="B")
    folder: str = setting("", "The folder that has them; empty: `cache` in the data directory.")


@dataclass(frozen=True, slots=True)
class TrackerSettings(Section):
    announce_all_tiers: bool = setting(False, "Announce to every tier, not only to the first that answers.", live=True)
    announce_all_trackers: bool = setting(False, "Announce to every tracker of a tier.", live=True)
    want_peers: int = setting(100, "Peers to ask a tracker for.", live=True, min=0, max=1000)
    stop_seconds: float = setting(3.0, "How long a stop may wait for trackers to be told.", live=True, min=0, max=60)
    at_once: int = setting(
        200, "Requests to HTTP trackers under way at once, of all torrents; five times as many to UDP trackers.",
        live=True, min=1, max=10_000,
    )
    per_host: int = setting(8, "Requests to one tracker host under way at once.", live=True, min=1, max=1000)
    dns_preferences: bool = setting(
        True, "Ask DNS on which ports a tracker's host wants to be asked (BEP 34). Never where peers.anonymous is set.",
        live=True,
    )
    idna: bool = setting(False, "Ask trackers and web seeds with internationalised names (xn--).")


@dataclass(frozen=True, slots=True)
class DiscoverySettings(Section):
    lsd: bool = setting(
        True, "Find peers on the local network, and be found by them (BEP 14). Never for private torrents, and not "
        "where peers.anonymous is set.",
    )
    upnp: bool = setting(True, "Ask the router by UPnP to let peers in.")
    natpmp: bool = setting(True, "Ask the router by PCP or NAT-PMP to let peers in.")
    lease_seconds: int = setting(
        3600, "For how long the router is asked to let peers in, before it is asked again.", min=120, max=86_400,
    )
    hole_punching: bool = setting(
        True, "Reach peers that cannot be called through a peer that both know, and help others to do so (BEP 55).",
    )


@dataclass(frozen=True, slots=True)
class WebSeedSettings(Section):
    enabled: bool = setting(True, "Download from web servers that a torrent or a magnet link names.", live=True)
    at_once: int = setting(3, "Web servers of one torrent that are used at the same time.", live=True, min=1, max=50)
    connections: int = setting(4, "Connections to one of them.", live=True, min=1, max=20)
    stall_seconds: float = setting(
        20.0, "A server that sends nothing for so long is left alone for a while.", live=True, min=1, max=600
    )


@dataclass(frozen=True, slots=True)
class DhtSettings(Section):
    enabled: bool = setting(True, "Find peers without trackers (BEP 5). Private torrents never use it.")
    bootstrap: tuple[str, ...] = setting(
        ("dht.libtorrent.org:25401", "dht.transmissionbt.com:6881", "router.bittorrent.com:6881"),
        "Nodes to ask first, HOST:PORT, where none of the last run answers. A session that listens on this machine "
        "only asks those that are written as addresses.",
    )
    upload_rate: int = setting(
        8000, "Bytes a second that the DHT may send over each IP version. Announces wait for them, downloads first.",
        live=True, min=500, max=10_000_000, unit="B/s",
    )
    read_only: bool = setting(False, "Ask others and answer nobody (BEP 43), as behind a costly connection.", live=True)
    announce_seconds: float = setting(
        900.0, "How often a torrent is announced.", live=True, min=60, max=86_400,
    )
    put_seconds: float = setting(
        3600.0, "How often the items that were published here or are followed are stored again (BEP 44).", live=True,
        min=60, max=86_400,
    )
    follow_seconds: float = setting(
        3600.0, "How often it is asked whether a followed torrent has changed (BEP 46).", live=True, min=1, max=86_400,
    )


@dataclass(frozen=True, slots=True)
class FilterSettings(Section):
    sources: tuple[str, ...] = setting(
        (), "Files and http(s) URLs of lists: eMule (.dat), PeerGuardian (.p2p, .p2b), or addresses, networks and "
        "ranges one a line; gzip or zip is unpacked. A file that changes is read again.", live=True, protects=True,
    )
    refresh_hours: float = setting(24.0, "How often lists at URLs are fetched again.", live=True, min=1, max=8760)


@dataclass(frozen=True, slots=True)
class Settings(Section):
    """Everything that can be chosen, by section."""

    connections: ConnectionSettings = section(ConnectionSettings, "Listening and dialling.")
    rates: RateSettings = section(RateSettings, "Speed limits.")
    peers: PeerSettings = section(PeerSettings, "Dealing with peers.")
    disk: DiskSettings = section(DiskSettings, "Memory and files.")
    content: ContentSettings = section(ContentSettings, "What is kept for streams, sites and channels.")
    trackers: TrackerSettings = section(TrackerSettings, "Announcing.")
    discovery: DiscoverySettings = section(DiscoverySettings, "Finding and being found without trackers.")
    web_seeds: WebSeedSettings = section(WebSeedSettings, "Downloading from web servers.")
    dht: DhtSettings = section(DhtSettings, "The distributed hash table.")
    network: NetworkSettings = section(NetworkSettings, "The way out: interface and proxy.")
    filter: FilterSettings = section(FilterSettings, "Addresses that nothing is exchanged with.")
