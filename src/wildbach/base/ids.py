"""Names of things on the wire: info hashes, peer ids, endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wildbach.base.errors import UsageError


class Endpoint(NamedTuple):
    """An address to dial. `host` is a literal IPv4 or IPv6 address, never a name."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class InfoHashes:
    """The info hashes of one torrent: v1 (SHA-1, 20 bytes), v2 (SHA-256, 32 bytes), or both for a hybrid (BEP 52)."""

    v1: bytes | None = None
    v2: bytes | None = None

    def __post_init__(self) -> None:
        if self.v1 is None and self.v2 is None:
            raise UsageError("a torrent needs at least one info hash")
        if self.v1 is not None and len(self.v1) != 20:
            raise UsageError("a v1 info hash has 20 bytes")
        if self.v2 is not None and len(self.v2) != 32:
            raise UsageError("a v2 info hash has 32 bytes")

    @property
    def swarms(self) -> tuple[bytes, ...]:
        """The 20-byte ids used in handshakes, by trackers and the DHT: v1, and v2 cut to 20 bytes (BEP 52)."""
        v1, v2 = self.v1, self.v2
        if v2 is None:
            return (v1,) if v1 is not None else ()
        return (v2[:20],) if v1 is None else (v1, v2[:20])

    @property
    def key(self) -> str:
        """A name for the torrent that does not change: the hex of the v2 hash where there is one, else of v1."""
        return (self.v2 or self.v1 or b"").hex()

    def matches(self, other: InfoHashes) -> bool:
        """True where the two have a hash in common: a magnet with one hash names the hybrid that has both."""
        return (self.v1 is not None and self.v1 == other.v1) or (self.v2 is not None and self.v2 == other.v2)


class DeviceId(bytes):
    """A device that keeps folders: the first 16 bytes of SHA-256(Ed25519 key ‖ X25519 key), both public."""

    SIZE = 16

    def __new__(cls, raw: bytes) -> DeviceId:
        if len(raw) != cls.SIZE:
            raise UsageError(f"a device id has {cls.SIZE} bytes")
        return super().__new__(cls, raw)


class FolderId(bytes):
    """A folder that is kept the same on several devices: the SHA-256 of its first roster."""

    SIZE = 32

    def __new__(cls, raw: bytes) -> FolderId:
        if len(raw) != cls.SIZE:
            raise UsageError(f"a folder id has {cls.SIZE} bytes")
        return super().__new__(cls, raw)
