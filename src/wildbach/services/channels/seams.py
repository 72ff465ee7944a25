"""What channels need of others: heads in the DHT, torrents, and who makes torrents of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wildbach.base.ids import InfoHashes
from wildbach.protocol.channels.items import Channel, Item
from wildbach.protocol.metainfo import Metainfo, MutableLink
from wildbach.protocol.metainfo.info import Info


class Keeper(Protocol):
    """The state database."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        """All or none; None takes one out."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a key says is the newest."""

    hashes: InfoHashes
    seq: int
    signer: bytes = b""
    "The public key that signed it; another one than the channel's once that has given way. Empty: the channel's."
    heard: bool = True
    "The network said so just now; where not, it is what was known before, and `reason` says why."
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a head that was published."""

    link: MutableLink
    seq: int
    nodes: int


class Heads(Protocol):
    """Signed items of the DHT that lead to torrents, under the salt of channels. Signatures were checked before
    anything gets here.
    """

    async def newest(self, link: MutableLink) -> Head | None:
        """Ask now; None where the network answered and knows nothing. Raises NetworkError where nobody answered,
        FormatError where what is there leads to no torrent.
        """

    async def names_recovery(self, link: MutableLink, recovery: bytes) -> bool:
        """The channel says that this is its recovery key; False where another one is believed."""

    async def public_key(self, name: str, *, make: bool) -> bytes | None:
        """The public half of a secret key of this data directory; where there is none, of a new one, or None."""

    async def recovery(self, name: str) -> bytes:
        """The public half of its recovery key; empty for none."""

    async def publish(self, name: str, hashes: InfoHashes, *, adopt: bool, count: int, at: int) -> Sent:
        """Raises NetworkError; UsageError, code `head_ahead`, where the network has a head that was not published here
        and not `adopt`. `count`: of versions; `at`: when it was made.
        """

    def forget(self, link: MutableLink) -> None:
        """Store it no longer."""

    def tell(self, key: bytes, told: Callable[[], None] | None) -> None:
        """Have it said when a newer head comes by itself."""


class Copy(Protocol):
    """A torrent of this machine."""

    @property
    def info(self) -> Info | None:
        """None until the metadata is here."""

    @property
    def whole(self) -> bool:
        """All that is wanted is here, verified."""

    @property
    def share(self) -> float:
        """Of it that is here."""

    @property
    def seeds(self) -> int:
        """Others who have all, as far as they are connected."""

    @property
    def reason(self) -> str:
        """Why it does not go on; plain words."""

    async def metadata(self) -> Info:
        """Waits for it. Raises StorageError or UsageError where the torrent stopped or went."""

    async def begin(self, wanted: frozenset[int]) -> None:
        """Fetch these files, and no others."""

    async def complete(self) -> None:
        """Waits until what is wanted is here and durable. Raises as `metadata`."""

    async def read(self, index: int, length: int) -> bytes:
        """A whole file that is here, verified."""


class Torrents(Protocol):
    """Where torrents live."""

    async def ready(self) -> None:
        """Returns once those of the last run are back."""

    def find(self, hashes: InfoHashes) -> Copy | None: ...

    async def fetch(self, hashes: InfoHashes, link: MutableLink, *, similar: Copy | None, name: str) -> Copy:
        """Add it as cache, and stop at its metadata. `link` names trackers and peers. Files that `similar` has are
        taken from it.
        """

    async def seed(self, metainfo: Metainfo, folder: Path, *, name: str) -> Copy:
        """Seed what was just hashed where it is; nothing is ever written there."""

    async def remove(self, copy: Copy, *, files: bool) -> None:
        """Forget it; `files`: with what was fetched. One that people added on their own stays."""

    async def download(self, item: Item, channel: str, key: str) -> str:
        """Have the best rendition of an item downloaded, like any torrent; its key. `channel`, `key`: the title of its
        channel, and the label of its key.
        """


class Maker(Protocol):
    """Makes torrents."""

    async def build(self, path: Path, *, only_v2: bool, progress: Callable[[float], None]) -> Metainfo:
        """Of a file or a folder. Raises UsageError, StorageError."""


class FeedWriter(Protocol):
    """Writes a feed that other programs read."""

    def write(self, channel: Channel, items: Sequence[Item], link: str) -> bytes:
        """RSS with the newest items, as many as have room. `items`: the oldest first, also such as are removed."""
