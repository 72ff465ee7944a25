"""Peers that take without giving: who they are, by rules, with the reason.

A rule only ever bans for what was seen: the name that a client gives itself, or bytes that were sent to it and that it
denies to have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Protocol

from wildbach.services.library.settings import LeechSettings

_MORE: Final = 1.2
"Times the size of the torrent that were sent to one peer."
_LITTLE: Final = 0.5
"The share that such a peer would have at least if it were honest."


class Seen(Protocol):
    """What is seen of a peer."""

    @property
    def endpoint(self) -> str: ...

    @property
    def client(self) -> str: ...

    @property
    def progress(self) -> float: ...

    @property
    def uploaded(self) -> int:
        """Bytes sent to it."""
        ...


@dataclass(frozen=True, slots=True)
class Leech:
    endpoint: str
    reason: str


def leeches(peers: Iterable[Seen], size: int, settings: LeechSettings) -> list[Leech]:
    """Those that a rule is against. `size`: bytes of the torrent, 0 where that is not known."""
    found = []
    patterns = [pattern.casefold() for pattern in settings.clients]
    for peer in peers:
        if not peer.endpoint:
            continue
        name = peer.client.casefold()
        pattern = next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)
        if pattern is not None:
            found.append(Leech(peer.endpoint, f"its client is not served ({pattern})"))
        elif settings.cheats and size and peer.uploaded > _MORE * size and peer.progress < _LITTLE:
            times = peer.uploaded / size
            found.append(Leech(
                peer.endpoint, f"it got {times:.1f} times the torrent and says that it has {peer.progress:.0%}"))
    return found
