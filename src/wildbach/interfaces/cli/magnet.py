"""`wildbach magnet`: from a torrent to its link, and from a link to its parts."""

from __future__ import annotations

import dataclasses

import click

from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import info, naming, output, reach, sources
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import HOST_PORT, HostPort
from wildbach.interfaces.cli.reach import Reach
from wildbach.protocol.metainfo import Metainfo


@click.command("magnet")
@click.argument("source")
@click.option("--tracker", "trackers", multiple=True, metavar="URL", help="Add a tracker to the link; may be repeated.")
@click.option("--peer", "peers", type=HOST_PORT, multiple=True, help="Add a peer to the link; may be repeated.")
@click.option("--parse", is_flag=True, help="Show the parts instead of printing the link.")
@click.option("--json", "as_json", is_flag=True, help="Show the parts as one JSON object.")
@reach.options
def command(
    source: str, trackers: tuple[str, ...], peers: tuple[HostPort, ...], parse: bool, as_json: bool, reach: Reach,
) -> int:
    """Print the magnet link of a torrent, or take one apart.

    SOURCE is a .torrent file, - for stdin, an info hash, or a magnet link, which is printed in its canonical form; or a
    torrent of the daemon, by the beginning of its key or its name.
    """
    if sources.is_source(source) or not reach.runs():
        return _tell(sources.load(source), trackers, peers, parse=parse, as_json=as_json)

    async def ask(api: Api) -> Exit:
        detail = await api.torrent((await naming.one(api, source)).key)
        return _tell(sources.load(detail.magnet), trackers, peers, parse=parse, as_json=as_json)

    return reach.run(ask)


def _tell(
    loaded: Metainfo | sources.Link, trackers: tuple[str, ...], peers: tuple[HostPort, ...], *, parse: bool,
    as_json: bool,
) -> Exit:
    link = sources.link_of(loaded) if isinstance(loaded, Metainfo) else loaded
    link = dataclasses.replace(link, trackers=(*link.trackers, *trackers), peers=(*link.peers, *peers))
    if as_json:
        output.record(info.describe_link(link))
    elif parse:
        info.show_link(link)
    else:
        output.line(link.to_uri())
    return Exit.OK
