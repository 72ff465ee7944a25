"""Torrent files that a magnet link names by their URLs (`xs`, the exact source): fetched as long as nobody else has
given the metadata. With web seeds a link needs no peer at all then.

Whoever made the link chose the URLs, so they are fetched as those of web seeds are, and of a file only that is taken
which the info hash proves: the info dictionary and the piece layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError
from wildbach.base.ids import InfoHashes
from wildbach.net.http import HttpClient
from wildbach.net.resolve import ForbiddenURL, Purpose
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.runtime.workers import Threads

_AGAIN_FIRST: Final = 30.0
_AGAIN_MOST: Final = 3600.0


class Incomplete(Protocol):
    """The torrent."""

    hashes: InfoHashes

    @property
    def open_to_peers(self) -> bool: ...

    async def metadata_within(self, seconds: float) -> bool:
        """Whether the metadata is here, waited for so long."""
        ...

    def torrent_file_found(self, found: Metainfo) -> None: ...


async def look(torrent: Incomplete, urls: Iterable[str], http: HttpClient, threads: Threads) -> None:
    """Ask each URL, those that fail for the moment again, until the metadata is here."""
    left = list(dict.fromkeys(urls))
    wait = _AGAIN_FIRST
    while left:
        if torrent.open_to_peers:
            for url in list(left):
                try:
                    found = await _fetch(url, http, threads)
                except (ForbiddenURL, FormatError, LimitError):
                    left.remove(url)
                except NetworkError:
                    continue
                else:
                    if found.info.hashes.matches(torrent.hashes):
                        torrent.torrent_file_found(found)
                        return
                    left.remove(url)
        if await torrent.metadata_within(wait):
            return
        wait = min(2 * wait, _AGAIN_MOST)


async def _fetch(url: str, http: HttpClient, threads: Threads) -> Metainfo:
    reply = await http.fetch(
        url, purpose=Purpose.WEB_SEED, limit=limits.METADATA_BYTES, seconds=limits.EXACT_SOURCE_SECONDS)
    if 400 <= reply.status < 500 and reply.status not in (408, 429):
        raise ForbiddenURL(f"HTTP {reply.status}")
    if reply.status != 200:
        raise NetworkError(f"HTTP {reply.status}")
    return await threads.run(Metainfo.parse, reply.body)
