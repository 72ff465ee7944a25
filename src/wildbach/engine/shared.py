"""What all torrents of a session use together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.base.rate import TokenBucket
from wildbach.disk.hasher import Hasher
from wildbach.disk.pool import ChunkPool
from wildbach.disk.registry import PathRegistry
from wildbach.disk.resume import ResumeStore
from wildbach.disk.writer import Writer
from wildbach.engine.announcing import Announcing
from wildbach.engine.blame import BanList
from wildbach.engine.dht import Dht
from wildbach.engine.dialing import DialBudget
from wildbach.engine.external import ExternalAddress
from wildbach.engine.guests import Guests
from wildbach.engine.headtalk import HeadSource
from wildbach.engine.network import Network
from wildbach.engine.paying import Till
from wildbach.engine.peer import Peer
from wildbach.engine.roads import Roads
from wildbach.engine.settings import Settings
from wildbach.engine.uploads import SendBuffers
from wildbach.engine.weblane import Fetches
from wildbach.net.http import HttpClient
from wildbach.net.transport import Transport
from wildbach.runtime.bus import Bus
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads


@dataclass(slots=True)
class Shared:
    scope: Scope
    "The session's; that of each torrent is a child of it."
    settings: Settings
    clock: Callable[[], float]
    rng: Random
    roads: Roads
    utp: Transport | None
    "For calls through a common peer (BEP 55), which only uTP can make; None where there is none."
    network: Network
    web: Fetches | None
    "For web seeds; None where there are none."
    http: HttpClient | None
    "For torrent files at URLs; None in a simulated network."
    threads: Threads
    pool: ChunkPool
    writer: Writer
    hasher: Hasher
    buffers: SendBuffers
    paths: PathRegistry
    announcing: Announcing
    dht: Dht
    heads: HeadSource
    "What is followed and published, for peers that do so too."
    till: Till | None
    "Who buys and sells; None where nobody does."
    resume: ResumeStore
    sync_gate: asyncio.Lock
    "One sync in flight."
    bus: Bus
    bans: BanList
    dials: DialBudget
    external: ExternalAddress
    down: TokenBucket
    up: TokenBucket
    wake: Callable[[], None]
    "The scheduler shall tick soon: there is something to do."
    number: Callable[[], int]
    "The next number, for peers and torrents."
    admit: Callable[[str, int], Awaitable[None]]
    "Returns when there is room for so many bytes of the cache torrent with this key. Raises StorageError."
    use: Callable[[str], AbstractContextManager[None]]
    "The torrent with this key is in use: no room is made by removing it."
    room: Callable[[], bool]
    "One more connection is within the limits."
    local: Callable[[Endpoint], bool]
    "The endpoint is on this machine or in the local network."
    bug: Callable[[Peer], bool]
    "Count a bug; True where the torrent shall stop."
    report: Callable[[Exception], None]
    "Log an exception that is a bug of ours, and count it."
    learned: Callable[[str, InfoHashes], None]
    "The torrent with this key, from a magnet link, turned out to have these hashes."
    stirred: Callable[[str], None]
    "The torrent with this key has parts now: the scheduler must look at it."
    wake_up: Callable[[str], Awaitable[None]]
    "Returns when the torrent with this key does not sleep any more."
    wake_for: Callable[[str, tuple[Endpoint, ...], str], None]
    "Peers are known for a torrent that sleeps, from this source."
    remember: Callable[[str], None]
    "What was asked of a torrent that is not open changed."
    remembered: Callable[[], Awaitable[None]]
    "Returns when all of that is written down."
    greeting: dict[int, Peer]
    "Peers whose handshake has not come yet."
    guests: Guests
    "Connections that belong to no swarm."
