"""wildbach: a BitTorrent engine and client.

    async with wildbach.Session() as session:
        torrent = await session.add("linux.torrent", wildbach.AddOptions(save_path=Path("downloads")))
        await torrent.complete()

The names are imported when they are first used, so that `import wildbach` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wildbach.base.errors import (
        FormatError,
        LimitError,
        NetworkError,
        RemoteError,
        StorageError,
        UsageError,
        WildbachError,
    )
    from wildbach.base.events import Event
    from wildbach.base.ids import Endpoint, InfoHashes
    from wildbach.engine.contentviews import CachedView, ContentView
    from wildbach.engine.dht import DhtView
    from wildbach.engine.dhtqueue import DhtTorrentView
    from wildbach.engine.discovery import DiscoveryView
    from wildbach.engine.events import (
        CacheEvicted,
        ExternalAddressChanged,
        FilterLoaded,
        KeyRotated,
        MetadataReady,
        MutableUpdated,
        NetworkChanged,
        PeerBanned,
        PeerConnected,
        PeerDropped,
        PieceDone,
        PieceFailed,
        PortMapped,
        PortMappingFailed,
        RecoveryDiffers,
        StateChanged,
        TorrentAdded,
        TorrentComplete,
        TorrentRemoved,
        TorrentStopped,
        TrackerAnnounced,
    )
    from wildbach.engine.ipfilter import IpFilterView
    from wildbach.engine.network import NetworkView
    from wildbach.engine.options import AddOptions
    from wildbach.engine.reuse import Place
    from wildbach.engine.session import Session
    from wildbach.engine.settings import (
        ConnectionSettings,
        ContentSettings,
        DhtSettings,
        DiscoverySettings,
        DiskSettings,
        FilterSettings,
        NetworkSettings,
        PeerSettings,
        RateSettings,
        Settings,
        TrackerSettings,
    )
    from wildbach.engine.torrent import Torrent
    from wildbach.engine.views import FileView, PeerView, TorrentView
    from wildbach.protocol.metainfo.document import Metainfo
    from wildbach.protocol.metainfo.info import File, Info
    from wildbach.protocol.metainfo.magnet import Magnet, MutableLink
    from wildbach.runtime.bus import Lagged

__version__ = "0.1.0"

__all__ = [
    "AddOptions",
    "CacheEvicted",
    "CachedView",
    "ConnectionSettings",
    "ContentSettings",
    "ContentView",
    "DhtSettings",
    "DhtTorrentView",
    "DhtView",
    "DiscoverySettings",
    "DiscoveryView",
    "DiskSettings",
    "Endpoint",
    "Event",
    "ExternalAddressChanged",
    "File",
    "FileView",
    "FilterLoaded",
    "FilterSettings",
    "FormatError",
    "Info",
    "InfoHashes",
    "IpFilterView",
    "KeyRotated",
    "Lagged",
    "LimitError",
    "Magnet",
    "MetadataReady",
    "Metainfo",
    "MutableLink",
    "MutableUpdated",
    "NetworkChanged",
    "NetworkError",
    "NetworkSettings",
    "NetworkView",
    "PeerBanned",
    "PeerConnected",
    "PeerDropped",
    "PeerSettings",
    "PeerView",
    "PieceDone",
    "PieceFailed",
    "Place",
    "PortMapped",
    "PortMappingFailed",
    "RateSettings",
    "RecoveryDiffers",
    "RemoteError",
    "Session",
    "Settings",
    "StateChanged",
    "StorageError",
    "Torrent",
    "TorrentAdded",
    "TorrentComplete",
    "TorrentRemoved",
    "TorrentStopped",
    "TorrentView",
    "TrackerAnnounced",
    "TrackerSettings",
    "UsageError",
    "WildbachError",
    "__version__",
]

_HOMES = {
    "wildbach.base.errors": (
        "FormatError", "LimitError", "NetworkError", "RemoteError", "StorageError", "UsageError", "WildbachError",
    ),
    "wildbach.base.events": ("Event",),
    "wildbach.base.ids": ("Endpoint", "InfoHashes"),
    "wildbach.engine.contentviews": ("CachedView", "ContentView"),
    "wildbach.engine.dht": ("DhtView",),
    "wildbach.engine.dhtqueue": ("DhtTorrentView",),
    "wildbach.engine.discovery": ("DiscoveryView",),
    "wildbach.engine.events": (
        "CacheEvicted", "ExternalAddressChanged", "FilterLoaded", "KeyRotated", "MetadataReady", "MutableUpdated",
        "NetworkChanged", "PeerBanned", "PeerConnected", "PeerDropped", "PieceDone", "PieceFailed", "PortMapped",
        "PortMappingFailed", "RecoveryDiffers", "StateChanged", "TorrentAdded", "TorrentComplete", "TorrentRemoved",
        "TorrentStopped", "TrackerAnnounced",
    ),
    "wildbach.engine.ipfilter": ("IpFilterView",),
    "wildbach.engine.network": ("NetworkView",),
    "wildbach.engine.options": ("AddOptions",),
    "wildbach.engine.session": ("Session",),
    "wildbach.engine.reuse": ("Place",),
    "wildbach.engine.settings": (
        "ConnectionSettings", "ContentSettings", "DhtSettings", "DiscoverySettings", "DiskSettings", "FilterSettings",
        "NetworkSettings", "PeerSettings", "RateSettings", "Settings", "TrackerSettings",
    ),
    "wildbach.engine.torrent": ("Torrent",),
    "wildbach.engine.views": ("FileView", "PeerView", "TorrentView"),
    "wildbach.protocol.metainfo.document": ("Metainfo",),
    "wildbach.protocol.metainfo.info": ("File", "Info"),
    "wildbach.protocol.metainfo.magnet": ("Magnet", "MutableLink"),
    "wildbach.runtime.bus": ("Lagged",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
