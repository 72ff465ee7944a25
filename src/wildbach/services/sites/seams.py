"""What sites need of others: heads in the DHT, and torrents that are fetched and seeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wildbach.base.ids import InfoHashes
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.info import Info


@dataclass(frozen=True, slots=True)
class Head:
    """What a key says is the newest."""

    hashes: InfoHashes
    seq: int
    signer: bytes = b""
    "The public key that signed it; another one than the site's once that has given way. Empty: the site's."
    heard_at: int | None = None
    "When somebody else last said so, seconds since 1970; 0 for never. None: just now."
    reason: str = ""
    "What is wrong all the same, in plain words: nobody answers, or somebody tells of an older one."


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a head that was published."""

    key: bytes
    "The public key."
    seq: int
    nodes: int
    confirmed: bool = True
    "A fresh look gave it back."
    recovery: bytes = b""
    "The public half of the recovery key that readers may be told of."


class Heads(Protocol):
    """Signed items of the DHT that lead to torrents. Signatures were checked before anything gets here."""

    async def newest(self, key: bytes, link: str) -> Head | None:
        """Ask now; None where nothing is known yet. `link`: the magnet link it was opened by, or empty. What is found
        is stored again every hour from now on. Raises NetworkError where nobody answered and nothing is known.
        """

    async def public_key(self, name: str, *, make: bool) -> bytes | None:
        """The public half of a secret key of this data directory; where there is none, of a new one, or None."""

    async def publish(self, name: str, hashes: InfoHashes, *, adopt: bool) -> Sent:
        """Raises NetworkError; UsageError, code `head_ahead`, where the network has a head that was not published here
        and not `adopt`.
        """

    def forget(self, key: bytes) -> None:
        """Store it no longer."""

    def tell(self, key: bytes, told: Callable[[], None] | None) -> None:
        """Have it said when a newer head comes by itself."""


class ReadsFile(Protocol):
    """A file of a torrent, read while it comes."""

    @property
    def size(self) -> int: ...

    @property
    def tag(self) -> str:
        """The ETag: what is in the file, and nothing else, decides it."""

    async def read(self, offset: int, limit: int) -> bytes:
        """1 to `limit` verified bytes, or b"" at the end; waits for them. Cancelling is cancelling the task."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a torrent is."""

    done: int
    size: int
    "Bytes; 0 while the metadata is not here."
    peers: int
    seeds: int
    down_rate: float
    reason: str
    "Why it does not go on, or not faster; plain words."


class Copy(Protocol):
    """One version, as a torrent of this machine."""

    @property
    def info(self) -> Info | None:
        """None until the metadata is here."""

    @property
    def metainfo(self) -> Metainfo | None: ...

    @property
    def whole(self) -> bool:
        """All of it is here, verified."""

    async def metadata(self) -> Info:
        """Waits for it. Raises StorageError or UsageError where the torrent stopped or went."""

    async def complete(self) -> None:
        """Waits until all is here and durable. Raises as `metadata`."""

    async def begin(self) -> None:
        """Fetch the content, now that the metadata is here."""

    def open(self, file: int) -> AbstractAsyncContextManager[ReadsFile]:
        """Raises UsageError where it can never come."""

    def progress(self) -> Progress: ...


class Torrents(Protocol):
    """Where torrents live."""

    async def ready(self) -> None:
        """Returns once those of the last run are back."""

    def find(self, hashes: InfoHashes) -> Copy | None: ...

    async def fetch(
        self, hashes: InfoHashes, *, link: str, web_seeds: tuple[str, ...], similar: Copy | None, name: str,
    ) -> Copy:
        """Add it to the cache, and stop at its metadata. `link`: names trackers and peers. Files that `similar` has are
        taken from it.
        """

    async def seed(self, metainfo: Metainfo, folder: Path, *, name: str) -> Copy:
        """Seed what was just hashed where it is; nothing is ever written there."""

    async def remove(self, copy: Copy) -> None:
        """Forget it, with its files where they are in the cache."""

    async def meet(self, copy: Copy, link: str) -> None:
        """It learns the trackers and peers that a link names."""

    def touch(self, copy: Copy) -> None:
        """It was used: what was not used for longest leaves the cache first."""

    async def pin(self, copy: Copy, pinned: bool) -> None:
        """It stays in the cache whatever comes."""


Stamps = Mapping[str, tuple[int, int]]
"Size and time of change (ns) of each file, by its path below the folder."


@dataclass(frozen=True, slots=True)
class Built:
    """A folder as a torrent."""

    metainfo: Metainfo
    stamps: Stamps
    passed_over: tuple[str, ...]
    "What is in the folder and not in the torrent: hidden files, sockets, devices."
    hashed: int
    "Bytes that were read; of the others the hashes were known."


class Maker(Protocol):
    """Makes torrents of folders."""

    async def build(
        self, folder: Path, name: str, *, known: tuple[Metainfo, Stamps] | None, web_seeds: tuple[str, ...],
        hidden: bool, progress: Callable[[float], None],
    ) -> Built:
        """`known`: the hashes of files that have not changed since are taken from it. Raises UsageError where a link
        leads
        out of the folder or there is nothing, StorageError where something cannot be read.
        """

    async def name_payout(self, folder: Path, payout: str) -> None:
        """Have the folder's wildbach.json name an address for tips; what else it says stays. Raises FormatError where
        it is none, StorageError, UsageError where it would be written somewhere else.
        """

    async def changed(self, folder: Path, stamps: Stamps) -> tuple[str, ...]:
        """The files that are not as their stamps say."""
