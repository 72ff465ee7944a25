"""What the owner of this client buys and sells, torrent by torrent: handed to the till."""

from __future__ import annotations

from typing import Protocol

from wildbach.protocol.tron.address import Address


class Market(Protocol):
    """Asked often, so it answers from memory. `torrent`: the engine's key of one."""

    def sells(self, torrent: str) -> int:
        """For how many SUN a GiB; 0 where it is not for sale."""
        ...

    def sponsored(self, torrent: str) -> bool:
        """Somebody pays for its seeding: vouchers are taken where nothing is sold, too."""
        ...

    def buys(self, torrent: str) -> int:
        """For how many SUN a GiB at most; 0 where nothing is paid for it."""
        ...

    def infohash(self, torrent: str) -> bytes:
        """32 bytes: of v2, or that of v1 with 12 zeros behind it."""
        ...

    def payee(self, torrent: str) -> Address:
        """Who is paid for it."""
        ...

    def complete(self, torrent: str) -> bool:
        """Nothing more is downloaded of it."""
        ...
