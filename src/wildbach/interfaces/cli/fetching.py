"""What needs the network before a session runs: torrent files behind URLs, and names of peers."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.interfaces.cli import sources, text
from wildbach.interfaces.cli.kinds import HostPort, is_literal
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard, Purpose, SystemResolver
from wildbach.protocol.metainfo import Metainfo

FETCH_SECONDS = 60.0


async def fetch(url: str) -> Metainfo | sources.Link:
    """The torrent behind an http(s) URL. Raises NetworkError or FormatError, with the URL named."""
    resolver = SystemResolver()
    client = HttpClient(Guard(resolver))
    try:
        reply = await client.fetch(
            url, purpose=Purpose.USER, limit=limits.TORRENT_FILE_BYTES, seconds=FETCH_SECONDS
        )
    except NetworkError as error:
        raise NetworkError(f"{url}: {error.message}", url=url) from error
    finally:
        await client.close()
        resolver.close()
    if reply.status != 200:
        raise NetworkError(f"{url}: the server answers {reply.status}", url=url)
    return sources.parse(reply.body, url)


async def load_all(names: tuple[str, ...]) -> list[Metainfo | sources.Link]:
    """Every SOURCE of a command line, URLs too."""
    return [await fetch(name) if sources.is_url(name) else sources.load(name) for name in names]


async def endpoints(peers: tuple[HostPort, ...]) -> tuple[Endpoint, ...]:
    """Peers as typed, with names looked up. Raises NetworkError where a name is not found."""
    found: list[Endpoint] = []
    resolver = SystemResolver()
    try:
        for peer in peers:
            if is_literal(peer.host):
                found.append(Endpoint(peer.host, peer.port))
                continue
            hosts = await resolver.resolve(peer.host, 0)
            if not hosts:
                raise NetworkError(f"{text.clean(peer.host)} has no address")
            found.extend(Endpoint(host, peer.port) for host in hosts)
    finally:
        resolver.close()
    return tuple(dict.fromkeys(found))
