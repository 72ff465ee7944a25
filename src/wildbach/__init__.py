"""wildbach: a BitTorrent engine and client.

    async with wildbach.Session() as session:
        torrent = await session.add("debian.torrent", wildbach.AddOptions(save_path=Path("downloads")))
        await torrent.complete()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from wildbach.base.errors import (
        FormatError as FormatError,
    )
    from wildbach.base.errors import (
        LimitError as LimitError,
    )
    from wildbach.base.errors import (
        NetworkError as NetworkError,
    )
    from wildbach.base.errors import (
        RemoteError as RemoteError,
    )
    from wildbach.base.errors import (
        StorageError as StorageError,
    )
    from wildbach.base.errors import (
        UsageError as UsageError,
    )
    from wildbach.base.errors import (
        WildbachError as WildbachError,
    )
    from wildbach.base.events import Event as Event
    from wildbach.base.ids import Endpoint as Endpoint
    from wildbach.base.ids import InfoHashes as InfoHashes
    from wildbach.engine.events import (
        MetadataReady as MetadataReady,
    )
    from wildbach.engine.events import (
        PeerBanned as PeerBanned,
    )
    from wildbach.engine.events import (
        PeerConnected as PeerConnected,
    )
    from wildbach.engine.events import (
        PeerDropped as PeerDropped,
    )
    from wildbach.engine.events import (
        PieceDone as PieceDone,
    )
    from wildbach.engine.events import (
        PieceFailed as PieceFailed,
    )
    from wildbach.engine.events import (
        StateChanged as StateChanged,
    )
    from wildbach.engine.events import (
        TorrentAdded as TorrentAdded,
    )
    from wildbach.engine.events import (
        TorrentComplete as TorrentComplete,
    )
    from wildbach.engine.events import (
        TorrentRemoved as TorrentRemoved,
    )
    from wildbach.engine.events import (
        TorrentStopped as TorrentStopped,
    )
    from wildbach.engine.events import (
        TrackerAnnounced as TrackerAnnounced,
    )
    from wildbach.engine.options import AddOptions as AddOptions
    from wildbach.engine.session import Session as Session
    from wildbach.engine.settings import Settings as Settings
    from wildbach.engine.torrent import State as State
    from wildbach.engine.torrent import Torrent as Torrent
    from wildbach.engine.views import FileView as FileView
    from wildbach.engine.views import PeerView as PeerView
    from wildbach.engine.views import TorrentView as TorrentView
    from wildbach.protocol.metainfo.document import Metainfo as Metainfo
    from wildbach.protocol.metainfo.info import Info as Info
    from wildbach.protocol.metainfo.magnet import Magnet as Magnet
    from wildbach.runtime.bus import Lagged as Lagged

# The public names are loaded when they are first used: `wildbach --version` and the worker processes need none.
_HOMES = {
    "base.errors": (
        "FormatError", "LimitError", "NetworkError", "RemoteError", "StorageError", "UsageError", "WildbachError",
    ),
    "base.events": ("Event",),
    "base.ids": ("Endpoint", "InfoHashes"),
    "engine.events": (
        "MetadataReady", "PeerBanned", "PeerConnected", "PeerDropped", "PieceDone", "PieceFailed", "StateChanged",
        "TorrentAdded", "TorrentComplete", "TorrentRemoved", "TorrentStopped", "TrackerAnnounced",
    ),
    "engine.options": ("AddOptions",),
    "engine.session": ("Session",),
    "engine.settings": ("Settings",),
    "engine.torrent": ("State", "Torrent"),
    "engine.views": ("FileView", "PeerView", "TorrentView"),
    "protocol.metainfo.document": ("Metainfo",),
    "protocol.metainfo.info": ("Info",),
    "protocol.metainfo.magnet": ("Magnet",),
    "runtime.bus": ("Lagged",),
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_WHERE)  # noqa: PLE0605 - a list of strings, made from the table above


def __getattr__(name: str) -> Any:
    home = _WHERE.get(name)
    if home is None:
        raise AttributeError(f"module 'wildbach' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"wildbach.{home}"), name)
    globals()[name] = value
    return value
