"""What needs the network before a session runs: torrent files behind URLs, and names of peers. It goes the way that the
settings leave: by their interface, through their proxy.
"""

from __future__ import annotations

from wildbach.base import limits
from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine.settings import Settings
from wildbach.engine.ways import Ways
from wildbach.interfaces.cli import sources, text
from wildbach.interfaces.cli.kinds import HostPort, is_literal
from wildbach.net.resolve import Purpose
from wildbach.protocol.metainfo import Metainfo

FETCH_SECONDS = 60.0


async def _fetch(url: str, settings: Settings) -> Metainfo | sources.Link:
    """The torrent behind an http(s) URL. Raises NetworkError or FormatError, with the URL named."""
    async with Ways(settings) as ways:
        try:
            reply = await ways.http.fetch(
                url, purpose=Purpose.USER, limit=limits.TORRENT_FILE_BYTES, seconds=FETCH_SECONDS
            )
        except NetworkError as error:
            raise NetworkError(f"{url}: {error.message}", url=url) from error
    if reply.status != 200:
        raise NetworkError(f"{url}: the server answers {reply.status}", url=url)
    return sources.parse(reply.body, url)


async def load_all(names: tuple[str, ...], settings: Settings) -> list[Metainfo | sources.Link]:
    """Every SOURCE of a command line, URLs too."""
    return [await _fetch(name, settings) if sources.is_url(name) else sources.load(name) for name in names]


async def endpoints(peers: tuple[HostPort, ...], settings: Settings) -> tuple[Endpoint, ...]:
    """Peers as typed, with names looked up. Raises NetworkError where a name is not found."""
    found = [Endpoint(peer.host, peer.port) for peer in peers if is_literal(peer.host)]
    named = [peer for peer in peers if not is_literal(peer.host)]
    if named:
        async with Ways(settings) as ways:
            if ways.resolver is None:
                raise UsageError(f"{text.clean(named[0].host)}: behind a proxy a peer is named by its address")
            for peer in named:
                hosts = await ways.resolver.resolve(peer.host, 0)
                if not hosts:
                    raise NetworkError(f"{text.clean(peer.host)} has no address")
                found.extend(Endpoint(host, peer.port) for host in hosts)
    return tuple(dict.fromkeys(found))
