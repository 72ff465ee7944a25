"""What one torrent has to do with the DHT: its place in the queue, and what it asks and tells there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine.dht import Dht
from wildbach.engine.dhtqueue import DhtTorrentView, Entry, Turn, Wish
from wildbach.engine.state import State
from wildbach.engine.trackerlist import TrackerList


class DhtOwner(Protocol):
    """The torrent."""

    hashes: InfoHashes
    port: int
    tracker_list: TrackerList | None

    @property
    def state(self) -> State: ...

    @property
    def whole(self) -> bool: ...

    @property
    def asleep(self) -> bool: ...

    @property
    def connected(self) -> int: ...

    @property
    def private(self) -> bool: ...

    @property
    def open_to_peers(self) -> bool: ...

    @property
    def wants(self) -> bool: ...

    def add_peers(self, endpoints: Sequence[Endpoint], source: str = "user") -> None: ...


class DhtPart:
    """Private torrents have no place in the queue; neither have those that are paused or stopped."""

    __slots__ = ("_dht", "_owner", "entry")

    def __init__(self, owner: DhtOwner, dht: Dht) -> None:
        self._owner = owner
        self._dht = dht
        self.entry: Entry | None = None

    def use(self, on: bool) -> None:
        """Look the torrent up and announce it from now on, or do not. To be called again when its state changes."""
        owner, entry = self._owner, self.entry
        if entry is not None and (not on or owner.private or entry.hashes != owner.hashes.swarms):
            self._dht.leave(entry)
            entry = self.entry = None
        if on and not owner.private:
            if entry is None:
                self.entry = self._dht.join(self, owner.hashes.swarms)
            else:
                self._dht.changed(entry)

    def renew(self) -> None:
        """The torrent has other hashes than before, or turned out to be private."""
        if self.entry is not None:
            self.use(True)

    def again(self, *, scrape: bool = False) -> None:
        """Look it up now; `scrape`: and have its swarm counted (BEP 33)."""
        if self.entry is not None:
            self._dht.changed(self.entry, sooner=True, scrape=scrape)

    def named(self, endpoint: Endpoint) -> None:
        """A peer says that its node is there (BEP 5)."""
        if not self._owner.private:
            self._dht.named(endpoint)

    def view(self) -> DhtTorrentView | None:
        return self._dht.torrent_view(self.entry) if self.entry is not None else None

    @property
    def reason(self) -> str:
        """What the DHT does for it, in plain words; empty where there is nothing to say."""
        return self._dht.reason(self.entry) if self.entry is not None else ""

    # -- Wanting

    def dht_wish(self) -> Wish:
        owner = self._owner
        downloads = owner.state in (State.METADATA, State.DOWNLOADING) and not owner.asleep and not owner.whole
        tracked = owner.tracker_list is not None and any(owner.tracker_list.tiers)
        turn = Turn.DOWNLOAD if downloads else Turn.REST if tracked else Turn.TRACKERLESS
        return Wish(turn, owner.port, not downloads, downloads and not owner.connected)

    def dht_peers(self, peers: Sequence[Endpoint]) -> None:
        owner = self._owner
        able = owner.open_to_peers or (owner.asleep and owner.state is State.SEEDING)
        if able and not owner.private and (owner.wants or not owner.connected):
            owner.add_peers(peers, "dht")
