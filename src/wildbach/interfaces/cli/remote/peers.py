"""`wildbach peers`: who a torrent of the daemon is connected with."""

from __future__ import annotations

from typing import Final

import click

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column, Row

COLUMNS: Final = (
    Column("PEER"), Column("CLIENT", flexible=True), Column("HAS", right=True), Column("DOWN", right=True),
    Column("UP", right=True), Column("GOT", right=True, rank=2), Column("GAVE", right=True, rank=2),
    Column("FLAGS", rank=1), Column("WAY", rank=3), Column("FROM", rank=4),
)


@click.command("peers")
@click.option("--add", "more", multiple=True, metavar="ADDRESS:PORT", help="Call this peer; may be repeated.")
@naming.for_single
def command(word: str, more: tuple[str, ...], as_json: bool, reach: Reach) -> int:
    """Show the peers of a torrent.

    Flags: D we fetch from it, d we would and it does not let us; U we give to it, u it would and we do not let it;
    S it promised and does not send; E encrypted; I it called us.
    """
    return reach.run(lambda api: show(api, word, more, as_json=as_json))


async def show(api: Api, word: str, more: tuple[str, ...], *, as_json: bool) -> Exit:
    row = await naming.one(api, word)
    if more:
        await api.add_peers(row.key, m.PeerList(more))
        if not as_json:
            output.line(f"called: {plural(len(more), 'peer')}")
        return Exit.OK
    page = await api.peers(row.key)
    nothing = f"{text.clean(row.name)} has no peers" + (f": {text.clean(row.reason)}" if row.reason else "")
    return said.listed(page.peers, COLUMNS, line_of, nothing, as_json=as_json)


def line_of(peer: m.PeerRow) -> Row:
    flags = "".join(flag for flag, on in (
        ("D", peer.interesting and not peer.choked), ("d", peer.interesting and peer.choked),
        ("U", peer.interested and not peer.choking), ("u", peer.interested and peer.choking),
        ("S", peer.snubbed), ("E", peer.encrypted), ("I", not peer.outgoing),
    ) if on)
    return (
        text.clean(peer.endpoint), text.clean(peer.client), f"{int(peer.progress * 100)}%", text.short(peer.down_rate),
        text.short(peer.up_rate), text.short(peer.downloaded), text.short(peer.uploaded), flags, peer.transport,
        text.clean(peer.source),
    )
