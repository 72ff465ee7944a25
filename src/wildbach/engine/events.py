"""What the engine tells of: subscribe with `Session.subscribe`."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.events import Event, TorrentEvent


@dataclass(frozen=True, slots=True)
class NetworkChanged(Event):
    """The network interface that everything keeps to went, or came back; or this machine has an address of an IP
    version that it had none of, and then connections stay.
    """

    up: bool
    reason: str
    "Why nothing leaves, in plain words; empty while it does."


@dataclass(frozen=True, slots=True)
class TorrentAdded(TorrentEvent):
    title: str


@dataclass(frozen=True, slots=True)
class TorrentRemoved(TorrentEvent):
    pass


@dataclass(frozen=True, slots=True)
class CacheEvicted(TorrentEvent):
    """A cache torrent was removed with its files, because room was needed or because somebody asked for it."""

    title: str
    owner: str
    "For whom it was kept: `stream`, `site`, `channel`."
    size: int
    "Bytes it had on disk."


@dataclass(frozen=True, slots=True)
class MetadataReady(TorrentEvent):
    """A magnet's metadata has come and hashes to its info hash."""

    title: str
    size: int
    "Bytes."


@dataclass(frozen=True, slots=True)
class StateChanged(TorrentEvent):
    state: str
    reason: str
    "Plain words; empty where nothing needs saying."


@dataclass(frozen=True, slots=True)
class PieceDone(TorrentEvent):
    """A piece verified and is written; it survives a power cut once it is in the journal as durable."""

    piece: int


@dataclass(frozen=True, slots=True)
class PieceFailed(TorrentEvent):
    piece: int


@dataclass(frozen=True, slots=True)
class TorrentComplete(TorrentEvent):
    """All that is wanted is verified and durable."""


@dataclass(frozen=True, slots=True)
class TorrentStopped(TorrentEvent):
    """The torrent cannot go on by itself; `code` is stable, `reason` is for people."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerConnected(TorrentEvent):
    peer: str
    client: str


@dataclass(frozen=True, slots=True)
class PeerDropped(TorrentEvent):
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeerBanned(TorrentEvent):
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrackerAnnounced(TorrentEvent):
    tracker: str
    peers: int
    message: str


@dataclass(frozen=True, slots=True)
class MutableUpdated(TorrentEvent):
    """The owner of a key that is followed published this torrent (BEP 46)."""

    public_key: str
    "In hex."
    salt: str
    "In hex."
    seq: int
    "The number of what was published."
    former: str
    "The key of the torrent that this one replaces; empty for the first."


@dataclass(frozen=True, slots=True)
class KeyRotated(TorrentEvent):
    """The recovery key of a link that is followed says that another key has taken the place of the link's. The torrent
    is the one it leads to now; empty while that is fetched.
    """

    public_key: str
    "The link's, in hex."
    salt: str
    "In hex."
    next_key: str
    "The one that counts now, in hex."


@dataclass(frozen=True, slots=True)
class RecoveryDiffers(TorrentEvent):
    """Under a key that is followed another recovery key is named than before: by its owner, or by a thief. Nothing
    changes until somebody decides (`mutables.pin`).
    """

    public_key: str
    "In hex."
    salt: str
    "In hex."
    recovery: str
    "The other one, in hex."


@dataclass(frozen=True, slots=True)
class PortMapped(Event):
    """The router lets peers in."""

    method: str
    "pcp, natpmp or upnp."
    protocol: str
    "tcp or udp."
    internal: int
    "Our port."
    external: int
    "The port peers call."
    address: str
    "The address of the router as it says; empty where it does not."


@dataclass(frozen=True, slots=True)
class PortMappingFailed(Event):
    """No router lets peers in; asked again later."""

    reason: str
    "What each method came to, in plain words."


@dataclass(frozen=True, slots=True)
class FilterLoaded(Event):
    """A list of the IP filter was read, was taken out of the settings, or could not be read; then its last good form
    stays in force.
    """

    source: str
    "The list, as in the settings."
    ranges: int
    "In force of this list; 0 where it is not in the settings any more."
    total: int
    "In force of all lists together."
    failure: str
    "Why its newest form is not in force, in plain words; empty where it is."


@dataclass(frozen=True, slots=True)
class ExternalAddressChanged(Event):
    """Others see us at another address than before."""

    address: str
