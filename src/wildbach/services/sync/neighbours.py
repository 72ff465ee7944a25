"""Folders on the local network: the tags that packets of ours have, and those of others that are known here.

A tag is a keyed hash over the cookie of its packet, so a packet tells nothing to who has no secret. Who repeats one
that was heard leads us to call it, no more; that is counted, and each packet leads to a few places, once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.protocol.sync.tags import keyed_tag, tag_key

Heard = Callable[[Endpoint], None]
"Takes where a neighbour of the folder accepts calls."
_MINUTE: Final = 60.0
_PLACES: Final = 4
"That one packet comes from: it is sent on each network, by IPv4 and by IPv6."
_REMEMBERED: Final = 4096
"Packets; as many have to be heard before one of them can be repeated."


class _Folder:
    __slots__ = ("heard", "keys")

    def __init__(self, keys: tuple[bytes, ...], heard: Heard) -> None:
        self.keys = keys
        self.heard = heard


class Neighbours:
    """Of all folders together: `engine.lan.LanFolders`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._folders: dict[str, _Folder] = {}
        self._calls: deque[float] = deque()
        self._followed: dict[bytes, list[Endpoint]] = {}
        "Where packets led to, by the first tag that was known."
        self.dropped = 0
        "Announces that were known, and repeated, or above what is followed in a minute."

    def add(self, name: str, secrets: Sequence[bytes], heard: Heard) -> None:
        """Announce a folder, or a link that is open, by these secrets, and recognise it by them: the one of the epoch
        first, then those by which some are still met. Again: in the place of those before. Raises UsageError where
        there are more than is looked through.
        """
        others = sum(len(folder.keys) for other, folder in self._folders.items() if other != name)
        if others + len(secrets) > limits.SYNC_TAGS:
            raise UsageError(f"no more than SYNC_TAGS = {limits.SYNC_TAGS} secrets are looked for")
        self._folders[name] = _Folder(tuple(tag_key(secret) for secret in secrets), heard)

    def remove(self, name: str) -> None:
        self._folders.pop(name, None)

    # -- engine.lan.LanFolders

    def tags(self, name: str, cookie: bytes) -> Sequence[bytes]:
        folder = self._folders.get(name)
        return [keyed_tag(key, cookie) for key in folder.keys] if folder is not None else ()

    def heard(self, cookie: bytes, tags: Sequence[bytes], at: Endpoint) -> bool:
        """All folders that are known by a tag are told, each once."""
        named = dict.fromkeys(tags)
        found: list[_Folder] = []
        first = b""
        for folder in self._folders.values():
            known = next((tag for key in folder.keys if (tag := keyed_tag(key, cookie)) in named), None)
            if known is not None:
                found.append(folder)
                first = first or known
        if not found:
            return False
        if self._repeated(first, at):
            self.dropped += 1
            return True
        now = self._clock()
        while self._calls and now - self._calls[0] >= _MINUTE:
            self._calls.popleft()
        for folder in found:
            if len(self._calls) >= limits.SYNC_TAG_CALLS_PER_MINUTE:
                self.dropped += 1
                continue
            self._calls.append(now)
            folder.heard(at)
        return True

    def _repeated(self, tag: bytes, at: Endpoint) -> bool:
        """Somebody sends again what was heard, as if from many places, so that no genuine packet is followed."""
        places = self._followed.setdefault(tag, [])
        if at in places or len(places) >= _PLACES:
            return True
        places.append(at)
        if len(self._followed) > _REMEMBERED:
            del self._followed[next(iter(self._followed))]
        return False
